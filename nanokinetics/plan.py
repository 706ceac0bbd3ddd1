"""What a folder shall hold, and the record of it, `run.json`: written by one run, read by the next.

A run that asks for the very same as the last goes on with what that has written; for one that asks
for something else, see `growth`. Nothing here needs pandas.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from nanokinetics.clip import Group
from nanokinetics.common.files import replace_file
from nanokinetics.config import LOCAL, VIDEO, BuildConfig
from nanokinetics.errors import EnvironmentFault, InputError
from nanokinetics.layout import FAILED, RUN, SELECTION, SPLITS, STATS, Layout
from nanokinetics.ranking import Ranking, Written

MUST_AGREE: Final = ("dataset", "source", "seed", *VIDEO)

_DECIDES: Final = ("splits", "n", "classes", "num_classes", "preset")
REQUEST: Final = "request"
_TABLE: Final = "selection_sha256"

RECORDED: Final[dict[str, tuple[type, ...]]] = {
    **dict.fromkeys(("dataset", "source", "seed", "x264_preset"), (str,)),
    **dict.fromkeys(("resolution", "crf"), (int,)),
    "audio": (bool,),
    "fps": (int, float, type(None)),
    **dict.fromkeys(("n", "classes", "annotations"), (dict,)),
    **dict.fromkeys(("split", "labels"), (list,)),
}
"""What `run.json` must hold, and of which types."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What the folder shall hold after this run, and the record of it for `run.json`."""

    selection: Ranking
    record: Mapping[str, Any]
    table: bytes
    """The selection as `selection.csv` holds it."""

    def light(self) -> Plan:
        """The same, with a ranking that takes a third of the memory: what it was made of may go.

        Not of local files, whose places are not in its table.
        """
        ranked = self.selection
        if isinstance(ranked, Written):
            return self
        written = Written(self.table, quotas=ranked.quotas, labels=ranked.labels)
        return replace(self, selection=written)

    def save(self, layout: Layout, versions: Mapping[str, str]) -> None:
        """Write `run.json` and `selection.csv`, both before anything is fetched."""
        written = {_TABLE: hashlib.sha256(self.table).hexdigest(), "versions": dict(versions)}
        record = json.dumps({**self.record, **written}, indent=2, ensure_ascii=False)
        replace_file(layout.run, f"{record}\n".encode())
        replace_file(layout.selection, self.table)


def request_of(config: BuildConfig, version: str) -> str | None:
    """A digest of all that decides which clips there shall be, and how they are made.

    version: that of this program. None where more than a few files decide: a local source, or
    rows to be left out and told of.
    """
    if config.source == LOCAL or config.skip_bad_rows or config.from_:
        return None
    try:
        files = [hashlib.sha256(path.read_bytes()).hexdigest() for path in config.annotations]
    except (OSError, ValueError):  # the reader of annotations says what is wrong with it
        return None
    asked = [getattr(config, name) for name in (*MUST_AGREE, *_DECIDES)]
    names = [path.name for path in config.annotations]
    whole = json.dumps([version, asked, names, files], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def same_again(request: str | None, layout: Layout) -> Plan | None:
    """The plan that the last run has written, if that was asked for the very same.

    Annotations need not be read and ranked for it, which takes longer than all else that a run
    with nothing to do has to do.
    """
    record = read_record(layout)
    if request is None or record is None or record.get(REQUEST) != request:
        return None
    try:
        table = layout.selection.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(table).hexdigest() != record.get(_TABLE):
        return None
    ranking = Written(table, quotas=quotas_of(record), labels=record["labels"])
    return Plan(ranking, record, table)


def read_record(layout: Layout) -> dict[str, Any] | None:
    """What `run.json` says; None for a new folder.

    Raises InputError for a damaged one, and for a folder that holds something else.
    """
    if layout.root.exists() and not layout.root.is_dir():
        raise InputError(f"{layout.root} is a file; name a folder with --dest")
    try:
        if not layout.run.exists():
            strangers = _strangers(layout)
            if strangers:
                raise InputError(
                    f"{layout.root} holds '{strangers[0]}' but no {RUN}, so it is not a dataset "
                    "of ours; name a new or empty folder with --dest"
                )
            return None
        record: dict[str, Any] = json.loads(layout.run.read_text(encoding="utf-8"))
        for name, kinds in RECORDED.items():
            if type(record[name]) not in kinds:
                raise TypeError(f"its {name} is {record[name]!r}")  # noqa: TRY301
    except OSError as error:
        raise EnvironmentFault(f"{error.filename}: {error.strerror}") from None
    except KeyError as missing:
        raise InputError(_damaged(layout, f"it has no {missing}")) from None
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(_damaged(layout, str(error))) from None
    return record


def _damaged(layout: Layout, why: str) -> str:
    return f"{layout.run} is damaged ({why}); restore it, or name another --dest"


def quotas_of(record: Mapping[str, Any]) -> dict[Group, int]:
    """How many clips each class shall get, as `run.json` has it.

    A subset that was taken from elsewhere lists what each class had there.
    """
    listed = record.get("listed") or {}
    return {
        Group(split, label): listed.get(split, {}).get(label, record["n"][split])
        for split in SPLITS
        for label in record["classes"].get(split, ())
    }


def is_as_written(table: bytes, record: Mapping[str, Any]) -> bool:
    """Whether a `selection.csv` is the one that `run.json` was written with."""
    return record.get(_TABLE) in (None, hashlib.sha256(table).hexdigest())


def _strangers(layout: Layout) -> list[str]:
    """What a folder holds that is not ours. A run that was killed early leaves no record yet."""
    if not layout.root.exists():
        return []
    ours = {SELECTION, STATS, FAILED}
    names = {path.name for path in layout.root.iterdir() if not path.name.startswith(".")}
    return sorted(names - ours)

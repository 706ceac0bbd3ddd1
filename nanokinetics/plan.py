"""What a run asks for, against what its folder already holds: go on, grow, or refuse.

`run.json` records what was asked. A folder may grow (more clips a class, more classes, another
split); whatever would contradict its clips is refused, with the difference named.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from .annotations import Annotations
from .clip import LOCATION, Group
from .config import LOCAL, VIDEO, BuildConfig
from .errors import EnvironmentFault, InputError
from .files import replace_file
from .layout import FAILED, RUN, SELECTION, SPLITS, STATS, Layout
from .selection import Selection

MUST_AGREE: Final = ("dataset", "source", "seed", *VIDEO)
MAY_BE_MISSING: Final = ("place",)
"""What must agree too, where it was asked at all."""

_DECIDES: Final = ("splits", "n", "classes", "num_classes", "preset")
_REQUEST: Final = "request"
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

    selection: Selection
    record: Mapping[str, Any]
    table: bytes
    """The selection as `selection.csv` holds it."""

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
    if request is None or record is None or record.get(_REQUEST) != request:
        return None
    try:
        table = layout.selection.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(table).hexdigest() != record.get(_TABLE):
        return None
    quotas, labels = quotas_of(record), record["labels"]
    selection = Selection.from_csv(table, quotas=quotas, labels=labels)
    return Plan(selection, record, table)


def make_plan(
    config: BuildConfig,
    annotations: Annotations,
    selection: Selection,
    layout: Layout,
    origin: Mapping[str, Any] | None = None,
    request: str | None = None,
) -> Plan:
    """Join what is asked with what the folder holds. Raises InputError where they contradict.

    origin: what `run.json` shall say of a selection that was taken from elsewhere. request: what
    `request_of` made of all that is asked, so that `same_again` knows it.
    """
    asked = {
        "dataset": config.dataset,
        "source": config.source,
        "seed": config.seed,
        "split": [s for s in SPLITS if any(g.split == s for g in selection.quotas)],
        "n": {group.split: wanted for group, wanted in selection.quotas.items()},
        "classes": _classes(selection.quotas),
        **{name: getattr(config.video, name) for name in VIDEO},
        "annotations": dict(annotations.digests),
        "labels": list(selection.labels),
        _REQUEST: request,
    }
    if config.source == LOCAL:
        asked |= {"src": str(config.src), "place": config.place}
    if annotations.names:
        asked["names"] = {label: annotations.names.get(label, "") for label in selection.labels}
    asked |= origin or {}
    earlier = read_record(layout)
    if earlier is None:
        return Plan(selection, asked, selection.to_csv())
    for name in (*MUST_AGREE, *MAY_BE_MISSING):
        if earlier.get(name) != asked.get(name):
            raise _contradiction(layout.root, name, earlier.get(name), asked.get(name))
    if earlier.get("from") != asked.get("from"):
        raise InputError(
            f"{layout.root} was built from {earlier.get('from', 'annotations')}, and this asks for "
            f"{asked.get('from', 'annotations')}; go on as it was begun, or name another --dest"
        )
    if origin:  # one name, the same clips
        if earlier.get("replacements") and not origin["replacements"]:
            raise InputError(
                f"{layout.root} was built with --allow-replacements; ask for them again, or name "
                "another --dest"
            )
        return Plan(selection, asked, selection.to_csv())
    for split, n in asked["n"].items():
        if earlier["n"].get(split, 0) > n:
            raise _contradiction(layout.root, f"n of {split}", earlier["n"][split], n)
        lost = sorted({*earlier["classes"].get(split, ())} - {*asked["classes"][split]})
        if lost:
            had = f"{len(earlier['classes'][split])} classes of {split}, '{lost[0]}' among them"
            raise _contradiction(layout.root, "classes", had, "a choice without it")
    merged = asked | {
        "n": earlier["n"] | asked["n"],
        "annotations": earlier["annotations"] | asked["annotations"],
        "labels": sorted({*earlier["labels"], *asked["labels"]}),
        "split": [s for s in SPLITS if s in {*earlier["split"], *asked["split"]}],
        "classes": earlier["classes"] | asked["classes"],
    }
    if "names" in earlier:
        merged["names"] = earlier["names"] | merged.get("names", {})
    whole, table = _merge(selection, merged, earlier, layout)
    return Plan(located(whole, annotations.frame), merged, table)


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


def _merge(
    selection: Selection,
    record: Mapping[str, Any],
    earlier: Mapping[str, Any],
    layout: Layout,
) -> tuple[Selection, bytes]:
    """The selection just made, with the splits which this run does not speak of, and its table."""
    table = selection.to_csv()
    if not layout.selection.exists():  # an earlier run was ended between the two files
        return selection, table
    quotas, labels = quotas_of(record), tuple(record["labels"])
    written = layout.selection.read_bytes()
    if written == table:  # the same command again, most often
        return Selection(selection.frame, quotas, labels), table
    same_files = record["annotations"] == earlier["annotations"]
    if (
        same_files
        and quotas.keys() <= selection.quotas.keys()
        and not is_as_written(written, earlier)
    ):
        return Selection(selection.frame, quotas, labels), table  # it was damaged since
    begun = Selection.from_csv(written, quotas=quotas, labels=())
    parts = []
    for group in quotas:
        before = begun.candidates(group)
        now = selection.candidates(group)
        if group not in selection.quotas:
            parts.append(before)
            continue
        if len(before) and not _same(before, now):
            raise InputError(
                f"{layout.root} was begun with other annotations: '{group.label}' ({group.split}) "
                f"has {len(before)} candidates in its {SELECTION}, and these files give {len(now)} "
                "and not the same; use the same files, or name another --dest"
            )
        parts.append(now)
    merged = Selection(pd.concat(parts, ignore_index=True), quotas, labels)
    return merged, merged.to_csv()


def located(selection: Selection, frame: pd.DataFrame) -> Selection:
    """The selection with the places of local files also in the splits that this run leaves out."""
    path = LOCATION[0]
    if path not in frame.columns:
        return selection
    if selection.is_local and not selection.frame[path].isna().any():
        return selection
    identity = ["split", "label", "key"]
    places = frame[[*identity, *LOCATION]].drop_duplicates(identity)
    bare = selection.frame.drop(columns=list(LOCATION), errors="ignore")
    found = bare.merge(places, on=identity, how="left")
    filled = found.fillna({path: "", "name": "", "offset": -1, "size": -1})
    located = filled.astype({"offset": np.int64, "size": np.int64})
    return Selection(located, selection.quotas, selection.labels)


def _same(before: pd.DataFrame, now: pd.DataFrame) -> bool:
    return before["key"].tolist() == now["key"].tolist() and all(
        np.array_equal(before[name].to_numpy(), now[name].to_numpy(), equal_nan=True)
        for name in ("time_start", "time_end")
    )


def _classes(quotas: Mapping[Group, int]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for group in quotas:
        found.setdefault(group.split, []).append(group.label)
    return found


def _contradiction(root: Path, name: str, before: object, now: object) -> InputError:
    return InputError(
        f"{root} was built with {name} {before}, and this asks for {now}; "
        "ask for what is there or more, or name another --dest"
    )


def _strangers(layout: Layout) -> list[str]:
    """What a folder holds that is not ours. A run that was killed early leaves no record yet."""
    if not layout.root.exists():
        return []
    ours = {SELECTION, STATS, FAILED}
    names = {path.name for path in layout.root.iterdir() if not path.name.startswith(".")}
    return sorted(names - ours)

"""Read and check `run.json`, which records the options and the choice of a build."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from nanokinetics.clip import Group
from nanokinetics.common.folder import Folder
from nanokinetics.common.names import label_fault
from nanokinetics.config import VIDEO, VideoConfig
from nanokinetics.errors import EnvironmentFault, InputError
from nanokinetics.layout import FAILED, RUN, SELECTION, SPLITS, STATS

_MOST: Final = 10**9


def record_of(home: Folder) -> dict[str, Any]:
    """Read the `run.json` of a built folder. Raises InputError if the folder is not a dataset."""
    has_both = home.place(RUN).is_file() and home.place(SELECTION).is_file()
    record = read_record(home) if has_both else None
    if record is None:
        raise InputError(
            f"{home.path} is no built dataset: it has no run.json and selection.csv; "
            "name the folder of a build"
        )
    check_record(record, str(home.place(RUN)))
    return record


def check_record(record: Mapping[str, Any], where: str) -> None:
    """Check a `run.json`, or the header of a manifest. Raises InputError for a bad entry."""
    for name, kinds in RECORDED.items():
        if type(record.get(name, ...)) not in kinds or "\n" in str(record[name]):
            raise InputError(f"{where}: its {name} is missing or is not what it should be")
    try:
        VideoConfig(**{name: record[name] for name in VIDEO if name in record})
    except (TypeError, InputError) as error:
        raise InputError(f"{where}: its encoding cannot be used: {error}") from None
    n, classes, labels = (record[name] for name in ("n", "classes", "labels"))
    if not labels or not all(isinstance(label, str) for label in labels):
        raise InputError(f"{where}: its labels are not a list of texts")
    if not n or n.keys() != classes.keys() or not n.keys() <= set(SPLITS):
        raise InputError(f"{where}: its n and its classes do not name the same splits")
    listed = record.get("listed") or {}
    if not _are_counts(n, 1):
        raise InputError(f"{where}: its n are not whole numbers from 1")
    if not isinstance(listed, dict) or not all(_are_counts(part, 0) for part in listed.values()):
        raise InputError(f"{where}: its listed are not whole numbers for each class")
    if not isinstance(record.get("names", {}), dict):
        raise InputError(f"{where}: its names are not those of classes")
    known = set(labels)
    for chosen in classes.values():
        if not isinstance(chosen, list) or not all(isinstance(label, str) for label in chosen):
            raise InputError(f"{where}: its classes are not lists of texts")
        for label in chosen:
            fault = label_fault(label) or (None if label in known else f"'{label}' is no label")
            if fault:
                raise InputError(f"{where}: its classes: {fault}")


def naming_of(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The entry MISSING, RENAMED or CATALOGUE of a record; empty if it is not what it should be."""
    found = record.get(name)
    kind = list if name == MISSING else str
    if not isinstance(found, dict) or not all(isinstance(each, kind) for each in found.values()):
        return {}
    return found


def _are_counts(value: object, least: int) -> bool:
    return isinstance(value, dict) and all(
        type(count) is int and least <= count <= _MOST for count in value.values()
    )


MUST_AGREE: Final = ("dataset", "source", "seed", *VIDEO)


REQUEST: Final = "request"


SELECTION_DIGEST: Final = "selection_sha256"


MISSING: Final = "missing_classes"
"""Of each split the classes that were asked for and left out, since it has no clip of them."""

RENAMED: Final = "renamed_classes"
"""The classes of a preset that the annotations name otherwise, and their names there."""


CATALOGUE: Final = "catalogue"
"""The names of annotation files in the catalogue, by file, for files that stand there."""


RECORDED: Final[dict[str, tuple[type, ...]]] = {
    **dict.fromkeys(("dataset", "source", "seed", "x264_preset"), (str,)),
    **dict.fromkeys(("resolution", "crf"), (int,)),
    "audio": (bool,),
    "fps": (int, float, type(None)),
    **dict.fromkeys(("n", "classes", "annotations"), (dict,)),
    **dict.fromkeys(("split", "labels"), (list,)),
}
"""The entries that `run.json` must have, and their types."""


def read_record(home: Folder) -> dict[str, Any] | None:
    """Read `run.json`. None for a new folder.

    Raises InputError if it is damaged, or if the folder holds other files. Raises EnvironmentFault
    if it cannot be read.
    """
    if home.path.exists() and not home.path.is_dir():
        raise InputError(f"{home.path} is a file; name a folder with --dest")
    try:
        if not home.place(RUN).exists():
            strangers = _strangers(home)
            if strangers:
                raise InputError(
                    f"{home.path} holds '{strangers[0]}' but no {RUN}, so it is not a dataset "
                    "of ours; name a new or empty folder with --dest"
                )
            return None
        record: dict[str, Any] = json.loads(home.place(RUN).read_text(encoding="utf-8"))
        for name, kinds in RECORDED.items():
            if type(record[name]) not in kinds:
                raise TypeError(f"its {name} is {record[name]!r}")  # noqa: TRY301
    except OSError as error:
        raise EnvironmentFault(f"{error.filename}: {error.strerror}") from None
    except KeyError as missing:
        raise InputError(_damaged(home, f"it has no {missing}")) from None
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(_damaged(home, str(error))) from None
    return record


def _damaged(home: Folder, why: str) -> str:
    return f"{home.place(RUN)} is damaged ({why}); restore it, or name another --dest"


def quotas_of(record: Mapping[str, Any]) -> dict[Group, int]:
    """The number of clips wanted of each class, from `run.json`.

    For a subset made with `--from`, `listed` has the number that each class had there.
    """
    listed = record.get("listed") or {}
    return {
        Group(split, label): listed.get(split, {}).get(label, record["n"][split])
        for split in SPLITS
        for label in record["classes"].get(split, ())
    }


def is_as_written(table: bytes, record: Mapping[str, Any]) -> bool:
    """Whether a `selection.csv` matches the digest in `run.json`. True if there is no digest."""
    return record.get(SELECTION_DIGEST) in (None, hashlib.sha256(table).hexdigest())


def _strangers(home: Folder) -> list[str]:
    """Names in a folder that no build made. A run that was killed early leaves no `run.json`."""
    if not home.path.exists():
        return []
    ours = {SELECTION, STATS, FAILED}
    names = {path.name for path in home.path.iterdir() if not path.name.startswith(".")}
    return sorted(names - ours)

"""Something-Something v2: the JSON files of both releases, and videos named by their ids.

The class of a clip is its template without brackets. The labels file gives the number of a class.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from nanokinetics.annotations import ReadOptions
from nanokinetics.annotations.candidates import Annotations, digests_by_name
from nanokinetics.annotations.files import AnnotationFile, load, load_all
from nanokinetics.annotations.scanned import Rows, frame_of, judged, scan_of
from nanokinetics.common.names import class_dir, label_fault
from nanokinetics.errors import BadRow, BadRows, InputError
from nanokinetics.sources.located import Stems
from nanokinetics.sources.scan import Scan
from nanokinetics.sources.suffixes import VIDEOS

_FILE: Final = re.compile(
    r"(?:something-something-v2-)?(?P<split>train|validation|test|labels)\.json"
    r"|(?P<answers>test-answers)\.csv"
)
_MEMBERS: Final = ("*.json", "*test-answers.csv")
"""What is read of an archive."""

_SPLITS: Final = {"train": "train", "validation": "val"}
_ID: Final = re.compile(r"[0-9]{1,9}")

__all__ = ["judged", "read"]


def read(options: ReadOptions) -> Annotations:
    """The clips that the JSON files name.

    options.files: annotation files that are not in the source. A clip without a video is still a
    candidate; it fails when it is made.

    Raises InputError if no file has labels. Raises BadRows for unusable items, unless
    `skip_bad_rows` is set.
    """
    found = scan_of(options)
    known = _files(found, options.files)
    numbers = _numbers(known["labels"]) if "labels" in known else {}
    bad: list[BadRow] = []
    rows: list[tuple[str, str, str]] = []
    for name, split in _SPLITS.items():
        if name in known:
            rows += [(key, split, label) for key, label in _items(known[name], bad)]
    if "answers" in known:
        rows += [(key, "test", label) for key, label in _answers(known["answers"], bad)]
    unknown = {label for _, _, label in rows if label not in numbers} if numbers else set()
    if unknown:
        path = known["labels"].path
        raise InputError(f"{path}: has no label {min(unknown)!r}; the files are of two releases")
    if bad and not options.skip_bad_rows:
        raise BadRows(bad)
    if not rows:
        raise InputError(
            f"--src {found.root}: there is neither train.json nor validation.json (or "
            "something-something-v2-train.json); name them with --annotations"
        )
    stems = Stems(found, VIDEOS)
    frame = frame_of(Rows.of((*row, stems.place(row[0])) for row in rows), found)
    numbers = numbers or {label: i for i, label in enumerate(sorted({row[2] for row in rows}))}
    return Annotations(
        frame,
        digests_by_name(source.digest for source in known.values()),
        tuple(bad),
        class_dirs={label: f"{i:03d}_{class_dir(label)}" for label, i in numbers.items()},
        notes=stems.notes(sorted({key for key, _, _ in rows})),
    )


def _files(found: Scan, files: Sequence[Path]) -> dict[str, AnnotationFile]:
    """The annotation files by their contents: train, validation, labels, answers."""
    known: dict[str, AnnotationFile] = {}
    paths = [found.root / name for name in found.files if name.endswith((".json", ".csv"))]
    for path in paths:
        match = _FILE.fullmatch(path.name)
        if match and match["split"] != "test":
            known[_role(match)] = load(path)
    for path in files:
        sources = [(_FILE.fullmatch(each.names[0]), each) for each in load_all(path, _MEMBERS)]
        if not any(match for match, _ in sources):
            raise InputError(f"{path}: is called neither train.json nor labels.json nor the like")
        known.update({_role(match): each for match, each in sources if match})
    known.pop("test", None)
    return known


def _role(match: re.Match[str]) -> str:
    return "answers" if match["answers"] else match["split"]


def _numbers(source: AnnotationFile) -> dict[str, int]:
    """The number of each label, from `{"Approaching something": "0"}`; the file has it as text."""
    found = _parsed(source)
    try:
        numbers = {str(label): int(number) for label, number in found.items()}
    except (AttributeError, ValueError, TypeError):
        raise InputError(f"{source.path}: is no JSON object of labels and numbers") from None
    if len(set(numbers.values())) < len(numbers):
        raise InputError(f"{source.path}: two labels have one number")
    return numbers


def _items(source: AnnotationFile, bad: list[BadRow]) -> list[tuple[str, str]]:
    """The id and label of each item of `[{"id": "78687", "template": "Holding [something]"}]`."""
    items = _parsed(source)
    if not isinstance(items, list):
        raise InputError(f"{source.path}: is no JSON list of items with an id and a template")
    return _usable(source, ((_text(i, "id"), _text(i, "template")) for i in items), bad)


def _answers(source: AnnotationFile, bad: list[BadRow]) -> list[tuple[str, str]]:
    """The id and label of each line `id;label`. There is no header; labels may have commas."""
    rows = csv.reader(source.data.decode().splitlines(), delimiter=";")
    return _usable(source, ((r[0], r[1]) if len(r) == 2 else ("", "") for r in rows), bad)


def _usable(source: AnnotationFile, pairs: Any, bad: list[BadRow]) -> list[tuple[str, str]]:
    usable: list[tuple[str, str]] = []
    faults: dict[str, str | None] = {}
    for number, (key, template) in enumerate(pairs, 1):
        label = template.replace("[", "").replace("]", "").strip()
        if label not in faults:
            faults[label] = label_fault(label)
        why = faults[label] if _ID.fullmatch(key) else f"{key!r} is no id of a video"
        if why:
            bad.append(BadRow(str(source.path), number, why))
        else:
            usable.append((key, label))
    return usable


def _text(item: object, name: str) -> str:
    value = item.get(name) if isinstance(item, Mapping) else None
    return str(value) if isinstance(value, str | int) else ""


def _parsed(source: AnnotationFile) -> Any:
    try:
        return json.loads(source.data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source.path}: is not valid JSON: {error}; download it again") from None

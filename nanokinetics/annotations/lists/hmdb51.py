"""HMDB51's split files: `clap_test_split1.txt` has lines of `file 1`, without a folder.

The number is the split: 1 is train, 2 is test, 0 is neither. The class is in the name of the list.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from nanokinetics.annotations.files import AnnotationFile
from nanokinetics.annotations.lists.rows import Row
from nanokinetics.errors import InputError

_NAME: Final = re.compile(r"(?P<label>.+)_test_split(?P<number>[0-9]+)(?:\.\w+)*")
_SPLITS: Final = {"0": None, "1": "train", "2": "test"}


def split_number(source: AnnotationFile) -> str | None:
    """The number of the split in the name of such a list; None for any other name."""
    match = _NAME.fullmatch(source.names[0])
    return match["number"] if match else None


def rows_of_class(source: AnnotationFile, rows: Sequence[Row]) -> list[Row] | None:
    """The rows with class and split, without those of neither split; None for another list.

    rows: as they stand in the list.

    Raises InputError if the list may also be one of three classes called 0, 1 and 2: HMDB51's file
    names hold the class.
    """
    match = _NAME.fullmatch(source.names[0])
    if match is None or any("/" in row.path or row.label not in _SPLITS for row in rows):
        return None
    label = match["label"]
    if not all(f"_{label}_" in row.path for row in rows):
        raise InputError(
            f"{source.path}: is called like a list of HMDB51, but its files are not called by the "
            f"class {label!r}; rename the list"
        )
    return [
        replace(row, path=f"{label}/{row.path}", label=label, split=split)
        for row in rows
        if (split := _SPLITS[row.label or ""]) is not None
    ]


def check_numbers(lists: Sequence[AnnotationFile]) -> None:
    """Raises InputError if lists are of several of the three splits: they share their files."""
    numbers = ((split_number(source), source.path) for source in lists)
    of_number = {number: path for number, path in numbers if number is not None}
    if len(of_number) > 1:
        first, second = list(of_number.values())[:2]
        raise InputError(
            f"{first} and {second} are of two splits, which share their files; name the lists of "
            "one split"
        )

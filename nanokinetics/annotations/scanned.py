"""Candidates from a scan: what all readers of local files share.

A file is given by its index in the scan, because a full ImageNet has a million files.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

import pandas as pd

from nanokinetics.annotations import ReadOptions
from nanokinetics.annotations.candidates import COLUMNS, of_texts
from nanokinetics.common.names import class_dir, key_fault, normalised_split
from nanokinetics.sources.located import with_places
from nanokinetics.sources.scan import Scan

DEFAULT_SPLIT: Final = "train"
"""The split of files without a folder that names one."""


class Rows(NamedTuple):
    """Candidates as columns. `places` are the indexes of their files in the scan."""

    keys: list[str]
    splits: list[str]
    labels: list[str]
    places: list[int]

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str, str, int]]) -> Rows:
        """Make the columns from one tuple per candidate."""
        columns = map(list, zip(*rows, strict=True))
        return cls(*(list(columns) or ([], [], [], [])))


def scan_of(options: ReadOptions) -> Scan:
    """The scan of the source. Raises ValueError if the source was not scanned."""
    if options.found is None:
        raise ValueError("the source was not scanned")
    return options.found


def judged(raw: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
    """The rows of a manifest as candidates, and the fault of the first unusable row, if any."""
    for key, label in zip(raw["key"], raw["label"], strict=True):
        fault = key_fault(key, class_dir(label)) if key else "a clip has no key"
        if fault:
            return raw, fault
    return raw.assign(youtube_id="", time_start=math.nan, time_end=math.nan), None


def split_of(folder: str, source: str = "") -> str | None:
    """The split named by the innermost folder that names one, or by the source folder, or None."""
    names = (*reversed(folder.split("/")), source)
    return next((split for each in names if (split := normalised_split(each))), None)


def with_one_key(rows: Rows) -> dict[int, int]:
    """The place of each file whose key another file of its class has, and the place of that one.

    The first file counts; see `frame_of`.
    """
    if len(set(rows.keys)) == len(rows.keys):
        return {}
    first: dict[tuple[str, str, str], int] = {}
    twice: dict[int, int] = {}
    for key, split, label, place in zip(*rows, strict=True):
        taken = first.setdefault((key, split, label), place)
        if taken != place:
            twice[place] = taken
    return twice


def frame_of(rows: Rows, found: Scan) -> pd.DataFrame:
    """The candidates as a table. Of several files with one key, split and label the first stays."""
    if len(set(rows.keys)) < len(rows.keys):
        first: dict[tuple[str, str, str], int] = {}
        for key, split, label, place in zip(*rows, strict=True):
            first.setdefault((key, split, label), place)
        rows = Rows.of((*id_, place) for id_, place in first.items())
    texts = (rows.keys, rows.splits, rows.labels, [""] * len(rows.keys))
    frame = of_texts(dict(zip(COLUMNS[:4], texts, strict=True)))
    return with_places(frame.assign(**dict.fromkeys(COLUMNS[4:], math.nan)), rows.places, found)

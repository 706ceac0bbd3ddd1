"""The result of every reader, and the checks that a row must pass to become a candidate.

Annotation rows are untrusted: an id goes into a URL, a label becomes a folder, times go to ffmpeg.
Each distinct value is checked once, because half a million rows have few distinct values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from nanokinetics.annotations import catalog
from nanokinetics.clip import LOCATION
from nanokinetics.common.names import class_dir, file_name, label_fault, normalised_split, shown
from nanokinetics.dataset.tables import ABOUT, ANNOTATION
from nanokinetics.errors import BadRow, InputError

COLUMNS: Final = ABOUT
NEEDED: Final = ANNOTATION

_YOUTUBE_ID: Final = re.compile(r"[A-Za-z0-9_-]{11}")
_ID_BYTES: Final = np.array([bool(re.fullmatch(r"[A-Za-z0-9_-]", chr(i))) for i in range(256)])
_NUMBER: Final = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.ASCII | re.IGNORECASE)
_LATEST: Final = 999_999  # seconds; a key has six digits for each time


@dataclass(frozen=True, eq=False)
class Annotations:
    """The candidates in the annotation files.

    frame: one row per candidate, in file order, with the columns key, split, label, youtube_id
        (text) and time_start, time_end (seconds, float64). A repeated candidate is repeated here.
        Local files also have the columns of LOCATION.
    digests: the hex SHA-256 of each file's bytes on disk, by the name of the file. If two files
        have one name, by their whole paths; in the user's cache, by the path within it.
    catalogue: names of the catalogue, by the same names of files, for files that have one.
    bad_rows: the rows that were left out.
    class_dirs: folders of classes, by label, that differ from `layout.class_dir`.
    names: names of classes, by label, if they have names apart from their labels.
    notes: what was passed over in the source, and why: one line for each kind. passed: the files
    that these lines are about, as their indexes in the scan.

    Raises InputError if two labels would share a folder, or if two local files would get one name.
    """

    frame: pd.DataFrame
    digests: Mapping[str, str]
    bad_rows: tuple[BadRow, ...] = ()
    class_dirs: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    passed: frozenset[int] = frozenset()
    catalogue: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        folders: dict[str, str] = {}
        for label in self.labels:
            folder = self.class_dirs.get(label) or class_dir(label)
            other = folders.setdefault(folder, label)
            if other != label:
                raise InputError(
                    f"the labels {other!r} and {label!r} would share the folder "
                    f"{folder!r}; rename one of them in the annotations",
                )
        if LOCATION[0] in self.frame.columns:
            _check_places(self.frame, {label: folder for folder, label in folders.items()})

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """All labels, sorted. The index of a label is its source id."""
        return tuple(sorted(set(self.frame["label"].to_numpy(dtype=object))))


def _check_places(frame: pd.DataFrame, folders: Mapping[str, str]) -> None:
    """Raises InputError if two local files would get one name. (Spaces in names become `_`.)"""
    keys, splits, labels = (frame[name].tolist() for name in ("key", "split", "label"))
    tops = {label: f"{folder}/" for label, folder in folders.items()}
    whole = "".join(keys)
    are_flat = whole.count("/") == len(keys) and " " not in whole
    if are_flat and all(map(str.startswith, keys, map(tops.__getitem__, labels))):
        return  # the usual case: every key is its folder and a name
    places: dict[tuple[str, str, str], str] = {}
    for key, split, label in zip(keys, splits, labels, strict=True):
        name = file_name(key, folders[label])
        other = places.setdefault((split, label, name), key)
        if other != key:
            raise InputError(
                f"{other!r} and {key!r} would both become {name!r} in class {label!r}; "
                "rename one of them"
            )


def candidates(raw: pd.DataFrame) -> tuple[pd.DataFrame, dict[int, str]]:
    """The usable rows of `raw` as candidates, and the fault of each other row, by position.

    raw: the text of the file, in the columns of NEEDED, times in seconds.
    """
    faults: dict[int, str] = {}
    label = _judged(raw["label"], _label, faults)
    ids = _judged(raw["youtube_id"], _youtube_id, faults)
    start = _judged(raw["time_start"], _seconds("time_start"), faults).astype(np.float64)
    end = _judged(raw["time_end"], _seconds("time_end"), faults).astype(np.float64)
    for row in np.flatnonzero(start >= end).tolist():
        why = f"time_start {start[row]:g} is not before time_end {end[row]:g}"
        faults.setdefault(row, why)
    split = _judged(raw["split"], _split, faults)
    good = np.ones(len(raw), dtype=bool)
    good[list(faults)] = False
    return _frame(*(column[good] for column in (split, label, ids, start, end))), faults


def clean_candidates(raw: pd.DataFrame) -> pd.DataFrame | None:
    """Like `candidates`, but in a third of the time; None if a row has a fault or a fraction.

    raw: like that of `candidates`, but the ids are S12 and the times S7. Each has one byte more
    than allowed, which shows a value that is too long.
    """
    ids = raw["youtube_id"].to_numpy().astype("S12")
    start = _whole_seconds(raw["time_start"].to_numpy().astype("S7"))
    end = _whole_seconds(raw["time_end"].to_numpy().astype("S7"))
    if start is None or end is None or not (start < end).all() or not _are_ids(ids):
        return None
    faults: dict[int, str] = {}
    label = _judged(raw["label"], _label, faults)
    split = _judged(raw["split"], _split, faults)
    if faults:
        return None
    texts = np.fromiter(map(bytes.decode, ids.tolist()), dtype=object, count=len(ids))
    return _frame(split, label, texts, start, end)


_Verdict = tuple[object, str | None]
"""A value parsed from its text, and its fault or None."""


def _judged(
    column: pd.Series, judge: Callable[[str], _Verdict], faults: dict[int, str]
) -> np.ndarray:
    """The column as parsed by `judge`. The first fault of each row is added to `faults`."""
    texts = column.to_numpy(dtype=object)
    values: dict[str, object] = {}
    why: dict[str, str] = {}
    for text in set(texts):
        values[text], fault = judge(text)
        if fault is not None:
            why[text] = fault
    if why:
        for row, text in enumerate(texts):
            if text in why:
                faults.setdefault(row, why[text])
    return np.fromiter(map(values.__getitem__, texts), dtype=object, count=len(texts))


def _are_ids(ids: np.ndarray) -> bool:
    """Whether all values of an S12 array are valid ids."""
    table = ids.view(np.uint8).reshape(-1, 12)
    return bool(_ID_BYTES[table[:, :11]].all() and not table[:, 11].any())


def _whole_seconds(texts: np.ndarray) -> np.ndarray | None:
    """The numbers of an S7 array; None unless all of them are one to six plain digits."""
    table = texts.view(np.uint8).reshape(-1, 7)
    filled = table != 0
    if not filled[:, 0].all() or filled[:, 6].any():
        return None
    digits = table - np.uint8(ord("0"))  # a byte below "0" wraps around to more than 9
    if (digits[filled] > 9).any():
        return None
    seconds = np.zeros(len(texts))
    for digit, is_there in zip(digits.T, filled.T, strict=True):
        seconds = np.where(is_there, seconds * 10 + digit, seconds)
    return seconds


def _label(text: str) -> _Verdict:
    return text, label_fault(text)


def is_youtube_id(text: str) -> bool:
    return bool(_YOUTUBE_ID.fullmatch(text))


def _youtube_id(text: str) -> _Verdict:
    if _YOUTUBE_ID.fullmatch(text):
        return text, None
    return text, f"youtube_id {shown(text)} is not 11 characters of A-Z, a-z, 0-9, - and _"


def _split(text: str) -> _Verdict:
    split = normalised_split(text)
    return split, None if split else f"split {shown(text)} is none of train, val and test"


def _seconds(column: str) -> Callable[[str], _Verdict]:
    def judge(text: str) -> _Verdict:
        if not text.strip():
            return math.nan, f"{column} is missing"
        if not _NUMBER.fullmatch(text):
            return math.nan, f"{column} {shown(text)} is not a number of seconds"
        seconds = float(text) + 0.0  # turns -0.0 into 0.0
        if seconds < 0:
            return math.nan, f"{column} {shown(text)} is negative"
        if seconds >= _LATEST + 1:
            return math.nan, f"{column} {shown(text)} is more than {_LATEST} seconds"
        return seconds, None

    return judge


def _frame(
    split: np.ndarray, label: np.ndarray, ids: np.ndarray, start: np.ndarray, end: np.ndarray
) -> pd.DataFrame:
    texts = (_keys(ids, start, end), split, label, ids)
    frame = of_texts(dict(zip(COLUMNS[:4], texts, strict=True)))
    return frame.assign(time_start=start, time_end=end)


def of_texts(columns: Mapping[str, Any], index: pd.Index | None = None) -> pd.DataFrame:
    """A table of Python strings. By default pandas would copy each of them into Arrow memory."""
    return pd.DataFrame(dict(columns), index, dtype=object)


def _keys(ids: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The keys `{youtube_id}_{start:06d}_{end:06d}`, in whole seconds: the contract for names."""
    scale = _LATEST + 1
    codes, windows = pd.factorize(start.astype(np.int64) * scale + end.astype(np.int64))
    suffixes = [f"_{window // scale:06d}_{window % scale:06d}" for window in windows.tolist()]
    keys: np.ndarray = ids + np.array(suffixes, dtype=object)[codes]
    return keys


def digests_by_name(digests: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """Digests by file name, or by path if two files have one name; from (name, path, sha256)."""
    rows = sorted(set(digests))
    names = [name for name, _, _ in rows]
    within = f"{catalog.folder()}/"  # a record must not depend on where the cache lies
    return {
        name if names.count(name) == 1 else path.removeprefix(within): sha
        for name, path, sha in rows
    }

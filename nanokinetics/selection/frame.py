"""A selection: a ranking that `sampling` has just made, and its table on disk."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd

from nanokinetics.clip import LOCATION, Clip, Group, Location, seconds
from nanokinetics.dataset.ranking import COLUMNS, Ranking
from nanokinetics.errors import InputError

_HEADER: Final = f"{','.join(COLUMNS)}\n".encode()
_NEEDS_QUOTES: Final = re.compile(r'[,"\r\n]')
_ROWS_AT_ONCE: Final = 10_000  # or the text of a whole Kinetics would be in memory twice


@dataclass(frozen=True, eq=False)
class Selection(Ranking):
    """A ranking as a pandas table.

    frame: the columns of COLUMNS, times in seconds (NaN for a file taken whole). The rows are
    grouped by split and label; `rank` counts from 1 in each group.
    """

    frame: pd.DataFrame
    quotas: Mapping[Group, int]
    labels: tuple[str, ...]

    @property
    def is_local(self) -> bool:
        """Whether the candidates are files of a local source."""
        return LOCATION[0] in self.frame.columns

    def candidates(self, group: Group) -> pd.DataFrame:
        """The rows of a group, in ranked order."""
        rows = self.rows(group)
        return self.frame.iloc[rows.start : rows.stop]

    def videos(self, group: Group) -> Iterable[str]:
        return iter(self.candidates(group)["youtube_id"])

    def clip(self, row: int) -> Clip:
        """The candidate in a row of the table."""
        key, split, label, youtube_id, start, end = (values[row] for values in self._values)
        return Clip(
            key, split, label, youtube_id, _seconds(start), _seconds(end), self._location(row)
        )

    def _location(self, row: int) -> Location | None:
        if not self._places or not self._places[0][row]:
            return None
        return Location(*(values[row] for values in self._places))

    def to_csv(self) -> bytes:
        """The bytes of `selection.csv`: RFC 4180 with LF, UTF-8, whole seconds without fraction."""
        out = io.BytesIO()
        out.write(_HEADER)
        for first in range(0, len(self.frame), _ROWS_AT_ONCE):
            out.write(_lines(self.frame.iloc[first : first + _ROWS_AT_ONCE]).encode())
        return out.getvalue()

    @classmethod
    def from_csv(
        cls, data: bytes, *, quotas: Mapping[Group, int], labels: Iterable[str]
    ) -> Selection:
        """The selection from the bytes of `to_csv`; they do not contain the other two fields.

        Raises InputError if `data` is not such a table.
        """
        if not data.startswith(_HEADER):
            raise InputError(f"selection.csv has not the header {','.join(COLUMNS)}")
        try:
            frame = pd.read_csv(io.BytesIO(data), dtype=str, na_filter=False)
            for name in COLUMNS[4:6]:
                codes, texts = pd.factorize(frame[name])  # there are few distinct values
                values = [float(text) if text else math.nan for text in texts]
                frame[name] = np.array(values, dtype=np.float64)[codes]
            frame["rank"] = frame["rank"].astype(np.int64)
        except ValueError as error:  # pandas' own errors are ValueErrors too
            raise InputError(f"selection.csv cannot be read: {error}") from None
        return cls(frame, dict(quotas), tuple(labels))

    def _keys(self, rows: range) -> Iterator[str]:
        return iter(self._values[0][rows.start : rows.stop])

    @cached_property
    def _ranges(self) -> Mapping[Group, range]:
        starts = np.flatnonzero(self.frame["rank"].to_numpy() == 1).tolist()
        splits, labels = (self.frame[name].to_numpy() for name in ("split", "label"))
        bounds = pairwise([*starts, len(self.frame)])
        return {Group(splits[start], labels[start]): range(start, stop) for start, stop in bounds}

    @cached_property
    def _values(self) -> tuple[list[Any], ...]:
        return tuple(self.frame[name].tolist() for name in COLUMNS[:6])

    @cached_property
    def _places(self) -> tuple[list[Any], ...]:
        return tuple(self.frame[name].tolist() for name in LOCATION) if self.is_local else ()


def _seconds(value: float) -> float | None:
    return None if math.isnan(value) else value


def _lines(frame: pd.DataFrame) -> str:
    """The rows as CSV. Fields are checked one by one only if some field may need quotes."""
    texts: list[list[str]] = [frame[name].tolist() for name in COLUMNS[:4]]
    numbers = [_numbers(frame[name]) for name in COLUMNS[4:]]
    lines = _joined(texts + numbers)
    commas, ends = (len(COLUMNS) - 1) * len(frame), len(frame)
    plain = lines.count(",") == commas and lines.count("\n") == ends
    if plain and '"' not in lines and "\r" not in lines:
        return lines
    return _joined([list(map(_quoted, column)) for column in texts] + numbers)


def _joined(columns: Sequence[Sequence[str]]) -> str:
    return "\n".join([*map(",".join, zip(*columns, strict=True)), ""])


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def _numbers(column: pd.Series) -> list[str]:
    codes, values = pd.factorize(column, use_na_sentinel=False)
    texts = np.array([_number(value) for value in values.tolist()], dtype=object)
    shown: list[str] = texts[codes].tolist()
    return shown


def _number(value: float) -> str:
    return seconds(None if math.isnan(value) else value)  # a file taken whole has no times

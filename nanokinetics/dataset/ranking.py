"""The candidates of the chosen classes in ranked order: first the picks, then the reserves.

Quotas, indexes and warnings use only the interface `Ranking`. A new selection is a `Selection`, a
table of pandas. A selection of an earlier run is a `SelectionTable`, which needs no pandas.
"""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import pairwise, repeat
from typing import Final

from nanokinetics.clip import Clip, ClipId, Group
from nanokinetics.dataset.tables import ABOUT
from nanokinetics.errors import InputError
from nanokinetics.layout import SPLITS

COLUMNS: Final = (*ABOUT, "rank")
"""The columns of `selection.csv`."""


class Ranking(ABC):
    """The candidates by split (train, val, test), then by label (sorted), then by rank.

    quotas: number of clips wanted of each group, in the same order. A group may have fewer
    candidates, or none. labels: all labels of the annotations, sorted; a label's position is its
    source id.
    """

    quotas: Mapping[Group, int]
    labels: tuple[str, ...]

    def groups(self) -> tuple[Group, ...]:
        """The chosen classes of the chosen splits, in order. A group may have no candidates."""
        return tuple(self.quotas)

    def rows(self, group: Group) -> range:
        """The row positions of a group, in ranked order. Empty if the group has no candidates."""
        return self._ranges.get(group, range(0))

    def ids(self, group: Group) -> Iterator[tuple[int, ClipId]]:
        """The row position and the id of each candidate of a group, in ranked order.

        This is much cheaper than `clip` for each row, and most clips are never needed.
        """
        rows = self.rows(group)
        parts = zip(repeat(group.split), repeat(group.label), self._keys(rows), strict=False)
        return zip(rows, map(ClipId._make, parts), strict=True)

    @abstractmethod
    def clip(self, row: int) -> Clip:
        """The candidate at a row position."""

    @abstractmethod
    def videos(self, group: Group) -> Iterable[str]:
        """The video id of each candidate of a group, with repeats. Local files have empty ids."""

    @property
    @abstractmethod
    def _ranges(self) -> Mapping[Group, range]: ...

    @abstractmethod
    def _keys(self, rows: range) -> Iterator[str]: ...


class SelectionTable(Ranking):
    """The ranking of a complete `selection.csv`. A line is a row, as keys and labels hold no LF.

    A line is parsed only when its row is needed.
    """

    def __init__(self, table: bytes, *, quotas: Mapping[Group, int], labels: Iterable[str]) -> None:
        """Raises InputError if the table has another header."""
        if not table.startswith(f"{','.join(COLUMNS)}\n".encode()):
            raise InputError(f"selection.csv has not the header {','.join(COLUMNS)}")
        self.table = table
        self.quotas = dict(quotas)
        self.labels = tuple(labels)

    def check(self) -> None:
        """Parse every row; for tables without a digest. Raises InputError for a bad row."""
        try:
            for row in range(len(self._lines)):
                self.clip(row)
                int(self._fields(row)[-1])
        except (ValueError, csv.Error) as error:
            raise InputError(f"selection.csv cannot be read: {error}") from None

    def only(self, quotas: Mapping[Group, int]) -> SelectionTable:
        """The candidates of these groups, in this order, with these numbers of clips."""
        lines = (f"{self._lines[row]}\n" for group in quotas for row in self.rows(group))
        head = ",".join(COLUMNS)
        table = f"{head}\n{''.join(lines)}".encode()
        return SelectionTable(table, quotas=quotas, labels=self.labels)

    def clip(self, row: int) -> Clip:
        key, split, label, youtube_id, start, end, _ = self._fields(row)
        return Clip(key, split, label, youtube_id, _seconds(start), _seconds(end))

    def videos(self, group: Group) -> Iterable[str]:
        return (self._fields(row)[3] for row in self.rows(group))

    @cached_property
    def _lines(self) -> list[str]:
        return self.table.decode().split("\n")[1:-1]

    @cached_property
    def _ranges(self) -> Mapping[Group, range]:
        starts = [row for row, line in enumerate(self._lines) if line.endswith(",1")]
        bounds = pairwise([*starts, len(self._lines)])
        return {Group(*self._fields(start)[1:3]): range(start, stop) for start, stop in bounds}

    def _keys(self, rows: range) -> Iterator[str]:
        for line in self._lines[rows.start : rows.stop]:
            yield next(csv.reader([line]))[0] if line[0] == '"' else line.partition(",")[0]

    def _fields(self, row: int) -> list[str]:
        line = self._lines[row]
        return next(csv.reader([line])) if '"' in line else line.split(",")


def warnings(ranking: Ranking) -> tuple[str, ...]:
    """Warnings about a selection of several splits, one sentence each.

    A video in two splits leaks from training into evaluation. Kinetics versions overlap in this
    way: 12,900 of 18,009 videos of K400's validation list are in K600's. If one split lacks a
    class, loaders that count folders get different label ids for that split.
    """
    groups = ranking.groups()
    several = len({group.split for group in groups}) > 1
    videos: dict[str, set[str]] = {}
    empty: dict[str, list[str]] = {}
    for group in groups:
        if several:
            videos.setdefault(group.split, set()).update(ranking.videos(group))
        if not ranking.rows(group):
            empty.setdefault(group.split, []).append(group.label)
    found = [*_shared(videos)]
    found += [
        f"split {split} has no clips of {_some(labels)}; the splits have different classes"
        for split, labels in empty.items()
    ]
    return tuple(found)


def _shared(videos: Mapping[str, set[str]]) -> Iterator[str]:
    """The warning about videos that are in more than one split."""
    seen: set[str] = set()
    shared: set[str] = set()
    for each in videos.values():
        shared |= seen & each
        seen |= each
    shared.discard("")
    if shared:
        where = ", ".join(split for split in SPLITS if not shared.isdisjoint(videos.get(split, ())))
        yield (
            f"{len(shared)} {'videos are' if len(shared) > 1 else 'video is'} in more than one "
            f"split ({where}), such as {min(shared)}; do the annotation files mix versions of the "
            "dataset?"
        )


def _some(labels: list[str]) -> str:
    shown = ", ".join(map(repr, labels[:3]))
    return shown if len(labels) <= 3 else f"{shown} and {len(labels) - 3} more classes"


def _seconds(text: str) -> float | None:
    return float(text) if text else None

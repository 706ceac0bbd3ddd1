"""The clips of the page as cards: a picture, and links to the file and to YouTube."""

from __future__ import annotations

import os
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote

import numpy as np

from nanokinetics.annotations import DATASETS
from nanokinetics.clip import Group
from nanokinetics.config import LONGEST_DURATION, is_youtube_id
from nanokinetics.report.figures import Class, Summary
from nanokinetics.report.frames import is_image
from nanokinetics.report.tables import IDENTITY, Tables
from nanokinetics.report.thumbnails import Thumbnails
from nanokinetics.report.words import name_and_window

INLINE: Final = 1000
"""Pictures within the page, at most. More of them lie in a folder beside it, as a page of that size
opens slowly."""

CARDS: Final = 20_000
"""Cards of a page, at most. In larger datasets only the clips with a picture have one."""

YOUTUBE: Final = "youtube"


@dataclass(frozen=True, slots=True)
class Card:
    """One clip. image, file, youtube: addresses; empty if there is none.

    name and window are the two lines below the picture. Together they are the clip's key.
    """

    key: str
    image: str
    file: str
    youtube: str
    moment: str

    @property
    def is_image(self) -> bool:
        return is_image(Path(self.file))

    @property
    def name(self) -> str:
        return name_and_window(self.key)[0]

    @property
    def window(self) -> str:
        return name_and_window(self.key)[1]


@dataclass(frozen=True, slots=True)
class Row:
    """The clips of one class of one split."""

    of: Class
    cards: tuple[Card, ...]


@dataclass(frozen=True, eq=False)
class Gallery:
    """The cards of a dataset for a page at `page`, or for one that may lie anywhere."""

    tables: Tables
    summary: Summary
    thumbnails: Thumbnails
    page: Path

    @property
    def folder(self) -> str | None:
        """The name of the folder beside the page for the pictures; None if the page holds them."""
        return f"{self.page.stem}_files" if len(self.thumbnails) > INLINE else None

    def pictures(self) -> Iterator[tuple[str, bytes]]:
        """The name and the bytes of each picture in that folder. Equal names mean equal bytes."""
        for jpeg in self.thumbnails.values():
            if jpeg:
                yield _name(jpeg), jpeg

    @cached_property
    def shown(self) -> int:
        """The number of cards."""
        every = len(self.tables.stats)
        return every if every <= CARDS else len(self.thumbnails)

    def rows(self) -> Iterator[Row]:
        """The classes in the order of the summary, and the clips of each in that of the table."""
        found: defaultdict[Group, list[Card]] = defaultdict(list)
        for group, card in self._cards():
            found[group].append(card)
        for each in self.summary.classes:
            if cards := found[Group(each.split, each.label)]:
                yield Row(each, tuple(cards))

    def _cards(self) -> Iterator[tuple[Group, Card]]:
        stats, sizes, base = self.tables.stats, self.tables.sizes, self._base
        known = DATASETS.get(self.tables.record.get("dataset", ""))
        of_youtube = known is not None and known.source == YOUTUBE
        names = (*IDENTITY, "path", "source", "youtube_id", "time_start")
        columns = zip(*(stats[name].tolist() for name in names), strict=True)
        for row, (split, label, key, path, source, video, start) in enumerate(columns):
            if self.shown < len(stats) and row not in self.thumbnails:
                continue
            at = _second(start)
            links = is_youtube_id(video) and (of_youtube or source == YOUTUBE)
            yield (
                Group(split, label),
                Card(
                    key=key,
                    image=self._source_of(self.thumbnails.get(row, b"")),
                    file="" if np.isnan(sizes[row]) else base + quote(path.encode()),
                    youtube=f"https://www.youtube.com/watch?v={video}&t={at}s" if links else "",
                    moment=f"{at // 60}:{at % 60:02d}",
                ),
            )

    @cached_property
    def _base(self) -> str:
        """The address of the dataset's folder: relative while both lie below one folder."""
        here, there = self.page.absolute().parent.resolve(), self.tables.root.resolve()
        if os.path.commonpath([here, there]) == here.anchor:
            return f"{there.as_uri()}/"
        way = os.path.relpath(there, here)
        return f"./{quote(os.fsencode(way))}/"

    def _source_of(self, jpeg: bytes) -> str:
        if not jpeg:
            return ""
        if self.folder:
            return f"./{quote(os.fsencode(self.folder))}/{_name(jpeg)}"
        return f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"


def _name(jpeg: bytes) -> str:
    return f"{sha256(jpeg).hexdigest()[:20]}.jpg"


def _second(text: str) -> int:
    """The whole second at which a window begins; 0 if the table does not tell it."""
    try:
        found = float(text)
    except ValueError:
        return 0
    return int(found) if 0 <= found <= LONGEST_DURATION else 0

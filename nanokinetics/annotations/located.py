"""What the readers of local files share: candidates of what a scan has found.

A file is spoken of by its place in the scan, since a full ImageNet has a million of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from nanokinetics.annotations.candidates import COLUMNS, of_texts
from nanokinetics.clip import LOCATION
from nanokinetics.common.names import normalised_split
from nanokinetics.sources.scan import Scan, endings

DEFAULT_SPLIT: Final = "train"
"""Of files whose folders name none."""

NOWHERE: Final = -1
"""The place of a candidate whose file is not known."""


class Rows(NamedTuple):
    """Candidates, a column each, and the places of their files in the scan."""

    keys: list[str]
    splits: list[str]
    labels: list[str]
    places: list[int]

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str, str, int]]) -> Rows:
        """The same from a tuple a candidate."""
        columns = map(list, zip(*rows, strict=True))
        return cls(*(list(columns) or ([], [], [], [])))


def named(found: Scan, suffixes: frozenset[str]) -> tuple[list[str], list[int]]:
    """Paths within the source of the files with one of the extensions, sorted, and their places.

    A member of an archive counts as if it were unpacked there; one with an absolute path, or one
    that leaves the source, is passed over.
    """
    paths = [*found.files, *(member.name.removeprefix("./") for member in found.members)]
    wanted = endings(paths, suffixes)
    places = [place for place, path in enumerate(paths) if path.endswith(wanted)]
    if found.members:
        places = [place for place in places if not _leaves(paths[place])]
    places.sort(key=paths.__getitem__)
    return [paths[place] for place in places], places


def _leaves(path: str) -> bool:
    return path.startswith("/") or ".." in path.split("/")


def parted(path: str) -> tuple[str, str]:
    """The folder of a path, and its base name without extension."""
    folder, _, name = path.rpartition("/")
    return folder, name.rpartition(".")[0] or name


def split_of(folder: str, source: str) -> str:
    """The split that the nearest of the folders names, that of the source included."""
    for name in (*reversed(folder.split("/")), source):
        split = normalised_split(name)
        if split is not None:
            return split
    return DEFAULT_SPLIT


def frame_of(rows: Rows, found: Scan) -> pd.DataFrame:
    """The candidates as a table; of several files of one key, split and label the first stays."""
    if len(set(rows.keys)) < len(rows.keys):
        first: dict[tuple[str, str, str], int] = {}
        for key, split, label, place in zip(*rows, strict=True):
            first.setdefault((key, split, label), place)
        rows = Rows.of((*id_, place) for id_, place in first.items())
    texts = (rows.keys, rows.splits, rows.labels, [""] * len(rows.keys))
    frame = of_texts(dict(zip(COLUMNS[:4], texts, strict=True)))
    return with_places(frame.assign(**dict.fromkeys(COLUMNS[4:], math.nan)), rows.places, found)


def with_places(frame: pd.DataFrame, places: Sequence[int], found: Scan) -> pd.DataFrame:
    """The table with the columns of LOCATION; where a place is not known the path is empty."""
    paths = [*found.files, *(member.path for member in found.members), ""]
    plain = len(found.files)
    names = [*([""] * plain), *(member.name for member in found.members), ""]
    offsets = np.full(len(paths), -1, dtype=np.int64)
    sizes = np.full(len(paths), -1, dtype=np.int64)
    offsets[plain:-1] = [member.offset for member in found.members]
    sizes[plain:-1] = [member.size for member in found.members]
    at = np.array(places, dtype=np.int64)
    path, name, offset, size = LOCATION
    texts = {path: np.array(paths, dtype=object)[at], name: np.array(names, dtype=object)[at]}
    return frame.assign(**of_texts(texts, frame.index), **{offset: offsets[at], size: sizes[at]})


def locate(frame: pd.DataFrame, found: Scan, suffixes: frozenset[str]) -> pd.DataFrame:
    """The candidates of Kinetics with the places of their clips, or of their whole videos.

    A file is told by its base name: a clip by its key, a whole video by its id. A clip that is
    there already is taken before a video it would have to be cut from.
    """
    by_stem: dict[str, int] = {}
    for path, place in zip(*named(found, suffixes), strict=True):
        by_stem.setdefault(parted(path)[1], place)
    keys, ids = frame["key"].tolist(), frame["youtube_id"].tolist()
    whole = [by_stem.get(youtube_id, NOWHERE) for youtube_id in ids]
    places = [by_stem.get(key, video) for key, video in zip(keys, whole, strict=True)]
    return with_places(frame, places, found)

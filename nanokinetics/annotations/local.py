"""What the readers of local files share: candidates of what a scan has found.

A file is spoken of by its place in the scan, since a full ImageNet has a million of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from nanokinetics.clip import LOCATION
from nanokinetics.scan import Scan

from .candidates import COLUMNS, normalised_split

DEFAULT_SPLIT: Final = "train"
"""Of files whose folders name none."""

NOWHERE: Final = -1
"""The place of a candidate whose file is not known."""


class Row(NamedTuple):
    """A candidate, and the place of its file in the scan."""

    key: str
    split: str
    label: str
    place: int


def named(found: Scan, suffixes: frozenset[str]) -> list[tuple[str, int]]:
    """Path within the source and place of each file with one of the extensions, sorted.

    A member of an archive counts as if it were unpacked there; one with an absolute path, or one
    that leaves the source, is passed over.
    """
    paths = [*found.files, *(member.name.removeprefix("./") for member in found.members)]
    endings = tuple({path[path.rfind(".") :] for path in paths})
    wanted = tuple(e for e in endings if e.lower() in suffixes)
    usable = [(path, place) for place, path in enumerate(paths) if path.endswith(wanted)]
    if found.members:
        usable = [pair for pair in usable if not _leaves(pair[0])]
    return sorted(usable)


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


def frame_of(rows: Iterable[Row], found: Scan) -> pd.DataFrame:
    """The candidates as a table; of several files of one key, split and label the first stays."""
    first: dict[tuple[str, str, str], int] = {}
    for key, split, label, place in rows:
        first.setdefault((key, split, label), place)
    columns = list(zip(*first, strict=True)) or [(), (), ()]
    count = len(first)
    frame = pd.DataFrame(
        {
            **{name: np.array(c, dtype=object) for name, c in zip(COLUMNS, columns, strict=False)},
            COLUMNS[3]: np.full(count, "", dtype=object),
            **{name: np.full(count, math.nan) for name in COLUMNS[4:]},
        },
        copy=False,
    )
    return with_places(frame, list(first.values()), found)


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
    columns = (
        np.array(paths, dtype=object)[at],
        np.array(names, dtype=object)[at],
        offsets[at],
        sizes[at],
    )
    return frame.assign(**dict(zip(LOCATION, columns, strict=True)))


def locate(frame: pd.DataFrame, found: Scan, suffixes: frozenset[str]) -> pd.DataFrame:
    """The candidates of Kinetics with the places of their clips, or of their whole videos.

    A file is told by its base name: a clip by its key, a whole video by its id. A clip that is
    there already is taken before a video it would have to be cut from.
    """
    by_stem: dict[str, int] = {}
    for path, place in named(found, suffixes):
        by_stem.setdefault(parted(path)[1], place)
    keys, ids = frame["key"].tolist(), frame["youtube_id"].tolist()
    whole = [by_stem.get(youtube_id, NOWHERE) for youtube_id in ids]
    places = [by_stem.get(key, video) for key, video in zip(keys, whole, strict=True)]
    return with_places(frame, places, found)

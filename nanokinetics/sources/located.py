"""Finds the files of candidates in a scan.

A file is given by its index in the scan, because a full ImageNet has a million files. This module
needs pandas; workers do not use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from nanokinetics.clip import LOCATION
from nanokinetics.sources.scan import Scan, endings

NOWHERE: Final = -1
"""The index of a candidate whose file is not known."""


def named(found: Scan, suffixes: frozenset[str]) -> tuple[list[str], list[int]]:
    """The sorted paths of all files with one of the suffixes, and their indexes in the scan.

    A member has the path that it would have after unpacking in the source. Members with an absolute
    path, or with a path out of the source, are left out.
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
    """The folder of a path, and the base name without its extension."""
    folder, _, name = path.rpartition("/")
    return folder, name.rpartition(".")[0] or name


def with_places(frame: pd.DataFrame, places: Sequence[int], found: Scan) -> pd.DataFrame:
    """The table with the columns of LOCATION. places: indexes in the scan; NOWHERE gives ''."""
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
    return frame.assign(
        **pd.DataFrame(texts, frame.index, dtype=object), **{offset: offsets[at], size: sizes[at]}
    )


def locate(frame: pd.DataFrame, found: Scan, suffixes: frozenset[str]) -> pd.DataFrame:
    """The candidates of Kinetics with the locations of their clips or their whole videos.

    The base name of a file identifies it: the key of a clip, or the id of a whole video. A clip is
    preferred to the video from which it would be cut.
    """
    by_stem: dict[str, int] = {}
    for path, place in zip(*named(found, suffixes), strict=True):
        by_stem.setdefault(parted(path)[1], place)
    keys, ids = frame["key"].tolist(), frame["youtube_id"].tolist()
    whole = [by_stem.get(youtube_id, NOWHERE) for youtube_id in ids]
    places = [by_stem.get(key, video) for key, video in zip(keys, whole, strict=True)]
    return with_places(frame, places, found)

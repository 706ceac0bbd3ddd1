"""Finds the files of candidates in a scan.

A file is given by its index in the scan, because a full ImageNet has a million files. This module
needs pandas; workers do not use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pandas as pd

from nanokinetics.clip import LOCATION
from nanokinetics.common.names import shown
from nanokinetics.sources.local import trimmed_names
from nanokinetics.sources.scan import Scan
from nanokinetics.sources.suffixes import endings

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


class Stems:
    """The files of a scan by their base names. Of several files with one name the first counts."""

    def __init__(self, found: Scan, suffixes: frozenset[str]) -> None:
        self._first: dict[str, tuple[str, int]] = {}
        self._more: dict[str, list[str]] = {}
        for path, place in zip(*named(found, suffixes), strict=True):
            stem = parted(path)[1]
            if stem in self._first:
                self._more.setdefault(stem, []).append(path)
            else:
                self._first[stem] = path, place

    def place(self, stem: str) -> int:
        return self._first[stem][1] if stem in self._first else NOWHERE

    def notes(self, stems: Iterable[str]) -> tuple[str, ...]:
        """A line about files that share the name of a candidate, if there are any."""
        shared = {stem: self._more[stem] for stem in stems if stem in self._more}
        pairs = [(self._first[stem][0], path) for stem, more in shared.items() for path in more]
        return one_key(sorted(pairs))


def one_key(pairs: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """A line about files with one key, from pairs of the file that was taken and one that was not.

    The same file may lie in a folder and in an archive: that is worth a line too.
    """
    if not pairs:
        return ()
    taken, other = pairs[0]
    many = "files have" if len(pairs) > 1 else "file has"
    return (
        f"{len(pairs)} {many} the key of another one and {'are' if len(pairs) > 1 else 'is'} left "
        f"out, for instance {shown(other)} beside {shown(taken)}; rename them to have both",
    )


def locate(
    frame: pd.DataFrame, found: Scan, suffixes: frozenset[str]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The candidates of Kinetics with the locations of their clips or their whole videos.

    The base name of a file identifies it: that of a clip (see `trimmed_names`), or the id of a
    whole video. A clip is preferred to the video from which it would be cut. Also gives lines about
    files that share a name.
    """
    stems = Stems(found, suffixes)
    keys, ids = frame["key"].tolist(), frame["youtube_id"].tolist()
    starts, ends = frame["time_start"].tolist(), frame["time_end"].tolist()
    places: list[int] = []
    taken: set[str] = set()
    for key, youtube_id, start, end in zip(keys, ids, starts, ends, strict=True):
        for stem in (*trimmed_names(key, youtube_id, start, end), youtube_id):
            place = stems.place(stem)
            if place != NOWHERE:
                taken.add(stem)
                break
        places.append(place)
    return with_places(frame, places, found), stems.notes(sorted(taken))

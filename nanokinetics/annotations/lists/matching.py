"""Which file of a source a path of a list means.

The source may be the folder that the list was written for, one above it, one below it, or the same
files without their folders. So a path is compared from its end, and the file that agrees with it in
the most components is meant. What may be another file is never taken: two classes often have files
of one name, such as `image_0001.jpg`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

from nanokinetics.annotations.lists.rows import MEDIA
from nanokinetics.annotations.naming import splits_in
from nanokinetics.common.names import shown
from nanokinetics.sources.located import NOWHERE, named
from nanokinetics.sources.scan import Scan
from nanokinetics.sources.suffixes import IMAGES, VIDEOS, endings

_DRIVE: Final = re.compile(r"[A-Za-z]:/")


class AmbiguousPathError(Exception):
    """A path may mean several files. The text names two of them, and what to do."""


class Finder:
    """Finds the files that the paths of lists mean."""

    def __init__(self, found: Scan) -> None:
        self._paths, self._places = named(found, IMAGES | VIDEOS)
        self._exact = {path: i for i, path in enumerate(self._paths)}
        self._roots = {os.path.abspath(found.root), os.path.realpath(found.root)}  # noqa: PTH100
        self._videos = endings(self._paths, VIDEOS)
        self._by_name: defaultdict[str, list[int]] = defaultdict(list)
        self._by_stem: defaultdict[str, list[int]] = defaultdict(list)
        self._folders: set[str] = set()
        for i, path in enumerate(self._paths):
            folder, _, name = path.rpartition("/")
            folders = _folded(folder).split("/")
            self._folders.update(folders)
            for index, own in ((self._by_name, name), (self._by_stem, MEDIA.sub("", name))):
                index[_folded(own)].append(i)
                if folder:  # many files may share a name, and few of them a folder too
                    index[f"{folders[-1]}/{_folded(own)}"].append(i)

    @property
    def is_empty(self) -> bool:
        """Whether no image or video is known in the source."""
        return not self._paths

    def is_exact(self, path: str) -> bool:
        """Whether the source has a file of exactly this path."""
        return path in self._exact

    def known(self, text: str) -> bool:
        """Whether a text is the end of the path of a file, or ends with the whole path of one."""
        paths = ("/" + self._paths[i] for i in self._named(text))
        if not MEDIA.search(text):
            paths = (MEDIA.sub("", path) for path in paths)
        return any(path.endswith(f"/{text}") or f"/{text}".endswith(path) for path in paths)

    def _named(self, path: str) -> Sequence[int]:
        """The files that may agree with a path the most: in name and folder, or else in the name.

        A path without an extension agrees with files of any.
        """
        index = self._by_name if MEDIA.search(path) else self._by_stem
        *folders, name = _folded(path).split("/")[-2:]
        own = index.get("/".join((*folders, name)), [])
        return own or index.get(name, [])

    def within(self, text: str) -> str | None:
        """The path relative to the source, or None if it leads out of the source.

        An absolute path may go through links to the source. One that begins at the root of its
        dataset, such as `/train/Swing/1.avi` in Kaggle's UCF101, is relative if that file exists.
        """
        if "\\" in text and text not in self._exact:
            text = text.replace("\\", "/")
        path = PurePosixPath(text)
        if "://" in text or _DRIVE.match(text) or ".." in path.parts or not path.name:
            return None
        if not path.is_absolute():
            return str(path)
        folder, name = str(path.parent), path.name
        for whole in (f"{folder}/{name}", f"{_resolved(folder)}/{name}"):
            for root in self._roots:
                if whole.startswith(f"{root}/"):
                    return whole[len(root) + 1 :]
        below = str(path).lstrip("/")
        return below if "/" in below and below in self._exact else None

    def place(self, path: str, split: str | None, listed: frozenset[str]) -> int:
        """The index in the scan of the file that a path means, or NOWHERE.

        path: relative to the source. split: the split of the row, which decides between equal
        files of two splits. listed: all folders in the paths of all lists (see `folders_of`).

        Raises AmbiguousPathError.
        """
        if path in self._exact:
            return self._places[self._exact[path]]
        parts = path.split("/")
        agreed = {i: _agreed(parts, self._paths[i]) for i in self._named(path)}
        most = max(agreed.values(), default=0)
        best = [i for i, count in agreed.items() if count == most]
        best = [i for i in best if self._may_be(parts, self._paths[i], most, listed)]
        if len(best) > 1:
            best = self._preferred(best, parts, most, split)
        if len(best) > 1:
            examples = " or ".join(shown(self._paths[i]) for i in best[:2])
            raise AmbiguousPathError(
                f"{shown(path)} may be {examples}; write more of its folders into the list"
            )
        return self._places[best[0]] if best else NOWHERE

    def _may_be(self, parts: Sequence[str], file: str, count: int, listed: frozenset[str]) -> bool:
        """Whether a path may mean a file that agrees with it in its last `count` components.

        It is another file if both have folders above these components, and one of the folders that
        differ also stands on the other side: then it is the folder of other files. It is another
        file as well if these folders name two splits.
        """
        above, file_above = parts[:-count], file.split("/")[:-count]
        if not above or not file_above:
            return True
        if _folded(above[-1]) in self._folders or _folded(file_above[-1]) in listed:
            return False
        splits, file_splits = splits_in("/".join(above)), splits_in("/".join(file_above))
        return not splits or not file_splits or splits == file_splits

    def _preferred(
        self, best: Sequence[int], parts: Sequence[str], count: int, split: str | None
    ) -> list[int]:
        """Of several files those that agree in case; then those of the split; then the videos."""
        tail = MEDIA.sub("", "/".join(parts[-count:]))
        above = {i: "/".join(self._paths[i].split("/")[:-count]) for i in best}
        for chosen in (
            [i for i in best if MEDIA.sub("", self._paths[i]).endswith(tail)],
            [i for i in best if split and splits_in(above[i]) == {split}],
            [i for i in best if self._paths[i].endswith(self._videos)],
        ):
            kept = [i for i in best if i in chosen]
            best = kept or best
        return list(best)


def folders_of(paths: Iterable[str]) -> frozenset[str]:
    """All folders in these paths, without case."""
    return frozenset(folder for path in paths for folder in _folded(path).split("/")[:-1])


def _agreed(parts: Sequence[str], file: str) -> int:
    """The number of components from the end in which a path and a file agree, without case."""
    count = 1  # the names
    for mine, its in zip(parts[-2::-1], file.split("/")[-2::-1], strict=False):
        if mine != its and _folded(mine) != _folded(its):
            break
        count += 1
    return count


def _folded(name: str) -> str:
    """A name without case, and with one form of accents: macOS decomposes them."""
    return name.casefold() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


@lru_cache(maxsize=4096)
def _resolved(folder: str) -> str:
    return os.path.realpath(folder)

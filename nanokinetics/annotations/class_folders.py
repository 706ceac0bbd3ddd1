"""Candidates from folders: where the classes and the splits stand, and what is one level off."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final

from nanokinetics.annotations import ReadOptions
from nanokinetics.annotations.scanned import DEFAULT_SPLIT, Rows, scan_of
from nanokinetics.annotations.thumbnails import without_thumbnails
from nanokinetics.common.names import (
    are_plain,
    class_dir,
    key_fault,
    label_fault,
    normalised_split,
    shown,
    split_within,
)
from nanokinetics.errors import BadRow, InputError
from nanokinetics.sources.located import named, one_key
from nanokinetics.sources.scan import Scan
from nanokinetics.sources.suffixes import IMAGES, VIDEOS

_NO_CLASSES: Final = frozenset(
    {
        *("data", "dataset", "datasets", "images", "image", "imgs", "img", "jpg", "jpeg", "jpegs"),
        *("jpegimages", "photos", "pictures", "videos", "video", "clips", "frames", "rawframes"),
        *("raw", "extracted", "downloads"),
    }
)
"""Lower-case names of folders that hold classes rather than being one."""

_FEW: Final = 4
"""Folders with the same subfolders that may be folds or sources of one dataset. More are classes
with the same inner order."""


@dataclass
class _Below:
    """What lies below one folder: whether files do, and its folders."""

    has_files: bool = False
    folders: dict[str, _Below] = field(default_factory=dict)

    def at(self, path: str) -> _Below:
        here = self
        for part in path.split("/") if path else ():
            here = here.folders.setdefault(part, _Below())
        return here


def rows_of_folders(options: ReadOptions, bad: list[BadRow]) -> tuple[Rows, tuple[str, ...]]:
    """The files of a source in class folders, and lines about what was passed over.

    Without splits the first folder of a path is its class. If folders that are called by splits
    have subfolders, these are the classes. If all classes have no other subfolders than splits, the
    split is the second folder.

    Raises InputError if the classes seem to stand elsewhere, unless `options.classes` names them.
    """
    found = scan_of(options)
    paths, places = _files(found)
    paths, places, notes = without_thumbnails(paths, places)
    folders = [
        (folder, len(list(same))) for folder, same in groupby(p.rpartition("/")[0] for p in paths)
    ]
    tree = _Below()
    for folder, _ in folders:
        tree.at(folder).has_files = True
    layout = _layout(tree)
    _check_denied(found, options, layout)
    _check_level(found, tree, layout, frozenset(options.classes or ()))
    default = normalised_split(found.root.resolve().name) or DEFAULT_SPLIT
    faults: dict[str, str | None] = {}
    rows = Rows([], [], [], [])
    stop = 0
    for folder, count in folders:
        own = slice(stop, stop := stop + count)
        split, label, start, cut = layout.of(folder)
        if label and label not in faults:
            faults[label] = label_fault(label)
            if why := faults[label]:
                bad.append(BadRow(str(found.root / label), 0, f"{why}; rename the folder"))
        if not label or faults[label]:
            continue
        files = [(path[start:], place) for path, place in zip(paths[own], places[own], strict=True)]
        if cut:  # the split stands within the class
            files = [(f"{label}/{path[cut:]}", place) for path, place in files]
        if not are_plain(paths[own]):
            files = [file for file in files if _is_usable(file[0], label, found, bad)]
        rows.keys.extend([path[: path.rfind(".")] for path, _ in files])
        rows.splits.extend([split or default] * len(files))
        rows.labels.extend([label] * len(files))
        rows.places.extend([place for _, place in files])
    return rows, (*notes, *one_key(_with_one_key(rows, dict(zip(places, paths, strict=True)))))


def _files(found: Scan) -> tuple[list[str], list[int]]:
    """The images and videos, sorted. An archive of one split is like a folder of its name."""
    paths, places = named(found, IMAGES | VIDEOS)
    plain = len(found.files)
    if not found.members:
        return paths, places
    splits: dict[str, str] = {}
    for member in found.members:
        if member.path not in splits:
            splits[member.path] = _split_of_archive(member.path)
    if not any(splits.values()):
        return paths, places
    whole = []
    for path, place in zip(paths, places, strict=True):
        split = splits[found.members[place - plain].path] if place >= plain else ""
        is_said = normalised_split(path.partition("/")[0]) is not None
        whole.append((f"{split}/{path}" if split and not is_said else path, place))
    whole.sort()
    return [path for path, _ in whole], [place for _, place in whole]


def _split_of_archive(path: str) -> str:
    """The split that the name of an archive says, or that of a folder around it."""
    *around, name = path.split("/")
    stem = name.split(".")[0]
    split = split_within(stem) or next(filter(None, map(normalised_split, reversed(around))), None)
    return split or ""


@dataclass(frozen=True)
class _Layout:
    """Where splits stand. above: the split of each first folder. within: the split is the second
    folder of each path, below the class."""

    above: dict[str, str] = field(default_factory=dict)
    within: bool = False

    def of(self, folder: str) -> tuple[str | None, str, int, int]:
        """The split and class of the files in a folder, the start of their keys within their path,
        and how much of the rest is left out after the class. The class is empty if there is none.
        """
        first, _, rest = folder.partition("/")
        if self.within:
            second = rest.partition("/")[0]
            return normalised_split(second), first, 0, len(first) + len(second) + 2
        if not self.above:
            return None, first, 0, 0
        if first not in self.above:
            return None, "", 0, 0
        return self.above[first], rest.partition("/")[0], len(first) + 1, 0


def _layout(tree: _Below) -> _Layout:
    tops = tree.folders
    # If no folder named like a split has subfolders, `train` may be the class of trains.
    above = {top: split for top in tops if (split := normalised_split(top))}
    if any(tops[top].folders for top in above):
        return _Layout(above)
    above = _alike(top for top, below in tops.items() if below.folders and not below.has_files)
    if len(set(above.values())) > 1:
        return _Layout(above)
    inner = [below for below in tops.values() if not below.has_files]
    names = [name for below in inner for name in below.folders]
    if inner and len(inner) == len(tops) and all(map(normalised_split, names)):
        deeper = any(each.folders for below in inner for each in below.folders.values())
        return _Layout(within=not deeper)
    return _Layout()


def _alike(names: Iterator[str]) -> dict[str, str]:
    """The splits of names that differ in nothing else, such as `videos_train` and `videos_val`."""
    groups: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for name in names:
        split = split_within(name)
        if split:
            rest = re.sub(rf"{split}[a-z]*|[0-9]+", "", name.casefold())
            groups[rest][name] = split
    return max(groups.values(), key=len, default={})


def _check_level(found: Scan, tree: _Below, layout: _Layout, classes: Collection[str]) -> None:
    """Raises InputError if the classes seem to stand a level higher or lower."""
    src = found.root
    tops = tree.folders
    if not tops and tree.has_files:
        raise InputError(
            f"--src {src}: its images and videos lie in no folders named by their classes; if "
            f"{shown(src.resolve().name)} is one class, name the folder above it: "
            f"--src {src.resolve().parent}"
        )
    if not _labels(tree, layout).isdisjoint(classes):
        return
    is_plain = not layout.above and not layout.within
    if tops and is_plain and all(map(normalised_split, tops)) and _are_flat(tops):
        raise InputError(
            f"--src {src}: {_listed(tops)} hold files, and no folders named by their classes; "
            f"name the classes by --list, or say that they are classes: --classes "
            f"{','.join(sorted(tops))}"
        )
    holding = [
        top
        for top, below in tops.items()
        if is_plain
        if any(normalised_split(name) and inner.folders for name, inner in below.folders.items())
    ]
    if holding:
        raise InputError(
            f"--src {src}: the splits stand one folder deeper, in {_listed(holding)}; name "
            f"--src {src / min(holding)}"
        )
    for top in layout.above or [""]:
        here, path = (tops[top], src / top) if top else (tree, src)
        _check_classes(here, path)


def _are_flat(folders: Mapping[str, _Below]) -> bool:
    return not any(below.folders for below in folders.values())


def _labels(tree: _Below, layout: _Layout) -> set[str]:
    if not layout.above:
        return set(tree.folders)
    return {name for top in layout.above for name in tree.folders[top].folders}


def _check_classes(here: _Below, path: Path) -> None:
    """Raises InputError if the folders in `here` hold the classes, rather than being them."""
    names = list(here.folders)
    if not names or here.has_files or any(below.has_files for below in here.folders.values()):
        return
    deeper = [set(below.folders) for below in here.folders.values()]
    if len(names) == 1:
        inner, within = here.folders[names[0]], path / names[0]
        while len(inner.folders) == 1 and not inner.has_files:
            (name,) = inner.folders
            inner, within = inner.folders[name], within / name
        if len(inner.folders) > 1 and not inner.has_files:
            raise _one_deeper(within, inner.folders, names)
        if names[0].casefold() in _NO_CLASSES:
            raise _one_deeper(path / names[0], here.folders[names[0]].folders, names)
        return
    same = set.intersection(*deeper)
    most = max(map(len, deeper))
    if len(names) <= _FEW and len(same) >= max(2, most // 2, len(names)):
        raise InputError(
            f"--src: the folders {_listed(names)} in {path} hold the same folders, such as "
            f"{shown(min(same))}, so they seem to be no classes; name one of them with --src, or "
            f"say that they are classes: --classes {','.join(sorted(names))}"
        )


def _one_deeper(within: Path, classes: Collection[str], names: Sequence[str]) -> InputError:
    return InputError(
        f"--src: {within} holds the folders {_listed(classes)}; if these are the classes, name "
        f"--src {within}; if {shown(names[0])} is one, say so: --classes {names[0]}"
    )


def _listed(names: Collection[str]) -> str:
    first = sorted(names)[:3]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(shown, first)) + more


def _check_denied(found: Scan, options: ReadOptions, layout: _Layout) -> None:
    """Raises InputError if a folder that cannot be read may belong to what is asked for."""
    splits = {normalised_split(split) for split in options.splits or ()}
    for folder, why in found.denied.items():
        first, _, rest = folder.partition("/")
        is_split = first in layout.above or (bool(layout.above) and normalised_split(first))
        if is_split and splits and normalised_split(first) not in splits:
            continue
        label = rest.partition("/")[0] if is_split else first
        if layout.above and not is_split:
            continue
        if options.classes and label and label not in options.classes:
            continue
        raise InputError(
            f"--src: {found.root / folder}: cannot be read: {why}; see to its rights, or name the "
            "classes that are wanted with --classes"
        )


def _is_usable(path: str, label: str, found: Scan, bad: list[BadRow]) -> bool:
    why = key_fault(path, class_dir(label))
    if why:
        bad.append(BadRow(str(found.root), 0, f"{why}; rename the file"))
    return why is None


def _with_one_key(rows: Rows, paths: dict[int, str]) -> list[tuple[str, str]]:
    """Pairs of files with one key: the one that is taken, and another one."""
    ids = list(zip(rows.splits, rows.keys, strict=True))
    if len(set(ids)) == len(ids):
        return []
    first: dict[tuple[str, str], int] = {}
    pairs = []
    for id_, place in zip(ids, rows.places, strict=True):
        taken = first.setdefault(id_, place)
        if taken != place:
            pairs.append((paths[taken], paths[place]))
    return pairs

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
from nanokinetics.annotations.scanned import DEFAULT_SPLIT, Rows, scan_of, with_one_key
from nanokinetics.annotations.thumbnails import without_thumbnails
from nanokinetics.common.names import (
    are_plain,
    class_dir,
    key_fault,
    label_fault,
    normalised_split,
    shown,
    split_within,
    without_split,
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


def rows_of_folders(
    options: ReadOptions, bad: list[BadRow]
) -> tuple[Rows, tuple[str, ...], frozenset[int]]:
    """The files of a source in class folders, lines about what was passed over, and its places.

    Without splits the first folder of a path is its class. If folders that are called by splits
    have subfolders, these are the classes. If all classes have no other subfolders than splits, the
    split is the second folder.

    Raises InputError if the classes seem to stand elsewhere, unless `options.classes` names them.
    """
    found = scan_of(options)
    every, places_of_all = _files(found)
    paths, places, notes = without_thumbnails(every, places_of_all)
    passed = set(places_of_all) - set(places) if notes else set()
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
    twice = with_one_key(rows)
    passed.update(twice)
    named_as = dict(zip(places, paths, strict=True))
    pairs = [(named_as[taken], named_as[other]) for other, taken in twice.items()]
    return rows, (*notes, *one_key(pairs)), frozenset(passed)


def _files(found: Scan) -> tuple[list[str], list[int]]:
    """The images and videos, sorted. An archive of one split is like a folder of its name.

    An archive is unpacked into a folder of its own as a rule: if there are only archives, the
    folder that all members lie in is left out.
    """
    paths, places = named(found, IMAGES | VIDEOS)
    plain = len(found.files)
    if not found.members:
        return paths, places
    splits = {member.path: "" for member in found.members}
    splits |= {path: _split_of_archive(path) for path in splits}
    if not any(place < plain for place in places):
        top = _common_top(paths)
        paths = [path[len(top) :] for path in paths]
    if any(splits.values()):
        paths = [
            _in_split(path, splits[found.members[place - plain].path] if place >= plain else "")
            for path, place in zip(paths, places, strict=True)
        ]
    whole = sorted(zip(paths, places, strict=True))
    return [path for path, _ in whole], [place for _, place in whole]


def _in_split(path: str, split: str) -> str:
    says_itself = not split or normalised_split(path.partition("/")[0]) is not None
    return path if says_itself else f"{split}/{path}"


def _common_top(paths: Sequence[str]) -> str:
    """The folder, with its `/`, that holds the folders of classes or splits of all paths."""
    top = ""
    while True:
        names = {path[len(top) :].partition("/")[0] for path in paths}
        name = names.pop() if len(names) == 1 else ""
        rests = [path[len(top) + len(name) + 1 :] for path in paths]
        if not name or normalised_split(name) or not all("/" in rest for rest in rests):
            break
        top += f"{name}/"
    branches = {path[len(top) :].partition("/")[0] for path in paths}
    if len(branches) > 1 or any(map(normalised_split, branches)):
        return top
    first = top.partition("/")[0]
    return f"{first}/" if first.casefold() in _NO_CLASSES else ""


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
            groups[re.sub("[0-9]+", "", without_split(name).casefold())][name] = split
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
    if not set(map(_folded, _labels(tree, layout))).isdisjoint(map(_folded, classes)):
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
    train_first = sorted(layout.above, key=lambda top: (layout.above[top] != "train", top))
    for top in () if layout.within else train_first or [""]:
        here, path = (tops[top], src / top) if top else (tree, src)
        _check_classes(here, path)


def _are_flat(folders: Mapping[str, _Below]) -> bool:
    return not any(below.folders for below in folders.values())


def _folded(label: str) -> str:
    """A label as `--classes` may spell it."""
    return re.sub(r"[\s_]", "", label.casefold())


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
    enough = 2 if _are_numbered(names) else max(5, 2 * len(names))
    if len(names) <= _FEW and len(same) >= max(enough, most // 2):
        raise InputError(
            f"--src: the folders {_listed(names)} in {path} hold the same folders, such as "
            f"{shown(min(same))}, so they seem to be no classes; name one of them with --src, or "
            f"say that they are classes: --classes {','.join(sorted(names))}"
        )


def _are_numbered(names: Sequence[str]) -> bool:
    """Whether names differ in a number or in their last letter, such as `fold1` and `fold2`."""
    stems = {name.rstrip("0123456789") if name[-1].isdigit() else name[:-1] for name in names}
    return len(stems) == 1 and len(stems.pop()) > 2


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
        if options.classes and label and _folded(label) not in map(_folded, options.classes):
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

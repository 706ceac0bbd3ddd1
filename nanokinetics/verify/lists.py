"""Check everything but the clips: files without a row, wrong lists, and short classes."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from nanokinetics.clip import Group
from nanokinetics.common.folder import Folder
from nanokinetics.dataset import indexes
from nanokinetics.layout import SPLITS, STRAYS, metadata_of
from nanokinetics.sources.suffixes import IMAGES, VIDEOS
from nanokinetics.verify.tables import Tables
from nanokinetics.verify.verdict import Problem, ProblemKind


def strays(tables: Tables) -> Iterator[str]:
    """Paths that loaders would read as clips or classes, although no table lists them.

    These are: files without a row below the splits, images and videos elsewhere, links to folders,
    and empty folders. Each path is relative to the dataset's folder.
    """
    root, known = tables.home.path, set(tables.paths.values())
    known |= set(map(metadata_of, SPLITS)) | tables.links
    for folder, folders, names in os.walk(root):
        inside = Path(folder).relative_to(root).as_posix()
        if inside == ".":
            folders[:] = [name for name in folders if name != STRAYS and not name.startswith(".")]
        is_split = inside.split("/")[0] in SPLITS
        for name in sorted((*names, *folders)):
            path = f"{inside}/{name}".removeprefix("./")
            place = root / path
            if name in folders:
                is_stray = is_split and (place.is_symlink() or not any(place.iterdir()))
            else:
                is_stray = is_split or place.suffix.lower() in IMAGES | VIDEOS
            if is_stray and path not in known:
                yield path


def wrong_lists(tables: Tables) -> Iterator[Problem]:
    """The lists that differ from fresh ones. Fresh ones are written to a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="nanokinetics-") as folder:
        fresh = Folder(Path(folder))
        indexes.write_all(tables.contents(), fresh)
        for expected in sorted(fresh.path.rglob("*.csv")):
            path = expected.relative_to(fresh.path).as_posix()
            try:
                found = tables.home.place(path).read_bytes()
            except OSError as error:
                yield Problem(ProblemKind.LIST, path, f"cannot be read: {error.strerror}")
                continue
            wanted = expected.read_bytes()
            if found != wanted:
                pairs = zip_longest(found.split(b"\n"), wanted.split(b"\n"))
                line = next(i for i, (a, b) in enumerate(pairs, start=1) if a != b)
                what = f"does not agree with stats.csv, first in line {line}"
                yield Problem(ProblemKind.LIST, path, what)


def short_classes(tables: Tables) -> Iterator[Problem]:
    """The classes with fewer clips than wanted."""
    kept = tables.contents().splits
    got = Counter(Group(split, each.clip.label) for split in kept for each in kept[split])
    for group, wanted in tables.selection.quotas.items():
        if got[group] < wanted:
            folder = f"{group.split}/{tables.layout.class_dir(group.label)}"
            yield Problem(ProblemKind.SHORT, folder, f"has {got[group]} of {wanted} clips")

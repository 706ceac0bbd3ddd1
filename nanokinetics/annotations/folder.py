"""Any images or videos: one folder per class, or lists with lines of `path label`."""

from __future__ import annotations

import hashlib
from itertools import groupby

from nanokinetics.annotations import ReadOptions
from nanokinetics.annotations.candidates import Annotations, digests_by_name
from nanokinetics.annotations.files import load
from nanokinetics.annotations.lists import read_lists
from nanokinetics.annotations.scanned import DEFAULT_SPLIT, Rows, frame_of, judged, scan_of
from nanokinetics.common.names import are_plain, class_dir, key_fault, label_fault, normalised_split
from nanokinetics.errors import BadRow, BadRows, InputError
from nanokinetics.sources.located import named
from nanokinetics.sources.scan import IMAGES, VIDEOS, Scan

__all__ = ["judged", "read"]


def read(options: ReadOptions) -> Annotations:
    """The files of a source as candidates.

    Without lists, the first folder of a path is its class. If the first folder names a split, the
    second is the class.

    options.listing: files that name the files and their classes (see `lists`). Without a label, the
        folder of the path is the class. The name of such a file gives the split, as in
        `trainlist01.txt`.
    options.class_names: a file with lines of `number name`, for lists with numbers as labels.

    Raises InputError if nothing is usable. Raises BadRows for unusable files and lines, unless
    `skip_bad_rows` is set.
    """
    found, lists, class_names = scan_of(options), options.listing, options.class_names
    bad: list[BadRow] = []
    digests: list[tuple[str, str, str]] = []
    if lists is None:
        rows = _of_folders(found, bad)
        listed = "\n".join(map("/".join, zip(rows.splits, rows.keys, strict=True)))
        digest = hashlib.sha256(listed.encode())
        digests.append(("the list of the files", "", digest.hexdigest()))
    else:
        sources = [load(path) for path in lists]
        rows = read_lists(found, sources, load(class_names) if class_names else None, bad)
        digests += [(s.path.name, str(s.path), s.sha256) for s in sources]
    if bad and not options.skip_bad_rows:
        raise BadRows(bad)
    if not rows.keys and lists is not None:
        names = ", ".join(map(str, lists))
        raise InputError(
            f"{names}: not one row can be used{f'; the first: {bad[0]}' if bad else ''}"
        )
    if not rows.keys:
        raise InputError(
            f"--src {found.root}: there are no images or videos in folders named by their classes"
        )
    return Annotations(frame_of(rows, found), digests_by_name(digests), tuple(bad))


def _of_folders(found: Scan, bad: list[BadRow]) -> Rows:
    default = normalised_split(found.root.resolve().name) or DEFAULT_SPLIT
    faults: dict[str, str | None] = {}
    paths, places = named(found, IMAGES | VIDEOS)
    folders = [
        (folder, len(list(same))) for folder, same in groupby(p.rpartition("/")[0] for p in paths)
    ]
    # If no folder named like a split has subfolders, `train` may be the class of trains.
    has_splits = any(
        rest and normalised_split(first)
        for first, _, rest in (folder.partition("/") for folder, _ in folders)
    )
    rows = Rows([], [], [], [])
    stop = 0
    for folder, count in folders:
        own = slice(stop, stop := stop + count)
        first, _, rest = folder.partition("/")
        split = normalised_split(first) if has_splits else None
        below = rest if split else folder
        label = below.partition("/")[0]
        if label and label not in faults:
            faults[label] = label_fault(label)
            if why := faults[label]:
                bad.append(BadRow(str(found.root / label), 0, f"{why}; rename the folder"))
        if not label or faults[label]:
            continue
        start = len(folder) - len(below)
        files = list(zip(paths[own], places[own], strict=True))
        if not are_plain(paths[own]):
            files = [file for file in files if _is_usable(file[0][start:], label, found, bad)]
        rows.keys.extend([path[start : path.rfind(".")] for path, _ in files])
        rows.splits.extend([split or default] * len(files))
        rows.labels.extend([label] * len(files))
        rows.places.extend([place for _, place in files])
    return rows


def _is_usable(path: str, label: str, found: Scan, bad: list[BadRow]) -> bool:
    why = key_fault(path, class_dir(label))
    if why:
        bad.append(BadRow(str(found.root), 0, f"{why}; rename the file"))
    return why is None

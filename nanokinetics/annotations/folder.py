"""Any images or videos: one folder per class, or lists with lines of `path label`."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from nanokinetics.annotations import ReadOptions
from nanokinetics.annotations.candidates import Annotations, digests_by_name
from nanokinetics.annotations.class_folders import rows_of_folders
from nanokinetics.annotations.files import AnnotationFile, load
from nanokinetics.annotations.scanned import DEFAULT_SPLIT, Rows, frame_of, judged, scan_of
from nanokinetics.common.names import class_dir, key_fault, label_fault
from nanokinetics.errors import BadRow, BadRows, InputError
from nanokinetics.sources.located import NOWHERE, named
from nanokinetics.sources.scan import Scan
from nanokinetics.sources.suffixes import IMAGES, VIDEOS

__all__ = ["judged", "read"]


def read(options: ReadOptions) -> Annotations:
    """The files of a source as candidates.

    Without lists, folders are the classes: see `class_folders`.

    options.listing: files with lines of `path label`, also separated by a comma or a tab. Without a
        label, the folder of the path is the class. The name of such a file gives the split, as in
        `trainlist01.txt`.
    options.class_names: a file with lines of `number name`, for lists with numbers as labels.

    Raises InputError if nothing is usable. Raises BadRows for unusable files and lines, unless
    `skip_bad_rows` is set.
    """
    found, lists, class_names = scan_of(options), options.listing, options.class_names
    bad: list[BadRow] = []
    digests: list[tuple[str, str, str]] = []
    notes: tuple[str, ...] = ()
    passed: frozenset[int] = frozenset()
    if lists is None:
        rows, notes, passed = rows_of_folders(options, bad)
        listed = "\n".join(map("/".join, zip(rows.splits, rows.keys, strict=True)))
        digest = hashlib.sha256(listed.encode())
        digests.append(("the list of the files", "", digest.hexdigest()))
    else:
        sources = [load(path) for path in lists]
        names = _names(load(class_names)) if class_names else {}
        rows = Rows.of(row for source in sources for row in _of_list(found, source, names, bad))
        digests += [(s.path.name, str(s.path), s.sha256) for s in sources]
    if bad and not options.skip_bad_rows:
        raise BadRows(bad)
    if not rows.keys:
        raise InputError(
            f"--src {found.root}: there are no images or videos in folders named by their classes"
        )
    return Annotations(
        frame_of(rows, found), digests_by_name(digests), tuple(bad), notes=notes, passed=passed
    )


def _of_list(
    found: Scan, source: AnnotationFile, names: Mapping[str, str], bad: list[BadRow]
) -> Iterator[tuple[str, str, str, int]]:
    places = dict(zip(*named(found, IMAGES | VIDEOS), strict=True))
    by_name = {PurePosixPath(path).name: place for path, place in places.items()}
    split = _split_of(source.path.name)
    for number, line in enumerate(source.data.decode().splitlines(), 1):
        if not line.strip():
            continue
        text, label = _parted(line.strip())
        path = PurePosixPath(text)
        label = names.get(label, label) or path.parent.name
        why = label_fault(label) or key_fault(text, class_dir(label))
        if path.is_absolute() or ".." in path.parts or not path.name:
            why = f"{text!r} is no path within the source"
        if why:
            bad.append(BadRow(str(source.path), number, why))
            continue
        # A list may give its files with or without their folders.
        place = places.get(text, by_name.get(path.name, NOWHERE))
        yield str(path.with_suffix("")), split, label, place


def _parted(line: str) -> tuple[str, str]:
    """The path and the label of a line; the label is empty if the line has none."""
    for delimiter in ("\t", ","):
        if delimiter in line:
            row = next(csv.reader([line], delimiter=delimiter))
            return row[0].strip(), row[1].strip()
    match = re.fullmatch(r"(.*\.\w+)\s+(.*)", line)
    return (match[1], match[2].strip('"')) if match else (line, "")


def _split_of(name: str) -> str:
    match = re.match(r"(train|val|test)", name, re.IGNORECASE)
    return match[1].lower() if match else DEFAULT_SPLIT


def _names(source: AnnotationFile) -> dict[str, str]:
    """The class names by number, from lines such as `1 ApplyEyeMakeup` in UCF101."""
    names: dict[str, str] = {}
    for number, line in enumerate(source.data.decode().splitlines(), 1):
        code, _, name = line.strip().partition(" ")
        if code and not name.strip():
            raise InputError(f"{source.path}, line {number}: no '1 ApplyEyeMakeup'")
        if code:
            names[code] = name.strip()
    return names

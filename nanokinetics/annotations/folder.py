"""Any images or videos: one folder per class, or lists with lines of `path label`."""

from __future__ import annotations

import hashlib

from nanokinetics.annotations import ReadOptions
from nanokinetics.annotations.candidates import Annotations, digests_by_name
from nanokinetics.annotations.class_folders import rows_of_folders
from nanokinetics.annotations.files import load, load_all
from nanokinetics.annotations.lists import read_lists
from nanokinetics.annotations.scanned import frame_of, judged, scan_of
from nanokinetics.annotations.spreadsheets import cut_off
from nanokinetics.errors import BadRow, BadRows, InputError

__all__ = ["judged", "read"]


def read(options: ReadOptions) -> Annotations:
    """The files of a source as candidates.

    Without lists, folders are the classes: see `class_folders`.

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
    notes: tuple[str, ...] = ()
    passed: frozenset[int] = frozenset()
    if lists is None:
        rows, notes, passed = rows_of_folders(options, bad)
        listed = "\n".join(map("/".join, zip(rows.splits, rows.keys, strict=True)))
        digest = hashlib.sha256(listed.encode())
        digests.append(("the list of the files", "", digest.hexdigest()))
    else:
        sources = [source for path in lists for source in load_all(path)]
        notes = tuple(f"{s.path}: {line}" for s in sources if (line := cut_off(s.data)))
        rows = read_lists(found, sources, load(class_names) if class_names else None, bad)
        digests += [source.digest for source in sources]
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
    return Annotations(
        frame_of(rows, found), digests_by_name(digests), tuple(bad), notes=notes, passed=passed
    )

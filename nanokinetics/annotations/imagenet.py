"""ImageNet-1K in any of its forms: folders of wnids, the flat validation set, or the archives.

The class is the wnid, because names are not unique (`crane` names two classes). The key of a
training image is `<wnid>/<name>`; the key of a validation image is its name. The keys do not depend
on the form, so folders and archives give the same selection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from nanokinetics.annotations import ReadOptions
from nanokinetics.annotations.candidates import Annotations, digests_by_name
from nanokinetics.annotations.files import AnnotationFile
from nanokinetics.annotations.scanned import (
    DEFAULT_SPLIT,
    Rows,
    frame_of,
    judged,
    scan_of,
    split_of,
    with_one_key,
)
from nanokinetics.annotations.validation import WNID, SmallFiles, Truth
from nanokinetics.common.names import key_fault, normalised_split, split_within
from nanokinetics.errors import BadRow, BadRows, InputError
from nanokinetics.sources.located import named, one_key, parted
from nanokinetics.sources.scan import Scan
from nanokinetics.sources.suffixes import IMAGES

_ARCHIVE: Final = re.compile(r"ILSVRC2012_img_(train|val)")
_VALIDATION: Final = re.compile(r"ILSVRC2012_val_(\d{8})")
_LABELLED: Final = re.compile(r"(n\d{8}_\d+|ILSVRC2012_val_\d{8})_(n\d{8})")
"""The names in the archives of Hugging Face: the wnid stands behind the usual name."""

_NAMES: Final = "LOC_synset_mapping.txt"

__all__ = ["judged", "read"]


def read(options: ReadOptions) -> Annotations:
    """The images of a source as candidates, and the names of their classes.

    options.files: the files with the labels of flat validation images, if the source does not hold
    them: see `validation`. If `options.splits` has no val, such images need no labels; without
    labels they are left out. options.class_names: a file with lines of `wnid names`; None takes the
    source's `LOC_synset_mapping.txt`, if it has one.

    Raises InputError if the labels of the validation images are missing. Raises BadRows for names
    that cannot be used, unless `skip_bad_rows` is set.
    """
    found, class_names = scan_of(options), options.class_names
    known = SmallFiles(found, options.files)
    truth = Truth(known)
    wants_val = options.splits is None or "val" in options.splits
    bad: list[BadRow] = []
    _check_denied(found)
    rows = Rows.of(_rows(found, truth, wants_val, bad))
    candidates = frame_of(rows, found)
    if bad and not options.skip_bad_rows:
        raise BadRows(bad)
    if candidates.empty:
        raise InputError(
            f"--src {found.root}: no image lies in a folder called by its wnid (n01440764), and "
            "no validation image is there"
        )
    twice = with_one_key(rows)
    locations = [*found.files, *(member.name for member in found.members)] if twice else []
    at = locations.__getitem__
    names = known.load(class_names) if class_names else known.get(_NAMES)
    return Annotations(
        candidates,
        digests_by_name(known.digests),
        tuple(bad),
        names=_names(names) if names else {},
        notes=one_key([(at(taken), at(other)) for other, taken in twice.items()]),
        passed=frozenset(twice),
    )


def _check_denied(found: Scan) -> None:
    """Raises InputError if a folder of images cannot be read."""
    for folder, why in found.denied.items():
        name = folder.rpartition("/")[2]
        if WNID.fullmatch(name) or normalised_split(name):
            raise InputError(
                f"--src: {found.root / folder}: cannot be read: {why}; see to its rights"
            )


def _rows(
    found: Scan, truth: Truth, wants_val: bool, bad: list[BadRow]
) -> Iterator[tuple[str, str, str, int]]:
    source, plain = found.root.resolve().name, len(found.files)
    folders: dict[tuple[str, str], tuple[str, str | None]] = {}
    for path, place in zip(*named(found, IMAGES), strict=True):
        folder, name = parted(path)
        archive = found.members[place - plain].path if place >= plain else ""
        if (archive, folder) not in folders:
            folders[archive, folder] = _class_and_split(archive, folder, source)
        wnid, split = folders[archive, folder]
        labelled = _LABELLED.fullmatch(name) if name[-10:-8] == "_n" else None
        if labelled and wnid in ("", labelled[2]):
            name, wnid = labelled[1], labelled[2]
        flat = _VALIDATION.fullmatch(name)
        if split is None:  # no folder says it, so the name does
            split = "val" if flat else DEFAULT_SPLIT
        if flat and not wnid:
            if split == "val" and not wants_val and not truth.is_there():
                continue
            wnid = truth.wnid(name, int(flat[1]))
        if not wnid:
            continue
        if why := key_fault(name + path[path.rfind(".") :], wnid):
            bad.append(BadRow(str(found.root), 0, f"{why}; rename the file"))
        else:
            yield f"{wnid}/{name}" if split == "train" else name, split, wnid, place


def _class_and_split(archive: str, folder: str, source: str) -> tuple[str, str | None]:
    """The class and split of the files in a folder or archive.

    The class is empty without a wnid. The split is None if no folder names one; the source folder
    names that of images in folders of wnids alone, because flat ones are known by their names.

    archive: the path of the archive, or empty. folder: the folder within the source or archive.
    source: the name of the source folder.
    """
    within, stem = parted(archive)
    if not folder and WNID.fullmatch(stem):  # an archive of one class, from the large archive
        folder = f"{within}/{stem}"
    inner = [part for part in (source, *folder.split("/")) if WNID.fullmatch(part)]
    wnid = inner[-1] if inner else ""  # images may lie in a folder of the wnid's
    official = _ARCHIVE.match(stem)
    named = split_within(stem) if archive else None
    around = f"{within}/{named or ''}/{folder}" if archive else folder
    split = official[1] if official else split_of(around, source if wnid else "")
    return wnid, split


def _names(source: AnnotationFile) -> dict[str, str]:
    """The names by wnid, from lines such as `n01440764 tench, Tinca tinca`.

    A space or a tab follows the wnid.
    """
    names: dict[str, str] = {}
    for number, line in enumerate(source.data.decode().splitlines(), 1):
        wnid, _, name = line.strip().replace("\t", " ").partition(" ")
        if not wnid:
            continue
        if not WNID.fullmatch(wnid) or not name.strip():
            raise InputError(f"{source.path}, line {number}: no 'n01440764 tench, Tinca tinca'")
        names[wnid] = name.strip()
    return names

"""ImageNet-1K in any of its forms: folders of wnids, the flat validation set, or the archives.

The class is the wnid, because names are not unique (`crane` names two classes). The key of a
training image is `<wnid>/<name>`; the key of a validation image is its name. The keys do not depend
on the form, so folders and archives give the same selection.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from nanokinetics.annotations import ReadOptions
from nanokinetics.annotations.candidates import Annotations, digests_by_name
from nanokinetics.annotations.files import AnnotationFile, load
from nanokinetics.annotations.scanned import (
    Rows,
    frame_of,
    judged,
    scan_of,
    split_of,
    with_one_key,
)
from nanokinetics.common.names import key_fault, normalised_split, split_within
from nanokinetics.errors import BadRow, BadRows, InputError
from nanokinetics.sources.located import named, one_key, parted
from nanokinetics.sources.scan import Scan
from nanokinetics.sources.suffixes import IMAGES

_WNID: Final = re.compile(r"n\d{8}")
_ARCHIVE: Final = re.compile(r"ILSVRC2012_img_(train|val)")
_VALIDATION: Final = re.compile(r"ILSVRC2012_val_(\d{8})")
_LABELLED: Final = re.compile(r"(n\d{8}_\d+|ILSVRC2012_val_\d{8})_(n\d{8})")
"""The names in the archives of Hugging Face: the wnid stands behind the usual name."""

_GROUND_TRUTH: Final = "ILSVRC2012_validation_ground_truth.txt"
_CLASSES: Final = "map_clsloc.txt"
_SOLUTION: Final = "LOC_val_solution.csv"
_NAMES: Final = "LOC_synset_mapping.txt"

__all__ = ["judged", "read"]


def read(options: ReadOptions) -> Annotations:
    """The images of a source as candidates, and the names of their classes.

    options.files: the ground truth, `map_clsloc.txt` or Kaggle's solution, if the source does not
    hold them. options.class_names: a file with lines of `wnid names`; None takes the source's
    `LOC_synset_mapping.txt`, if it has one.

    Raises InputError if the labels of the validation images are missing. Raises BadRows for names
    that cannot be used, unless `skip_bad_rows` is set.
    """
    found, class_names = scan_of(options), options.class_names
    known = _Files(found, options.files)
    truth = _Truth(known)
    bad: list[BadRow] = []
    _check_denied(found)
    rows = Rows.of(_rows(found, truth, bad))
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
        if _WNID.fullmatch(name) or normalised_split(name):
            raise InputError(
                f"--src: {found.root / folder}: cannot be read: {why}; see to its rights"
            )


def _rows(found: Scan, truth: _Truth, bad: list[BadRow]) -> Iterator[tuple[str, str, str, int]]:
    source, plain = found.root.resolve().name, len(found.files)
    folders: dict[tuple[str, str], tuple[str, str]] = {}
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
        if flat:
            wnid, split = wnid or truth.wnid(name, int(flat[1])), "val"
        if not wnid:
            continue
        if why := key_fault(name + path[path.rfind(".") :], wnid):
            bad.append(BadRow(str(found.root), 0, f"{why}; rename the file"))
        else:
            yield f"{wnid}/{name}" if split == "train" else name, split, wnid, place


def _class_and_split(archive: str, folder: str, source: str) -> tuple[str, str]:
    """The class and split of the files in a folder or archive; the class is empty without a wnid.

    archive: the path of the archive, or empty. folder: the folder within the source or archive.
    source: the name of the source folder.
    """
    within, stem = parted(archive)
    if not folder and _WNID.fullmatch(stem):  # an archive of one class, from the large archive
        folder = f"{within}/{stem}"
    inner = [part for part in (source, *folder.split("/")) if _WNID.fullmatch(part)]
    wnid = inner[-1] if inner else ""  # images may lie in a folder of the wnid's
    official = _ARCHIVE.match(stem)
    named = split_within(stem) if archive else None
    around = f"{within}/{named or ''}/{folder}" if archive else folder
    split = official[1] if official else split_of(around, source)
    return wnid, split


class _Files:
    """The small files with labels and names: found in the source, or named by the user."""

    def __init__(self, found: Scan, files: Sequence[Path]) -> None:
        self._paths: dict[str, Path] = {}
        for name in (each for each in found.files if each.endswith((".txt", ".csv"))):
            self._paths.setdefault(PurePosixPath(name).name, found.root / name)
        self._paths.update({path.name: path for path in files})
        self.digests: list[tuple[str, str, str]] = []

    def get(self, name: str) -> AnnotationFile | None:
        return self.load(self._paths[name]) if name in self._paths else None

    def load(self, path: Path) -> AnnotationFile:
        source = load(path)
        self.digests.append((path.name, str(path), source.sha256))
        return source


class _Truth:
    """The wnid of each validation image; its files are read at the first use."""

    def __init__(self, files: _Files) -> None:
        self._files = files
        self._by_name: Mapping[str, str] | None = None
        self._by_number: Sequence[str] = ()

    def wnid(self, name: str, number: int) -> str:
        """The wnid of an image. Raises InputError if the labels are missing or lack the image."""
        if self._by_name is None:
            self._read()
        assert self._by_name is not None  # noqa: S101 - for the type checker
        if name in self._by_name:
            return self._by_name[name]
        if 0 < number <= len(self._by_number):
            return self._by_number[number - 1]
        raise InputError(f"{name} has no line in the validation labels; they are of another set")

    def _read(self) -> None:
        solution = self._files.get(_SOLUTION)
        self._by_name = _solution(solution) if solution else {}
        if solution:
            return
        truth, classes = self._files.get(_GROUND_TRUTH), self._files.get(_CLASSES)
        if truth is None or classes is None:
            raise InputError(
                "the validation images lie in no folders of wnids, and their labels are not there; "
                f"name {_SOLUTION}, or {_GROUND_TRUTH} and {_CLASSES}, with --annotations"
            )
        self._by_number = _ground_truth(truth, _ilsvrc_ids(classes))


def _solution(source: AnnotationFile) -> dict[str, str]:
    """The wnids by image, from Kaggle's `ImageId,PredictionString`.

    The first word of a prediction is the wnid.
    """
    wnids: dict[str, str] = {}
    for number, row in enumerate(csv.reader(source.data.decode().splitlines()), 1):
        if row == ["ImageId", "PredictionString"] or not row:
            continue
        wnid = row[1].split(" ", 1)[0] if len(row) == 2 else ""
        if not _WNID.fullmatch(wnid):
            raise InputError(f"{source.path}, line {number}: no 'ImageId,n01440764 …'")
        wnids[row[0]] = wnid
    return wnids


def _ilsvrc_ids(source: AnnotationFile) -> dict[int, str]:
    """The wnids by ILSVRC id, from lines such as `n02119789 1 kit_fox`.

    The ILSVRC id of a class is not its position among the sorted wnids.
    """
    wnids: dict[int, str] = {}
    for number, line in enumerate(source.data.decode().splitlines(), 1):
        match = re.match(r"(n\d{8})\s+(\d+)\b", line)
        if match is None and line.strip():
            raise InputError(f"{source.path}, line {number}: no 'n02119789 1 kit_fox'")
        if match:
            wnids[int(match[2])] = match[1]
    return wnids


def _ground_truth(source: AnnotationFile, wnids: Mapping[int, str]) -> list[str]:
    """The wnid of each image, from a file with one ILSVRC id per line."""
    found: list[str] = []
    for number, line in enumerate(source.data.decode().split(), 1):
        if not line.isascii() or not line.isdigit() or int(line) not in wnids:
            raise InputError(f"{source.path}, line {number}: '{line[:20]}' is no ILSVRC id")
        found.append(wnids[int(line)])
    return found


def _names(source: AnnotationFile) -> dict[str, str]:
    """The names by wnid, from lines such as `n01440764 tench, Tinca tinca`.

    A space or a tab follows the wnid.
    """
    names: dict[str, str] = {}
    for number, line in enumerate(source.data.decode().splitlines(), 1):
        wnid, _, name = line.strip().replace("\t", " ").partition(" ")
        if not wnid:
            continue
        if not _WNID.fullmatch(wnid) or not name.strip():
            raise InputError(f"{source.path}, line {number}: no 'n01440764 tench, Tinca tinca'")
        names[wnid] = name.strip()
    return names

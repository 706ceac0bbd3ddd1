"""The classes of ImageNet's flat validation images, from any of the files that tell them.

The numbers of the 2012 development kit are ILSVRC ids, not places among the sorted wnids. Its
`meta.mat`, or `map_clsloc.txt` of later kits, says which wnids they are.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from nanokinetics.annotations.files import AnnotationFile, load, stored_bytes
from nanokinetics.annotations.matfile import MatFileError, structures
from nanokinetics.annotations.packed import Archive, unpacked
from nanokinetics.errors import InputError
from nanokinetics.sources.scan import Scan

WNID: Final = re.compile(r"n\d{8}")
GROUND_TRUTH: Final = "ILSVRC2012_validation_ground_truth.txt"
CLASSES: Final = "map_clsloc.txt"
META: Final = "meta.mat"
SOLUTION: Final = "LOC_val_solution.csv"
SYNSETS: Final = "imagenet_2012_validation_synset_labels.txt"
DEVKIT: Final = re.compile(r"ILSVRC2012_devkit_t12\.(tar|tar\.gz|tgz)")

_KNOWN: Final = (SOLUTION, SYNSETS, GROUND_TRUTH, CLASSES, META)
_PLAIN: Final = (".txt", ".csv", ".mat")


class SmallFiles:
    """The small files with labels and names: found in the source, or named by the user.

    The files of a packed development kit, or of an archive that the user named, count too. digests:
    name, path and SHA-256 of each file that was used.
    """

    def __init__(self, found: Scan, files: Sequence[Path]) -> None:
        self._paths: dict[str, Path] = {}
        archives = (*(m.path for m in found.members), *(s[0] for s in found.streams))
        for name in (*found.files, *sorted(set(archives))):
            base = PurePosixPath(name).name
            if base.endswith(_PLAIN) or DEVKIT.fullmatch(base):
                self._paths.setdefault(base, found.root / name)
        self._paths.update({path.name: path for path in files})
        named = [path for path in files if not path.name.endswith(_PLAIN)]
        kits = [path for name, path in self._paths.items() if DEVKIT.fullmatch(name)]
        self._kit = next(iter((*named, *kits)), None)
        self._packed: Mapping[str, bytes] | None = None
        self.digests: list[tuple[str, str, str]] = []

    def has(self, name: str) -> bool:
        return name in self._paths or name in self._in_kit()

    def get(self, name: str) -> AnnotationFile | None:
        """The text file of this name, or None. Raises InputError if it cannot be read."""
        return self._found(name, load)

    def binary(self, name: str) -> AnnotationFile | None:
        """The file of this name, or None. Raises InputError if it cannot be read."""
        return self._found(name, _binary)

    def load(self, path: Path) -> AnnotationFile:
        """Read a text file that the user named. Raises InputError."""
        return self._counted(load(path))

    def _found(self, name: str, read: Callable[[Path], AnnotationFile]) -> AnnotationFile | None:
        if name in self._paths:
            return self._counted(read(self._paths[name]))
        data = self._in_kit().get(name)
        if data is None or self._kit is None:
            return None
        digest = hashlib.sha256(data).hexdigest()
        return self._counted(AnnotationFile(self._kit / name, data, digest))

    def _counted(self, source: AnnotationFile) -> AnnotationFile:
        self.digests.append(source.digest)
        return source

    def _in_kit(self) -> Mapping[str, bytes]:
        if self._packed is None:
            self._packed = _unpacked(self._kit) if self._kit else {}
        return self._packed


def _binary(path: Path) -> AnnotationFile:
    data = stored_bytes(path)
    return AnnotationFile(path, data, hashlib.sha256(data).hexdigest())


def _unpacked(kit: Path) -> dict[str, bytes]:
    """The files with labels in a packed development kit, or in another archive."""
    content = unpacked(kit, stored_bytes(kit))
    if not isinstance(content, Archive):
        raise InputError(f"{kit}: is no archive; name one of {', '.join(_KNOWN)}")
    wanted = {name for name in content.names() if PurePosixPath(name).name in _KNOWN}
    return {PurePosixPath(name).name: data for name, data in content.read(wanted).items()}


class Truth:
    """The wnid of each validation image; its files are read at the first use."""

    def __init__(self, files: SmallFiles) -> None:
        self._files = files
        self._is_read = False
        self._by_name: Mapping[str, str] = {}
        self._by_number: Sequence[str] = ()

    def is_there(self) -> bool:
        """Whether the files that tell the wnids are there."""
        has = self._files.has
        return has(SOLUTION) or has(SYNSETS) or (has(GROUND_TRUTH) and (has(CLASSES) or has(META)))

    def wnid(self, name: str, number: int) -> str:
        """The wnid of an image. Raises InputError if the labels are missing or lack the image."""
        if not self._is_read:
            self._read()
            self._is_read = True
        if name in self._by_name:
            return self._by_name[name]
        if 0 < number <= len(self._by_number):
            return self._by_number[number - 1]
        raise InputError(f"{name} has no line in the validation labels; they are of another set")

    def _read(self) -> None:
        if solution := self._files.get(SOLUTION):
            self._by_name = _solution(solution)
        elif synsets := self._files.get(SYNSETS):
            self._by_number = _synsets(synsets)
        elif not self.is_there():
            raise InputError(self._missing())
        elif truth := self._files.get(GROUND_TRUTH):
            if table := self._files.get(CLASSES):
                wnids = _of_table(table)
            else:
                meta = self._files.binary(META)
                wnids = _of_meta(meta) if meta else {}
            self._by_number = _ground_truth(truth, wnids)

    def _missing(self) -> str:
        has = [name for name in (GROUND_TRUTH, CLASSES, META) if self._files.has(name)]
        there = f"; of the development kit only {' and '.join(has)} is there" if has else ""
        return (
            "the validation images lie in no folders of wnids, and their labels are missing"
            f"{there}; put {SOLUTION}, or {GROUND_TRUTH} with {META} or {CLASSES} (both are in "
            "ILSVRC2012_devkit_t12.tar.gz), into --src or name them with --annotations; "
            "--split train needs none"
        )


def _solution(source: AnnotationFile) -> dict[str, str]:
    """The wnids by image, from Kaggle's `ImageId,PredictionString`.

    The first word of a prediction is the wnid.
    """
    wnids: dict[str, str] = {}
    for number, row in enumerate(csv.reader(source.data.decode().splitlines()), 1):
        if row == ["ImageId", "PredictionString"] or not row:
            continue
        wnid = row[1].split(" ", 1)[0] if len(row) == 2 else ""
        if not WNID.fullmatch(wnid):
            raise InputError(f"{source.path}, line {number}: no 'ImageId,n01440764 …'")
        wnids[row[0]] = wnid
    return wnids


def _synsets(source: AnnotationFile) -> list[str]:
    """The wnid of each image, from a file with one wnid per line, as TensorFlow's tools have it."""
    wnids = source.data.decode().split()
    for number, wnid in enumerate(wnids, 1):
        if not WNID.fullmatch(wnid):
            raise InputError(f"{source.path}, line {number}: '{wnid[:20]}' is no wnid")
    return wnids


def _of_table(source: AnnotationFile) -> dict[int, str]:
    """The wnids by ILSVRC id, from lines such as `n02119789 1 kit_fox`."""
    wnids: dict[int, str] = {}
    for number, line in enumerate(source.data.decode().splitlines(), 1):
        match = re.match(r"(n\d{8})\s+(\d+)\b", line)
        if match is None and line.strip():
            raise InputError(f"{source.path}, line {number}: no 'n02119789 1 kit_fox'")
        if match:
            wnids[int(match[2])] = match[1]
    return wnids


def _of_meta(source: AnnotationFile) -> dict[int, str]:
    """The wnids by ILSVRC id, from the synsets of `meta.mat`."""
    try:
        synsets = list(structures(source.data, ("ILSVRC2012_ID", "WNID")))
    except MatFileError as error:
        raise InputError(f"{source.path}: {error}") from None
    wnids: dict[int, str] = {}
    for place, (number, wnid) in enumerate(synsets, 1):
        if not isinstance(number, float) or not WNID.fullmatch(str(wnid)):
            raise InputError(f"{source.path}: its synset {place} has no number or no wnid")
        if wnids.setdefault(int(number), str(wnid)) != wnid:
            raise InputError(f"{source.path}: two of its synsets have the number {number:g}")
    return wnids


def _ground_truth(source: AnnotationFile, wnids: Mapping[int, str]) -> list[str]:
    """The wnid of each image, from a file with one ILSVRC id per line."""
    found: list[str] = []
    for number, line in enumerate(source.data.decode().split(), 1):
        if not line.isascii() or not line.isdigit() or int(line) not in wnids:
            raise InputError(f"{source.path}, line {number}: '{line[:20]}' is no ILSVRC id")
        found.append(wnids[int(line)])
    return found

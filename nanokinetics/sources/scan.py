"""Lists the files of a source folder, and the members of its archives without unpacking them.

Names are untrusted. The scan leaves out hidden files, such as the `._` twins of macOS. It also
leaves out links to folders, and datasets built inside the source. In an archive only plain files
count. The base name of a member identifies it; no file is ever written to a member's path.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, cast

from nanokinetics.clip import Location
from nanokinetics.common.files import begun
from nanokinetics.errors import InputError
from nanokinetics.layout import LOCK
from nanokinetics.sources.archives import PACKED, TAR, SeveralFilesError, beginning, kind_of
from nanokinetics.sources.archives import members as members_of

_ARCHIVE_NAME: Final = re.compile(
    r"\.(tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$"
    r"|^(?P<stem>.*[-._](?:part)?)(?P<number>[0-9]{2,3}|[a-d][a-z])(?:\.(?:zip|tgz))?$",
    re.IGNORECASE,
)
"""Names that may be archives, or parts such as `v2-00`, `v2-00.zip`, `x.tar.gz.aa`."""

IMAGES: Final = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
VIDEOS: Final = frozenset(
    {
        ".3gp",
        ".avi",
        ".flv",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".ts",
        ".webm",
        ".wmv",
    }
)
"""Lower-case extensions of files that can become a clip."""

_LONGEST_LINE: Final = 100_000
"""Characters of a line of the index. It comes with a dataset, which may have been handed over."""

_LARGE: Final = 1_000_000
"""Smallest size in bytes at which numbered files count as parts of an archive that has lost its
first part."""


@dataclass(frozen=True)
class Scan:
    """The contents of a source.

    files: sorted paths of plain files, relative to `root`, with `/`. members: the members of the
    uncompressed archives with their locations. streams: the other archives, each as its parts in
    order; only reading them shows their contents.
    """

    root: Path
    files: tuple[str, ...]
    members: tuple[Location, ...] = ()
    streams: tuple[tuple[str, ...], ...] = ()
    stamps: Mapping[str, str] = field(default_factory=dict)
    """The size and time of each archive in `members`, which show whether it has changed."""

    is_kept: bool = field(default=False, compare=False)
    """Whether all of `members` come from the index of an earlier scan."""

    def locations(self) -> Iterator[Location]:
        """Every file and member with a known location."""
        yield from map(Location, self.files)
        yield from self.members


def scan(source: Path, index: Path | None = None) -> Scan:
    """Scan a folder, or one archive.

    index: the file with an earlier scan of the archives (see `save`). To read the headers of a
    large archive takes minutes, so it is done only once. Raises InputError that names the file if
    the source cannot be read.
    """
    if source.is_file():
        root, names = source.parent, [source.name]
    elif source.is_dir():
        root, names = source, sorted(_walk(str(source)))
    else:
        raise InputError(f"--src {source}: there is no such folder or archive")
    tars: list[str] = []
    streams: list[tuple[str, ...]] = []
    parts: dict[tuple[str, bool], list[str]] = {}
    others: set[str] = set()
    media = endings(names, IMAGES | VIDEOS)
    for name in [name for name in names if not name.endswith(media)]:
        found = _ARCHIVE_NAME.search(name)
        if found and found["stem"]:
            parts.setdefault((found["stem"], found["number"].isdigit()), []).append(name)
        elif found and (kind := _kind(root / name)):
            others.add(name)
            if kind == TAR:
                tars.append(name)
            else:
                streams.append((name,))
    for (stem, _), pieces in parts.items():
        if in_order := _in_order(root, stem, pieces):
            others.update(pieces)
            streams.append(in_order)
    if source.is_file() and not others:
        raise InputError(f"--src {source}: is no archive that can be read")
    stamps = {name: _stamp(root / name) for name in tars}
    known = _load(index, stamps) if index is not None and tars else {}
    members = [
        each for name in tars for each in (known[name] if name in known else _members(root, name))
    ]
    plain = tuple([name for name in names if name not in others] if others else names)
    is_kept = len(known) == len(tars)
    return Scan(root, plain, tuple(members), tuple(sorted(streams)), stamps, is_kept)


def endings(paths: Iterable[str], suffixes: frozenset[str]) -> tuple[str, ...]:
    """The extensions in these paths that match the suffixes without case, for `str.endswith`."""
    longest = max(map(len, suffixes))
    found = {end[end.rfind(".") :] for end in {path[-longest:] for path in paths}}
    return tuple(ending for ending in found if ending.lower() in suffixes)


def _in_order(root: Path, stem: str, names: Sequence[str]) -> tuple[str, ...]:
    """The parts of one archive in order; empty if the files are not parts of an archive.

    Raises InputError if a part is missing, or if the first part cannot be read.
    """
    by_number: dict[int, str] = {}
    for name in sorted(names, key=len, reverse=True):  # prefer an unpacked part to its zip
        by_number[_number(name.removeprefix(stem))] = name
    numbers = sorted(by_number)
    first = by_number[numbers[0]]
    try:
        kind, size = beginning(root / first)
    except SeveralFilesError:
        return ()
    except tarfile.ReadError as error:
        raise InputError(f"{error}; download it again") from None
    if kind in (TAR, PACKED):
        for number in range(numbers[0], numbers[-1]):
            if number + 1 not in by_number:
                raise _missing(root / by_number[number], "after")
        return tuple(by_number[number] for number in numbers)
    if numbers[0] > 0 and numbers[1:2] == [numbers[0] + 1] and size > _LARGE:
        raise _missing(root / first, "before")
    return ()


def _missing(path: Path, where: str) -> InputError:
    return InputError(f"{path}: the part {where} it is missing; download it too")


def _number(text: str) -> int:
    """The number of a part from its ending, such as `07.zip` or `ah`; counts from 0."""
    text = text.partition(".")[0].lower()
    return int(text) if text.isdigit() else 26 * ord(text[0]) + ord(text[1]) - 27 * ord("a")


def save(found: Scan, index: Path) -> None:
    """Save the members of the archives for the next `scan`, if they are new. Raises OSError."""
    if not found.members or found.is_kept:
        return
    with (
        begun(index) as raw,
        gzip.GzipFile("", "wb", compresslevel=3, fileobj=raw, mtime=0) as packed,
        io.TextIOWrapper(packed, "utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        for name, stamp in found.stamps.items():
            table.writerow((name, stamp))
        table.writerow(())
        table.writerows((m.path, m.name, m.offset, m.size) for m in found.members)


def _load(index: Path, stamps: Mapping[str, str]) -> dict[str, list[Location]]:
    """The members of each archive that has not changed since the earlier scan."""
    known: dict[str, list[Location]] = {}
    try:
        with gzip.open(index, "rt", encoding="utf-8", errors="surrogateescape", newline="") as file:
            table = csv.reader(iter(lambda: file.readline(_LONGEST_LINE), ""))
            for name, stamp in iter(lambda: next(table), []):
                if stamps.get(name) == stamp:
                    known[name] = []
            for path, name, offset, size in table:
                if path in known:
                    known[path].append(Location(path, name, int(offset), int(size)))
    except (OSError, EOFError, ValueError, StopIteration, zlib.error, csv.Error):
        return {}  # the index is missing or damaged: scan again
    return known


def _walk(top: str) -> list[str]:
    """The relative paths of all files below a folder, unsorted. Links to folders are skipped."""
    files: list[str] = []
    folders = [""]
    try:
        while folders:
            under = folders.pop()
            own: list[str] = []
            below: list[str] = []
            with os.scandir(f"{top}/{under}") as entries:
                for entry in entries:
                    if entry.is_file():
                        own.append(entry.name)
                    elif entry.is_dir(follow_symlinks=False):
                        below.append(entry.name)
            if under and LOCK in own:
                continue  # a dataset of this program, perhaps the one that is being built
            files += [under + name for name in own if not name.startswith(".")]
            folders += [f"{under}{name}/" for name in below if not name.startswith(".")]
    except OSError as error:
        raise InputError(f"--src: {error.filename}: {error.strerror}") from None
    return files


def _kind(path: Path) -> str:
    try:
        return kind_of(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _stamp(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _members(root: Path, name: str) -> Iterator[Location]:
    """The plain files of an uncompressed archive. Only its headers are read.

    Raises InputError if the archive is damaged.
    """
    path = root / name
    try:
        with path.open("rb", buffering=0) as file:
            if hasattr(os, "posix_fadvise"):  # read-ahead would fetch bytes that are skipped
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            size = os.fstat(file.fileno()).st_size
            for member, offset in members_of(cast(IO[bytes], file), size):
                yield Location(name, member.name, offset, member.size)
    except tarfile.TarError as error:
        raise InputError(f"{path}: is damaged ({error}); download it again") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None

"""What lies in a source folder: its files, and the members of its archives, without unpacking.

Names are untrusted. Hidden files (macOS' `._` twins among them) are passed over, as are links to
folders, and datasets that were built within the source. Of an archive only plain files count; a
member is told by its base name and never written by its path.
"""

from __future__ import annotations

import bz2
import contextlib
import csv
import gzip
import io
import itertools
import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tarfile import EOFHeaderError, HeaderError, ReadError  # type: ignore[attr-defined]
from typing import IO, Final, Self, cast

from .clip import Location
from .errors import InputError
from .layout import LOCK

_ARCHIVE_NAME: Final = re.compile(
    r"\.(tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$"
    r"|^(?P<stem>.*[-._](?:part)?)(?P<number>\d{2,3}|[a-d][a-z])(?:\.(?:zip|tgz))?$",
    re.IGNORECASE,
)
"""Names worth a look inside: archives, and parts such as `v2-00`, `v2-00.zip`, `x.tar.gz.aa`."""

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
"""Extensions, in small letters, of what can become a clip."""

_NO_ARCHIVE: Final = tuple({*IMAGES, *VIDEOS, *map(str.upper, IMAGES | VIDEOS)})

_PACKED: Final = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_ZIP: Final = b"PK\x03\x04"
_DEPTH: Final = 2
"""Archives in archives: ImageNet's holds one for each class."""


@dataclass(frozen=True)
class Scan:
    """The contents of a source.

    files: plain files, relative to `root`, with `/`, sorted. members: what the uncompressed
    archives hold, each where it lies. streams: the other archives, each as its parts in order;
    what they hold is known only when they are read.
    """

    root: Path
    files: tuple[str, ...]
    members: tuple[Location, ...] = ()
    streams: tuple[tuple[str, ...], ...] = ()
    stamps: Mapping[str, str] = field(default_factory=dict)
    """Of each archive in `members` its size and time, to see whether it has changed since."""

    def locations(self) -> Iterator[Location]:
        """Every file and member whose place is known."""
        yield from map(Location, self.files)
        yield from self.members


def scan(source: Path, index: Path | None = None) -> Scan:
    """Look through a folder, or through one archive.

    index: where an earlier scan of the archives was kept (see `save`); reading the headers of a
    large one takes minutes, and is not done twice. Raises InputError for a source that cannot be
    read, naming the file.
    """
    if source.is_file():
        root, names = source.parent, [source.name]
    elif source.is_dir():
        root, names = source, sorted(_walk(str(source)))
    else:
        raise InputError(f"--src {source}: there is no such folder or archive")
    if source.is_file() and not _kind(source):
        raise InputError(f"--src {source}: is no archive that can be read")
    plain: list[str] = []
    tars: list[str] = []
    whole: list[str] = []
    parts: dict[str, dict[str, str]] = {}
    for name in names:
        found = None if name.endswith(_NO_ARCHIVE) else _ARCHIVE_NAME.search(name)
        kind = _kind(root / name) if found else ""
        if found and found["stem"]:
            # What was unpacked from a zip comes before the zip, and counts alone.
            parts.setdefault(found["stem"], {}).setdefault(found["number"], name)
        elif kind == "tar":
            tars.append(name)
        elif kind:
            whole.append(name)
        else:
            plain.append(name)
    streams: list[tuple[str, ...]] = [(name,) for name in whole]
    for stem, numbered in parts.items():
        if _is_archive(root, stem, numbered):
            streams.append(tuple(numbered[number] for number in sorted(numbered)))
        else:
            plain += numbered.values()
    stamps = {name: _stamp(root / name) for name in tars}
    known = _load(index, stamps) if index is not None and tars else {}
    members = [
        each for name in tars for each in (known[name] if name in known else _members(root, name))
    ]
    return Scan(root, tuple(sorted(plain)), tuple(members), tuple(sorted(streams)), stamps)


def save(found: Scan, index: Path) -> None:
    """Keep what the archives hold, if there are any, for the next `scan`. Raises OSError."""
    if not found.members or set(_load(index, found.stamps)) == set(found.stamps):
        return
    partial = index.with_name(f".{index.name}.tmp")
    with gzip.open(partial, "wt", encoding="utf-8", newline="", compresslevel=3) as file:
        table = csv.writer(file, lineterminator="\n")
        for name, stamp in found.stamps.items():
            table.writerow((name, stamp))
        table.writerow(())
        table.writerows((m.path, m.name, m.offset, m.size) for m in found.members)
    partial.replace(index)


def _load(index: Path, stamps: Mapping[str, str]) -> dict[str, list[Location]]:
    """The members of each archive that is still the one that was scanned."""
    known: dict[str, list[Location]] = {}
    try:
        with gzip.open(index, "rt", encoding="utf-8", newline="") as file:
            table = csv.reader(file)
            for name, stamp in iter(lambda: next(table), []):
                if stamps.get(name) == stamp:
                    known[name] = []
            for path, name, offset, size in table:
                if path in known:
                    known[path].append(Location(path, name, int(offset), int(size)))
    except (OSError, EOFError, ValueError, StopIteration, zlib.error, csv.Error):
        return {}  # there is none, or it was torn: scanned anew
    return known


def _walk(top: str) -> list[str]:
    """Every plain file below a folder, relative, in no order. Links to folders are not followed."""
    files: list[str] = []
    folders = [""]
    try:
        while folders:
            under = folders.pop()
            with os.scandir(f"{top}/{under}") as entries:
                found = list(entries)
            if under and any(entry.name == LOCK for entry in found):
                continue  # a dataset of ours, perhaps the one that is being built
            for entry in found:
                name = entry.name
                if name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{under}{name}/")
                elif entry.is_file():
                    files.append(under + name)
    except OSError as error:
        raise InputError(f"--src: {error.filename}: {error.strerror}") from None
    return files


def _is_archive(root: Path, stem: str, numbered: Mapping[str, str]) -> bool:
    """Whether files that differ in a number are the parts of an archive.

    Raises InputError for an archive that lacks a part: what is behind it could not be read.
    """
    numbers = sorted(numbered)
    first = root / numbered[numbers[0]]
    begins = numbers[0] in ("00", "000", "01", "001", "aa")
    known = any(_kind(root / name) for name in numbered.values())
    if not known and (begins or max(_size(root / name) for name in numbered.values()) < _SOME):
        return False
    if not begins or not _kind(first):
        raise InputError(f"{first}: the parts of {stem} before it are missing; download them")
    for before, after in itertools.pairwise(numbers):
        if _following(before) != after:
            raise InputError(f"{root / numbered[after]}: the part of {stem} before it is missing")
    return True


_SOME: Final = 1 << 20
"""Bytes of a file that is hardly anything but a part of an archive."""


def _size(path: Path) -> int:
    return path.stat().st_size


def _following(number: str) -> str:
    if number.isdigit():
        return f"{int(number) + 1:0{len(number)}d}"
    first, second = number[0], number[1]
    return f"{first}{chr(ord(second) + 1)}" if second != "z" else f"{chr(ord(first) + 1)}a"


def _kind(path: Path) -> str:
    """`tar`, `packed` (compressed) or `zip` by the first bytes; nothing for anything else."""
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if head.startswith(_ZIP):
        return "zip"
    if any(head.startswith(magic) for magic in _PACKED):
        return "packed"
    return "tar" if head[257:262] == b"ustar" else ""


def _stamp(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _members(root: Path, name: str) -> Iterator[Location]:
    """The plain files of an uncompressed archive: only its headers are read.

    Raises InputError when the archive is damaged.
    """
    path = root / name
    try:
        with path.open("rb", buffering=0) as file:
            if hasattr(os, "posix_fadvise"):  # reading ahead would fetch what is skipped
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            size = os.fstat(file.fileno()).st_size
            for member, offset in _headers(cast(IO[bytes], file), 0, size, _DEPTH):
                yield Location(name, member.name, offset, member.size)
    except tarfile.TarError as error:
        raise InputError(f"{path}: is damaged ({error}); download it again") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _headers(
    file: IO[bytes], start: int, size: int, depth: int
) -> Iterator[tuple[tarfile.TarInfo, int]]:
    window = cast(IO[bytes], _Window(file, start, size))
    with tarfile.open(fileobj=window, mode="r:", tarinfo=_Member) as archive:
        for member in archive:
            archive.members = []  # type: ignore[attr-defined]  # a million of them would stay in memory
            if not member.isreg() or member.issparse() or is_hidden(member.name):
                continue
            at = start + member.offset_data
            if member.offset_data + member.size > size:
                raise ReadError(f"it ends within {member.name}")
            if depth > 1 and member.name.endswith(".tar"):
                prefix = PurePosixPath(member.name).stem
                for inner, offset in _headers(file, at, member.size, depth - 1):
                    inner.name = f"{prefix}/{inner.name}"
                    yield inner, offset
            else:
                yield member, at


def is_hidden(name: str) -> bool:
    """Whether a member is one of those that no source means to hold, such as macOS' twins."""
    return PurePosixPath(name).name.startswith(".")


class _Member(tarfile.TarInfo):
    """A header that is read strictly: tarfile takes a damaged one for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        """Raises ReadError for anything but a member or the right end, a block of zeros."""
        try:
            found = super().fromtarfile(tarfile)
        except EOFHeaderError:
            raise
        except HeaderError as error:
            raise ReadError(str(error)) from None
        if found.size < 0:  # it would send the reader back, for ever
            raise ReadError(f"{found.name} has a size below zero")
        return found


class _Window(io.RawIOBase):
    """A part of a file that reads like a file."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._start, self._size = file, start, size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._at)
        count = left if size < 0 else min(size, left)
        self._file.seek(self._start + self._at)
        data = self._file.read(count)
        self._at += len(data)
        return data


@contextlib.contextmanager
def opened(root: Path, parts: Sequence[str]) -> Iterator[tarfile.TarFile]:
    """An archive as one stream from its parts, to be read once from the beginning.

    Raises tarfile.TarError, OSError, EOFError or zlib.error when it is damaged.
    """
    with contextlib.ExitStack() as stack:
        joined = cast(IO[bytes], io.BufferedReader(_Joined([root / part for part in parts], stack)))
        yield stack.enter_context(tarfile.open(fileobj=joined, mode="r|*", tarinfo=_Member))


class _Joined(io.RawIOBase):
    """Files one after the other, as one. A part that is a zip stands for the one file in it."""

    def __init__(self, paths: Sequence[Path], stack: contextlib.ExitStack) -> None:
        self._rest = iter(paths)
        self._stack = stack
        self._file: IO[bytes] | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        while True:
            if self._file is None:
                path = next(self._rest, None)
                if path is None:
                    return 0
                self._file = self._open(path)
            try:
                data = self._file.read(len(view))
            except zipfile.BadZipFile as error:
                raise ReadError(str(error)) from None
            if data:
                view[: len(data)] = data
                return len(data)
            self._file = None

    def _open(self, path: Path) -> IO[bytes]:
        file = self._stack.enter_context(path.open("rb"))
        if file.read(4) != _ZIP:
            file.seek(0)
            return file
        try:
            archive = self._stack.enter_context(zipfile.ZipFile(path))
            inner = [each for each in archive.infolist() if not each.is_dir()]
            if len(inner) != 1:
                raise ReadError(f"{path} is a zip of {len(inner)} files, not of one part")
            return self._stack.enter_context(archive.open(inner[0]))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:  # a password
            raise ReadError(f"{path}: {error}") from None

"""Reads tars without unpacking: a plain one by its headers, a compressed one as one stream.

The contents are untrusted and may be damaged anywhere. An archive must not end early without an
error, and it must not send its reader into an endless loop. `zips` reads zips.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, Self, cast

from nanokinetics.clip import Location
from nanokinetics.sources.suffixes import IMAGES, VIDEOS
from nanokinetics.sources.walk import is_littered

TAR: Final = "tar"
PACKED: Final = "packed"
ZIP: Final = "zip"

_PACKED: Final[dict[bytes, Callable[[IO[bytes]], IO[bytes]]]] = {
    b"\x1f\x8b": cast(Any, gzip.open),
    b"BZh": cast(Any, bz2.open),
    b"\xfd7zXZ\x00": cast(Any, lzma.open),
}
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
"""The first bytes of a zip; the second of one without members."""

_HEAD: Final = 512
_DEPTH: Final = 2
"""Levels of archives within archives: ImageNet's archive has one archive per class."""

_EMPTY: Final = 1 << 16
"""Largest size in bytes of a tar without members: two empty records, filled up to a block."""


class SeveralFilesError(tarfile.ReadError):
    """A zip that has more than one file, so it cannot be one part of an archive."""


class UnreadableError(tarfile.ReadError):
    """A part that the file system does not give: no damage of the archive.

    error: what the file system said. path: of the part.
    """

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"{path}: {error.strerror}")
        self.path, self.error = path, error


@dataclass(frozen=True)
class Beginning:
    """How a file begins, and how it ends.

    kind: see `kind`. For a zip of one part, that of the part; for another zip, ZIP. size: in bytes.
    is_ended: whether its last bytes are zeros, as at the end of a tar.
    """

    kind: str
    size: int
    is_ended: bool = False


def kind(head: bytes) -> str:
    """TAR, PACKED (compressed) or ZIP from the first bytes of a file; empty for other files."""
    if head.startswith(_ZIP):
        return ZIP
    if head.startswith(tuple(_PACKED)):
        return PACKED
    return TAR if head[257:262] == b"ustar" or _is_old_header(head) else ""


def _is_old_header(head: bytes) -> bool:
    """Whether it is a header of a tar from before POSIX: it has no mark but its checksum."""
    try:
        return bool(tarfile.TarInfo.frombuf(head[:_HEAD], "utf-8", "surrogateescape").name)
    except tarfile.HeaderError:
        return False


def kind_of(path: Path) -> str:
    """The `kind` of a file. A small file of zeros is an empty tar. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        size = os.fstat(file.fileno()).st_size
    is_empty = len(head) == _HEAD and not any(head) and size <= _EMPTY
    return TAR if is_empty else kind(head)


def beginning(path: Path) -> Beginning:
    """How a part begins. Raises tarfile.ReadError for an unreadable part."""
    with contextlib.ExitStack() as stack, _naming(path):
        try:
            file, size = _part(path, stack)
        except SeveralFilesError:
            return Beginning(ZIP, path.stat().st_size)
        found = kind(file.read(_HEAD))
        if found == TAR and isinstance(file, io.BufferedReader):
            file.seek(max(0, size - 2 * _HEAD))
            return Beginning(TAR, size, not any(file.read()))
        return Beginning(found, size)


class _Member(tarfile.TarInfo):
    """A header that must be valid.

    tarfile itself takes the first bad header for the end. A negative size would make it loop.
    """

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            found = super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the end, as it is written
            raise
        except (tarfile.HeaderError, ValueError) as error:
            raise tarfile.ReadError(str(error)) from None
        if found.size < 0:
            raise tarfile.ReadError(f"the size of {found.name!r} is below zero")
        return found


def is_plain(member: tarfile.TarInfo) -> bool:
    """Whether a member is a normal file: not a link, a device, a sparse file, or litter.

    The bytes of a sparse file are not contiguous. macOS adds a hidden twin to each file.
    """
    return member.isreg() and not member.issparse() and not is_littered(member.name)


def seek_member(file: IO[bytes], location: Location) -> None:
    """Go to a member's bytes, which its header precedes.

    Raises EOFError if the header is not there: the archive has changed since it was listed.
    """
    file.seek(location.offset - _HEAD)
    try:
        header = tarfile.TarInfo.frombuf(file.read(_HEAD), "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        raise EOFError(f"{location.name} is not at its place") from None
    if header.size not in (location.size, _OF_PAX):
        raise EOFError(f"{location.name} is not at its place")


_OF_PAX: Final = 0
"""The size in the header of a member whose real size needs a record of its own, from 8 GiB on."""


def members(file: IO[bytes], size: int) -> Iterator[tuple[tarfile.TarInfo, int]]:
    """The plain files of an uncompressed tar and of the tars in it, each with its offset in bytes.

    size: of the file in bytes. Only headers are read. Raises tarfile.TarError for a damaged
    archive, and OSError.
    """
    yield from _members(file, 0, size, _DEPTH)


def _members(
    file: IO[bytes], start: int, size: int, depth: int
) -> Iterator[tuple[tarfile.TarInfo, int]]:
    window = cast(IO[bytes], _Window(file, start, size))
    with tarfile.open(fileobj=window, mode="r:", tarinfo=_Member) as archive:
        for member in archive:
            archive.members = []  # type: ignore[attr-defined]  # tarfile would keep a million of them
            if not is_plain(member):
                continue
            at = start + member.offset_data
            if member.offset_data + member.size > size:
                raise tarfile.ReadError(f"it ends within {member.name}")
            if depth > 1 and member.name.endswith(".tar"):
                prefix = PurePosixPath(member.name).stem
                for inner, offset in _members(file, at, member.size, depth - 1):
                    inner.name = f"{prefix}/{inner.name}"
                    yield inner, offset
            else:
                yield member, at


class _Window(io.RawIOBase):
    """A section of a file that behaves like a file."""

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


def streamed(archive: tarfile.TarFile) -> Iterator[tuple[str, int, IO[bytes]]]:
    """The plain files of an opened stream and of the tars in it, in order: names, sizes, contents.

    Sizes are bytes. Each content can be read until the next one is asked for. Raises
    tarfile.TarError.
    """
    yield from _streamed(archive, _DEPTH)


def _streamed(archive: tarfile.TarFile, depth: int) -> Iterator[tuple[str, int, IO[bytes]]]:
    for member in archive:
        archive.members = []  # type: ignore[attr-defined]  # or all of them would stay
        content = archive.extractfile(member) if is_plain(member) else None
        if content is None:
            continue
        if depth > 1 and member.name.endswith(".tar"):
            with tarfile.open(fileobj=content, mode="r|", tarinfo=_Member) as inner:
                for name, size, data in _streamed(inner, depth - 1):
                    yield f"{PurePosixPath(member.name).stem}/{name}", size, data
        else:
            yield member.name, member.size, content


@contextlib.contextmanager
def opened(root: Path, parts: Sequence[str]) -> Iterator[tarfile.TarFile]:
    """Open an archive as one stream over its parts. It can be read once, from the beginning.

    Raises tarfile.TarError if the archive is damaged or a part cannot be read, now or later during
    reading. It never raises OSError.
    """
    with contextlib.ExitStack() as stack:
        joined = io.BufferedReader(_Joined([root / part for part in parts], stack))
        head = joined.peek(_HEAD)
        unpack = next((each for magic, each in _PACKED.items() if head.startswith(magic)), None)
        stream = cast(IO[bytes], _Stream(joined, root / parts[0], unpack))
        yield stack.enter_context(tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member))


class _Stream:
    """Decompresses an archive while it is read.

    tarfile's own decompression stops after the first of several pieces, and pbzip2 writes several.
    """

    def __init__(
        self, file: IO[bytes], path: Path, unpack: Callable[[IO[bytes]], IO[bytes]] | None
    ) -> None:
        self._file = unpack(file) if unpack else file
        self._path = path

    def read(self, size: int) -> bytes:
        with _naming(self._path):
            return self._file.read(size)


class _Joined(io.RawIOBase):
    """Several files joined into one. For a part that is a zip, the one file in it is read."""

    def __init__(self, paths: Sequence[Path], stack: contextlib.ExitStack) -> None:
        self._rest = iter(paths)
        self._stack = stack
        self._path = next(self._rest, None)
        self._file: IO[bytes] | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        while self._path is not None:
            with _naming(self._path):
                if self._file is None:
                    self._file, _ = _part(self._path, self._stack)
                data = self._file.read(len(view))
            if data:
                view[: len(data)] = data
                return len(data)
            self._path, self._file = next(self._rest, None), None
        return 0


def _part(path: Path, stack: contextlib.ExitStack) -> tuple[IO[bytes], int]:
    """Open a part until the stack closes; returns the file and its size in bytes.

    Raises SeveralFilesError for a zip of several files, or of an image or a video.
    """
    file = stack.enter_context(path.open("rb"))
    if not file.read(4).startswith(_ZIP):
        file.seek(0)
        return file, os.fstat(file.fileno()).st_size
    archive = stack.enter_context(zipfile.ZipFile(path))
    inner = [each for each in archive.infolist() if not each.is_dir()]
    is_media = PurePosixPath(inner[0].filename).suffix.lower() in IMAGES | VIDEOS if inner else True
    if len(inner) != 1 or is_media:
        raise SeveralFilesError(f"{path} is a zip of {len(inner)} files, not of one part")
    return stack.enter_context(archive.open(inner[0])), inner[0].file_size


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn every error of reading a part into a tarfile.ReadError that names the part.

    zipfile checks the checksum at the end of a file. For a password, or for an unknown compression
    method, it raises RuntimeError or a subclass. Damaged data may be an OSError without a number.
    """
    try:
        yield
    except tarfile.ReadError:
        raise
    except (
        *(OSError, EOFError, RuntimeError, ValueError),
        *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    ) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise UnreadableError(path, error) from None
        why = getattr(error, "strerror", None) or error
        raise tarfile.ReadError(f"{path}: {why}") from None

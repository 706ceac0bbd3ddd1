"""Reads archives without unpacking: a plain tar by its headers, others as one stream.

The contents are untrusted and may be damaged anywhere. An archive must not end early without an
error, and it must not send its reader into an endless loop.
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
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, Self, cast

TAR: Final = "tar"
PACKED: Final = "packed"
ZIP: Final = "zip"

_PACKED: Final[dict[bytes, Callable[[IO[bytes]], IO[bytes]]]] = {
    b"\x1f\x8b": cast(Any, gzip.open),
    b"BZh": cast(Any, bz2.open),
    b"\xfd7zXZ\x00": cast(Any, lzma.open),
}
_ZIP: Final = b"PK\x03\x04"
_HEAD: Final = 512
_DEPTH: Final = 2
"""Levels of archives within archives: ImageNet's archive has one archive per class."""


class SeveralFilesError(tarfile.ReadError):
    """A zip that has more than one file, so it cannot be one part of an archive."""


def kind(head: bytes) -> str:
    """TAR, PACKED (compressed) or ZIP from the first bytes of a file; empty for other files."""
    if head.startswith(_ZIP):
        return ZIP
    if head.startswith(tuple(_PACKED)):
        return PACKED
    return TAR if head[257:262] == b"ustar" else ""


def kind_of(path: Path) -> str:
    """The `kind` of the file at this path. Raises OSError."""
    with path.open("rb") as file:
        return kind(file.read(_HEAD))


def beginning(path: Path) -> tuple[str, int]:
    """The `kind` of a part, and its size in bytes. For a zip, those of the one file in it.

    Raises SeveralFilesError, and tarfile.ReadError for an unreadable part.
    """
    with contextlib.ExitStack() as stack, _naming(path):
        file, size = _part(path, stack)
        return kind(file.read(_HEAD)), size


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
    """Whether a member is a normal file: not a link, a device, a sparse file, or a hidden file.

    The bytes of a sparse file are not contiguous. macOS adds a hidden twin to each file.
    """
    hidden = PurePosixPath(member.name).name.startswith(".")
    return member.isreg() and not member.issparse() and not hidden


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
    """Open a part until the stack closes; returns the file and its size in bytes."""
    file = stack.enter_context(path.open("rb"))
    if file.read(len(_ZIP)) != _ZIP:
        file.seek(0)
        return file, os.fstat(file.fileno()).st_size
    archive = stack.enter_context(zipfile.ZipFile(path))
    inner = [each for each in archive.infolist() if not each.is_dir()]
    if len(inner) != 1:
        raise SeveralFilesError(f"{path} is a zip of {len(inner)} files, not of one part")
    return stack.enter_context(archive.open(inner[0])), inner[0].file_size


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn every error of reading a part into a tarfile.ReadError that names the part.

    zipfile checks the checksum at the end of a file. For a password, or for an unknown compression
    method, it raises RuntimeError or a subclass.
    """
    try:
        yield
    except (
        *(OSError, EOFError, RuntimeError, ValueError),
        *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    ) as error:
        why = getattr(error, "strerror", None) or error
        raise tarfile.ReadError(f"{path}: {why}") from None

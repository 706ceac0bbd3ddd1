"""Archives without unpacking: the headers of a tar, and compressed ones and parts as one stream.

What lies in them is untrusted, and they may be damaged anywhere: none may end early without a
word, nor lead its reader back for ever.
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
"""Archives in archives: ImageNet's holds one for each class."""


class SeveralFilesError(tarfile.ReadError):
    """A zip that cannot stand around one part of an archive."""


def kind(head: bytes) -> str:
    """TAR, PACKED (compressed) or ZIP by the first bytes of a file; nothing for anything else."""
    if head.startswith(_ZIP):
        return ZIP
    if head.startswith(tuple(_PACKED)):
        return PACKED
    return TAR if head[257:262] == b"ustar" else ""


def kind_of(path: Path) -> str:
    """The same of a file. Raises OSError."""
    with path.open("rb") as file:
        return kind(file.read(_HEAD))


def beginning(path: Path) -> tuple[str, int]:
    """What a part begins with, and its bytes; of a zip, the one file in it counts.

    Raises SeveralFilesError, or tarfile.ReadError for what cannot be read.
    """
    with contextlib.ExitStack() as stack, _naming(path):
        file, size = _part(path, stack)
        return kind(file.read(_HEAD)), size


class _Member(tarfile.TarInfo):
    """A header that is believed only if it is whole: tarfile takes the first bad one for the end,
    and would follow a size below zero back and forth for ever."""

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
    """Whether a member is a file that its source means to hold: no link, no device, none with holes
    (whose bytes lie apart), no hidden one such as macOS' twins."""
    hidden = PurePosixPath(member.name).name.startswith(".")
    return member.isreg() and not member.issparse() and not hidden


def members(file: IO[bytes], size: int) -> Iterator[tuple[tarfile.TarInfo, int]]:
    """The plain files of an uncompressed tar, and of tars in it, each with where its bytes lie.

    Only headers are read. Raises tarfile.TarError when it is damaged, or OSError.
    """
    yield from _members(file, 0, size, _DEPTH)


def _members(
    file: IO[bytes], start: int, size: int, depth: int
) -> Iterator[tuple[tarfile.TarInfo, int]]:
    window = cast(IO[bytes], _Window(file, start, size))
    with tarfile.open(fileobj=window, mode="r:", tarinfo=_Member) as archive:
        for member in archive:
            archive.members = []  # type: ignore[attr-defined]  # a million of them would stay in memory
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

    Raises tarfile.TarError, then and while it is read, when it is damaged or a part of it cannot
    be read; never OSError.
    """
    with contextlib.ExitStack() as stack:
        joined = io.BufferedReader(_Joined([root / part for part in parts], stack))
        head = joined.peek(_HEAD)
        unpack = next((each for magic, each in _PACKED.items() if head.startswith(magic)), None)
        stream = cast(IO[bytes], _Stream(joined, root / parts[0], unpack))
        yield stack.enter_context(tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member))


class _Stream:
    """An archive unpacked as it is read. (Of one that was packed in several pieces, as pbzip2 does
    it, tarfile's own reader takes the first for all.)"""

    def __init__(
        self, file: IO[bytes], path: Path, unpack: Callable[[IO[bytes]], IO[bytes]] | None
    ) -> None:
        self._file = unpack(file) if unpack else file
        self._path = path

    def read(self, size: int) -> bytes:
        with _naming(self._path):
            return self._file.read(size)


class _Joined(io.RawIOBase):
    """Files one after the other, as one. A part that is a zip stands for the one file in it."""

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
    """A part, open at its beginning until the stack is closed, and its size."""
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
    """Whatever keeps a part from being read is damage of the archive, and names the part.

    A zip says so at its end (the checksum), of a password with RuntimeError, and of a method that
    nobody knows with a kind of that.
    """
    try:
        yield
    except (
        *(OSError, EOFError, RuntimeError, ValueError),
        *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    ) as error:
        why = getattr(error, "strerror", None) or error
        raise tarfile.ReadError(f"{path}: {why}") from None

"""Reads packed streams (gzip, bzip2, xz) with bounded sizes; damage becomes one line."""

from __future__ import annotations

import contextlib
import importlib
import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from nanokinetics.common.text import size
from nanokinetics.errors import InputError

LARGEST: Final = 2_000_000_000
"""Bytes of a file, as it lies there and unpacked. Kinetics-700 has 65 million."""

PIECE: Final = 1 << 20

_KINDS: Final = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
"""Kinds of packed streams by their first bytes."""

_MODULES: Final = {"gzip": "gzip", "bzip2": "bz2", "xz": "lzma"}
"""The modules of Python that read them."""

_DAMAGE: Final = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error),
    *(EOFError, OSError, ValueError, OverflowError),
)


class Bounded:
    """A file that may not have more than LARGEST bytes."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file, self._path, self._count = file, path, 0

    def read(self, count: int = -1) -> bytes:
        if count < 0:
            data = read_all(self._file, self._path, "unpacks to", self._count)
        else:
            data = self._file.read(count)
        self._count += len(data)
        check_size(self._path, self._count)
        return data


@contextlib.contextmanager
def plain_stream(path: Path, stored: bytes) -> Iterator[Bounded]:
    """The bytes of a file, unpacked if they are gzip, bzip2 or xz."""
    kind = kind_of(stored)
    if kind is None:
        yield Bounded(io.BytesIO(stored), path)
        return
    try:
        module: Any = importlib.import_module(_MODULES[kind])
    except ImportError:  # a Python that was built without it
        raise InputError(
            f"{path}: is packed as {kind}, which this Python cannot read; "
            "unpack it and name the tables in it"
        ) from None
    damage = getattr(module, "LZMAError", zlib.error)
    try:
        with module.open(io.BytesIO(stored)) as file:
            yield Bounded(file, path)
    except damage as error:
        raise EOFError(str(error)) from None


@contextlib.contextmanager
def damage_in(path: Path, what: str) -> Iterator[None]:
    """Turns the errors of a damaged file into one line."""
    try:
        yield
    except _DAMAGE as error:
        why = f"{error}".rstrip(".") or type(error).__name__
        raise InputError(f"{path}: is damaged {what} ({why}); download it again") from None


def kind_of(stored: bytes) -> str | None:
    """How a file is packed, by its first bytes; None if it is not."""
    return next((kind for magic, kind in _KINDS.items() if stored.startswith(magic)), None)


def read_all(file: IO[bytes], path: Path, what: str = "is", before: int = 0) -> bytes:
    """All bytes of a file.

    before: bytes of the same archive that were read before. Raises InputError if all are more than
    LARGEST; `what` says what the file at `path` does then.
    """
    data = bytearray()
    while piece := file.read(PIECE):
        data += piece
        check_size(path, before + len(data), what)
    return bytes(data)


def check_size(path: Path, count: int, what: str = "unpacks to") -> None:
    """Raises InputError if the file at `path`, or what it unpacks to, has too many bytes."""
    if count > LARGEST:
        raise InputError(
            f"{path}: {what} more than {size(LARGEST)}, the most that an annotation file may "
            "have; leave out what is no annotation, or split it"
        )

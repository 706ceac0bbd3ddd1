"""Loads an annotation file: its decompressed UTF-8 bytes, and its digest.

The readers interpret the bytes.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

from nanokinetics.common.text import size
from nanokinetics.errors import InputError

LARGEST: Final = 2_000_000_000
"""Bytes of a file, as it lies there and unpacked. Kinetics-700 has 65 million."""

_PIECE: Final = 1 << 20

SHOWN: Final = 5
"""Tables of an archive that a message names, at most."""

_UNPACK: Final = "unpack it and name the tables in it"
_TABLE: Final = re.compile(r"\.(csv|tsv|txt|json)(\.gz)?$", re.IGNORECASE)
_TWIN: Final = re.compile(r"(^|/)(\._|__MACOSX/)")
_OTHERS: Final = {
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "rar",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
"""The first bytes of packed files, apart from gzip."""

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """One annotation file.

    data: decompressed UTF-8 without a byte order mark. sha256: hex digest of the bytes on disk, the
    same as `sha256sum` gives.
    """

    path: Path
    data: bytes
    sha256: str


def load(path: Path) -> AnnotationFile:
    """Read one file. Its first bytes, not its name, decide whether it is gzipped.

    Raises InputError unless the file is readable, complete, not empty, and UTF-8, and for one that
    is too large, or an archive.
    """
    stored = stored_bytes(path)
    data = _unpacked(path, stored).removeprefix(_BOM)
    if data[257:262] == b"ustar":
        raise InputError(f"{path}: is an archive{_holding(_of_tar(data))}; {_UNPACK}")
    _check_utf8(path, data)
    if not data or data.isspace():
        raise InputError(f"{path}: is empty; download it again")
    return AnnotationFile(path, data, hashlib.sha256(stored).hexdigest())


def stored_bytes(path: Path) -> bytes:
    """The bytes of a file on disk. Raises InputError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return _all_of(file, path, "is")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check --annotations") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; name the annotation file in it") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read: {reason}") from None


def _all_of(file: IO[bytes], path: Path, what: str) -> bytes:
    """All bytes of a file. Raises InputError if it has more than LARGEST; `what` it does then."""
    data = bytearray()
    while piece := file.read(_PIECE):
        data += piece
        if len(data) > LARGEST:
            raise InputError(
                f"{path}: {what} more than {size(LARGEST)}, the most that an annotation file may "
                "have; leave out what is no annotation, or split it"
            )
    return bytes(data)


def _unpacked(path: Path, stored: bytes) -> bytes:
    for magic, kind in _OTHERS.items():
        if stored.startswith(magic):
            names = _of_zip(stored) if kind == "zip" else []
            raise InputError(f"{path}: is packed as {kind}{_holding(names)}; {_UNPACK}")
    if not stored.startswith(_GZIP):
        return stored
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(stored)) as file:
            return _all_of(cast(IO[bytes], file), path, "unpacks to")
    except (EOFError, OSError, zlib.error) as error:
        why = f"{error}".rstrip(".")
        raise InputError(f"{path}: is damaged gzip ({why}); download it again") from None


def _of_tar(data: bytes) -> list[str]:
    """The names of an archive's members, as far as they can be read."""
    names: list[str] = []
    with (
        contextlib.suppress(tarfile.TarError, ValueError),
        tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive,
    ):
        names.extend(member.name for member in archive if member.isfile())
    return names


def _of_zip(data: bytes) -> list[str]:
    try:
        return zipfile.ZipFile(io.BytesIO(data)).namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return []


def _holding(names: Sequence[str]) -> str:
    """The tables among the members of an archive, in words."""
    tables = [name for name in names if _TABLE.search(name) and not _TWIN.search(name)]
    more = f" and {len(tables) - SHOWN} more" if len(tables) > SHOWN else ""
    return f", which holds {', '.join(tables[:SHOWN])}{more}" if tables else ""


def _check_utf8(path: Path, data: bytes) -> None:
    if data.isascii():
        return
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8; "
            "save the file as UTF-8 text (or unpack it, if it is an archive)",
        ) from None

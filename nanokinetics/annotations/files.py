"""Loads an annotation file: its decompressed UTF-8 bytes, and its digest.

The readers interpret the bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

from nanokinetics.errors import InputError

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

    Raises InputError unless the file is readable, complete, not empty, and UTF-8.
    """
    stored = stored_bytes(path)
    data = _unpacked(path, stored).removeprefix(_BOM)
    _check_utf8(path, data)
    if not data or data.isspace():
        raise InputError(f"{path}: is empty; download it again")
    return AnnotationFile(path, data, hashlib.sha256(stored).hexdigest())


def stored_bytes(path: Path) -> bytes:
    """The bytes of a file on disk. Raises InputError if it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check --annotations") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; name the annotation file in it") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read: {reason}") from None


def _unpacked(path: Path, stored: bytes) -> bytes:
    if not stored.startswith(_GZIP):
        return stored
    try:
        return gzip.decompress(stored)
    except (EOFError, OSError, zlib.error) as error:
        why = f"{error}".rstrip(".")
        raise InputError(f"{path}: is damaged gzip ({why}); download it again") from None


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

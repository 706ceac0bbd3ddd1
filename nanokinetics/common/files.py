"""Single files that are written whole or not at all, wherever they lie; see `folder` for more."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import IO

from nanokinetics.common.folder import Folder


@contextlib.contextmanager
def begun(path: Path) -> Iterator[IO[bytes]]:
    """A file to write into, which gets its name when the block has ended well. Raises OSError.

    Its temporary file beside it is a new one that nobody can have put there before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with Folder(path.parent).begun(path.name) as file:
        yield file


def replace_file(path: Path, data: bytes) -> None:
    """Give a file new content in one step: see `Folder.write`. Raises OSError."""
    Folder(path.parent).write(path.name, data)


def flush(path: Path) -> tuple[str, int]:
    """Bring a file to the disk before anything is said of it; its sha256 and size in bytes."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        return digest_of(file), os.fstat(file.fileno()).st_size


def digest_of(file: BufferedReader | BufferedRandom) -> str:
    """The hex SHA-256 of an open file's bytes, from where it stands."""
    return hashlib.file_digest(file, "sha256").hexdigest()

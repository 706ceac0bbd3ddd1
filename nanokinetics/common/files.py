"""Write a single file whole or not at all. Use `folder` for the files of one folder."""

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
    """Open a temporary file for writing; rename it to `path` if the block succeeds. Raises OSError.

    The temporary file lies in the same folder. It is always new, so it cannot be a planted link.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with Folder(path.parent).begun(path.name) as file:
        yield file


def replace_file(path: Path, data: bytes) -> None:
    """Replace the content of a file in one step: see `Folder.write`. Raises OSError.

    A device or a pipe is written to: a file in its place would be somebody's loss.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(data)
    else:
        Folder(path.parent).write(path.name, data)


def flush(path: Path) -> tuple[str, int]:
    """Flush a file to the disk, before any table names it; its hex SHA-256 and size in bytes."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        return digest_of(file), os.fstat(file.fileno()).st_size


def digest_of(file: BufferedReader | BufferedRandom) -> str:
    """The hex SHA-256 of an open file, from its current position to its end."""
    return hashlib.file_digest(file, "sha256").hexdigest()

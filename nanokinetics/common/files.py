"""Files that are written whole or not at all, and a folder that must stay where it is.

Nothing here follows a link that somebody may have put into a folder: what is written, moved or
removed there lies there.
"""

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


def replace_file(path: Path, data: bytes, root: Path | None = None) -> None:
    """Give a file new content in one step: written beside it, flushed, renamed over it.

    Whoever reads it meanwhile sees the old or the new content, never a part. A file that holds
    the content already is left as it is. No folder between `root` and the file may be a link.
    Raises OSError.
    """
    if _holds(path, data):
        return
    root = root or path.parent
    root.mkdir(parents=True, exist_ok=True)
    with Folder(root).begun(str(path.relative_to(root))) as file:
        file.write(data)


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:  # whatever is wrong with it shows when it is written
        return False


def clear_leftovers(root: Path, *below: Path) -> None:
    """Remove what was begun in a folder, and in others below it, by processes that were killed."""
    home = Folder(root)
    for folder in (root, *below):
        home.sweep(str(folder.relative_to(root)))


def flush(path: Path) -> tuple[str, int]:
    """Bring a file to the disk before anything is said of it; its sha256 and size in bytes."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        return digest_of(file), os.fstat(file.fileno()).st_size


def digest_of(file: BufferedReader | BufferedRandom) -> str:
    """The hex SHA-256 of an open file's bytes, from where it stands."""
    return hashlib.file_digest(file, "sha256").hexdigest()

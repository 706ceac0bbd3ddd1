"""Files that are written whole or not at all, and a folder that must stay where it is."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import sys
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import Final

from .errors import EnvironmentFault

SUFFIX: Final = ".tmp"


def clear_leftovers(*folders: Path) -> None:
    """Remove what `replace_file` had begun in these folders when its process was killed."""
    for folder in folders:
        for leftover in folder.glob(f".*{SUFFIX}"):
            if leftover.is_file():
                leftover.unlink()


def replace_file(path: Path, data: bytes) -> None:
    """Give a file new content in one step: written beside it, flushed, renamed over it.

    Whoever reads it meanwhile sees the old or the new content, never a part. A file that holds
    the content already is left as it is.
    """
    if _holds(path, data):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}{SUFFIX}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:  # whatever is wrong with it shows when it is written
        return False


class Home:
    """A folder that is to be the same one throughout: not unmounted, moved or removed meanwhile.

    Without a look, what is mounted over a folder could vanish and the files go to the disk below.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._at_first = _identity(folder)

    @property
    def is_there(self) -> bool:
        return self._at_first is not None and _identity(self._folder) == self._at_first

    def check(self) -> None:
        """Raises EnvironmentFault if it is another folder than at first."""
        if not self.is_there:
            raise EnvironmentFault(
                f"{self._folder} is not the folder it was at the start; was it unmounted or moved? "
                "See to that and run the same command again"
            )


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def flush(path: Path) -> tuple[str, int]:
    """Bring a file to the disk before anything is said of it; its sha256 and size in bytes."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        return digest_of(file), os.fstat(file.fileno()).st_size


def flush_folder(folder: Path) -> None:
    """Bring everything that was written to a folder's file system to the disk.

    For many small files at once, which take much longer one by one. (Where the system has no such
    call, each file is flushed.)
    """
    syncfs = getattr(_LIBC, "syncfs", None)
    if syncfs is None:
        for path in folder.iterdir():
            flush(path)
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(descriptor)


_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def digest_of(file: BufferedReader | BufferedRandom) -> str:
    """The hex SHA-256 of an open file's bytes, from where it stands."""
    return hashlib.file_digest(file, "sha256").hexdigest()

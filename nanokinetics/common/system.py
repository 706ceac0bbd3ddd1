"""What only the operating system can do: end a child with its parent, flush a file system."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from nanokinetics.common.files import flush

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


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


_PR_SET_PDEATHSIG: Final = 1


def die_with_parent() -> None:
    """On Linux, have the kernel end this process with the one that started it, however that died.

    Elsewhere it does nothing: there an ffmpeg outlives a worker that was killed, until its clip is
    done.
    """
    if _LIBC:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def without_collector() -> Iterator[None]:
    """Keep Python's collector of cycles away while many rows are read that all stay alive."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

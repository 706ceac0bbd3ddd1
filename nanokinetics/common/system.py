"""Calls to the operating system: end a child with its parent, flush a file system."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from nanokinetics.common.files import flush

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def flush_folder(folder: Path) -> None:
    """Flush the file system of a folder to the disk. Raises OSError.

    For many small files this is much faster than a flush of each. Systems without `syncfs` flush
    each file of the folder.
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


def kernel_ends_children() -> bool:
    """Whether `die_with_parent` has an effect here."""
    return _LIBC is not None


def die_with_parent() -> None:
    """On Linux, let the kernel kill this process as soon as its parent ends, for any reason.

    On other systems this does nothing: see `kin.lead_group`.
    """
    if _LIBC:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def has_threads() -> bool:
    """Whether this process has several threads, of Python or of a library. Then it may not fork.

    A lock that another thread holds stays locked in the child for ever. Python counts in the same
    way before it warns of `os.fork`.
    """
    try:
        return len(os.listdir("/proc/self/task")) > 1  # noqa: PTH208 - once a clip
    except OSError:  # a system without /proc
        return threading.active_count() > 1


@contextmanager
def without_collector() -> Iterator[None]:
    """Pause Python's garbage collector while many rows are read. All of them stay alive."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

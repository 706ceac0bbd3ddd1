"""The processes that this process starts: they end with it, and its calls end in time.

On Linux the kernel kills a child when its parent ends, for any reason. Elsewhere a process group,
and a thread that watches the parent, do what can be done.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final
from weakref import WeakSet

from nanokinetics.common.system import die_with_parent, kernel_ends_children


def tie() -> Callable[[], None] | None:
    """The `preexec_fn` of a child that must end with this process; None where there is none."""
    return partial(_tied_to, os.getpid()) if kernel_ends_children() else None


def _tied_to(parent: int) -> None:
    die_with_parent()
    if os.getppid() != parent:  # it ended before the line above
        os._exit(1)


_children: WeakSet[subprocess.Popen[Any]] = WeakSet()


def tie_children() -> None:
    """Tie every process that this one starts from now on, by whatever library, to this one.

    yt-dlp and its plugins start JavaScript runtimes and other programs, and nobody can tell them
    how.
    """
    start = subprocess.Popen.__init__
    if getattr(start, "ties", False):
        return

    def tied(self: subprocess.Popen[Any], args: Any, *more: Any, **options: Any) -> None:
        if len(more) < _BEFORE_PREEXEC and options.get("preexec_fn") is None:
            options["preexec_fn"] = tie()
        start(self, args, *more, **options)
        _children.add(self)

    tied.ties = True  # type: ignore[attr-defined]
    subprocess.Popen.__init__ = tied  # type: ignore[method-assign]


_BEFORE_PREEXEC: Final = 5
"""The number of parameters of Popen between `args` and `preexec_fn`."""


def end_children() -> None:
    """Kill what this process has started since `tie_children`. Safe in a signal handler."""
    for child in list(_children):
        if child.returncode is None:
            with suppress(OSError):
                child.kill()


def lead_group(parent: int) -> None:
    """Make this process and its children a group that ends with the parent; not needed on Linux.

    A thread watches the parent. If this process is killed itself, the parent calls `end_group`.
    """
    if kernel_ends_children() or sys.platform == "win32":
        return
    with suppress(OSError):
        os.setpgid(0, 0)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int, every: float = 0.5) -> None:
    while os.getppid() == parent:
        time.sleep(every)
    end_children()
    os.killpg(0, signal.SIGKILL)


def end_group(leader: int | None) -> None:
    """Kill what is left of the group of a child that has ended; see `lead_group`."""
    if leader is None or kernel_ends_children() or sys.platform == "win32":
        return
    with suppress(OSError):
        os.killpg(leader, signal.SIGKILL)


class OutOfTimeError(BaseException):
    """A call took too long. Not an Exception, so that no library takes it for a failed request."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """End the block after some seconds by OutOfTimeError, wherever it waits.

    Only the main thread can be interrupted, and not on Windows; elsewhere there is no limit.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return

    def over(*_: object) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, over)
    # It comes again: an exception that is raised in a destructor is lost.
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), 1.0)
    try:
        yield
    finally:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            signal.signal(signal.SIGALRM, before)

"""The process that workers are forked from, and what every worker does first.

It imports no more than its workers need, since each of them has all of it.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import reduction
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Final, NoReturn

from nanokinetics.common.kin import end_children, lead_group, tie_children
from nanokinetics.common.system import die_with_parent, has_threads

GRACE: Final = 2.0
"""Seconds that a process has to end by itself. After that it is killed."""

_LOOK_EVERY: Final = 0.005

Function = Callable[[Connection, Any], None]
"""The function that a child runs. It gets the child's end of the pipe and one argument."""


def serve(calls: Connection, modules: Sequence[str]) -> None:
    """The main function of the template process.

    It sends True once the modules are imported. After that it answers calls: for (number, function,
    argument) and a pipe it forks a child; for a number it sends the exit code of that child.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - other packages may raise anything
            sys.exit(f"nanokinetics: {module} cannot be imported: {error}")
    _flush()  # a child would write the text in the buffers once more
    multiprocessing.current_process().daemon = False  # a daemon may not start processes
    calls.send(True)
    children: dict[int, _Child] = {}
    with contextlib.suppress(EOFError, OSError):  # the parent closed its end
        while True:
            message = calls.recv()
            if isinstance(message, int):
                child = children.pop(message, None)
                calls.send(None if child is None else child.exit_code())
                continue
            number, function, argument = message
            pipe = Connection(reduction.recv_handle(calls))
            # None if the system allows no more processes. The end of the pipe then says so.
            with contextlib.suppress(OSError):
                children[number] = _started(calls, pipe, function, argument)
            pipe.close()
    for child in children.values():
        child.kill()
    for child in children.values():  # so that the program's processor time includes theirs
        child.exit_code()
    os._exit(0)  # or the output of the program's main file, imported here, would appear again


class _Forked:
    """A forked child, by its process id."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)

    def exit_code(self) -> int:
        """The exit code of a child that has closed its pipe. If it lives on, it is killed."""
        until = time.monotonic() + GRACE
        while True:
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > until:
                self.kill()
                return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
            time.sleep(_LOOK_EVERY)


class _Spawned:
    """The same for a child that is a new Python process."""

    def __init__(self, process: SpawnProcess) -> None:
        self._process = process

    def kill(self) -> None:
        self._process.kill()

    def exit_code(self) -> int | None:
        reap(self._process)
        return self._process.exitcode


_Child = _Forked | _Spawned


def _started(calls: Connection, pipe: Connection, function: Function, argument: object) -> _Child:
    """Start a child. Raises OSError if the system allows no more processes.

    It is forked if that is safe. The program's main file, which was imported here, may have started
    threads, or have imported a library that did.
    """
    if has_threads():
        process = multiprocessing.get_context("spawn").Process(
            target=begin_anew, args=(pipe, function, argument), name="nanokinetics-worker"
        )
        process.start()
        return _Spawned(process)
    template = os.getpid()
    pid = os.fork()
    if pid == 0:
        calls.close()
        _child_main(pipe, function, argument, template)
    return _Forked(pid)


def _child_main(pipe: Connection, function: Function, argument: object, template: int) -> NoReturn:
    """Run a forked child to its end. The clean-up of the template process must not run in it.

    template: the process id of the template.
    """
    code = 1
    try:
        die_with_parent()
        if os.getppid() == template:  # else it died before the line above
            begin(pipe, function, argument)
            code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - reported as the interpreter reports it
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the stream may be closed or missing
            stream.flush()


def begin(pipe: Connection, function: Function, argument: object) -> None:
    """Set the signals of a child and run its function. Only the parent acts on Ctrl-C."""
    die_with_parent()
    tie_children()
    lead_group(os.getppid())
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    else:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    try:
        function(pipe, argument)
    finally:
        end_children()


def begin_anew(pipe: Connection, function: Function, argument: object) -> None:
    """`begin` in a new Python process, unless its parent died while it started."""
    die_with_parent()
    parent = multiprocessing.parent_process()
    if parent is None or os.getppid() == parent.pid:
        begin(pipe, function, argument)


def reap(process: SpawnProcess) -> None:
    process.join(GRACE)
    if process.is_alive():
        process.kill()
        process.join()

"""Child processes: each child runs one function and talks to its parent through a pipe.

On Linux all children are forked from one process, the template. It has already imported the modules
that they need; imports are most of the time of a start. Elsewhere every child is a new Python
process.

The template itself is a new process. So threads of this program, or of a notebook's kernel, do not
matter. But it imports the program's main file, which may start threads, or import a library that
does. Then forking is not safe, and the template starts new Python processes as well.

Python's own fork server is no option: if the program is killed, it leaves a socket in the file
system, and its children stay alive.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import reduction, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Final, Protocol

from nanokinetics.common.kin import end_group
from nanokinetics.errors import EnvironmentFault, InputError
from nanokinetics.workers.template import Function, begin_anew, reap, serve

_UNANSWERED: Final = 30.0
"""Seconds after which a template that gives no exit code is taken for dead."""

SWITCH: Final = "NANOKINETICS_WORKERS"
"""A variable of the environment: `spawn` starts every worker as a new process."""


class Processes(Protocol):
    """Children of this program. The parent's end of a child's pipe stands for the child.

    Only the parent closes its end.
    """

    def start(self, function: Function, argument: object) -> Connection:
        """Start a child; returns the parent's end of its pipe.

        The argument must be picklable, and so must the function, by its name.
        """

    def exit_code(self, child: Connection) -> int | None:
        """The exit code of a child whose pipe has reached its end; None if it is not known."""

    def close(self) -> None:
        """End all children now, busy or not, and wait until they are gone."""


def processes(modules: Sequence[str], environment: Mapping[str, str] = os.environ) -> Processes:
    """The kind of children that suits this system. modules: what the children will import.

    The variable NANOKINETICS_WORKERS chooses it: `spawn` or `fork`. Raises InputError for another
    value.
    """
    kind = environment.get(SWITCH, "")
    if kind not in ("", "fork", "spawn"):
        raise InputError(f"{SWITCH} is '{kind}'; set it to spawn or fork, or leave it unset")
    can_fork = sys.platform == "linux"
    return Forked(modules) if can_fork and kind != "spawn" else Spawned()


class Spawned:
    """Children that are new Python processes."""

    def __init__(self) -> None:
        self._processes: dict[Connection, SpawnProcess] = {}

    def start(self, function: Function, argument: object) -> Connection:
        ours, process = _spawn(function, argument)
        self._processes[ours] = process
        return ours

    def exit_code(self, child: Connection) -> int | None:
        process = self._processes.pop(child, None)
        if process is None:
            return None
        reap(process)
        end_group(process.pid)
        return process.exitcode

    def close(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            reap(process)
            end_group(process.pid)
        self._processes.clear()


class Forked:
    """Children that are forked from one process, the template, and end with it."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = tuple(modules)
        self._template: tuple[Connection, SpawnProcess] | None = None
        self._is_up = False
        self._children: dict[Connection, int] = {}
        self._count = 0

    def start(self, function: Function, argument: object) -> Connection:
        ours, theirs = multiprocessing.Pipe()
        try:
            self._fork_child(theirs, function, argument)
        except (BrokenPipeError, ConnectionResetError):  # the template was killed
            self._stop_template()
            self._fork_child(theirs, function, argument)
        theirs.close()
        self._children[ours] = self._count
        return ours

    def exit_code(self, child: Connection) -> int | None:
        number = self._children.pop(child, None)
        if number is None:
            return None
        try:
            calls = self._calls()
            calls.send(number)
            if not self._is_up:
                self._is_up = bool(calls.recv())
            if not calls.poll(_UNANSWERED):
                raise EOFError  # noqa: TRY301 - as if the template were gone
            code: int | None = calls.recv()
        except (OSError, EOFError):
            self._stop_template()
            return None
        return code

    def close(self) -> None:
        self._stop_template()

    def _fork_child(self, pipe: Connection, function: Function, argument: object) -> None:
        calls = self._calls()
        self._count += 1
        calls.send((self._count, function, argument))
        reduction.send_handle(calls, pipe.fileno(), None)

    def _calls(self) -> Connection:
        if self._template is None:
            self._template = _spawn(serve, self._modules)
        return self._template[0]

    def _stop_template(self) -> None:
        template, self._template = self._template, None
        if template:
            calls, process = template
            if not self._is_up and not calls.poll():
                process.terminate()  # do not wait until its imports are done
            calls.close()
            reap(process)
        self._is_up = False
        self._children.clear()


def _spawn(function: Function, argument: object) -> tuple[Connection, SpawnProcess]:
    """Start a new Python process; returns the parent's end of its pipe, and the process."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=begin_anew,
        args=(theirs, function, argument),
        name="nanokinetics-worker",
        daemon=True,
    )
    if sys.platform != "win32":
        # Python starts this helper with the first process, which would unblock the signals.
        resource_tracker.ensure_running()
    with deferred(signal.SIGINT, signal.SIGTERM), importable_main():
        process.start()
    theirs.close()
    return ours, process


@contextlib.contextmanager
def importable_main() -> Iterator[None]:
    """Hide the name of a main file that is none: a program that was read from standard input.

    New Python processes that are started within the block would try to import that file.
    """
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    if path is None or main.__spec__ is not None or os.path.exists(path):  # noqa: PTH110
        yield
        return
    del main.__file__
    try:
        yield
    finally:
        main.__file__ = path


@dataclass(frozen=True)
class Pending:
    """A function call at work in a child. `result` gives its value."""

    processes: Processes
    child: Connection

    def result(self) -> Any:
        """Wait for the value. Raises the function's own exception, if it raised one.

        Raises EnvironmentFault if the child ended before it could answer.
        """
        try:
            raised, value = self.child.recv()
        except (EOFError, OSError):
            raise EnvironmentFault("processes cannot start here, or are ended at once") from None
        finally:
            self.child.close()
        self.processes.exit_code(self.child)  # it ends by itself
        if raised:
            raise value
        return value


def call(processes: Processes, function: Callable[..., object], *arguments: object) -> Pending:
    """Call a function in a child. The arguments and the value must be picklable."""
    return Pending(processes, processes.start(_answer, (function, arguments)))


def _answer(pipe: Connection, work: tuple[Callable[..., object], tuple[object, ...]]) -> None:
    function, arguments = work
    try:
        pipe.send((False, function(*arguments)))
    except Exception as error:  # noqa: BLE001 - `Pending.result` raises it
        pipe.send((True, error))


@contextlib.contextmanager
def deferred(*signals: signal.Signals) -> Iterator[None]:
    """Defer signals until the block ends. Processes started within it never receive them.

    A terminal sends Ctrl-C to all processes at once. Only the parent may act on it; the parent then
    ends the others and all that they have started. Windows has no such mask: there every process
    receives the signal.
    """
    caught: list[int] = []
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        # The mask alone is not enough: the thread of a library may receive the signal, and Python
        # then interrupts the main thread all the same.
        for each in signals:
            before[each] = signal.signal(each, lambda number, _: caught.append(number))
    masks = sys.platform != "win32"
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signals) if masks else set()
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for each, handler in before.items():
            # The handler is None if it was not set from Python.
            signal.signal(each, handler or signal.SIG_DFL)
        for number in caught:
            signal.raise_signal(number)

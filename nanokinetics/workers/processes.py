"""Child processes: each child runs one function and talks to its parent through a pipe.

On Linux all children are forked from one process, the template. It has already imported the modules
that they need; imports are most of the time of a start. Elsewhere every child is a new Python
process.

Python's own fork server is no option: if the program is killed, it leaves a socket in the file
system, and its children stay alive.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import reduction, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Final, NoReturn, Protocol

from nanokinetics.common.kin import end_children, end_group, lead_group, tie_children
from nanokinetics.common.system import die_with_parent
from nanokinetics.errors import EnvironmentFault

GRACE: Final = 2.0
"""Seconds that a process has to end by itself. After that it is killed."""

Function = Callable[[Connection, Any], None]
"""The function that a child runs. It gets the child's end of the pipe and one argument."""


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


def processes(modules: Sequence[str]) -> Processes:
    """The kind of children that suits this system. modules: what the children will import."""
    return Forked(modules) if sys.platform == "linux" else Spawned()


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
        process.join()
        end_group(process.pid)
        return process.exitcode

    def close(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            _reap(process)
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
            self._template = _spawn(_serve, self._modules)
        return self._template[0]

    def _stop_template(self) -> None:
        template, self._template = self._template, None
        if template:
            calls, process = template
            if not self._is_up and not calls.poll():
                process.terminate()  # do not wait until its imports are done
            calls.close()
            _reap(process)
        self._is_up = False
        self._children.clear()


def _serve(calls: Connection, modules: Sequence[str]) -> None:
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
    calls.send(True)
    template = os.getpid()
    children: dict[int, int] = {}
    with contextlib.suppress(EOFError, OSError):  # the parent closed its end
        while True:
            message = calls.recv()
            if isinstance(message, int):
                pid = children.pop(message, None)
                calls.send(pid and os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                continue
            number, function, argument = message
            pipe = Connection(reduction.recv_handle(calls))
            pid = _fork()
            if pid == 0:
                calls.close()
                _child_main(pipe, function, argument, template)
            if pid:
                children[number] = pid
            pipe.close()
    for pid in children.values():
        os.kill(pid, signal.SIGKILL)
    for pid in children.values():  # so that the program's processor time includes theirs
        os.waitpid(pid, 0)
    os._exit(0)  # or the output of the program's main file, imported here, would appear again


def _fork() -> int | None:
    """Like `os.fork`, but None if the system allows no more processes.

    The parent then sees the end of the child's pipe at once.
    """
    try:
        return os.fork()
    except OSError:
        return None


def _child_main(pipe: Connection, function: Function, argument: object, template: int) -> NoReturn:
    """Run a forked child to its end. The clean-up of the template process must not run in it.

    template: the process id of the template.
    """
    code = 1
    try:
        die_with_parent()
        if os.getppid() == template:  # else it died before the line above
            _begin(pipe, function, argument)
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


def _begin(pipe: Connection, function: Function, argument: object) -> None:
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


def _spawn(function: Function, argument: object) -> tuple[Connection, SpawnProcess]:
    """Start a new Python process; returns the parent's end of its pipe, and the process."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_begin, args=(theirs, function, argument), name="nanokinetics-worker", daemon=True
    )
    if sys.platform != "win32":
        # Python starts this helper with the first process, which would unblock the signals.
        resource_tracker.ensure_running()
    with deferred(signal.SIGINT, signal.SIGTERM):
        process.start()
    theirs.close()
    return ours, process


def _reap(process: SpawnProcess) -> None:
    process.join(GRACE)
    if process.is_alive():
        process.kill()
        process.join()


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

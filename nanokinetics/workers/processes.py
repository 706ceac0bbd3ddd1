"""Child processes, each of which runs one function and is spoken to through a pipe.

On Linux they are forked from one that has imported what they need, once for all of them, which is
most of what starting one takes. (Python's own fork server leaves a socket in the file system behind
when the program is killed, and its children alive.) Elsewhere each is started afresh.
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

from nanokinetics.common.system import die_with_parent
from nanokinetics.errors import EnvironmentFault

GRACE: Final = 2.0
"""Seconds that processes get to end by themselves before they are killed."""

Function = Callable[[Connection, Any], None]
"""What a child runs: its end of the pipe, and what it is told at the start."""


class Processes(Protocol):
    """Children of this program. Each is known by our end of its pipe, which only we close."""

    def start(self, function: Function, told: object) -> Connection:
        """Start one. Both must be picklable, the function by its name."""

    def exit_code(self, child: Connection) -> int | None:
        """How one ended that has ended, by what is read from it; None if nobody knows."""

    def close(self) -> None:
        """End all of them now, whatever they are doing, and wait until they are gone."""


def processes(modules: Sequence[str]) -> Processes:
    """Those of this system. modules: what the children will import."""
    return Forked(modules) if sys.platform == "linux" else Spawned()


class Spawned:
    """Children that are started afresh."""

    def __init__(self) -> None:
        self._processes: dict[Connection, SpawnProcess] = {}

    def start(self, function: Function, told: object) -> Connection:
        ours, process = _spawn(function, told)
        self._processes[ours] = process
        return ours

    def exit_code(self, child: Connection) -> int | None:
        process = self._processes.pop(child, None)
        if process is None:
            return None
        process.join()
        return process.exitcode

    def close(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            _see_off(process)
        self._processes.clear()


class Forked:
    """Children of a child: all are forked from one process, the nursery, and end with it."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = tuple(modules)
        self._nursery: tuple[Connection, SpawnProcess] | None = None
        self._is_up = False
        self._children: dict[Connection, int] = {}
        self._count = 0

    def start(self, function: Function, told: object) -> Connection:
        ours, theirs = multiprocessing.Pipe()
        try:
            self._have_forked(theirs, function, told)
        except (BrokenPipeError, ConnectionResetError):  # the nursery was killed
            self._leave_nursery()
            self._have_forked(theirs, function, told)
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
            self._leave_nursery()
            return None
        return code

    def close(self) -> None:
        self._leave_nursery()

    def _have_forked(self, pipe: Connection, function: Function, told: object) -> None:
        calls = self._calls()
        self._count += 1
        calls.send((self._count, function, told))
        reduction.send_handle(calls, pipe.fileno(), None)

    def _calls(self) -> Connection:
        if self._nursery is None:
            self._nursery = _spawn(_nurse, self._modules)
        return self._nursery[0]

    def _leave_nursery(self) -> None:
        nursery, self._nursery = self._nursery, None
        if nursery:
            calls, process = nursery
            if not self._is_up and not calls.poll():
                process.terminate()  # rather than wait for what it imports
            calls.close()
            _see_off(process)
        self._is_up = False
        self._children.clear()


def _nurse(calls: Connection, modules: Sequence[str]) -> None:
    """What the nursery runs: say when it is up, then fork a child for each pipe that comes in, and
    tell how one ended."""
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - of somebody else's package
            sys.exit(f"nanokinetics: {module} cannot be imported: {error}")
    _flush()  # what a child finds in these it would write again
    calls.send(True)
    nursery = os.getpid()
    children: dict[int, int] = {}
    with contextlib.suppress(EOFError, OSError):  # then nobody calls any more
        while True:
            call = calls.recv()
            if isinstance(call, int):
                pid = children.pop(call, None)
                calls.send(pid and os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                continue
            number, function, told = call
            pipe = Connection(reduction.recv_handle(calls))
            pid = _fork()
            if pid == 0:
                calls.close()
                _live(pipe, function, told, nursery)
            if pid:
                children[number] = pid
            pipe.close()
    for pid in children.values():
        os.kill(pid, signal.SIGKILL)
    for pid in children.values():  # so that their processor time counts for the program
        os.waitpid(pid, 0)
    os._exit(0)  # without another word of what the program's main file has said when imported here


def _fork() -> int | None:
    """As `os.fork`; None when there can be no more processes: then the pipe ends at once."""
    try:
        return os.fork()
    except OSError:
        return None


def _live(pipe: Connection, function: Function, told: object, nursery: int) -> NoReturn:
    """A forked child's whole life: at its end nothing of the nursery's is to be done."""
    code = 1
    try:
        die_with_parent()
        if os.getppid() == nursery:  # or it has died before that took effect
            _begin(pipe, function, told)
            code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - told as the interpreter would
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # nobody may be reading, or there may be none
            stream.flush()


def _begin(pipe: Connection, function: Function, told: object) -> None:
    """What every child does first. A terminal's Ctrl-C is its parent's to act on."""
    die_with_parent()
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    else:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    function(pipe, told)


def _spawn(function: Function, told: object) -> tuple[Connection, SpawnProcess]:
    """Start a process afresh, with our end of its pipe."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_begin, args=(theirs, function, told), name="nanokinetics-worker", daemon=True
    )
    if sys.platform != "win32":
        # Python starts this helper with the first process, and lets the held signals go then.
        resource_tracker.ensure_running()
    with held(signal.SIGINT, signal.SIGTERM):
        process.start()
    theirs.close()
    return ours, process


def _see_off(process: SpawnProcess) -> None:
    process.join(GRACE)
    if process.is_alive():
        process.kill()
        process.join()


@dataclass(frozen=True)
class Answer:
    """What a function returns, or raises, that is at work in a child."""

    processes: Processes
    child: Connection

    def result(self) -> Any:
        """Wait for it. Raises EnvironmentFault when the child was ended before."""
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


def call(processes: Processes, function: Callable[..., object], *arguments: object) -> Answer:
    """Have a function called in a child, which has imported what it may need."""
    return Answer(processes, processes.start(_answer, (function, arguments)))


def _answer(pipe: Connection, told: tuple[Callable[..., object], tuple[object, ...]]) -> None:
    function, arguments = told
    try:
        pipe.send((False, function(*arguments)))
    except Exception as error:  # noqa: BLE001 - raised where the answer is awaited
        pipe.send((True, error))


@contextlib.contextmanager
def held(*signals: signal.Signals) -> Iterator[None]:
    """Act on signals only afterwards, and keep them for good from processes started meanwhile.

    A terminal sends Ctrl-C to all processes at once; only the parent is to act on it, and it ends
    the others, with what they have started. (Windows has no such mask; there all of them see it.)
    """
    caught: list[int] = []
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        # The mask alone would not do: a thread of some library takes the signal, and Python then
        # interrupts the main thread all the same.
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
            signal.signal(each, handler or signal.SIG_DFL)  # None: it was not set from Python
        for number in caught:
            signal.raise_signal(number)

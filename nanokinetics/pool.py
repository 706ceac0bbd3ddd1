"""Worker processes: hand out jobs, take back outcomes, notice the dead.

Every worker has a pipe of its own and at most one job in hand, so a worker that is killed can
neither block the others nor leave a doubt about what it was doing. Nothing is decided here about
what an outcome means.

On Linux workers are forked from a process that has imported what they need, once for all of them
(`preload`); elsewhere each of them is started afresh.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any, Final

from . import fetch
from .clip import Clip, Job, Outcome
from .errors import EnvironmentFault
from .media import die_with_parent, exit_now
from .placer import Placer, PlacerConfig
from .worker import Worker, WorkerConfig

_FORKS: Final = sys.platform == "linux"

GRACE: Final = 2.0
"""Seconds that workers get to end by themselves before they are killed."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Clips have their outcomes; the worker may be busy with more clips of the job."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The video of a job could be opened: the first requests were let through."""

    job: Job


@dataclass(frozen=True, slots=True)
class Idle:
    """A worker has ended its job."""

    job: Job


@dataclass(frozen=True, slots=True)
class Died:
    """A worker ended with a job unfinished. `clips` have no outcome; the first was in its hands."""

    job: Job
    clips: tuple[Clip, ...]
    why: str
    log: str


@dataclass(frozen=True, slots=True)
class NeverStarted:
    """A worker ended before it could take a job: the machine's fault, or that of the options."""

    why: str
    log: str


Event = Finished | Found | Idle | Died | NeverStarted


class _Note(Enum):
    """What a worker says besides outcomes."""

    READY = "ready for the next job"
    FOUND = "the video could be opened"


@dataclass(slots=True)
class _Member:
    """The parent's view of one worker process."""

    process: BaseProcess
    pipe: Connection
    ready: bool = False
    job: Job | None = None
    left: list[Clip] | None = None
    last_words: str = ""


class Pool:
    """Up to `size` worker processes, started when there is work for them."""

    def __init__(self, config: WorkerConfig | PlacerConfig, size: int) -> None:
        self._config = config
        self.size = size
        self._context = _context()
        self._members: list[_Member] = []

    @property
    def busy(self) -> int:
        """Jobs in hand."""
        return sum(member.job is not None for member in self._members)

    @property
    def has_room(self) -> bool:
        return self.busy < self.size

    def warm_up(self, jobs: int) -> None:
        """Start the workers that so many jobs will need, so that they are ready when given one."""
        while len(self._members) < min(jobs, self.size):
            self._start()

    def give(self, job: Job) -> None:
        """Hand a job to a free worker, starting one if need be. Only when there is room."""
        free = sorted((m for m in self._members if m.job is None), key=lambda m: not m.ready)
        member = free[0] if free else self._start()
        try:
            member.pipe.send(job)
        except OSError:  # a free worker has died: the job was never in its hands
            self._members.remove(member)
            member.process.join()
            self.give(job)
        else:
            member.job, member.left = job, list(job.clips)

    def wait(self, timeout: float) -> Iterator[Event]:
        """What has happened, waiting at most `timeout` seconds for something to happen."""
        by_pipe = {member.pipe: member for member in self._members}
        if not by_pipe:
            time.sleep(min(timeout, 1.0))
        for pipe in wait(list(by_pipe), timeout):
            member = by_pipe[pipe]  # type: ignore[index]
            yield from self._hear(member)
            while not member.pipe.closed and member.job and member.pipe.poll():
                yield from self._hear(member)

    def close(self) -> None:
        """End all workers now, whatever they are doing, and wait until they are gone."""
        for member in self._members:
            member.process.terminate()
        until = time.monotonic() + GRACE
        for member in self._members:
            member.process.join(max(0.0, until - time.monotonic()))
            if member.process.is_alive():
                member.process.kill()
                member.process.join()
            member.pipe.close()
        self._members.clear()

    def _start(self) -> _Member:
        prepare(local=isinstance(self._config, PlacerConfig))
        ours, theirs = self._context.Pipe()
        try:
            process = self._started(theirs)
        except (OSError, EOFError):  # what it was to be forked from has ended at this very moment
            process = self._started(theirs)
        theirs.close()
        member = _Member(process, ours)
        self._members.append(member)
        return member

    def _started(self, pipe: Connection) -> BaseProcess:
        process = self._context.Process(
            target=work_for, args=(pipe, self._config), name="nanokinetics-worker", daemon=True
        )
        with held(signal.SIGINT, signal.SIGTERM):
            process.start()
        return process

    def _hear(self, member: _Member) -> Iterator[Event]:
        try:
            message = member.pipe.recv()
        except (EOFError, OSError):
            yield from self._bury(member)
            return
        if message is _Note.FOUND:
            if member.job:
                yield Found(member.job)
        elif message is _Note.READY:
            if member.ready and member.job:
                job, member.job, member.left = member.job, None, None
                yield Idle(job)
            member.ready = True
        elif isinstance(message, str):
            member.last_words = message
        else:
            if member.left:
                done = {outcome.clip.id for outcome in message}
                member.left = [clip for clip in member.left if clip.id not in done]
            yield Finished(message)

    def _bury(self, member: _Member) -> Iterator[Event]:
        self._members.remove(member)
        member.pipe.close()
        member.process.join()
        log = member.last_words
        why = log.strip().splitlines()[-1] if log.strip() else _cause(member.process.exitcode)
        if not member.ready:
            yield NeverStarted(why, log)
        if member.job:
            yield Died(member.job, tuple(member.left or ()), why, log)


def prepare(*, local: bool) -> None:
    """Begin to import what workers need, in the process that they will be forked from.

    It takes a good part of a second, so whoever has as long to do before there is a Pool begins
    with this. local: the workers' videos lie on this machine.
    """
    if sys.platform == "win32":
        return
    # Python starts this helper with the first process, and lets the held signals go then.
    resource_tracker.ensure_running()
    if _FORKS:
        needed = [f"{__package__}.preload", *([] if local else [fetch.YOUTUBE_MODULE])]
        forkserver.set_forkserver_preload(needed)
        with held(signal.SIGINT, signal.SIGTERM):
            forkserver.ensure_running()


def apart(function: Callable[..., Any], *arguments: object) -> Any:
    """What a function returns, or raises, in a process like those of the workers: it may need what
    they have imported."""
    ours, theirs = multiprocessing.Pipe()
    process = _context().Process(target=_call, args=(theirs, function, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        raised, result = ours.recv()
    except EOFError:
        raise EnvironmentFault("worker processes cannot start, or are killed at once") from None
    finally:
        process.join()
        ours.close()
    if raised:
        raise result
    return result


def _call(pipe: Connection, function: Callable[..., Any], arguments: tuple[object, ...]) -> None:
    try:
        pipe.send((False, function(*arguments)))
    except Exception as error:  # noqa: BLE001 - raised where it was asked for
        pipe.send((True, error))


def _context() -> ForkServerContext | SpawnContext:
    if _FORKS:
        return multiprocessing.get_context("forkserver")
    return multiprocessing.get_context("spawn")


def dismiss() -> None:
    """End the process that workers were forked from, when no Pool is left, and wait for it: so its
    processor time, and that of all workers, is counted to this process.

    For a program of which nothing else starts processes in this way; without it, that one ends with
    the program.
    """
    if _FORKS:
        forkserver._forkserver._stop()  # type: ignore[attr-defined]  # noqa: SLF001


def _cause(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"the worker process ended with code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
    return f"the worker process was ended by {name}{hint}"


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


def work_for(pipe: Connection, config: WorkerConfig | PlacerConfig) -> None:
    """What a worker process runs: jobs in, outcomes and notes out.

    An exception that nobody foresaw ends the process; its traceback is the last message.
    """
    die_with_parent()
    signal.signal(signal.SIGTERM, exit_now)
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    else:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    try:
        worker = (
            Placer(config)
            if isinstance(config, PlacerConfig)
            else Worker(config, lambda: pipe.send(_Note.FOUND))
        )
        pipe.send(_Note.READY)
        while True:
            for outcomes in worker.work(pipe.recv()):
                pipe.send(outcomes)
            pipe.send(_Note.READY)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is gone
    except Exception:  # noqa: BLE001 - handed to the parent, which records it
        pipe.send(traceback.format_exc())
        sys.exit(1)

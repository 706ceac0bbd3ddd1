"""Worker processes: hand out jobs, take back outcomes, notice the dead.

Every worker has a pipe of its own and at most one job in hand, so a worker that is killed can
neither block the others nor leave a doubt about what it was doing. Nothing is decided here about
what an outcome means.
"""

from __future__ import annotations

import signal
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from multiprocessing.connection import Connection, wait

from nanokinetics.clip import Clip, Job, Outcome
from nanokinetics.clips.ffmpeg import exit_now
from nanokinetics.clips.placing import Placer, PlacerConfig
from nanokinetics.clips.windows import Worker, WorkerConfig
from nanokinetics.sources import modules_of
from nanokinetics.workers.processes import Processes, processes


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

    pipe: Connection
    ready: bool = False
    job: Job | None = None
    left: list[Clip] | None = None
    last_words: str = ""


def processes_for(source: str) -> Processes:
    """Processes that have imported what the workers of a source need."""
    return processes([__name__, *modules_of(source)])


class Pool:
    """Up to `size` workers, started when there is work for them."""

    def __init__(
        self, config: WorkerConfig | PlacerConfig, size: int, processes: Processes
    ) -> None:
        self._config = config
        self.size = size
        self._processes = processes
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
            self._remove(member)
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
        self._processes.close()
        for member in self._members:
            member.pipe.close()
        self._members.clear()

    def _start(self) -> _Member:
        member = _Member(self._processes.start(work_for, self._config))
        self._members.append(member)
        return member

    def _remove(self, member: _Member) -> int | None:
        self._members.remove(member)
        member.pipe.close()
        return self._processes.exit_code(member.pipe)

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
        exit_code, log = self._remove(member), member.last_words
        why = log.strip().splitlines()[-1] if log.strip() else _cause(exit_code)
        if not member.ready:
            yield NeverStarted(why, log)
        if member.job:
            yield Died(member.job, tuple(member.left or ()), why, log)


def _cause(exit_code: int | None) -> str:
    if exit_code is None:
        return "the worker process could not be started, or ended with what it was forked from"
    if exit_code >= 0:
        return f"the worker process ended with code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
    return f"the worker process was ended by {name}{hint}"


def work_for(pipe: Connection, config: WorkerConfig | PlacerConfig) -> None:
    """What a worker process runs: jobs in, outcomes and notes out.

    An exception that nobody foresaw ends the process; its traceback is the last message.
    """
    signal.signal(signal.SIGTERM, exit_now)
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

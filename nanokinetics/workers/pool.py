"""A pool of worker processes: it hands out jobs, collects results and notices dead workers.

Every worker has its own pipe and at most one job. So a killed worker cannot block the others, and
the job that it had is known. The pool does not know what a job or a result means.
"""

from __future__ import annotations

import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from nanokinetics.common.logs import logger
from nanokinetics.workers.processes import Processes

_log = logger(__name__)


class Step(Protocol):
    """The object in a worker process that does the jobs."""

    def work(self, job: Any) -> Iterator[Any]:
        """Do a job; gives each result as soon as it is ready."""


OpenStep = Callable[[Callable[[], None]], Step]
"""Makes the step of a worker; called once in each. Its argument is a function that sends a `Word`
to the parent. It must be picklable."""


@dataclass(frozen=True, slots=True)
class Result:
    """A job gave a result. The job may not be finished yet."""

    value: Any


@dataclass(frozen=True, slots=True)
class Word:
    """The step sent a signal while it worked on a job."""

    job: Any


@dataclass(frozen=True, slots=True)
class Idle:
    """A worker finished its job."""

    job: Any


@dataclass(frozen=True, slots=True)
class Died:
    """A worker process ended before its job was finished. `log` is its last output."""

    job: Any
    why: str
    log: str


@dataclass(frozen=True, slots=True)
class NeverStarted:
    """A worker process ended before it was ready: the machine or the options are at fault."""

    why: str
    log: str


Event = Result | Word | Idle | Died | NeverStarted


class _Note(Enum):
    """The messages of a worker that are not results."""

    READY = "ready for the next job"
    WORD = "the step sends word"


@dataclass(slots=True)
class _Worker:
    """The parent's view of one worker process."""

    pipe: Connection
    ready: bool = False
    job: Any = None
    last_output: str = ""


class Pool:
    """Up to `size` workers; each starts when there is a job for it."""

    def __init__(self, open_step: OpenStep, size: int, processes: Processes) -> None:
        self._open_step = open_step
        self.size = size
        self._processes = processes
        self._workers: list[_Worker] = []

    def warm_up(self, jobs: int) -> None:
        """Start the workers that this number of jobs needs, so that they are ready in time."""
        while len(self._workers) < min(jobs, self.size):
            self._start()

    def give(self, job: Any) -> None:
        """Give a job to a free worker; starts a worker if none is free. Needs `has_room`."""
        free = sorted((w for w in self._workers if w.job is None), key=lambda w: not w.ready)
        worker = free[0] if free else self._start()
        try:
            worker.pipe.send(job)
        except OSError:  # the free worker is dead and never received the job
            self._remove(worker)
            self.give(job)
        else:
            worker.job = job

    def wait(self, timeout: float) -> Iterator[Event]:
        """The events since the last call. Waits at most `timeout` seconds for the first one."""
        by_pipe = {worker.pipe: worker for worker in self._workers}
        if not by_pipe:
            time.sleep(min(timeout, 1.0))
        for pipe in wait(list(by_pipe), timeout):
            worker = by_pipe[pipe]  # type: ignore[index]
            yield from self._receive(worker)
            while not worker.pipe.closed and worker.job is not None and worker.pipe.poll():
                yield from self._receive(worker)

    def close(self) -> None:
        """End all workers now, busy or not, and wait until they are gone."""
        self._processes.close()
        for worker in self._workers:
            worker.pipe.close()
        self._workers.clear()

    def _start(self) -> _Worker:
        _log.debug("starting worker %d of %d", len(self._workers) + 1, self.size)
        worker = _Worker(self._processes.start(run_worker, self._open_step))
        self._workers.append(worker)
        return worker

    def _remove(self, worker: _Worker) -> int | None:
        self._workers.remove(worker)
        worker.pipe.close()
        return self._processes.exit_code(worker.pipe)

    def _receive(self, worker: _Worker) -> Iterator[Event]:
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            yield from self._reap(worker)
            return
        if message is _Note.WORD:
            if worker.job is not None:
                yield Word(worker.job)
        elif message is _Note.READY:
            if worker.ready and worker.job is not None:
                job, worker.job = worker.job, None
                yield Idle(job)
            worker.ready = True
        elif isinstance(message, str):
            worker.last_output = message
        else:
            yield Result(message)

    def _reap(self, worker: _Worker) -> Iterator[Event]:
        exit_code, log = self._remove(worker), worker.last_output
        why = log.strip().splitlines()[-1] if log.strip() else _cause(exit_code)
        _log.warning("a worker has ended: %s", why)
        if not worker.ready:
            yield NeverStarted(why, log)
        if worker.job is not None:
            yield Died(worker.job, why, log)


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


def run_worker(pipe: Connection, open_step: OpenStep) -> None:
    """The main function of a worker process: it receives jobs and sends results and notes.

    An unexpected exception ends the process; its traceback is the last message.
    """
    try:
        step = open_step(lambda: pipe.send(_Note.WORD))
        pipe.send(_Note.READY)
        while True:
            for result in step.work(pipe.recv()):
                pipe.send(result)
            pipe.send(_Note.READY)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is gone
    except Exception:  # noqa: BLE001 - handed to the parent, which records it
        pipe.send(traceback.format_exc())
        sys.exit(1)

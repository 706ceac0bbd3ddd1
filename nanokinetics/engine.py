"""The loop of a build: who is asked next, what each outcome means, and what is written down.

The engine runs in the parent process and owns quotas, pacing and the ledger. It is the only one
that gives a file its final name or appends a row.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from .clip import ADOPTED, Clip, ClipId, Failed, Job, Made
from .errors import Blocked, EnvironmentFault, Failure, Kind, Reason
from .failed_logs import FailedLogs, mask
from .layout import Layout
from .ledger import Ledger, utc
from .pacing import Pacer, Ticket
from .pool import Died, Event, Finished, Idle, NeverStarted, Pool
from .progress import Progress, Reporter
from .quotas import Quotas

TICK: Final = 0.5
"""Seconds between two looks at the clock while nothing happens."""

IN_A_ROW: Final = 5
"""Videos without formats, or that end their worker, which speak against the machine if none in
between could be made."""

FALSE_STARTS: Final = 3
"""Workers that may end before their first job, in a row, before the run gives up."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the time comes from: `steady` never goes back, `wall` is seconds since the epoch."""

    steady: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class Engine:
    """One run over one selection."""

    def __init__(
        self,
        *,
        source: str,
        quotas: Quotas,
        ledger: Ledger,
        layout: Layout,
        pool: Pool,
        pacer: Pacer,
        logs: FailedLogs,
        reporter: Reporter,
        clock: Clock,
    ) -> None:
        self._source = source
        self._quotas = quotas
        self._ledger = ledger
        self._layout = layout
        self._pool = pool
        self._pacer = pacer
        self._logs = logs
        self._reporter = reporter
        self._clock = clock
        self.reasons: Counter[Reason] = Counter()
        """Why clips failed in this run."""
        self._tickets: dict[Job, Ticket] = {}
        self._jobs: dict[ClipId, Job] = {}
        self._dead: dict[str, Failure] = {}
        self._suspects: deque[Clip] = deque()
        self._alone = False
        self._crashes: Counter[ClipId] = Counter()
        self._doubtful: list[Failed] = []
        self._provisional: set[ClipId] = set()
        self._anything_made = False
        self._false_starts = 0
        self._given_up: str | None = None
        self._blocked_by = ""

    def run(self) -> None:
        """Make clips until every quota is met or nothing is left to try.

        Raises Blocked when waiting has passed its limit, EnvironmentFault when the machine is at
        fault. All that was finished by then is in the ledger.
        """
        while True:
            self._dispatch()
            self._reporter.update(self._progress())
            if not self._pool.busy:
                if self._given_up:
                    raise Blocked(self._given_up)
                if not (self._quotas.waiting or self._suspects):
                    if not self._doubtful:
                        return
                    self._look_further()
                    continue
            for event in self._pool.wait(self._patience()):
                self._handle(event)

    @property
    def refusals(self) -> int:
        """Times that YouTube refused and everybody waited."""
        return self._pacer.refusals

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        self._pool.close()

    def _dispatch(self) -> None:
        """Hand out as many jobs as there are free workers and the gate lets through."""
        while self._pool.has_room and not self._alone and self._given_up is None:
            now = self._clock.steady()
            if self._pacer.delay(now) != 0:
                return
            if self._suspects:
                if self._pool.busy:
                    return
                clips: tuple[Clip, ...] = (self._suspects.popleft(),)
                self._alone = True
            else:
                clips = self._alive(self._quotas.next())
                if not clips:
                    if self._quotas.waiting:
                        continue
                    return
            job = Job(self._source, clips)
            self._tickets[job] = self._pacer.start(now)
            self._jobs.update((clip.id, job) for clip in clips)
            self._pool.give(job)

    def _alive(self, clips: tuple[Clip, ...]) -> tuple[Clip, ...]:
        """The clips whose video is not known to be gone; the others fail without asking again."""
        for clip in clips:
            if failure := self._dead.get(clip.youtube_id):
                self._record(Failed(clip, failure, attempts=0, log="(another clip of the video)"))
        return tuple(clip for clip in clips if clip.youtube_id not in self._dead)

    def _patience(self) -> float:
        delay = self._pacer.delay(self._clock.steady())
        return TICK if not delay else min(TICK, delay)

    def _handle(self, event: Event) -> None:
        match event:
            case Finished(outcome=Made() as made):
                self._made(made)
            case Finished(outcome=Failed() as failed):
                self._failed(failed)
            case Idle(job=job):
                self._end(job)
            case Died(job=job, clips=clips, why=why, log=log):
                self._end(job)
                for place, clip in enumerate(clips):
                    del self._jobs[clip.id]
                    if place == 0:
                        self._crashed(Failed(clip, Failure(Reason.WORKER_DIED, why), log=log))
                    else:
                        self._quotas.put_back(clip)
            case NeverStarted(why=why, log=log):
                self._false_starts += 1
                if self._false_starts >= FALSE_STARTS:
                    raise EnvironmentFault(f"worker processes cannot start: {why}")

    def _end(self, job: Job) -> None:
        self._pacer.unanswered(self._tickets.pop(job))
        self._alone = False

    def _made(self, made: Made) -> None:
        job = self._jobs.pop(made.clip.id)
        if made.source != ADOPTED:
            self._pacer.answered(self._tickets[job])
            self._anything_made = True
        self._false_starts = 0
        final = self._layout.clip(made.clip)
        try:
            if made.temporary is not None:
                final.parent.mkdir(parents=True, exist_ok=True)
                os.replace(made.temporary, final)  # noqa: PTH105 - a path that came as text
            self._ledger.made(made, self._clock.wall())
        except OSError as error:
            raise _fault(error) from error
        self._quotas.finished(made.clip)
        if self._doubtful and made.source != ADOPTED:
            self._blame_clips()

    def _failed(self, failed: Failed) -> None:
        job = self._jobs.pop(failed.clip.id)
        failure, ticket = failed.failure, self._tickets[job]
        self._false_starts = 0
        if failure.kind is Kind.BLOCKED:
            self._quotas.put_back(failed.clip)
            self._refused(ticket, failure)
            return
        if failure.reason not in _NO_ANSWER:
            self._pacer.answered(ticket)
        if failure.kind is Kind.CRASHED:
            self._crashed(failed)
        elif failure.reason is Reason.NO_FORMATS:
            self._doubt(failed)
        elif failure.kind is Kind.ENVIRONMENT:
            raise EnvironmentFault(f"{_REMEDIES[failure.reason]} ({mask(failure.message)})")
        else:
            self._record(failed)

    def _record(self, failed: Failed) -> None:
        """Write a failure down, and let its class draw the next candidate unless it may pass."""
        at, failure = self._clock.wall(), failed.failure
        masked = replace(failed, failure=replace(failure, message=mask(failure.message)))
        try:
            self._ledger.failed(masked, self._logs.write(masked, utc(at)), at)
        except OSError as error:
            raise _fault(error) from error
        self.reasons[failure.reason] += 1
        if failure.reason.about_the_video:
            self._dead[failed.clip.youtube_id] = failure
        if failure.reason.replaced:
            # Whatever an earlier run may have left there is not of the dataset any more.
            self._layout.clip(failed.clip).unlink(missing_ok=True)
            if failed.clip.id not in self._provisional:
                self._quotas.out(failed.clip)
        else:
            self._quotas.hold(failed.clip)

    def _refused(self, ticket: Ticket, failure: Failure) -> None:
        self._blocked_by = failure.reason.replace("_", " ")
        too_long = self._pacer.refused(ticket, self._clock.steady(), failure.retry_after)
        if too_long and self._given_up is None:
            until = self._clock.wall() + (self._pacer.delay(self._clock.steady()) or 0.0)
            self._given_up = (
                f"YouTube refuses this address ({self._blocked_by}): {self._quotas.made} of "
                f"{self._quotas.wanted} clips are made and nothing is lost; run the same command "
                f"again after {utc(until)}"
            )

    def _crashed(self, failed: Failed) -> None:
        """A clip that ended its worker is tried once more, alone; a second time it is out."""
        self._crashes[failed.clip.id] += 1
        if self._crashes[failed.clip.id] < 2:
            self._suspects.append(failed.clip)
        else:
            self._doubt(replace(failed, attempts=2))

    def _doubt(self, failed: Failed) -> None:
        """Nobody knows yet whose fault it is: the clip's, or that of this machine for all."""
        self._doubtful.append(failed)
        if len({each.clip.youtube_id for each in self._doubtful}) >= IN_A_ROW:
            raise self._blame_machine()

    def _blame_machine(self) -> EnvironmentFault:
        failure = self._doubtful[-1].failure
        return EnvironmentFault(f"{_REMEDIES[failure.reason]} ({mask(failure.message)})")

    def _look_further(self) -> None:
        """Nothing else is left to try: see whether the reserves can be made, before judging."""
        fresh = [f.clip for f in self._doubtful if f.clip.id not in self._provisional]
        for clip in fresh:
            self._provisional.add(clip.id)
            self._quotas.out(clip)
        if fresh:
            return
        if not self._anything_made:
            raise self._blame_machine()
        self._blame_clips()

    def _blame_clips(self) -> None:
        """Others could be made, so these clips are at fault."""
        while self._doubtful:
            self._record(self._doubtful.pop())

    def _progress(self) -> Progress:
        now, wall = self._clock.steady(), self._clock.wall()
        closed = self._pacer.closed_until
        rest = self._pacer.delay(now) if self._quotas.waiting and closed is None else 0.0
        return Progress(
            made=self._quotas.made,
            wanted=self._quotas.wanted,
            replaced=self._quotas.replaced,
            held=self._quotas.held,
            in_hand=len(self._jobs),
            blocked_until=wall + closed - now if closed is not None and closed > now else None,
            blocked_by=self._blocked_by,
            resting_until=wall + rest if rest else None,
        )


_NO_ANSWER: Final = frozenset({Reason.TIMEOUT, Reason.NETWORK, Reason.WORKER_DIED})
"""What says nothing of whether YouTube would have answered."""

_REMEDIES: Final = {
    Reason.DISK_FULL: "the disk is full; make room and run the same command again",
    Reason.NOT_WRITABLE: "the destination cannot be written to; mend that and run the same command",
    Reason.NO_FFMPEG: "ffmpeg is missing; install it, or name one with --ffmpeg FILE",
    Reason.NO_FORMATS: "YouTube offers this machine no formats at all; update yt-dlp "
    "(pip install -U 'yt-dlp[default,deno]') and run the same command again",
    Reason.WORKER_DIED: "worker processes die on every clip; if memory is short, use fewer "
    "--workers, and run the same command again",
}


def _fault(error: OSError) -> EnvironmentFault:
    where = f": {error.filename}" if error.filename else ""
    return EnvironmentFault(
        f"{error.strerror or error}{where}; mend that and run the same command again"
    )

"""The main loop of a build: it starts jobs and handles their outcomes.

The engine runs in the parent process. `quotas` chooses the next clip, `pacing` decides when its
request may start, and `blame` decides what caused a failure. Only `books` writes to the dataset.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from nanokinetics.clip import ADOPTED, Clip, ClipId, Failed, Job, Made
from nanokinetics.common.logs import logger
from nanokinetics.engine.blame import Blame
from nanokinetics.engine.books import Books, Clock, masked_failure
from nanokinetics.engine.canary import Canary
from nanokinetics.engine.pacing import Pacer, Ticket
from nanokinetics.engine.quotas import Quotas
from nanokinetics.engine.shared_hour import Alone
from nanokinetics.engine.verdicts import (
    AskCanary,
    CloseGate,
    Doubt,
    EndRun,
    LetIn,
    PutBack,
    Request,
    TryAlone,
    Verdict,
    WriteDown,
)
from nanokinetics.engine.waiting import TICK, Waiting, blocked_error, progress_of
from nanokinetics.errors import EnvironmentFault, Failure, Kind, Reason
from nanokinetics.progress import Progress, Reporter
from nanokinetics.sources import Source
from nanokinetics.workers.pool import Died, Event, Idle, NeverStarted, Pool, Result, Word

FALSE_STARTS: Final = 3
"""Number of workers that may end before their first job, in a row, before the run gives up."""

_log = logger(__name__)


class Engine:
    """One run over one selection. together: the most videos in one job."""

    def __init__(
        self,
        *,
        source: Source,
        together: int = 1,
        quotas: Quotas,
        books: Books,
        pool: Pool,
        pacer: Pacer,
        shared: Alone,
        reporter: Reporter,
        clock: Clock,
    ) -> None:
        self._source = source
        self._together = together
        self._quotas = quotas
        self._books = books
        self._pool = pool
        self._pacer = pacer
        self._shared = shared
        self._reporter = reporter
        self._clock = clock
        self._blame = Blame(
            Canary(quotas.made_before(), source.canary()),
            said_before=books.state.said,
            shared=source.remote,
        )
        self._waiting = Waiting(books, clock)
        self._began = clock.steady()
        self._made_before = quotas.made
        self._fetched = 0
        self.reasons: Counter[Reason] = Counter()
        """The number of failures in this run, by reason."""
        self.fixable: Counter[str] = Counter()
        """Faults of a local source, such as a damaged archive, and how many clips each affects."""
        self._causes: dict[str, str] = {}
        """The first message of each cause for which the source cannot be read."""
        self._tickets: dict[Job, Ticket] = {}
        """The jobs in hand, and the permission of each."""
        self._requests: dict[Job, Request] = {}
        """The jobs in hand, as blame knows them."""
        self._jobs: dict[ClipId, Job] = {}
        self._gone: dict[str, Failure] = {}
        """Videos that are gone: every clip of them fails in the same way."""
        self._canaries: deque[Job] = deque()
        self._suspects: deque[Job] = deque()
        """Jobs that start only while no other job runs. Canaries do not wait for that."""
        self._alone: Job | None = None
        self._shown: tuple[int, ...] = ()
        self._shown_at = float("-inf")
        self._false_starts = 0
        self._given_up = False
        self._blocked_by: Failure | None = None

    def run(self) -> None:
        """Make clips until every quota is met or no candidate is left.

        Raises Blocked if the wait exceeds its limit, and EnvironmentFault if the machine is at
        fault. All clips finished before are in the ledger.
        """
        while True:
            self._dispatch()
            self._waiting.note(self._waiting_for())
            self._report()
            if not self._tickets:
                if self._given_up:
                    raise blocked_error(self._blocked_by, self._quotas, self._opens_at())
                if not (self._quotas.waiting or self._suspects or self._canaries):
                    verdicts = self._blame.nothing_left()
                    if verdicts is None:
                        return
                    self._carry_out(verdicts)
                    continue
            for event in self._pool.wait(self._until_next_look()):
                self._handle(event)

    @property
    def refusals(self) -> int:
        """Number of times that the source refused and all requests waited."""
        return self._pacer.refusals

    def close(self) -> None:
        """End all workers, busy or not."""
        self._pool.close()
        if self._books.are_there:
            self._waiting.end()

    def _dispatch(self) -> None:
        """Start as many jobs as the free workers and the gate allow."""
        while len(self._tickets) < self._pool.size and self._alone is None and not self._given_up:
            if self._pacer.delay(self._clock.steady()) != 0 or not self._has_work():
                return
            self._pool.warm_up(self._quotas.waiting)
            with self._shared.turn() as starts:
                now = self._clock.steady()
                if starts is not None:
                    self._pacer.recount(starts)
                if self._pacer.delay(now) != 0:  # other runs were faster
                    return
                job = self._next_job()
                if job is None:
                    continue
                self._shared.take()
                self._tickets[job] = self._pacer.start(now)
            _log.debug("asking for %s%s", job.clips[0].key, " as the canary" * job.anew)
            self._requests[job] = Request(now, job.anew)
            self._jobs.update((clip.id, job) for clip in job.clips)
            self._pool.give(job)

    def _has_work(self) -> bool:
        """Whether there is something to ask for now. Suspects wait until no other job runs."""
        if self._suspects and not self._canaries:
            return not self._tickets
        return bool(self._canaries or self._quotas.waiting)

    def _next_job(self) -> Job | None:
        """The next job; None if all videos that it would be about are known to be gone."""
        if self._canaries:
            self._alone = self._canaries.popleft()
            return self._alone
        if self._suspects:
            self._alone = self._suspects.popleft()
            return self._alone
        clips = self._without_gone(self._quotas.next(self._batch()))
        return Job(clips) if clips else None

    def _batch(self) -> int:
        """Number of videos for the next job: as many as allowed, but every worker gets some."""
        return max(1, min(self._together, self._quotas.waiting // self._pool.size))

    def _without_gone(self, clips: tuple[Clip, ...]) -> tuple[Clip, ...]:
        """Record the clips whose video is known to be gone as failed; returns the others."""
        for clip in clips:
            if failure := self._gone.get(clip.youtube_id):
                self._record(Failed(clip, failure, attempts=0, log="(another clip of the video)"))
        return tuple(clip for clip in clips if clip.youtube_id not in self._gone)

    def _until_next_look(self) -> float:
        """Seconds to wait for events before the next look at the clock."""
        delay = self._pacer.delay(self._clock.steady())
        return TICK if not delay else min(TICK, delay)

    def _waiting_for(self) -> str | None:
        """Why no request may start, as written to `waits.csv`; None if requests may start."""
        if self._pacer.closed_since is not None:
            return str(self._blocked_by.reason if self._blocked_by else Reason.RATE_LIMITED)
        rest = self._pacer.delay(self._clock.steady()) if self._quotas.waiting else 0.0
        return Waiting.BUDGET if rest and rest > max(TICK, self._pacer.spacing) else None

    def _handle(self, event: Event) -> None:
        match event:
            case Result(value=outcomes):
                made: list[Made] = []
                for outcome in outcomes:
                    if isinstance(outcome, Made):
                        made.append(outcome)
                    else:
                        self._made(made)
                        made = []
                        self._failed(outcome)
                self._made(made)
            case Word(job=job):
                self._pacer.found(self._tickets[job])
                self._blame.found(self._requests[job], self._clock.steady())
            case Idle(job=job):
                self._pacer.unanswered(self._end(job))
            case Died(job=job, why=why, log=log):
                self._died(job, why, log)
            case NeverStarted(why=why, log=log):
                _log.warning("a worker could not start: %s\n%s", why, log)
                self._false_starts += 1
                if self._false_starts >= FALSE_STARTS:
                    raise EnvironmentFault(f"worker processes cannot start: {why}")

    def _end(self, job: Job) -> Ticket:
        if self._alone is job:
            self._alone = None
        ticket = self._tickets.pop(job)
        self._carry_out(self._blame.ended(self._requests.pop(job)))
        return ticket

    def _died(self, job: Job, why: str, log: str) -> None:
        """A worker died. It was working on the first clip of its job that has no outcome."""
        request = self._requests[job]
        ticket = self._end(job)
        self._pacer.unanswered(ticket)
        left = [clip for clip in job.clips if self._jobs.get(clip.id) is job]
        if not left:  # it died after its last outcome
            return
        first, *others = left
        for clip in left:
            del self._jobs[clip.id]
        failed = Failed(first, Failure(Reason.WORKER_DIED, why), log=log)
        now = self._clock.steady()
        self._carry_out(self._blame.died(failed, request, now), ticket)
        for clip in others:
            self._quotas.put_back(clip)

    def _made(self, batch: Sequence[Made]) -> None:
        """Handle clips of one job that were finished together; the batch may be empty."""
        if not batch:
            return
        for made in batch:
            job = self._jobs.pop(made.clip.id)
        ticket = self._tickets[job]
        asked = [made for made in batch if made.source != ADOPTED]
        self._fetched += sum(made.downloaded_bytes for made in asked)
        self._false_starts = 0
        if asked:
            self._pacer.answered(ticket, self._clock.steady())
        if job.anew:
            self._books.throw_away(asked)
        else:
            _log.debug("made %s", ", ".join(made.clip.key for made in batch))
            try:
                self._books.keep(batch)
            finally:
                for made in batch:
                    if made.clip.id in self._books.paths:
                        self._quotas.finished(made.clip)
        clips = [made.clip for made in asked]
        self._carry_out(self._blame.made(clips, self._requests[job]), ticket)

    def _failed(self, failed: Failed) -> None:
        job = self._jobs.pop(failed.clip.id)
        ticket = self._tickets[job]
        self._false_starts = 0
        now = self._clock.steady()
        self._carry_out(self._blame.failed(failed, self._requests[job], now), ticket)

    def _carry_out(self, verdicts: Iterable[Verdict], ticket: Ticket | None = None) -> None:
        """Carry out the verdicts of blame. ticket: the request whose outcome was judged."""
        for verdict in verdicts:
            match verdict:
                case WriteDown(failed=failed):
                    self._record(failed)
                case Doubt(failed=failed):
                    _log.debug("not judged yet: %s (%s)", failed.clip.key, failed.failure.reason)
                    self._quotas.doubt(failed.clip)
                case PutBack(clip=clip):
                    self._quotas.put_back(clip)
                case TryAlone(clip=clip):
                    self._suspects.append(Job((clip,)))
                case AskCanary(clip=clip):
                    self._canaries.append(Job((clip,), anew=True))
                case LetIn() if ticket:
                    self._pacer.answered(ticket, self._clock.steady())
                case CloseGate(failure=failure) if ticket:
                    self._refused(ticket, failure)
                case EndRun(failure=failure) if failure.kind is Kind.BLOCKED:
                    raise blocked_error(failure, self._quotas, self._opens_at())
                case EndRun(failure=failure, shown=shown):
                    self._books.check()  # a destination that is gone explains more than the failure
                    fault = EnvironmentFault.of(masked_failure(failure))
                    log = self._books.log(shown)
                    raise EnvironmentFault(f"{fault}; {log} has more") if log else fault

    def _record(self, failed: Failed) -> None:
        """Record a failure. Its class draws the next candidate, unless the failure may pass."""
        failure = failed.failure
        _log.info("%s: %s (%s)", failed.clip.key, failure.reason, failure.message)
        self._books.failed(failed)
        self.reasons[failure.reason] += 1
        if failure.reason.about_the_video and self._source.shares_fate:
            self._gone[failed.clip.youtube_id] = failure
        if failure.kind is Kind.TRANSIENT and not self._source.remote:
            self.fixable[self._fault_of_source(failure)] += 1
        if failure.reason.replaced:
            self._books.discard(failed.clip)
            self._quotas.out(failed.clip)
        else:
            self._quotas.hold(failed.clip)

    def _fault_of_source(self, failure: Failure) -> str:
        """The fault and its remedy. Files that fail for one cause are one fault, named by one."""
        cause = failure.message
        if failure.reason is Reason.SOURCE_AWAY:
            cause = self._causes.setdefault(cause.rpartition(": ")[2], cause)
        elif failure.reason is not Reason.ARCHIVE_DAMAGED:
            return cause
        return f"{failure.remedy} ({cause})"

    def _refused(self, ticket: Ticket, failure: Failure) -> None:
        _log.info("refused: %s", failure.reason)
        self._blocked_by = failure
        if self._pacer.refused(ticket, self._clock.steady(), failure.retry_after):
            self._given_up = True

    def _opens_at(self) -> float:
        """When the next request may start, in seconds since the epoch."""
        return self._clock.wall() + (self._pacer.delay(self._clock.steady()) or 0.0)

    def _report(self) -> None:
        """Show the progress if a count has changed, and otherwise once a tick."""
        now, quotas = self._clock.steady(), self._quotas
        counts = (len(self._jobs), quotas.made, quotas.replaced, quotas.held, quotas.waiting)
        if counts == self._shown and now < self._shown_at + TICK:
            return
        self._shown, self._shown_at = counts, now
        self._reporter.update(self.progress)

    @property
    def progress(self) -> Progress:
        """The progress at present, with what this run has done."""
        waited = self._waiting.seconds
        now = progress_of(
            self._quotas,
            self._pacer,
            self._clock,
            len(self._jobs),
            self._blocked_by,
            shares_budget=self._shared.is_shared,
        )
        return replace(
            now,
            new=self._quotas.made - self._made_before,
            fetched_bytes=self._fetched,
            worked_seconds=max(0.0, self._clock.steady() - self._began - waited),
            waited_seconds=waited,
        )

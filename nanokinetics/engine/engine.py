"""The loop of a build: who is asked next, what each outcome means, and what is written down.

The engine runs in the parent process and owns quotas, pacing and the ledger. It is the only one
that gives a file its final name or appends a row.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from nanokinetics.clip import ADOPTED, Clip, ClipId, Failed, Job, Made
from nanokinetics.common.secrets import mask
from nanokinetics.config import YOUTUBE
from nanokinetics.dataset.home import Home
from nanokinetics.dataset.ledger import Ledger, utc
from nanokinetics.engine.control import Control
from nanokinetics.engine.doubts import Doubts, ending, is_doubtful, is_refusal, is_worth_waiting
from nanokinetics.engine.failed_logs import FailedLogs
from nanokinetics.engine.pacing import Pacer, Ticket
from nanokinetics.engine.quotas import Quotas
from nanokinetics.errors import Blocked, EnvironmentFault, Failure, Kind, Reason
from nanokinetics.layout import MP4, Layout
from nanokinetics.progress import Progress, Reporter
from nanokinetics.workers.pool import Died, Event, Finished, Found, Idle, NeverStarted, Pool

TICK: Final = 0.5
"""Seconds between two looks at the clock while nothing happens."""

BUDGET: Final = "hourly_budget"
"""Why a run waits, in `waits.csv`, apart from the reasons of failures."""

FALSE_STARTS: Final = 3
"""Workers that may end before their first job, in a row, before the run gives up."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the time comes from: `steady` never goes back, `wall` is seconds since the epoch."""

    steady: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class Engine:
    """One run over one selection. `together` is how many videos one job may hold."""

    def __init__(
        self,
        *,
        source: str,
        together: int = 1,
        quotas: Quotas,
        ledger: Ledger,
        layout: Layout,
        home: Home,
        pool: Pool,
        pacer: Pacer,
        logs: FailedLogs,
        reporter: Reporter,
        clock: Clock,
    ) -> None:
        self._source = source
        self._together = together
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
        self.mendable: Counter[str] = Counter()
        """What is wrong with a local source, such as a damaged archive, and how many clips wait."""
        self.paths: dict[ClipId, str] = {}
        """Where the clips lie that were made in this run."""
        self._tickets: dict[Job, Ticket] = {}
        self._jobs: dict[ClipId, Job] = {}
        self._dead: dict[str, Failure] = {}
        self._suspects: deque[Clip] = deque()
        self._alone: Job | None = None
        self._crashes: Counter[ClipId] = Counter()
        self._doubts = Doubts()
        self._control = Control(quotas.made_before(), quotas.untried())
        self._aside: list[Clip] = []
        self._suspected_at: float | None = None
        self._anything_made = False
        self._home = home
        self._false_starts = 0
        self._given_up = False
        self._blocked_by: Reason | None = None
        self._waiting: tuple[float, str] | None = None

    def run(self) -> None:
        """Make clips until every quota is met or nothing is left to try.

        Raises Blocked when waiting has passed its limit, EnvironmentFault when the machine is at
        fault. All that was finished by then is in the ledger.
        """
        while True:
            self._dispatch()
            self._note_waiting()
            self._reporter.update(self._progress())
            if not self._pool.busy:
                if self._given_up:
                    raise Blocked(self._goodbye())
                if not (self._quotas.waiting or self._suspects or self._control.is_wanted):
                    if not self._look_further():
                        return
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
        if self._home.is_there:
            self._note_waiting(at_end=True)

    def _dispatch(self) -> None:
        """Hand out as many jobs as there are free workers and the gate lets through."""
        while self._pool.has_room and self._alone is None and not self._given_up:
            now = self._clock.steady()
            if self._pacer.delay(now) != 0:
                return
            self._pool.warm_up(self._quotas.waiting)
            if self._control.is_wanted:
                job = self._alone = self._control.job(self._source)
            elif self._suspects:
                if self._pool.busy:
                    return
                job = self._alone = Job(self._source, (self._suspects.popleft(),))
            else:
                clips = self._alive(self._quotas.next(self._batch()))
                if not clips:
                    if self._quotas.waiting:
                        continue
                    return
                job = Job(self._source, clips)
            self._tickets[job] = self._pacer.start(now)
            self._jobs.update((clip.id, job) for clip in job.clips)
            self._pool.give(job)

    def _note_waiting(self, *, at_end: bool = False) -> None:
        """Write down the waiting that is over: since when, and what for."""
        why = None if at_end else self._waiting_for()
        before = self._waiting
        if why == (before[1] if before else None):
            return
        now = self._clock.wall()
        self._waiting = (now, why) if why else None
        if before:
            try:
                self._ledger.waited(before[0], now, before[1])
            except OSError as error:
                if not at_end:  # then the reason why the run ends is worth more
                    raise _unwritable(error) from error

    def _waiting_for(self) -> str | None:
        if self._pacer.closed_since is not None:
            return str(self._blocked_by or Reason.RATE_LIMITED)
        rest = self._pacer.delay(self._clock.steady()) if self._quotas.waiting else 0.0
        return BUDGET if rest and rest > max(TICK, self._pacer.spacing) else None

    def _batch(self) -> int:
        """Videos for one job: many where each is little work, but enough for all workers."""
        return max(1, min(self._together, self._quotas.waiting // self._pool.size))

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
            case Finished(outcomes=outcomes):
                made: list[Made] = []
                for outcome in outcomes:
                    if isinstance(outcome, Made):
                        made.append(outcome)
                    else:
                        self._made(made)
                        made = []
                        self._failed(outcome)
                self._made(made)
            case Found(job=job):
                self._pacer.found(self._tickets[job])
            case Idle(job=job):
                self._end(job)
            case Died(job=job, clips=clips, why=why, log=log):
                self._end(job)
                for place, clip in enumerate(clips):
                    del self._jobs[clip.id]
                    if place == 0:
                        self._crashed(Failed(clip, Failure(Reason.WORKER_DIED, why), log=log), job)
                    else:
                        self._quotas.put_back(clip)
            case NeverStarted(why=why, log=log):
                self._false_starts += 1
                if self._false_starts >= FALSE_STARTS:
                    raise EnvironmentFault(f"worker processes cannot start: {why}")

    def _end(self, job: Job) -> None:
        self._pacer.unanswered(self._tickets.pop(job))
        if self._alone is job:
            self._alone = None

    def _made(self, batch: Sequence[Made]) -> None:
        """Clips of one job that came together, if any."""
        if not batch:
            return
        for made in batch:
            job = self._jobs.pop(made.clip.id)
        ticket = self._tickets[job]
        asked = [made for made in batch if made.source != ADOPTED]
        self._false_starts = 0
        if asked:
            self._pacer.answered(ticket, self._clock.steady())
        if job.anew:
            self._control.back()
            for made in asked:
                if made.temporary is not None:
                    self._home.remove(made.temporary)
            self._others_can_be_made(ticket.at)
            return
        self._home.check()
        try:
            self._keep(batch)
        except OSError as error:
            raise _unwritable(error) from error
        for made in asked:
            self._control.made(made.clip)
        if asked:
            self._anything_made = True
            self._others_can_be_made(ticket.at)

    def _keep(self, batch: Sequence[Made]) -> None:
        """Give the files their names, then append their rows: if one cannot be named, those of the
        others."""
        named: dict[str, Made] = {}
        try:
            for made in batch:
                path = self._layout.clip_path(made.clip, made.suffix)
                if made.temporary is not None:
                    self._home.commit(made.temporary, path)
                named[path] = made
        finally:
            self._ledger.made(named.values(), self._clock.wall())
            for path, made in named.items():
                self.paths[made.clip.id] = path
                self._quotas.finished(made.clip)

    def _failed(self, failed: Failed) -> None:
        job = self._jobs.pop(failed.clip.id)
        failure, ticket = failed.failure, self._tickets[job]
        self._false_starts = 0
        if failure.kind is Kind.ENVIRONMENT and not is_doubtful(failed):
            self._home.check()  # that it went away says more than what could not be written
            raise ending(_masked(failure))
        if failure.reason is Reason.WORKER_DIED:
            self._crashed(failed, job)
        elif job.anew:
            self._control_failed(failed, ticket)
        elif failure.kind is Kind.BLOCKED:
            self._quotas.put_back(failed.clip)
            self._refused(ticket, failure)
        elif self._source != YOUTUBE:
            self._record(failed)
            if failure.kind is Kind.TRANSIENT:
                self.mendable[failure.message] += 1
        elif not is_doubtful(failed):
            self._pacer.answered(ticket, self._clock.steady())
            self._record(failed)
        elif self._suspected_at is not None:
            self._aside.append(failed.clip)
            self._refused(ticket, failure)
        else:
            self._doubt(failed, ticket)

    def _record(self, failed: Failed) -> None:
        """Write a failure down, and let its class draw the next candidate unless it may pass."""
        at, failure = self._clock.wall(), failed.failure
        masked = replace(failed, failure=_masked(failure))
        try:
            self._ledger.failed(masked, self._logs.write(masked, utc(at)), at)
        except OSError as error:
            raise _unwritable(error) from error
        self.reasons[failure.reason] += 1
        if failure.reason.about_the_video and self._source == YOUTUBE:
            self._dead[failed.clip.youtube_id] = failure
        if failure.reason.replaced:
            # Whatever an earlier run may have left there is not of the dataset any more.
            place = failed.clip.location
            suffixes = {MP4, place.suffix} if place else {MP4}
            for suffix in suffixes:
                self._home.remove(self._layout.clip_path(failed.clip, suffix))
            self._quotas.out(failed.clip)
        else:
            self._quotas.hold(failed.clip)

    def _refused(self, ticket: Ticket, failure: Failure) -> None:
        self._blocked_by = failure.reason
        if self._pacer.refused(ticket, self._clock.steady(), failure.retry_after):
            self._given_up = True

    def _goodbye(self) -> str:
        """What is done, what is left, and when to try again, once nobody is asking any more."""
        until = self._clock.wall() + (self._pacer.delay(self._clock.steady()) or 0.0)
        reason = self._blocked_by or Reason.RATE_LIMITED
        made, wanted = self._quotas.made, self._quotas.wanted
        return (
            f"{_WHY_WAITING.get(reason, _LOST)} ({reason.words}): {made} of {wanted} clips are "
            f"made, {wanted - made} are left and nothing is lost; run the same command again after "
            f"{utc(until)}"
        )

    # -- whose fault is it?

    def _crashed(self, failed: Failed, job: Job) -> None:
        """A clip that ended its worker is tried once more, alone; a second time it is out."""
        clip = failed.clip
        self._crashes[clip.id] += 1
        again = self._crashes[clip.id] < 2
        if job.anew:
            self._control.back()
            self._control.want()
        elif again:
            self._suspects.append(clip)
        if not again:
            self._doubts.add(replace(failed, attempts=2), self._clock.steady())
            if job.anew:
                raise self._diagnosis()
            if self._doubts.are_many:
                self._find_out()

    def _doubt(self, failed: Failed, ticket: Ticket) -> None:
        """Keep a failure unjudged; when they are many, find out whose fault it is."""
        self._doubts.add(failed, self._clock.steady())
        if self._doubts.are_many and not self._find_out():
            self._suspect(failed, ticket)

    def _find_out(self) -> bool:
        """Have the control asked for; False if there is none, since nothing was ever made."""
        if self._control.is_proven:
            self._control.want()
            return True
        if not is_refusal(self._doubts.typical):
            raise self._diagnosis()
        return False

    def _control_failed(self, failed: Failed, ticket: Ticket) -> None:
        """A clip that could be made before cannot be now: it is everybody's, or it has gone too."""
        self._control.back()
        if failed.failure.kind is Kind.BLOCKED:
            self._refused(ticket, failed.failure)
            self._control.want()
        elif is_doubtful(failed) and (self._control.is_proven or self._suspected_at is not None):
            self._suspect(failed, ticket)
            self._control.want()
        elif is_doubtful(failed):  # a reserve: one more that could not be made
            self._control.has_gone()
            self._doubts.count(failed, self._clock.steady())
            if self._doubts.are_many and not self._find_out():
                self._suspect(failed, ticket)
        else:
            self._pacer.answered(ticket, self._clock.steady())
            self._control.has_gone()
            if self._control.is_there:
                self._control.want()

    def _suspect(self, failed: Failed, ticket: Ticket) -> None:
        """It is everybody's: wait as for a refusal, or end a run that could make nothing yet."""
        failure = failed.failure
        if self._suspected_at is None:
            if not (is_worth_waiting(failure) and (self._anything_made or is_refusal(failure))):
                self._doubts.add(failed, self._clock.steady())
                raise self._diagnosis()
            self._suspected_at = self._clock.steady()
            self._aside += [each.clip for each in self._doubts.take()]
        self._refused(ticket, failure)

    def _others_can_be_made(self, asked_at: float) -> None:
        """So what came up before that was asked for is each clip's own, and the waiting is over.

        A clip that was let in before a block and took its time says nothing of those after.
        """
        for each in self._doubts.acquit_all(asked_at):
            self._record(each)
        if self._suspected_at is not None and self._suspected_at <= asked_at:
            self._suspected_at = None
            self._take_back()

    def _take_back(self) -> None:
        for clip in self._aside:
            self._quotas.put_back(clip)
        self._aside.clear()

    def _look_further(self) -> bool:
        """Nothing else is left to try: whether something is to be done for what is not judged."""
        if self._aside:
            self._take_back()
            return True
        if not any(self._doubts):
            return False
        if self._control.is_proven:
            self._control.want()
            return True
        # Nothing was ever made. What is left for the next run in any case is written down.
        if self._doubts.typical.reason is not Reason.NETWORK:
            for each in self._doubts.take(Kind.TRANSIENT):
                self._record(each)
        if any(self._doubts):  # before others take their places, a reserve shows whether it can
            if not self._control.is_there:
                raise self._diagnosis()
            self._control.want()
            return True
        return self._quotas.waiting > 0

    def _diagnosis(self) -> EnvironmentFault:
        """What stops every video alike; the logs of those that showed it are kept."""
        ended = ending(_masked(self._doubts.typical))
        try:
            at = utc(self._clock.wall())
            logs = [self._logs.write(each, at) for each in self._doubts.take()]
        except OSError:  # the reason why the run ends is worth more than its logs
            return ended
        return EnvironmentFault(f"{ended}; {logs[-1]} has more")

    def _to_ask(self) -> int:
        """Clips still to be asked for, with those that will stand in for the gone among them."""
        quotas = self._quotas
        return quotas.waiting + quotas.waiting * quotas.replaced // max(1, quotas.made)

    def _progress(self) -> Progress:
        now, wall = self._clock.steady(), self._clock.wall()
        since, delay = self._pacer.closed_since, self._pacer.delay(now)
        rest = delay if self._quotas.waiting and since is None else 0.0
        return Progress(
            made=self._quotas.made,
            wanted=self._quotas.wanted,
            replaced=self._quotas.replaced,
            held=self._quotas.held,
            in_hand=len(self._jobs),
            blocked_since=None if since is None else wall + since - now,
            blocked_until=wall + delay if since is not None and delay else None,
            blocked_by=self._blocked_by.words if self._blocked_by else "",
            resting_until=wall + rest if rest and rest > self._pacer.spacing else None,
            waiting=self._quotas.waiting,
            paced_seconds=self._pacer.soonest(self._to_ask(), now),
        )


_LOST: Final = "YouTube cannot be reached any more"

_WHY_WAITING: Final = {
    Reason.RATE_LIMITED: "YouTube refuses this address",
    Reason.BOT_CHECK: "YouTube refuses this address",
    Reason.FORBIDDEN_MEDIA: "YouTube hands no media to this address",
    Reason.NO_FORMATS: "YouTube offers this address no formats any more",
}
"""How a person is told why a run waits; all else is a lost connection."""


def _masked(failure: Failure) -> Failure:
    return replace(failure, message=mask(failure.message))


def _unwritable(error: OSError) -> EnvironmentFault:
    where = f": {error.filename}" if error.filename else ""
    return EnvironmentFault(
        f"{error.strerror or error}{where}; mend that and run the same command again"
    )

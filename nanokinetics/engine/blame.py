"""Decides what caused a failure: the clip, or the machine, the network or the site. Pure.

    outcomes in ──▶ Blame ──▶ verdicts out; the engine carries them out in order

A failure is believed only while the world is well. Failures in a row form a streak, which a success
ends. Nothing in a streak is judged before its end, or before a canary has answered. The canary is a
clip that was made before, else a well-known video. If it fails too, the session is at fault: all
requests wait, and nothing is written down.

A streak of five or more may hide an outage that is over. Its clips are requested once more, and
only the same failure again is believed. So an outage of five answers costs no clip, however rarely
the canary is asked.

Times are seconds of any steady clock.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from nanokinetics.clip import Clip, ClipId, Failed
from nanokinetics.common.logs import logger
from nanokinetics.common.secrets import mask
from nanokinetics.common.text import plain
from nanokinetics.engine.canary import Canary
from nanokinetics.engine.streak import Streak
from nanokinetics.engine.verdicts import (
    AskCanary,
    CloseGate,
    Doubt,
    EndRun,
    LetIn,
    PutBack,
    Request,
    TryAlone,
    Verdicts,
    WriteDown,
)
from nanokinetics.errors import Failure, Kind, Reason

IN_A_ROW: Final = 5
"""Number of different videos that must fail in a row before blame asks for the canary."""

MOST_IN_A_ROW: Final = 40
"""The number doubles after each canary that answers, up to this. So a source of which all videos
are gone costs one canary for forty requests, and an outage is still noticed soon."""

TRIES: Final = 2
"""Number of workers that may die on a clip before the clip fails."""

LOOKS: Final = 4
"""Number of requests after which a failure is believed, whatever the canaries cost."""

FREE: Final = 5
SHARE: Final = 0.02
"""Canaries that may be asked for the sake of second looks: so many, and a share of all requests."""

_log = logger(__name__)


class Blame:
    """Judges the outcomes of one source in one run.

    canary: chooses the clip that shows whether any clip can be made. said_before: the message of
    each clip whose last failure in an earlier run was a `server_error`. shared: whether all clips
    come over one network connection, so that a failure may be global. Local files share nothing:
    there only a dead worker may have a global cause.
    """

    def __init__(
        self,
        canary: Canary | None = None,
        *,
        said_before: Mapping[ClipId, str] | None = None,
        shared: bool = True,
    ) -> None:
        self._shared = shared
        self._canary = canary or Canary()
        self._said_before = said_before or {}
        self._streak = Streak()
        self._asks_at = IN_A_ROW
        self._asked_for_many = False
        self._looks: defaultdict[ClipId, list[Reason]] = defaultdict(list)
        """The reasons of earlier failures in this run that were not believed."""
        self._crashes: Counter[ClipId] = Counter()
        self._requests = self._canaries = 0
        self._outage_since: float | None = None
        self._anything_made = False
        self._was_well = False
        """Whether the site has answered with a clip in this run."""

    def found(self, request: Request, now: float) -> None:
        """The site has answered a request with a video; its clips may still fail."""
        self._streak.found(request, now)

    def ended(self, request: Request) -> Verdicts:
        """A job has ended, whatever became of its clips."""
        self._streak.ended(request)
        self._requests += 1
        return self._ask_if_many()

    def made(self, clips: Sequence[Clip], request: Request) -> Verdicts:
        """Judge the clips of a job that were made. Leave out adopted files: they prove nothing."""
        if not clips:
            return []
        at = self._streak.answered_at(request)
        over = self._outage_since is not None and self._outage_since <= at
        if request.as_canary:
            over = over or self._canary.wavers
            self._canary.answered()
            for clip in clips:
                self._crashes.pop(clip.id, None)
            if self._asked_for_many:
                self._asks_at = min(2 * self._asks_at, MOST_IN_A_ROW)
            self._asked_for_many = False
        else:
            self._canary.made(clips)
            self._anything_made = True
        if over:
            _log.info("clips can be made again")
            self._outage_since, self._asks_at, self._was_well = None, IN_A_ROW, True
            return [PutBack(each.clip) for each in self._streak.until(at)[0]]
        return self._judge(at, by_canary=request.as_canary)

    def failed(self, failed: Failed, request: Request, now: float) -> Verdicts:
        """Judge a clip that was not made. now: the time of the failure."""
        failure = failed.failure
        if failure.kind is Kind.ENVIRONMENT and failure.reason is not Reason.NO_FORMATS:
            return [EndRun(failure)]
        if failure.reason is Reason.WORKER_DIED:
            return self.died(failed, request, now)
        if request.as_canary:
            return self._canary_failed(failed, now)
        if failure.kind is Kind.BLOCKED:
            self._asks_at = IN_A_ROW
            return [PutBack(failed.clip), CloseGate(failure)]
        if not self._shared:
            return [WriteDown(failed)]
        suspected = self._suspect(failed, request, now)
        if self._outage_since is not None:  # a clip that was asked for in place of a canary
            return [*suspected, CloseGate(_outage(failure)), *self._ask_if_there()]
        let_in: Verdicts = [LetIn()] if shows_answer(failed) else []
        return [*let_in, *suspected, *self._ask_if_many()]

    def died(self, failed: Failed, request: Request, now: float) -> Verdicts:
        """Judge a clip whose worker died. It is tried once more, alone; then it has failed."""
        clip = failed.clip
        self._crashes[clip.id] += 1
        again = self._crashes[clip.id] < TRIES
        if request.as_canary:
            self._canary.restart()
            return self._ask() if again else [self._end(failed.failure)]
        if again:
            return [TryAlone(clip)]
        suspected = self._suspect(replace(failed, attempts=TRIES), request, now)
        return [*suspected, *self._ask_if_many()]

    def nothing_left(self) -> Verdicts | None:
        """What to do when no job runs and no clip waits; None if the run is complete."""
        if not self._streak:
            return None
        if not self._shared and self._anything_made:  # workers live, so it was the clips
            return self._judge(self._streak.latest, by_canary=True)
        if self._canary.is_there:
            return self._ask()
        # Nothing was ever made. Transient failures stay for the next run anyway: record them.
        commonest, few = self._streak.commonest, self._streak.longest < IN_A_ROW
        if self._outage_since is not None:
            return [self._end(_outage(commonest))]
        if commonest.reason is not Reason.NETWORK:
            passing = self._streak.take(Kind.TRANSIENT)
            if passing:
                return [WriteDown(each) for each in passing]
        if _is_of_this_machine(commonest) or commonest.outdated:
            return [self._end(commonest)]
        if few:
            return self._judge(self._streak.latest, by_canary=False)
        return [self._end(_outage(commonest))]

    def _suspect(self, failed: Failed, request: Request, now: float) -> Verdicts:
        self._streak.add(failed, now, request)
        return [Doubt(failed)] if failed.failure.reason.replaced else []

    def _ask_if_many(self) -> Verdicts:
        """Ask for the canary if so many videos failed in a row that the cause may be global."""
        if self._outage_since is not None or self._canary.is_out:
            return []
        longest = self._streak.longest
        if longest < self._asks_at:
            # Before a second look becomes as long as an outage, a canary parts it.
            parts = longest >= IN_A_ROW - 1 and self._streak.has(self._is_again)
            return self._ask() if parts and self._can_afford and self._canary.is_there else []
        if self._canary.is_there:
            self._asked_for_many = True
            return self._ask()
        commonest = self._streak.commonest
        if _is_of_this_machine(commonest) or commonest.outdated:
            return [self._end(commonest)]
        if commonest.reason is Reason.FORBIDDEN_MEDIA:
            return self._wait_for_end(commonest, self._streak.latest)
        return [self._end(_outage(commonest))] if longest >= MOST_IN_A_ROW else []

    def _is_again(self, failed: Failed) -> bool:
        """Whether a clip fails as it did before in this run."""
        return failed.failure.reason in self._looks.get(failed.clip.id, ())

    @property
    def _can_afford(self) -> bool:
        return self._canaries < FREE + SHARE * self._requests

    def _ask_if_there(self) -> Verdicts:
        return self._ask() if self._canary.is_there else []

    def _ask(self) -> Verdicts:
        """Request the canary, unless it is requested already. There must be one."""
        if self._canary.is_out:
            return []
        self._canaries += 1
        clip = self._canary.take()
        _log.info("many failed in a row: asking for %s to see whether anything works", clip.key)
        return [AskCanary(clip)]

    def _canary_failed(self, failed: Failed, now: float) -> Verdicts:
        """Judge the failure of a canary: the session is at fault, or the canary's video is gone."""
        failure = failed.failure
        if not self._shared:  # the worker lives, so the dead ones died of their own clips
            self._canary.restart()
            return self._judge(now, by_canary=True)
        if failure.kind is Kind.BLOCKED:
            self._asks_at = IN_A_ROW
            self._canary.restart()
            return [CloseGate(failure), *self._ask()]
        another = self._canary.failed()
        if failure.outdated:
            return [self._end(failure)]
        if self._outage_since is not None:
            return [CloseGate(_outage(failure))]  # next time a clip is asked for in its place
        if another and shows_answer(failed):
            return self._ask()
        if not self._anything_made and _is_of_this_machine(failure):
            return [self._end(failure)]
        return self._wait_for_end(failure, now)

    def _wait_for_end(self, failure: Failure, now: float) -> Verdicts:
        """The session is at fault: wait as after a refusal. All failures stay unjudged.

        After each wait either a clip or a canary is requested, in turn: even the canaries may be
        gone. What can be made then ends the outage.
        """
        _log.warning("nothing can be made any more (%s): waiting", failure.reason)
        self._outage_since = now
        return [CloseGate(_outage(failure))]

    def _judge(self, at: float, *, by_canary: bool) -> Verdicts:
        """The world was well at this time: judge the failures before it."""
        failed, requests = self._streak.until(at)
        # An outage that is over may have caused them. It may have begun in an earlier run.
        hidden = requests >= IN_A_ROW or not self._was_well
        self._was_well = True
        verdicts: Verdicts = []
        for each in failed:
            looks, reason = self._looks[each.clip.id], each.failure.reason
            again = reason in looks
            unsure = hidden or (reason is Reason.UNEXPLAINED and not by_canary)
            if again:
                unsure = hidden and self._can_afford
            if self._shared and unsure and len(looks) + 1 < LOOKS:
                looks.append(reason)
                verdicts.append(PutBack(each.clip))
            else:
                verdicts.append(WriteDown(self._as_lasting(each)))
        return verdicts

    def _as_lasting(self, failed: Failed) -> Failed:
        """An error without a known meaning that an earlier run had too is the video's own."""
        failure = failed.failure
        unknown = failure.reason is Reason.SERVER_ERROR and (failure.http_status or 0) < 500
        said = self._said_before.get(failed.clip.id)
        if unknown and said == plain(Failure(failure.reason, mask(failure.message)).message):
            return replace(failed, failure=replace(failure, reason=Reason.UNEXPLAINED))
        return failed

    def _end(self, failure: Failure) -> EndRun:
        return EndRun(failure, tuple(self._streak.take()))


def shows_answer(failed: Failed) -> bool:
    """Whether the site answered the request: it gave something of the video, or said why not."""
    match failed.failure:
        case Failure(reason=Reason.NO_FORMATS | Reason.WORKER_DIED):
            return False
        case Failure(reason=Reason.FORBIDDEN_MEDIA):
            return failed.downloaded_bytes > 0
        case failure:
            return failure.kind is not Kind.TRANSIENT or failed.found


def _outage(failure: Failure) -> Failure:
    message = f"{failure.reason.words}: {failure.message}"
    return Failure(Reason.OUTAGE, message, failure.http_status, failure.retry_after)


def _is_of_this_machine(failure: Failure) -> bool:
    """Whether waiting is of no use if it is so from the start: the user has to do something."""
    refused = failure.reason is Reason.SERVER_ERROR and 400 <= (failure.http_status or 0) < 500
    return refused or failure.reason in _OF_THIS_MACHINE


_OF_THIS_MACHINE: Final = frozenset(
    {
        *(Reason.NETWORK, Reason.TIMEOUT, Reason.TRUNCATED),
        *(Reason.NO_FORMATS, Reason.WORKER_DIED),
    }
)

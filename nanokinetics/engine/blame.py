"""Whose fault is a failure: the clip's, or that of the machine, the line or the site? Pure.

    outcomes in ──▶ Blame ──▶ verdicts out, which the engine carries out in order

One clip alone cannot tell for some failures. Blame keeps those back until a clip that was asked
for later is made: then each failure is its clip's own. When many videos fail in a row, blame asks
for the canary: a clip that could be made before. If the canary fails now, the fault is everybody's.
Where nothing was ever made, reserves serve as canaries; their failures prove nothing.

Times are seconds of any steady clock.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from nanokinetics.clip import Clip, ClipId, Failed
from nanokinetics.common.logs import logger
from nanokinetics.engine.verdicts import (
    AskCanary,
    CloseGate,
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
"""Different videos that fail in a row before the canary is asked for."""

REMEMBERED: Final = 3
"""Clips of this run that may serve as canaries, the latest first; one may be gone by then."""

_log = logger(__name__)

TRIES: Final = 2
"""Times that a clip may end its worker before it is out."""


def may_be_global(failed: Failed) -> bool:
    """Whether the fault may be everybody's: nothing was had of the video, or its worker died."""
    match failed.failure:
        case Failure(reason=Reason.NO_FORMATS | Reason.WORKER_DIED):
            return True
        case Failure(reason=Reason.FORBIDDEN_MEDIA):
            return failed.downloaded_bytes == 0
        case failure:
            return failure.kind is Kind.TRANSIENT and not failed.found


class Blame:
    """The judge of one source in one run.

    earlier: clips that earlier runs have made. untried: reserves, of which nothing is known.
    shared: whether all clips come over one line, so that a failure may be everybody's. Files on
    this machine share none: each failure but a dead worker is the clip's own.
    """

    def __init__(
        self, earlier: Iterable[Clip] = (), untried: Iterable[Clip] = (), *, shared: bool = True
    ) -> None:
        self._shared = shared
        self._suspects = _Suspects()
        self._canary = _Canary(iter(earlier), iter(untried))
        self._aside: list[Clip] = []
        """Clips that wait until a suspected outage is over."""
        self._outage_since: float | None = None
        self._crashes: Counter[ClipId] = Counter()
        self._anything_made = False

    def made(self, clips: Sequence[Clip], request: Request) -> Verdicts:
        """Clips of one job were made. Adopted files count for nothing: leave them out."""
        if request.as_canary:
            self._canary.is_out = False
        else:
            for clip in clips:
                self._canary.made(clip)
            if not clips:
                return []
            self._anything_made = True
        return self._others_can_be_made(request.at)

    def failed(self, failed: Failed, request: Request, now: float) -> Verdicts:
        """A clip was not made."""
        failure = failed.failure
        if failure.kind is Kind.ENVIRONMENT and not may_be_global(failed):
            return [EndRun(failure)]
        if failure.reason is Reason.WORKER_DIED:
            return self.died(failed, request, now)
        if request.as_canary:
            return self._canary_failed(failed, now)
        if failure.kind is Kind.BLOCKED:
            return [PutBack(failed.clip), CloseGate(failure)]
        if not self._shared:
            return [WriteDown(failed)]
        if not may_be_global(failed):
            return [LetIn(), WriteDown(failed)]
        if self._outage_since is not None:
            self._aside.append(failed.clip)
            return [CloseGate(failure)]
        self._suspects.add(failed, now)
        return self._ask_or_suspect(failed, now) if self._suspects.are_many else []

    def died(self, failed: Failed, request: Request, now: float) -> Verdicts:
        """A clip's worker died. It is tried once more, alone; the second time it is out."""
        clip = failed.clip
        self._crashes[clip.id] += 1
        if self._crashes[clip.id] < TRIES:
            if not request.as_canary:
                return [TryAlone(clip)]
            self._canary.is_out = False
            return self._ask_canary()
        self._suspects.add(replace(failed, attempts=TRIES), now)
        if request.as_canary:
            self._canary.is_out = False
            return [self._end()]
        return self._find_out() or [] if self._suspects.are_many else []

    def nothing_left(self) -> Verdicts | None:
        """No job is in hand and no clip waits: what is still to be done; None if nothing is."""
        if self._aside:
            return self._take_back()
        if not self._suspects.failed:
            return None
        if self._canary.is_proven:
            return self._ask_canary()
        # Nothing was ever made. What is left for the next run in any case is written down.
        if self._suspects.commonest.reason is not Reason.NETWORK:
            for_now: Verdicts = [WriteDown(each) for each in self._suspects.take(Kind.TRANSIENT)]
            if for_now:
                return for_now
        # Before others take the places of the rest, a reserve shows whether anything can be made.
        return self._ask_canary() if self._canary.is_there else [self._end()]

    def _ask_canary(self) -> Verdicts:
        """Have the canary asked for, unless it is on its way. Only if there is one."""
        if self._canary.is_out:
            return []
        clip = self._canary.take()
        _log.info("many failed in a row: asking for %s to see whether anything works", clip.key)
        return [AskCanary(clip)]

    def _find_out(self) -> Verdicts | None:
        """What to do once many have failed; None if only waiting can tell."""
        if self._canary.is_proven:
            return self._ask_canary()
        if not _is_refusal(self._suspects.commonest):
            return [self._end()]
        return None

    def _ask_or_suspect(self, failed: Failed, now: float) -> Verdicts:
        found = self._find_out()
        return self._suspect_all(failed, now) if found is None else found

    def _canary_failed(self, failed: Failed, now: float) -> Verdicts:
        """A clip that could be made before cannot be now: it is everybody's, or it has gone too."""
        canary = self._canary
        canary.is_out = False
        if failed.failure.kind is Kind.BLOCKED:
            return [CloseGate(failed.failure), *self._ask_canary()]
        if may_be_global(failed):
            if canary.is_proven or self._outage_since is not None:
                verdicts = self._suspect_all(failed, now)
                return verdicts if _ends(verdicts) else [*verdicts, *self._ask_canary()]
            canary.has_gone()  # a reserve: one more that could not be made
            self._suspects.count(failed, now)
            return self._ask_or_suspect(failed, now) if self._suspects.are_many else []
        canary.has_gone()
        return [LetIn(), *(self._ask_canary() if canary.is_there else [])]

    def _suspect_all(self, failed: Failed, now: float) -> Verdicts:
        """It is everybody's: wait as for a refusal, or end a run that could make nothing yet."""
        failure = failed.failure
        if self._outage_since is None:
            waiting_helps = failure.reason is not Reason.WORKER_DIED
            if not (waiting_helps and (self._anything_made or _is_refusal(failure))):
                if failed not in self._suspects.failed:
                    self._suspects.add(failed, now)
                return [self._end()]
            _log.warning("nothing can be made any more (%s): waiting", failure.reason)
            self._outage_since = now
            self._aside += [each.clip for each in self._suspects.take()]
        return [CloseGate(failure)]

    def _others_can_be_made(self, asked_at: float) -> Verdicts:
        """So what came up before that was asked for is each clip's own, and the outage is over.

        A clip that was let in before a block and took its time says nothing of those after.
        """
        verdicts: Verdicts = [WriteDown(each) for each in self._suspects.clear(asked_at)]
        if self._outage_since is not None and self._outage_since <= asked_at:
            _log.info("clips can be made again")
            self._outage_since = None
            verdicts += self._take_back()
        return verdicts

    def _take_back(self) -> Verdicts:
        aside, self._aside = self._aside, []
        return [PutBack(clip) for clip in aside]

    def _end(self) -> EndRun:
        failure = self._suspects.commonest
        return EndRun(failure, tuple(self._suspects.take()))


def _is_refusal(failure: Failure) -> bool:
    """Whether a run of such failures is a refusal even when nothing was ever let through."""
    return failure.reason is Reason.FORBIDDEN_MEDIA


def _ends(verdicts: Verdicts) -> bool:
    return any(isinstance(verdict, EndRun) for verdict in verdicts)


class _Suspects:
    """Failures that nobody can judge yet, and the videos that failed in a row."""

    def __init__(self) -> None:
        self._failed: list[tuple[float, Failed]] = []
        self._videos: dict[str, float] = {}

    @property
    def failed(self) -> list[Failed]:
        return [failed for _, failed in self._failed]

    def add(self, failed: Failed, at: float) -> None:
        self._failed.append((at, failed))
        self.count(failed, at)

    def count(self, failed: Failed, at: float) -> None:
        """A video that failed too, although nothing hangs on it."""
        self._videos[failed.clip.youtube_id or failed.clip.key] = at

    @property
    def are_many(self) -> bool:
        """Whether so many videos have failed in a row that it may be no single one's fault.

        Those written down meanwhile, for want of anything that could tell, count as well.
        """
        return len(self._videos) >= IN_A_ROW

    @property
    def commonest(self) -> Failure:
        """The latest failure with the commonest reason."""
        reasons = Counter(failed.failure.reason for failed in self.failed)
        reason = reasons.most_common(1)[0][0]
        return next(f.failure for f in reversed(self.failed) if f.failure.reason is reason)

    def take(self, *kinds: Kind) -> list[Failed]:
        """Hand over the failures of some kinds, or all."""
        taken = [each for each in self._failed if not kinds or each[1].failure.kind in kinds]
        self._failed = [each for each in self._failed if each not in taken]
        return [failed for _, failed in taken]

    def clear(self, until: float) -> list[Failed]:
        """A clip asked for at that time was made: hand over what came up until then."""
        taken = [failed for at, failed in self._failed if at <= until]
        self._failed = [each for each in self._failed if each[0] > until]
        self._videos = {video: at for video, at in self._videos.items() if at > until}
        return taken


class _Canary:
    """Which clip is asked for to see whether anything can be made, and whether it is on its way."""

    def __init__(self, earlier: Iterator[Clip], untried: Iterator[Clip]) -> None:
        self._made: deque[Clip] = deque(maxlen=REMEMBERED)
        self._earlier = earlier
        self._untried = untried
        self._reserve: Clip | None = None
        self.is_out = False

    def made(self, clip: Clip) -> None:
        self._made.append(clip)

    @property
    def is_proven(self) -> bool:
        """Whether the clip could be made before, so that it tells all by itself."""
        if not self._made:
            self._made.extend(clip for clip in [next(self._earlier, None)] if clip)
        return bool(self._made)

    @property
    def is_there(self) -> bool:
        if not self.is_proven and self._reserve is None:
            self._reserve = next(self._untried, None)
        return self.is_proven or self._reserve is not None

    def take(self) -> Clip:
        """The clip to ask for now. Raises LookupError if there is none."""
        clip = self._made[-1] if self._made else self._reserve
        if clip is None:
            raise LookupError("there is no canary")
        self.is_out = True
        return clip

    def has_gone(self) -> None:
        """The clip tells nothing: its video is not what it was. Another takes its place."""
        if self._made:
            self._made.pop()
        else:
            self._reserve = None

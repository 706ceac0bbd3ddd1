"""Decides what caused a failure: the clip, or the machine, the network or the site. Pure.

    outcomes in ──▶ Blame ──▶ verdicts out; the engine carries them out in order

Some failures may have a global cause: it would stop every clip. One clip cannot show that, so blame
keeps such failures back. If a clip that was requested later is made, each failure belongs to its
own clip. If many videos fail in a row, blame asks for the canary: a clip that was made before. If
the canary fails in such a way too, the cause is global. If no clip was ever made, reserves serve as
canaries; their failures prove nothing.

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
"""Number of different videos that must fail in a row before blame asks for the canary."""

REMEMBERED: Final = 3
"""Number of clips of this run that may serve as canaries, the latest first. One is not enough: its
video may be removed in the meantime."""

_log = logger(__name__)

TRIES: Final = 2
"""Number of workers that may die on a clip before the clip fails."""


def may_be_global(failed: Failed) -> bool:
    """Whether the cause may be global: the site gave nothing of the video, or the worker died."""
    match failed.failure:
        case Failure(reason=Reason.NO_FORMATS | Reason.WORKER_DIED):
            return True
        case Failure(reason=Reason.FORBIDDEN_MEDIA):
            return failed.downloaded_bytes == 0
        case failure:
            return failure.kind is Kind.TRANSIENT and not failed.found


class Blame:
    """Judges the outcomes of one source in one run.

    earlier: clips that earlier runs made. untried: reserves that were never requested.
    shared: whether all clips come over one network connection, so that a failure may be global.
    Local files share nothing: there only a dead worker may have a global cause.
    """

    def __init__(
        self, earlier: Iterable[Clip] = (), untried: Iterable[Clip] = (), *, shared: bool = True
    ) -> None:
        self._shared = shared
        self._suspects = _Suspects()
        self._canary = _Canary(iter(earlier), iter(untried))
        self._aside: list[Clip] = []
        """Clips put aside until a suspected outage is over."""
        self._outage_since: float | None = None
        self._crashes: Counter[ClipId] = Counter()
        self._anything_made = False

    def made(self, clips: Sequence[Clip], request: Request) -> Verdicts:
        """Judge the clips of a job that were made. Leave out adopted files: they prove nothing."""
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
        """Judge a clip that was not made. now: the time of the failure."""
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
        """Judge a clip whose worker died. It is tried once more, alone; then it has failed."""
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
        """What to do when no job runs and no clip waits; None if the run is complete."""
        if self._aside:
            return self._take_back()
        if not self._suspects.failed:
            return None
        if self._canary.is_proven:
            return self._ask_canary()
        # Nothing was ever made. Transient failures stay for the next run anyway: record them.
        if self._suspects.commonest.reason is not Reason.NETWORK:
            for_now: Verdicts = [WriteDown(each) for each in self._suspects.take(Kind.TRANSIENT)]
            if for_now:
                return for_now
        # Before the other failures are replaced, a reserve shows whether any clip can be made.
        return self._ask_canary() if self._canary.is_there else [self._end()]

    def _ask_canary(self) -> Verdicts:
        """Request the canary, unless it is requested already. There must be one."""
        if self._canary.is_out:
            return []
        clip = self._canary.take()
        _log.info("many failed in a row: asking for %s to see whether anything works", clip.key)
        return [AskCanary(clip)]

    def _find_out(self) -> Verdicts | None:
        """What to do after many failures in a row; None if only waiting can show the cause."""
        if self._canary.is_proven:
            return self._ask_canary()
        if not _is_refusal(self._suspects.commonest):
            return [self._end()]
        return None

    def _ask_or_suspect(self, failed: Failed, now: float) -> Verdicts:
        found = self._find_out()
        return self._suspect_all(failed, now) if found is None else found

    def _canary_failed(self, failed: Failed, now: float) -> Verdicts:
        """Judge the failure of a canary: the cause is global, or the canary's video is gone too."""
        canary = self._canary
        canary.is_out = False
        if failed.failure.kind is Kind.BLOCKED:
            return [CloseGate(failed.failure), *self._ask_canary()]
        if may_be_global(failed):
            if canary.is_proven or self._outage_since is not None:
                verdicts = self._suspect_all(failed, now)
                return verdicts if _ends(verdicts) else [*verdicts, *self._ask_canary()]
            canary.drop()  # a reserve: one more video that failed
            self._suspects.count(failed, now)
            return self._ask_or_suspect(failed, now) if self._suspects.are_many else []
        canary.drop()
        return [LetIn(), *(self._ask_canary() if canary.is_there else [])]

    def _suspect_all(self, failed: Failed, now: float) -> Verdicts:
        """The cause is global: wait as after a refusal, or end a run that made no clip yet."""
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
        """A clip requested at this time was made: earlier failures belong to their own clips.

        An outage that began before the request is over. A request from before the outage proves
        nothing: a slow clip may have been let in before a block.
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
    """Whether many such failures are a refusal, even if the site never served anything."""
    return failure.reason is Reason.FORBIDDEN_MEDIA


def _ends(verdicts: Verdicts) -> bool:
    return any(isinstance(verdict, EndRun) for verdict in verdicts)


class _Suspects:
    """Failures that cannot be judged yet, and the videos that failed in a row."""

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
        """Count a video that failed, without keeping its failure back."""
        self._videos[failed.clip.youtube_id or failed.clip.key] = at

    @property
    def are_many(self) -> bool:
        """Whether so many videos failed in a row that the cause may be global.

        Failures that were recorded in the meantime, because no canary was there, count too.
        """
        return len(self._videos) >= IN_A_ROW

    @property
    def commonest(self) -> Failure:
        """The latest failure with the commonest reason."""
        reasons = Counter(failed.failure.reason for failed in self.failed)
        reason = reasons.most_common(1)[0][0]
        return next(f.failure for f in reversed(self.failed) if f.failure.reason is reason)

    def take(self, *kinds: Kind) -> list[Failed]:
        """Remove and return the failures of these kinds; without kinds, all failures."""
        taken = [each for each in self._failed if not kinds or each[1].failure.kind in kinds]
        self._failed = [each for each in self._failed if each not in taken]
        return [failed for _, failed in taken]

    def clear(self, until: float) -> list[Failed]:
        """Remove and return the failures up to this time: a clip requested then was made."""
        taken = [failed for at, failed in self._failed if at <= until]
        self._failed = [each for each in self._failed if each[0] > until]
        self._videos = {video: at for video, at in self._videos.items() if at > until}
        return taken


class _Canary:
    """The clip that shows whether any clip can be made. `is_out`: whether it is requested now."""

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
        """Whether the canary was made before, so that its failure alone proves a global cause."""
        if not self._made:
            self._made.extend(clip for clip in [next(self._earlier, None)] if clip)
        return bool(self._made)

    @property
    def is_there(self) -> bool:
        if not self.is_proven and self._reserve is None:
            self._reserve = next(self._untried, None)
        return self.is_proven or self._reserve is not None

    def take(self) -> Clip:
        """The clip to request now. Raises LookupError if there is none."""
        clip = self._made[-1] if self._made else self._reserve
        if clip is None:
            raise LookupError("there is no canary")
        self.is_out = True
        return clip

    def drop(self) -> None:
        """Drop the present canary, which proves nothing: its video has changed or is gone.

        Another clip takes its place.
        """
        if self._made:
            self._made.pop()
        else:
            self._reserve = None

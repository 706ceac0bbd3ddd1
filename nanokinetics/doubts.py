"""Whose fault is it: the clip's, or that of the machine, the line or YouTube for all? Pure.

Of some failures one clip cannot tell. They are kept here, unjudged, until another clip is made
(then each is its clip's own) or until so many different videos fail that it is everybody's.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Final

from .clip import Failed
from .errors import EnvironmentFault, Failure, Kind, Reason

IN_A_ROW: Final = 5
"""Different videos that fail so, none in between being made, which speak against all."""


def is_doubtful(failed: Failed) -> bool:
    """Whether the failure may be everybody's: nothing was had of the video, or its worker died."""
    match failed.failure:
        case Failure(reason=Reason.NO_FORMATS | Reason.NETWORK | Reason.WORKER_DIED):
            return True
        case Failure(reason=Reason.FORBIDDEN_MEDIA):
            return failed.downloaded_bytes == 0
        case failure:
            return failure.kind is Kind.TRANSIENT and not failed.found


class Doubts:
    """Failures that nobody can judge yet. Times are seconds of any steady clock."""

    def __init__(self) -> None:
        self._failed: list[tuple[float, Failed]] = []

    def __iter__(self) -> Iterator[Failed]:
        return (failed for _, failed in self._failed)

    def add(self, failed: Failed, at: float) -> None:
        self._failed.append((at, failed))

    @property
    def are_everybodys(self) -> bool:
        """Whether so many videos have failed in a row that no single one is to blame."""
        return len({failed.clip.youtube_id or failed.clip.key for failed in self}) >= IN_A_ROW

    @property
    def typical(self) -> Failure:
        """The latest of those with the commonest reason."""
        reasons = Counter(failed.failure.reason for failed in self)
        reason = reasons.most_common(1)[0][0]
        return next(f.failure for _, f in reversed(self._failed) if f.failure.reason is reason)

    def take(self, *kinds: Kind, until: float = math.inf) -> list[Failed]:
        """Hand over, to be judged, the failures of some kinds, or all, that came up until then."""
        taken: list[tuple[float, Failed]] = []
        left: list[tuple[float, Failed]] = []
        for at, failed in self._failed:
            mine = at <= until and (not kinds or failed.failure.kind in kinds)
            (taken if mine else left).append((at, failed))
        self._failed = left
        return [failed for _, failed in taken]


def may_pass(failure: Failure) -> bool:
    """Whether waiting may help when every video fails so: it does not against dying workers."""
    return failure.reason is not Reason.WORKER_DIED


def is_refusal(failure: Failure) -> bool:
    """Whether a run of such failures is a refusal even when nothing was ever let through."""
    return failure.reason is Reason.FORBIDDEN_MEDIA


def fault(failure: Failure) -> EnvironmentFault:
    """The end of a run for a reason that is no clip's: what is wrong, and what to do about it."""
    remedy = _REMEDIES.get(failure.reason, _UNREACHABLE)
    if failure.reason not in _OF_THE_MACHINE and "certificate" in failure.message.lower():
        remedy = _CERTIFICATE
    return EnvironmentFault(f"{remedy} ({failure.message})")


_OF_THE_MACHINE: Final = frozenset({Reason.DISK_FULL, Reason.NOT_WRITABLE, Reason.NO_FFMPEG})

_REMEDIES: Final = {
    Reason.DISK_FULL: "the disk is full; make room and run the same command again",
    Reason.NOT_WRITABLE: "the destination cannot be written to; mend that and run the same command",
    Reason.NO_FFMPEG: "ffmpeg is missing; install it, or name one with --ffmpeg FILE",
    Reason.NO_FORMATS: "YouTube offers this machine no formats at all; update yt-dlp and its "
    "JavaScript runtime (pip install -U 'yt-dlp[default,deno]') and run the same command again",
    Reason.WORKER_DIED: "worker processes die on every clip; if memory is short, use fewer "
    "--workers, and run the same command again",
    Reason.SERVER_ERROR: "YouTube answers nothing but errors; update yt-dlp "
    "(pip install -U 'yt-dlp[default,deno]'), or run the same command again later",
}

_UNREACHABLE: Final = (
    "YouTube cannot be reached from here; see to the connection, or name a --proxy, and run the "
    "same command again"
)

_CERTIFICATE: Final = (
    "YouTube's certificate is not trusted here; see to this machine's clock, and to what stands "
    "between it and YouTube, and run the same command again"
)

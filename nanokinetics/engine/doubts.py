"""Whose fault is it: the clip's, or that of the machine, the line or YouTube for all? Pure.

Of some failures one clip cannot tell. They are kept here, unjudged, until a clip that was asked
for later is made: then each is its clip's own. When there are many, a clip that could be made
before is asked for again (`control`): if it cannot be made now, it is everybody's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from nanokinetics.clip import Failed
from nanokinetics.errors import EnvironmentFault, Failure, Kind, Reason

IN_A_ROW: Final = 5
"""Different videos that fail so, none in between being made, before that is found out."""


def is_doubtful(failed: Failed) -> bool:
    """Whether the failure may be everybody's: nothing was had of the video, or its worker died."""
    match failed.failure:
        case Failure(reason=Reason.NO_FORMATS | Reason.WORKER_DIED):
            return True
        case Failure(reason=Reason.FORBIDDEN_MEDIA):
            return failed.downloaded_bytes == 0
        case failure:
            return failure.kind is Kind.TRANSIENT and not failed.found


class Doubts:
    """Failures that nobody can judge yet. Times are seconds of any steady clock."""

    def __init__(self) -> None:
        self._failed: list[tuple[float, Failed]] = []
        self._videos: dict[str, float] = {}

    def __iter__(self) -> Iterator[Failed]:
        return (failed for _, failed in self._failed)

    def add(self, failed: Failed, at: float) -> None:
        self._failed.append((at, failed))
        self.count(failed, at)

    def count(self, failed: Failed, at: float) -> None:
        """A video that failed so too, although nothing hangs on it."""
        self._videos[failed.clip.youtube_id or failed.clip.key] = at

    @property
    def are_many(self) -> bool:
        """Whether so many videos have failed in a row that it may be no single one's fault.

        Those written down meanwhile, for want of anything that could tell, count as well.
        """
        return len(self._videos) >= IN_A_ROW

    @property
    def typical(self) -> Failure:
        """The latest of those with the commonest reason."""
        reasons = Counter(failed.failure.reason for failed in self)
        reason = reasons.most_common(1)[0][0]
        return next(f.failure for _, f in reversed(self._failed) if f.failure.reason is reason)

    def take(self, *kinds: Kind) -> list[Failed]:
        """Hand over the failures of some kinds, or all."""
        taken = [failed for failed in self if not kinds or failed.failure.kind in kinds]
        self._failed = [each for each in self._failed if each[1] not in taken]
        return taken

    def acquit_all(self, until: float) -> list[Failed]:
        """A clip asked for at that time was made: what came up until then is its clips' own."""
        taken = [failed for at, failed in self._failed if at <= until]
        self._failed = [each for each in self._failed if each[0] > until]
        self._videos = {video: at for video, at in self._videos.items() if at > until}
        return taken


def is_worth_waiting(failure: Failure) -> bool:
    """Whether waiting may help when every video fails so: it does not against dying workers."""
    return failure.reason is not Reason.WORKER_DIED


def is_refusal(failure: Failure) -> bool:
    """Whether a run of such failures is a refusal even when nothing was ever let through."""
    return failure.reason is Reason.FORBIDDEN_MEDIA


def ending(failure: Failure) -> EnvironmentFault:
    """The end of a run for a reason that is no clip's: what is wrong, and what to do about it."""
    return EnvironmentFault(f"{remedy(failure)} ({failure.message})")


def remedy(failure: Failure) -> str:
    """What is wrong when every video fails so, and what to do about it."""
    if failure.reason not in _OF_THE_MACHINE and "certificate" in failure.message.lower():
        return _CERTIFICATE
    return _REMEDIES.get(failure.reason, _UNREACHABLE)


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

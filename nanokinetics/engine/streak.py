"""Failures in a row, which are not judged yet. Pure; times are seconds of any steady clock.

A video that was found splits the row for as long as its clips may still be made. If they fail, the
parts become one again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from nanokinetics.clip import Failed
from nanokinetics.engine.verdicts import Request
from nanokinetics.errors import Failure, Kind


class Streak:
    """The failures since the last success, in the order in which they came."""

    def __init__(self) -> None:
        self._failed: list[tuple[float, Failed, Request]] = []
        self._found: dict[Request, float] = {}
        """The requests in hand whose videos were found, and when."""

    def __len__(self) -> int:
        return len(self._failed)

    def add(self, failed: Failed, at: float, request: Request) -> None:
        self._failed.append((at, failed, request))

    def found(self, request: Request, at: float) -> None:
        self._found.setdefault(request, at)

    def ended(self, request: Request) -> None:
        self._found.pop(request, None)

    def answered_at(self, request: Request) -> float:
        """When the site answered a request: when the video was found, if that is known."""
        return self._found.get(request, request.at)

    @property
    def longest(self) -> int:
        """The largest number of different videos in a row between two that were found."""
        cuts = [float("-inf"), *sorted(self._found.values()), float("inf")]
        return max(
            len({_video(failed) for at, failed, _ in self._failed if after < at <= until})
            for after, until in pairwise(cuts)
        )

    def has(self, kind: Callable[[Failed], bool]) -> bool:
        """Whether a failure is of this kind."""
        return any(kind(failed) for _, failed, _ in self._failed)

    @property
    def latest(self) -> float:
        """The time of the latest failure. There must be one."""
        return self._failed[-1][0]

    @property
    def commonest(self) -> Failure:
        """The latest failure with the commonest reason. There must be one."""
        failures = [failed.failure for _, failed, _ in self._failed]
        reason = Counter(failure.reason for failure in failures).most_common(1)[0][0]
        return next(each for each in reversed(failures) if each.reason is reason)

    def take(self, *kinds: Kind) -> list[Failed]:
        """Remove and return the failures of these kinds; without kinds, all failures."""
        taken = [each for each in self._failed if not kinds or each[1].failure.kind in kinds]
        self._failed = [each for each in self._failed if each not in taken]
        return [failed for _, failed, _ in taken]

    def until(self, at: float) -> tuple[list[Failed], int]:
        """Remove the failures up to this time; returns them and the number of their requests."""
        taken = [each for each in self._failed if each[0] <= at]
        self._failed = [each for each in self._failed if each[0] > at]
        return [failed for _, failed, _ in taken], len({request for *_, request in taken})


def _video(failed: Failed) -> str:
    return failed.clip.youtube_id or failed.clip.key

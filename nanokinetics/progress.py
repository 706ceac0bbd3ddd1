"""The progress of a build, its forecast, and the protocol of reporters that show it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from nanokinetics.common.moments import clock
from nanokinetics.common.text import duration, size

RECENT: Final = 600.0
"""Seconds of work over which the rate is measured."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a build. Counts are clips.

    waiting: clips that are not yet requested. paced_seconds: the earliest time, in seconds from
    now, when the hourly budget and a block allow the last of their requests.

    blocked_since: when YouTube began to refuse, in seconds since the epoch; None while it does not.
    blocked_until: when the next request may start; None while one is on its way. blocked_by: how
    YouTube refused. resting_until: when the hourly budget allows the next request.
    shares_budget: whether the run of another dataset took some of that budget.

    new: clips that this run made. fetched_bytes: media bytes of these clips. waited_seconds: how
    long this run was blocked or resting. worked_seconds: the rest of its time.
    """

    made: int
    wanted: int
    replaced: int
    held: int
    in_hand: int
    blocked_since: float | None = None
    blocked_until: float | None = None
    blocked_by: str = ""
    resting_until: float | None = None
    shares_budget: bool = False
    waiting: int = 0
    paced_seconds: float = 0.0
    new: int = 0
    fetched_bytes: int = 0
    worked_seconds: float = 0.0
    waited_seconds: float = 0.0

    @property
    def is_held_up(self) -> bool:
        """Whether no request may start at present."""
        return self.blocked_since is not None or self.resting_until is not None

    @property
    def state(self) -> str:
        if self.blocked_since is not None:
            until = f"until {_clock(self.blocked_until)}" if self.blocked_until else "asking again"
            return f"blocked since {_clock(self.blocked_since)}, {until} ({self.blocked_by})"
        if self.resting_until is not None:
            why = "hourly budget" + ", shared with another run" * self.shares_budget
            return f"resting until {_clock(self.resting_until)} ({why})"
        return f"{self.in_hand} in hand"

    @property
    def brief_state(self) -> str:
        """The state without its beginning."""
        if self.blocked_since is not None:
            until = (
                f" until {_clock(self.blocked_until)}" if self.blocked_until else ", asking again"
            )
            return f"blocked{until} ({self.blocked_by})"
        if self.resting_until is not None:
            return f"resting until {_clock(self.resting_until)} (hourly budget)"
        return self.state


def _clock(at: float) -> str:
    return clock(at, time.time())


@dataclass(frozen=True, slots=True)
class Pace:
    """The speed of a build, and when it will end.

    rate: clips per second without waits. left: seconds to the end. ends: the end in seconds since
    the epoch. bytes_per_second: media bytes per second without waits; 0 for local files.
    """

    rate: float
    left: float
    ends: float
    bytes_per_second: float = 0.0

    def __str__(self) -> str:
        return self.forms[0]

    @property
    def forms(self) -> tuple[str, str, str]:
        """The pace in words, from the longest to the shortest."""
        rate, left = f"{self.rate * 60:.1f} clips/min", f"{duration(self.left)} left"
        fetched = f"{size(self.bytes_per_second)}/s, " if self.bytes_per_second else ""
        ends = f"{left}, ends {_clock(self.ends)}"
        return f"{rate}, {fetched}{ends}", f"{rate}, {ends}", f"{rate}, {left}"


@dataclass(frozen=True, slots=True)
class _Mark:
    """A point of a build. worked: seconds of work until then. made, fetched: clips and bytes."""

    worked: float
    made: int
    fetched: int


class Forecast:
    """Computes the pace from the progress so far.

    The rate excludes the time spent waiting for YouTube or for the budget. The time left includes
    it. Clips and bytes of earlier runs do not count, and neither does the time between runs.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._last: tuple[float, Progress] | None = None
        self._worked = 0.0
        self._marks: deque[_Mark] = deque()

    def pace(self, progress: Progress) -> Pace | None:
        """The present pace; None before the first clip is made."""
        now, wall = self._clock(), self._wall()
        if self._last is not None and not self._last[1].is_held_up:
            self._worked += now - self._last[0]
        if self._last is None or progress.made != self._last[1].made:
            self._marks.append(_Mark(self._worked, progress.made, progress.fetched_bytes))
        self._last = (now, progress)
        while len(self._marks) > 2 and self._marks[1].worked < self._worked - RECENT:
            self._marks.popleft()
        then = self._marks[0]
        made, worked = progress.made - then.made, self._worked - then.worked
        if made <= 0 or worked <= 0:
            return None
        rate = made / worked
        busy = (progress.waiting + progress.in_hand) / rate
        until = progress.blocked_until or progress.resting_until
        idle = max(0.0, until - wall) if until else 0.0
        left = max(progress.paced_seconds, idle + busy)
        return Pace(rate, left, wall + left, (progress.fetched_bytes - then.fetched) / worked)


@dataclass(frozen=True, slots=True)
class Fetching:
    """How far a file of annotations has come: `done` of `total` bytes, None if that is unknown.

    is_over: the last word on this file from this address. failed: it could not be fetched.
    """

    name: str
    url: str
    done: int
    total: int | None
    is_over: bool = False
    failed: bool = False


class Reporter(Protocol):
    """Shows the progress and messages of a build."""

    def update(self, progress: Progress) -> None: ...
    def say(self, line: str) -> None: ...
    def close(self) -> None: ...


@runtime_checkable
class ShowsFetching(Protocol):
    """A reporter may have this method too, to show how annotations are fetched."""

    def fetching(self, fetching: Fetching) -> None: ...


class Silent:
    """A reporter that shows nothing."""

    def update(self, progress: Progress) -> None: ...
    def say(self, line: str) -> None: ...
    def close(self) -> None: ...

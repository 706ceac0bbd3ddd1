"""The progress of a build, its forecast, and the protocol of reporters that show it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, runtime_checkable

from nanokinetics.common.text import duration

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
    then = datetime.fromtimestamp(at).astimezone()
    same_day = then.date() == datetime.now().astimezone().date()
    return then.strftime("%H:%M" if same_day else "%a %H:%M")


@dataclass(frozen=True, slots=True)
class Pace:
    """The speed of a build. rate: clips per second without waits. left: seconds to the end."""

    rate: float
    left: float

    def __str__(self) -> str:
        return f"{self.rate * 60:.1f} clips/min, {duration(self.left)} left"


class Forecast:
    """Computes the pace from the progress so far.

    The rate excludes the time spent waiting for YouTube or for the budget. The time left includes
    it.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._last: tuple[float, Progress] | None = None
        self._worked = 0.0
        self._marks: deque[tuple[float, int]] = deque()

    def pace(self, progress: Progress) -> Pace | None:
        """The present pace; None before the first clip is made."""
        now = self._clock()
        if self._last is not None and not self._last[1].is_held_up:
            self._worked += now - self._last[0]
        if self._last is None or progress.made != self._last[1].made:
            self._marks.append((self._worked, progress.made))
        self._last = (now, progress)
        while len(self._marks) > 2 and self._marks[1][0] < self._worked - RECENT:
            self._marks.popleft()
        since, made_then = self._marks[0]
        made, worked = progress.made - made_then, self._worked - since
        if made <= 0 or worked <= 0:
            return None
        rate = made / worked
        busy = (progress.waiting + progress.in_hand) / rate
        until = progress.blocked_until or progress.resting_until
        idle = max(0.0, until - self._wall()) if until else 0.0
        return Pace(rate, max(progress.paced_seconds, idle + busy))


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

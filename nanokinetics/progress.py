"""What a person sees while a build runs: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, TextIO

from tqdm import tqdm

LINE_EVERY: Final = 30.0
"""Seconds between the lines of a log."""

REDRAW_EVERY: Final = 0.25
"""Seconds between two drawings of the bar."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build has come. Counts are clips.

    While YouTube refuses, `blocked_since` is when that began, in seconds since the epoch, and
    `blocked_until` when the next request may go out, None while one is on its way; `blocked_by`
    says how it refused. `resting_until` is the same for the hourly budget.
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

    @property
    def state(self) -> str:
        if self.blocked_since is not None:
            until = f"until {_clock(self.blocked_until)}" if self.blocked_until else "asking again"
            return f"blocked since {_clock(self.blocked_since)}, {until} ({self.blocked_by})"
        if self.resting_until is not None:
            return f"resting until {_clock(self.resting_until)} (hourly budget)"
        return f"{self.in_hand} in hand"


def _clock(at: float) -> str:
    then = datetime.fromtimestamp(at).astimezone()
    same_day = then.date() == datetime.now().astimezone().date()
    return then.strftime("%H:%M" if same_day else "%a %H:%M")


class Reporter(Protocol):
    """Somebody who wants to know how it goes."""

    def update(self, progress: Progress) -> None: ...
    def say(self, line: str) -> None: ...
    def close(self) -> None: ...


class Silent:
    """Nobody wants to know."""

    def update(self, progress: Progress) -> None: ...
    def say(self, line: str) -> None: ...
    def close(self) -> None: ...


class Bar:
    """A tqdm bar: made / wanted, what was replaced, and what it is doing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: tqdm[Any] | None = None
        self._next = 0.0

    def update(self, progress: Progress) -> None:
        bar = self._bar
        if bar is None:
            self._bar = bar = tqdm(
                total=progress.wanted,
                initial=progress.made,
                unit="clip",
                file=self._stream,
                dynamic_ncols=True,
                mininterval=REDRAW_EVERY,
            )
        counts = [f"{progress.replaced} replaced"] if progress.replaced else []
        counts += [f"{progress.held} for later"] if progress.held else []
        bar.set_postfix_str(", ".join([*counts, progress.state]), refresh=False)
        bar.update(progress.made - bar.n)
        now = time.monotonic()
        if now >= self._next:  # the state may have changed with no clip made
            self._next = now + REDRAW_EVERY
            bar.refresh()

    def say(self, line: str) -> None:
        tqdm.write(line, file=self._stream)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class Lines:
    """A line now and then, and whenever the state changes between going on and waiting."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._next = 0.0
        self._waiting = False
        self._last = ""

    def update(self, progress: Progress) -> None:
        now = self._clock()
        waiting = progress.blocked_since is not None or progress.resting_until is not None
        if now < self._next and waiting == self._waiting:
            return
        self._next, self._waiting = now + LINE_EVERY, waiting
        self._write(progress)

    def _write(self, progress: Progress) -> None:
        line = (
            f"{progress.made}/{progress.wanted} clips, {progress.replaced} replaced, "
            f"{progress.held} for later, {progress.state}"
        )
        if line != self._last:
            self.say(line)
            self._last = line

    def say(self, line: str) -> None:
        stamp = datetime.now().astimezone().strftime("%H:%M:%S")
        print(f"{stamp} {line}", file=self._stream, flush=True)

    def close(self) -> None: ...


def reporter(stream: TextIO | None = None, *, quiet: bool = False) -> Reporter:
    """A bar on a terminal, lines elsewhere, silence if asked for."""
    stream = stream or sys.stderr
    if quiet:
        return Silent()
    return Bar(stream) if stream.isatty() else Lines(stream)

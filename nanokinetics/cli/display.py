"""Show progress: a bar on a terminal, plain lines in a log, JSON objects for scripts."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final, TextIO

from tqdm import tqdm

from nanokinetics.cli.transfers import TransferBar, TransferLines
from nanokinetics.common.logs import logger
from nanokinetics.common.moments import Stamps
from nanokinetics.common.text import plain
from nanokinetics.progress import (
    Fetching,
    Forecast,
    Pace,
    Progress,
    Reporter,
    ShowsFetching,
    Silent,
)

_log = logger(__name__)

LINE_EVERY: Final = 30.0
"""Seconds between two lines of a log."""


OBJECT_EVERY: Final = 5.0
"""Seconds between two JSON objects."""


REDRAW_EVERY: Final = 0.25
"""Seconds between two redraws of the bar."""


NARROWEST: Final = 40
"""Columns. A narrower terminal gets lines instead of a bar. Some terminals report a width of 0."""


def columns_of(stream: TextIO) -> int:
    """The width that a terminal reports, in columns; 0 if it reports none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 0


class Bar:
    """A tqdm bar with the number of clips, the pace, the number of replaced clips, and the state.

    While a build waits, the state comes first and stays complete. On a narrow terminal, the bar and
    the counts make room for it. tqdm's own estimate of the time left is not shown, since it ignores
    budgets and blocks.
    """

    _WITH_BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
    _WITHOUT_BAR = "{n_fmt}/{total_fmt}{postfix}"

    def __init__(self, stream: TextIO, columns: Callable[[TextIO], int] = columns_of) -> None:
        self._stream = stream
        self._columns = columns
        self._forecast = Forecast()
        self._bar: tqdm[Any] | None = None
        self._next = 0.0
        self._transfer = TransferBar(stream)

    def fetching(self, fetching: Fetching) -> None:
        self._transfer.show(fetching, max(self._columns(self._stream), NARROWEST) - 1)

    def update(self, progress: Progress) -> None:
        bar = self._bar
        if bar is None:
            self._bar = bar = tqdm(
                total=progress.wanted,
                initial=progress.made,
                bar_format=self._WITH_BAR,
                ncols=NARROWEST,
                file=self._stream,
                mininterval=REDRAW_EVERY,
            )
        made = progress.made - bar.n
        self._fit(bar, progress)
        bar.update(made)
        now = time.monotonic()
        if now >= self._next:  # the state may change although no clip was made
            self._next = now + REDRAW_EVERY
            bar.refresh()

    def _fit(self, bar: tqdm[Any], progress: Progress) -> None:
        """Choose the parts to show, so that the line fits the terminal."""
        pace = self._forecast.pace(progress)
        counts = [f"{progress.replaced} gone"] if progress.replaced else []
        counts += [f"{progress.held} for later"] if progress.held else []
        if progress.is_held_up:
            firsts, rest = [progress.state, progress.brief_state], counts
        else:
            rest = [*counts, progress.state]
            firsts = list(pace.forms) if pace else [rest.pop(0)]
        # Some terminals begin a new line after a character in the last column.
        bar.ncols = max(self._columns(self._stream), NARROWEST) - 1
        for form in (self._WITH_BAR, self._WITHOUT_BAR):
            bar.bar_format = form
            room = bar.ncols - _taken(bar, progress.made)
            fitting = [first for first in firsts if len(first) <= room]
            if fitting:
                break
        line = _as_fits(fitting[0] if fitting else firsts[-1][:room], rest, room)
        bar.set_postfix_str(plain(line), refresh=False)

    def say(self, line: str) -> None:
        tqdm.write(plain(line), file=self._stream)

    def close(self) -> None:
        self._transfer.close()
        if self._bar is not None:
            self._bar.close()


def _taken(bar: tqdm[Any], made: int) -> int:
    """Columns that the line takes without its text, with tqdm's bar of ten cells."""
    drawn = {**bar.format_dict, "n": made, "ncols": None, "postfix": "-"}
    return len(tqdm.format_meter(**drawn)) - len("-")


def _as_fits(line: str, more: Sequence[str], room: int) -> str:
    for each in more:
        if len(line) + len(", ") + len(each) > room:
            break
        line += f", {each}"
    return line


class Lines:
    """A line every `every` seconds, and a line when the build begins or ends to wait.

    header: the first line. It comes before anything else is said, and not at all if nothing is.
    """

    every: float = LINE_EVERY

    def __init__(
        self,
        stream: TextIO,
        header: str = "",
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._stream = stream
        self._header = header
        self._clock = clock
        self._wall = wall
        self._stamps = Stamps()
        self._forecast = Forecast(clock, wall)
        self._next = float("-inf")
        self._was_held_up = False
        self._last = ""
        self._transfers = TransferLines(self.say, clock, LINE_EVERY)

    def fetching(self, fetching: Fetching) -> None:
        self._transfers.show(fetching)

    def update(self, progress: Progress) -> None:
        now, pace = self._clock(), self._forecast.pace(progress)
        if now < self._next and progress.is_held_up == self._was_held_up:
            return
        self._next, self._was_held_up = now + self.every, progress.is_held_up
        self._write(progress, pace)

    def _write(self, progress: Progress, pace: Pace | None) -> None:
        line = (
            f"{progress.made}/{progress.wanted} clips, {progress.replaced} gone, "
            f"{progress.held} for later, {progress.state}"
        )
        if line != self._last:
            self.say(f"{line}; {pace}" if pace else line)
            self._last = line

    def say(self, line: str) -> None:
        header, self._header = self._header, ""
        if header:
            self._put(header)
        self._put(line)

    def _put(self, line: str) -> None:
        stamp = self._stamps.next(self._wall())
        print(f"{stamp} {plain(line)}", file=self._stream, flush=True)

    def close(self) -> None: ...


class Objects(Lines):
    """The same for scripts: one JSON object a line. Each has an `event`."""

    every = OBJECT_EVERY

    def _write(self, progress: Progress, pace: Pace | None) -> None:
        forecast = {
            "clips_per_minute": round(pace.rate * 60, 2) if pace else None,
            "bytes_per_second": round(pace.bytes_per_second) if pace else None,
            "seconds_left": round(pace.left) if pace else None,
            "ends_at": round(pace.ends) if pace else None,
        }
        self._print("progress", **asdict(progress), **forecast)

    def fetching(self, fetching: Fetching) -> None:
        if fetching.is_over or not fetching.done:
            super().fetching(fetching)

    def _put(self, line: str) -> None:
        self._print("message", text=line)

    def _print(self, event: str, **values: object) -> None:
        print(
            plain(json.dumps({"event": event, **values}, ensure_ascii=False)),
            file=self._stream,
            flush=True,
        )


class Remembering:
    """A reporter that hands everything on, keeps the latest progress, and logs what is said."""

    def __init__(self, shown: Reporter) -> None:
        self._shown = shown
        self.latest: Progress | None = None

    def update(self, progress: Progress) -> None:
        self.latest = progress
        self._shown.update(progress)

    def fetching(self, fetching: Fetching) -> None:
        if isinstance(self._shown, ShowsFetching):
            self._shown.fetching(fetching)

    def say(self, line: str) -> None:
        _log.info("%s", line)
        self._shown.say(line)

    def close(self) -> None:
        self._shown.close()


def reporter(
    stream: TextIO | None = None, *, quiet: bool = False, objects: bool = False, header: str = ""
) -> Reporter:
    """The reporter for a stream: a bar on a terminal, otherwise lines.

    A terminal gets lines too if it is too narrow for a bar, or does not report its width. quiet:
    show nothing. objects: print JSON objects, by default to standard output. header: the first line
    of a log.
    """
    if quiet:
        return Silent()
    if objects:
        return Objects(stream or sys.stdout, header)
    stream = stream or sys.stderr
    if stream.isatty() and columns_of(stream) >= NARROWEST:
        return Bar(stream)
    return Lines(stream, header)

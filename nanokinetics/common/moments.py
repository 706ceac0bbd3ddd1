"""Points in time for people: the local time, with its distance from UTC. Tables have UTC.

All functions take seconds since the epoch. They follow `TZ` and the rules of summer time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_NEAR: Final = timedelta(days=6)
"""Within this time the name of a weekday means one day only."""


def moment(at: float) -> str:
    """`2026-11-26 07:40:12+01:00`, as RFC 3339 has it."""
    return _local(at).isoformat(" ", "seconds")


def instant(at: float) -> str:
    """`2026-11-26T07:40:12.345+01:00`, for the lines of a file."""
    return _local(at).isoformat("T", "milliseconds")


def clock(at: float, now: float) -> str:
    """The time of day, and what else it takes to know which: `07:40`, `Thu 07:40`, `02:30+01:00`.

    now: the present. Another day is named, and so is another distance from UTC: in the night when
    summer time ends, an hour comes twice.
    """
    then, present = _local(at), _local(now)
    text = then.strftime("%H:%M")
    if then.utcoffset() != present.utcoffset():
        text = then.isoformat(" ", "minutes").partition(" ")[2]
    if then.date() == present.date():
        return text
    return f"{then:%a} {text}" if abs(then - present) < _NEAR else f"{then:%Y-%m-%d} {text}"


class Stamps:
    """The beginnings of the lines of a log.

    The first line, and each line on another day than the line before or with another distance from
    UTC, begins with the whole `moment`. The others begin with the time of day.
    """

    def __init__(self) -> None:
        self._last: tuple[object, object] | None = None

    def next(self, at: float) -> str:
        then = _local(at)
        day = (then.date(), then.utcoffset())
        before, self._last = self._last, day
        return then.strftime("%H:%M:%S") if day == before else moment(at)


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone()

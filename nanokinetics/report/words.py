"""Format numbers and times for people, on a terminal and on a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from nanokinetics.common.text import duration


def number(value: int | None) -> str:
    """A count; a dash if it is unknown."""
    return "-" if value is None else f"{value:,}"


def several(count: int, one: str, many: str = "") -> str:
    """A count with its noun: `1 clip`, `2 clips`. many: a plural that is not formed with s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(texts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(texts[:-1]), *texts[-1:])))


def reason(value: str) -> str:
    """A reason of a table as words."""
    return value.replace("_", " ")


def name_and_window(key: str) -> tuple[str, str]:
    """Split a clip's key into the video and the window. A key without window gives an empty one."""
    found = _WINDOW.fullmatch(key)
    return (found[1], found[2]) if found else (key, "")


_WINDOW: Final = re.compile(r"(.+)(_\d{6,}_\d{6,})", re.DOTALL)


def seconds(value: float) -> str:
    """A short time in seconds, with two decimals."""
    return f"{value:,.2f}"


def span(value: float | None) -> str:
    """A long time from seconds, in the largest units; a dash if it is unknown."""
    return "-" if value is None else duration(value)


def pace(value: float | None) -> str:
    """Clips an hour; a dash if unknown."""
    return "-" if value is None else f"{value:,.0f}"


def share(value: float) -> str:
    return f"{100 * value:.0f} %"


def moment(at: float) -> str:
    """A point in time, from seconds since the epoch, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")

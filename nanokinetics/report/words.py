"""How numbers and times are said to a person, on a terminal and on a page alike."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from nanokinetics.common.text import duration


def number(value: int | None) -> str:
    """A count; a dash where it is not known."""
    return "-" if value is None else f"{value:,}"


def reason(value: str) -> str:
    """A reason of a table as it is said to a person."""
    return value.replace("_", " ")


def name_and_window(key: str) -> tuple[str, str]:
    """A clip's key in two parts that make it up: the video, and the window where it has one."""
    found = _WINDOW.fullmatch(key)
    return (found[1], found[2]) if found else (key, "")


_WINDOW: Final = re.compile(r"(.+)(_\d{6,}_\d{6,})", re.DOTALL)


def seconds(value: float) -> str:
    """A short time, as accurate as it is of use."""
    return f"{value:,.2f}"


def span(value: float | None) -> str:
    """A long time; a dash where it is not known."""
    return "-" if value is None else duration(value)


def pace(value: float | None) -> str:
    """Clips an hour; a dash where it is not known."""
    return "-" if value is None else f"{value:,.0f}"


def share(value: float) -> str:
    return f"{100 * value:.0f} %"


def moment(at: float) -> str:
    """A point in time, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")

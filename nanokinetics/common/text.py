"""Format seconds and bytes for people, and make foreign text safe to show."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters, and characters that change the direction of writing."""


def plain_lines(lines: Iterable[object]) -> str:
    """Texts as lines, each of them plain."""
    return "\n".join(map(plain, lines))


def plain(text: object) -> str:
    r"""Escape control characters, and characters that change the direction, as `\uXXXX`.

    JSON on one line stays JSON with the same meaning.
    """
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", str(text))


def duration(seconds: float) -> str:
    """`45 s`, `3 min 20 s`, `12 min`, `3 h 20 min`, `2 d 4 h`: the smaller unit is rounded."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if seconds < 599.5:
        return _two(round(seconds), 60, "min", "s")
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return _two(minutes, 60, "h", "min")
    return _two(round(minutes / 60), 24, "d", "h")


def _two(count: int, each: int, large: str, small: str) -> str:
    whole, rest = divmod(count, each)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"


def size(count: float) -> str:
    """`999 B`, `12.3 MB`, `1.4 TB`: powers of 1000, as for the sizes of disks."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"

"""Format seconds, bytes and tables for people, and make foreign text safe to show."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u180e"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0001\U000e0020-\U000e007f]"
)
"""What acts on a terminal, or cannot be seen: Unicode's categories Cc, Cf, Cs, Zl and Zp, and the
blank letters of Hangul. The direction of writing and the width of nothing are among them."""


def plain_lines(lines: Iterable[object]) -> str:
    """Texts as lines, each of them plain."""
    return "\n".join(map(plain, lines))


def plain(text: object) -> str:
    r"""Escape characters that act on a terminal, or that cannot be seen, as `\uXXXX`.

    JSON on one line stays JSON with the same meaning: a character beyond U+FFFF becomes a pair.
    """
    return _UNSEEN.sub(_escaped, str(text))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


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


NARROWEST_COLUMN: Final = 8
"""Characters that are left of a shortened text, at least."""

_NUMBER: Final = re.compile(r"[\d.,%-]*")


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], left: int = 0, width: int = 0
) -> Iterator[str]:
    """Align the columns: the last `left` columns to the left, the others to the right.

    width: columns of the terminal, 0 for any number. Texts on the left are shortened to fit, the
    last column first. Numbers, and what is aligned to the right, stay whole.
    """
    cells = [tuple(heads), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    turn = len(widths) - left
    texts = [
        place
        for place in range(turn, len(widths))
        if not all(_NUMBER.fullmatch(row[place]) for row in cells[1:])
    ]
    excess = sum(widths) + 2 * (len(widths) - 1) - width if width else 0
    for place in reversed(texts):
        less = max(0, min(excess, widths[place] - NARROWEST_COLUMN))
        widths[place] -= less
        excess -= less
    for row in cells:
        yield "  ".join(
            _cut(cell, size).rjust(size) if place < turn else _cut(cell, size).ljust(size)
            for place, (cell, size) in enumerate(zip(row, widths, strict=True))
        ).rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def wrapped(line: str, width: int) -> list[str]:
    """A line for a terminal of this width: broken between words, and never within one.

    Further lines are indented by two more than the first one. width: 0 for any.
    """
    if not width or len(line) <= width:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )

"""What spreadsheets make of a table when they save it again: read, or named if it is lost.

A spreadsheet writes what it shows. So times have the decimal mark of its language, and an id that
looks like a number, a date or a formula is gone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from nanokinetics.annotations.candidates import is_youtube_id

_MOST_ROWS: Final = {
    1_048_576: "Excel, LibreOffice and Numbers",
    65_536: "old versions of Excel",
}
"""The most rows of a sheet.
https://support.microsoft.com/office/excel-specifications-and-limits-1672b34d-7043-467e-8e27-269d656771c3
"""

_BLANKS: Final = " \t\xa0\u202f"

_CURLY: Final = frozenset("\u2018\u2019\u201c\u201d")

_PLAIN: Final = re.compile(r"[0-9]+")
_SPACED: Final = re.compile(r"([0-9]{1,3})((?:[ \xa0\u2009\u202f'\u2019][0-9]{3})+)([.,][0-9]+)?")
_MARKED: Final = re.compile(r"[0-9]*(?:[.,][0-9]*)+")
_CLOCK: Final = re.compile(r"(?:([0-9]{1,3}):)?([0-5]?[0-9]):([0-5][0-9])(?:[.,]([0-9]+))?")
_GROUPS: Final = {
    ",": re.compile(r"[0-9]{1,3}(,[0-9]{3})+"),
    ".": re.compile(r"[0-9]{1,3}(\.[0-9]{3})+"),
}

_FORCED: Final = re.compile(r"""='?"(.*)"|['\u2019](.*)""")
"""How people keep a spreadsheet from changing a text."""

_ERROR: Final = re.compile(r"#\S+|Err:[0-9]+")
_NARROW: Final = re.compile(r"#+")
_NUMBER: Final = re.compile(r"[+-]?[0-9][0-9.,'\u2019\s]*(e[+-]?[0-9]+)?%?", re.IGNORECASE)
_ROUNDED: Final = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?e[+-]?[0-9]+", re.IGNORECASE)
_MONTH: Final = r"[^\W\d_]{3,10}\.?"
_DATE: Final = re.compile(
    rf"""(?:
        [0-9]{{1,4}}[./-]\s?[0-9]{{1,2}}[./-]\s?[0-9]{{0,4}}\.?   # 10.01.2026, 2026-01-10, 10.1.
        | [0-9]{{1,2}}[./\s-]{{1,2}}{_MONTH}(?:[./\s-]+[0-9]{{2,4}})?   # 10. Jan, 10-Jan-26
        | {_MONTH}[./\s-]+[0-9]{{1,4}}(?:,?\s+[0-9]{{2,4}})?             # Jan 10, Jan-26
        | (?:[0-9]+[年月日년월일]\s?)+                                   # 1月10日
        )(?:\s+[0-9]{{1,2}}:.*)? | [0-9]{{1,2}}:[0-9:.,]+\s*[ap]\.?m\.?""",
    re.IGNORECASE | re.VERBOSE,
)


def restored_id(text: str) -> str:
    """An id without what a spreadsheet wrote around it; the text itself if that is no id."""
    inner = text.strip(_BLANKS)
    match = _FORCED.fullmatch(inner)
    if match:
        inner = match[1] or match[2] or ""
    return inner if is_youtube_id(inner) else text


def seconds(texts: Collection[str], delimiter: str) -> Mapping[str, str]:
    """Times as plain numbers of seconds, for those of all times that are written otherwise.

    Read are decimal commas, thousands with a mark or a blank, `1:30` and `0:01:30`. All times
    together show what a comma and a dot mean. If they leave it open, the result is no number, and
    names both meanings: `1.000 or 1000`.

    delimiter: that of the fields. In tables with commas and tabs, a dot is always a decimal mark.
    """
    odd = [text for text in texts if not _PLAIN.fullmatch(text)]
    if not odd:
        return {}
    found: dict[str, str] = {}
    marked: dict[str, str] = {}
    clocks = {text: match for text in odd if (match := _CLOCK.fullmatch(text.strip()))}
    for text in odd:
        bare = _SPACED.sub(_joined, text.strip())
        if text in clocks:
            found[text] = _of_clock(clocks[text])
        elif _PLAIN.fullmatch(bare):
            found[text] = bare
        elif _MARKED.fullmatch(bare):
            marked[text] = bare
    if clocks and all(match[1] and match[3] == "00" for match in clocks.values()):
        found |= {text: f"{text} or {text.strip()[:-3]}" for text, m in clocks.items() if int(m[2])}
    is_whole = len(marked) == len(texts)
    return found | _numbers(marked, delimiter, is_whole)


def damage(text: str, *, is_time: bool = False) -> str | None:
    """What a spreadsheet made of an id or a time, in words; None if it does not look like that."""
    bare = text.strip()
    if _NARROW.fullmatch(bare):
        return "a spreadsheet's column was too narrow to show it"
    if _ERROR.fullmatch(bare):
        return "a spreadsheet took it for a formula, as it does if the text begins with - or ="
    if _DATE.fullmatch(bare):
        return "a spreadsheet turned it into a date or a time of day"
    if _ROUNDED.fullmatch(bare):
        return "a spreadsheet turned it into a number and rounded it"
    if not is_time and _NUMBER.fullmatch(bare):
        return "a spreadsheet turned it into a number"
    return None


def cut_off(data: bytes) -> str | None:
    """A line about a table that has just as many rows as a spreadsheet can hold, or None."""
    ends = data.count(b"\n") or data.count(b"\r")
    rows = ends + (not data.endswith((b"\n", b"\r")))
    if rows not in _MOST_ROWS:
        return None
    return (
        f"has exactly {rows:,} rows, the most that {_MOST_ROWS[rows]} can hold; "
        "if a spreadsheet cut it, use the original file"
    )


def curly(labels: Collection[str]) -> str | None:
    """A line about labels with quotation marks that programs for text write, or None."""
    odd = sorted(label for label in labels if not _CURLY.isdisjoint(label))
    if not odd:
        return None
    more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
    return (
        f"the label '{odd[0]}'{more} has a curly quotation mark, which is another class than one "
        "with a plain mark; presets and other files have plain ones"
    )


def _joined(match: re.Match[str]) -> str:
    return match[1] + re.sub(r"[^0-9]", "", match[2]) + (match[3] or "")


def _of_clock(match: re.Match[str]) -> str:
    hours, minutes, rest, fraction = match.groups()
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(rest)
    return f"{whole}.{fraction}" if fraction else str(whole)


def _numbers(marked: Mapping[str, str], delimiter: str, is_whole: bool) -> dict[str, str]:
    """The numbers with commas and dots. is_whole: whether every time has one."""
    bare = marked.values()
    decimal = {mark for mark in ",." if any(_is_decimal(text, mark) for text in bare)}
    if not decimal and is_whole:  # so do all of `0,500`-like times, and no thousands
        decimal = {mark for mark in ",." if all(text.count(mark) == 1 for text in bare)}
    if not decimal and delimiter != ";" and any("." in text for text in bare):
        decimal = {"."}
    return {text: _number(number, decimal, delimiter) for text, number in marked.items()}


def _is_decimal(text: str, mark: str) -> bool:
    """Whether a number shows that this mark is the decimal one: `10,5`, `1.000,25`, `0,125`."""
    whole, found, fraction = text.rpartition(mark)
    other = "." if mark == "," else ","
    if not found or mark in whole or other in fraction:
        return False
    if other in whole:
        return bool(_GROUPS[other].fullmatch(whole))
    return len(fraction) != 3 or len(whole) > 3 or whole[:1] in ("", "0")


def _number(text: str, decimal: Collection[str], delimiter: str) -> str:
    """One number with a dot, as Python reads it; the text itself if its marks make no sense."""
    marks = {mark for mark in ",." if mark in text}
    last = text[max(map(text.rfind, ",."))]
    other = "." if last == "," else ","
    without = text.replace(other, "").replace(last, ".")
    if len(marks) == 2:
        makes_sense = _GROUPS[other].fullmatch(text.rpartition(last)[0])
        return without if makes_sense and text.count(last) == 1 else text
    if text.count(last) > 1:
        return text.replace(last, "") if _GROUPS[last].fullmatch(text) else text
    if last in decimal and (len(decimal) == 1 or _is_decimal(text, last)):
        return without
    if other in decimal and len(decimal) == 1:
        return text.replace(last, "")
    if not decimal and last == "," and delimiter == ",":
        return text.replace(last, "")
    return f"{text} or {text.replace(last, '')}"

"""Foreign text, made harmless for a terminal."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest

from nanokinetics.common.text import plain, plain_lines

UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_nothing_that_acts_or_cannot_be_seen_gets_through() -> None:
    """By Unicode's own categories: control, format, surrogate, line and paragraph separator."""
    characters = map(chr, range(sys.maxunicode + 1))
    left = [hex(ord(c)) for c in characters if unicodedata.category(c) in UNSEEN and plain(c) == c]
    assert left == []


@pytest.mark.parametrize(
    "text",
    [
        "\x1b]0;PWNED\x07\x1b[2J", "a\rb\tc\nd", "\u202egnp.exe", "\u2066x\u2069",
        "a\u200bb\u200dc", "pay\u00adpal", "\ufeffx", "\u2028x", "\U000e0041", "\ud83d", "\u3164",
    ],
)  # fmt: skip
def test_it_is_shown_as_an_escape_that_json_reads(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    assert shown.isascii()
    assert json.loads(f'"{shown}"') == text


def test_letters_of_all_kinds_stay() -> None:
    text = "caf\u00e9 \u65e5\u672c \u0639\u0631\u0628 \U0001f600 a person's \u201chead\u201d"
    assert plain(text) == text


def test_lines_stay_lines() -> None:
    assert plain_lines(["a\nb", 2]) == "a\\u000ab\n2"

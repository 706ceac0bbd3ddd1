"""Foreign text, made harmless for a terminal, and tables that fit it."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest

from nanokinetics.common.text import plain, plain_lines, table, wrapped

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


# -- tables and lines that fit

HEADS = ("clips", "of", "reason", "most often")
ROWS = [
    ("12,345", "100,000", "age_restricted", "Sign in to confirm your age. This video may be"),
    ("7", "8", "private", "Private video"),
]


def test_a_table_aligns_numbers_to_the_right_and_texts_to_the_left() -> None:
    assert list(table(HEADS, ROWS, left=2)) == [
        " clips       of  reason          most often",
        "12,345  100,000  age_restricted  Sign in to confirm your age. This video may be",
        "     7        8  private         Private video",
    ]


def test_on_a_terminal_the_texts_are_shortened_and_no_number_is() -> None:
    assert list(table(HEADS, ROWS, left=2, width=50)) == [
        " clips       of  reason          most often",
        "12,345  100,000  age_restricted  Sign in to confi…",
        "     7        8  private         Private video",
    ]
    assert max(map(len, table(HEADS, ROWS, left=2, width=40))) == 40
    narrow = list(table(HEADS, ROWS, left=2, width=10))
    assert narrow[1] == "12,345  100,000  age_res…  Sign in…", "it is too wide rather than wrong"


def test_numbers_on_the_left_stay_whole_too() -> None:
    shown = list(table(("name", "classes"), [("mini-kinetics-200", "200000000")], 2, 20))
    assert shown == ["name       classes", "mini-kin…  200000000"]


def test_a_line_is_broken_between_words_and_indented() -> None:
    assert wrapped("  a.mp4: 1234567 bytes, not 12345", 20) == [
        "  a.mp4: 1234567",
        "    bytes, not 12345",
    ]
    long = "/a/path/that/has/no/blank-but-hyphens"
    assert wrapped(f"{long} is gone", 10) == [long, "  is gone"]
    assert wrapped("any line at all", 0) == ["any line at all"]
    assert wrapped("", 5) == [""]

"""The end of a build in words: every end says what is next, in words that the glossary has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nanokinetics.api import BuildResult
from nanokinetics.cli.summary import next_step, short_line, summary, summary_of_early_end
from nanokinetics.clip import ClipId, Group
from nanokinetics.errors import Reason
from nanokinetics.progress import Pace, Progress

Zone = Callable[[str], None]

GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"

GROUP = Group("train", "training dog")
WHOLE = BuildResult(
    made=20, wanted=20, new=5, replaced=3, held=0, superseded=0, refusals=2, short={},
    reasons={Reason.PRIVATE: 2, Reason.TIMEOUT: 1}, began=0.0, ended=36_000.0,
    worked_seconds=7200.0, waited_seconds=28_800.0, fetched_bytes=1_200_000_000,
)  # fmt: skip
SHORT = replace(WHOLE, made=18, short={GROUP: (8, 10)})


def test_the_summary_says_when_how_long_and_how_much(zone: Zone) -> None:
    zone("Asia/Kolkata")
    assert summary(WHOLE, "nano") == [
        "20 of 20 clips are in nano, 5 of them new",
        "  gone:      3",
        "  for later: 0",
        "  failed:    2 private, 1 timeout (failed.csv, with their logs)",
        "  short:     no class",
        "  began:     1970-01-01 05:30:00+05:30",
        "  ended:     1970-01-01 15:30:00+05:30",
        "  worked:    2 h, 1.2 GB fetched",
        "  waited:    8 h, refused 2 times",
    ]


def test_a_build_that_an_error_ended_says_the_same(zone: Zone) -> None:
    zone("Asia/Kolkata")
    at_work = Progress(
        7, 20, 3, 1, 2, new=4, worked_seconds=60.0, waited_seconds=3600.0, fetched_bytes=2000
    )
    assert summary_of_early_end(at_work, "nano", 0.0, 3660.0) == [
        "7 of 20 clips are in nano, 4 of them new",
        "  gone:      3",
        "  for later: 1",
        "  began:     1970-01-01 05:30:00+05:30",
        "  ended:     1970-01-01 06:31:00+05:30",
        "  worked:    1 min, 2.0 kB fetched",
        "  waited:    1 h",
    ]
    assert summary_of_early_end(None, "nano", 0.0, 3660.0) == [
        "  ended:     1970-01-01 06:31:00+05:30"
    ]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (WHOLE, "nanokinetics verify nano, then nanokinetics export nano --format NAME"),
        (
            replace(WHOLE, held=2),
            "nanokinetics verify nano, then nanokinetics export nano --format NAME; a run without "
            "--replace-transient asks again for 2 clips for later",
        ),
        (replace(SHORT, held=2), "the same command, for 2 clips for later"),
        (
            replace(SHORT, held=2, fixable={"a.tar is damaged": 2}),
            "see to the source, then the same command, for 2 clips for later",
        ),
        (
            replace(SHORT, retryable=1),
            "the same command, with --retry-failed for 1 failed clip of short classes",
        ),
        (
            replace(SHORT, gone=4),
            "the same command, with --retry-failed=all for 4 failed clips of short classes",
        ),
        (
            SHORT,
            "no candidate is left to ask for, so take what is there: nanokinetics verify nano, "
            "then nanokinetics export nano --format NAME",
        ),
    ],
)
def test_every_end_says_what_is_next(result: BuildResult, said: str) -> None:
    assert next_step(result, "nano") == f"next: {said}"


def test_the_folder_can_be_pasted_into_a_shell() -> None:
    words = shlex.split(next_step(WHOLE, "my nano; rm -rf ~"))
    assert words[:4] == ["next:", "nanokinetics", "verify", "my nano; rm -rf ~,"]


def test_many_short_classes_are_counted() -> None:
    many = {Group("val", f"class {n}"): (n, 10) for n in range(8)}
    line = short_line(replace(SHORT, short=many), "nano")
    assert line.endswith("class 4 (val) has 4 of 10, and 3 more (see classes.csv)")


def glossary() -> set[str]:
    """The words of the first column of the glossary."""
    rows = re.findall(r"^\| (\*\*.+?) \|", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    return {word for row in rows for word in re.findall(r"\*\*(.+?)\*\*", row)}


def test_the_words_of_summary_and_progress_stand_in_the_glossary() -> None:
    result = replace(
        SHORT, held=1, superseded=1, retryable=1, lost={ClipId("train", "a", "k"): Reason.PRIVATE}
    )
    heads = {
        found[1]
        for line in summary(result, "nano")
        if (found := re.match(r"  ([\w ]{1,9}): ", line))
    }
    assert heads >= {"gone", "for later", "failed", "short", "began", "ended", "worked", "waited"}
    progress = Progress(3, 10, 2, 1, 4)
    states = {
        progress.state,
        replace(progress, resting_until=1.0).state,
        replace(progress, blocked_since=1.0, blocked_by="bot check").state,
    }
    words = {re.sub(r"^\d+ ", "", state).partition(" until ")[0] for state in states}
    words = {word.partition(" since ")[0] for word in words}
    assert words == {"in hand", "resting", "blocked"}
    assert str(Pace(1.0, 60.0, 60.0)).count("left, ends") == 1
    missing = (heads | words | {"made", "wanted", "new", "refused", "left", "ends"}) - glossary()
    assert not missing

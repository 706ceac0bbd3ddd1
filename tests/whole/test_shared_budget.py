"""Builds in several folders share the hourly budget of the address that they ask from."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from helpers import FAST, Bench, Row, Running, ended_at_last, read_table, wait_until, youtube_id

from nanokinetics.demo.scenario import Film, Scenario, Video

pytestmark = pytest.mark.slow

TINY = Film(duration=6, width=64, height=64, fps=5, gop_seconds=1)
HEALTHY = Scenario(default=Video(TINY, ("progressive",)))
SIX = ("--max-per-hour", "6")
SHARED = "(hourly budget, shared with another run)"


def _bench(bench) -> Bench:
    return bench(HEALTHY, [Row("yoga", youtube_id(i), 3, 4) for i in range(10)], 8, *FAST)


def _rests(running: Running) -> bool:
    assert not running.over, running.said
    return "hourly budget" in running.said


def _ended(running: Running) -> None:
    running.process.send_signal(signal.SIGTERM)
    assert running.wait().code == 130


def test_two_builds_in_two_folders_ask_for_no_more_than_one(bench, tmp_path: Path) -> None:
    made = _bench(bench)
    folders = [tmp_path / name for name in ("one", "other")]
    with ExitStack() as stack:
        both = [stack.enter_context(ended_at_last(made.start(*SIX, dest=d))) for d in folders]
        wait_until(lambda: all(map(_rests, both)))
        wait_until(lambda: sum(len(read_table(d / "stats.csv")) for d in folders) == 6)
        assert any(SHARED in running.said for running in both)
        for running in both:
            _ended(running)
    assert made.site.extractions() == 6
    with ended_at_last(made.start(*SIX)) as third:
        wait_until(lambda: SHARED in third.said)
        _ended(third)
    assert made.site.extractions() == 6


def _has_asked(made: Bench, videos: int) -> bool:
    return made.site.extractions() >= videos


def test_a_state_of_its_own_has_a_budget_of_its_own(bench, tmp_path: Path) -> None:
    made = _bench(bench)
    for turn, name in enumerate(("one", "other"), start=1):
        state = ("--state", str(tmp_path / f"state-{name}"))
        with ended_at_last(made.start(*SIX, *state, dest=tmp_path / name)) as running:
            wait_until(partial(_rests, running))
            wait_until(partial(_has_asked, made, 6 * turn))
            _ended(running)
    assert made.site.extractions() == 12


def test_a_state_that_cannot_be_written_costs_no_clip(bench, tmp_path: Path) -> None:
    made = _bench(bench)
    (tmp_path / "file").write_text("")
    done = made.run("--state", str(tmp_path / "file" / "state"))
    assert done.code == 0
    assert done.stderr.count("does not share the hourly budget") == 1
    assert len(made.stats()) == 8

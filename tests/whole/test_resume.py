"""Kill it at any moment, run the same command, and the end is that of an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import replace

import psutil
import pytest
from helpers import (
    FAST,
    SMALL,
    SPAWNED,
    Bench,
    Row,
    Running,
    ended_at_last,
    gone,
    kept,
    left_over,
    ranked,
    wait_until,
    whole_rows,
    youtube_id,
)

from nanokinetics.demo.scenario import Fault, Scenario, Throttle, Video

pytestmark = pytest.mark.slow

MOMENTS = 12
"""How often a build is killed."""

VIDEO = Video(SMALL, ("progressive",))
PROMPTLY = 5.0
"""Seconds within which an interrupted command has ended."""


def _rows(labels: int, candidates: int, prefix: str = "v") -> list[Row]:
    return [
        Row(f"class {label}", youtube_id(label * candidates + i, prefix), 3 + i, 4 + i)
        for label in range(labels)
        for i in range(candidates)
    ]


def _killable(bench, *more: str) -> tuple[Bench, set[Row], dict[str, str]]:
    """Three classes of three, of whose first candidates one is dead and one breaks off once."""
    rows = _rows(3, 6)
    dead, videos = {}, {}
    for group in ranked(rows).values():
        dead[group[1].youtube_id] = "private"
        videos[group[1].youtube_id] = Video(SMALL, failure="private")
        cut = Fault("media", "truncate", after_bytes=9000, times=1)
        videos[group[2].youtube_id] = replace(VIDEO, faults=(cut,))
    made = bench(Scenario(videos, default=VIDEO), rows, 3, "--no-audio", *FAST, *more)
    return made, kept(rows, 3, dead), dead


def _tables(made: Bench) -> tuple[set[str], set[tuple[str, str]]]:
    """Which rows the tables hold, without what differs from run to run."""
    return (
        {row["path"] for row in made.stats()},
        {(row["key"], row["reason"]) for row in made.failed()},
    )


def _names(made: Bench) -> set[str]:
    return {p.relative_to(made.dest).as_posix() for p in made.dest.rglob("*")}


def _clear(made: Bench) -> None:
    for path in sorted(made.dest.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    made.dest.rmdir()


class _Moment:
    """A moment to strike: so many requests after the start and then a while, or just a while."""

    def __init__(self, random_: random.Random, made: Bench, *, early: bool = False) -> None:
        self._requests = 0 if early else random_.randint(1, 25)
        self._then = random_.uniform(0.2, 1.5) if early else random_.uniform(0, 0.2)
        self._made = made
        self._first = len(made.site.log)

    def comes(self, running: Running) -> bool:
        """Wait for it. False if the command has ended before."""
        while len(self._made.site.log) - self._first < self._requests:
            if running.over:
                return False
            time.sleep(0.005)
        until = time.monotonic() + self._then
        while time.monotonic() < until and not running.over:
            time.sleep(0.005)
        return not running.over


def test_sigkill_at_any_moment_changes_nothing_of_the_end(bench):
    random_ = random.Random("sigkill")  # noqa: S311
    made, wanted, _ = _killable(bench, "--workers", "2")
    scenario = made.site.scenario
    assert made.run().code == 0
    made.holds(wanted)
    undisturbed = _names(made), *_tables(made)
    _clear(made)
    kills = rounds = 0
    while kills < MOMENTS or made.dest.exists():
        done, out = (
            {row["youtube_id"] for row in whole_rows(made.dest / table)}
            for table in ("stats.csv", "failed.csv")
        )
        first = len(made.site.log)
        with ended_at_last(made.start()) as running:
            again = kills < MOMENTS
            early = kills % 5 == 4
            if again and _Moment(random_, made, early=early).comes(running):
                family = running.family()
                running.kill_group()
                kills += 1
                assert gone(family) == []
            else:
                assert running.wait().code == 0
                made.holds(wanted)
                assert (_names(made), *_tables(made)) == undisturbed
                _clear(made)
                made.site.replace(scenario)
                rounds += 1
        asked = {r.youtube_id for r in made.site.log[first:]}
        assert not out & asked, "what had its row was asked for again"
        assert len(done & asked) <= 1, "so was more than the canary"
        for row in whole_rows(made.dest / "stats.csv"):
            assert (made.dest / row["path"]).stat().st_size == int(row["bytes"])
    assert rounds >= 1


def test_what_a_kill_may_leave_behind_is_cleared_away(bench):
    made, wanted, _ = _killable(bench)
    assert made.run().code == 0
    names, lost = _names(made), made.stats()[-1]
    stats, failed = made.dest / "stats.csv", made.dest / "failed.csv"
    stats.write_bytes(stats.read_bytes()[:-30])  # torn within its last row
    failed.write_bytes(failed.read_bytes() + b"v0000000001_00")
    (made.dest / ".tmp" / "4711" / "whole").mkdir(parents=True)
    (made.dest / ".tmp" / "4711" / "3.mp4").write_bytes(b"half a clip")
    for name in (".stats.csv.4711.tmp", ".run.json.4711.tmp", "train/.metadata.csv.4711.tmp"):
        (made.dest / name).write_bytes(b"half a table")
    first = len(made.site.log)
    assert made.run().code == 0
    made.holds(wanted)
    assert _names(made) == names
    assert made.site.log[first:] == [], f"{lost['key']} was whole: it is adopted, not fetched"
    assert {row["source"] for row in made.stats() if row["key"] == lost["key"]} == {"adopted"}


# -- workers that die


def _reader_of(running: Running, video: str) -> psutil.Process | None:
    """The ffmpeg that is reading a video."""
    for process in running.family():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if command and "ffmpeg" in command[0] and any(video in word for word in command):
            return process
    return None


class _Killer(threading.Thread):
    """Ends the worker (or the ffmpeg) that reads one of the videos, so many times each."""

    def __init__(self, running: Running, times: dict[str, int], *, ffmpeg: bool = False) -> None:
        super().__init__(daemon=True)
        self._running, self._times, self._ffmpeg = running, times, ffmpeg
        self.kills: Counter[str] = Counter()

    def run(self) -> None:
        while not self._running.over:
            for video, times in self._times.items():
                reader = _reader_of(self._running, video)
                if reader is None or self.kills[video] >= times:
                    continue
                try:
                    victim = reader if self._ffmpeg else reader.parent()
                    if victim is not None and victim.pid != self._running.pid:
                        victim.kill()
                        self.kills[video] += 1
                        gone([reader], 10)
                except psutil.Error:
                    continue
            time.sleep(0.03)


def _slow(chosen: list[Row]) -> Scenario:
    """Videos whose media come slowly enough for their reader to be found."""
    slow = replace(VIDEO, rate=25_000)
    return Scenario({row.youtube_id: slow for row in chosen}, default=VIDEO)


@pytest.mark.parametrize("victim", ["worker", "ffmpeg"])
def test_a_clip_whose_process_is_killed_once_is_made_after_all(bench, victim):
    rows = _rows(2, 3)
    chosen = [group[0] for group in ranked(rows).values()]
    made = bench(_slow(chosen), rows, 2, "--workers", "2", *FAST)
    with ended_at_last(made.start("--quiet")) as running:
        times = {row.youtube_id: 1 for row in chosen}
        killer = _Killer(running, times, ffmpeg=victim == "ffmpeg")
        killer.start()
        done = running.wait()
        killer.join(10)
    assert killer.kills == times
    assert (done.code, done.stderr) == (0, "")
    made.holds(kept(rows, 2))
    made.holds_the_frames_of(chosen, SMALL.fps)
    assert made.failed() == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each worker is started afresh")
def test_a_run_goes_on_when_what_its_workers_are_forked_from_is_killed(bench):
    rows = _rows(2, 3)
    chosen = [group[0] for group in ranked(rows).values()]
    made = bench(_slow(chosen), rows, 2, "--workers", "2", *FAST)
    with ended_at_last(made.start("--quiet")) as running:
        wait_until(lambda: all(_reader_of(running, row.youtube_id) for row in chosen))
        children = psutil.Process(running.pid).children()
        (source,) = (p for p in children if SPAWNED in " ".join(p.cmdline()))
        workers = source.children(recursive=True)
        source.kill()
        assert gone(workers) == []
        done = running.wait()
    assert (done.code, done.stderr) == (0, "")
    made.holds(kept(rows, 2))
    made.holds_the_frames_of(chosen, SMALL.fps)
    assert made.failed() == []


def test_a_clip_that_always_kills_its_worker_is_recorded_and_replaced(bench):
    rows = _rows(2, 4)
    deadly = ranked(rows)["train", "class 0"][0]
    made = bench(_slow([deadly]), rows, 2, "--workers", "2", *FAST)
    with ended_at_last(made.start()) as running:
        killer = _Killer(running, {deadly.youtube_id: 100})
        killer.start()
        done = running.wait()
        killer.join(10)
    assert done.code == 0
    assert killer.kills[deadly.youtube_id] == 2
    made.holds(kept(rows, 2, {deadly.youtube_id}))
    (row,) = made.failed()
    assert (row["key"], row["reason"], row["kind"]) == (deadly.key, "worker_died", "crashed")
    assert row["attempts"] == "2"
    assert "SIGKILL" in row["message"]


def test_no_worker_outlives_a_killed_parent_for_long(bench):
    rows = _rows(1, 4)
    stall = replace(VIDEO, faults=(Fault("media", "stall", after_bytes=9000),))
    made = bench(Scenario(default=stall), rows, 2, "--workers", "2", *FAST)
    made.yt_dlp += " --socket-timeout 60"
    with ended_at_last(made.start()) as running:
        wait_until(lambda: {r.kind for r in made.site.log} >= {"media"})
        family = running.family()
        running.process.kill()
        assert gone(family, 15) == []
    made.site.replace(Scenario(default=VIDEO))
    assert made.run().code == 0
    made.holds(kept(rows, 2))


# -- Ctrl-C and SIGTERM


def _strike(running: Running, how: str) -> None:
    if how == "the whole group, as a terminal does":
        os.killpg(running.pid, signal.SIGINT)
    else:
        os.kill(running.pid, getattr(signal, how))


def _ends_at_once(made: Bench, running: Running, how: str) -> None:
    family = running.family()
    _strike(running, how)
    began = time.monotonic()
    done = running.wait(4 * PROMPTLY)
    assert time.monotonic() - began < PROMPTLY
    assert done.code == 130, done.stderr
    assert gone(family) == []
    assert left_over(made.dest) == []
    said = done.stderr.splitlines()
    assert len(said) == 1, done.stderr
    assert said[0].startswith("nanokinetics: interrupted")


HOWS = ("SIGINT", "SIGTERM", "the whole group, as a terminal does")


@pytest.mark.parametrize("how", HOWS)
def test_interrupted_at_any_moment_it_ends_at_once_and_goes_on_later(bench, how):
    random_ = random.Random(how)  # noqa: S311
    made, wanted, dead = _killable(bench, "--workers", "2", "--quiet")
    strikes = 0
    while strikes < 3:
        moment = _Moment(random_, made)
        with ended_at_last(made.start()) as running:
            if strikes == 0:  # while the first worker starts
                wait_until((made.dest / "stats.csv").exists)
            elif not moment.comes(running):
                break
            _ends_at_once(made, running, how)
            strikes += 1
    done = made.run()
    assert (done.code, done.stderr) == (0, "")
    made.holds(wanted)
    assert made.reasons() == dead


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("state", ["stalled", "blocked"])
def test_it_ends_at_once_also_while_it_waits(bench, how, state):
    rows = _rows(1, 3)
    stall = replace(VIDEO, faults=(Fault("media", "stall", after_bytes=9000),))
    waiting = {
        "stalled": Scenario(default=stall),
        "blocked": Scenario(default=VIDEO, throttle=Throttle(after=0)),
    }
    made = bench(waiting[state], rows, 2, "--workers", "2", "--quiet", *FAST)
    with ended_at_last(made.start()) as running:
        if state == "stalled":
            wait_until(lambda: any(r.bytes for r in made.site.log if r.kind == "media"))
        else:
            wait_until(lambda: made.site.refused >= 2)
        _ends_at_once(made, running, how)
    assert made.failed() == []
    made.site.replace(Scenario(default=VIDEO))
    assert made.run().code == 0
    made.holds(kept(rows, 2))


def test_impatience_does_no_harm(bench):
    made, wanted, _ = _killable(bench, "--workers", "2", "--quiet")
    with ended_at_last(made.start()) as running:
        wait_until(lambda: sum(r.kind == "media" for r in made.site.log) > 8)
        family = running.family()
        for _ in range(5):
            for number in (signal.SIGINT, signal.SIGTERM):
                if not running.over:
                    os.kill(running.pid, number)
                time.sleep(0.02)
        done = running.wait(4 * PROMPTLY)
    assert done.code in (130, -signal.SIGINT, -signal.SIGTERM), done.stderr
    assert "Traceback" not in done.stderr
    assert gone(family) == []
    assert made.run().code == 0
    made.holds(wanted)


# -- what is there already


def test_files_and_rows_are_brought_together_again(bench):
    """A whole file needs no fetch, a torn or foreign one is made anew, a lost one is made again."""
    rows = _rows(1, 8)
    made = bench(Scenario(default=VIDEO), rows, 6, *FAST, "--quiet")
    assert made.run().code == 0
    whole, torn, foreign, other, lost, rest = made.stats()
    stats = made.dest / "stats.csv"
    header, *lines = stats.read_text().splitlines(keepends=True)
    stats.write_text("".join([header, *lines[4:]]))
    files = {row["key"]: made.dest / row["path"] for row in [*made.stats(), whole, torn, foreign]}
    files[other["key"]] = made.dest / other["path"]
    data = files[torn["key"]].read_bytes()
    files[torn["key"]].write_bytes(data[: len(data) * 2 // 3])
    files[foreign["key"]].write_bytes(b"not a video at all")
    damaged = bytearray(files[other["key"]].read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 400] = bytes(400)
    files[other["key"]].write_bytes(damaged)
    files[lost["key"]].unlink()
    kept_as_it_was = files[whole["key"]].stat().st_mtime_ns
    first = len(made.site.log)
    assert made.run().code == 0
    made.holds(kept(rows, 6))
    made.holds_the_frames_of(kept(rows, 6), SMALL.fps)
    asked = {request.youtube_id for request in made.site.log[first:]}
    assert asked == {row["youtube_id"] for row in (torn, foreign, other, lost)}
    assert files[whole["key"]].stat().st_mtime_ns == kept_as_it_was
    sources = {row["key"]: row["source"] for row in made.stats()}
    assert sources.pop(whole["key"]) == "adopted"
    assert set(sources.values()) == {"youtube"}
    assert rest["key"] in sources


def test_a_video_that_is_available_after_all_displaces_its_stand_in(bench):
    rows = _rows(1, 6)
    order = ranked(rows)["train", "class 0"]
    videos = {
        order[0].youtube_id: Video(SMALL, failure="geo_blocked"),
        order[1].youtube_id: Video(SMALL, failure="private"),
    }
    made = bench(Scenario(videos, default=VIDEO), rows, 2, *FAST)
    assert made.run().code == 0
    made.holds(order[2:4])
    made.site.replace(Scenario(default=VIDEO))
    asked, gone_asked = made.site.extractions(), made.site.extractions(order[1].youtube_id)
    assert made.run().code == 0
    assert made.site.extractions() == asked, "not asked again unless told to"
    made.holds(order[2:4])
    done = made.run("--retry-failed")
    assert done.code == 0
    made.holds([order[0], order[2]])
    assert made.site.extractions(order[1].youtube_id) == gone_asked, (
        "what is gone for good stays out"
    )
    listed = (made.dest / "train.csv").read_text().splitlines()
    assert {line.split(" ")[0] for line in listed} == {order[0].path, order[2].path}

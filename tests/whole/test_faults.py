"""What goes wrong on the machine: a clear stop, nothing half-made, and the next run goes on."""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import (
    FAST,
    SMALL,
    WHEEL,
    Bench,
    Done,
    Row,
    Running,
    ended_at_last,
    kept,
    left_over,
    nanokinetics,
    ranked,
    wait_until,
    whole_rows,
    youtube_id,
)

from nanokinetics.demo.scenario import Fault, Film, Form, Scenario, Video

pytestmark = pytest.mark.slow

VIDEO = Video(SMALL, ("progressive",), latency=0.15)
"""Slow enough for something to befall the machine on the way."""
HEALTHY = Scenario(default=VIDEO)
AWAY = ("unmounted or moved", "cannot be written to")
"""How it is said that the destination is gone: as the build saw it, or one of its workers."""

ENOUGH = 40 * 2**20
"""Bytes that hold all clips of a test."""


def _rows(count: int = 14) -> list[Row]:
    return [Row(f"class {i % 2}", youtube_id(i), 3, 4) for i in range(count)]


def _bench(bench, *options: str, n: int = 6) -> Bench:
    return bench(HEALTHY, _rows(), n, *FAST, "--quiet", "--workers", "2", *options)


def _mount(*arguments: str | Path) -> None:
    """Skips the test where mounting is not allowed."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting takes root")
    done = subprocess.run(["mount", *arguments], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this machine lets nobody mount")


def _unmount(folder: Path, *, check: bool = True) -> None:
    subprocess.run(["umount", "--lazy", folder], check=check, capture_output=True)


@contextlib.contextmanager
def _mounted(folder: Path, *arguments: str | Path) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    _mount(*arguments, folder)
    try:
        yield folder
    finally:
        _unmount(folder, check=False)


def _stopped(done: Done, *words: str) -> None:
    """It has ended with one line, as the machine's fault."""
    assert done.code == 1, done.stderr
    (said,) = done.stderr.splitlines()
    assert said.startswith("nanokinetics: ")
    assert "should not have happened" not in said
    assert any(word in said for word in words), said


def _is_in_order(dest: Path) -> None:
    """Every file that has its name has its row, the other way round too, and no clip is blamed."""
    rows = {row["path"]: row for row in whole_rows(dest / "stats.csv")}
    files = {p.relative_to(dest).as_posix(): p for p in dest.rglob("*.mp4")}
    files = {name: path for name, path in files.items() if not name.startswith(".tmp/")}
    assert {name: str(path.stat().st_size) for name, path in files.items()} == {
        name: row["bytes"] for name, row in rows.items()
    }
    assert whole_rows(dest / "failed.csv") == []


def _reaches(made: Bench, clips: int) -> None:
    wait_until(lambda: made.made_so_far() >= clips)


def _completes(made: Bench) -> None:
    done = made.run()
    assert (done.code, done.stderr) == (0, "")
    made.holds(kept(made.rows, made.n))
    assert made.failed() == []


# -- the disk


class _Ballast(threading.Thread):
    """Takes every byte that is free, for as long as a command runs."""

    def __init__(self, path: Path, running: Running) -> None:
        super().__init__(daemon=True)
        self._path, self._running = path, running

    def run(self) -> None:
        with self._path.open("wb", buffering=0) as file:
            while not self._running.over:
                try:
                    file.write(b"x" * (1 << 16))
                except OSError:
                    time.sleep(0.001)


def test_a_disk_that_is_full_at_several_moments(bench, tmp_path):
    made = _bench(bench)
    with _mounted(tmp_path / "mount", "-t", "tmpfs", "-o", f"size={ENOUGH}", "tmpfs") as mount:
        made.dest = mount / "dest"
        for moment in (-1, 1, 4):
            ballast = mount / "ballast"
            if moment < 0:
                made.dest.mkdir()
            with ended_at_last(made.start()) as running:
                if moment >= 0:
                    before = made.made_so_far()
                    wait_until((made.dest / "failed.csv").exists)
                    _reaches(made, before + moment)
                filling = _Ballast(ballast, running)
                filling.start()
                done = running.wait()
                filling.join()
            _stopped(done, "space")
            _is_in_order(made.dest)
            ballast.unlink()
        assert 5 <= made.made_so_far() < 12
        _completes(made)


@pytest.mark.parametrize("how", ["unmounted", "moved", "read-only"])
def test_a_destination_that_goes_away_on_the_way(bench, tmp_path, how):
    made = _bench(bench)
    with contextlib.ExitStack() as stack:
        if how == "unmounted":
            store = tmp_path / "store"
            store.mkdir()
            stack.enter_context(_mounted(made.dest, "--bind", store))
        with ended_at_last(made.start()) as running:
            wait_until(lambda: made.made_so_far() >= 2)
            if how == "unmounted":
                _unmount(made.dest)
            elif how == "moved":
                made.dest.rename(tmp_path / "elsewhere")
            else:  # another view of the same folder; what is open already stays writable
                stack.enter_context(_mounted(made.dest, "--bind", made.dest))
                _mount("-o", "remount,bind,ro", made.dest)
            done = running.wait()
        if how == "unmounted":
            _stopped(done, *AWAY)
            assert list(made.dest.iterdir()) == [], "the folder below stays empty"
            _is_in_order(store)
            stack.enter_context(_mounted(made.dest, "--bind", store))
        elif how == "moved":
            _stopped(done, *AWAY)
            assert not made.dest.exists()
            _is_in_order(tmp_path / "elsewhere")
            (tmp_path / "elsewhere").rename(made.dest)
        else:
            _stopped(done, "ead-only")
            _is_in_order(made.dest)
            _stopped(made.run(), "ead-only")
            _unmount(made.dest)
        assert 2 <= made.made_so_far() < 12
        _completes(made)


# -- ffmpeg

KILLED_ONCE = f"""\
#!/bin/sh
# The same ffmpeg, but the first time that it is to do this it is killed.
case "$*" in
  *{{what}}*)
    place=$(echo "$*" | grep -oE '{{which}}' | head -n 1 | tr -c 'a-zA-Z0-9\\n' _)
    mkdir "$0.$place" 2>/dev/null && kill -9 $$ ;;
esac
exec '{WHEEL}' "$@"
"""


def _killed_once(folder: Path, what: str, which: str) -> Path:
    """An ffmpeg that dies the first time it is given each of the things that match."""
    program = folder / "ffmpeg"
    program.write_text(KILLED_ONCE.format(what=what, which=which))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def _times_killed(folder: Path) -> int:
    return len(list(folder.glob("ffmpeg.*")))


def test_an_ffmpeg_that_is_killed_at_each_clip_costs_none(bench, tmp_path):
    made = _bench(bench, "--ffmpeg", str(_killed_once(tmp_path, "libx264", "v[0-9]{10}")), n=3)
    _completes(made)
    assert _times_killed(tmp_path) == 6


def test_an_ffmpeg_that_is_killed_while_it_looks_at_a_clip_costs_none(bench, tmp_path):
    """Each clip that is looked at once more is one that was fetched once more."""
    program = _killed_once(tmp_path, "framecrc", "[.]tmp/[0-9]+/[13579]*[13579][.]mp4")
    made = _bench(bench, "--ffmpeg", str(program), n=3)
    _completes(made)
    assert _times_killed(tmp_path) >= 3


@pytest.mark.parametrize("what", ["libx264", "framecrc"])
@pytest.mark.parametrize("how", ["copy", "transcode"])
def test_an_ffmpeg_that_is_killed_over_a_local_video_costs_no_clip(tmp_path, what, how):
    video = tmp_path / "source" / "yoga" / "1.mp4"
    video.parent.mkdir(parents=True)
    flags = ("-loglevel", "error", "-f", "lavfi", "-i", "testsrc=duration=2:size=64x64:rate=5")
    subprocess.run([WHEEL, *flags, str(video)], check=True)
    program = _killed_once(tmp_path, what, "yoga/1[.]mp4|[.]tmp")
    options = ("--n", "1", "--place", how, "--dest", tmp_path / "dest", "--ffmpeg", program)
    source = ("--src", tmp_path / "source", "--workers", "1", "--quiet")
    done = nanokinetics("build", "folder", *source, *options, cwd=tmp_path).wait()
    assert (done.code, done.stderr) == (0, "")
    assert _times_killed(tmp_path) >= (how == "transcode" or what == "framecrc")
    assert whole_rows(tmp_path / "dest" / "failed.csv") == []
    found = _killed_once(tmp_path / "dest", "framecrc", "yoga/1[.]mp4")
    told = nanokinetics("verify", tmp_path / "dest", "--ffmpeg", found, cwd=tmp_path).wait()
    assert told.code == 1, "that the program was killed says nothing of the clip"
    assert "was killed" in told.stderr


def test_an_ffmpeg_that_is_killed_while_it_repacks_costs_no_clip(bench, tmp_path):
    rows = _rows(6)
    program = _killed_once(tmp_path, "repacked", "[0-9]+[.]mp4[.]repacked")
    scenario = Scenario(default=Video(SMALL, ("hls",)))
    made = bench(scenario, rows, 1, *FAST, "--quiet", "--ffmpeg", str(program), "--workers", "1")
    done = made.run()
    assert (done.code, done.stderr) == (0, "")
    assert _times_killed(tmp_path) == 1
    assert made.failed() == []
    made.holds(kept(rows, 1))


# -- the clock


def _postpone(table: Path, column: str) -> None:
    """Rewrite the times of a table as a clock that was far ahead would have written them."""
    rows = whole_rows(table)
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, column: f"2099{row[column][4:]}"} for row in rows)


def test_after_the_clock_was_set_back_what_was_asked_counts_as_asked_just_now(bench):
    rows = _rows()
    dead = ranked(rows)["train", "class 0"][0].youtube_id
    scenario = Scenario({dead: Video(SMALL, failure="private")}, default=VIDEO)
    made = bench(scenario, rows, 1, *FAST, "--workers", "2")
    assert made.run().code == 0
    asked = made.site.extractions()
    _postpone(made.dest / "stats.csv", "finished_at")
    _postpone(made.dest / "failed.csv", "failed_at")
    made.n = 3
    unknown = ("--state", str(made.folder / "state"))  # so that the tables alone know of them
    with ended_at_last(made.start("--max-per-hour", "4", *unknown)) as running:
        wait_until(lambda: "hourly budget" in running.said)
        wait_until(lambda: made.made_so_far() == 3)
        assert made.site.extractions() == asked + 1
        running.process.send_signal(signal.SIGTERM)
        assert running.wait().code == 130
    assert made.site.extractions() == asked + 1
    assert left_over(made.dest) == []
    assert made.run().code == 0
    made.holds(kept(rows, 3, {dead}))
    assert made.reasons() == {dead: "private"}


# -- the line


FORMS: tuple[Form, ...] = ("progressive", "fragmented", "webm")
FILM = Film(duration=30, width=320, height=180, fps=30)
CUTS = (0.0, 0.01, 0.1, 0.5, 0.999)
"""Parts of each answer after which it breaks off: before, within and behind its index."""


def test_media_that_break_off_anywhere_are_fetched_again_in_full(bench):
    rows: list[Row] = []
    videos = {}
    for cut in CUTS:
        for form in FORMS:
            row = Row(f"cut at {cut}", youtube_id(len(rows)), 12, 14)
            fault = Fault("media", "truncate", after_fraction=cut, times=1)
            videos[row.youtube_id] = Video(FILM, (form,), faults=(fault,))
            rows.append(row)
    made = bench(Scenario(videos), rows, 3, *FAST, "--workers", "3", "--quiet")
    done = made.run()
    assert (done.code, done.stderr) == (0, "")
    assert made.failed() == []
    made.holds(rows)
    made.holds_the_frames_of(rows, FILM.fps)

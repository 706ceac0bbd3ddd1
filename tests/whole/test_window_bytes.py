"""Only the window is fetched: what the site hands out, against the least that it could."""

from __future__ import annotations

import contextlib

import psutil
import pytest
from helpers import FAST, FFMPEGS, SMALL, SPAWNED, Row, ended_at_last, kept, youtube_id

from nanokinetics.demo.least import least_bytes
from nanokinetics.demo.scenario import Film, Form, Scenario, Video

pytestmark = pytest.mark.slow

MOST = {"plain": 1.3, "tunnel": 2.0}
"""Times the least possible bytes that a clip may cost. Through the tunnel of a proxy ffmpeg cannot
bound what its kernel reads ahead, which on an unlimited loopback is a good deal."""

FILM = Film(duration=60, width=480, height=270, fps=30)
"""Long and rich enough for its windows to weigh more than the index of the file."""

WINDOWS = ((31, 41), (12, 22))
"""Seconds; keyframes stand every five, so that none begins on one."""


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
@pytest.mark.parametrize(
    ("form", "way"),
    [
        ("progressive", "plain"),
        ("fragmented", "plain"),
        ("webm", "plain"),
        ("fragmented", "tunnel"),
    ],
)
def test_a_clip_costs_little_more_than_its_window(bench, form: Form, way, ffmpeg):
    rows = [Row("yoga", youtube_id(i), *window) for i, window in enumerate(WINDOWS)]
    made = bench(
        Scenario(default=Video(FILM, (form,)), media="plain" if way == "plain" else "tls"),
        rows,
        2,
        *("--ffmpeg", ffmpeg, "--x264-preset", "ultrafast", "--workers", "1"),
    )
    assert made.run().code == 0
    made.holds(rows)
    made.holds_the_frames_of(rows, FILM.fps)
    told = {row["key"]: int(row["downloaded_bytes"]) for row in made.stats()}
    for row in rows:
        streams = made.site.streams(row.youtube_id).values()
        least = sum(least_bytes(stream.path, row.start, row.end) for stream in streams)
        whole = sum(stream.size for stream in streams)
        served = made.site.media_bytes(row.youtube_id)
        assert served <= MOST[way] * least, f"{row.key}: {served / least:.2f} times the least"
        assert served < whole / 2
        # What the table says is what ffmpeg took; the rest was on its way when it left.
        assert (0.7 if way == "plain" else 0.5) * served <= told[row.key] <= served


def test_a_window_may_begin_and_end_within_a_second(bench):
    """Fractions of seconds are those of the JSON annotations; a key holds whole seconds."""
    rows = [Row("yoga", youtube_id(i), start, start + 1.4) for i, start in enumerate((2.5, 3.31))]
    made = bench(Scenario(default=Video(SMALL, ("fragmented",))), rows, 2, *FAST)
    assert made.run().code == 0
    made.holds(rows)
    made.holds_the_frames_of(rows, SMALL.fps)


def test_several_windows_of_one_video_cost_one_extraction(bench):
    video, other = youtube_id(1), youtube_id(2)
    rows = [Row(label, video, at, at + 2) for label, at in (("a", 3), ("a", 9), ("b", 15))]
    rows += [Row("b", other, 3, 5)]
    made = bench(Scenario(default=Video(SMALL)), rows, 2, *FAST)
    assert made.run().code == 0
    made.holds(rows)
    made.holds_the_frames_of(rows, SMALL.fps)
    assert made.site.extractions(video) == 1
    assert made.site.extractions(other) == 1
    assert made.site.pages() == 4


def test_one_process_a_worker_serves_all_clips(bench):
    """No process of Python is started for a clip: neither a yt-dlp nor a worker of its own."""
    rows = [Row("yoga", youtube_id(i), 3, 4) for i in range(12)]
    made = bench(Scenario(default=Video(SMALL, ("webm",))), rows, 12, *FAST, "--workers", "2")
    started: dict[int, str] = {}
    forked: set[int] = set()
    workers: set[int] = set()
    with ended_at_last(made.start()) as running:
        while not running.over:
            for process in running.family():
                # What has just been forked bears its parent's command line until it runs ffmpeg.
                with contextlib.suppress(psutil.Error):
                    command, parent = " ".join(process.cmdline()), process.ppid()
                    if parent == running.pid and command and "-m nanokinetics" not in command:
                        started[process.pid] = command
                    elif SPAWNED in started.get(parent, ""):
                        forked.add(process.pid)
                    elif parent in forked and "libx264" in command:
                        workers.add(parent)
        assert running.wait().code == 0
    made.holds(kept(rows, 12))
    kinds = (SPAWNED, "resource_tracker", "ffmpeg")
    assert all(any(kind in command for kind in kinds) for command in started.values()), started
    assert sum(SPAWNED in command for command in started.values()) == 1
    assert len(workers) == 2
    assert len(forked) < 6, "to import yt-dlp, and to judge its options, takes one or two"
    assert made.site.extractions() == 12

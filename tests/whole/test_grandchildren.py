"""No process that a build starts outlives it, whatever ends it or one of its processes."""

from __future__ import annotations

import contextlib
import signal
import stat
import sys
from pathlib import Path

import psutil
import pytest
from helpers import (
    FAST,
    ONE_CLIENT,
    SMALL,
    Row,
    Running,
    ended_at_last,
    gone,
    wait_until,
    youtube_id,
)

from nanokinetics.demo.scenario import Film, Scenario, Video

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the processes are forked on Linux only"),
]

ROWS = [Row("yoga", youtube_id(i), 3, 13) for i in range(4)]
SLOW = Video(Film(duration=30, width=256, height=144, fps=15), rate=4_000)


def _sleeper(folder: Path, name: str) -> Path:
    """A program that hears no signal and does not end by itself."""
    program = folder / name
    program.write_text("#!/bin/sh\ntrap '' TERM HUP INT\nwhile :; do sleep 0.1; done\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    return program


def _at_work(running: Running, word: str) -> list[psutil.Process]:
    """The whole family, once a process that has the word among its arguments is part of it."""
    found: list[psutil.Process] = []

    def is_there() -> bool:
        found[:] = running.family()
        for process in found:
            with contextlib.suppress(psutil.Error):
                if word in process.cmdline():
                    return True
        return False

    wait_until(is_there, every=0.05)
    return found


def _kind(running: Running, family: list[psutil.Process], who: str) -> psutil.Process:
    """The build itself, the process that workers are forked from, or a worker at work."""
    if who == "build":
        return psutil.Process(running.pid)
    template = next(p for p in family if p.ppid() == running.pid and p.children())
    return template if who == "template" else template.children()[0]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda each: each.name)
@pytest.mark.parametrize("who", ["build", "template", "worker"])
@pytest.mark.parametrize("what", ["runtime", "ffmpeg"])
def test_no_grandchild_outlives_a_build(bench, tmp_path, number, who, what):
    program = _sleeper(tmp_path, "deno")
    runtime = f" --js-runtimes deno:{program}" if what == "runtime" else ""
    made = bench(Scenario(default=SLOW), ROWS, 4, *FAST, yt_dlp=f"{ONE_CLIENT}{runtime}")
    with ended_at_last(made.start()) as running:
        family = _at_work(running, str(program) if what == "runtime" else "libx264")
        victim = _kind(running, family, who)
        below = [p for p in victim.children(recursive=True) if p.pid != victim.pid]
        victim.send_signal(number)
        assert gone([victim, *below]) == []
        if who == "build":
            assert gone(family) == []
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(30)
        assert gone(running.family()) == []
    assert gone(family) == []


def test_yt_dlp_starts_no_ffmpeg(bench, tmp_path):
    """Not even for a list of segments that its own code does not read."""
    program = _sleeper(tmp_path, "ffmpeg")
    made = bench(Scenario(default=Video(SMALL, ("hls",))), ROWS[:1], 1, *FAST)
    path = f"{program.parent}:/usr/bin:/bin"
    with ended_at_last(made.start(PATH=path)) as running:
        while not running.over:
            for process in running.family():
                with contextlib.suppress(psutil.Error):
                    assert str(program) not in " ".join(process.cmdline())
        assert running.wait().code == 0
    made.holds(ROWS[:1])

"""The long night in small: everything goes wrong again and again, and the sum on paper is right."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from helpers import (
    DEAD,
    FAST,
    Bench,
    Row,
    Running,
    gone,
    kept,
    left_over,
    reason_of,
    wait_until,
    youtube_id,
)

from nanokinetics.demo.scenario import Fault, Film, Form, Scenario, Throttle, Video

pytestmark = pytest.mark.slow

CLIPS = int(os.environ.get("NANOKINETICS_SOAK", "120"))
"""Clips that are wanted; 2000 take some five minutes."""

CLASSES = 10
WINDOWS = 4
"""Clips of one video, each of another class."""

DEAD_PART, FAULTY_PART = 0.15, 0.25
"""Of the videos."""

FILM = Film(duration=6, width=64, height=64, fps=5, gop_seconds=1, audio=False)
FORMS: tuple[Form, ...] = ("progressive", "fragmented", "webm")
BLOCK = 1.0
"""Seconds that the site refuses for, each time."""

ROOM = 20 * 2**20
"""Bytes by which the memory of the parent may differ between two samples."""

PAGE_FAULTS = (
    *(Fault(where, "status", 503, times=1) for where in ("watch", "player")),
    *(Fault(where, "reset", times=1) for where in ("watch", "player")),
    *(Fault(where, "empty", times=1) for where in ("watch", "player")),
    *(Fault(where, "truncate", times=1) for where in ("watch", "player")),
    Fault("watch", "status", 429, times=1),
)
MEDIA_FAULTS = (
    *(Fault("media", "truncate", after_fraction=part, times=1) for part in (0, 0.02, 0.3, 0.9)),
    *(Fault("media", "reset", after_fraction=part, times=1) for part in (0.02, 0.3, 0.9)),
    Fault("media", "empty", times=1),
    Fault("media", "stall", after_fraction=0.3, times=1),
    Fault("media", "status", 403, times=1),
    Fault("media", "status", 503, times=1),
    Fault("media", "status", 403, skip=1, times=1),
    Fault("media", "wrong_length", after_fraction=0.5, times=1),
)


def _rows(n: int) -> list[Row]:
    """Half as many again as are wanted, so that every class has reserves enough."""
    videos = n * CLASSES * 3 // 2 // WINDOWS
    return [
        Row(f"class {(video * 3 + window) % CLASSES}", youtube_id(video), window + 1, window + 2)
        for video in range(videos)
        for window in range(WINDOWS)
    ]


def _videos(random_: random.Random, rows: list[Row]) -> dict[str, Video]:
    """Some of them dead in each way, some with a page or a medium that fails once, or both."""
    names = sorted({row.youtube_id for row in rows})
    random_.shuffle(names)
    videos = {name: Video(FILM, (random_.choice(FORMS),)) for name in names}
    dead, faulty = int(DEAD_PART * len(names)), int(FAULTY_PART * len(names))
    for i, name in enumerate(names[:dead]):
        videos[name] = Video(FILM, failure=DEAD[i % len(DEAD)])
    for i, name in enumerate(names[dead : dead + faulty]):
        page, medium = PAGE_FAULTS[i % len(PAGE_FAULTS)], MEDIA_FAULTS[i % len(MEDIA_FAULTS)]
        faults = random_.choice([(page,), (medium,), (page, medium)])
        videos[name] = replace(videos[name], faults=faults)
    return videos


class _Killer(threading.Thread):
    """Ends a worker or an ffmpeg now and then, but none twice over the same video."""

    def __init__(self, random_: random.Random, every: float) -> None:
        super().__init__(daemon=True)
        self._random, self._every = random_, every
        self._stopped = threading.Event()
        self.running: Running | None = None
        self.killed: set[str] = set()

    def run(self) -> None:
        while not self._stopped.wait(self._random.uniform(0, 2 * self._every)):
            while not self._stopped.wait(0.03):
                with suppress(psutil.Error):
                    if self._strike():
                        break

    def stop(self) -> None:
        self._stopped.set()
        self.join(10)

    def _strike(self) -> bool:
        running = self.running
        for process in running.family() if running else ():
            words = process.cmdline()
            if "ffmpeg" not in (words or [""])[0]:
                continue
            video = next((v for v in map(_video_of, words) if v), None)
            if video is None or video in self.killed:
                continue
            if self._random.random() < 0.5:
                process.kill()
                self.killed.add(video)
                return True
            worker = process.parent()
            if worker is None or (running and worker.pid == running.pid):
                continue
            worker.suspend()  # so that it does not turn to another video meanwhile
            try:
                if process in worker.children():
                    worker.kill()
                    self.killed.add(video)
                    return True
            finally:
                with suppress(psutil.Error):
                    worker.resume()
        return False


def _video_of(word: str) -> str | None:
    """The video that an argument of ffmpeg's is an address of."""
    if "videoplayback" not in word:
        return None
    parts = word.replace("?", "/").replace("&", "/").replace("=", "/").split("/")
    return parts[parts.index("id") + 1]


def _state(running: Running, during: float = 1.0) -> tuple[list[int], list[int]]:
    """The parent's memory and its open files, looked at for a while."""
    parent, memory, files = psutil.Process(running.pid), [], []
    until = time.monotonic() + during
    while time.monotonic() < until:
        memory.append(parent.memory_info().rss)
        files.append(parent.num_fds())
        time.sleep(0.05)
    return memory, files


def _reaches(made: Bench, clips: int) -> None:
    wait_until(lambda: made.made_so_far() >= clips, 900, every=0.1)


def _of(folder: Path) -> list[str]:
    """Processes that have anything to do with a folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if process.pid != os.getpid() and any(str(folder) in word for word in words):
            found.append(" ".join(words))
    return found


def _end(how: str, running: Running) -> int:
    if how == "SIGKILL":
        running.kill_group()
        return running.process.returncode
    if how == "SIGTERM":
        os.kill(running.pid, signal.SIGTERM)
    else:
        os.killpg(running.pid, signal.SIGINT)
    return running.wait().code


@contextmanager
def _stopping(killer: _Killer) -> Iterator[None]:
    killer.start()
    try:
        yield
    finally:
        killer.stop()
        if killer.running:
            killer.running.kill_group()


RESTARTS = (("SIGTERM", 130), ("SIGKILL", -signal.SIGKILL), ("Ctrl-C", 130))


def test_a_long_night_ends_as_computed_on_paper(bench, tmp_path):
    random_ = random.Random("soak")  # noqa: S311
    n = CLIPS // CLASSES
    rows = _rows(n)
    videos = _videos(random_, rows)
    dead = {name: v.failure for name, v in videos.items() if isinstance(v.failure, str)}
    wanted = kept(rows, n, dead)
    assert len(wanted) == n * CLASSES

    def scenario(kind: str) -> Scenario:
        throttle = Throttle(after=CLIPS // 8, seconds=BLOCK, kind=kind)
        return Scenario(videos, throttle=throttle)

    made: Bench = bench(
        scenario("429"),
        rows,
        n,
        *(*FAST, "--no-audio", "--workers", "4", "--block-wait", f"{BLOCK}s"),
    )
    made.yt_dlp += " --socket-timeout 2"
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    killer = _Killer(random_, every=3)
    with _stopping(killer):
        for i, (how, code) in enumerate(RESTARTS, 1):
            killer.running = running = made.start(TMPDIR=str(temporary))
            _reaches(made, i * len(wanted) // 10)
            family = running.family()
            assert _end(how, running) == code
            assert gone(family) == []
            made.site.replace(scenario(("bot_check", "session_rate_limit", "429")[i - 1]))
        killer.running = running = made.start(TMPDIR=str(temporary))
        begun = made.made_so_far()
        _reaches(made, begun + len(wanted) // 20)
        early = _state(running)
        _reaches(made, len(wanted) * 17 // 20)
        late = _state(running)
        family = running.family()
        done = running.wait(300)
        killer.running = None
    assert done.code == 0, done.stderr
    made.holds(wanted)
    assert {v: reason_of(f) for v, f in dead.items()}.items() >= made.reasons().items()
    assert len(killer.killed) >= 2
    assert made.site.refused
    assert min(late[0]) - max(early[0]) < ROOM
    assert min(late[1]) <= max(early[1]), "open files"
    assert gone(family) == []
    assert _of(tmp_path) == []
    assert left_over(made.dest) == []
    assert list(temporary.iterdir()) == []

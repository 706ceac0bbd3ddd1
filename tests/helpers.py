"""What the tests of whole builds share: annotations, the command line, and the sum done on paper.

Nothing of the package's own logic is used to say what a build should keep: that is computed here
anew from the contract, with hashlib alone.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import which

import imageio_ffmpeg
import psutil
import pytest

from nanokinetics.cli import parser
from nanokinetics.demo.failures import FAILURES
from nanokinetics.demo.films import read_frame_numbers
from nanokinetics.demo.scenario import Film
from nanokinetics.demo.site import DemoSite

WHEEL = str(imageio_ffmpeg.get_ffmpeg_exe())
FFMPEGS = [
    pytest.param(WHEEL, id="the wheel's ffmpeg"),
    pytest.param(
        which("ffmpeg"),
        id="the system's ffmpeg",
        marks=pytest.mark.skipif(not which("ffmpeg"), reason="this machine has no ffmpeg"),
    ),
]
SMALL = Film(duration=20, width=256, height=144, fps=15, gop_seconds=2)
FAST = ("--ffmpeg", WHEEL, "--x264-preset", "ultrafast")
"""The wheel's ffmpeg starts in a tenth of the time that a distribution's takes."""

ONE_CLIENT = "--no-check-certificates --extractor-args youtube:player_client=visionos"
"""The site's certificate is its own; one client's answers are enough where it does not matter."""

HASTE = "first_wait=0.01,longest_wait=0.02"
"""What tests set NANOKINETICS_PATIENCE to: between two tries of a clip hardly any time passes."""

HIDDEN = {".nanokinetics.lock", ".indexes.sha256"}
DEAD = tuple(name for name in FAILURES if name not in ("bot_check", "session_rate_limit"))


def reason_of(failure: str) -> str:
    """The reason for a scripted failure: variants of one reason are numbered."""
    return failure.rstrip("_0123456789")


@dataclass(frozen=True)
class Row:
    """One annotation; times in seconds."""

    label: str
    youtube_id: str
    start: float
    end: float
    split: str = "train"

    @property
    def key(self) -> str:
        return f"{self.youtube_id}_{int(self.start):06d}_{int(self.end):06d}"

    @property
    def path(self) -> str:
        return f"{self.split}/{self.label.replace(' ', '_')}/{self.key}.mp4"


def real_annotations(name: str) -> Path:
    """One of the large annotation files, which are not of this project; skips without it."""
    folder = os.environ.get("NANOKINETICS_ANNOTATIONS")
    root = Path(folder) if folder else Path(__file__).parents[2] / "shared" / "annotations"
    if not (root / name).is_file():
        pytest.skip(f"{root / name} is not there")
    return root / name


def commands() -> dict[str, argparse.ArgumentParser]:
    """Each command of the command line and its parser."""
    (action,) = (
        a
        for a in parser()._actions
        if isinstance(a, argparse._SubParsersAction)
    )  # fmt: skip
    return dict(action.choices)


def youtube_id(number: int, prefix: str = "v") -> str:
    """Eleven characters that no two numbers share."""
    return f"{prefix}{number:0{11 - len(prefix)}d}"


def write_csv(path: Path, rows: Iterable[Row]) -> Path:
    """The rows as DeepMind publishes them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("label", "youtube_id", "time_start", "time_end", "split"))
        table.writerows((r.label, r.youtube_id, r.start, r.end, r.split) for r in rows)
    return path


def ranked(rows: Iterable[Row], seed: str = "0") -> dict[tuple[str, str], list[Row]]:
    """The rows of each class of each split in the order of the contract."""
    groups: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.split, row.label].append(row)
    return {group: sorted(found, key=lambda r: _rank(r, seed)) for group, found in groups.items()}


def _rank(row: Row, seed: str) -> tuple[str, str]:
    return hashlib.sha256(f"{seed}:{row.key}".encode()).hexdigest(), row.key


def kept(rows: Iterable[Row], n: int, dead: Collection[str] = (), seed: str = "0") -> set[Row]:
    """What a build keeps: of each class the first n whose video is not dead."""
    return {
        row
        for found in ranked(rows, seed).values()
        for row in [row for row in found if row.youtube_id not in dead][:n]
    }


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def whole_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table whose last line may be torn, or that is not there yet."""
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1].decode()
    return list(csv.DictReader(whole.splitlines()))


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder: its bytes and when it was last written."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def left_over(dest: Path) -> list[str]:
    """Hidden and temporary files of a destination that no run should leave."""
    names = [p.relative_to(dest).as_posix() for p in dest.rglob("*")]
    return [n for n in names if n not in HIDDEN and (n.endswith(".tmp") or "/." in f"/{n}")]


SPAWNED = "multiprocessing.spawn"
"""What stands in the command line of the process that workers are forked from, and in theirs."""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str


class Running:
    """A command at work in a session of its own; its output goes to files."""

    def __init__(self, argv: list[str], cwd: Path, env: dict[str, str]) -> None:
        self._out, self._err = (cwd / f"{time.monotonic_ns()}.{name}" for name in ("out", "err"))
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    @property
    def said(self) -> str:
        """What it has written to its standard error so far."""
        return self._err.read_text(errors="replace")

    def family(self) -> list[psutil.Process]:
        """All processes that descend from it."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.pid).children(recursive=True)
        return []

    def wait(self, timeout: float = 120) -> Done:
        code = self.process.wait(timeout)
        texts = [p.read_text(errors="replace") for p in (self._out, self._err)]
        for path in (self._out, self._err):
            path.unlink()
        return Done(code, *texts)

    def kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(10)


def nanokinetics(*arguments: str | Path, cwd: Path, **environment: str) -> Running:
    """Start `python -m nanokinetics …`."""
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
    argv = [sys.executable, "-m", "nanokinetics", *map(str, arguments)]
    return Running(argv, cwd, env | environment)


class Bench:
    """A site, annotations, and the command that makes a dataset of them in `dest`."""

    def __init__(
        self,
        folder: Path,
        site: DemoSite,
        rows: Iterable[Row],
        n: int,
        *options: str,
        yt_dlp: str = ONE_CLIENT,
    ) -> None:
        self.folder, self.site, self.rows, self.n = folder, site, tuple(rows), n
        self.dest = folder / "dest"
        self.csv = write_csv(folder / "annotations.csv", self.rows)
        # Each worker takes a second to start; where more of them matter, a test says so.
        self.options = ("--max-per-hour", "0", "--workers", "2", *options)
        self.yt_dlp = yt_dlp
        self.proxy: tuple[str, ...] = ("--proxy", site.proxy_url)

    def start(self, *more: str, dest: Path | None = None, **environment: str) -> Running:
        return nanokinetics(
            *("build", "kinetics", "--annotations", self.csv, "--n", str(self.n)),
            *("--dest", dest or self.dest),
            *self.proxy,
            f"--yt-dlp-args={self.yt_dlp}",
            *(*self.options, *more),
            cwd=self.folder,
            **environment,
        )

    def run(self, *more: str, **environment: str) -> Done:
        running = self.start(*more, dest=None, **environment)
        try:
            return running.wait()
        finally:
            running.kill_group()

    # -- what is there

    def stats(self) -> list[dict[str, str]]:
        return read_table(self.dest / "stats.csv")

    def failed(self) -> list[dict[str, str]]:
        return read_table(self.dest / "failed.csv")

    def reasons(self) -> dict[str, str]:
        """Of each failed clip's video the last reason."""
        return {row["youtube_id"]: row["reason"] for row in self.failed()}

    def files(self) -> set[str]:
        return {p.relative_to(self.dest).as_posix() for p in self.dest.rglob("*.mp4")}

    def made_so_far(self) -> int:
        """Whole rows of a `stats.csv` that is being written."""
        stats = self.dest / "stats.csv"
        return max(0, stats.read_bytes().count(b"\n") - 1) if stats.exists() else 0

    def tree(self, dest: Path | None = None) -> dict[str, str]:
        """The digest of every clip, by its path, as `stats.csv` has it."""
        return {row["path"]: row["sha256"] for row in read_table((dest or self.dest) / "stats.csv")}

    def holds(self, rows: Iterable[Row]) -> None:
        """Assert that the files and the rows of `stats.csv` are these clips, each once, whole."""
        expected = {row.path for row in rows}
        assert self.files() == expected
        stats = self.stats()
        assert sorted(row["path"] for row in stats) == sorted(expected)
        for row in stats:
            data = (self.dest / row["path"]).read_bytes()
            assert str(len(data)) == row["bytes"]
            assert hashlib.sha256(data).hexdigest() == row["sha256"]
        assert left_over(self.dest) == []

    def holds_the_frames_of(self, rows: Iterable[Row], fps: float) -> None:
        """Assert that each clip is its window: the first frame right, none missing, none more."""
        wrong = {}
        for row in rows:
            numbers = read_frame_numbers(self.dest / row.path, WHEEL)
            first = -int(-(row.start * fps) // 1)  # the first frame that is shown in the window
            exact = numbers == list(range(first, first + len(numbers)))
            if not exact or abs(len(numbers) / fps - (row.end - row.start)) > 1 / fps + 1e-9:
                wrong[row.key] = numbers
        assert not wrong, "begins with frame " + ", ".join(
            f"{numbers[:1]} ({key})" for key, numbers in wrong.items()
        )


@contextlib.contextmanager
def ended_at_last(running: Running) -> Iterator[Running]:
    """Nothing of a command outlives the block."""
    try:
        yield running
    finally:
        running.kill_group()


def wait_until(condition: Callable[[], object], seconds: float = 60.0, every: float = 0.01) -> None:
    """Wait for something that is bound to happen; a slow machine may take its time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(every)


def gone(processes: Collection[psutil.Process], seconds: float = 3.0) -> list[psutil.Process]:
    """Those of the processes that are still there after a while, of which there should be none.

    One that has ended is gone, although whoever has to ask how it ended may be slow to do so.
    """
    end = time.monotonic() + seconds
    while alive := [p for p in processes if _lives(p)]:
        if time.monotonic() > end:
            break
        time.sleep(0.01)
    return alive


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False

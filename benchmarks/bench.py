"""Compare a build, the yt-dlp command that it replaces, and plain ffmpeg on local files.

    python benchmarks/bench.py --clips 40 --seconds 10 --latency 0.05 --rate 2.5e6 --rounds 3

All three cut the same windows, with the same number of workers, in alternating order. The first two
fetch from the demo site. The site runs in its own process, whose work is not counted. The command:

    xargs -P4 yt-dlp --download-sections "*S-E" --force-keyframes-at-cuts \\
        -f "bv*[height<=360][vcodec^=avc1]+ba[ext=m4a]/b[height<=360]"

The site offers each video in one container form. The command cannot use videos that are only
`webm`. A clip is correct if it has every frame of its window, in order; frame numbers are read back
from the picture. Other benchmarks: bench_growth.py (more clips, more workers), bench_sampling.py
(choosing), bench_resume.py (resuming with a long table), bench_local.py (local files).
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from itertools import cycle
from pathlib import Path
from typing import get_args

from measuring import Site, Usage, cpu_of_children, run, write_json

from nanokinetics import sample
from nanokinetics.clips.ffmpeg import find_ffmpeg
from nanokinetics.config import VideoConfig
from nanokinetics.demo.films import FilmStore, read_frame_numbers
from nanokinetics.demo.least import least_bytes
from nanokinetics.demo.scenario import Film, Form, Scenario, Throttle, Video

FORMS: tuple[Form, ...] = get_args(Form)
FORMATS = "bv*[height<=360][vcodec^=avc1]+ba[ext=m4a]/b[height<=360]"
CLIENT = ("--no-check-certificates", "--extractor-args", "youtube:player_client=visionos")
"""The site signs its own certificate. Both programs use the same client."""

OURS, THEIRS, FLOOR = "nanokinetics", "xargs yt-dlp", "bare ffmpeg"


@dataclass(frozen=True)
class Window:
    youtube_id: str
    start: int
    end: int

    @property
    def key(self) -> str:
        return f"{self.youtube_id}_{self.start:06d}_{self.end:06d}"


@dataclass(frozen=True)
class Run:
    """The result of one run.

    correct: correct clips. pages: watch and player requests. most_asked: extractions of the video
    with the most of them. media: bytes of media. least: the least bytes from which the correct
    clips can be made. first: seconds from the command to the first finished clip. starting: `first`
    without the work on that clip. idle: seconds of the same command once more. site: seconds of
    processor time of the site meanwhile.
    """

    usage: Usage
    correct: int
    pages: int = 0
    most_asked: int = 0
    media: int = 0
    least: int = 0
    first: float | None = None
    starting: float | None = None
    idle: float | None = None
    site: float = 0.0
    by_form: dict[str, float] = field(default_factory=dict)
    """Media bytes by container form, as a multiple of the least."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--clips", type=int, default=12)
    add("--seconds", type=int, default=10, help="of each clip")
    add("--windows", type=int, default=1, help="of each video")
    add("--workers", type=int, default=4, help="at once, of all three")
    add("--rate", type=float, default=2.5e6, help="bytes a second of each connection, 0: no limit")
    add("--latency", type=float, default=0.05, help="seconds before each answer of the site")
    add(
        "--forms",
        nargs="+",
        choices=FORMS,
        default=["progressive", "fragmented"],
        metavar="FORM",
        help=f"{', '.join(FORMS)}; each video has one of those named",
    )
    add("--film", type=float, default=120, help="seconds that each video lasts")
    add("--dead", type=float, default=0.0, help="share of the videos that are gone")
    add("--throttle", type=float, default=0.0, help="seconds of 429, half-way through")
    add("--candidates", type=int, default=0, help="rows of the annotations, at least")
    add("--rounds", type=int, default=3)
    add("--only", choices=(OURS, THEIRS, FLOOR), nargs="+", default=[OURS, THEIRS, FLOOR])
    add("--ffmpeg", help="for all three (default: the bundled one)")
    add("--json", type=Path, metavar="FILE", help="settings, machine and every round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nanokinetics-bench-") as folder:
        bench = Bench(options, Path(folder))
        ways = {OURS: bench.build, THEIRS: bench.command, FLOOR: bench.floor}
        with closing(bench.site):
            rounds = [
                {name: ways[name](number) for name in _in_turn(options.only, number)}
                for number in range(options.rounds)
            ]
    print(heading(options), *table(rounds), sep="\n")
    if options.json:
        machine = {
            "processors": os.cpu_count(),
            "python": sys.version.split()[0],
            "yt-dlp": version("yt-dlp"),
            "ffmpeg": bench.ffmpeg.version,
        }
        write_json(options.json, settings=vars(options), machine=machine, rounds=rounds)


def _in_turn(names: list[str], number: int) -> list[str]:
    """The order of a round. Every other round is reversed."""
    return names if number % 2 == 0 else names[::-1]


class Bench:
    """A site, annotations, and the three ways to make the clips."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options, self._folder = options, folder
        self.ffmpeg = find_ffmpeg(options.ffmpeg)
        self._annotations = folder / "annotations.csv"
        ranked = self._choose()
        ids = list(dict.fromkeys(window.youtube_id for window in ranked))
        self._picks = ranked[: options.clips]
        self._windows = {window.key: window for window in ranked}
        self._film = Film(duration=options.film)
        self._forms: dict[str, Form] = dict(zip(ids, cycle(options.forms), strict=False))
        dead = {
            id_ for n, id_ in enumerate(ids) if int((n + 1) * options.dead) > int(n * options.dead)
        }
        videos = {
            id_: Video(self._film, (form,), failure="private" if id_ in dead else None)
            for id_, form in self._forms.items()
        }
        throttle = None
        if options.throttle:
            throttle = Throttle(options.clips, options.throttle, repeat=False, retry_after=True)
        scenario = Scenario(
            videos, throttle=throttle, latency=options.latency, rate=options.rate or None
        )
        self._store = FilmStore(folder / "films")
        for form in options.forms:
            self._store.streams(self._film, form)
        self.site = Site(scenario, folder)

    def _choose(self) -> list[Window]:
        """Write annotations of one class and rank them. Returns the windows that a run can need."""
        options, draw = self._options, random.Random(0)
        enough = math.ceil(options.clips / (1 - options.dead)) + options.windows
        rows = max(enough if options.dead else options.clips, options.candidates)
        latest = int(options.film) - options.seconds - 1
        header = "label,youtube_id,time_start,time_end,split"
        with self._annotations.open("w", encoding="utf-8") as file:
            file.write(f"{header}\n")
            for video in range(math.ceil(rows / options.windows)):
                for start in sorted(draw.sample(range(1, latest), options.windows)):
                    end = start + options.seconds
                    file.write(f"abseiling,bench{video:06d},{start},{end},train\n")
        found = sample("kinetics", annotations=self._annotations, n=options.clips)
        rows = found.frame.head(enough)[["youtube_id", "time_start", "time_end"]]
        return [Window(id_, int(s), int(e)) for id_, s, e in rows.itertuples(index=False)]

    # -- the three ways

    def build(self, number: int) -> Run:
        dest = self._folder / f"{number}-ours"
        options = self._options
        command = [
            *(sys.executable, "-m", "nanokinetics", "build", "kinetics", "--quiet"),
            *("--annotations", str(self._annotations), "--n", str(options.clips)),
            *("--dest", str(dest), "--failed-logs", str(dest / "failed_logs")),
            *("--proxy", self.site.proxy, f"--yt-dlp-args={' '.join(CLIENT)}"),
            *("--max-per-hour", "0", "--workers", str(options.workers)),
            *("--state", str(self._folder / "state")),
            *(("--ffmpeg", options.ffmpeg) if options.ffmpeg else ()),
        ]
        began, before = time.time(), self.site.cpu()
        code, usage = run(command, dest.with_suffix(".log"))
        site = self.site.cpu() - before
        if code:
            print(f"the build ended with {code}:", dest.with_suffix(".log").read_text()[-500:])
        found = self._result(dest, usage, began)
        _, again = run(command, dest.with_suffix(".log"))
        starting = None
        with (dest / "stats.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                starting = (found.first or 0) - float(row["total_seconds"])
                break
        shutil.rmtree(dest)
        return replace(found, starting=starting, idle=again.seconds, site=site)

    def command(self, number: int) -> Run:
        dest = self._folder / f"{number}-theirs"
        command = [
            *("xargs", "-d", "\n", "-n", "3", "-P", str(self._options.workers)),
            *(sys.executable, "-m", "yt_dlp", "--ignore-config", "--no-progress"),
            *("--force-keyframes-at-cuts", "-f", FORMATS, "--ffmpeg-location", self.ffmpeg.path),
            *("--proxy", self.site.proxy, *CLIENT),
            *("-o", f"{dest}/%(id)s_%(section_start)06d_%(section_end)06d.%(ext)s"),
        ]
        asked = (
            f"--download-sections\n*{w.start}-{w.end}\nhttps://www.youtube.com/watch?v={w.youtube_id}\n"
            for w in self._picks
        )
        began = time.time()
        _, usage = run(command, dest.with_suffix(".log"), "".join(asked))
        found = self._result(dest, usage, began)
        shutil.rmtree(dest, ignore_errors=True)
        return found

    def floor(self, number: int) -> Run:
        """Cut the same windows from the same files, with the same encoder settings."""
        dest = self._folder / f"{number}-floor"
        dest.mkdir()
        before, began = cpu_of_children(), time.monotonic()
        with ThreadPoolExecutor(self._options.workers) as pool:
            list(pool.map(lambda window: self._bare(window, dest), self._picks))
        usage = Usage(time.monotonic() - began, cpu_of_children() - before)
        found = self._result(dest, usage, None)
        shutil.rmtree(dest)
        return found

    def _bare(self, window: Window, dest: Path) -> None:
        streams = self._store.streams(self._film, self._forms[window.youtube_id])
        span = ("-ss", str(window.start), "-t", str(window.end - window.start))
        inputs = [part for stream in streams for part in (*span, "-i", str(stream.path))]
        video = VideoConfig()
        threads = max(1, (os.cpu_count() or 1) // self._options.workers)  # as the build does
        encoder = ["-c:v", "libx264", "-preset", video.x264_preset, "-crf", str(video.crf)]
        encoder += ["-threads", str(threads), "-c:a", "aac", "-b:a", "128k"]
        encoder += ["-movflags", "+faststart"]
        target = str(dest / f"{window.key}.mp4")
        subprocess.run(
            [self.ffmpeg.path, "-nostdin", "-v", "error", *inputs, *encoder, target], check=True
        )

    # -- results

    def _result(self, dest: Path, usage: Usage, began: float | None) -> Run:
        requests = self.site.requests()
        pages = Counter(r["youtube_id"] for r in requests if r["kind"] in {"watch", "player"})
        asked = Counter(r["youtube_id"] for r in requests if r["kind"] == "watch")
        media: Counter[str] = Counter()
        for request in requests:
            if request["kind"] == "media" and request["status"] in {200, 206}:
                media[request["youtube_id"]] += request["bytes"]
        files = [p for p in dest.rglob("*") if p.suffix in {".mp4", ".mkv", ".webm"}]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            right = pool.map(self._is_correct, files)
            correct = [path for path, is_right in zip(files, right, strict=True) if is_right]
        least: Counter[str] = Counter()
        for path in correct:
            window = self._windows[path.stem]
            least[window.youtube_id] += self._least(window)
        ratios: dict[str, float] = {}
        for form in self._options.forms:
            of_form = [id_ for id_ in least if self._forms[id_] == form]
            served, needed = (sum(count[id_] for id_ in of_form) for count in (media, least))
            if served:
                ratios[form] = served / needed
        return Run(
            usage,
            correct=len(correct),
            pages=pages.total(),
            most_asked=max(asked.values(), default=0),
            media=media.total(),
            least=least.total(),
            first=min(p.stat().st_ctime for p in files) - began if files and began else None,
            by_form=ratios,
        )

    def _is_correct(self, path: Path) -> bool:
        window, fps = self._windows[path.stem], self._film.fps
        numbers = read_frame_numbers(path)
        first, wanted = math.ceil(window.start * fps), (window.end - window.start) * fps
        in_order = numbers == list(range(first, first + len(numbers)))
        return in_order and abs(len(numbers) - wanted) <= 1

    def _least(self, window: Window) -> int:
        streams = self._store.streams(self._film, self._forms[window.youtube_id])
        return sum(least_bytes(s.path, window.start, window.end) for s in streams)


# -- the table


def heading(options: argparse.Namespace) -> str:
    rate = f"{options.rate / 1e6:g} MB/s" if options.rate else "no limit"
    return (
        f"{options.clips} clips of {options.seconds} s, {options.workers} at once, "
        f"{1000 * options.latency:g} ms, {rate} a connection, {' and '.join(options.forms)}"
        f"{f', {options.dead:.0%} of the videos gone' * bool(options.dead)}"
        f"{f', {options.throttle:g} s of 429' * bool(options.throttle)}; "
        f"{os.cpu_count()} processors, medians of {options.rounds} rounds\n"
    )


def figures(run: Run) -> dict[str, float | None]:
    """The rows of the table, by title."""
    usage, correct = run.usage, run.correct or math.nan
    return {
        "correct clips": run.correct,
        "wall time, s": usage.seconds,
        "processor s a correct clip": usage.cpu / correct,
        "memory of all processes, MB": usage.memory / 1e6 or None,
        "  of the first one": usage.parent / 1e6 or None,
        "page requests a correct clip": run.pages / correct or None,
        "extractions of a video, most": run.most_asked or None,
        "media bytes, x the least": run.media / run.least if run.media and run.least else None,
        **{f"  {form}": run.by_form.get(form) for form in FORMS},
        "first clip after, s": run.first,
        "  besides the work on it": run.starting,
        "the same command again, s": run.idle,
    }


def table(rounds: Sequence[Mapping[str, Run]]) -> Iterator[str]:
    """Medians, and medians of the ratios between the build and the other two of each round."""
    names = [name for name in (OURS, THEIRS, FLOOR) if name in rounds[0]]
    others = names[1:] if names[0] == OURS else []
    found = [{name: figures(run) for name, run in each.items()} for each in rounds]
    yield _line("", [*names, *(f"ours / {name.split()[-1]}" for name in others)])
    for row in found[0][names[0]]:
        cells = [_median(each[name][row] for each in found) for name in names]
        ratios = [_median(_ratio(each[OURS][row], each[n][row]) for each in found) for n in others]
        if any(cells):
            yield _line(row, map(_short, [*cells, *ratios]))


def _line(title: str, cells: Iterable[str]) -> str:
    return f"{title:30}" + "".join(f"{cell:>15}" for cell in cells)


def _short(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


if __name__ == "__main__":
    main()

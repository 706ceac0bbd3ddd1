"""What a build costs besides ffmpeg's own work, as ratios from one run on this machine.

    .venv/bin/python scripts/bench_overheads.py --clips 24 --workers 4

A loopback site in a process of its own serves one film in the three container forms. Measured:
processor seconds of a whole build (workers and their start included) against bare ffmpeg on local
files with the same settings; processor seconds of finding a video with a warm worker; memory of
the workers; bytes served against the least possible.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from nanokinetics.clip import Stream
from nanokinetics.config import NetworkConfig, VideoConfig
from nanokinetics.demo.films import FilmStore
from nanokinetics.demo.least import least_bytes
from nanokinetics.demo.scenario import Film, Form, Scenario, Video
from nanokinetics.fetch.youtube import YouTubeFetcher
from nanokinetics.media import cut, find_ffmpeg

FORMS: tuple[Form, ...] = ("progressive", "fragmented", "webm")
FILM = Film(duration=60)
CLIENT = "--no-check-certificates --extractor-args youtube:player_client=visionos"


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def bare(
    store: FilmStore, windows: list[tuple[Form, int]], ffmpeg: str | None, at_once: int
) -> float:
    """Processor seconds of ffmpeg alone on local files, as many at once as the build has workers.

    Several at once cost each of them more processor time than one alone would.
    """
    program, before = find_ffmpeg(ffmpeg), children_cpu()

    def one(window: tuple[Form, int]) -> None:
        form, start = window
        streams = [
            Stream(str(s.path), has_video=s.has_video, has_audio=s.has_audio)
            for s in store.streams(FILM, form)
        ]
        with tempfile.TemporaryDirectory() as folder:
            span, target = (start, start + 10), Path(folder) / "clip.mp4"
            done = cut(program, streams, span, VideoConfig(), target, threads=1, timeout=300)
        if done.returncode != 0:
            raise RuntimeError(done.log)

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, windows))
    return children_cpu() - before


def watch_workers(pid: int, peaks: dict[int, int], stop: threading.Event) -> None:
    """Keep the largest resident size of every worker process, in bytes."""
    while not stop.wait(0.1):
        try:
            for child in psutil.Process(pid).children():
                if "spawn_main" in " ".join(child.cmdline()):
                    peaks[child.pid] = max(peaks.get(child.pid, 0), child.memory_info().rss)
        except psutil.NoSuchProcess:
            continue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rate", type=float, default=2_500_000, help="bytes/s a connection")
    parser.add_argument("--ffmpeg")
    options = parser.parse_args()

    folder = Path(tempfile.mkdtemp(prefix="nanokinetics-bench-"))
    windows = [(FORMS[n % 3], 3 + 7 * (n % 6)) for n in range(options.clips)]
    ids = [f"bench-{n:05d}" for n in range(options.clips)]
    videos = {v: Video(FILM, (form,)) for v, (form, _) in zip(ids, windows, strict=True)}
    (folder / "scenario.json").write_text(Scenario(videos, rate=options.rate).to_json())
    rows = [
        f"class {n % 4},{v},{s},{s + 10},train"
        for n, (v, (_, s)) in enumerate(zip(ids, windows, strict=True))
    ]
    header = "label,youtube_id,time_start,time_end,split"
    (folder / "a.csv").write_text("\n".join([header, *rows, ""]))

    store = FilmStore(folder / "films")
    for form in FORMS:
        store.streams(FILM, form)
    site = subprocess.Popen(
        [sys.executable, "-m", "nanokinetics.demo.serve",
         "--scenario", str(folder / "scenario.json"),
         "--cache", str(folder / "films")],
        stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True,
    )  # fmt: skip
    address = json.loads(site.stdout.readline() if site.stdout else "{}")
    proxy = address["proxy_url"]

    fetcher = YouTubeFetcher(
        NetworkConfig(proxy=proxy, yt_dlp_args=CLIENT), resolution=360, audio=True
    )
    fetcher.open(ids[0])
    found = []
    for _ in range(40):
        before = time.process_time()
        fetcher.open(ids[0])
        found.append(time.process_time() - before)

    floor = bare(store, windows, options.ffmpeg, options.workers)
    command = [sys.executable, "-m", "nanokinetics", "build", "kinetics", "--quiet"]
    command += ["--annotations", str(folder / "a.csv"), "--n", str(options.clips // 4)]
    command += ["--dest", str(folder / "out"), "--failed-logs", str(folder / "logs")]
    command += ["--proxy", proxy, f"--yt-dlp-args={CLIENT}", "--max-per-hour", "0"]
    command += ["--workers", str(options.workers)]
    command += ["--ffmpeg", options.ffmpeg] if options.ffmpeg else []
    before, began = children_cpu(), time.monotonic()
    build = subprocess.Popen(command)
    peaks: dict[int, int] = {}
    stop = threading.Event()
    watcher = threading.Thread(target=watch_workers, args=(build.pid, peaks, stop))
    watcher.start()
    code = build.wait()
    wall, used = time.monotonic() - began, children_cpu() - before
    stop.set()
    watcher.join()

    with urllib.request.urlopen(f"{proxy}/demo/log") as answer:  # noqa: S310 - our own site
        log = json.load(answer)
    requests = log if isinstance(log, list) else log["log"]
    served: Counter[str] = Counter()
    for each in requests:
        if each["kind"] == "media" and each["status"] in (200, 206):
            served[each["youtube_id"]] += each["bytes"]
    site.terminate()
    ratios: dict[str, list[float]] = {form: [] for form in FORMS}
    for youtube_id, (form, start) in zip(ids, windows, strict=True):
        least = sum(least_bytes(s.path, start, start + 10) for s in store.streams(FILM, form))
        ratios[form].append(served[youtube_id] / least)

    print(f"exit code {code}, {options.clips} clips, {options.workers} workers, {wall:.1f} s")
    print(f"finding a video, warm      {1000 * statistics.median(found):8.1f} ms of processor time")
    print(f"bare ffmpeg                {floor:8.1f} s of processor time")
    print(f"the build, all of it       {used:8.1f} s, {used / floor:.2f} x bare ffmpeg")
    print(f"largest worker             {max(peaks.values()) / 2**20:8.0f} MB")
    for form, each in ratios.items():
        mean, most = statistics.mean(each), max(each)
        print(f"bytes, {form:<12}        {mean:8.2f} x the least, at most {most:.2f}")


if __name__ == "__main__":
    main()

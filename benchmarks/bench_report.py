"""Measure the time and the memory of a report of a large dataset.

    python benchmarks/bench_report.py

Makes the tables of 100,000 synthetic clips: 400 classes, one failure for every ten clips, pauses,
no files. Measures the commands in fresh processes. Then it makes the page of 10,000 clips, each
with a picture, and measures how long a headless Chromium takes to open it and to filter it.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from browser import PROGRAM, browser

from nanokinetics.clip import Clip, Failed, Made, Media
from nanokinetics.common.folder import Folder
from nanokinetics.dataset.ledger import Ledger
from nanokinetics.dataset.ranking import COLUMNS
from nanokinetics.errors import Failure, Reason
from nanokinetics.layout import RUN, SELECTION, Layout
from nanokinetics.report.gallery import Gallery
from nanokinetics.report.page import render
from nanokinetics.report.summary import summarise
from nanokinetics.report.tables import read

REASONS = (Reason.PRIVATE, Reason.UNAVAILABLE, Reason.GEO_BLOCKED, Reason.NETWORK)
BEGIN = 1.77e9
"""Seconds since the epoch."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=400)
    parser.add_argument("--cards", type=int, default=10_000, help="clips of the page to open")
    parser.add_argument("--keep", type=Path, help="make the tables here, and leave them")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dest = args.keep or Path(folder) / "dest"
        invent(dest, args.rows, args.classes)
        print(f"{'':24}{'seconds':>9}{'processor':>11}{'most MB of any yet':>20}")
        page, charts = str(Path(folder) / "report.html"), str(Path(folder) / "charts")
        for more in (("--json",), (), ("--html", page), ("--html", page, "--png", charts)):
            command = [sys.executable, "-m", "nanokinetics", "report", str(dest), *more]
            began, before = time.perf_counter(), used()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds = time.perf_counter() - began
            most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
            name = " ".join(["report", *(word for word in more if word.startswith("--"))])
            print(f"{name:24}{seconds:9.2f}{used() - before:11.2f}{most:20.0f}")
        open_page(Path(folder), args.cards, args.classes)


def open_page(folder: Path, cards: int, classes: int) -> None:
    """Make a page with a picture of every clip, and open it."""
    dest, page = folder / "many", folder / "page" / "report.html"
    invent(dest, cards, classes)
    film = folder / "film.mp4"
    film.write_bytes(b"no film")
    for row in csv.DictReader((dest / "stats.csv").open(encoding="utf-8")):
        (dest / row["path"]).parent.mkdir(parents=True, exist_ok=True)
        (dest / row["path"]).hardlink_to(film)
    began = time.perf_counter()
    tables = read(dest)
    gallery = Gallery(tables, summarise(tables), {n: picture(n) for n in range(cards)}, page)
    page.parent.mkdir()
    for name, data in gallery.pictures():
        at = page.parent / str(gallery.folder) / name
        at.parent.mkdir(exist_ok=True)
        at.write_bytes(data)
    page.write_bytes(b"".join(render(gallery)))
    seconds, size = time.perf_counter() - began, page.stat().st_size / 1e6
    print(f"page of {cards:,} clips: written in {seconds:.1f} s, {size:.1f} MB")
    if PROGRAM is None:
        print("no chromium on the search path, so it is not opened")
        return
    for width in (1280, 390):
        with browser() as tab:
            tab.open(page, width=width)
            loaded = tab.run(
                "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
            )
            pictures = sum(url.endswith(".jpg") for url in tab.requests)
            before = time.perf_counter()
            tab.run("document.getElementById('by-word').value = '0000042'")
            tab.run("document.getElementById('filter').dispatchEvent(new Event('input'))")
            tab.until("!document.getElementById('count').textContent.startsWith('10,000')")
            took = time.perf_counter() - before
            print(
                f"{width} pixels wide: DOMContentLoaded after {loaded / 1000:.2f} s, "
                f"{pictures} pictures loaded by then, filtered in {took:.2f} s; {tab.errors}"
            )


def picture(number: int) -> bytes:
    """A JPEG of the size and the weight of a thumbnail."""
    out = io.BytesIO()
    noise = random.Random(number).randbytes(60 * 34 * 3)
    Image.frombytes("RGB", (60, 34), noise).resize((240, 135)).save(out, "JPEG", quality=75)
    return out.getvalue()


def used() -> float:
    """Seconds of processor time of all commands so far."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def invent(dest: Path, rows: int, classes: int) -> None:
    """Write the tables of a build that took weeks, by the ledger itself."""
    dest.mkdir(parents=True)
    chance, home, now = random.Random(0), Folder(dest), BEGIN
    media = Media(480, 360, 300, 10.0, 1 / 30, has_audio=True)
    labels = [f"doing thing {number}" for number in range(classes)]
    record = {
        "dataset": "kinetics",
        "source": "youtube",
        "seed": "0",
        "resolution": 360,
        "audio": True,
        "fps": None,
        "crf": 23,
        "x264_preset": "veryfast",
        "annotations": {},
        "split": ["train"],
        "labels": labels,
        "classes": {"train": labels},
        "n": {"train": rows // classes + 1},
    }
    home.write(RUN, json.dumps(record).encode())
    home.write(SELECTION, selection(rows, labels).encode())
    with closing(Ledger(home, Layout())) as ledger:
        for number in range(rows):
            now += chance.expovariate(1 / 4) + (3600 if chance.random() < 1e-4 else 0)
            label = labels[number % classes]
            clip = Clip(f"{number:011d}_000010_000020", "train", label, f"{number:011d}", 10, 20)
            download, trim = chance.lognormvariate(0.5, 0.6), chance.lognormvariate(0.2, 0.3)
            size = chance.randint(600_000, 1_200_000)
            ledger.made(
                [
                    Made(
                        clip,
                        None,
                        "youtube",
                        media,
                        size,
                        "0" * 64,
                        size,
                        download,
                        trim,
                        download + trim,
                    )
                ],
                now,
            )
            if number % 10 == 0:
                lost = Clip(f"x{number:010d}_000010_000020", "train", label)
                reason = chance.choice(REASONS)
                ledger.failed(Failed(lost, Failure(reason, f"{reason.words}: made up")), "", now)


def selection(rows: int, labels: list[str]) -> str:
    """`selection.csv`, which lists the clips that are made and no others."""
    lines = [",".join(COLUMNS)]
    for at, label in enumerate(labels):
        for rank, number in enumerate(range(at, rows, len(labels)), 1):
            name = f"{number:011d}"
            lines.append(f"{name}_000010_000020,train,{label},{name},10,20,{rank}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

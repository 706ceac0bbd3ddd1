"""Measure the time and the memory of a report of a large dataset.

    python benchmarks/bench_report.py

Makes the tables of 100,000 synthetic clips: 400 classes, one failure for every ten clips, pauses,
no files. Measures the commands in fresh processes.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from nanokinetics.clip import Clip, Failed, Made, Media
from nanokinetics.common.folder import Folder
from nanokinetics.dataset.ledger import Ledger
from nanokinetics.errors import Failure, Reason
from nanokinetics.layout import RUN, Layout

REASONS = (Reason.PRIVATE, Reason.UNAVAILABLE, Reason.GEO_BLOCKED, Reason.NETWORK)
BEGIN = 1.77e9
"""Seconds since the epoch."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=400)
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
        **dict.fromkeys(("dataset", "source", "seed", "x264_preset"), "made up"),
        **dict.fromkeys(("resolution", "audio", "fps", "crf"), 0),
        "annotations": {},
        "split": ["train"],
        "labels": labels,
        "classes": {"train": labels},
        "n": {"train": rows // classes + 1},
    }
    home.write(RUN, json.dumps(record).encode())
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


if __name__ == "__main__":
    main()

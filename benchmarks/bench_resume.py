"""Measure how fast a build resumes with long tables, as a cron job starts it every hour.

    python benchmarks/bench_resume.py

Makes a dataset of 100,000 finished clips: 400 classes x 250, from annotations of Kinetics-400's
size, with files of one byte. Measures two runs in fresh processes: a run with nothing to do, and a
run that lacks one clip, up to its first network request. The baseline is a plain `pandas.read_csv`
of the annotations and both tables, with one `stat` of each file.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from bench_sampling import write_annotations
from measuring import timed

from nanokinetics.annotations import read as read_annotations
from nanokinetics.clip import Made, Media
from nanokinetics.common.folder import Folder
from nanokinetics.config import BuildConfig
from nanokinetics.dataset.ledger import Ledger
from nanokinetics.layout import STATS, Layout
from nanokinetics.selection import sampling, settle, source_of
from nanokinetics.selection.growth import make_plan

YARDSTICK = """
import os, sys, time
began = time.perf_counter()
import pandas
pandas.read_csv(sys.argv[1])
stats = pandas.read_csv(sys.argv[2] + "/stats.csv")
pandas.read_csv(sys.argv[2] + "/failed.csv")
for path in stats["path"]:
    os.stat(sys.argv[2] + "/" + path)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=240_000)
    parser.add_argument("--classes", type=int, default=400)
    parser.add_argument("--n", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as proxy:
        bench = Bench(Path(folder), args.n, proxy)
        write_annotations(bench.annotations, args.rows, args.classes)
        clips = bench.finish()
        bench.met()  # the first run writes the lists that loaders read
        rounds = [(bench.plain(), bench.met(), bench.asks()) for _ in range(args.rounds)]
    print(f"{clips:,} finished clips, medians of {args.rounds} rounds\n")
    print(f"{'':34}{'seconds':>9}{'ratio':>8}")
    for place, what in enumerate(
        ("reading it all with pandas", "a run with nothing to do", "a run up to its first request")
    ):
        seconds = statistics.median(found[place] for found in rounds)
        ratio = statistics.median(found[place] / found[0] for found in rounds)
        print(f"{what:34}{seconds:9.2f}{ratio:8.2f}")


class Bench:
    """A dataset after a finished run, and a proxy that gets the first request."""

    def __init__(self, folder: Path, n: int, proxy: socket.socket) -> None:
        self.annotations, self.dest = folder / "train.csv", folder / "dest"
        self._n, self._proxy = n, proxy

    def finish(self) -> int:
        """Make the selection, the tables and the files. Returns the number of clips."""
        config = BuildConfig(
            dataset="kinetics", annotations=(self.annotations,), n=self._n, dest=self.dest
        )
        found = read_annotations(config.dataset, config.files)
        selection = sampling.select(found.frame, splits=None, n=self._n)
        home, layout = Folder(self.dest), Layout()
        self.dest.mkdir()
        make_plan(config, source_of(settle(config)), found, selection, home).save(home, {})
        media = Media(480, 360, 300, 10.0, 1 / 30, has_audio=True)
        clips = 0
        with closing(Ledger(home, layout)) as ledger:
            for group, n in selection.quotas.items():
                for row in selection.rows(group)[:n]:
                    clip = selection.clip(row)
                    path = home.place(layout.clip_path(clip))
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(b"0")
                    ledger.made([Made(clip, None, "youtube", media, 1, "0" * 64)], 1e9)
                    self._last = path
                    clips += 1
        self._table = home.place(STATS).read_bytes()
        return clips

    def plain(self) -> float:
        arguments = [str(self.annotations), str(self.dest)]
        return timed([sys.executable, "-c", YARDSTICK, *arguments])

    def met(self) -> float:
        return timed(self._command())

    def asks(self) -> float:
        """Seconds until a worker asks for the one missing clip."""
        stats = self.dest / "stats.csv"
        self._last.unlink()
        stats.write_bytes(self._table[: self._table.rindex(b"\n", 0, -1) + 1])
        began = time.perf_counter()
        with subprocess.Popen(self._command(), stderr=subprocess.DEVNULL) as running:
            connection, _ = self._proxy.accept()
            seconds = time.perf_counter() - began
            running.terminate()
            connection.close()
        self._last.write_bytes(b"0")
        stats.write_bytes(self._table)
        self.met()  # writes the lists again
        return seconds

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "nanokinetics", "build", "kinetics", "--quiet"),
            *("--annotations", str(self.annotations), "--n", str(self._n)),
            *("--dest", str(self.dest), "--workers", "1"),
            *("--proxy", f"http://127.0.0.1:{self._proxy.getsockname()[1]}"),
            *("--failed-logs", str(self.dest.parent / "logs")),
        ]


if __name__ == "__main__":
    main()

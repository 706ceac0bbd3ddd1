"""Measure how the cost of a build grows with clips, and with workers if the site is far away.

    python benchmarks/bench_growth.py

Both tables come from runs of bench.py against the demo site on the same machine. Perfect overlap
takes the longer of two times: that of one worker, divided by the number of workers; and the time
that all processors need for the build and the site.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

BENCH = str(Path(__file__).with_name("bench.py"))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, nargs="*", default=[10, 100, 1000])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    if args.clips:
        with_clips(args.clips, args.rounds)
    if args.workers:
        with_workers(args.workers, args.rounds)


def with_clips(counts: list[int], rounds: int) -> None:
    print("Clips of 2 s, 4 workers, 50 ms, 2.5 MB/s a connection\n")
    print("| clips | wall time, s | processor s a clip | parent, MB | once more, s |")
    print("|---:|---:|---:|---:|---:|")
    for clips in counts:
        found = _median(rounds, "--clips", clips, "--seconds", 2, "--workers", 4)
        row = (
            f"{found['wall']:.1f}",
            f"{found['cpu'] / clips:.2f}",
            f"{found['parent'] / 1e6:.0f}",
            f"{found['idle']:.2f}",
        )
        print(f"| {clips} | {' | '.join(row)} |", flush=True)
    print()


def with_workers(counts: list[int], rounds: int, clips: int = 48) -> None:
    print(f"{clips} clips of 10 s, 200 ms, 2 MB/s a connection, {os.cpu_count()} processors\n")
    print("| workers | wall time, s | processors busy | of perfect overlap | memory, MB |")
    print("|---:|---:|---:|---:|---:|")
    alone = None
    for workers in counts:
        far = ("--latency", 0.2, "--rate", 2e6)
        found = _median(rounds, "--clips", clips, "--workers", workers, *far)
        alone = alone or found["wall"] * workers
        busy = (found["cpu"] + found["site"]) / (os.cpu_count() or 1)
        share = max(alone / workers, busy) / found["wall"]
        row = (
            f"{found['wall']:.1f}",
            f"{busy / found['wall']:.0%}",
            f"{share:.0%}",
            f"{found['memory'] / 1e6:.0f}",
        )
        print(f"| {workers} | {' | '.join(row)} |", flush=True)


def _median(rounds: int, *options: object) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rounds.json"
        command = [sys.executable, BENCH, "--only", "nanokinetics", "--rounds", str(rounds)]
        command += [*map(str, options), "--json", str(out)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        runs: list[dict[str, Any]] = [
            r["nanokinetics"] for r in json.loads(out.read_text())["rounds"]
        ]
    taken = [
        {
            "wall": run["usage"]["seconds"],
            "cpu": run["usage"]["cpu"],
            "site": run["site"],
            "memory": run["usage"]["memory"],
            "parent": run["usage"]["parent"],
            "idle": run["idle"],
        }
        for run in runs
    ]
    return {name: statistics.median(each[name] for each in taken) for name in taken[0]}


if __name__ == "__main__":
    main()

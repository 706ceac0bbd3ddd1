"""Measure the time to read, check and rank annotations of Kinetics-700's size.

    python benchmarks/bench_sampling.py

Writes a synthetic file of 545,000 rows and 700 classes into a temporary folder. Compares a plain
`pandas.read_csv` of it with all the work before the first fetch, in fresh processes and alternating
rounds. The time does not include imports. The memory is the peak of the whole process, with pandas.
The figures are medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import string
import tempfile
import time
from pathlib import Path

from measuring import in_fresh_process

PLAIN, WHOLE = "pandas.read_csv", "read + check + select"
CSV = "selection.csv, as bytes"
ALPHABET = string.ascii_letters + string.digits + "-_"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=545_000)
    parser.add_argument("--classes", type=int, default=700)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "FILE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        what, file = args.measure
        print(json.dumps(measure(what, Path(file))))
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "train.csv")
        write_annotations(file, args.rows, args.classes)
        rounds = [
            [in_fresh_process(__file__, what, file) for what in (PLAIN, WHOLE)]
            for _ in range(args.rounds)
        ]
    print(f"{args.rows:,} rows, {args.classes} classes, medians of {args.rounds} rounds\n")
    print(f"{'':26}{'seconds':>9}{'ratio':>8}{'peak MB':>9}")
    merged = [{**plain, **whole} for plain, whole in rounds]
    for what in (PLAIN, WHOLE, CSV):
        seconds = statistics.median(found[what][0] for found in merged)
        ratio = statistics.median(found[what][0] / found[PLAIN][0] for found in merged)
        peak = statistics.median(found[what][1] for found in merged)
        print(f"{what:26}{seconds:9.3f}{ratio:8.2f}{peak:9.0f}")


def write_annotations(file: Path, rows: int, classes: int) -> None:
    """Write random ids and windows of ten seconds, with labels of two words as in Kinetics."""
    draw = random.Random(0)
    labels = [
        f"{name} something{' slowly' * (i % 3)}" for i, name in enumerate(map(str, range(classes)))
    ]
    with file.open("w", encoding="utf-8", newline="") as out:
        out.write("label,youtube_id,time_start,time_end,split\n")
        for _ in range(rows):
            start = int(draw.expovariate(1 / 80))
            youtube_id = "".join(draw.choices(ALPHABET, k=11))
            out.write(f"{draw.choice(labels)},{youtube_id},{start},{start + 10},train\n")


def measure(what: str, file: Path) -> dict[str, tuple[float, float]]:
    """Seconds and peak memory in MB of this step and of the next one."""
    import pandas as pd

    from nanokinetics.annotations import read
    from nanokinetics.selection.sampling import select

    start = time.perf_counter()
    if what == PLAIN:
        pd.read_csv(file)
        return {what: (time.perf_counter() - start, peak_megabytes())}
    frame = read("kinetics", [file]).frame
    selection = select(frame, splits=None, n=10)
    found = {what: (time.perf_counter() - start, peak_megabytes())}
    start = time.perf_counter()
    selection.to_csv()
    return {**found, CSV: (time.perf_counter() - start, peak_megabytes())}


def peak_megabytes() -> float:
    """Peak memory of this process in MB. Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    main()

"""`nanokinetics demo`: run the real build against a simulated YouTube, and print a summary.

`programme` says what the site plays. The rest is a normal build.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nanokinetics.api import BuildResult, build
from nanokinetics.common.files import replace_file
from nanokinetics.dataset.built import Dataset
from nanokinetics.demo.films import read_frame_numbers
from nanokinetics.demo.programme import CLASSES, FILM, PATIENCE, rows, scenario, to_csv
from nanokinetics.demo.programs import program
from nanokinetics.demo.saying import say
from nanokinetics.demo.site import DemoSite
from nanokinetics.errors import ExitCode, InputError
from nanokinetics.progress import Reporter

CLIPS: Final = 3
STATE: Final = "state"
"""Or the demo would count in the hourly budget of the user's own builds."""

OURS: Final = {"annotations.csv", "nano-kinetics", "failed_logs", STATE}
"""The files and folders that the demo creates in its folder, now or in an earlier version."""

BESIDE: Final = "nano-kinetics-"
"""What lies beside the dataset begins so: logs, and the exports of who pastes the next steps."""

CLIENT: Final = "--no-check-certificates --extractor-args youtube:player_client=visionos"
"""The site signs its own certificate, and the demo needs the answers of only one client."""


def demo(
    folder: Path, reporter: Reporter, *, quiet: bool = False, failed_logs: str | None = None
) -> ExitCode:
    """Run the demo in a folder and print a summary.

    failed_logs: the folder for the logs of failures; None is the one beside the dataset.
    Raises InputError if the folder has other files.
    """
    began = time.monotonic()
    source, dest = folder / "annotations.csv", folder / "nano-kinetics"
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    strangers = {name for name in found - OURS if not name.startswith(BESIDE)}
    mine = to_csv(rows())
    if strangers or (source.exists() and source.read_text(encoding="utf-8") != mine):
        what = min(strangers, default=source.name)
        raise InputError(f"{folder} holds '{what}', not of the demo; name a new or empty folder")
    replace_file(source, mine.encode())
    say(f"making videos and starting a make-believe YouTube; results go to {folder}/", quiet=quiet)
    with DemoSite(scenario(rows())) as site:
        say(
            f"$ nanokinetics build kinetics --annotations {source} --split train --n {CLIPS} "
            f"--dest {dest}",
            quiet=quiet,
        )
        result = build(
            "kinetics",
            annotations=[source],
            splits=["train"],
            n=CLIPS,
            dest=dest,
            proxy=site.proxy_url,
            yt_dlp_args=CLIENT,
            block_wait=PATIENCE,
            state=folder / STATE,
            failed_logs=failed_logs,
            reporter=reporter,
        )
        lines = list(_summary(result, dest, site.media_bytes(), site.refused))
    say(*lines, f"done in {time.monotonic() - began:.0f} s", *_next(dest), quiet=quiet)
    return result.exit_code


def _summary(result: BuildResult, dest: Path, fetched: int, refused: int) -> Iterator[str]:
    """The summary of finished and replaced clips, read from the tables and the files."""
    dataset = Dataset.open(dest)
    made, failed = dataset.made.values(), dataset.failed.values()
    yield ""
    yield f"made {result.made} of {result.wanted} clips in {len(CLASSES)} classes:"
    exact = 0
    for row in made:
        numbers = read_frame_numbers(dest / row["path"])
        first = round(float(row["time_start"]) * FILM.fps)
        exact += numbers == list(range(first, first + len(numbers)))
        yield (
            f"  {row['path']:<58} {row['width']}x{row['height']} {row['duration']} s, "
            f"frames {numbers[0]} to {numbers[-1]}"
        )
    yield f"{exact} of {len(made)} hold exactly the frames of their windows"
    yield f"{result.replaced} were gone and replaced, and why (failed.csv, with the full logs):"
    for row in failed:
        yield f"  {row['key']:<28} {row['reason']:<20} {row['message'][:70]}"
    if refused:
        yield f"the site refused {refused} requests for a while; the build waited and went on"
    kept = sum(int(row["bytes"]) for row in made)
    yield f"{fetched / 1e6:.1f} MB were fetched for {kept / 1e6:.1f} MB of clips"
    if not result.new:
        yield "(all of it was there already: nothing was asked for again)"


def _next(dest: Path) -> Iterator[str]:
    """Commands to paste. They name the program as this shell finds it."""
    here, there = program(), shlex.quote(str(dest))
    yield ""
    yield "next: look at the result, and let a training loader read it"
    yield f"  {here} report {there}"
    yield f"  {here} export {there} --format torchvision"
    yield "then 5 clips of 5 classes of the real Kinetics-400; this asks YouTube"
    yield f"  {here} build kinetics --annotations k400 --split val --preset tiny --dest nano-k400"

"""`nanokinetics demo`: run the real build against a simulated YouTube, and print a summary.

This module scripts the site: a few classes with awkward names, several container forms, dead videos
of several kinds, a video that breaks off once, and a short throttling. The rest is a normal build.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

from nanokinetics.api import BuildResult, build
from nanokinetics.common.files import replace_file
from nanokinetics.common.text import plain
from nanokinetics.dataset.built import Dataset
from nanokinetics.dataset.tables import ANNOTATION, rendered
from nanokinetics.demo.films import read_frame_numbers
from nanokinetics.demo.scenario import Fault, Film, Form, Scenario, Throttle, Video
from nanokinetics.demo.site import DemoSite
from nanokinetics.errors import ExitCode, InputError
from nanokinetics.progress import Reporter

CLASSES: Final = (
    "abseiling",
    "hurling (sport)",
    "massaging person's head",
    "training dog",
)
CLIPS: Final = 3
CANDIDATES: Final = 8
"""Candidates of each class. Some of them are dead."""

OURS: Final = {"annotations.csv", "nano-kinetics", "nano-kinetics-failed_logs", "failed_logs"}
"""The files and folders that the demo creates in its folder, now or in an earlier version."""

FILM: Final = Film(duration=36.0, width=480, height=270)
DEAD: Final = ("private", "copyright", "account_terminated", "age_restricted", "geo_blocked")
FORMS: Final[tuple[tuple[Form, ...], ...]] = (("progressive",), ("fragmented",), ("webm",))
CLIENT: Final = "--no-check-certificates --extractor-args youtube:player_client=visionos"
"""The site signs its own certificate, and the demo needs the answers of only one client."""

PATIENCE: Final = 3.0
"""Seconds for which the site refuses requests. YouTube refuses for an hour or more."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation of the demo's dataset. start: seconds."""

    label: str
    youtube_id: str
    start: int
    split: str = "train"


def rows() -> tuple[Annotation, ...]:
    """Four classes of eight windows. Some ids begin with a dash, as 3 % of YouTube's do."""
    return tuple(
        Annotation(label, f"{'-' if n % 4 == 0 else 'd'}emo-{place}-{n:04d}", 2 + 3 * n)
        for place, label in enumerate(CLASSES)
        for n in range(CANDIDATES)
    )


def scenario() -> Scenario:
    """A quarter of the videos are dead, some connections break once, and the site throttles."""
    dead, forms = cycle(DEAD), cycle(FORMS)
    videos = {}
    for n, row in enumerate(rows()):
        failure = next(dead) if n % 4 == 1 else None
        breaks = (Fault("media", "reset", after_bytes=20_000, times=1),) if n % 9 == 3 else ()
        videos[row.youtube_id] = Video(FILM, next(forms), failure=failure, faults=breaks)
    return Scenario(
        videos, throttle=Throttle(after=12, seconds=PATIENCE, repeat=False, retry_after=True)
    )


def to_csv(wanted: tuple[Annotation, ...]) -> str:
    """The rows in DeepMind's CSV format. Each window has ten seconds."""
    windows = ((r.label, r.youtube_id, r.start, r.start + 10, r.split) for r in wanted)
    return rendered([ANNOTATION, *windows])


def demo(
    folder: Path, reporter: Reporter, *, quiet: bool = False, failed_logs: str | None = None
) -> ExitCode:
    """Run the demo in a folder and print a summary.

    failed_logs: the folder for the logs of failures; None is the one beside the dataset.
    Raises InputError if the folder has other files.
    """
    began = time.monotonic()
    source, dest = folder / "annotations.csv", folder / "nano-kinetics"
    strangers = {p.name for p in folder.iterdir()} - OURS if folder.is_dir() else set()
    mine = to_csv(rows())
    if strangers or (source.exists() and source.read_text(encoding="utf-8") != mine):
        what = min(strangers, default=source.name)
        raise InputError(f"{folder} holds '{what}', not of the demo; name a new or empty folder")
    replace_file(source, mine.encode())
    say(quiet, f"making videos and starting a make-believe YouTube; results go to {folder}/")
    with DemoSite(scenario()) as site:
        say(
            quiet,
            f"$ nanokinetics build kinetics --annotations {source} --split train --n {CLIPS} "
            f"--dest {dest}",
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
            failed_logs=failed_logs,
            reporter=reporter,
        )
        text = "\n".join(_summary(result, dest, site.media_bytes(), site.refused))
    say(quiet, f"{text}\ndone in {time.monotonic() - began:.0f} s")
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
    yield f"replaced {result.replaced}, and why (failed.csv, with the full logs):"
    for row in failed:
        yield f"  {row['key']:<28} {row['reason']:<20} {row['message'][:70]}"
    if refused:
        yield f"the site refused {refused} requests for a while; the build waited and went on"
    kept = sum(int(row["bytes"]) for row in made)
    yield f"{fetched / 1e6:.1f} MB were fetched for {kept / 1e6:.1f} MB of clips"
    if not result.new:
        yield "(all of it was there already: nothing was asked for again)"


def say(quiet: bool, text: str) -> None:
    if not quiet:
        print("\n".join(map(plain, text.split("\n"))), flush=True)

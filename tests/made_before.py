"""The datasets in `fixtures/made_by_0_1_0`: what they were made of, and by which commands.

`fixtures/make.py` made them once, and `test_made_before.py` goes on with them. Both take their
sources, their videos and their commands from here, so that "the same command" is the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import trees
from helpers import ONE_CLIENT, WHEEL, Row, Running, nanokinetics, ranked, write_csv, youtube_id

from nanokinetics.demo.scenario import Fault, Film, Scenario, Video
from nanokinetics.demo.site import DemoSite

FIXTURES = Path(__file__).parent / "fixtures" / "made_by_0_1_0"

# -- from the demo site

LABELS = ("hurling (sport)", "yoga, slowly")
FILM = Film(duration=5, width=112, height=64, fps=10, gop_seconds=1, audio=False)
VIDEO = Video(FILM, ("progressive",))


def _rows() -> list[Row]:
    """Five windows of each class for train and three for val; some ids begin with a dash."""
    rows = []
    for number in range(16):
        name = youtube_id(number, "-m" if number % 4 == 0 else "m")
        split = "train" if number < 10 else "val"
        start = 1 + number % 3
        rows.append(Row(LABELS[number % 2], name, start, start + 1 + number % 2, split))
    return rows


ROWS = _rows()
RANKED = ranked(ROWS)

PRIVATE = RANKED["train", LABELS[0]][0].youtube_id
ABROAD = RANKED["val", LABELS[1]][0].youtube_id
"""Dead from the beginning, so that reserves stood in for them."""

LATER_GONE = RANKED["train", LABELS[1]][0]
"""A clip of `kinetics-youtube` that was gone when `from-manifest` was made."""

FAILING = RANKED["train", LABELS[1]][0].youtube_id
SLOW = (RANKED["train", LABELS[0]][2].youtube_id, RANKED["val", LABELS[0]][0].youtube_id)
"""What `kinetics-unfinished` lacks: one failed for now, and the run was interrupted in two."""

_DEAD = {
    PRIVATE: replace(VIDEO, failure="private"),
    ABROAD: replace(VIDEO, failure="geo_blocked"),
}


def scenario(name: str, *, on_the_day: bool) -> Scenario:
    """What the site shows, or what it showed when the dataset was made."""
    videos = dict(_DEAD)
    if name == "from-manifest":
        videos[LATER_GONE.youtube_id] = replace(VIDEO, failure="copyright")
    if name == "kinetics-unfinished" and on_the_day:
        videos[FAILING] = replace(VIDEO, faults=(Fault("media", status=503),))
        videos |= dict.fromkeys(SLOW, replace(VIDEO, rate=600))
    return Scenario(videos, default=VIDEO)


YOUTUBE: Mapping[str, tuple[str, ...]] = {
    "kinetics-youtube": ("--annotations", "annotations.csv", "--n", "train=2,val=1"),
    "kinetics-unfinished": ("--annotations", "annotations.csv", "--n", "train=3,val=1"),
    "from-manifest": ("--from", "manifest.txt"),
}
"""What each asks for; the files lie where the command runs."""

WANTED: Mapping[str, Mapping[str, int]] = {
    "kinetics-youtube": {"train": 2, "val": 1},
    "kinetics-unfinished": {"train": 3, "val": 1},
}


def wanted(counts: Mapping[str, int], dead: Collection[str] = (PRIVATE, ABROAD)) -> set[Row]:
    """What a build of so many clips keeps, from the contract alone."""
    return {
        row
        for (split, _), found in RANKED.items()
        for row in [row for row in found if row.youtube_id not in dead][: counts[split]]
    }


@contextlib.contextmanager
def site_for(name: str, films: Path, *, on_the_day: bool = False) -> Iterator[DemoSite]:
    with DemoSite(scenario(name, on_the_day=on_the_day), cache=films) as site:
        yield site


def start(site: DemoSite, name: str, folder: Path, *more: str) -> Running:
    """Start the command that makes `folder/NAME`, or goes on with it."""
    if not (folder / "annotations.csv").exists():
        write_csv(folder / "annotations.csv", ROWS)
    how = () if name == "from-manifest" else ("--resolution", "18", "--no-audio")
    return nanokinetics(
        *("build", "kinetics", *YOUTUBE[name], *how, "--dest", name, "--quiet"),
        *("--proxy", site.proxy_url, f"--yt-dlp-args={ONE_CLIENT}", "--max-per-hour", "0"),
        *("--ffmpeg", WHEEL, "--workers", "2", *more),
        cwd=folder,
    )


# -- from this disk

TINY = Film(duration=1, width=64, height=64, fps=10, gop_seconds=1, audio=False)
DOGS, HEADS = "training dog", "massaging person's head"


def _imagenet(films: Path) -> trees.Tree:
    return {
        "ILSVRC2012_img_train.tar": trees.nested(trees.imagenet_train()),
        "ILSVRC2012_img_val.tar": trees.packed(trees.imagenet_val()),
        **trees.solution(),
        **trees.class_names(),
    }


def _ssv2(films: Path) -> trees.Tree:
    splits = ("train", "validation")
    videos = trees.ssv2_videos(films, each=2, splits=splits)
    return trees.ssv2_annotations(each=2) | trees.prefixed("videos/", videos)


def _folder(films: Path) -> trees.Tree:
    whole = trees.film(films, "mp4", TINY).read_bytes()
    clips = [whole + b"\x00\x00\x00\x10free" + f"{number:08d}".encode() for number in range(4)]
    return {f"{DOGS}/{i}.mp4": clip for i, clip in enumerate(clips)} | {
        f"{HEADS}/shot {i}.jpg": trees.picture(i) for i in range(4)
    }


SOURCES: Mapping[str, Callable[[Path], trees.Tree]] = {
    "imagenet": _imagenet,
    "ssv2": _ssv2,
    "folder": _folder,
}

LOCAL: Mapping[str, tuple[str, ...]] = {
    "imagenet": ("imagenet", "--n", "train=2,val=1"),
    "ssv2": ("ssv2", "--n", "1", "--split", "train", "val", "--transcode", "--resolution", "16"),
    "folder": ("folder", "--n", "2"),
}

NAMES = (*YOUTUBE, *LOCAL)


def local(name: str, src: str = "source", dest: str | None = None) -> list[str]:
    """The command that makes `NAME` of `source` below the current folder, or goes on with it."""
    how = ("--src", src, "--dest", dest or name, "--quiet", "--ffmpeg", WHEEL, "--workers", "1")
    return ["build", *LOCAL[name], *how]

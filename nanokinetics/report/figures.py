"""The numbers that a report shows, as frozen data.

Counts are clips, sizes bytes, times seconds; a point in time is in seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """made: clips with a row in `stats.csv`. gone: candidates that are not to be had, so that the
    next one of their class, if there is any, is taken. later: candidates that failed for now and
    keep their place. wanted, missing: as `run.json` has it, None without one."""

    wanted: int | None
    made: int
    gone: int
    later: int
    missing: int | None


@dataclass(frozen=True, slots=True)
class Class:
    """One class of one split; `name` is what a label that is a code stands for."""

    split: str
    label: str
    name: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class Failures:
    """The clips whose last failure has this reason; `since` of them were made after all.
    `message` is the most frequent one."""

    reason: str
    kind: str
    clips: int
    since: int
    message: str


@dataclass(frozen=True, slots=True)
class Spread:
    """Seconds a clip."""

    clips: int
    mean: float
    median: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Seconds:
    """What one step took: over all clips, and over those within the interquartile range
    (quartiles included, interpolated linearly as numpy does; of two clips, over both)."""

    total: float
    full: Spread
    within_iqr: Spread


@dataclass(frozen=True, slots=True)
class Effort:
    """What fetching and ffmpeg took of the clips that a run made; None of adopted ones alone.

    download: seconds for finding the video, and in which its ffmpeg waited: for bytes, or for a
    busy processor. trim: those in which ffmpeg computed. fetching: the part of the former in the
    sum of both, from 0 to 1. edges, and counts of clips between them: both on one scale.
    """

    download: Seconds
    trim: Seconds
    fetching: float
    edges: tuple[float, ...]
    download_counts: tuple[int, ...]
    trim_counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Volume:
    """fetched: media bytes read from the network. kept: bytes of the clips, by the table.
    files, on_disk: the clips' files that are there, and their bytes. footage: seconds of video."""

    fetched: int
    kept: int
    files: int
    on_disk: int
    footage: float


@dataclass(frozen=True, slots=True)
class Pause:
    """A time without work, and why: as `waits.csv` has it, or empty where that does not say."""

    begin: float
    end: float
    why: str = ""

    @property
    def length(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Waited:
    """The waits for one reason: how many, seconds in all, and of the longest."""

    why: str
    times: int
    total: float
    longest: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """How it went, from the start of the first clip to the last row of any table.

    waits: those of `waits.csv`; None without one. waited: the same by reason, the longest first.
    pauses: gaps longer than `longer_than` in which no clip was in the making and nothing waited.
    working: the span without either; the paces are over it, and None where it is too short to tell.
    times, made, failed: how many clips had been made, and had failed, by then.
    """

    begin: float
    end: float
    working: float
    waits: tuple[Pause, ...] | None
    waited: tuple[Waited, ...]
    pauses: tuple[Pause, ...]
    longer_than: float
    per_hour: float | None
    fetched_per_second: float | None
    times: tuple[float, ...]
    made: tuple[int, ...]
    failed: tuple[int, ...]

    @property
    def span(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Projection:
    """A dataset `factor` times as large, if work goes on as it went. `seconds` are of work alone.
    `as_guest` is the time if no more than YouTube's allowance for guests is asked for in any hour;
    None for local files. Both are None where this one took too short to tell.
    """

    factor: int
    clips: int
    seconds: float | None
    as_guest: float | None
    fetched: int
    kept: int


@dataclass(frozen=True, slots=True)
class Summary:
    """All numbers of one report. What cannot be told from the tables is None or empty."""

    total: Counts
    splits: Mapping[str, Counts]
    classes: tuple[Class, ...]
    failures: tuple[Failures, ...]
    adopted: int
    effort: Effort | None
    volume: Volume
    timeline: Timeline | None
    projections: tuple[Projection, ...]
    notes: tuple[str, ...]

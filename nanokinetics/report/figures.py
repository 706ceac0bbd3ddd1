"""The numbers of a report, as frozen data.

Counts are in clips, sizes in bytes, times in seconds. Points in time are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of clips.

    made: clips with a row in `stats.csv`. gone: candidates that cannot be had; the next candidate
    of the class, if any, replaces each. later: candidates that failed for now and keep their rank.
    wanted, missing: by `run.json`; None without one.
    """

    wanted: int | None
    made: int
    gone: int
    later: int
    missing: int | None


@dataclass(frozen=True, slots=True)
class Class:
    """One class of one split. name: the readable name, if the label is a code."""

    split: str
    label: str
    name: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class Failures:
    """The clips whose last failure has this reason.

    since: how many of them were made later. message: the most frequent message.
    """

    reason: str
    kind: str
    clips: int
    since: int
    message: str


@dataclass(frozen=True, slots=True)
class Spread:
    """Statistics of the seconds that a clip takes. clips: how many they are over."""

    clips: int
    mean: float
    median: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Seconds:
    """The seconds of one step: over all clips, and over the clips within the interquartile range.

    The quartiles are included, and interpolated linearly as in numpy. Of two clips, both count.
    """

    total: float
    full: Spread
    within_iqr: Spread


@dataclass(frozen=True, slots=True)
class Effort:
    """The time of fetching and of ffmpeg, over the clips that a run made. Adopted clips have none.

    download: seconds to find the video, and seconds in which ffmpeg waited for bytes or for a busy
    processor. trim: seconds in which ffmpeg computed. fetching: the share of download in the sum of
    both, from 0 to 1. edges: the edges of both histograms, in seconds. download_counts,
    trim_counts: clips between two edges.
    """

    download: Seconds
    trim: Seconds
    fetching: float
    edges: tuple[float, ...]
    download_counts: tuple[int, ...]
    trim_counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Volume:
    """fetched: media bytes read from the network. kept: bytes of the clips, by the table. files:
    files that exist. on_disk: bytes of these files. footage: seconds of video."""

    fetched: int
    kept: int
    files: int
    on_disk: int
    footage: float


@dataclass(frozen=True, slots=True)
class Pause:
    """A time without work. why: the reason by `waits.csv`, or empty if unknown."""

    begin: float
    end: float
    why: str = ""

    @property
    def length(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Waited:
    """The waits for one reason: their number, their sum and the longest one, in seconds."""

    why: str
    times: int
    total: float
    longest: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """The course of a build, from the start of the first clip to the last row of any table.

    waits: the waits of `waits.csv`; None without one. waited: the same by reason, the largest sum
    first. pauses: the times between runs, as `waits.csv` has
    them, and gaps longer than `longer_than` without work on a clip and without a wait.
    working: the span without waits and pauses. per_hour: clips an hour of work.
    fetched_per_second: bytes a second of work. Both paces are None if the work was too short.
    times: points in time. made, failed: numbers of clips made and failed by then.
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
    """The cost of a dataset `factor` times as large, at the same pace.

    seconds: work without waits. as_guest: the time within YouTube's hourly allowance for guests;
    None for local files. Both are None if this build was too short for a pace. fetched, kept:
    bytes.
    """

    factor: int
    clips: int
    seconds: float | None
    as_guest: float | None
    fetched: int
    kept: int


@dataclass(frozen=True, slots=True)
class Summary:
    """All numbers of one report. Numbers that the tables do not give are None or empty."""

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

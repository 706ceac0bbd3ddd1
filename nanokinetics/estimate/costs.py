"""The average cost of a clip: from the tables of an earlier run, or from measurements."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from nanokinetics.dataset.ledger import id_of
from nanokinetics.dataset.tables import Damaged, Reader, Row
from nanokinetics.errors import InputError, Reason
from nanokinetics.estimate.gone import UNKNOWN, Gone
from nanokinetics.layout import FAILED, STATS
from nanokinetics.sources import is_remote

MEGABYTES_A_SECOND: Final = 0.12
"""Megabytes fetched for a second of a 360p clip. Measured: ten seconds are 1.40, 1.19 and 1.02 MB
in yt-dlp's formats 18, 134+140 and 243+251. A build prefers the second of them."""

FETCHING: Final = 0.9
"""Seconds to fetch and encode a clip of ten seconds. Measured with one worker and a link of
2.5 MB/s; this is the slowest of the three formats above."""

FINDING: Final = 1.1
"""Seconds to find a video: up to four requests and a run of JavaScript. Two videos may be asked for
at a time. Assumed: only the requests to a site on the same machine were measured."""

ENOUGH: Final = 10
"""Clips of an earlier run from which on the time of the whole run is used for a clip."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Average costs of clips.

    fetched, kept: bytes for a second of clip, over the network and on the disk. seconds: time from
    one finished clip to the next, without waits. finding: seconds for a video that is gone, where
    the former do not cover it. gone: the share of candidates that must be
    replaced, at least 0 and below 1. about_gone: where that share is from. basis: the sources of
    the other figures, one on each line.
    """

    fetched: float
    kept: float
    seconds: float
    gone: float
    about_gone: str
    basis: tuple[str, ...]
    finding: float = 0.0

    def with_gone(self, gone: Gone) -> Costs:
        """The same costs with another share of videos that are gone."""
        return replace(self, gone=gone.share, about_gone=gone.basis)


MEASURED: Final = Costs(
    fetched=MEGABYTES_A_SECOND * 1e6,
    kept=MEGABYTES_A_SECOND * 1e6,
    seconds=FINDING + FETCHING,
    gone=UNKNOWN.share,
    about_gone=UNKNOWN.basis,
    finding=FINDING,
    basis=(
        f"{MEGABYTES_A_SECOND} MB are fetched for a second of clip at 360p, and as much is kept; "
        "another --resolution is another size",
        f"a clip takes {FINDING + FETCHING:g} s: {FETCHING} s as measured on a link of 2.5 MB/s, "
        f"{FINDING} s assumed for finding its video",
        "no video is only to be had as a whole, none is fetched twice, and nothing slows the line",
        "(an earlier run knows better: --stats DEST)",
    ),
)


def of_run(stats: Path) -> Costs:
    """Compute the costs of an earlier run from its `stats.csv` and the `failed.csv` beside it.

    stats: the table, or the folder of the build. Raises InputError if the table cannot be read,
    has no clip from YouTube, or has a bad number; then it names the line.
    """
    table = stats / STATS if stats.is_dir() else stats
    made = {
        id_of(row): _Made.of(row, f"--stats: {table}, line {n}")
        for n, row in _rows(table, _NEEDED)
        if is_remote(row["source"])
    }
    clips = list(made.values())
    span = sum(clip.span for clip in clips)
    fetched = sum(clip.fetched for clip in clips)
    if not (span > 0 and fetched > 0 and any(clip.took for clip in clips)):
        raise InputError(f"--stats: {table} holds no clips fetched from YouTube to reckon with")
    seconds, how = _seconds_a_clip(clips)
    failed = table.with_name(FAILED)
    gone = {
        id_
        for _, row in (_rows(failed, ("reason",)) if failed.exists() else ())
        if (id_ := id_of(row)) not in made and row["reason"] in _REPLACED
    }
    asked = len(made) + len(gone)
    return Costs(
        fetched=fetched / span,
        kept=sum(clip.kept for clip in clips) / span,
        seconds=seconds,
        gone=len(gone) / asked,
        about_gone=f"{len(gone)} of {asked} candidates are gone, as there",
        basis=(
            f"clips are like the {len(made)} of {table}: the same encoding, machine and line",
            f"a clip takes {seconds:.2g} s, {how}",
        ),
    )


@dataclass(frozen=True, slots=True)
class _Made:
    """A row of `stats.csv`.

    span: seconds of the clip. fetched, kept: bytes. took: seconds of work. ended: the end of the
    work, in seconds since the epoch.
    """

    span: float
    fetched: float
    kept: float
    took: float
    ended: float

    @property
    def began(self) -> float:
        return self.ended - self.took

    @classmethod
    def of(cls, row: Row, where: str) -> _Made:
        def number(name: str) -> float:
            try:
                value = float(row[name])
            except ValueError:
                value = math.nan
            if not 0 <= value < math.inf:
                raise InputError(f"{where}: {name} is '{row[name]}', which is no such number")
            return value

        try:
            ended = datetime.fromisoformat(row["finished_at"]).timestamp()
        except (ValueError, OverflowError, OSError):
            raise InputError(f"{where}: finished_at is '{row['finished_at']}', no time") from None
        return cls(
            span=number("time_end") - number("time_start"),
            fetched=number("downloaded_bytes"),
            kept=number("bytes"),
            took=number("total_seconds"),
            ended=ended,
        )


def _seconds_a_clip(clips: Sequence[_Made]) -> tuple[float, str]:
    """Seconds from one finished clip to the next, never 0, and how they were computed.

    A gap without work counts as a wait if it is longer than the slowest clip took. The tables have
    whole seconds, so with few clips the work of each clip is averaged instead.
    """
    slowest = max(1.0, *(clip.took for clip in clips))
    clips = sorted(clips, key=lambda clip: clip.began)
    reached, idle = clips[0].began, 0.0
    for clip in clips:
        if clip.began - reached > slowest:
            idle += clip.began - reached
        reached = max(reached, clip.ended)
    busy = reached - clips[0].began - idle
    if len(clips) >= ENOUGH:
        return busy / len(clips), "as there from first to last, without long waits"
    work = sum(clip.took for clip in clips)
    at_once = max(1, round(work / busy))
    mean = work / len(clips)
    return mean / at_once, f"as so few let guess: {mean:.2g} s of work each, {at_once} at a time"


_NEEDED: Final = (
    *("time_start", "time_end", "source", "bytes", "downloaded_bytes", "total_seconds"),
    "finished_at",
)
_REPLACED: Final = frozenset(str(reason) for reason in Reason if reason.replaced)


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, Row]]:
    """The rows of a table, each with the number of its last line.

    A torn last row is skipped, since the build may still be running. Raises InputError if the
    table lacks a column or cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = Reader(file, path)
            for name in ("split", "label", "key", *columns):
                if name not in table.header:
                    why = f"has no column '{name}', so it is not such a table of a build"
                    raise InputError(f"--stats: {path} {why}")
            for line, row in table:
                if len(row) >= len(table.header):
                    yield line, dict(zip(table.header, row, strict=False))
    except OSError as error:
        raise InputError(f"--stats: {path} cannot be read: {error.strerror}") from None
    except Damaged as error:
        raise InputError(f"--stats: {path} cannot be read: {error.why}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"--stats: {path} cannot be read: {error}") from None

"""What a selection will cost: bytes fetched, bytes on the disk, hours. Pure but for reading tables.

The figures come from an earlier run's `stats.csv`, or else from measurements of the kind of clip
that a build makes by default. Whatever an estimate rests on is named in its `assumptions`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

import pandas as pd

from .clip import ADOPTED, ClipId, Group
from .errors import InputError, Reason
from .layout import FAILED
from .selection import Selection

HOUR: Final = 3600.0

MEGABYTES_A_SECOND: Final = 0.14
"""Fetched for a second of a 360p clip: at most 1.4 MB for ten seconds, as measured with yt-dlp's
formats 18, 134+140 and 243+251, the first being the most."""

SECONDS_A_CLIP: Final = 0.9
"""From one finished clip to the next while nothing waits: the slowest of the same three formats,
one worker, a link of 2.5 MB/s."""

TABLE_BYTES: Final = 900
"""A clip's share of the tables beside `selection.csv`: its row of `stats.csv`, and its lines in the
lists of the loaders, measured with labels of some twenty characters."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What clips cost on average.

    fetched, kept: bytes for a second of clip, over the network and on the disk. seconds: from one
    finished clip to the next while nothing waits. gone: the share of candidates, from 0 to below 1,
    that have to be replaced. basis: where the figures come from, a line each.
    """

    fetched: float
    kept: float
    seconds: float
    gone: float
    basis: tuple[str, ...]


MEASURED: Final = Costs(
    fetched=MEGABYTES_A_SECOND * 1e6,
    kept=MEGABYTES_A_SECOND * 1e6,
    seconds=SECONDS_A_CLIP,
    gone=0.0,
    basis=(
        f"{MEGABYTES_A_SECOND} MB are fetched for a second of clip at 360p, and as much is kept",
        f"a clip takes {SECONDS_A_CLIP} s, as on a link of 2.5 MB/s",
        "no video is gone: each that is costs one more to ask for",
        "(an earlier run knows better: --stats FILE)",
    ),
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a selection holds, and what a build of it comes to.

    clips: those wanted that have a candidate. reserves: the candidates beyond. short: the classes
    that have too few candidates even if all are alive, as (has, wanted). at_risk: further classes
    that are expected to fall short at the assumed share of gone videos. videos: how many are asked
    for, those that are gone included. None stands for what cannot be known.
    """

    classes: int
    clips: int
    reserves: int
    short: Mapping[Group, tuple[int, int]]
    at_risk: int
    videos: int
    fetched_bytes: int | None
    disk_bytes: int | None
    seconds: float | None
    assumptions: tuple[str, ...]


def of_youtube(
    selection: Selection, costs: Costs = MEASURED, *, per_hour: int, table_bytes: int = 0
) -> Estimate:
    """The cost of fetching a selection.

    per_hour: videos asked for in any hour, 0 for no limit. table_bytes: size of `selection.csv`.
    """
    alive = 1 - costs.gone
    made = asked = span = 0.0
    at_risk = 0
    for group, wanted in selection.quotas.items():
        rows = selection.candidates(group)
        expected = min(wanted, len(rows) * alive)
        picks = rows.head(wanted)
        made += expected
        asked += min(len(rows), wanted / alive)
        at_risk += expected < wanted <= len(rows)
        if len(picks):
            span += expected * float((picks["time_end"] - picks["time_start"]).mean())
    videos = math.ceil(asked)
    budget = (
        f"at most {per_hour} videos are asked for in an hour" if per_hour else "no hourly limit"
    )
    return _counted(
        selection,
        at_risk=at_risk,
        videos=videos,
        fetched_bytes=round(span * costs.fetched),
        disk_bytes=round(span * costs.kept + made * TABLE_BYTES + table_bytes),
        seconds=paced(videos, made * costs.seconds, per_hour),
        assumptions=(f"{budget}, and YouTube never refuses", *costs.basis),
    )


def paced(videos: int, busy: float, per_hour: int) -> float:
    """Seconds for so many videos that keep the workers busy for `busy` seconds, under a budget.

    The budget is spent as fast as the workers can, and then waited for: of 301 videos at 300 an
    hour the last is asked for an hour after the first.
    """
    if not per_hour or not videos:
        return busy
    full, rest = divmod(videos - 1, per_hour)
    return max(busy, full * HOUR + busy * (rest + 1) / videos)


def of_files(selection: Selection, source: Path, *, table_bytes: int = 0) -> Estimate:
    """The cost of copying a selection of local files: the disk alone, where sizes are known.

    They are not known of members of compressed archives, nor of windows that are cut out of whole
    videos. source: the folder or the archive that was scanned.
    """
    root = source if source.is_dir() else source.parent
    total: int | None = 0
    clips = 0
    for group, wanted in selection.quotas.items():
        picks = selection.candidates(group).head(wanted)
        clips += len(picks)
        for size in _sizes(picks, root):
            total = None if total is None or size is None else total + size
    known = total is not None
    return _counted(
        selection,
        at_risk=0,
        videos=0,
        fetched_bytes=0,
        disk_bytes=None if total is None else total + clips * TABLE_BYTES + table_bytes,
        seconds=None,
        assumptions=(
            "files are copied as they are, and none is broken"
            if known
            else "the size is not known beforehand: clips are cut, or lie in compressed archives",
        ),
    )


def _sizes(picks: pd.DataFrame, root: Path) -> Iterator[int | None]:
    for row in picks.itertuples():
        if not row.path or not math.isnan(float(str(row.time_start))):
            yield None
        elif int(str(row.size)) >= 0:
            yield int(str(row.size))
        else:
            try:
                yield (root / str(row.path)).stat().st_size
            except OSError:
                yield None


def _counted(
    selection: Selection,
    *,
    at_risk: int,
    videos: int,
    fetched_bytes: int | None,
    disk_bytes: int | None,
    seconds: float | None,
    assumptions: tuple[str, ...],
) -> Estimate:
    has = {group: len(selection.rows(group)) for group in selection.quotas}
    clips = sum(min(has[group], wanted) for group, wanted in selection.quotas.items())
    return Estimate(
        classes=len({group.label for group in selection.quotas}),
        clips=clips,
        reserves=sum(has.values()) - clips,
        short={g: (has[g], n) for g, n in selection.quotas.items() if has[g] < n},
        at_risk=at_risk,
        videos=videos,
        fetched_bytes=fetched_bytes,
        disk_bytes=disk_bytes,
        seconds=seconds,
        assumptions=assumptions,
    )


# -- from an earlier run


def of_run(stats: Path) -> Costs:
    """What the clips of an earlier run cost: from its `stats.csv`, and the `failed.csv` beside it.

    Raises InputError for a table that cannot be read, or that holds no clip from YouTube.
    """
    made = {id_: row for id_, row in _rows(stats, _NEEDED) if row["source"] != ADOPTED}
    try:
        span = sum(float(row["time_end"]) - float(row["time_start"]) for row in made.values())
        fetched = sum(int(row["downloaded_bytes"]) for row in made.values())
        kept = sum(int(row["bytes"]) for row in made.values())
        slowest = max((float(row["total_seconds"]) for row in made.values()), default=0.0)
        ends = sorted(datetime.fromisoformat(row["finished_at"]) for row in made.values())
    except ValueError as error:
        raise InputError(
            f"--stats {stats}: holds no clips fetched from YouTube ({error})"
        ) from None
    if not (made and span > 0 and fetched):
        raise InputError(f"--stats {stats}: holds no clips fetched from YouTube to reckon with")
    # A gap longer than the slowest clip took was a wait, or lies between two runs.
    gaps = [(b - a).total_seconds() for a, b in pairwise(ends)]
    busy = [gap for gap in gaps if gap <= max(1.0, slowest)]
    failed = stats.with_name(FAILED)
    gone = {
        id_
        for id_, row in (_rows(failed, ("reason",)) if failed.exists() else ())
        if id_ not in made and row["reason"] in _REPLACED
    }
    asked = len(made) + len(gone)
    return Costs(
        fetched=fetched / span,
        kept=kept / span,
        seconds=sum(busy) / len(busy) if busy else slowest,
        gone=len(gone) / asked,
        basis=(
            f"clips are like the {len(made)} of {stats}: the same encoding, machine and line",
            f"{len(gone)} of {asked} candidates are gone, as there",
        ),
    )


_NEEDED: Final = (
    *("time_start", "time_end", "source", "bytes", "downloaded_bytes", "total_seconds"),
    "finished_at",
)
_REPLACED: Final = frozenset(str(reason) for reason in Reason if reason.replaced)


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[ClipId, dict[str, str]]]:
    """The rows of a table of a build, under what tells one clip from another.

    A torn last row is passed over: the build may be at work.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            for name in ("split", "label", "key", *columns):
                if name not in (table.fieldnames or ()):
                    why = f"has no column '{name}', so it is not such a table of a build"
                    raise InputError(f"--stats: {path} {why}")
            for row in table:
                if None not in row.values():
                    yield ClipId(row["split"], row["label"], row["key"]), row
    except OSError as error:
        raise InputError(f"--stats: {path} cannot be read: {error.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"--stats: {path} cannot be read: {error}") from None

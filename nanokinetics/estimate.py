"""What a selection will cost: bytes fetched, bytes on the disk, hours. Pure but for reading tables.

The figures come from an earlier run's `stats.csv`, or else from measurements of the kind of clip
that a build makes by default. Whatever an estimate rests on is named in its `assumptions`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import pandas as pd

from nanokinetics.clip import HOUR, ClipId, Group
from nanokinetics.dataset.tables import Damaged, Reader
from nanokinetics.errors import InputError, Reason
from nanokinetics.layout import FAILED, STATS
from nanokinetics.selection.frame import Selection
from nanokinetics.sources import is_remote

MEGABYTES_A_SECOND: Final = 0.12
"""Fetched for a second of a 360p clip. Ten seconds came to 1.40, 1.19 and 1.02 MB with yt-dlp's
formats 18, 134+140 and 243+251; the second is what a build takes where it can choose."""

FETCHING: Final = 0.9
"""Seconds to fetch and encode ten seconds: the slowest of the same three formats, one worker, a
link of 2.5 MB/s."""

FINDING: Final = 1.1
"""Seconds to find a video, two of which may be asked for at a time: up to four requests and a run
of JavaScript. Assumed: no more than the requests to a site on the same machine was measured."""

ENOUGH: Final = 10
"""Clips of an earlier run from which on the time it took as a whole tells what a clip takes."""

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
    seconds=FINDING + FETCHING,
    gone=0.0,
    basis=(
        f"{MEGABYTES_A_SECOND} MB are fetched for a second of clip at 360p, and as much is kept; "
        "another --resolution is another size",
        f"a clip takes {FINDING + FETCHING:g} s: {FETCHING} s as measured on a link of 2.5 MB/s, "
        f"{FINDING} s assumed for finding its video",
        "no video is only to be had as a whole, none is fetched twice, and nothing slows the line",
        "no video is gone: each that is costs one more to ask for",
        "(an earlier run knows better: --stats DEST)",
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

    stats: the table, or the folder of a build that holds it. Raises InputError for a table that
    cannot be read, names the line of a number that is none, or holds no clip from YouTube.
    """
    table = stats / STATS if stats.is_dir() else stats
    made = {
        ClipId(row["split"], row["label"], row["key"]): _Made.of(row, f"--stats: {table}, line {n}")
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
        if (id_ := ClipId(row["split"], row["label"], row["key"])) not in made
        and row["reason"] in _REPLACED
    }
    asked = len(made) + len(gone)
    return Costs(
        fetched=fetched / span,
        kept=sum(clip.kept for clip in clips) / span,
        seconds=seconds,
        gone=len(gone) / asked,
        basis=(
            f"clips are like the {len(made)} of {table}: the same encoding, machine and line",
            f"a clip takes {seconds:.2g} s, {how}",
            f"{len(gone)} of {asked} candidates are gone, as there",
        ),
    )


@dataclass(frozen=True, slots=True)
class _Made:
    """A row of `stats.csv`: the seconds of the clip, bytes fetched and kept, seconds it took, and
    when it was finished, in seconds since the epoch."""

    span: float
    fetched: float
    kept: float
    took: float
    ended: float

    @property
    def began(self) -> float:
        return self.ended - self.took

    @classmethod
    def of(cls, row: Mapping[str, str], where: str) -> _Made:
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
    """From one finished clip to the next, never 0, and how that was reckoned.

    While nobody was at work for longer than the slowest clip took, that was a wait, or lies between
    two runs. Times are written in whole seconds, which a few clips do not even out.
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


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table of a build, and the line that each ends in.

    A torn last row is passed over: the build may be at work.
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

"""What a selection will cost: bytes fetched, bytes on the disk, hours. Pure but for reading tables.

The figures come from an earlier run's `stats.csv`, or else from measurements of the kind of clip
that a build makes by default. Whatever an estimate rests on is named in its `assumptions`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from nanokinetics.clip import HOUR, Group
from nanokinetics.estimate.costs import MEASURED, Costs, of_run
from nanokinetics.selection.frame import Selection

__all__ = ["MEASURED", "Costs", "Estimate", "of_files", "of_run", "of_youtube", "paced"]

TABLE_BYTES: Final = 900
"""A clip's share of the tables beside `selection.csv`: its row of `stats.csv`, and its lines in the
lists of the loaders, measured with labels of some twenty characters."""


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

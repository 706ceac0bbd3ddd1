"""Estimate the cost of a selection: bytes fetched, bytes on the disk, and time.

The figures come from the `stats.csv` of an earlier run, or from measurements of clips with the
default settings and from what others report of videos that are gone. An estimate names all of its
`assumptions`. The functions are pure, but `of_run` and `gone.known` read tables, and `of_files`
reads file sizes.

Of a folder that a build goes on with, `what_is_left` is estimated: the cost is that of the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from nanokinetics.clip import HOUR, ClipId, Group
from nanokinetics.estimate.costs import MEASURED, Costs, of_run
from nanokinetics.estimate.gone import Gone, assumed, known, parse_share
from nanokinetics.selection.frame import Selection

__all__ = [
    "MEASURED",
    "Costs",
    "Estimate",
    "Gone",
    "assumed",
    "known",
    "of_files",
    "of_run",
    "of_youtube",
    "paced",
    "parse_share",
    "what_is_left",
]

TABLE_BYTES: Final = 900
"""Bytes of one clip in the tables other than `selection.csv`: its row of `stats.csv`, and its lines
in the lists of the loaders. Measured with labels of about twenty characters."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The size of a selection, and the cost of what is left to build. Unknown figures are None.

    classes: labels. clips: wanted clips with a candidate. reserves: further candidates. short:
    classes with too few candidates even if all videos are alive, as (has, wanted). at_risk: number
    of further classes that will probably be short, at the assumed share of gone videos. videos:
    videos to ask for, gone videos included. fetched_bytes, disk_bytes: bytes. seconds: the time of
    the build.
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


def what_is_left(
    selection: Selection, made: Mapping[Group, int], is_out: Callable[[ClipId], bool]
) -> Selection:
    """The candidates that a build still may ask for, and the clips of each class still wanted.

    made: clips of each class that are there. is_out: whether a clip is made or gone.
    """
    names = ("split", "label", "key")
    ids = map(ClipId._make, zip(*(selection.frame[n].tolist() for n in names), strict=True))
    frame = selection.frame[np.fromiter((not is_out(id_) for id_ in ids), dtype=bool)]
    frame = frame.reset_index(drop=True)
    frame["rank"] = frame.groupby(["split", "label"], sort=False).cumcount() + 1
    quotas = {group: wanted - made.get(group, 0) for group, wanted in selection.quotas.items()}
    return Selection(frame, quotas, selection.labels)


def of_youtube(
    selection: Selection,
    costs: Costs = MEASURED,
    *,
    per_hour: int,
    table_bytes: int = 0,
    made: Mapping[Group, int] | None = None,
) -> Estimate:
    """Estimate the cost of fetching a selection.

    per_hour: videos to ask for in any hour, at most; 0 for no limit. table_bytes: size of
    `selection.csv`, if it is still to be written. made: clips of each class that are there, if the
    selection is what is left.
    """
    alive = 1 - costs.gone
    coming = asked = span = 0.0
    at_risk = 0
    for group, wanted in selection.quotas.items():
        rows = selection.candidates(group)
        expected = min(wanted, len(rows) * alive)
        picks = rows.head(wanted)
        coming += expected
        asked += min(len(rows), wanted / alive)
        at_risk += expected < wanted <= len(rows)
        if len(picks):
            span += expected * float((picks["time_end"] - picks["time_start"]).mean())
    videos = math.ceil(asked)
    busy = coming * costs.seconds + max(0.0, asked - coming) * costs.finding
    budget = (
        f"at most {per_hour} videos are asked for in an hour" if per_hour else "no hourly limit"
    )
    return _counted(
        selection,
        made or {},
        at_risk=at_risk,
        videos=videos,
        fetched_bytes=round(span * costs.fetched),
        disk_bytes=round(span * costs.kept + coming * TABLE_BYTES + table_bytes),
        seconds=paced(videos, busy, per_hour),
        assumptions=(f"{budget}, and YouTube never refuses", costs.about_gone, *costs.basis),
    )


def paced(videos: int, busy: float, per_hour: int) -> float:
    """The seconds that a build takes under an hourly budget.

    videos: videos to ask for. busy: the seconds that the workers need for them. per_hour: the
    budget; 0 for no limit.

    The workers spend the budget as fast as they can, then wait. At 300 an hour, the last of 301
    videos is asked for one hour after the first.
    """
    if not per_hour or not videos:
        return busy
    full, rest = divmod(videos - 1, per_hour)
    return max(busy, full * HOUR + busy * (rest + 1) / videos)


def of_files(
    selection: Selection,
    source: Path | None,
    *,
    table_bytes: int = 0,
    made: Mapping[Group, int] | None = None,
) -> Estimate:
    """Estimate the cost of copying a selection of local files: only the bytes on the disk.

    The size is unknown for members of compressed archives, and for windows cut from whole videos.
    source: the folder or the archive that was scanned; None if nothing was.
    """
    root = source if source is None or source.is_dir() else source.parent
    total: int | None = 0
    clips = 0
    for group, wanted in selection.quotas.items():
        picks = selection.candidates(group).head(wanted)
        clips += len(picks)
        for size in _sizes(picks, root) if root else [None]:
            total = None if total is None or size is None else total + size
    known = total is not None
    return _counted(
        selection,
        made or {},
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
    made: Mapping[Group, int],
    *,
    at_risk: int,
    videos: int,
    fetched_bytes: int | None,
    disk_bytes: int | None,
    seconds: float | None,
    assumptions: tuple[str, ...],
) -> Estimate:
    quotas = {group: left + made.get(group, 0) for group, left in selection.quotas.items()}
    has = {group: len(selection.rows(group)) + made.get(group, 0) for group in quotas}
    clips = sum(min(has[group], wanted) for group, wanted in quotas.items())
    return Estimate(
        classes=len({group.label for group in quotas}),
        clips=clips,
        reserves=sum(has.values()) - clips,
        short={g: (has[g], n) for g, n in quotas.items() if has[g] < n},
        at_risk=at_risk,
        videos=videos,
        fetched_bytes=fetched_bytes,
        disk_bytes=disk_bytes,
        seconds=seconds,
        assumptions=assumptions,
    )

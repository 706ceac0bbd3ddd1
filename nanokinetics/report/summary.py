"""Every number of a report, computed from the tables. Pure; nothing else computes any."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from ..clip import ADOPTED, Group
from ..config import GUEST_PER_HOUR, YOUTUBE
from ..errors import Kind, Reason
from .figures import (
    Class,
    Counts,
    Effort,
    Failures,
    Pause,
    Projection,
    Seconds,
    Spread,
    Summary,
    Timeline,
    Volume,
)
from .tables import IDENTITY, Tables

Array = np.ndarray[Any, np.dtype[np.float64]]

SHORTEST_PAUSE: Final = 30.0
PAUSE_GAPS: Final = 10.0
"""A pause is a gap between two rows longer than both this many seconds and this many times the
median gap. The tables do not say what it was: a refusal waited out, the hourly budget, or a run
that had been stopped."""

SHORTEST_SPAN: Final = 10.0
"""The tables' times are whole seconds: over a span of fewer than these no pace is told."""

POINTS: Final = 300
BARS: Final = 48
"""Points and bars of a chart, at most."""

FACTORS: Final = (1, 2, 5, 10, 100)
"""How much larger the projected datasets are."""


def summarise(tables: Tables) -> Summary:
    """Count everything there is to know."""
    stats, failed = tables.stats, tables.failed
    made_ids = pd.MultiIndex.from_frame(stats[IDENTITY])
    since = pd.MultiIndex.from_frame(failed[IDENTITY]).isin(made_ids)
    failed = failed.assign(since=since, replaced=_replaced(failed))
    classes = _classes(tables, failed)
    run = stats[stats["source"] != ADOPTED]
    timeline = _timeline(run, failed)
    total = _total(classes)
    return Summary(
        total=total,
        splits={
            split: _total([each for each in classes if each.split == split])
            for split in dict.fromkeys(each.split for each in classes)
        },
        classes=classes,
        failures=_failures(failed),
        adopted=len(stats) - len(run),
        effort=_effort(run),
        volume=_volume(tables),
        timeline=timeline,
        projections=_projections(run, failed, total, timeline),
    )


# -- clips


def _replaced(failed: pd.DataFrame) -> pd.Series:
    """Whether a failure is one that the next clip of the class stands in for."""
    known = {reason.value: reason.replaced for reason in Reason}
    return failed["reason"].map(lambda reason: known.get(reason, False)).astype(bool)


def _classes(tables: Tables, failed: pd.DataFrame) -> tuple[Class, ...]:
    """The classes of `run.json` in its order, then those that only the tables know."""
    unmade = failed[~failed["since"]]
    made = _by_group(tables.stats)
    replaced = _by_group(unmade[unmade["replaced"]])
    later = _by_group(unmade[~unmade["replaced"]])
    groups = dict.fromkeys([*tables.quotas, *sorted({*made, *replaced, *later})])
    return tuple(
        Class(
            split=group.split,
            label=group.label,
            name=str(tables.names.get(group.label, "")),
            counts=_counts(
                tables.quotas.get(group, 0) if tables.quotas else None,
                made[group],
                replaced[group],
                later[group],
            ),
        )
        for group in groups
    )


def _counts(wanted: int | None, made: int, replaced: int, later: int) -> Counts:
    missing = None if wanted is None else max(0, wanted - made)
    return Counts(wanted, made, replaced, later, missing)


def _by_group(frame: pd.DataFrame) -> Counter[Group]:
    return Counter(map(Group, frame["split"].tolist(), frame["label"].tolist()))


def _total(classes: Sequence[Class]) -> Counts:
    counts = [each.counts for each in classes]
    known = [c for c in counts if c.wanted is not None and c.missing is not None]
    return Counts(
        wanted=sum(c.wanted or 0 for c in known) if known else None,
        made=sum(c.made for c in counts),
        replaced=sum(c.replaced for c in counts),
        later=sum(c.later for c in counts),
        missing=sum(c.missing or 0 for c in known) if known else None,
    )


def _failures(failed: pd.DataFrame) -> tuple[Failures, ...]:
    """By kind in the order of `Kind`, and within it the most frequent first."""
    order = {kind.value: place for place, kind in enumerate(Kind)}
    found = [
        Failures(
            reason=str(reason),
            kind=str(kind),
            clips=len(rows),
            since=int(rows["since"].sum()),
            message=str(rows["message"].value_counts().index[0]),
        )
        for (kind, reason), rows in failed.groupby(["kind", "reason"], sort=True)
    ]
    return tuple(sorted(found, key=lambda f: (order.get(f.kind, len(order)), -f.clips, f.reason)))


# -- seconds and bytes


def _effort(run: pd.DataFrame) -> Effort | None:
    download, trim = (run[name].to_numpy() for name in ("download_seconds", "trim_seconds"))
    both = float(download.sum() + trim.sum())
    if both <= 0:  # nothing was made, or the files were only copied
        return None
    longest = max(download.max(), trim.max())
    # The last bar takes the long tail, so that the others can be told apart.
    usual = min(longest, 2 * max(np.quantile(download, 0.9), np.quantile(trim, 0.9)) or longest)
    edges = np.linspace(0, usual, 25)
    counts = [np.histogram(np.minimum(s, usual), edges)[0].tolist() for s in (download, trim)]
    return Effort(
        download=_seconds(download),
        trim=_seconds(trim),
        fetching=float(download.sum()) / both,
        edges=tuple(edges.tolist()),
        download_counts=tuple(counts[0]),
        trim_counts=tuple(counts[1]),
    )


def _seconds(values: Array) -> Seconds:
    low, high = np.quantile(values, [0.25, 0.75])
    within = values[(values >= low) & (values <= high)]
    if not len(within):  # of two clips neither is
        within = values
    return Seconds(float(values.sum()), _spread(values), _spread(within))


def _spread(values: Array) -> Spread:
    found = float(values.mean()), float(np.median(values)), float(values.max())
    return Spread(len(values), *found)


def _volume(tables: Tables) -> Volume:
    there = tables.sizes[~np.isnan(tables.sizes)]
    return Volume(
        fetched=int(tables.stats["downloaded_bytes"].sum()),
        kept=int(tables.stats["bytes"].sum()),
        files=len(there),
        on_disk=int(there.sum()),
        footage=float(tables.stats["duration"].sum()),
    )


# -- time


def _timeline(run: pd.DataFrame, failed: pd.DataFrame) -> Timeline | None:
    made = np.sort(run["finished_at"].to_numpy())
    lost = np.sort(failed["failed_at"].to_numpy())
    rows = np.sort(np.concatenate([made, lost]))
    if not len(rows):
        return None
    starts = run["finished_at"] - run["total_seconds"]
    begin, end = float(min(rows[0], starts.min())) if len(run) else float(rows[0]), float(rows[-1])
    gaps = np.diff(rows)
    longer_than = max(SHORTEST_PAUSE, PAUSE_GAPS * float(np.median(gaps)) if len(gaps) else 0.0)
    pauses = tuple(
        Pause(float(rows[at]), float(rows[at + 1])) for at in np.flatnonzero(gaps > longer_than)
    )
    span = end - begin
    working = span - sum(pause.length for pause in pauses)
    points = np.unique(rows)
    points = points[np.linspace(0, len(points) - 1, min(POINTS, len(points))).astype(int)]
    times = np.concatenate([[begin], points])
    bars, edges = np.histogram(made, min(BARS, max(8, len(made) // 4)), (begin, end))
    return Timeline(
        begin=begin,
        end=end,
        working=working,
        pauses=pauses,
        longer_than=longer_than,
        per_hour=_rate(3600.0 * len(made), span),
        per_hour_working=_rate(3600.0 * len(made), working),
        fetched_per_second=_rate(float(run["downloaded_bytes"].sum()), working),
        times=tuple(times.tolist()),
        made=tuple(np.searchsorted(made, times, "right").tolist()),
        failed=tuple(np.searchsorted(lost, times, "right").tolist()),
        bar=float(edges[1] - edges[0]),
        bars=tuple(bars.tolist()),
    )


def _rate(amount: float, seconds: float) -> float | None:
    return amount / seconds if seconds >= SHORTEST_SPAN else None


def _projections(
    run: pd.DataFrame, failed: pd.DataFrame, total: Counts, timeline: Timeline | None
) -> tuple[Projection, ...]:
    if timeline is None or not len(run):
        return ()
    asked = len(run) + int((~failed["since"]).sum())
    is_told = timeline.per_hour is not None
    remote = bool((run["source"] == YOUTUBE).any())

    def projection(factor: int) -> Projection:
        clips = factor * (total.wanted or total.made)
        share = clips / len(run)
        seconds = share * timeline.span
        hours = (math.ceil(share * asked) - 1) // GUEST_PER_HOUR
        return Projection(
            factor=factor,
            clips=clips,
            seconds=seconds if is_told else None,
            as_guest=max(seconds, 3600.0 * hours) if is_told and remote else None,
            fetched=round(share * float(run["downloaded_bytes"].sum())),
            kept=round(share * float(run["bytes"].sum())),
        )

    return tuple(map(projection, FACTORS))

"""Compute every number of a report from the tables. Pure; no other module computes numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from nanokinetics.clip import ADOPTED, Group
from nanokinetics.dataset.ledger import NO_RUN
from nanokinetics.errors import Kind, Reason
from nanokinetics.estimate import paced
from nanokinetics.report.figures import (
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
    Waited,
)
from nanokinetics.report.tables import IDENTITY, Tables
from nanokinetics.sources import SOURCES, source_type

Array = np.ndarray[Any, np.dtype[np.float64]]

STOPPED: Final = 3600.0
"""Seconds without work on a clip and without a wait. After these, no build was running."""

SHORTEST_PAUSE: Final = 30.0
PAUSE_GAPS: Final = 10.0
"""Without `waits.csv`, a long gap between two rows counts as a pause. It must be longer than
SHORTEST_PAUSE seconds, and than PAUSE_GAPS times the median gap."""

SHORTEST_SPAN: Final = 10.0
"""Seconds. The tables have whole seconds, so a shorter span gives no pace."""

POINTS: Final = 300
"""Points of a chart, at most."""

FACTORS: Final = (2, 5, 10, 100)
"""Sizes of the projected datasets, as multiples of this one."""


def summarise(tables: Tables) -> Summary:
    """Compute the summary of a dataset."""
    stats, failed = tables.stats, tables.failed
    made_ids = pd.MultiIndex.from_frame(stats[IDENTITY])
    since = pd.MultiIndex.from_frame(failed[IDENTITY]).isin(made_ids)
    failed = failed.assign(since=since, gone=_gone(failed))
    classes = _classes(tables, failed)
    run = stats[stats["source"] != ADOPTED]
    timeline = _timeline(tables, run, failed)
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
        notes=tables.notes,
    )


# -- clips


def _gone(failed: pd.DataFrame) -> pd.Series:
    """Whether the next clip of the class may replace a failed clip."""
    known = {reason.value: reason.replaced for reason in Reason}
    return failed["reason"].map(lambda reason: known.get(reason, False)).astype(bool)


def _classes(tables: Tables, failed: pd.DataFrame) -> tuple[Class, ...]:
    """The classes of `run.json` in its order, then the classes that only the tables have."""
    unmade = failed[~failed["since"]]
    made = _by_group(tables.stats)
    gone = _by_group(unmade[unmade["gone"]])
    later = _by_group(unmade[~unmade["gone"]])
    groups = dict.fromkeys([*tables.quotas, *sorted({*made, *gone, *later})])
    return tuple(
        Class(
            split=group.split,
            label=group.label,
            name=str(tables.names.get(group.label, "")),
            counts=_counts(
                tables.quotas.get(group, 0) if tables.quotas else None,
                made[group],
                gone[group],
                later[group],
            ),
        )
        for group in groups
    )


def _counts(wanted: int | None, made: int, gone: int, later: int) -> Counts:
    missing = None if wanted is None else max(0, wanted - made)
    return Counts(wanted, made, gone, later, missing)


def _by_group(frame: pd.DataFrame) -> Counter[Group]:
    return Counter(map(Group, frame["split"].tolist(), frame["label"].tolist()))


def _total(classes: Sequence[Class]) -> Counts:
    counts = [each.counts for each in classes]
    known = [c for c in counts if c.wanted is not None and c.missing is not None]
    return Counts(
        wanted=sum(c.wanted or 0 for c in known) if known else None,
        made=sum(c.made for c in counts),
        gone=sum(c.gone for c in counts),
        later=sum(c.later for c in counts),
        missing=sum(c.missing or 0 for c in known) if known else None,
    )


def _failures(failed: pd.DataFrame) -> tuple[Failures, ...]:
    """Failures by kind in the order of `Kind`, and the most frequent first within a kind."""
    order = {kind.value: position for position, kind in enumerate(Kind)}
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
    known = run[["download_seconds", "trim_seconds"]].dropna()
    download, trim = (known[name].to_numpy() for name in known)
    both = float(download.sum() + trim.sum())
    if both <= 0:  # nothing was made, or the files were only copied
        return None
    longest = max(download.max(), trim.max())
    # The last bar takes the long tail, so that the other bars stay visible.
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
    if not len(within):  # of two clips, neither is within
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


def _timeline(tables: Tables, run: pd.DataFrame, failed: pd.DataFrame) -> Timeline | None:
    made = run[run["finished_at"].notna()]
    ends, took = made["finished_at"].to_numpy(), made["total_seconds"].fillna(0).to_numpy()
    lost = failed["failed_at"].dropna().to_numpy()
    rests = tables.waits.dropna() if tables.waits is not None else None
    since, until = _ends(rests)
    between = None if rests is None else rests[rests["why"] == NO_RUN]
    waits = None if rests is None else rests[rests["why"] != NO_RUN]
    begins, stops = np.concatenate([ends - took, lost, since]), np.concatenate([ends, lost, until])
    if not len(begins):
        return None
    begin, end = float(begins.min()), float(stops.max())
    rows = np.sort(np.concatenate([ends, lost]))
    longer_than = STOPPED
    # A folder that was begun before there was a table of waits has the latest of them only.
    is_guessed = rests is None or (len(rests) > 0 and bool((rests["why"] == NO_RUN).all()))
    if is_guessed and len(rows) > 1:
        usual = PAUSE_GAPS * float(np.median(np.diff(rows)))
        longer_than = min(STOPPED, max(SHORTEST_PAUSE, usual))
    gaps = [gap for gap in _gaps(begins, stops) if gap.length > longer_than]
    idle = sum(gap.length for gap in gaps) + _covered(since, until)
    pauses = sorted([*gaps, *map(Pause, *_ends(between))], key=lambda pause: pause.begin)
    points = np.unique(rows)
    points = points[np.linspace(0, len(points) - 1, min(POINTS, len(points))).astype(int)]
    times = np.concatenate([[begin], points, [end]])
    working = end - begin - idle
    return Timeline(
        begin=begin,
        end=end,
        working=working,
        waits=None if waits is None else tuple(map(Pause, *_ends(waits), waits["why"])),
        waited=() if waits is None else _waited(waits),
        pauses=tuple(pauses),
        longer_than=longer_than,
        per_hour=_rate(3600.0 * len(made), working),
        fetched_per_second=_rate(float(run["downloaded_bytes"].sum()), working),
        times=tuple(times.tolist()),
        made=tuple(np.searchsorted(np.sort(ends), times, "right").tolist()),
        failed=tuple(np.searchsorted(np.sort(lost), times, "right").tolist()),
    )


def _ends(rests: pd.DataFrame | None) -> tuple[Array, Array]:
    """The beginnings and the ends of some rows of `waits.csv`."""
    if rests is None:
        return np.empty(0), np.empty(0)
    return rests["since"].to_numpy(), rests["until"].to_numpy()


def _gaps(begins: Array, ends: Array) -> list[Pause]:
    """The gaps between the intervals: times that no interval covers."""
    order = np.argsort(begins)
    starts, ended = begins[order][1:], np.maximum.accumulate(ends[order])[:-1]
    return [Pause(float(ended[at]), float(starts[at])) for at in np.flatnonzero(starts > ended)]


def _covered(begins: Array, ends: Array) -> float:
    """Seconds that the intervals cover. Overlaps count once."""
    if not len(begins):
        return 0.0
    gaps = sum(gap.length for gap in _gaps(begins, ends))
    return float(ends.max() - begins.min()) - gaps


def _waited(waits: pd.DataFrame) -> tuple[Waited, ...]:
    lengths = (waits["until"] - waits["since"]).groupby(waits["why"])
    found = [
        Waited(str(why), len(each), float(each.sum()), float(each.max())) for why, each in lengths
    ]
    return tuple(sorted(found, key=lambda waited: (-waited.total, waited.why)))


def _rate(amount: float, seconds: float) -> float | None:
    return amount / seconds if seconds >= SHORTEST_SPAN else None


def _projections(
    run: pd.DataFrame, failed: pd.DataFrame, total: Counts, timeline: Timeline | None
) -> tuple[Projection, ...]:
    if timeline is None or not len(run):
        return ()
    asked = len(run) + int((~failed["since"]).sum())
    has_pace = timeline.per_hour is not None
    known = (source_type(name).per_hour for name in run["source"].unique() if name in SOURCES)
    budget = min(filter(None, known), default=0)

    def projection(factor: int) -> Projection:
        clips = factor * (total.wanted or total.made)
        share = clips / len(run)
        seconds = share * timeline.working
        paced_seconds = paced(math.ceil(share * asked), seconds, budget)
        return Projection(
            factor=factor,
            clips=clips,
            seconds=seconds if has_pace else None,
            as_guest=paced_seconds if has_pace and budget else None,
            fetched=round(clips * _mean(run["downloaded_bytes"])),
            kept=round(clips * _mean(run["bytes"])),
        )

    return tuple(map(projection, FACTORS))


def _mean(values: pd.Series) -> float:
    """The mean over the known values; 0 if there is no value."""
    return float(values.mean()) if values.notna().any() else 0.0

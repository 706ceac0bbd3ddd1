"""Where a subset comes from: what was asked for, what it is named, and how to ask for it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from nanokinetics.clip import Group
from nanokinetics.config import TRANSCODE, VideoConfig
from nanokinetics.dataset.record import MISSING, RENAMED, check_record
from nanokinetics.dataset.references import Reference, reference_of
from nanokinetics.errors import InputError, Reason
from nanokinetics.layout import RUN
from nanokinetics.report.figures import Summary
from nanokinetics.report.tables import IDENTITY, Tables
from nanokinetics.selection import manifest
from nanokinetics.selection.sampling import drawn
from nanokinetics.sources import SOURCES, source_type

GIVEN: Final = "given"
ALL: Final = "all"
DRAWN: Final = "drawn"
"""How classes were chosen: by name or by a preset, all of them, or drawn by the seed."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """A subset as a paper describes it.

    reference: what to cite for the dataset; None for files of one's own. name: that of its
    manifest, or empty if it cannot be told, which `note` explains. waiting: missing clips that may
    still be made; the others lack candidates. chosen: how its classes were chosen. parent: the name
    of the subset it was made from, or empty. gone: candidates not to be had, by reason, the most
    frequent first. sources: clips by the source that made them. days: the first and the last day of
    making, in UTC; empty if they are not known.
    """

    record: Mapping[str, Any]
    reference: Reference | None
    name: str
    note: str
    waiting: int
    chosen: str
    parent: str
    gone: Mapping[str, int]
    sources: Mapping[str, int]
    days: tuple[str, ...]

    @property
    def noun(self) -> str:
        return "image" if self.record["dataset"] == "imagenet" else "clip"

    @property
    def video(self) -> VideoConfig | None:
        """How clips were encoded; None if files were taken as they are."""
        place = self.record.get("place", TRANSCODE)
        names = VideoConfig.__dataclass_fields__
        known = {name: self.record[name] for name in names if name in self.record}
        return VideoConfig(**known) if place == TRANSCODE else None

    @property
    def left_out(self) -> dict[str, list[str]]:
        """The classes of each split that were asked for and left out, since it has none."""
        found = self.record.get(MISSING)
        pairs = found.items() if isinstance(found, dict) else ()
        return {str(k): sorted(map(str, v)) for k, v in pairs if isinstance(v, list)}

    @property
    def renamed(self) -> dict[str, str]:
        """Classes of a preset, and what the annotations call them."""
        found = self.record.get(RENAMED)
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}

    @property
    def is_remote(self) -> bool:
        return self.record["source"] in SOURCES and source_type(self.record["source"]).remote

    @property
    def versions(self) -> dict[str, str]:
        """The programs of the last run, by name."""
        found = self.record.get("versions")
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def provenance(tables: Tables, summary: Summary) -> Provenance:
    """The provenance of a built folder. Raises InputError without a sound `run.json`."""
    record = tables.record
    if not record:
        raise InputError(
            f"{tables.root} has no {RUN}, so nobody knows how its clips were chosen; name the "
            "folder of a build"
        )
    check_record(record, str(tables.root / RUN))
    name, note, waiting = "", "", summary.total.missing or 0
    try:
        subset = manifest.read(tables.root)
        name, waiting = subset.name, _waiting(tables, summary, subset)
    except InputError as error:
        note = str(error)
    return Provenance(
        record=record,
        reference=reference_of(record),
        name=name,
        note=note,
        waiting=waiting,
        chosen=_chosen(record),
        parent=str(record.get("from") or ""),
        gone=_gone(summary),
        sources=dict(Counter(tables.stats["source"].tolist()).most_common()),
        days=_days(tables.stats["finished_at"]),
    )


def _waiting(tables: Tables, summary: Summary, subset: manifest.Manifest) -> int:
    """Missing clips for which a candidate is left that may still be made."""
    short = {
        Group(each.split, each.label): each.counts.missing
        for each in summary.classes
        if each.counts.missing
    }
    if not short:
        return 0
    made = set(map(tuple, tables.stats[IDENTITY].to_numpy().tolist()))
    lost = {reason.value for reason in Reason if reason.replaced}
    is_lost = tables.failed["reason"].isin(lost)
    gone = set(map(tuple, tables.failed[is_lost][IDENTITY].to_numpy().tolist()))
    left = Counter(id_.group for id_ in subset.known if id_ not in made and id_ not in gone)
    return sum(min(missing, left[group]) for group, missing in short.items())


def _chosen(record: Mapping[str, Any]) -> str:
    """How classes were chosen. The draw is computed again, since the record has only its result."""
    labels = record["labels"]
    each = [sorted(chosen) for chosen in record["classes"].values()]
    if all(len(chosen) == len(labels) for chosen in each):
        return ALL
    if record.get(MISSING) or record.get(RENAMED):  # only names can be left out or mapped
        return GIVEN
    try:
        again = [drawn(labels, len(chosen), record["seed"]) for chosen in each]
    except (InputError, UnicodeEncodeError):  # no build writes such a record
        return GIVEN
    return DRAWN if each == again else GIVEN


def _gone(summary: Summary) -> dict[str, int]:
    lost = {reason.value for reason in Reason if reason.replaced}
    found = Counter[str]()
    for each in summary.failures:
        if each.reason in lost:
            found[each.reason] += each.clips - each.since
    return {reason: count for reason, count in found.most_common() if count}


def _days(finished: pd.Series) -> tuple[str, ...]:
    known = finished.dropna()
    if known.empty:
        return ()
    ends = pd.to_datetime([known.min(), known.max()], unit="s", utc=True)
    return tuple(dict.fromkeys(str(end.date()) for end in ends))

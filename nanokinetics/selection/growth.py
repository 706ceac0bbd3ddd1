"""Joins the choice of a run with the contents of its folder: continue, grow, or refuse.

A folder may grow: more clips per class, more classes, another split. A choice that contradicts the
clips in the folder is refused, with a message that names the difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from nanokinetics.annotations.candidates import Annotations
from nanokinetics.clip import LOCATION, Group
from nanokinetics.common.folder import Folder
from nanokinetics.config import BuildConfig
from nanokinetics.dataset.record import (
    CATALOGUE,
    MISSING,
    MUST_AGREE,
    RENAMED,
    REQUEST,
    is_as_written,
    naming_of,
    quotas_of,
    read_record,
)
from nanokinetics.errors import InputError
from nanokinetics.layout import SELECTION, SPLITS
from nanokinetics.selection.frame import Selection
from nanokinetics.selection.plan import Plan
from nanokinetics.sources import Source

MAY_BE_MISSING: Final = ("place",)
"""Entries of `run.json` that must agree too, but that some sources do not have."""


def make_plan(
    config: BuildConfig,
    source: Source,
    annotations: Annotations,
    selection: Selection,
    home: Folder,
    origin: Mapping[str, Any] | None = None,
    request: str | None = None,
    *,
    naming: Mapping[str, Any] | None = None,
) -> Plan:
    """Join the choice with the contents of the folder. Raises InputError for a contradiction.

    origin: entries of `run.json` for a selection taken from another subset. request: the digest
    from `request_of`, by which `same_again` recognises an equal request. naming: the entries
    MISSING and RENAMED of `run.json`.
    """
    asked = {
        "dataset": config.dataset,
        "source": source.name,
        "seed": config.seed,
        "split": [s for s in SPLITS if any(g.split == s for g in selection.quotas)],
        "n": {group.split: wanted for group, wanted in selection.quotas.items()},
        "classes": _classes(selection.quotas),
        **config.video.recorded(),
        "annotations": dict(annotations.digests),
        "labels": list(selection.labels),
        REQUEST: request,
    }
    asked |= source.recorded()
    if annotations.names:
        asked["names"] = {label: annotations.names.get(label, "") for label in selection.labels}
    if annotations.catalogue:
        asked[CATALOGUE] = dict(annotations.catalogue)
    asked |= {**(naming or {}), **(origin or {})}
    earlier = read_record(home)
    if earlier is None:
        return Plan(selection, asked, selection.to_csv())
    for name in (*MUST_AGREE, *MAY_BE_MISSING):
        if earlier.get(name) != asked.get(name):
            raise _contradiction(home.path, name, earlier.get(name), asked.get(name))
    if earlier.get("from") != asked.get("from"):
        raise InputError(
            f"{home.path} was built from {earlier.get('from', 'annotations')}, and this asks for "
            f"{asked.get('from', 'annotations')}; go on as it was begun, or name another --dest"
        )
    if origin:  # equal names mean equal clips
        if earlier.get("replacements") and not origin["replacements"]:
            raise InputError(
                f"{home.path} was built with --allow-replacements; ask for them again, or name "
                "another --dest"
            )
        return Plan(selection, asked, selection.to_csv())
    for split, n in asked["n"].items():
        if earlier["n"].get(split, 0) > n:
            raise _contradiction(home.path, f"n of {split}", earlier["n"][split], n)
        lost = sorted({*earlier["classes"].get(split, ())} - {*asked["classes"][split]})
        if lost:
            had = f"{len(earlier['classes'][split])} classes of {split}, '{lost[0]}' among them"
            raise _contradiction(home.path, "classes", had, "a choice without it")
    merged = asked | {
        "n": earlier["n"] | asked["n"],
        "annotations": earlier["annotations"] | asked["annotations"],
        "labels": sorted({*earlier["labels"], *asked["labels"]}),
        "split": [s for s in SPLITS if s in {*earlier["split"], *asked["split"]}],
        "classes": earlier["classes"] | asked["classes"],
    }
    if "names" in earlier:
        merged["names"] = earlier["names"] | merged.get("names", {})
    merged |= _naming(earlier, asked)
    whole, table = _merge(selection, merged, earlier, home)
    return Plan(with_locations(whole, annotations.frame), merged, table)


def _naming(earlier: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """What was said of missing and renamed classes of the splits that this run does not choose, and
    the names of all annotation files in the catalogue. They contradict nothing.
    """
    missing = naming_of(earlier, MISSING)
    kept = {split: names for split, names in missing.items() if split not in asked["split"]}
    entries = {
        MISSING: kept | asked.get(MISSING, {}),
        RENAMED: naming_of(earlier, RENAMED) | asked.get(RENAMED, {}),
        CATALOGUE: naming_of(earlier, CATALOGUE) | asked.get(CATALOGUE, {}),
    }
    return {name: value for name, value in entries.items() if value}


def _merge(
    selection: Selection,
    record: Mapping[str, Any],
    earlier: Mapping[str, Any],
    home: Folder,
) -> tuple[Selection, bytes]:
    """The new selection together with the splits that this run does not choose, and its table."""
    table = selection.to_csv()
    if not home.place(SELECTION).exists():  # an earlier run was ended between the two files
        return selection, table
    quotas, labels = quotas_of(record), tuple(record["labels"])
    written = home.place(SELECTION).read_bytes()
    if written == table:  # the same command again, most often
        return Selection(selection.frame, quotas, labels), table
    same_files = record["annotations"] == earlier["annotations"]
    if (
        same_files
        and quotas.keys() <= selection.quotas.keys()
        and not is_as_written(written, earlier)
    ):
        return Selection(selection.frame, quotas, labels), table  # the table on disk is damaged
    begun = Selection.from_csv(written, quotas=quotas, labels=())
    parts = []
    for group in quotas:
        before = begun.candidates(group)
        now = selection.candidates(group)
        if group not in selection.quotas:
            parts.append(before)
            continue
        if len(before) and not _same(before, now):
            raise InputError(
                f"{home.path} was begun with other annotations: '{group.label}' ({group.split}) "
                f"has {len(before)} candidates in its {SELECTION}, and these files give {len(now)} "
                "and not the same; use the same files, or name another --dest"
            )
        parts.append(now)
    merged = Selection(pd.concat(parts, ignore_index=True), quotas, labels)
    return merged, merged.to_csv()


def with_locations(selection: Selection, frame: pd.DataFrame) -> Selection:
    """The selection with locations of local files, also in splits that this run does not choose."""
    path = LOCATION[0]
    if path not in frame.columns:
        return selection
    if selection.is_local and not selection.frame[path].isna().any():
        return selection
    identity = ["split", "label", "key"]
    places = frame[[*identity, *LOCATION]].drop_duplicates(identity)
    bare = selection.frame.drop(columns=list(LOCATION), errors="ignore")
    found = bare.merge(places, on=identity, how="left")
    filled = found.fillna({path: "", "name": "", "offset": -1, "size": -1})
    placed = filled.astype({"offset": np.int64, "size": np.int64})
    return Selection(placed, selection.quotas, selection.labels)


def _same(before: pd.DataFrame, now: pd.DataFrame) -> bool:
    return before["key"].tolist() == now["key"].tolist() and all(
        np.array_equal(before[name].to_numpy(), now[name].to_numpy(), equal_nan=True)
        for name in ("time_start", "time_end")
    )


def _classes(quotas: Mapping[Group, int]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for group in quotas:
        found.setdefault(group.split, []).append(group.label)
    return found


def _contradiction(root: Path, name: str, before: object, now: object) -> InputError:
    return InputError(
        f"{root} was built with {name} {before}, and this asks for {now}; "
        "ask for what is there or more, or name another --dest"
    )

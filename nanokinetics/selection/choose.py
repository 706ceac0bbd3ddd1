"""Makes the choice of clips: from annotations, by a preset, or from the clips of another subset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nanokinetics.annotations import dialect, read
from nanokinetics.annotations.candidates import Annotations
from nanokinetics.annotations.leftovers import leftovers
from nanokinetics.clip import Group
from nanokinetics.common.folder import Folder
from nanokinetics.config import BuildConfig, SampleConfig
from nanokinetics.dataset.record import CATALOGUE, MISSING, RENAMED, naming_of
from nanokinetics.errors import InputError
from nanokinetics.selection import (
    manifest,
    picks,
    presets,
    renamed,
    sampling,
    split_of,
    wanted_splits,
)
from nanokinetics.selection.frame import Selection
from nanokinetics.selection.growth import make_plan, with_locations
from nanokinetics.selection.manifest import Manifest
from nanokinetics.selection.naming import Named, Table
from nanokinetics.selection.plan import Plan
from nanokinetics.sources import Source
from nanokinetics.sources.scan import Scan


@dataclass(frozen=True, eq=False)
class Choice:
    """All candidates, the selection, and the subset that it was taken from, if any.

    naming: entries of `run.json`, MISSING and RENAMED, on classes that were not there as asked for.
    """

    annotations: Annotations
    selection: Selection
    origin: Manifest | None = None
    naming: Mapping[str, Any] = field(default_factory=dict)

    def plan(self, config: BuildConfig, source: Source, home: Folder, request: str | None) -> Plan:
        """What the folder shall hold. Raises InputError where it holds what contradicts that."""
        origin = None
        if self.origin:
            origin = self.origin.origin(replacements=config.allow_replacements)
        return make_plan(
            *(config, source, self.annotations, self.selection, home, origin, request),
            naming=self.naming,
        )


def origin_of(config: SampleConfig) -> Manifest:
    """The subset that `from_` names. Raises InputError if it is empty or of another dataset."""
    if config.from_ is None:
        raise ValueError("from_ names nothing")
    origin = _picks(config.from_, config.dataset) or manifest.read(config.from_)
    if origin.record["dataset"] != config.dataset:
        raise InputError(
            f"{config.from_} is a subset of {origin.record['dataset']}, not of {config.dataset}"
        )
    if not origin.ids:
        raise InputError(f"{config.from_} holds no clip yet; run its build, or name another --from")
    return origin


def _picks(path: Path, dataset: str) -> Manifest | None:
    """The subset of a table that `sample` wrote; None for anything else."""
    try:
        data = path.read_bytes()
    except OSError:  # a folder, or what the reader of manifests reports
        return None
    return picks.read(path, data, dataset) if picks.is_table(data) else None


def choose(
    config: SampleConfig, source: Source, found: Scan | None, origin: Manifest | None = None
) -> Choice:
    """Choose clips by the options, or take the clips of another subset.

    found: the contents of the source, if they are known. Raises InputError for unusable input.
    """
    return _listed(config, source, found, origin) if origin else _sampled(config, source, found)


def _sampled(config: SampleConfig, source: Source, scan: Scan | None) -> Choice:
    from_preset = config.preset is not None
    config = _with_preset(config)
    found = _annotations(config, source, scan, wanted_splits(config))
    n = config.n or 0  # `SampleConfig` ensures that n is set
    named = _named(config, found, from_preset=from_preset)
    selection = sampling.select(
        found.frame,
        splits=None if config.splits is None else [split_of(s) for s in config.splits],
        n=_by_split(n) if isinstance(n, Mapping) else n,
        classes=None if named is None else named.labels,
        num_classes=config.num_classes,
        seed=str(config.seed),
        skip_empty=config.skip_missing_classes,
    )
    if scan is None:  # only the locations of local files are needed later
        found = replace(found, frame=found.frame.head(0))
    return Choice(found, selection, naming=_naming(named, selection) if named else {})


def _named(config: SampleConfig, found: Annotations, *, from_preset: bool) -> Named | None:
    """What the classes asked for mean in the annotations; None if none are named."""
    if config.classes is None:
        return None
    labels = sorted(found.frame["label"].unique())
    is_kinetics = config.dataset == renamed.DATASET
    table = Table(
        labels,
        found.names or {},
        renamed.renamed() if is_kinetics and from_preset else {},
        renamed.successors() if is_kinetics else {},
    )
    return table.named(config.classes, skip_missing=config.skip_missing_classes)


def _naming(named: Named, selection: Selection) -> dict[str, Any]:
    """The entries MISSING and RENAMED of `run.json`, where there is something to say."""
    splits = dict.fromkeys(group.split for group in selection.quotas)
    has = selection.quotas
    missing = {
        split: [*named.missing, *(each for each in named.labels if Group(split, each) not in has)]
        for split in splits
    }
    entries: dict[str, Any] = {
        MISSING: {split: names for split, names in missing.items() if names},
        RENAMED: dict(named.renamed),
    }
    return {name: value for name, value in entries.items() if value}


def _listed(config: SampleConfig, source: Source, scan: Scan | None, origin: Manifest) -> Choice:
    """The clips of the subset `origin`, with their locations in a local source."""
    selection = origin.selection(replacements=config.allow_replacements)
    digests = origin.record["annotations"]
    catalogue = naming_of(origin.record, CATALOGUE)
    if scan is None:
        found = Annotations(selection.frame, digests, catalogue=catalogue)
        return Choice(found, selection, origin)
    if dialect(config.dataset).from_files:
        splits = [group.split for group in selection.quotas]
        found = replace(_annotations(config, source, scan, splits), digests=digests)
    else:
        located = source.locate(selection.frame, scan)[0]
        found = Annotations(located, digests, catalogue=catalogue)
    return Choice(found, with_locations(selection, found.frame), origin)


def _with_preset(config: SampleConfig) -> SampleConfig:
    """The options with the choice of the preset; all other options stay."""
    if config.preset is None:
        return config
    preset = presets.read(config.preset)
    if preset.dataset not in (None, config.dataset):
        raise InputError(f"--preset {preset.name} is for {preset.dataset}, not {config.dataset}")
    n = config.n or preset.n
    if n is None:
        raise InputError(f"--preset {preset.name} names classes only; add --n N, clips of each")
    return replace(config, preset=None, n=n, classes=preset.classes, num_classes=preset.num_classes)


def _annotations(
    config: SampleConfig, source: Source, scan: Scan | None, splits: Sequence[str] | None
) -> Annotations:
    found = read(
        config.dataset,
        config.files,
        found=scan,
        class_names=config.class_names,
        listing=config.listing,
        skip_bad_rows=config.skip_bad_rows,
        classes=config.classes,
        splits=splits,
    )
    if scan is None:
        return found
    if not dialect(config.dataset).from_files:
        located, notes = source.locate(found.frame, scan)
        found = replace(found, frame=located, notes=(*found.notes, *notes))
    return replace(
        found, notes=(*scan.notes, *found.notes, *leftovers(scan, found.frame, found.passed))
    )


def _by_split(n: Mapping[str, int]) -> dict[str, int]:
    named = {split_of(text): count for text, count in n.items()}
    if len(named) < len(n):
        raise InputError(f"--n names a split twice: {', '.join(n)}")
    return named

"""From candidates to clips: chooses clips and makes the plan of a folder.

`settle` completes the options from the registries; `decide` makes the plan of a build. pandas is
imported only when annotations are read: a run that only continues does not need it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nanokinetics.annotations import DATASETS, dialect
from nanokinetics.clips.maker import patience_from
from nanokinetics.common.names import SPLIT_WORDS, normalised_split
from nanokinetics.common.near import hint
from nanokinetics.common.system import without_collector
from nanokinetics.config import (
    COPY,
    TRANSCODE,
    VIDEO,
    BuildConfig,
    MakingConfig,
    NetworkConfig,
    SampleConfig,
)
from nanokinetics.dataset.home import Home
from nanokinetics.dataset.ranking import Ranking, warnings
from nanokinetics.dataset.record import MISSING, RENAMED, naming_of, read_record
from nanokinetics.errors import InputError
from nanokinetics.layout import OWN, SOURCE_INDEX, Layout
from nanokinetics.progress import Reporter
from nanokinetics.selection.plan import Plan, request_of, same_again
from nanokinetics.selection.unused import refuse_unused
from nanokinetics.sources import Source, source_type
from nanokinetics.sources.scan import Scan, save

if TYPE_CHECKING:
    from nanokinetics.selection.choose import Choice
    from nanokinetics.selection.frame import Selection
    from nanokinetics.selection.manifest import Manifest

Config = TypeVar("Config", bound=SampleConfig)
Making = TypeVar("Making", bound=MakingConfig)


@dataclass(frozen=True, eq=False)
class Decision:
    """The plan of a folder, its layout, and the scan of the source.

    layout: the names of its clips. found: what lies in the source, if that is known.
    """

    plan: Plan
    layout: Layout
    found: Scan | None

    def save_scan(self, home: Home) -> None:
        """Keep what archives of the source hold, since to read it took long."""
        if self.found:
            save(self.found, home.place(SOURCE_INDEX))


def settle(config: Config) -> Config:
    """The options with the default source of the dataset, if they name none.

    Raises InputError if the dataset, the source and the options contradict each other.
    """
    own = dialect(config.dataset)
    name = config.source or own.source
    kind = source_type(name)
    if own.from_files and not kind.from_src:
        raise InputError(f"{own.name} is read from files, not from {name}; leave out --source")
    if not own.from_files and not config.annotations and config.from_ is None:
        raise InputError(
            "no annotations given; add --annotations with a name such as k400, or a file "
            "('nanokinetics annotations' lists the names)"
        )
    if not own.from_files and config.annotations and config.from_ is not None:
        raise InputError("--annotations contradicts --from, which says what to take; leave one out")
    if config.listing is not None and not own.takes_lists:
        takers = ", ".join(each.name for each in DATASETS.values() if each.takes_lists)
        raise InputError(f"--list is for the dataset '{takers}'")
    return replace(config, source=name)


def with_files(config: Config, reporter: Reporter) -> Config:
    """The options with files for the names and addresses of annotations, fetched if need be.

    Raises InputError for a name that is unknown, or does not fit. Raises EnvironmentFault if a file
    is neither here nor to be had.
    """
    if all(Path(each).suffix and Path(each).is_file() for each in config.annotations):
        return config  # none of them can be a name
    network = config.network if isinstance(config, MakingConfig) else NetworkConfig()
    found = fetch_annotations(
        config.annotations, config.dataset, wanted_splits(config), network, reporter
    )
    return replace(config, annotations=found)


def fetch_annotations(
    texts: Sequence[Path | str],
    dataset: str | None,
    splits: Sequence[str] | None,
    network: NetworkConfig,
    reporter: Reporter,
) -> tuple[Path, ...]:
    """The files of names and addresses, as `annotations.named.located` gives them."""
    from nanokinetics.annotations import catalog_file, named
    from nanokinetics.common.http import Client, Retries
    from nanokinetics.sources.route import route_of

    patience = patience_from(os.environ)
    retries = Retries(first_wait=patience.first_wait, longest_wait=patience.longest_wait)
    with Client(route_of(network, os.environ), retries) as client:
        return named.located(
            texts, dataset, splits, catalog_file.read(os.environ), client, reporter
        )


def wanted_splits(config: SampleConfig) -> list[str] | None:
    """The splits that are named, by `splits` or by `n`; None for all. Raises InputError."""
    named = config.n if isinstance(config.n, Mapping) else config.splits
    return None if named is None else [split_of(text) for text in named]


def split_of(text: str) -> str:
    """The split that a text means. Raises InputError for any other text."""
    split = normalised_split(text)
    if split is None:
        meant = hint(text, SPLIT_WORDS, {"all": "leaving out --split, for all splits"})
        raise InputError(f"'{text}' is no split; there are train, val and test{meant}")
    return split


def source_of(config: SampleConfig) -> Source:
    """The source of settled options. Raises ValueError for options that are not settled."""
    if config.source is None:
        raise ValueError("the options are not settled")
    return source_type(config.source).of(config)


def origin_of(config: SampleConfig) -> Manifest | None:
    """The subset that `from_` names, or None. Raises InputError."""
    if config.from_ is None:
        return None
    from nanokinetics.selection import choose

    return choose.origin_of(config)


def made_alike(config: Making, record: Mapping[str, Any]) -> Making:
    """The options with the encoding of another subset, except where they set their own.

    record: the record of that subset.
    """
    made_with: dict[str, Any] = {
        name: record.get(name) for name in VIDEO if getattr(config, name) is None
    }
    as_there = TRANSCODE if record.get("place") == TRANSCODE else COPY
    return replace(config, **made_with, place=config.place or as_there)


def prepared(
    config: Making, *, allow_unused: bool = False
) -> tuple[Making, Manifest | None, Source]:
    """The settled options of a build or its preview, the subset that `from_` names, and the source.

    allow_unused: whether options may have no effect. Raises InputError for options that cannot be
    used or, unless that is set, have no effect.
    """
    asked = config = settle(config)
    origin = origin_of(config)
    if origin:
        config = made_alike(config, origin.record)
    source = source_of(config)
    if not allow_unused:
        record = read_record(Home(config.dest)) if isinstance(config, BuildConfig) else None
        refuse_unused(asked, config.place, record)
    return config, origin, source


def select(config: SampleConfig, reporter: Reporter) -> Selection:
    """Choose clips. Only annotations that are not here yet are fetched. Raises InputError."""
    from nanokinetics.selection import choose

    config = with_files(settle(config), reporter)
    origin = origin_of(config)
    with without_collector():
        source = source_of(config)
        chosen = choose.choose(config, source, _scan(config, source), origin)
    _report(chosen, reporter)
    _warn(chosen.selection, reporter)
    return chosen.selection


def decide(
    config: BuildConfig,
    origin: Manifest | None,
    source: Source,
    home: Home,
    hold: Callable[[], None],
    begin_check: Callable[[], Callable[[], None]],
    reporter: Reporter,
) -> Decision:
    """Make the plan of a build: join the choice with the contents of the folder.

    origin: the subset to take instead of a new choice, or None. hold: keeps other runs out of the
    folder; it is called before the folder is judged. begin_check: starts a check of the source and
    the tools, and returns a function that waits for its end; both raise if the source or a tool
    cannot be used.

    Nothing is changed but by `hold`.
    """
    record = read_record(home)  # refuses somebody else's folder before a lock is put there
    home.refuse_links(OWN)
    if record:
        hold()
    config = with_files(config, reporter)
    with without_collector():
        found = _scan(config, source, home.place(SOURCE_INDEX))
        request = None if found else request_of(config, version("nanokinetics"))
        plan = same_again(request, home)
        if plan is not None:
            _report_naming(plan.record, reporter)
            _warn(plan.selection, reporter)
            hold()
            layout = Layout()
            _refuse_linked_classes(plan, layout, home)
            return Decision(plan, layout, found)
        # Side by side: a child looks at the source, and this process imports pandas.
        wait_for_check = begin_check()
        from nanokinetics.selection import choose

        chosen = choose.choose(config, source, found, origin)
        _report(chosen, reporter)
        if found:
            source.require(chosen.annotations.frame, found)
        layout = Layout(chosen.annotations.class_dirs)
        _warn(chosen.selection, reporter)
        wait_for_check()
        hold()
        plan = chosen.plan(config, source, home, request)
        del chosen
    _refuse_linked_classes(plan, layout, home)
    return Decision(plan if found else plan.compact(), layout, found)


def _scan(config: SampleConfig, source: Source, index: Path | None = None) -> Scan | None:
    return source.scan(index, listed=dialect(config.dataset).from_names)


def _refuse_linked_classes(plan: Plan, layout: Layout, home: Home) -> None:
    """Raises OSError if a class folder is a link: nothing may follow it out of the dataset."""
    groups = plan.selection.quotas
    home.refuse_links(f"{group.split}/{layout.class_dir(group.label)}" for group in groups)


def _report(chosen: Choice, reporter: Reporter) -> None:
    for row in chosen.annotations.bad_rows:
        reporter.say(f"left out: {row}")
    for note in chosen.annotations.notes:
        reporter.say(f"warning: {note}")
    _report_naming(chosen.naming, reporter)


def _report_naming(record: Mapping[str, Any], reporter: Reporter) -> None:
    """Say which classes were left out, and which have other names in the annotations."""
    for split, names in naming_of(record, MISSING).items():
        told = ", ".join(map(repr, names))
        reporter.say(f"left out of {split}, which has no clips of them: {told}")
    renamed = [f"{was!r} is {now!r}" for was, now in naming_of(record, RENAMED).items()]
    if renamed:
        reporter.say(f"renamed in these annotations: {', '.join(renamed)}")


def _warn(ranking: Ranking, reporter: Reporter) -> None:
    for warning in warnings(ranking):
        reporter.say(f"warning: {warning}")

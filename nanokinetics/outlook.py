"""What a build would do, told beforehand: its clips, their cost, and what it means for the folder.

It decides by the same functions as a build. No clip is fetched, nothing is made or changed, and no
lock is taken. Annotations by name or address are fetched into the user's cache.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Unpack

from nanokinetics import estimate
from nanokinetics.clip import Group
from nanokinetics.config import BuildConfig, MakingConfig
from nanokinetics.dataset.home import Home
from nanokinetics.dataset.ledger import state_of
from nanokinetics.dataset.record import read_record
from nanokinetics.engine import quotas_of
from nanokinetics.engine.quotas import Quotas
from nanokinetics.errors import EnvironmentFault, InputError
from nanokinetics.estimate import MEASURED, Costs, Estimate
from nanokinetics.estimate.costs import ENOUGH
from nanokinetics.options import AnyPath, BuildOptions
from nanokinetics.progress import Reporter, Silent
from nanokinetics.selection import (
    decide,
    prepared,
    select,
)
from nanokinetics.selection.frame import Selection
from nanokinetics.selection.manifest import Manifest
from nanokinetics.sources import Source
from nanokinetics.tools import tools


class State(StrEnum):
    """What a folder is to a build: there is nothing yet, clips are to be made, or none is left."""

    NEW = "new"
    CONTINUES = "continues"
    FINISHED = "finished"


@dataclass(frozen=True)
class FolderPreview:
    """A folder, and what a build would do there.

    made, wanted: clips that are there, and that are asked for in all. to_make: clips that the build
    would begin with. busy: whether another run is at work there, so that a build would be refused.
    free_bytes: what is free on its disk.
    """

    dest: str
    state: State
    made: int
    wanted: int
    to_make: int
    busy: bool
    free_bytes: int


@dataclass(frozen=True, eq=False)
class Preview:
    """What a build would do.

    selection: the candidates of the chosen classes in ranked order. seed: the seed that chose.
    estimate: its size, and what is left to pay for. folder: None if no `dest` was given.
    """

    selection: Selection
    seed: str
    estimate: Estimate
    folder: FolderPreview | None = None


@dataclass(frozen=True, eq=False)
class _Rest:
    """What is left of a selection: its candidates, and the clips of each class that are there."""

    selection: Selection
    made: Mapping[Group, int]
    table_bytes: int


def preview(
    dataset: str,
    *,
    stats: AnyPath | None = None,
    assume_gone: float | str | None = None,
    today: date | None = None,
    allow_unused: bool = False,
    reporter: Reporter | None = None,
    **options: Unpack[BuildOptions],
) -> Preview:
    """Tell what `build` would do with the same options; `dest` may be left out.

    stats: the folder of an earlier build, or its `stats.csv`: its clips tell the cost. assume_gone:
    the share of videos that are gone, such as 0.2 or `20%`; None takes that of `stats`, or what is
    known of the dataset. today: the day by which the age of the dataset counts; None is this day.
    allow_unused: whether options may have no effect, as for `sample`; `build` refuses them.

    Raises InputError and EnvironmentFault as `build` does before it fetches anything: for unusable
    options and files, and for a folder that contradicts them or is somebody else's.
    """
    given = {name: value for name, value in options.items() if value is not None}
    kind = BuildConfig if "dest" in given else MakingConfig
    config, origin, source = prepared(kind.of(dataset, given), allow_unused=allow_unused)
    reporter = reporter or Silent()
    share = None if assume_gone is None else _share(assume_gone)
    if not source.remote and (stats is not None or share is not None):
        option = "--assume-gone" if stats is None else "--stats"
        raise InputError(f"{option} is for clips of YouTube; the sizes of local files are known")
    costs = None if stats is None else estimate.of_run(Path(stats).expanduser())
    folder: FolderPreview | None = None
    if isinstance(config, BuildConfig):
        selection, rest, folder = _in_folder(config, origin, source, reporter)
        if costs is None and source.remote and folder.made >= ENOUGH:
            costs = _own_costs(config.dest)
    else:
        selection = select(config, reporter)
        rest = _Rest(selection, {}, len(selection.to_csv()))
    if costs is None:
        labels = len(selection.labels)
        known = estimate.known(dataset, source.name, labels, today or date.today())  # noqa: DTZ011
        costs = MEASURED.with_gone(known)
    if share is not None:
        costs = costs.with_gone(estimate.assumed(share))
    seed = str(origin.record["seed"] if origin else config.seed)
    return Preview(selection, seed, _cost(rest, config, source, costs), folder)


def _share(text: float | str) -> float:
    try:
        return estimate.parse_share(text)
    except InputError as error:
        raise InputError(f"--assume-gone: {error}") from None


def _own_costs(dest: Path) -> Costs | None:
    """The costs of the clips that are there; None if they tell none, as adopted ones do."""
    try:
        return estimate.of_run(dest)
    except InputError:
        return None


def _in_folder(
    config: BuildConfig, origin: Manifest | None, source: Source, reporter: Reporter
) -> tuple[Selection, _Rest, FolderPreview]:
    """The selection of the folder after a build, what is left of it, and the folder itself."""
    home = Home(config.dest)
    try:
        with tools(config, source) as ready:
            busy = home.is_busy
            begin = ready.begin_check
            decision = decide(config, origin, source, home, lambda: None, begin, reporter)
            ranking, plan = decision.plan.selection, decision.plan
            quotas = quotas_of(ranking, state_of(home), config, source, decision.found)
            if quotas.waiting:
                ready.check_source()
                for remark in source.remarks():
                    reporter.say(f"warning: {remark}")
        is_new = read_record(home) is None
        free = shutil.disk_usage(_nearest(config.dest)).free
    except OSError as error:
        where = error.filename or config.dest
        raise EnvironmentFault(f"{where}: {error.strerror or error}") from None
    if isinstance(ranking, Selection):
        selection = ranking
    else:
        selection = Selection.from_csv(plan.table, quotas=ranking.quotas, labels=ranking.labels)
    state = State.NEW if is_new else State.CONTINUES if quotas.waiting else State.FINISHED
    made = _made(quotas, selection)
    rest = _Rest(
        estimate.what_is_left(selection, made, quotas.stays_out),
        made,
        len(plan.table) if is_new else 0,
    )
    folder = FolderPreview(
        str(config.dest), state, quotas.made, quotas.wanted, quotas.waiting, busy, free
    )
    return selection, rest, folder


def _made(quotas: Quotas, selection: Selection) -> dict[Group, int]:
    """The clips of each class that are there and stay, at most as many as wanted."""
    short, left = quotas.short(), quotas.left()
    return {
        group: min(short[group][0] if group in short else wanted, wanted - left[group])
        for group, wanted in selection.quotas.items()
    }


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    absolute = folder.absolute()
    return next(each for each in (absolute, *absolute.parents) if each.exists())


def _cost(rest: _Rest, config: MakingConfig, source: Source, costs: Costs) -> Estimate:
    if source.remote:
        per_hour = source.policy(config.pace).per_hour
        return estimate.of_youtube(
            rest.selection, costs, per_hour=per_hour, table_bytes=rest.table_bytes, made=rest.made
        )
    return estimate.of_files(
        rest.selection, config.src, table_bytes=rest.table_bytes, made=rest.made
    )

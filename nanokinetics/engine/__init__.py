"""One run of one plan: which clip is next, and what each outcome means. The entry is `run`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from nanokinetics.clip import ClipId, Patience
from nanokinetics.clips.ffmpeg import Ffmpeg
from nanokinetics.clips.maker import MakerConfig, open_maker
from nanokinetics.common import user_folders
from nanokinetics.config import BuildConfig, MakingConfig
from nanokinetics.dataset.ledger import LedgerState
from nanokinetics.dataset.ranking import Ranking
from nanokinetics.engine.books import Books, Clock
from nanokinetics.engine.engine import Engine
from nanokinetics.engine.pacing import Pacer
from nanokinetics.engine.quotas import Quotas
from nanokinetics.engine.shared_hour import Alone, SharedHour, path_of
from nanokinetics.errors import Reason
from nanokinetics.layout import STATS, Layout
from nanokinetics.progress import Progress, Reporter
from nanokinetics.sources import Source
from nanokinetics.sources.scan import Scan
from nanokinetics.workers.pool import Pool
from nanokinetics.workers.processes import Processes, deferred

__all__ = ["Books", "Clock", "Run", "Work", "quotas_of", "run"]


@dataclass(frozen=True)
class Work:
    """The things that a run works with.

    found: the contents of the source, if they are known. children: starts the worker processes.
    """

    layout: Layout
    source: Source
    found: Scan | None
    ffmpeg: Ffmpeg
    children: Processes
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True)
class Run:
    """The results of a run; see `api.BuildResult`. progress: the last one."""

    new: int
    refusals: int
    reasons: Mapping[Reason, int]
    fixable: Mapping[str, int]
    progress: Progress


def quotas_of(
    ranking: Ranking,
    state: LedgerState,
    config: MakingConfig,
    source: Source,
    found: Scan | None,
) -> Quotas:
    """The quotas of every class, given the present state of every clip.

    A clip that was not in the source is asked for again once the source has changed.
    """
    again = set(_there_again(ranking, state, source, found))
    if again:
        failed = {id_: reason for id_, reason in state.failed.items() if id_ not in again}
        state = replace(state, failed=failed)
    return Quotas(
        ranking,
        state,
        retry_failed=config.retry_failed,
        replace_transient=config.replace_transient,
    )


def _there_again(
    ranking: Ranking, state: LedgerState, source: Source, found: Scan | None
) -> Iterator[ClipId]:
    if not state.not_found or found is None:
        return
    for group in ranking.groups():
        for row, id_ in ranking.ids(group):
            message = state.not_found.get(id_)
            if message is None or id_ in state.done:
                continue
            if source.has_again(ranking.clip(row), message, found):
                yield id_


def run(
    work: Work, quotas: Quotas, books: Books, config: BuildConfig, clock: Clock, reporter: Reporter
) -> Run:
    """Make clips until the quotas are met or no candidate is left.

    Raises Blocked, EnvironmentFault and KeyboardInterrupt. All clips finished before are recorded.
    """
    grouping = work.source.grouping(work.found)
    size = grouping.processes or config.processes
    _drop_stale(books, config, reporter)
    before = quotas.made
    books.make_room()
    if quotas.waiting:
        books.resume()
    shared, earlier = _shared_hour(work.source, config, quotas, books, clock, reporter)
    engine = Engine(
        source=work.source,
        together=grouping.together,
        quotas=quotas,
        books=books,
        pool=Pool(partial(open_maker, _maker(work, config)), size, work.children),
        pacer=Pacer(work.source.policy(config.pace), earlier),
        shared=shared,
        reporter=reporter,
        clock=clock,
    )
    try:
        engine.run()
    finally:
        with deferred(signal.SIGINT, signal.SIGTERM):
            engine.close()
            try:
                reporter.update(engine.progress)  # what it showed last may be a tick old
            finally:
                reporter.close()
    new = quotas.made - before
    return Run(new, engine.refusals, engine.reasons, engine.fixable, engine.progress)


def _maker(work: Work, config: BuildConfig) -> MakerConfig:
    """The configuration of the worker processes."""
    threads = max(1, (os.cpu_count() or 1) // config.processes)
    spec = work.source.maker(work.found)
    return MakerConfig(
        config.dest, work.layout, config.video, work.ffmpeg, threads, spec, work.patience
    )


def _drop_stale(books: Books, config: BuildConfig, reporter: Reporter) -> None:
    stale = books.state.stale
    if stale:
        reporter.say(
            f"{len(stale)} clips of {config.dest / STATS} are gone or damaged; "
            "they are asked for again"
        )
        books.drop(stale)


def _shared_hour(
    source: Source,
    config: BuildConfig,
    quotas: Quotas,
    books: Books,
    clock: Clock,
    reporter: Reporter,
) -> tuple[Alone, tuple[float, ...]]:
    """The hour that runs share, and the requests of the last hour as times of the steady clock."""
    address = source.address()
    if address is None or not quotas.waiting:
        return Alone(), ()
    path = path_of(config.state or user_folders.state(), address)
    shared = SharedHour(path, config.dest, clock, reporter.say)
    return shared, shared.begin(books.state.asked)

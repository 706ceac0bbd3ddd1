"""The whole job in the order of its steps: what `from nanokinetics import build, sample` gives."""

from __future__ import annotations

import gc
import itertools
import os
import platform
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from tenacity.wait import wait_none

from nanokinetics.clip import ClipId, Group
from nanokinetics.clips.ffmpeg import Ffmpeg, find_ffmpeg
from nanokinetics.clips.placing import FLUSHED_AT_ONCE, PlacerConfig
from nanokinetics.clips.windows import WorkerConfig
from nanokinetics.common.files import clear_leftovers
from nanokinetics.common.names import is_inside
from nanokinetics.config import COPY, HARDLINK, LOCAL, SYMLINK, TRANSCODE, BuildConfig, SampleConfig
from nanokinetics.dataset import indexes
from nanokinetics.dataset.home import Home
from nanokinetics.dataset.indexes.contents import contents
from nanokinetics.dataset.ledger import Ledger, Standing
from nanokinetics.dataset.ranking import Ranking, warnings
from nanokinetics.dataset.record import read_record
from nanokinetics.engine.engine import Clock, Engine
from nanokinetics.engine.failed_logs import FailedLogs
from nanokinetics.engine.pacing import HOUR, Pacer, PacingPolicy
from nanokinetics.engine.quotas import Quotas
from nanokinetics.errors import EnvironmentFault, ExitCode, InputError, Reason
from nanokinetics.layout import OWN, TEMPORARY, Layout
from nanokinetics.progress import Reporter, Silent
from nanokinetics.selection.plan import Plan, request_of, same_again
from nanokinetics.sources import check_network
from nanokinetics.sources.scan import Scan, save, scan
from nanokinetics.workers.pool import Pool, processes_for
from nanokinetics.workers.processes import Processes, call, held

if TYPE_CHECKING:
    from nanokinetics.selection.frame import Selection


@dataclass(frozen=True)
class BuildResult:
    """What a build came to. Counts are clips.

    short: the classes with fewer clips than wanted, as (has, wanted). replaced: candidates passed
    over because they are gone. held: clips that failed for now and that the next run asks for
    again. displaced: clips that stood in for others which are available after all, and were
    removed. refusals: times that YouTube refused and everybody waited. reasons: why clips failed
    in this run. mendable: what is wrong with a local source, and how many clips wait for that.
    lost: of the clips that `from_` names, those that can no longer be had.
    """

    made: int
    wanted: int
    new: int
    replaced: int
    held: int
    displaced: int
    refusals: int
    short: Mapping[Group, tuple[int, int]]
    reasons: Mapping[Reason, int] = field(default_factory=dict)
    mendable: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[ClipId, Reason] = field(default_factory=dict)

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.SHORT if self.short else ExitCode.OK


def sample(dataset: str, *, reporter: Reporter | None = None, **options: Any) -> Selection:
    """Choose clips, without any network. The options are the fields of `SampleConfig`.

    Raises InputError for anything that cannot be used.
    """
    from nanokinetics.selection import choose

    config = SampleConfig(dataset=dataset, **options)
    reporter = reporter or Silent()
    with _no_collector():
        source = scan(config.src) if config.src else None
        origin = choose.origin_of(config) if config.from_ else None
        selection = choose.choose(config, source, origin, reporter).selection
    _warn(selection, reporter)
    return selection


def build(dataset: str, *, reporter: Reporter | None = None, **options: Any) -> BuildResult:
    """Sample, fetch, trim, check and index; on a folder of an earlier run, go on with it.

    The options are the fields of `BuildConfig`. Other processes import the script that calls this,
    which does so under `if __name__ == "__main__":`.

    Raises InputError before anything is changed (for what yt-dlp cannot use, only when something is
    to be asked for), Blocked when YouTube refuses for longer than
    `max_wait`, EnvironmentFault when the machine is at fault, KeyboardInterrupt on Ctrl-C. What
    was finished by then is kept, and the same call goes on.
    """
    config = BuildConfig(dataset=dataset, **options)
    reporter = reporter or Silent()
    origin = None
    if config.from_:
        from nanokinetics.selection import choose

        origin = choose.origin_of(config)
        config = choose.made_alike(config, origin)
    layout = Layout(config.dest)
    lock = FileLock(layout.lock, timeout=0)
    try:
        with ExitStack() as held_open, ThreadPoolExecutor(1) as aside:
            looking = aside.submit(find_ffmpeg, config.ffmpeg)
            children = held_open.enter_context(closing(processes_for(config.source or "")))
            record = read_record(
                layout
            )  # refuses somebody else's folder before a lock is put there
            Home(layout.root).refuse_links(OWN)
            if record:
                held_open.enter_context(lock)
            with _no_collector():
                source = _scan(config, layout)
                request = request_of(config, version("nanokinetics"))
                plan = same_again(request, layout)
                checking = None
                if plan is None:
                    # Side by side: children import yt-dlp, and this process pandas, which a run
                    # that only goes on has no need of.
                    checking = call(children, check_network, config.source or "", config.network)
                    from nanokinetics.selection import choose

                    chosen = choose.choose(config, source, origin, reporter)
                    if source:
                        choose.check_source(config, source, chosen.annotations)
                    layout = Layout(config.dest, chosen.annotations.class_dirs)
            _warn(plan.selection if plan else chosen.selection, reporter)
            ffmpeg = looking.result()
            if checking:
                checking.result()
            _make_folder(config.dest)
            held_open.enter_context(lock)
            if plan is None:
                plan = chosen.plan(config, layout, request)
                del chosen
            if source:
                save(source, layout.source_index)
            else:
                plan = plan.light()
            return _build(
                config, plan, layout, ffmpeg, source, children, reporter, checked=bool(checking)
            )
    except Timeout:
        raise InputError(
            f"another run is at work in {config.dest}; wait for it, or name another --dest"
        ) from None
    except OSError as error:
        raise EnvironmentFault(
            f"{error.filename or config.dest}: {error.strerror or error}"
        ) from None


def _scan(config: BuildConfig, layout: Layout) -> Scan | None:
    """What lies in the local source, if there is one."""
    source = scan(config.src, layout.source_index) if config.src else None
    if source and (source.members or source.streams) and config.place in (HARDLINK, SYMLINK):
        raise InputError(f"--place {config.place} needs files, and --src holds archives; use copy")
    return source


def _warn(ranking: Ranking, reporter: Reporter) -> None:
    for warning in warnings(ranking):
        reporter.say(f"warning: {warning}")


def _make_folder(dest: Path) -> None:
    try:
        dest.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise InputError(f"{dest} is a file; name a folder with --dest") from None


def _build(
    config: BuildConfig,
    plan: Plan,
    layout: Layout,
    ffmpeg: Ffmpeg,
    source: Scan | None,
    children: Processes,
    reporter: Reporter,
    *,
    checked: bool,
) -> BuildResult:
    """The part that changes the folder, whose lock is held."""
    clock = Clock()
    workers = _workers(config, source, layout, ffmpeg)
    home = Home(layout.root)
    home.refuse_links(f"{g.split}/{layout.class_dir(g.label)}" for g in plan.selection.quotas)
    home.clear(TEMPORARY)  # what a killed run has left
    clear_leftovers(*layout.index_folders)
    with closing(Ledger(layout)) as ledger:
        with _no_collector():
            # Damage is found before anything is written.
            standing = ledger.standing(since=clock.wall() - HOUR)
            plan.save(layout, _versions(ffmpeg))
            quotas = Quotas(
                plan.selection,
                standing,
                retry_failed=config.retry_failed,
                replace_transient=config.replace_transient,
            )
        if quotas.waiting and not checked:
            call(children, check_network, config.source or "", config.network).result()
        if standing.stale:
            reporter.say(
                f"{len(standing.stale)} clips of {layout.stats} are gone or damaged; "
                "they are asked for again"
            )
            _unlink(standing.stale.values(), home)
            ledger.drop(standing.stale)
        before = quotas.made
        home.make(TEMPORARY)
        engine = Engine(
            source=plan.record["source"],
            together=_together(workers),
            quotas=quotas,
            ledger=ledger,
            layout=layout,
            home=home,
            pool=Pool(workers, _processes(config, workers), children),
            pacer=_pacer(config, standing, clock),
            logs=FailedLogs(config.failed_logs),
            reporter=reporter,
            clock=clock,
        )
        try:
            engine.run()
        finally:
            with held(signal.SIGINT, signal.SIGTERM):
                engine.close()
                reporter.close()
                done = {**standing.done, **engine.paths}
                displaced = 0
                if home.is_there:
                    displaced = _finish(plan, quotas, done, ledger, layout, home)
        lost = _lost(plan, ledger.standing()) if "from" in plan.record else {}
    return BuildResult(
        made=quotas.made,
        wanted=quotas.wanted,
        new=quotas.made - before,
        replaced=quotas.replaced,
        held=quotas.held,
        displaced=displaced,
        refusals=engine.refusals,
        short=quotas.short(),
        reasons=dict(engine.reasons),
        mendable=dict(engine.mendable),
        lost=lost,
    )


def _lost(plan: Plan, standing: Standing) -> dict[ClipId, Reason]:
    """The listed clips that are not there and will not be, and why; reserves do not count."""
    failed = standing.failed
    return {
        id_: failed[id_]
        for group, listed in plan.selection.quotas.items()
        for _, id_ in itertools.islice(plan.selection.ids(group), listed)
        if id_ not in standing.done and id_ in failed and failed[id_].replaced
    }


@contextmanager
def _no_collector() -> Iterator[None]:
    """Python's collector of cycles would walk the rows being read again and again, all alive."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _finish(
    plan: Plan,
    quotas: Quotas,
    done: Mapping[ClipId, str],
    ledger: Ledger,
    layout: Layout,
    home: Home,
) -> int:
    """Bring everything that is derived from the ledger up to date; how many stand-ins went."""
    home.clear(TEMPORARY)
    surplus = quotas.surplus()  # stood in for better-ranked clips which have now been made
    if surplus:
        # The files first: a row without its file is mended, a file without its row is not.
        _unlink((done[id_] for id_ in surplus), home)
        ledger.drop(surplus)
    kept = {id_: path for id_, path in done.items() if id_ not in surplus}
    if not indexes.are_fresh(layout):
        indexes.write_all(contents(plan.selection, kept, layout, plan.record.get("names")), layout)
    return len(surplus)


def _unlink(paths: Iterable[str], home: Home) -> None:
    for path in filter(is_inside, paths):  # a table may have been edited
        home.remove(path)


def _workers(
    config: BuildConfig, source: Scan | None, layout: Layout, ffmpeg: Ffmpeg
) -> WorkerConfig | PlacerConfig:
    """What the worker processes are told."""
    threads = max(1, (os.cpu_count() or 1) // config.processes)
    if source is None:
        return WorkerConfig(layout, config.video, config.network, ffmpeg, threads)
    return PlacerConfig(
        layout,
        config.video,
        ffmpeg,
        threads,
        source.root.resolve(),
        source.streams,
        config.place or COPY,
    )


def _processes(config: BuildConfig, workers: WorkerConfig | PlacerConfig) -> int:
    """A stream is read from its beginning for whatever is wanted of it: by one process, once."""
    return 1 if isinstance(workers, PlacerConfig) and workers.streams else config.processes


def _together(workers: WorkerConfig | PlacerConfig) -> int:
    """Clips in one job: small files are handed out by the dozen, those of a stream all at once."""
    if isinstance(workers, WorkerConfig):
        return 1
    if workers.streams:
        return sys.maxsize
    return 1 if workers.place == TRANSCODE else FLUSHED_AT_ONCE


def _pacer(config: BuildConfig, standing: Standing, clock: Clock) -> Pacer:
    """A gate that remembers what earlier runs asked for in the last hour."""
    now, wall = clock.steady(), clock.wall()
    if config.source == LOCAL:
        return Pacer(PacingPolicy(wait_none(), abreast=0))
    policy = PacingPolicy.exponential(
        config.block_wait, per_hour=config.per_hour, max_wait=config.patience
    )
    # A row from the future, after the clock was set back, counts as of now.
    return Pacer(policy, (now - max(0.0, wall - at) for at in standing.asked))


def _versions(ffmpeg: Ffmpeg) -> dict[str, str]:
    return {
        "nanokinetics": version("nanokinetics"),
        "python": platform.python_version(),
        "yt-dlp": version("yt-dlp"),
        "ffmpeg": ffmpeg.version,
    }

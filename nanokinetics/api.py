"""The functions of the library: `build`, `sample` and `subset`. A build has three steps:

decide (selection) ─▶ run (engine) ─▶ index (dataset.indexes)
"""

from __future__ import annotations

import itertools
import platform
import signal
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from nanokinetics.clip import ClipId, Group
from nanokinetics.clips.ffmpeg import Ffmpeg
from nanokinetics.common.folder import beside
from nanokinetics.common.system import without_collector
from nanokinetics.config import BuildConfig, MakingConfig
from nanokinetics.dataset import indexes
from nanokinetics.dataset.home import Home
from nanokinetics.dataset.indexes.contents import contents
from nanokinetics.engine import Books, Clock, quotas_of, run
from nanokinetics.engine.books import logs_of
from nanokinetics.engine.quotas import Quotas
from nanokinetics.errors import EnvironmentFault, ExitCode, Reason
from nanokinetics.layout import FAILED_LOGS
from nanokinetics.options import AnyPath, BuildOptions, Texts
from nanokinetics.progress import Reporter, Silent
from nanokinetics.selection import (
    Decision,
    decide,
    prepared,
    select,
)
from nanokinetics.selection.plan import Plan
from nanokinetics.sources import Source
from nanokinetics.tools import tools
from nanokinetics.workers.processes import deferred

if TYPE_CHECKING:
    from nanokinetics.selection.frame import Selection
    from nanokinetics.selection.subset import Subset


@dataclass(frozen=True)
class BuildResult:
    """The result of a build. Counts are clips.

    made: finished clips, at most `wanted`. new: clips that this run made.
    short: the classes with fewer clips than wanted, as (made, wanted).
    replaced: candidates that were passed over because they are gone.
    held: clips with a transient failure; the next run tries them again.
    superseded: replacements that were removed, because the clips they replaced are available again.
    refusals: number of times that the source refused and all requests waited.
    reasons: the failures of this run, counted by reason.
    fixable: faults of a local source, and how many clips each affects.
    lost: the clips named by `from_` that are no longer available, and why.
    retryable: failed clips of short classes that `retry_failed` asks for again.
    gone: failed clips of short classes that only `retry_failed="all"` asks for again.
    began, ended: when this run did, in seconds since the epoch.
    waited_seconds: how long it was blocked or rested. worked_seconds: the rest of its time.
    fetched_bytes: media bytes of its new clips.
    """

    made: int
    wanted: int
    new: int
    replaced: int
    held: int
    superseded: int
    refusals: int
    short: Mapping[Group, tuple[int, int]]
    reasons: Mapping[Reason, int] = field(default_factory=dict)
    fixable: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[ClipId, Reason] = field(default_factory=dict)
    retryable: int = 0
    gone: int = 0
    began: float = 0.0
    ended: float = 0.0
    worked_seconds: float = 0.0
    waited_seconds: float = 0.0
    fetched_bytes: int = 0

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.SHORT if self.short else ExitCode.OK


def sample(
    dataset: str, *, reporter: Reporter | None = None, **options: Unpack[BuildOptions]
) -> Selection:
    """Choose clips. It takes the options of `build`.

    Those that say how clips are made are checked and have no effect, and `dest` is not looked at:
    `preview` does that. Nothing is fetched but annotations that are named and not in the cache.

    Raises InputError for unusable options or files. Raises EnvironmentFault if annotations cannot
    be fetched.
    """
    making = {name: value for name, value in options.items() if name != "dest"}
    return select(MakingConfig.of(dataset, making), reporter or Silent())


def build(
    dataset: str, *, reporter: Reporter | None = None, **options: Unpack[BuildOptions]
) -> BuildResult:
    """Sample, fetch, trim, check and index clips. The folder of an earlier run is continued.

    The options are the fields of `BuildConfig`. A script must call this under
    `if __name__ == "__main__":`, because its child processes import the script.

    Raises InputError before anything is changed; options for yt-dlp are checked only if there are
    clips to request. Raises Blocked if the source refuses for longer than `max_wait`. Raises
    EnvironmentFault if the machine is at fault, and KeyboardInterrupt on Ctrl-C. Finished clips are
    kept, and the same call continues the build.
    """
    config, origin, source = prepared(BuildConfig.of(dataset, options))
    home, clock = Home(config.dest), Clock()
    logs = config.failed_logs or beside(config.dest, FAILED_LOGS)
    reporter = reporter or Silent()
    began, steady = clock.wall(), clock.steady()
    try:
        with closing(home), tools(config, source, logs_of(config.dest, logs).check) as ready:
            decision = decide(config, origin, source, home, home.hold, ready.begin_check, reporter)
            decision.save_scan(home)
            work = ready.work(decision)
            with closing(Books(home, decision.layout, logs, clock)) as books:
                with without_collector():
                    ranking, found = decision.plan.selection, decision.found
                    quotas = quotas_of(ranking, books.state, config, source, found)
                if quotas.waiting:
                    ready.check_source()
                    for remark in source.remarks():
                        reporter.say(f"warning: {remark}")
                reporter.say(_outlook(config, quotas, decision.plan, source))
                decision.plan.save(home, _versions(work.ffmpeg))
                try:
                    result = run(work, quotas, books, config, clock, reporter)
                finally:
                    with deferred(signal.SIGINT, signal.SIGTERM):
                        superseded = index(decision, home, quotas, books) if books.are_there else 0
                retryable, gone = _to_retry(quotas, books)
                lost = _lost(decision.plan, books) if "from" in decision.plan.record else {}
    except OSError as error:
        raise EnvironmentFault(
            f"{error.filename or config.dest}: {error.strerror or error}"
        ) from None
    return BuildResult(
        made=quotas.made,
        wanted=quotas.wanted,
        new=result.new,
        replaced=quotas.replaced,
        held=quotas.held,
        superseded=superseded,
        refusals=result.refusals,
        short=quotas.short(),
        reasons=dict(result.reasons),
        fixable=dict(result.fixable),
        retryable=retryable,
        gone=gone,
        lost=lost,
        began=began,
        ended=clock.wall(),
        worked_seconds=clock.steady() - steady - result.progress.waited_seconds,
        waited_seconds=result.progress.waited_seconds,
        fetched_bytes=result.progress.fetched_bytes,
    )


def _outlook(config: BuildConfig, quotas: Quotas, plan: Plan, source: Source) -> str:
    """The plan of a build as a line: where, how much there is, and how much is to be done."""
    per_hour = source.policy(config.pace).per_hour if source.remote else 0
    pace = f"; at most {per_hour} videos an hour" if per_hour and quotas.waiting else ""
    return (
        f"{config.dest.absolute()}: {quotas.wanted} clips of {len(plan.selection.quotas)} classes "
        f"wanted, {quotas.made} made, {quotas.waiting} to make{pace}"
    )


def subset(
    source: AnyPath,
    *,
    dest: AnyPath,
    n: int | Mapping[str, int] | None = None,
    splits: Texts | None = None,
    classes: Texts | None = None,
    num_classes: int | None = None,
    tick: Callable[[], object] = lambda: None,
) -> Subset:
    """Make a smaller dataset out of a built one, without network; see `selection.subset`.

    source: the folder of the built dataset. n: clips of each class; None is its own n. splits,
    classes, num_classes: as of `build`; None takes all that it has. tick: called after each clip.

    Raises InputError for a choice that the dataset does not hold, and EnvironmentFault.
    """
    from nanokinetics.selection.subset import subset as make

    return make(
        Path(source),
        Path(dest),
        n=n,
        splits=[splits] if isinstance(splits, str) else splits,
        classes=[classes] if isinstance(classes, str) else classes,
        num_classes=num_classes,
        tick=tick,
    )


def index(decision: Decision, home: Home, quotas: Quotas, books: Books) -> int:
    """Bring all that is derived from the ledger up to date; how many replacements went."""
    surplus = quotas.surplus()  # they replaced better-ranked clips which have now been made
    done = books.done
    if surplus:
        books.drop({id_: done[id_] for id_ in surplus})
    plan = decision.plan
    if not indexes.are_fresh(home):
        kept = {id_: path for id_, path in done.items() if id_ not in surplus}
        names = plan.record.get("names")
        indexes.write_all(contents(plan.selection, kept, decision.layout, names), home)
    return len(surplus)


def _to_retry(quotas: Quotas, books: Books) -> tuple[int, int]:
    """How many failed clips of short classes each form of `retry_failed` asks for again."""
    short, done = quotas.short(), books.done
    if not short:
        return 0, 0
    failed = [r for id_, r in books.failures().items() if id_.group in short and id_ not in done]
    out = [reason for reason in failed if reason.replaced]
    again = sum(reason.asked_again for reason in out)
    return again, len(out) - again


def _lost(plan: Plan, books: Books) -> dict[ClipId, Reason]:
    """The listed clips that are missing for good, and why. Reserves do not count."""
    failed, done = books.failures(), books.done
    return {
        id_: failed[id_]
        for group, listed in plan.selection.quotas.items()
        for _, id_ in itertools.islice(plan.selection.ids(group), listed)
        if id_ not in done and id_ in failed and failed[id_].replaced
    }


def _versions(ffmpeg: Ffmpeg) -> dict[str, str]:
    return {
        "nanokinetics": version("nanokinetics"),
        "python": platform.python_version(),
        "yt-dlp": version("yt-dlp"),
        "ffmpeg": ffmpeg.version,
    }

"""The whole job in three steps: what `from nanokinetics import build, sample` gives.

decide (selection) ─▶ run (engine) ─▶ index (dataset.indexes)
"""

from __future__ import annotations

import itertools
import os
import platform
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Unpack

from nanokinetics.clip import ClipId, Group
from nanokinetics.clips.ffmpeg import Ffmpeg, find_ffmpeg
from nanokinetics.clips.maker import patience_from
from nanokinetics.common.system import without_collector
from nanokinetics.config import BuildConfig, SampleConfig
from nanokinetics.dataset import indexes
from nanokinetics.dataset.home import Home
from nanokinetics.dataset.indexes.contents import contents
from nanokinetics.engine import Books, Clock, Work, quotas_of, run
from nanokinetics.engine.quotas import Quotas
from nanokinetics.errors import EnvironmentFault, ExitCode, Reason
from nanokinetics.options import BuildOptions, SampleOptions
from nanokinetics.progress import Reporter, Silent
from nanokinetics.selection import (
    Decision,
    decide,
    made_alike,
    origin_of,
    select,
    settle,
    source_of,
)
from nanokinetics.selection.plan import Plan
from nanokinetics.sources import Source
from nanokinetics.workers.processes import Pending, Processes, call, deferred, processes

if TYPE_CHECKING:
    from nanokinetics.selection.frame import Selection


@dataclass(frozen=True)
class BuildResult:
    """What a build came to. Counts are clips.

    short: the classes with fewer clips than wanted, as (has, wanted). replaced: candidates passed
    over because they are gone. held: clips that failed for now and that the next run asks for
    again. superseded: replacements that were removed because the clips they replaced are available
    after all. refusals: times that the source refused and everybody waited. reasons: why clips
    failed in this run. fixable: what is wrong with a local source, and how many clips wait for
    that. lost: of the clips that `from_` names, those that can no longer be had.
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

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.SHORT if self.short else ExitCode.OK


def sample(
    dataset: str, *, reporter: Reporter | None = None, **options: Unpack[SampleOptions]
) -> Selection:
    """Choose clips, without any network. The options are the fields of `SampleConfig`.

    Raises InputError for anything that cannot be used.
    """
    return select(SampleConfig.of(dataset, options), reporter or Silent())


def build(
    dataset: str, *, reporter: Reporter | None = None, **options: Unpack[BuildOptions]
) -> BuildResult:
    """Sample, fetch, trim, check and index; on a folder of an earlier run, go on with it.

    The options are the fields of `BuildConfig`. Other processes import the script that calls this,
    which does so under `if __name__ == "__main__":`.

    Raises InputError before anything is changed (for what yt-dlp cannot use, only when something is
    to be asked for), Blocked when the source refuses for longer than `max_wait`, EnvironmentFault
    when the machine is at fault, KeyboardInterrupt on Ctrl-C. What was finished by then is kept,
    and the same call goes on.
    """
    config = settle(BuildConfig.of(dataset, options))
    origin = origin_of(config)
    if origin:
        config = made_alike(config, origin.record)
    source, home, clock = source_of(config), Home(config.dest), Clock()
    reporter = reporter or Silent()
    try:
        with closing(home), _tools(config, source) as tools:
            decision = decide(config, origin, source, home, tools.begin_check, reporter)
            work = tools.work(decision)
            with closing(Books(home, decision.layout, config.failed_logs, clock)) as books:
                decision.plan.save(home, _versions(work.ffmpeg))
                with without_collector():
                    quotas = quotas_of(decision.plan.selection, books, config)
                try:
                    came_to = run(work, quotas, books, config, clock, reporter)
                finally:
                    with deferred(signal.SIGINT, signal.SIGTERM):
                        superseded = index(decision, home, quotas, books) if books.are_there else 0
                lost = _lost(decision.plan, books) if "from" in decision.plan.record else {}
    except OSError as error:
        raise EnvironmentFault(
            f"{error.filename or config.dest}: {error.strerror or error}"
        ) from None
    return BuildResult(
        made=quotas.made,
        wanted=quotas.wanted,
        new=came_to.new,
        replaced=quotas.replaced,
        held=quotas.held,
        superseded=superseded,
        refusals=came_to.refusals,
        short=quotas.short(),
        reasons=dict(came_to.reasons),
        fixable=dict(came_to.fixable),
        lost=lost,
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


def _lost(plan: Plan, books: Books) -> dict[ClipId, Reason]:
    """The listed clips that are not there and will not be, and why; reserves do not count."""
    failed, done = books.failures(), books.done
    return {
        id_: failed[id_]
        for group, listed in plan.selection.quotas.items()
        for _, id_ in itertools.islice(plan.selection.ids(group), listed)
        if id_ not in done and id_ in failed and failed[id_].replaced
    }


@dataclass
class _Tools:
    """What a build needs beside the plan, got ready while the plan is made."""

    source: Source
    children: Processes
    looking_for_ffmpeg: Future[Ffmpeg]
    checking: Pending | None = None

    def begin_check(self) -> Callable[[], None]:
        """Have the source looked at in a child; the function that waits for the end."""
        self.checking = call(self.children, self.source.check)
        return self._wait

    def _wait(self) -> None:
        self.looking_for_ffmpeg.result()
        self.check_source()

    def check_source(self) -> None:
        """Have the source looked at, if that was not done. Raises InputError."""
        if self.checking is None:
            self.checking = call(self.children, self.source.check)
        if not self.is_checked:
            self.checking.result()
            self.is_checked = True

    is_checked: bool = False

    def work(self, decision: Decision) -> Work:
        """What the run works with."""
        return Work(
            decision.layout,
            self.source,
            decision.found,
            self.looking_for_ffmpeg.result(),
            self.children,
            self.check_source,
            patience_from(os.environ),
        )


@contextmanager
def _tools(config: BuildConfig, source: Source) -> Iterator[_Tools]:
    """Look for ffmpeg aside, and have processes at hand that have imported what workers need."""
    modules = ["nanokinetics.clips.maker", *source.modules]
    with ThreadPoolExecutor(1) as aside, closing(processes(modules)) as children:
        yield _Tools(source, children, aside.submit(find_ffmpeg, config.ffmpeg))


def _versions(ffmpeg: Ffmpeg) -> dict[str, str]:
    return {
        "nanokinetics": version("nanokinetics"),
        "python": platform.python_version(),
        "yt-dlp": version("yt-dlp"),
        "ffmpeg": ffmpeg.version,
    }

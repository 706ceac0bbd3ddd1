"""What a build needs besides its plan: ffmpeg, child processes, and a source that can be used.

They are found and checked while the plan is made, for a build and for its preview alike.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass

from nanokinetics.clip import Patience
from nanokinetics.clips.ffmpeg import Ffmpeg, find_ffmpeg
from nanokinetics.clips.maker import patience_from
from nanokinetics.config import MakingConfig
from nanokinetics.engine import Work
from nanokinetics.selection import Decision
from nanokinetics.sources import Source
from nanokinetics.workers.processes import Pending, Processes, call, processes


@dataclass
class Tools:
    """The tools of one run; see `tools`."""

    source: Source
    children: Processes
    looking_for_ffmpeg: Future[Ffmpeg]
    patience: Patience
    check_logs: Callable[[], None]
    checking: Pending | None = None
    is_checked: bool = False

    def begin_check(self) -> Callable[[], None]:
        """Start to check the source in a child; returns a function that waits for the end."""
        self.checking = call(self.children, self.source.check)
        return self._wait

    def _wait(self) -> None:
        self.looking_for_ffmpeg.result()
        self.check_source()

    def check_source(self) -> None:
        """Check the source and the folder of logs, unless that was done before.

        Raises InputError, and EnvironmentFault if no log can be written.
        """
        if self.checking is None:
            self.checking = call(self.children, self.source.check)
        if not self.is_checked:
            self.check_logs()
            self.checking.result()
            self.is_checked = True

    def work(self, decision: Decision) -> Work:
        """Everything that the run needs."""
        return Work(
            decision.layout,
            self.source,
            decision.found,
            self.looking_for_ffmpeg.result(),
            self.children,
            self.patience,
        )


@contextmanager
def tools(
    config: MakingConfig, source: Source, check_logs: Callable[[], None] = lambda: None
) -> Iterator[Tools]:
    """Find ffmpeg in a thread, and prepare child processes that import the workers' modules.

    check_logs: raises EnvironmentFault if no log of a failure could be written.
    """
    patience = patience_from(os.environ)
    modules = ["nanokinetics.clips.maker", *source.modules]
    with ThreadPoolExecutor(1) as aside, closing(processes(modules)) as children:
        ffmpeg = aside.submit(find_ffmpeg, config.ffmpeg)
        yield Tools(source, children, ffmpeg, patience, check_logs)

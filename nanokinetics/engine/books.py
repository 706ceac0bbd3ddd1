"""Records results: gives files their final names, appends rows and keeps logs.

Only the parent process does this. Secrets in tables, logs and messages are masked here.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from nanokinetics.clip import HOUR, Clip, ClipId, Failed, Made
from nanokinetics.common.folder import beside
from nanokinetics.common.names import is_inside
from nanokinetics.common.secrets import mask
from nanokinetics.common.system import without_collector
from nanokinetics.common.text import plain
from nanokinetics.dataset.home import Home
from nanokinetics.dataset.ledger import Ledger, utc
from nanokinetics.engine.failed_logs import FailedLogs
from nanokinetics.errors import EnvironmentFault, Failure, Reason
from nanokinetics.layout import FAILED_LOGS, INDEX_FOLDERS, MP4, TEMPORARY, Layout
from nanokinetics.workers.processes import deferred


@dataclass(frozen=True, slots=True)
class Clock:
    """The source of time, in seconds. `steady` never goes back; `wall` counts from the epoch."""

    steady: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class Books:
    """The only writer of a dataset during a run.

    The constructor removes the leftovers of a killed run. It raises InputError for a damaged table.
    The other methods raise EnvironmentFault if the destination cannot be written to.
    """

    def __init__(self, home: Home, layout: Layout, failed_logs: Path, clock: Clock) -> None:
        self._home = home
        self._layout = layout
        self._logs = logs_of(home.path, failed_logs)
        self._clock = clock
        home.clear(TEMPORARY)
        home.sweep(*INDEX_FOLDERS)
        self._ledger = Ledger(home, layout)
        try:
            with without_collector():
                self.state = self._ledger.state(since=clock.wall() - HOUR)
        except BaseException:
            self._ledger.close()
            raise
        """The state of every clip at the start of this run."""
        self.paths: dict[ClipId, str] = {}
        """The paths of the clips that this run made."""

    @property
    def done(self) -> dict[ClipId, str]:
        """The finished clips and their paths."""
        return {**self.state.done, **self.paths}

    def failures(self) -> Mapping[ClipId, Reason]:
        """The last failure of each clip. The clip may have been made since then."""
        return self._ledger.state().failed

    def drop(self, clips: Mapping[ClipId, str]) -> None:
        """Remove clips from the dataset: first their files, then their rows.

        In this order a kill in between leaves rows without files, which the next run notices.
        """
        for path in filter(is_inside, clips.values()):  # a table may have been edited
            self._home.remove(path)
        self._ledger.drop(clips)

    def make_room(self) -> None:
        """Make the folder for unfinished clips."""
        self._home.make(TEMPORARY)

    def close(self) -> None:
        with deferred(signal.SIGINT, signal.SIGTERM):
            if self.are_there:  # or another folder has taken its place
                self._home.clear(TEMPORARY)
            self._ledger.close()

    @property
    def are_there(self) -> bool:
        """Whether the destination is still the same folder as at the start."""
        return self._home.is_there

    def check(self) -> None:
        """Raises EnvironmentFault if the destination is no longer the same folder."""
        self._home.check()

    def keep(self, batch: Sequence[Made]) -> None:
        """Give the files their final names, then append their rows.

        If one file cannot be renamed, the rows of the files before it are appended anyway.
        """
        self._home.check()
        named: dict[str, Made] = {}
        with _writing():
            try:
                for made in batch:
                    path = self._layout.clip_path(made.clip, made.suffix)
                    if made.temporary is not None:
                        self._home.commit(self._inside(made.temporary), path)
                    named[path] = made
            finally:
                self._ledger.made(named.values(), self._clock.wall())
                self.paths.update((made.clip.id, path) for path, made in named.items())

    def failed(self, failed: Failed) -> None:
        """Append the row of a failure, and write its log."""
        at = self._clock.wall()
        masked = replace(failed, failure=masked_failure(failed.failure))
        with _writing():
            log = self._logs.write(masked, utc(at))
            self._ledger.failed(masked, _relative(log, self._home.path), at)

    def discard(self, clip: Clip) -> None:
        """Remove the file of a clip that has left the dataset, if an earlier run made one."""
        place = clip.location
        for suffix in {MP4, place.suffix} if place else {MP4}:
            self._home.remove(self._layout.clip_path(clip, suffix))

    def throw_away(self, batch: Iterable[Made]) -> None:
        """Remove finished files that are not needed."""
        for made in batch:
            if made.temporary is not None:
                self._home.remove(self._inside(made.temporary))

    def _inside(self, temporary: str) -> str:
        """The path of a maker's file, relative to the dataset's folder."""
        return temporary.removeprefix(f"{self._home.path}/")

    def waited(self, since: float, until: float, why: str) -> None:
        """Append the row of a time without requests; both times are seconds since the epoch."""
        with _writing():
            self._ledger.waited(since, until, why)

    def resume(self) -> None:
        """Note that a run has something to do, and since when no run was at work."""
        with _writing():
            self._ledger.resumed(self._clock.wall())

    def log(self, shown: Iterable[Failed]) -> str:
        """Write the logs of failures that get no row; returns the path of the last log, if any.

        Errors of the disk are ignored here, or they would hide why the run ends.
        """
        path = ""
        try:
            for each in shown:
                path = self._logs.write(each, utc(self._clock.wall()))
        except OSError:
            return ""
        return path


def logs_of(dest: Path, folder: Path) -> FailedLogs:
    """The logs of a dataset in this folder, which may be the dataset's own one."""
    return FailedLogs(folder, own=folder == beside(dest, FAILED_LOGS))


def _relative(log: str, dest: Path) -> str:
    """A log's path as `failed.csv` has it: relative to the dataset's folder, with `/`.

    Both may be reached through links, and `..` leaves the folder that a link leads to.
    """
    return os.path.relpath(os.path.realpath(log), os.path.realpath(dest)).replace(os.sep, "/")


def masked_failure(failure: Failure) -> Failure:
    """The failure as tables and messages may show it: no secret, and nothing for a terminal."""
    return replace(failure, message=plain(mask(failure.message)))


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise EnvironmentFault(
            f"{error.strerror or error}{where}; fix that and run the same command again"
        ) from error

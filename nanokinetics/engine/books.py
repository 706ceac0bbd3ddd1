"""Where results go: files get their final names, rows are appended, logs are kept.

The parent alone keeps books. What stands in a table, a log or a message is masked here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from nanokinetics.clip import HOUR, Clip, ClipId, Failed, Made
from nanokinetics.common.names import is_inside
from nanokinetics.common.secrets import mask
from nanokinetics.dataset.home import Home
from nanokinetics.dataset.ledger import Ledger, utc
from nanokinetics.engine.failed_logs import FailedLogs
from nanokinetics.errors import EnvironmentFault, Failure, Reason
from nanokinetics.layout import INDEX_FOLDERS, MP4, TEMPORARY, Layout


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the time comes from: `steady` never goes back, `wall` is seconds since the epoch."""

    steady: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class Books:
    """The only writer of a dataset while a run goes on.

    Opening them clears what a killed run has left, and raises InputError for a damaged table. The
    other methods raise EnvironmentFault where the destination cannot be written to.
    """

    def __init__(self, home: Home, layout: Layout, failed_logs: Path, clock: Clock) -> None:
        self._home = home
        self._layout = layout
        self._logs = FailedLogs(failed_logs)
        self._clock = clock
        home.clear(TEMPORARY)
        for folder in INDEX_FOLDERS:
            home.sweep(folder)
        self._ledger = Ledger(home, layout)
        self.state = self._ledger.state(since=clock.wall() - HOUR)
        """What had become of every clip when the books were opened."""
        self.paths: dict[ClipId, str] = {}
        """Where the clips lie that were made in this run."""

    @property
    def done(self) -> dict[ClipId, str]:
        """The clips that are there, and where."""
        return {**self.state.done, **self.paths}

    def failures(self) -> Mapping[ClipId, Reason]:
        """Why each clip failed last; it may have been made since."""
        return self._ledger.state().failed

    def drop(self, clips: Mapping[ClipId, str]) -> None:
        """Take clips out of the dataset: their files first, since a file without its row is not
        missed, and a row without its file is."""
        for path in filter(is_inside, clips.values()):  # a table may have been edited
            self._home.remove(path)
        self._ledger.drop(clips)

    def make_room(self) -> None:
        """Make the folder that half-made clips lie in."""
        self._home.make(TEMPORARY)

    def close(self) -> None:
        if self.are_there:  # or another folder has taken its place
            self._home.clear(TEMPORARY)
        self._ledger.close()

    @property
    def are_there(self) -> bool:
        """Whether the destination is still the folder that it was at the start."""
        return self._home.is_there

    def check(self) -> None:
        """Raises EnvironmentFault if the destination is another folder than at the start."""
        self._home.check()

    def keep(self, batch: Sequence[Made]) -> None:
        """Give the files their names, then append their rows.

        If one cannot be named, the rows of the others are appended all the same.
        """
        self._home.check()
        named: dict[str, Made] = {}
        with _writing():
            try:
                for made in batch:
                    path = self._layout.clip_path(made.clip, made.suffix)
                    if made.temporary is not None:
                        self._home.commit(made.temporary, path)
                    named[path] = made
            finally:
                self._ledger.made(named.values(), self._clock.wall())
                self.paths.update((made.clip.id, path) for path, made in named.items())

    def failed(self, failed: Failed) -> None:
        """Write a failure down, with its log."""
        at = self._clock.wall()
        masked = replace(failed, failure=masked_failure(failed.failure))
        with _writing():
            self._ledger.failed(masked, self._logs.write(masked, utc(at)), at)

    def discard(self, clip: Clip) -> None:
        """Remove what an earlier run may have left in a clip's place: it is out of the dataset."""
        place = clip.location
        for suffix in {MP4, place.suffix} if place else {MP4}:
            self._home.remove(self._layout.clip_path(clip, suffix))

    def throw_away(self, batch: Iterable[Made]) -> None:
        """Remove finished files that nobody wants."""
        for made in batch:
            if made.temporary is not None:
                self._home.remove(made.temporary)

    def waited(self, since: float, until: float, why: str) -> None:
        """Write down a time in which nobody was asked, in seconds since the epoch."""
        with _writing():
            self._ledger.waited(since, until, why)

    def log(self, shown: Iterable[Failed]) -> str:
        """Keep the logs of failures that are not written down; the path of the last, if any.

        The reason why a run ends is worth more than its logs: an error of the disk is passed over.
        """
        path = ""
        try:
            for each in shown:
                path = self._logs.write(each, utc(self._clock.wall()))
        except OSError:
            return ""
        return path


def masked_failure(failure: Failure) -> Failure:
    return replace(failure, message=mask(failure.message))


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise EnvironmentFault(
            f"{error.strerror or error}{where}; mend that and run the same command again"
        ) from error

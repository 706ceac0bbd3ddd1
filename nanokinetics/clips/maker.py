"""The base class of all makers: a maker gets jobs and gives outcomes, in a worker process.

A maker writes files under temporary names; the parent process gives them their final names. A maker
decides nothing about other clips. Failures of a clip are returned, not raised. `windows` has the
maker that cuts windows out of videos, `whole` the maker that takes files whole.
"""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from nanokinetics.clip import ADOPTED, WINDOWS, Clip, Job, Made, MakerSpec, Media, Outcome, Patience
from nanokinetics.clips.ffmpeg import Ffmpeg, KilledError, exit_now
from nanokinetics.clips.judge import judge
from nanokinetics.clips.measure import measure
from nanokinetics.common.files import flush
from nanokinetics.common.folder import Folder, new_file
from nanokinetics.config import VideoConfig
from nanokinetics.errors import Failure, InputError
from nanokinetics.layout import TEMPORARY, Layout
from nanokinetics.sources import diagnosis


@dataclass(frozen=True, slots=True)
class MakerConfig:
    """The configuration of a maker.

    dest: the folder of the dataset. threads: the threads of each ffmpeg.
    """

    dest: Path
    layout: Layout
    video: VideoConfig
    ffmpeg: Ffmpeg
    threads: int
    spec: MakerSpec
    patience: Patience = field(default_factory=Patience)


class Maker(ABC):
    """Makes the clips of one job after another.

    bytes_from: the object that the source's `MakerSpec.open` returned. on_found: called each time a
    video was opened.
    """

    def __init__(
        self, config: MakerConfig, bytes_from: Any, on_found: Callable[[], None] = lambda: None
    ) -> None:
        self._config = config
        self._layout = config.layout
        self._home = Folder(config.dest)
        self._own = f"{TEMPORARY}/{os.getpid()}"
        self._folder = self._home.place(self._own)
        self._held: int | None = None
        self._bytes_from = bytes_from
        self._on_found = on_found
        self._count = 0

    @abstractmethod
    def work(self, job: Job) -> Iterator[tuple[Outcome, ...]]:
        """Do a job: gives one outcome for each clip. Outcomes of one batch come as one tuple."""

    def _make_folder(self) -> None:
        """Make this worker's folder for temporary files, and hold it.

        Raises OSError for a link, and if the parent folder is missing: the destination is gone.
        """
        held = self._home.held(self._own)
        if self._held is not None:
            if os.path.samestat(os.fstat(held), os.fstat(self._held)):
                os.close(held)
                return
            os.close(self._held)
        self._held = held

    @property
    def _here(self) -> int:
        """The descriptor of this worker's folder. A link in its place does not change it."""
        if self._held is None:
            self._make_folder()
        assert self._held is not None  # noqa: S101 - it was made
        return self._held

    def _begin(self, temporary: str | Path) -> IO[bytes]:
        """Open a new temporary file for writing."""
        path = Path(temporary)
        self._discard(path)  # an earlier worker may have had this process id
        return new_file(self._here, path.name)

    def _discard(self, temporary: Path) -> None:
        """Remove a temporary file, if it is there."""
        with suppress(FileNotFoundError):
            os.unlink(temporary.name, dir_fd=self._here)

    def _new(self, suffix: str) -> str:
        """A new temporary name."""
        self._count += 1
        return f"{self._folder}/{self._count}{suffix}"

    def _measure(self, path: Path, *, decode: bool = False, timeout: float = 120) -> Media | None:
        """Measure a file; None if it is empty or cannot be read. Raises KilledError."""
        if not path.exists() or not path.stat().st_size:
            return None
        look = partial(measure, self._config.ffmpeg, path, decode=decode, timeout=timeout)
        try:
            return look()
        except KilledError:  # the file is there, so another look is cheaper than another download
            return look()

    def _adopt(self, clip: Clip) -> Made | None:
        """A valid file that already has the clip's name: a run ended before it wrote the row."""
        path = self._home.place(self._layout.clip_path(clip))
        if clip.window is None or not path.exists():
            return None
        found = self._measure(path, decode=True)
        if (
            found is None
            or judge(clip.window, found, passed=False, ends_at=None, whole=True)
            or min(found.width, found.height) > self._config.video.resolution
        ):
            return None
        digest, size = flush(path)
        return Made(clip, None, ADOPTED, found, size, digest)

    def _fault(self, error: OSError) -> Failure:
        """The failure that an error of the file system means. Raises an unknown error again."""
        fault = diagnosis.of_os_error(error, self._config.ffmpeg.path)
        if fault is None:
            raise error
        return fault


def open_maker(config: MakerConfig, on_found: Callable[[], None]) -> Maker:
    """Open the maker of a source in a worker. On SIGTERM the worker and its ffmpeg end at once."""
    signal.signal(signal.SIGTERM, exit_now)
    bytes_from = config.spec.open()
    if config.spec.form == WINDOWS:
        from nanokinetics.clips.windows import WindowMaker

        return WindowMaker(config, bytes_from, on_found)
    from nanokinetics.clips.whole import WholeMaker

    return WholeMaker(config, bytes_from, on_found)


def patience_from(environment: Mapping[str, str]) -> Patience:
    """The patience in NANOKINETICS_PATIENCE, such as `first_wait=0.01,start_up=5`; for tests.

    Raises InputError for any other text.
    """
    text = environment.get("NANOKINETICS_PATIENCE", "")
    pairs = [each.split("=") for each in text.split(",") if each]
    try:
        values: dict[str, Any] = {
            name: int(value) if name == "attempts" else float(value) for name, value in pairs
        }
        return Patience(**values)
    except (TypeError, ValueError):
        raise InputError(
            f"NANOKINETICS_PATIENCE is '{text}'; write it like first_wait=0.01,start_up=5, or "
            "leave it unset"
        ) from None

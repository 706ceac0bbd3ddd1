"""What all makers share: jobs in, outcomes out, in a worker process.

A maker owns nothing and decides nothing about other clips. Its work lands under a temporary name;
giving it its place is the parent's business. What befalls a clip is returned, not raised. What a
maker makes clips of is in `windows` (videos that windows are cut out of) and in `placing` (files
that are taken whole).
"""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nanokinetics.clip import ADOPTED, WINDOWS, Clip, Job, Made, MakerSpec, Media, Outcome, Patience
from nanokinetics.clips.ffmpeg import Ffmpeg, exit_now
from nanokinetics.clips.judge import judge
from nanokinetics.clips.measure import measure
from nanokinetics.common.files import flush
from nanokinetics.common.folder import Folder
from nanokinetics.config import VideoConfig
from nanokinetics.errors import Failure
from nanokinetics.layout import TEMPORARY, Layout
from nanokinetics.sources import diagnosis


@dataclass(frozen=True, slots=True)
class MakerConfig:
    """All that a maker is told. dest: the dataset's folder. threads: those of each ffmpeg."""

    dest: Path
    layout: Layout
    video: VideoConfig
    ffmpeg: Ffmpeg
    threads: int
    spec: MakerSpec
    patience: Patience = field(default_factory=Patience)


class Maker(ABC):
    """Makes the clips of one job after the other. `bytes_from` is what the source's `open` gave.

    on_found is called each time a video was opened.
    """

    def __init__(
        self, config: MakerConfig, bytes_from: Any, on_found: Callable[[], None] = lambda: None
    ) -> None:
        self._config = config
        self._layout = config.layout
        self._home = Folder(config.dest)
        self._folder = self._home.place(TEMPORARY) / str(os.getpid())
        self._bytes_from = bytes_from
        self._on_found = on_found
        self._count = 0

    @abstractmethod
    def work(self, job: Job) -> Iterator[tuple[Outcome, ...]]:
        """One outcome for each clip of a job; those that come together in one piece."""

    def _make_folder(self) -> None:
        """Make the folder for temporary files. Its parent is there, or the destination is gone."""
        self._home.make(f"{TEMPORARY}/{self._folder.name}")

    def _new(self, suffix: str) -> str:
        """A temporary name that nothing has yet."""
        self._count += 1
        return f"{self._folder}/{self._count}{suffix}"

    def _measure(self, path: Path, *, decode: bool = False, timeout: float = 120) -> Media | None:
        if not path.exists() or not path.stat().st_size:
            return None
        return measure(self._config.ffmpeg, path, decode=decode, timeout=timeout)

    def _adopt(self, clip: Clip) -> Made | None:
        """A whole file that already stands in the clip's place: a run was ended before its row."""
        path = self._home.place(self._layout.clip_path(clip))
        if clip.window is None or not path.exists():
            return None
        found = self._measure(path, decode=True)
        if (
            found is None
            or judge(clip.window, found, ends_at=None, whole=False)
            or min(found.width, found.height) > self._config.video.resolution
        ):
            return None
        digest, size = flush(path)
        return Made(clip, None, ADOPTED, found, size, digest)

    def _fault(self, error: OSError) -> Failure:
        """What an error of the file system stops. Raises it again if it is nothing known."""
        fault = diagnosis.of_os_error(error, self._config.ffmpeg.path)
        if fault is None:
            raise error
        return fault


def open_maker(config: MakerConfig, on_found: Callable[[], None]) -> Maker:
    """The maker of a source, in its worker. On SIGTERM the worker ends with the ffmpeg it runs."""
    signal.signal(signal.SIGTERM, exit_now)
    bytes_from = config.spec.open()
    if config.spec.form == WINDOWS:
        from nanokinetics.clips.windows import WindowMaker

        return WindowMaker(config, bytes_from, on_found)
    from nanokinetics.clips.placing import WholeMaker

    return WholeMaker(config, bytes_from, on_found)


def patience_from(environment: Mapping[str, str]) -> Patience:
    """What NANOKINETICS_PATIENCE says, such as `first_wait=0.01,start_up=5`; for tests.

    Raises ValueError or TypeError for anything else.
    """
    told = environment.get("NANOKINETICS_PATIENCE", "")
    pairs = [each.split("=") for each in told.split(",") if each]
    values: dict[str, Any] = {
        name: int(value) if name == "attempts" else float(value) for name, value in pairs
    }
    return Patience(**values)

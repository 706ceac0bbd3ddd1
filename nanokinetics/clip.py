"""The words everything else is written in: clip, job, outcome, and how a source wants to be asked.

Frozen data, standard library only, so that a worker process can import it for nothing and a
value can cross a process boundary. What may go wrong is in `errors`; where files lie is in
`layout`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import PurePosixPath
from posixpath import splitext
from typing import Any, Final, NamedTuple, TypeVar

from nanokinetics.errors import Failure

T = TypeVar("T")

ADOPTED: Final = "adopted"
"""The `source` of a clip that was found whole in its place: nothing was asked for it."""


def seconds(value: float | None) -> str:
    """A time of the annotations as text: whole seconds without a fraction, others as the shortest
    text that reads back the same, nothing for None."""
    if value is None:
        return ""
    return str(int(value)) if value == int(value) else repr(value)


def light(cls: type[T]) -> type[T]:
    """A frozen class that crosses a process boundary in half the time: as a call with its fields,
    where dataclasses look their fields up again for every object."""
    values = attrgetter(*cls.__match_args__)  # type: ignore[attr-defined]
    cls.__reduce__ = lambda self: (cls, values(self))  # type: ignore[method-assign]
    return cls


class Group(NamedTuple):
    """One class within one split: the unit that has a quota."""

    split: str
    label: str


class ClipId(NamedTuple):
    """What tells one clip from another within a dataset.

    The key alone does not: annotations may give one window two labels, or name it in two splits.
    """

    split: str
    label: str
    key: str

    @property
    def group(self) -> Group:
        return Group(self.split, self.label)


HOUR: Final = 3600.0

LOCATION: Final = ("path", "name", "offset", "size")
"""The fields of `Location`, as columns of a table of candidates. They say where things lie on one
machine, and are not written to `selection.csv`."""


@light
@dataclass(frozen=True, slots=True)
class Location:
    """Where a local file lies: `path` is relative to the source folder, with `/` between parts.

    A member of an archive lies `size` bytes long at `offset` of the archive at `path`, and `name`
    is its own; a plain file has the offset -1 and is called what its path says.
    """

    path: str
    name: str = ""
    offset: int = -1
    size: int = -1

    @property
    def is_member(self) -> bool:
        return self.offset >= 0

    @property
    def stem(self) -> str:
        """The base name without extension."""
        return PurePosixPath(self.name or self.path).stem

    @property
    def suffix(self) -> str:
        """The extension, with its dot, as it is written."""
        return splitext(self.name or self.path)[1]


@light
@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled window of one video, or one labelled file.

    `time_start` and `time_end` are seconds from the start of the video; both are None, and
    `youtube_id` is empty, for a local file that is taken whole. `location` is where it lies, if
    that is known; it does not tell one clip from another.
    """

    key: str
    split: str
    label: str
    youtube_id: str = ""
    time_start: float | None = None
    time_end: float | None = None
    location: Location | None = field(default=None, compare=False)

    @property
    def id(self) -> ClipId:
        return ClipId(self.split, self.label, self.key)

    @property
    def group(self) -> Group:
        return Group(self.split, self.label)

    @property
    def window(self) -> tuple[float, float] | None:
        """Start and end in seconds; None for a file that is taken whole."""
        if self.time_start is None or self.time_end is None:
            return None
        return self.time_start, self.time_end


@light
@dataclass(frozen=True, slots=True)
class Media:
    """What was read back from a finished video file.

    Sizes are in pixels, `duration` and `longest_frame` (the longest that one frame stands) in
    seconds, `fps` is the mean number of frames a second.
    """

    width: int
    height: int
    frames: int
    duration: float
    longest_frame: float
    has_audio: bool

    @property
    def fps(self) -> float:
        return round(self.frames / self.duration, 3) if self.duration else 0.0


@light
@dataclass(frozen=True, slots=True)
class Made:
    """A finished clip: checked and flushed under a temporary name, not yet in its place.

    Times are in seconds, sizes in bytes. `temporary` is None when the file already stood under
    its final name and was only checked (adopted). `suffix` is the extension it shall have.
    """

    clip: Clip
    temporary: str | None
    source: str
    media: Media
    bytes: int
    sha256: str
    downloaded_bytes: int = 0
    download_seconds: float = 0.0
    trim_seconds: float = 0.0
    total_seconds: float = 0.0
    attempts: int = 1
    format_id: str = ""
    suffix: str = ".mp4"


@light
@dataclass(frozen=True, slots=True)
class Failed:
    """A clip that was not made, and why. `log` is the complete output of the tools involved.

    `found` says whether its video could be opened at all, `downloaded_bytes` how much of its media
    came all the same in the last try.
    """

    clip: Clip
    failure: Failure
    attempts: int = 1
    log: str = ""
    found: bool = False
    downloaded_bytes: int = 0


Outcome = Made | Failed
"""What became of one clip: always a value, never an exception."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Clips that one fetch serves: the windows of one video, the members of one archive.

    A job is itself alone: the same clips may be handed out again before the first job has ended.
    """

    source: str
    clips: tuple[Clip, ...]
    anew: bool = False
    """Make them although they are there: only to see whether that can be done now."""


WINDOWS: Final = "windows"
"""The form of a source of whole videos, which a window is cut out of."""

WHOLE: Final = "whole"
"""The form of a source of files that are taken as they are, or as parts of archives."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a maker tries, and what it grants. Tests grant less, and sit no wait out.

    attempts: tries that a clip gets in one run while what stops it may pass. first_wait,
    longest_wait: seconds between those tries, jittered and growing. start_up: seconds that
    connecting, seeking and starting may take on top of reading. slowest: seconds of video a second,
    below which reading a window is given up for the second way. YouTube slows some direct readers
    of long videos to 32 KiB/s, half of what 360p needs. repacking: seconds that copying a whole
    video into another container may take. decoding: seconds that decoding or encoding a whole local
    file may take on top of its bytes.
    """

    attempts: int = 3
    first_wait: float = 0.5
    longest_wait: float = 8.0
    start_up: float = 20.0
    slowest: float = 0.2
    repacking: float = 300.0
    decoding: float = 120.0


@dataclass(frozen=True, slots=True)
class MakerSpec:
    """How the clips of a source are made, told to every worker process.

    form: WINDOWS or WHOLE. open: called once in each worker, gives what brings the bytes. It must
    be picklable. place: how whole files get to their place, one of `config.PLACES`.
    """

    form: str
    open: Callable[[], Any]
    place: str = ""


@dataclass(frozen=True, slots=True)
class Grouping:
    """How the clips of a source are handed out.

    together: the most videos in one job. processes: the most workers; None leaves it to the user.
    """

    together: int = 1
    processes: int | None = None


@dataclass(frozen=True, slots=True)
class PacingPolicy:
    """How patient to be with one source.

    first_wait: seconds of the first wait after a refusal, twice as long each further time.
    per_hour: starts in any rolling hour, 0 for no limit. max_wait: seconds of waiting in all.
    spacing: seconds between two starts after the first block. abreast: starts that may be without
    an answer, 0 for no limit.
    """

    first_wait: float = 60.0
    per_hour: int = 0
    max_wait: float = 6 * HOUR
    spacing: float = 0.0
    abreast: int = 2

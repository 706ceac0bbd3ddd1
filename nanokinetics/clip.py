"""The words everything else is written in: clip, job, stream, source, outcome.

Frozen data, standard library only, so that a worker process can import it for nothing and a
value can cross a process boundary. What may go wrong is in `errors`; where files lie is in
`layout`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import PurePosixPath
from posixpath import splitext
from typing import Final, NamedTuple, TypeVar

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

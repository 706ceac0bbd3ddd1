"""The data types of the whole package: clip, job, outcome, and the description of a source.

Frozen data, standard library only: a worker process imports it quickly, and values can cross a
process boundary. Failures are in `errors`; the names of files are in `layout`.
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
"""The `source` of a clip whose valid file was already there; nothing was requested for it."""


def seconds(value: float | None) -> str:
    """A time in seconds as text; empty for None.

    Whole seconds have no fraction. Others are the shortest text that parses to the same number.
    """
    if value is None:
        return ""
    return str(int(value)) if value == int(value) else repr(value)


def pickled_as_call(cls: type[T]) -> type[T]:
    """Make a frozen class cross a process boundary in half the time.

    It is pickled as a call with its fields. A dataclass would look up its fields for every object.
    """
    values = attrgetter(*cls.__match_args__)  # type: ignore[attr-defined]
    cls.__reduce__ = lambda self: (cls, values(self))  # type: ignore[method-assign]
    return cls


class Group(NamedTuple):
    """One class in one split: the unit of a quota."""

    split: str
    label: str


class ClipId(NamedTuple):
    """The identity of a clip in a dataset.

    The key alone is not unique: annotations may give one window two labels, or put it in two
    splits.
    """

    split: str
    label: str
    key: str

    @property
    def group(self) -> Group:
        return Group(self.split, self.label)


HOUR: Final = 3600.0

LOCATION: Final = ("path", "name", "offset", "size")
"""The fields of `Location`, as columns of a table of candidates. They hold for one machine only, so
they are not written to `selection.csv`."""


@pickled_as_call
@dataclass(frozen=True, slots=True)
class Location:
    """The location of a local file.

    path: relative to the source folder, with `/` between parts; for a member of an archive, the
    path of the archive. name: the name of the member. offset, size: the bytes of the member in the
    archive; in a zip, from its local header, and of its packed bytes. A plain file has no name. For
    a plain file, and for a member of a stream, offset and size are -1.
    """

    path: str
    name: str = ""
    offset: int = -1
    size: int = -1

    @property
    def is_member(self) -> bool:
        return self.offset >= 0

    @property
    def is_streamed(self) -> bool:
        """Whether it is a member of an archive that must be read from its beginning."""
        return bool(self.name) and self.offset < 0

    @property
    def stem(self) -> str:
        """The base name without its extension."""
        return PurePosixPath(self.name or self.path).stem

    @property
    def suffix(self) -> str:
        """The extension with its dot, in its original case."""
        return splitext(self.name or self.path)[1]


@pickled_as_call
@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled window of one video, or one labelled file.

    time_start, time_end: seconds from the start of the video. For a local file that is taken whole,
    both are None and `youtube_id` is empty. location: of the file, if it is known; it is not part
    of the identity.
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
        """The start and end in seconds; None for a file that is taken whole."""
        if self.time_start is None or self.time_end is None:
            return None
        return self.time_start, self.time_end


@pickled_as_call
@dataclass(frozen=True, slots=True)
class Media:
    """The measured properties of a finished file.

    width, height: pixels. duration: seconds. longest_frame: the longest time in seconds that one
    frame is shown. begins, last: the times in seconds, in the file, of its first and last frame.
    fps: the mean number of frames per second.
    """

    width: int
    height: int
    frames: int
    duration: float
    longest_frame: float
    has_audio: bool
    begins: float = 0.0
    last: float = 0.0

    @property
    def ends(self) -> float:
        """The end of the last frame in seconds from the start of the file."""
        return self.begins + self.duration

    @property
    def fps(self) -> float:
        return round(self.frames / self.duration, 3) if self.duration else 0.0


@pickled_as_call
@dataclass(frozen=True, slots=True)
class Made:
    """A finished clip: checked and flushed, but still under a temporary name.

    Times are in seconds, sizes in bytes. temporary: the path; None if the file already had its
    final name and was only checked (adopted). suffix: the extension of the final name.
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


@pickled_as_call
@dataclass(frozen=True, slots=True)
class Failed:
    """A clip that was not made, and why.

    log: the complete output of the tools. found: whether its video could be opened.
    downloaded_bytes: media bytes that arrived in the last try.
    """

    clip: Clip
    failure: Failure
    attempts: int = 1
    log: str = ""
    found: bool = False
    downloaded_bytes: int = 0


Outcome = Made | Failed
"""The outcome of one clip: always a value, never an exception."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Clips that one fetch serves: the windows of one video, or the members of one archive.

    Jobs are compared by identity: the same clips may be in a second job before the first has ended.
    """

    clips: tuple[Clip, ...]
    anew: bool = False
    """Make the clips even if they exist, only to see whether that works now."""


WINDOWS: Final = "windows"
"""The form of a source of videos, out of which windows are cut."""

WHOLE: Final = "whole"
"""The form of a source of files, plain or in archives, that are taken whole."""


@dataclass(frozen=True, slots=True)
class Patience:
    """The number of tries and the time limits of a maker. Tests use smaller values.

    opening: seconds allowed for finding a video. longest_download: seconds allowed for downloading
    a whole one, however long it is; after them a clip is not tried again in one run.
    attempts: tries per clip in one run, while its failure may pass. first_wait, longest_wait:
    seconds between tries, growing, with jitter. start_up: seconds allowed for connecting, seeking
    and starting, on top of reading. slowest: seconds of video per second; a window that is read
    more slowly is given up, and the whole video is downloaded. (YouTube slows some direct readers
    of long videos to 32 KiB/s, half of what 360p needs.) repacking: seconds allowed for copying a
    whole video into another container. decoding: seconds allowed for decoding or encoding a whole
    local file, on top of the time for its bytes.
    """

    attempts: int = 3
    first_wait: float = 0.5
    longest_wait: float = 8.0
    start_up: float = 20.0
    slowest: float = 0.2
    opening: float = 120.0
    longest_download: float = 3600.0
    repacking: float = 300.0
    decoding: float = 120.0


@dataclass(frozen=True, slots=True)
class MakerSpec:
    """How workers make the clips of a source.

    form: WINDOWS or WHOLE. open: called once in each worker; it must be picklable and returns a
    `Fetcher` or `LocalFiles`. place: how whole files get into the dataset, one of `config.PLACES`.
    """

    form: str
    open: Callable[[], Any]
    place: str = ""


@dataclass(frozen=True, slots=True)
class Grouping:
    """How the clips of a source are grouped into jobs.

    together: the most videos in one job. processes: the most workers; None leaves it to the user.
    """

    together: int = 1
    processes: int | None = None


@dataclass(frozen=True, slots=True)
class PacingPolicy:
    """How requests to one source are paced.

    first_wait: seconds of the first wait after a refusal; each further wait is twice as long.
    per_hour: starts in any rolling hour, 0 for no limit. max_wait: total seconds of waiting.
    spacing: seconds between two starts after the first block. abreast: starts without an answer at
    one time, 0 for no limit.
    """

    first_wait: float = 60.0
    per_hour: int = 0
    max_wait: float = 6 * HOUR
    spacing: float = 0.0
    abreast: int = 2

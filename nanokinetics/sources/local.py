"""Local files as a source: plain files, members of archives, and archives read as streams.

The source is only read, never changed.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tarfile
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from nanokinetics.clip import (
    LOCATION,
    WHOLE,
    Clip,
    ClipId,
    Grouping,
    Location,
    MakerSpec,
    seconds,
)
from nanokinetics.common.extras import needed
from nanokinetics.common.logs import logger
from nanokinetics.config import COPY, HARDLINK, SYMLINK, TRANSCODE, MakingConfig, SampleConfig
from nanokinetics.errors import Failure, InputError, Reason
from nanokinetics.sources import Source, zips
from nanokinetics.sources.archives import (
    ZIP,
    UnreadableError,
    kind_of,
    opened,
    seek_member,
    streamed,
)
from nanokinetics.sources.reading import Root, reading
from nanokinetics.sources.scan import Scan, scan
from nanokinetics.sources.suffixes import IMAGES, VIDEOS, endings

if TYPE_CHECKING:
    import pandas as pd

CHUNK: Final = 1 << 20
"""Bytes per read."""

LARGEST_FILE: Final = 64_000_000_000
LARGEST_IMAGE: Final = 500_000_000
"""Bytes. A few kilobytes of an archive may unpack to any number; an image is read into memory."""

SMALL_FILES: Final = 64
"""Number of small files in one job, which are flushed to the disk together."""


_log = logger(__name__)


@dataclass(frozen=True)
class Local(Source):
    """A folder or an archive on this machine."""

    name: ClassVar = "local"
    from_src: ClassVar = True
    unused: ClassVar = MappingProxyType(
        dict.fromkeys(
            ("max_per_hour", "canary", "cookies", "proxy", "yt_dlp_args"),
            "local files are read without any network",
        )
    )

    src: Path
    place: str

    @classmethod
    def of(cls, config: SampleConfig) -> Self:
        if config.src is None:
            raise InputError(f"name the folder of the {config.dataset} files with --src DIR")
        place = config.place if isinstance(config, MakingConfig) else None
        return cls(config.src, place or COPY)

    def scan(self, index: Path | None = None, *, listed: bool = False) -> Scan:
        found = scan(self.src, index, listed=listed)
        _log.info(
            "%s: %d files, %d members of archives, %d archives to be read as streams",
            self.src,
            len(found.files),
            len(found.members),
            len(found.streams),
        )
        if (found.members or found.streams) and self.place in (HARDLINK, SYMLINK):
            raise InputError(
                f"--place {self.place} needs files, and --src holds archives; use copy"
            )
        return found

    def locate(self, candidates: pd.DataFrame, found: Scan) -> tuple[pd.DataFrame, tuple[str, ...]]:
        from nanokinetics.sources.located import locate  # pandas, which workers do not need

        return locate(candidates, found, VIDEOS)

    def require(self, located: pd.DataFrame, found: Scan) -> None:
        """Raises InputError if the source has none of the wanted files, such as a wrong folder.

        Raises EnvironmentFault if there are images but Pillow is not installed.
        """
        if not found.unlisted and not (located[LOCATION[0]] != "").any():
            why = f": {found.doubt.message}" if found.doubt else ""
            raise InputError(
                f"--src {self.src}: holds none of the files that the annotations name{why}"
            )
        names = itertools.chain(found.files, (member.name for member in found.members))
        if endings(names, IMAGES):
            needed("PIL", "images")

    def recorded(self) -> Mapping[str, Any]:
        return {"src": str(self.src), "place": self.place}

    def grouping(self, found: Scan | None) -> Grouping:
        """A stream is read once, by one process, for all its clips. Small files come in groups."""
        if found and found.streams:
            return Grouping(together=sys.maxsize, processes=1)
        return Grouping(together=1 if self.place == TRANSCODE else SMALL_FILES)

    def has_again(self, clip: Clip, message: str, found: Scan | None) -> bool:
        """A file counts if it is there now; a stream counts again if it has changed since."""
        if found is None:
            return False
        return clip.location is not None or (
            bool(found.unlisted) and _state(found.state) not in message
        )

    def maker(self, found: Scan | None) -> MakerSpec:
        if found is None:
            raise ValueError("a local source is scanned before clips are made of it")
        root = Root(str(found.root.resolve()), found.identity)
        absent = found.doubt or Failure(
            Reason.NOT_FOUND,
            "it is not in the source" + (_state(found.state) if found.unlisted else ""),
        )
        is_listed = not found.unlisted
        files = partial(LocalFiles, root, found.streams, absent, is_listed=is_listed)
        return MakerSpec(WHOLE, files, place=self.place)


def _state(digest: str) -> str:
    """What the message of a `not_found` says of the streams, so that a change of them shows."""
    return f" (archives as of {digest})"


@dataclass(frozen=True, slots=True)
class Origin:
    """The place of a clip's bytes: a file, or a section of an archive.

    own: whether it is a temporary copy, which may be moved into the dataset. zipped: whether the
    archive is a zip.
    """

    path: str
    location: Location
    own: bool = False
    zipped: bool = False

    @property
    def size(self) -> int:
        """The size in bytes. Raises OSError."""
        location = self.location
        return location.size if location.is_member else os.stat(self.path).st_size  # noqa: PTH116

    def read(self) -> bytes:
        """Read all bytes.

        Raises OSError that names the file, and EOFError or DamagedZipError for a damaged archive.
        """
        with reading(self.path), open(self.path, "rb") as file:  # noqa: PTH123 - a Path for each of a million files
            if not self.location.is_member:
                return file.read()
            if self.zipped:
                return b"".join(zips.chunks(file, self.location))
            seek_member(file, self.location)
            data = file.read(self.location.size)
        if len(data) < self.location.size:
            raise EOFError(f"{self.path} ends within {self.location.name}")
        return data

    def extracted(self, target: Path) -> Origin:
        """Copy the bytes into a file of their own. Raises what `read` raises."""
        location = self.location
        with Path(self.path).open("rb") as source, target.open("wb") as copy:
            if self.zipped:
                for data in _named(zips.chunks(source, location), self.path):
                    copy.write(data)
            else:
                with reading(self.path):
                    seek_member(source, location)
                offset, size = location.offset, location.size
                copy_bytes(source.fileno(), copy.fileno(), offset, size, self.path)
        return Origin(str(target), Location(location.name), own=True)


def _named(chunks: Iterator[bytes], path: str) -> Iterator[bytes]:
    """The pieces of a file; an error of reading one names the file."""
    while True:
        with reading(path):
            data = next(chunks, None)
        if data is None:
            return
        yield data


@dataclass(frozen=True, slots=True)
class Arrival:
    """A member of a stream, extracted to `path`, and the clips that need it."""

    clips: tuple[Clip, ...]
    name: str
    path: Path


class LocalFiles:
    """Gives a worker the local files for its clips.

    root: the folder that locations are relative to. streams: the archives that must be read from
    the beginning, each as a sequence of its parts. absent: the failure of a clip that is nowhere.
    is_listed: whether the contents of the streams are known, so that each clip in them has a
    location.
    """

    def __init__(
        self,
        root: Root | str,
        streams: Sequence[Sequence[str]],
        absent: Failure | None = None,
        *,
        is_listed: bool = False,
    ) -> None:
        self.source = Root(root) if isinstance(root, str) else root
        self.root = Path(self.source.path)
        self.absent = absent or Failure(Reason.NOT_FOUND, "it is not in the source")
        self._streams = streams
        self._is_listed = is_listed
        self._seen: frozenset[str] | None = None
        self._numbers = itertools.count(1)
        self._zips: dict[str, bool] = {}

    def origin(self, location: Location) -> Origin:
        """Where the bytes of a file or a member are. Raises OSError that names the archive."""
        path = f"{self.source.path}/{location.path}"
        if location.is_member and location.path not in self._zips:
            with reading(path):
                self._zips[location.path] = kind_of(Path(path)) == ZIP
        return Origin(path, location, zipped=self._zips.get(location.path, False))

    def arriving(self, clips: Sequence[Clip], folder: Path) -> Iterator[Arrival | Failure]:
        """Read the streams once, and extract the files of the clips into `folder`.

        A clip with a location is a member of that name; another one is known by its base name.

        The order is that of the archive, and a clip arrives at most once. A Failure means that the
        rest of an archive cannot be read. Raises OSError if `folder` cannot be written to.
        """
        by_member: defaultdict[tuple[str, str], list[Clip]] = defaultdict(list)
        pending: defaultdict[str, list[Clip]] = defaultdict(list)
        for clip in clips:
            if clip.location is not None:
                by_member[clip.location.path, clip.location.name].append(clip)
                continue
            for name in () if self._is_listed else names_of(clip):
                pending[name].append(clip)
        unplaced = [clip for clip in clips if clip.location is None and not self._is_listed]
        if not by_member and not any(self._may_hold(*names_of(clip)) for clip in unplaced):
            return
        arrived: set[ClipId] = set()

        def is_wanted(archive: str, member: str) -> bool:
            if (archive, member) in by_member:
                return True
            return bool(pending) and _is_wanted(pending, member)

        only = None if pending else frozenset(archive for archive, _ in by_member)
        for each in self.passing(is_wanted, folder, only):
            if isinstance(each, Failure):
                yield each
                continue
            archive, member, path = each
            named = by_member.pop((archive, member), None)
            meant = _meant(pending, member) if named is None else named
            waiting = tuple(clip for clip in meant if clip.id not in arrived)
            arrived.update(clip.id for clip in waiting)
            if waiting:
                yield Arrival(waiting, PurePosixPath(member).name, path)
            else:
                path.unlink()

    def passing(
        self,
        wanted: Callable[[str, str], bool],
        folder: Path,
        only: frozenset[str] | None = None,
    ) -> Generator[tuple[str, str, Path] | Failure, None, None]:
        """Read the streams once, from the beginning, and extract the wanted members.

        wanted: decides from the first part of the archive and the path of the member. only: the
        archives to read, if not all. Gives both names for each wanted member, and its file in
        `folder`; the caller takes or removes that file. Gives a Failure if the rest of an archive
        cannot be read. Raises OSError if `folder` cannot be written to; errors of the source are no
        OSError (see `opened`).
        """
        seen: set[str] = set()
        whole = True
        for parts in self._streams:
            if only is not None and parts[0] not in only:
                whole = False
                continue
            try:
                with opened(self.root, parts) as archive:
                    for member, size, content in streamed(archive):
                        name = PurePosixPath(member)
                        seen.add(name.stem)
                        if wanted(parts[0], member):
                            target = folder / f"member{next(self._numbers)}{name.suffix}"
                            with target.open("wb") as copy:
                                if size > LARGEST_FILE:  # its size alone gets it refused
                                    copy.truncate(LARGEST_FILE + 1)
                                else:
                                    shutil.copyfileobj(content, copy, CHUNK)
                            yield parts[0], member, target
            except UnreadableError as error:
                whole = False
                yield self._of_part(error)
            except tarfile.TarError as error:
                whole = False
                yield Failure(Reason.ARCHIVE_DAMAGED, f"{parts[0]} is damaged: {error}")
        self._seen = frozenset(seen) if whole else self._seen

    def _of_part(self, error: UnreadableError) -> Failure:
        """The failure of the clips in an archive whose part cannot be read."""
        found = self.source.failure(str(error.path), error.error)
        if found.reason is Reason.NOT_FOUND:
            return Failure(Reason.ARCHIVE_DAMAGED, f"{error.path} is missing")
        return found

    def _may_hold(self, *names: str) -> bool:
        """Whether the streams may have a member with one of these base names."""
        return self._seen is None or any(name in self._seen for name in names)


def names_of(clip: Clip) -> tuple[str, ...]:
    """The base names, without extension, that the file of a clip or of its video may have."""
    if not clip.youtube_id:
        return (clip.key.rpartition("/")[2],)
    start, end = clip.time_start or 0.0, clip.time_end or 0.0
    return (*trimmed_names(clip.key, clip.youtube_id, start, end), clip.youtube_id)


def trimmed_names(key: str, youtube_id: str, start: float, end: float) -> tuple[str, ...]:
    """The base names of a clip that is cut already: with times of six digits, or as they are.

    The crawler of ActivityNet writes the first, others write the times as the annotations do.
    """
    plain = f"{youtube_id}_{seconds(start)}_{seconds(end)}"
    return (key, plain) if plain != key else (key,)


def is_cut(stem: str, clip: Clip) -> bool:
    """Whether a file of this name is the clip itself, and not the video with its window."""
    return stem in names_of(clip) and stem != clip.youtube_id


def _is_wanted(pending: Mapping[str, Sequence[Clip]], member: str) -> bool:
    clips = _meant(pending, member)
    # An image with the name of a video is its thumbnail.
    kinds = VIDEOS if any(clip.window for clip in clips) else VIDEOS | IMAGES
    return bool(clips) and PurePosixPath(member).suffix.lower() in kinds


def _meant(pending: Mapping[str, Sequence[Clip]], member: str) -> Sequence[Clip]:
    """The clips whose file a member may be: its base name is theirs, and so is its folder.

    Two classes often have files of one name. So a member without a folder, or a key without one,
    is taken only if the base name is that of one key.
    """
    path = PurePosixPath(member)
    clips = pending.get(path.stem, ())
    own = path.parent.name.casefold()
    same = [c for c in clips if c.youtube_id or PurePosixPath(c.key).parent.name.casefold() == own]
    if same or len({clip.key for clip in clips}) != 1:
        return same
    return clips if not own or "/" not in clips[0].key else ()


def copy_bytes(source: int, target: int, offset: int, size: int, path: str) -> None:
    """Copy `size` bytes at `offset` to the position of the target; in the kernel if possible.

    path: of the source, which an error of reading names. Raises EOFError if the source is too
    short.
    """
    quick = hasattr(os, "copy_file_range")
    while size:
        if quick:
            try:
                count = os.copy_file_range(source, target, min(size, 1 << 30), offset)
            except OSError:
                quick = False  # two file systems, one without this feature, or an error of either
                continue
        else:
            with reading(path):
                data = os.pread(source, min(size, CHUNK), offset)
            count = os.write(target, data) if data else 0
        if not count:
            raise EOFError(f"{path} ends early")
        offset, size = offset + count, size - count

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
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from nanokinetics.clip import LOCATION, WHOLE, Clip, ClipId, Grouping, Location, MakerSpec
from nanokinetics.common.extras import needed
from nanokinetics.common.logs import logger
from nanokinetics.config import COPY, HARDLINK, SYMLINK, TRANSCODE, BuildConfig, SampleConfig
from nanokinetics.errors import Failure, InputError, Reason
from nanokinetics.sources import Source
from nanokinetics.sources.archives import is_plain, opened
from nanokinetics.sources.scan import IMAGES, VIDEOS, Scan, endings, scan

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

    src: Path
    place: str

    @classmethod
    def of(cls, config: SampleConfig) -> Self:
        if config.src is None:
            raise InputError(f"name the folder of the {config.dataset} files with --src DIR")
        place = config.place if isinstance(config, BuildConfig) else None
        return cls(config.src, place or COPY)

    def scan(self, index: Path | None = None) -> Scan:
        found = scan(self.src, index)
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

    def locate(self, candidates: pd.DataFrame, found: Scan) -> pd.DataFrame:
        from nanokinetics.sources.located import locate  # pandas, which workers do not need

        return locate(candidates, found, VIDEOS)

    def require(self, located: pd.DataFrame, found: Scan) -> None:
        """Raises InputError if the source has none of the wanted files, such as a wrong folder.

        Raises EnvironmentFault if there are images but Pillow is not installed.
        """
        if not found.streams and not (located[LOCATION[0]] != "").any():
            raise InputError(f"--src {self.src}: holds none of the files that the annotations name")
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

    def maker(self, found: Scan | None) -> MakerSpec:
        if found is None:
            raise ValueError("a local source is scanned before clips are made of it")
        files = partial(LocalFiles, str(found.root.resolve()), found.streams)
        return MakerSpec(WHOLE, files, place=self.place)


@dataclass(frozen=True, slots=True)
class Origin:
    """The place of a clip's bytes: a file, or a section of an archive.

    own: whether it is a temporary copy, which may be moved into the dataset.
    """

    path: str
    location: Location
    own: bool = False

    @property
    def size(self) -> int:
        """The size in bytes. Raises OSError."""
        location = self.location
        return location.size if location.is_member else os.stat(self.path).st_size  # noqa: PTH116

    def read(self) -> bytes:
        """Read all bytes. Raises OSError, and EOFError for a truncated archive."""
        with open(self.path, "rb") as file:  # noqa: PTH123 - a Path for each of a million files
            if not self.location.is_member:
                return file.read()
            file.seek(self.location.offset)
            data = file.read(self.location.size)
        if len(data) < self.location.size:
            raise EOFError(f"{self.path} ends within {self.location.name}")
        return data

    def extracted(self, target: Path) -> Origin:
        """Copy the bytes into a file of their own. Raises OSError or EOFError."""
        location = self.location
        with Path(self.path).open("rb") as source, target.open("wb") as copy:
            copy_bytes(source.fileno(), copy.fileno(), location.offset, location.size)
        return Origin(str(target), Location(location.name), own=True)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A member of a stream, extracted to `path`, and the clips that need it."""

    clips: tuple[Clip, ...]
    name: str
    path: Path


class LocalFiles:
    """Gives a worker the local files for its clips.

    root: the folder that locations are relative to. streams: the archives that must be read from
    the beginning, each as a sequence of its parts.
    """

    def __init__(self, root: str, streams: Sequence[Sequence[str]]) -> None:
        self.root = Path(root)
        self._streams = streams
        self._seen: frozenset[str] | None = None
        self._numbers = itertools.count(1)

    def origin(self, location: Location) -> Origin:
        return Origin(f"{self.root}/{location.path}", location)

    def arriving(self, clips: Sequence[Clip], folder: Path) -> Iterator[Arrival | Failure]:
        """Read the streams once, and extract the files of the clips into `folder`.

        The order is that of the archive, and a clip arrives at most once. A Failure means that the
        rest of an archive cannot be read. Raises OSError if `folder` cannot be written to, or if a
        part cannot be opened.
        """
        pending: defaultdict[str, list[Clip]] = defaultdict(list)
        for clip in clips:
            for name in names_of(clip):
                pending[name].append(clip)
        if not any(self._may_hold(*names_of(clip)) for clip in clips):
            return
        arrived: set[ClipId] = set()
        for each in self.passing(partial(_is_wanted, pending), folder):
            if isinstance(each, Failure):
                yield each
                continue
            member, path = each
            waiting = tuple(c for c in _meant(pending, member) if c.id not in arrived)
            arrived.update(clip.id for clip in waiting)
            if waiting:
                yield Arrival(waiting, PurePosixPath(member).name, path)
            else:
                path.unlink()

    def passing(
        self, wanted: Callable[[str], bool], folder: Path
    ) -> Generator[tuple[str, Path] | Failure, None, None]:
        """Read the streams once, from the beginning, and extract the wanted members.

        wanted: decides from the path of a member. Gives the path of each wanted member and its
        file in `folder`; the caller takes or removes that file. Gives a Failure if the rest
        of an archive cannot be read. Raises OSError if `folder` cannot be written to; errors of the
        source are no OSError (see `opened`).
        """
        seen: set[str] = set()
        whole = True
        for parts in self._streams:
            try:
                with opened(self.root, parts) as archive:
                    for member in archive:
                        archive.members = []  # type: ignore[attr-defined]  # or all would stay
                        name = PurePosixPath(member.name)
                        if not is_plain(member):
                            continue
                        seen.add(name.stem)
                        content = archive.extractfile(member) if wanted(member.name) else None
                        if content is not None:
                            target = folder / f"member{next(self._numbers)}{name.suffix}"
                            with target.open("wb") as copy:
                                if member.size > LARGEST_FILE:  # its size alone gets it refused
                                    copy.truncate(LARGEST_FILE + 1)
                                else:
                                    shutil.copyfileobj(content, copy, CHUNK)
                            yield member.name, target
            except tarfile.TarError as error:
                whole = False
                yield Failure(Reason.TRUNCATED, f"{parts[0]} is damaged: {error}")
        self._seen = frozenset(seen) if whole else None

    def _may_hold(self, *names: str) -> bool:
        """Whether the streams may have a member with one of these base names."""
        return self._seen is None or any(name in self._seen for name in names)


def names_of(clip: Clip) -> tuple[str, ...]:
    """The base names, without extension, that the file of a clip or of its video may have."""
    stem = clip.key.rpartition("/")[2]
    return (stem, clip.youtube_id) if clip.youtube_id else (stem,)


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


def copy_bytes(source: int, target: int, offset: int, size: int) -> None:
    """Copy `size` bytes at `offset` to the position of the target; in the kernel if possible.

    Raises EOFError if the source is too short.
    """
    quick = hasattr(os, "copy_file_range")
    while size:
        try:
            if quick:
                count = os.copy_file_range(source, target, min(size, 1 << 30), offset)
            else:
                count = os.write(target, os.pread(source, min(size, CHUNK), offset))
        except OSError:
            if not quick:
                raise
            quick = False  # two file systems, or one without this feature
            continue
        if not count:
            raise EOFError("the file ends before its member")
        offset, size = offset + count, size - count

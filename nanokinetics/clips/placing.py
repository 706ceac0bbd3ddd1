"""Local file to outcome: bring it, put it into shape, check what came out. In a worker process.

What `worker` is for videos that must be fetched. The source is only ever read.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final

from nanokinetics.clip import Clip, ClipId, Failed, Job, Location, Made, Media, Outcome
from nanokinetics.clips.cut import cut
from nanokinetics.clips.ffmpeg import Ffmpeg
from nanokinetics.clips.images import look_at_image
from nanokinetics.clips.judge import judge
from nanokinetics.clips.measure import measure
from nanokinetics.common.files import digest_of
from nanokinetics.common.folder import Folder
from nanokinetics.common.system import flush_folder
from nanokinetics.config import HARDLINK, SYMLINK, TRANSCODE, VideoConfig
from nanokinetics.errors import Failure, Reason
from nanokinetics.layout import MP4, TEMPORARY, Layout
from nanokinetics.sources import diagnosis
from nanokinetics.sources.local import LocalFetcher, copy_bytes
from nanokinetics.sources.scan import IMAGES, VIDEOS
from nanokinetics.sources.stream import Stream

SLOWEST_COPY: Final = 1e6
"""Bytes a second at which even a slow disk and a slow decoder get through a video."""

START_UP: Final = 120.0
"""Seconds that decoding or encoding a video may take on top."""

SHORTENED: Final = 0.1
"""Seconds by which a video may come out shorter than its header says: sound is often longer."""

FLUSHED_AT_ONCE: Final = 64
"""Clips that are brought to the disk together, which takes much less than one by one."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a clip's bytes are: a file, or a part of an archive. `own`: our copy, to be moved."""

    path: str
    location: Location
    own: bool = False

    def read(self) -> bytes:
        """All of it. Raises OSError, or EOFError where an archive is cut short."""
        with open(self.path, "rb") as file:  # noqa: PTH123 - a Path for each of a million files
            if not self.location.is_member:
                return file.read()
            file.seek(self.location.offset)
            data = file.read(self.location.size)
        if len(data) < self.location.size:
            raise EOFError(f"{self.path} ends within {self.location.name}")
        return data


@dataclass(frozen=True, slots=True)
class PlacerConfig:
    """All that a worker for local files is told.

    source: the folder that locations are relative to. streams: its archives that must be read from
    the beginning, each as its parts. place: one of `config.PLACES`.
    """

    layout: Layout
    video: VideoConfig
    ffmpeg: Ffmpeg
    threads: int
    source: Path
    streams: tuple[tuple[str, ...], ...]
    place: str


class Placer:
    """Makes clips of local files, one after the other."""

    def __init__(self, config: PlacerConfig) -> None:
        self._config = config
        self._source = str(config.source)
        self._folder = config.layout.temporary / str(os.getpid())
        self._fetcher = LocalFetcher(config.source, config.streams)
        self._count = 0

    def work(self, job: Job) -> Iterator[tuple[Outcome, ...]]:
        """One outcome for each clip of a job, those that were flushed together in one piece. The
        streams are read once for all that need them."""
        outcomes = self._outcomes(job)
        encodes = self._config.place == TRANSCODE or job.clips[0].time_start is not None
        while batch := list(islice(outcomes, 1 if encodes else FLUSHED_AT_ONCE)):
            yield self._flushed(batch)

    def _flushed(self, batch: Sequence[Outcome]) -> tuple[Outcome, ...]:
        """The same outcomes once their files are on the disk: nothing is said of one before."""
        try:
            if any(isinstance(outcome, Made) for outcome in batch):
                flush_folder(self._folder)
        except OSError as error:
            fault = self._fault(error)
            return tuple(Failed(outcome.clip, fault) for outcome in batch)
        return tuple(batch)

    def _outcomes(self, job: Job) -> Iterator[Outcome]:
        try:
            Folder(self._config.layout.root).make(f"{TEMPORARY}/{self._folder.name}")
        except OSError as error:
            fault = self._fault(error)
            yield from (Failed(clip, fault) for clip in job.clips)
            return
        unplaced = []
        for clip in job.clips:
            if clip.location is None:
                unplaced.append(clip)
            else:
                path = f"{self._source}/{clip.location.path}"
                yield self._outcome(clip, _Origin(path, clip.location))
        if unplaced:
            yield from self._from_streams(unplaced)

    def _from_streams(self, clips: Sequence[Clip]) -> Iterator[Outcome]:
        pending: defaultdict[str, list[Clip]] = defaultdict(list)
        done: set[ClipId] = set()
        for clip in clips:
            for name in names_of(clip):
                pending[name].append(clip)
        if not any(self._fetcher.may_hold(*names_of(clip)) for clip in clips):
            pending.clear()
        damage: Failure | None = None
        broken: list[Failed] = []
        for each in self._passing(pending):
            if isinstance(each, Failure):
                damage = each
                continue
            name, path = each
            waiting = [c for c in pending.pop(PurePosixPath(name).stem, ()) if c.id not in done]
            for clip in waiting:
                done.add(clip.id)
                own = clip is waiting[-1]
                outcome = self._outcome(clip, _Origin(str(path), Location(name), own=own))
                taken = isinstance(outcome, Made) and outcome.temporary == str(path)
                if own and not taken:
                    path.unlink(missing_ok=True)
                if isinstance(outcome, Failed):
                    broken.append(outcome)  # its own fault, unless the archive turns out damaged
                else:
                    yield outcome
            if not waiting:
                path.unlink()
            if len(done) == len(clips) and not broken:
                break  # the rest of a large archive takes minutes to read
        yield from (replace(each, failure=damage or each.failure) for each in broken)
        for clip in clips:
            if clip.id not in done:
                yield Failed(clip, damage or Failure(Reason.NOT_FOUND, "it is not in the source"))

    def _passing(
        self, pending: Mapping[str, Sequence[Clip]]
    ) -> Iterator[tuple[str, Path] | Failure]:
        try:
            if pending:
                yield from self._fetcher.passing(partial(_is_wanted, pending), self._folder)
        except OSError as error:
            fault = self._fault(error)
            own = fault.reason is Reason.UNDECODABLE  # a file of the source: left for the next run
            yield replace(fault, reason=Reason.TRUNCATED) if own else fault

    def _outcome(self, clip: Clip, origin: _Origin) -> Outcome:
        began = time.monotonic()
        said: list[str] = []
        try:
            result = self._make(clip, origin, said)
        except EOFError as error:
            result = Failure(Reason.UNDECODABLE, str(error))
        except OSError as error:
            result = self._fault(error)
        if isinstance(result, Failure):
            return Failed(clip, result, log="\n".join(said))
        return replace(result, total_seconds=time.monotonic() - began)

    def _make(self, clip: Clip, origin: _Origin, said: list[str]) -> Made | Failure:
        suffix = origin.location.suffix
        is_image = suffix.lower() in IMAGES
        links = self._config.place in (HARDLINK, SYMLINK)
        if is_image and not links:
            return self._copy_image(clip, origin, suffix)
        if origin.location.is_member:
            origin = self._extracted(origin)
        path = Path(origin.path)
        if not is_image and _begins_like_a_picture(path):
            return Failure(Reason.UNDECODABLE, "it is a picture, not a video")
        window = _window(clip) if origin.location.stem != clip.key else None
        if window is not None or (self._config.place == TRANSCODE and not is_image):
            return self._encode(clip, path, window, said)
        target = path if origin.own else Path(self._new(suffix))
        if not origin.own:
            self._place(path, target)
        looked = look_at_image(target.read_bytes()) if is_image else self._look(target)
        if isinstance(looked, Failure):
            target.unlink()
            return looked
        return self._made(clip, target, looked, suffix)

    def _copy_image(self, clip: Clip, origin: _Origin, suffix: str) -> Made | Failure:
        """Read it once: to look at, to know its digest, and to write."""
        data = origin.read()
        looked = look_at_image(data)
        if isinstance(looked, Failure):
            return looked
        target = self._new(suffix)
        with open(target, "wb") as file:  # noqa: PTH123
            file.write(data)
        digest = hashlib.sha256(data).hexdigest()
        return Made(
            clip,
            target,
            "local",
            looked,
            len(data),
            digest,
            format_id=self._config.place,
            suffix=suffix,
        )

    def _extracted(self, origin: _Origin) -> _Origin:
        location = origin.location
        target = self._new(location.suffix)
        with Path(origin.path).open("rb") as source, Path(target).open("wb") as copy:
            copy_bytes(source.fileno(), copy.fileno(), location.offset, location.size)
        return _Origin(target, Location(location.name), own=True)

    def _place(self, path: Path, target: Path) -> None:
        if self._config.place == HARDLINK:
            target.hardlink_to(path.resolve())
        elif self._config.place == SYMLINK:
            target.symlink_to(path.resolve())
        else:
            with path.open("rb") as source, target.open("wb") as copy:
                size = os.fstat(source.fileno()).st_size
                copy_bytes(source.fileno(), copy.fileno(), 0, size)

    def _encode(
        self, clip: Clip, path: Path, window: tuple[float, float] | None, said: list[str]
    ) -> Made | Failure:
        """The window of a whole video, or all of it, as mp4 at the capped resolution."""
        config, target = self._config, Path(self._new(MP4))
        done = cut(
            config.ffmpeg,
            [Stream(str(path))],
            window,
            config.video,
            target,
            threads=config.threads,
            timeout=_patience(path),
        )
        said.append(f"ffmpeg {config.ffmpeg.version}\n{done.log}")
        found = self._look(target) if done.returncode == 0 else None
        media_found = found if isinstance(found, Media) else None
        wrong = None
        if window and done.returncode == 0:
            wrong = judge(window, media_found, ends_at=done.input_duration, whole=True)
        if media_found is None or wrong:
            target.unlink(missing_ok=True)
            return wrong or Failure(Reason.UNDECODABLE, "ffmpeg cannot read the video")
        told = done.input_duration or 0.0
        if not window and media_found.duration < told - media_found.longest_frame - SHORTENED:
            # The header counts the sound too; only then is it worth while to look at the source.
            whole = self._look(path)
            if isinstance(whole, Failure) or media_found.duration < whole.duration - SHORTENED:
                target.unlink()
                return Failure(
                    Reason.UNDECODABLE, f"only {media_found.duration:.2f} of {told:.2f} s are there"
                )
        return self._made(clip, target, media_found, MP4, seconds=done.seconds)

    def _look(self, path: Path) -> Media | Failure:
        found = measure(self._config.ffmpeg, path, decode=True, timeout=_patience(path))
        return found or Failure(Reason.UNDECODABLE, "the video cannot be read to its end")

    def _made(
        self,
        clip: Clip,
        target: Path,
        found: Media,
        suffix: str,
        *,
        seconds: float = 0.0,
    ) -> Made:
        with target.open("rb") as file:
            digest, size = digest_of(file), os.fstat(file.fileno()).st_size
        return Made(
            clip,
            str(target),
            "local",
            found,
            size,
            digest,
            trim_seconds=seconds,
            format_id=self._config.place,
            suffix=suffix,
        )

    def _fault(self, error: OSError) -> Failure:
        """Whose fault an error of the file system is: that of the source's file, or everybody's."""
        where = str(error.filename or "")
        if (
            error.errno in (errno.EXDEV, errno.EMLINK, errno.EPERM)
            and self._config.place == HARDLINK
        ):
            why = "the destination cannot hold hard links to the source; use --place copy"
            return Failure(Reason.NOT_WRITABLE, f"{why} ({error.strerror})")
        if where and Path(where).is_relative_to(self._config.source):
            return Failure(Reason.UNDECODABLE, f"{where}: {error.strerror}")
        fault = diagnosis.of_os_error(error, self._config.ffmpeg.path)
        if fault is None:
            raise error
        return fault

    def _new(self, suffix: str) -> str:
        self._count += 1
        return f"{self._folder}/{self._count}{suffix}"


def names_of(clip: Clip) -> tuple[str, ...]:
    """The base names, without extension, that a clip's file or its whole video may have."""
    stem = clip.key.rpartition("/")[2]
    return (stem, clip.youtube_id) if clip.youtube_id else (stem,)


def _begins_like_a_picture(path: Path) -> bool:
    """Whether ffmpeg would take a file that is called a video for one of a single frame."""
    with path.open("rb") as file:
        return file.read(16).startswith(_PICTURES)


_PICTURES: Final = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM")
"""How pictures begin."""


def _is_wanted(pending: Mapping[str, Sequence[Clip]], name: str) -> bool:
    path = PurePosixPath(name)
    clips = pending.get(path.stem, ())
    # A picture called like a video is its thumbnail.
    kinds = VIDEOS if any(map(_window, clips)) else VIDEOS | IMAGES
    return bool(clips) and path.suffix.lower() in kinds


def _window(clip: Clip) -> tuple[float, float] | None:
    if clip.time_start is None or clip.time_end is None:
        return None
    return clip.time_start, clip.time_end


def _patience(path: Path) -> float:
    return START_UP + path.stat().st_size / SLOWEST_COPY

"""The maker of clips from files taken whole: copies, links or transcodes each, and checks it."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

from nanokinetics.clip import Clip, ClipId, Failed, Job, Location, Made, Media, Outcome
from nanokinetics.clips.cut import cut
from nanokinetics.clips.ffmpeg import Completed, KilledError
from nanokinetics.clips.filters import passed
from nanokinetics.clips.images import look_at_image
from nanokinetics.clips.judge import judge, too_short
from nanokinetics.clips.maker import Maker
from nanokinetics.clips.measure import is_sound_alone
from nanokinetics.common.files import digest_of
from nanokinetics.common.system import flush_folder
from nanokinetics.common.text import size
from nanokinetics.config import COPY, HARDLINK, SYMLINK, TRANSCODE
from nanokinetics.errors import Failure, Reason
from nanokinetics.layout import MP4
from nanokinetics.sources.local import (
    LARGEST_FILE,
    LARGEST_IMAGE,
    SMALL_FILES,
    Arrival,
    LocalFiles,
    Origin,
    copy_bytes,
    is_cut,
)
from nanokinetics.sources.reading import NOT_ALLOWED, reading
from nanokinetics.sources.stream import Stream
from nanokinetics.sources.suffixes import IMAGES
from nanokinetics.sources.zips import DamagedZipError

SLOWEST_COPY: Final = 1e6
"""Bytes per second that even a slow disk and a slow decoder reach."""

LOST: Final = 1.0
"""Seconds by which the last frame may move if `--fps` gives a video another rate."""


class WholeMaker(Maker):
    """Makes clips from the files of a `LocalFiles`."""

    _bytes_from: LocalFiles
    _is_away = False
    """Whether the last clip failed since the source is away, however often it was tried."""

    def work(self, job: Job) -> Iterator[tuple[Outcome, ...]]:
        """Do a job: gives one outcome for each clip; clips flushed together come as one tuple.

        Streams are read once for all clips that need them.
        """
        outcomes = self._outcomes(job)
        encodes = self._how == TRANSCODE or job.clips[0].window is not None
        while batch := list(islice(outcomes, 1 if encodes else SMALL_FILES)):
            yield self._flushed(batch)

    def _flushed(self, batch: Sequence[Outcome]) -> tuple[Outcome, ...]:
        """Flush the files to the disk, then return their outcomes: no outcome may come earlier."""
        try:
            if any(isinstance(outcome, Made) for outcome in batch):
                flush_folder(self._folder)
        except OSError as error:
            fault = self._fault(error)
            return tuple(Failed(outcome.clip, fault) for outcome in batch)
        return tuple(batch)

    def _outcomes(self, job: Job) -> Iterator[Outcome]:
        try:
            self._make_folder()
        except OSError as error:
            fault = self._fault(error)
            yield from (Failed(clip, fault) for clip in job.clips)
            return
        unplaced = []
        for clip in job.clips:
            if clip.location is None or clip.location.is_streamed:
                unplaced.append(clip)
            else:
                yield self._outcome(clip, clip.location)
        if unplaced:
            yield from self._from_streams(unplaced)

    def _from_streams(self, clips: Sequence[Clip]) -> Iterator[Outcome]:
        done: set[ClipId] = set()
        damage: Failure | None = None
        broken: list[Failed] = []
        for each in self._arriving(clips):
            if isinstance(each, Failure):
                damage = each
                continue
            for clip in each.clips:
                done.add(clip.id)
                own = clip is each.clips[-1]
                origin = Origin(str(each.path), Location(each.name), own=own)
                outcome = self._outcome(clip, clip.location, origin)
                taken = isinstance(outcome, Made) and outcome.temporary == str(each.path)
                if own and not taken:
                    self._discard(each.path)
                if isinstance(outcome, Failed):
                    broken.append(outcome)  # the clip's own fault, unless the archive is damaged
                else:
                    yield outcome
            if len(done) == len(clips) and not broken:
                break  # the rest of a large archive takes minutes to read
        yield from (replace(each, failure=damage or each.failure) for each in broken)
        for clip in clips:
            if clip.id not in done:
                yield Failed(clip, damage or self._bytes_from.absent)

    def _arriving(self, clips: Sequence[Clip]) -> Iterator[Arrival | Failure]:
        try:
            yield from self._bytes_from.arriving(clips, self._folder)
        except OSError as error:
            yield self._fault(error)

    def _outcome(
        self, clip: Clip, location: Location | None, arrived: Origin | None = None
    ) -> Outcome:
        """Make one clip, from its location or from its file of a stream.

        While the source is away, it is tried again a few times. Once that was in vain, each further
        clip is tried once, until one succeeds: all of them wait for the next run.
        """
        began = time.monotonic()
        patience = self._config.patience
        log: list[str] = []
        wait = patience.first_wait
        for attempt in itertools.count(1):
            result, passes = self._attempt(clip, location, arrived, log)
            if isinstance(result, Made):
                self._is_away = False
                return replace(result, attempts=attempt, total_seconds=time.monotonic() - began)
            failure = result
            if not passes or self._is_away or attempt == patience.attempts:
                break
            time.sleep(wait * random.uniform(0.5, 1))  # noqa: S311
            wait = min(2 * wait, patience.longest_wait)
        self._is_away = passes
        return Failed(clip, failure, attempts=attempt, log="\n".join(log))

    def _attempt(
        self, clip: Clip, location: Location | None, arrived: Origin | None, log: list[str]
    ) -> tuple[Made | Failure, bool]:
        """Try once to make a clip; whether its failure may pass within seconds."""
        try:
            self._make_folder()  # a link may have taken its place since the clip before
            origin = arrived or self._bytes_from.origin(location or Location(""))
            result = self._make(clip, origin, log)
            if isinstance(result, Failure) and self._may_mean_the_way(result, clip, origin):
                # Was it the file, or the way to it? Only who reads it anew can say.
                with reading(origin.path), Path(origin.path).open("rb") as file:
                    digest_of(file)
                again: list[str] = []
                first, result = result, self._make(clip, origin, again)
                if result != first:
                    log += again
        except KilledError as error:
            return error.failure, False
        except (EOFError, DamagedZipError) as error:
            in_archive = location is not None and location.is_member
            reason = Reason.ARCHIVE_DAMAGED if in_archive else Reason.SOURCE_AWAY
            where = f"{location.path}: " if location and in_archive else ""
            return Failure(reason, f"{where}{error}"), False
        except OSError as error:
            result = self._fault(error)
            if result.reason is Reason.NOT_FOUND and location and location.is_member:
                result = Failure(Reason.ARCHIVE_DAMAGED, f"{location.path} is missing")
            is_away = result.reason is Reason.SOURCE_AWAY
            return result, is_away and error.errno not in NOT_ALLOWED
        return result, False

    def _may_mean_the_way(self, failure: Failure, clip: Clip, origin: Origin) -> bool:
        """Whether ffmpeg read the file of the source itself, so that this may have been away.

        Where a video ends, its header says; that needs no second look.
        """
        if failure.reason is Reason.OUTSIDE_VIDEO:
            return False
        if origin.own or origin.location.is_member or origin.location.suffix.lower() in IMAGES:
            return False
        return self._how != COPY or clip.window is not None

    def _make(self, clip: Clip, origin: Origin, log: list[str]) -> Made | Failure:
        suffix = origin.location.suffix
        is_image = suffix.lower() in IMAGES
        largest = LARGEST_IMAGE if is_image else LARGEST_FILE
        if origin.size > largest:
            what = "an image" if is_image else "a video"
            why = f"{origin.location.name or origin.location.path} has more than {size(largest)}"
            return Failure(Reason.UNDECODABLE, f"{why}, and {what} may not")
        links = self._how in (HARDLINK, SYMLINK)
        if is_image and not links:
            return self._copy_image(clip, origin, suffix)
        if origin.location.is_member:
            origin = origin.extracted(Path(self._new(suffix)))
        path = Path(origin.path)
        if not is_image:
            with reading(path):
                wrong = _is_no_video(path)
            if wrong:
                return Failure(Reason.UNDECODABLE, wrong)
        window = None if is_cut(origin.location.stem, clip) else clip.window
        if window is not None:
            return self._cut(clip, path, window, log)
        if self._how == TRANSCODE and not is_image:
            return self._transcode(clip, path, log)
        target = path if origin.own else Path(self._new(suffix))
        if not origin.own:
            self._place(path, target)
        if is_image:
            with reading(path):
                looked = look_at_image(target.read_bytes())
        else:
            looked = self._look(clip, target)
        if isinstance(looked, Failure):
            self._discard(target)
            return looked
        return self._made(clip, target, looked, suffix)

    def _copy_image(self, clip: Clip, origin: Origin, suffix: str) -> Made | Failure:
        """Copy an image. It is read once, for the check, the digest and the copy."""
        data = origin.read()
        looked = look_at_image(data)
        if isinstance(looked, Failure):
            return looked
        target = self._new(suffix)
        with self._begin(target) as file:
            file.write(data)
        digest = hashlib.sha256(data).hexdigest()
        return Made(
            clip,
            target,
            "local",
            looked,
            len(data),
            digest,
            format_id=self._how,
            suffix=suffix,
        )

    def _place(self, path: Path, target: Path) -> None:
        if self._how in (HARDLINK, SYMLINK):
            path.stat()  # an error of the source names the source
        self._discard(target)
        if self._how == HARDLINK:
            os.link(path.resolve(), target.name, dst_dir_fd=self._here)
        elif self._how == SYMLINK:
            os.symlink(path.resolve(), target.name, dir_fd=self._here)
        else:
            with path.open("rb") as source, self._begin(target) as copy:
                size = os.fstat(source.fileno()).st_size
                copy_bytes(source.fileno(), copy.fileno(), 0, size, str(path))

    def _cut(
        self, clip: Clip, path: Path, window: tuple[float, float], log: list[str]
    ) -> Made | Failure:
        """Encode the window of a video to mp4 at the capped resolution."""
        target, done, found = self._encode(path, window, log)
        wrong = None
        if done.returncode == 0:
            wrong = judge(
                window,
                found,
                passed=passed(done.stderr),
                ends_at=done.input_duration,
                whole=True,
            )
        if found is None or wrong:
            self._discard(target)
            return wrong or self._unreadable(path, "ffmpeg cannot read the video")
        return self._made(clip, target, found, MP4, seconds=done.seconds)

    def _transcode(self, clip: Clip, path: Path, log: list[str]) -> Made | Failure:
        """Encode a whole video to mp4. It counts if its copy would, and if all of it arrived."""
        target, done, found = self._encode(path, None, log)
        source = self._look(clip, path)
        wrong = source if isinstance(source, Failure) else None
        if isinstance(source, Media) and (found is None or _length(found) < _length(source) - LOST):
            wrong = Failure(Reason.UNDECODABLE, "ffmpeg cannot encode the video to its end")
        if found is None or wrong:
            self._discard(target)
            return wrong or self._unreadable(path, "ffmpeg cannot read the video")
        return self._made(clip, target, found, MP4, seconds=done.seconds)

    def _encode(
        self, path: Path, window: tuple[float, float] | None, log: list[str]
    ) -> tuple[Path, Completed, Media | None]:
        config, target = self._config, Path(self._new(MP4))
        done = cut(
            config.ffmpeg,
            [Stream(str(path))],
            window,
            config.video,
            target,
            threads=config.threads,
            timeout=self._patience(path),
        )
        log.append(f"ffmpeg {config.ffmpeg.version}\n{done.log}")
        done.check()
        return target, done, self._measure(target) if done.returncode == 0 else None

    def _look(self, clip: Clip, path: Path) -> Media | Failure:
        """Decode a video to its end. The verdict holds however the clip is placed."""
        found = self._measure(path, decode=True, timeout=self._patience(path))
        if found is None:
            return self._unreadable(path, "the video cannot be read to its end")
        return (too_short(clip.window, found.duration) if clip.window else None) or found

    def _unreadable(self, path: Path, why: str) -> Failure:
        """The failure of a video that cannot be decoded: it may be sound alone."""
        if is_sound_alone(self._config.ffmpeg, path):
            return Failure(Reason.NO_VIDEO_STREAM, "it holds sound, and no video")
        return Failure(Reason.UNDECODABLE, why)

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
            format_id=self._how,
            suffix=suffix,
        )

    def _fault(self, error: OSError) -> Failure:
        """The failure that an error of the file system means: of one file, or of every clip."""
        where = str(error.filename or "")
        if error.errno in (errno.EXDEV, errno.EMLINK, errno.EPERM) and self._how == HARDLINK:
            why = "the destination cannot hold hard links to the source; use --place copy"
            return Failure(Reason.NOT_WRITABLE, f"{why} ({error.strerror})")
        if self._is_of_source(where):
            return self._bytes_from.source.failure(where, error)
        return super()._fault(error)

    def _is_of_source(self, where: str) -> bool:
        """Whether a path lies in the source, and not in a dataset that is built within it."""
        path, dest = Path(where), self._config.dest
        if not where or path.is_relative_to(dest) or path.is_relative_to(dest.resolve()):
            return False
        return path.is_relative_to(self._bytes_from.root)

    @property
    def _how(self) -> str:
        """How files get into the dataset: one of `config.PLACES`."""
        return self._config.spec.place

    def _patience(self, path: Path) -> float:
        return self._config.patience.decoding + path.stat().st_size / SLOWEST_COPY


def _length(media: Media) -> float:
    """Seconds from the first frame to the last one. How long that is shown, containers make up."""
    return media.last - media.begins


def _is_no_video(path: Path) -> str:
    """Why a file named like a video is none, by its first bytes; ffmpeg would decode a picture."""
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        return "the file is empty"
    return "it is a picture, not a video" if head.startswith(_PICTURES) else ""


_PICTURES: Final = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM")
"""The first bytes of JPEG, PNG, GIF and BMP files."""

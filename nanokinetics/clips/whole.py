"""The maker of clips from files taken whole: copies, links or transcodes each, and checks it."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

from nanokinetics.clip import Clip, ClipId, Failed, Job, Location, Made, Media, Outcome
from nanokinetics.clips.cut import cut
from nanokinetics.clips.ffmpeg import Completed
from nanokinetics.clips.filters import passed
from nanokinetics.clips.images import look_at_image
from nanokinetics.clips.judge import judge, too_short
from nanokinetics.clips.maker import Maker
from nanokinetics.common.files import digest_of
from nanokinetics.common.system import flush_folder
from nanokinetics.config import HARDLINK, SYMLINK, TRANSCODE
from nanokinetics.errors import Failure, Reason
from nanokinetics.layout import MP4
from nanokinetics.sources.local import SMALL_FILES, Arrival, LocalFiles, Origin, copy_bytes
from nanokinetics.sources.scan import IMAGES
from nanokinetics.sources.stream import Stream

SLOWEST_COPY: Final = 1e6
"""Bytes per second that even a slow disk and a slow decoder reach."""

LOST: Final = 1.0
"""Seconds by which the last frame may move if `--fps` gives a video another rate."""


class WholeMaker(Maker):
    """Makes clips from the files of a `LocalFiles`."""

    _bytes_from: LocalFiles

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
            if clip.location is None:
                unplaced.append(clip)
            else:
                yield self._outcome(clip, self._bytes_from.origin(clip.location))
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
                outcome = self._outcome(clip, Origin(str(each.path), Location(each.name), own=own))
                taken = isinstance(outcome, Made) and outcome.temporary == str(each.path)
                if own and not taken:
                    each.path.unlink(missing_ok=True)
                if isinstance(outcome, Failed):
                    broken.append(outcome)  # the clip's own fault, unless the archive is damaged
                else:
                    yield outcome
            if len(done) == len(clips) and not broken:
                break  # the rest of a large archive takes minutes to read
        yield from (replace(each, failure=damage or each.failure) for each in broken)
        for clip in clips:
            if clip.id not in done:
                yield Failed(clip, damage or Failure(Reason.NOT_FOUND, "it is not in the source"))

    def _arriving(self, clips: Sequence[Clip]) -> Iterator[Arrival | Failure]:
        try:
            yield from self._bytes_from.arriving(clips, self._folder)
        except OSError as error:
            fault = self._fault(error)
            own = fault.reason is Reason.UNDECODABLE  # a file of the source: try in the next run
            yield replace(fault, reason=Reason.TRUNCATED) if own else fault

    def _outcome(self, clip: Clip, origin: Origin) -> Outcome:
        began = time.monotonic()
        log: list[str] = []
        try:
            result = self._make(clip, origin, log)
        except EOFError as error:
            result = Failure(Reason.UNDECODABLE, str(error))
        except OSError as error:
            result = self._fault(error)
        if isinstance(result, Failure):
            return Failed(clip, result, log="\n".join(log))
        return replace(result, total_seconds=time.monotonic() - began)

    def _make(self, clip: Clip, origin: Origin, log: list[str]) -> Made | Failure:
        suffix = origin.location.suffix
        is_image = suffix.lower() in IMAGES
        links = self._how in (HARDLINK, SYMLINK)
        if is_image and not links:
            return self._copy_image(clip, origin, suffix)
        if origin.location.is_member:
            origin = origin.extracted(Path(self._new(suffix)))
        path = Path(origin.path)
        if not is_image and _begins_like_a_picture(path):
            return Failure(Reason.UNDECODABLE, "it is a picture, not a video")
        window = clip.window if origin.location.stem != clip.key else None
        if window is not None:
            return self._cut(clip, path, window, log)
        if self._how == TRANSCODE and not is_image:
            return self._transcode(clip, path, log)
        target = path if origin.own else Path(self._new(suffix))
        if not origin.own:
            self._place(path, target)
        looked = look_at_image(target.read_bytes()) if is_image else self._look(clip, target)
        if isinstance(looked, Failure):
            target.unlink()
            return looked
        return self._made(clip, target, looked, suffix)

    def _copy_image(self, clip: Clip, origin: Origin, suffix: str) -> Made | Failure:
        """Copy an image. It is read once, for the check, the digest and the copy."""
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
            format_id=self._how,
            suffix=suffix,
        )

    def _place(self, path: Path, target: Path) -> None:
        if self._how == HARDLINK:
            target.hardlink_to(path.resolve())
        elif self._how == SYMLINK:
            target.symlink_to(path.resolve())
        else:
            with path.open("rb") as source, target.open("wb") as copy:
                size = os.fstat(source.fileno()).st_size
                copy_bytes(source.fileno(), copy.fileno(), 0, size)

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
            target.unlink(missing_ok=True)
            return wrong or Failure(Reason.UNDECODABLE, "ffmpeg cannot read the video")
        return self._made(clip, target, found, MP4, seconds=done.seconds)

    def _transcode(self, clip: Clip, path: Path, log: list[str]) -> Made | Failure:
        """Encode a whole video to mp4. It counts if its copy would, and if all of it arrived."""
        target, done, found = self._encode(path, None, log)
        source = self._look(clip, path)
        wrong = source if isinstance(source, Failure) else None
        if isinstance(source, Media) and (found is None or _length(found) < _length(source) - LOST):
            wrong = Failure(Reason.UNDECODABLE, "ffmpeg cannot encode the video to its end")
        if found is None or wrong:
            target.unlink(missing_ok=True)
            return wrong or Failure(Reason.UNDECODABLE, "ffmpeg cannot read the video")
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
        return target, done, self._measure(target) if done.returncode == 0 else None

    def _look(self, clip: Clip, path: Path) -> Media | Failure:
        """Decode a video to its end. The verdict holds however the clip is placed."""
        found = self._measure(path, decode=True, timeout=self._patience(path))
        if found is None:
            return Failure(Reason.UNDECODABLE, "the video cannot be read to its end")
        return (too_short(clip.window, found.duration) if clip.window else None) or found

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
        if where and Path(where).is_relative_to(self._bytes_from.root):
            return Failure(Reason.UNDECODABLE, f"{where}: {error.strerror}")
        return super()._fault(error)

    @property
    def _how(self) -> str:
        """How files get into the dataset: one of `config.PLACES`."""
        return self._config.spec.place

    def _patience(self, path: Path) -> float:
        return self._config.patience.decoding + path.stat().st_size / SLOWEST_COPY


def _length(media: Media) -> float:
    """Seconds from the first frame to the last one. How long that is shown, containers make up."""
    return media.last - media.begins


def _begins_like_a_picture(path: Path) -> bool:
    """Whether a file named like a video begins like an image. ffmpeg would decode it as a frame."""
    with path.open("rb") as file:
        return file.read(16).startswith(_PICTURES)


_PICTURES: Final = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM")
"""The first bytes of JPEG, PNG, GIF and BMP files."""

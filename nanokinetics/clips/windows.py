"""Clip to outcome: find the video, cut its window, check what came out. Runs in a worker process.

A worker owns nothing and decides nothing about other clips. Its work lands under a temporary
name; giving it its place is the parent's business. What befalls a clip is returned, not raised.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt
from tenacity.wait import wait_random_exponential

from nanokinetics.clip import ADOPTED, Clip, Failed, Job, Made, Media, Outcome
from nanokinetics.clips.cut import cut, repack
from nanokinetics.clips.ffmpeg import Completed, Ffmpeg
from nanokinetics.clips.judge import judge
from nanokinetics.clips.measure import measure
from nanokinetics.clips.visit import OF_THE_LINK, Visit
from nanokinetics.common.files import flush
from nanokinetics.common.folder import Folder
from nanokinetics.config import NetworkConfig, VideoConfig
from nanokinetics.errors import Failure, Kind, Reason
from nanokinetics.layout import TEMPORARY, Layout
from nanokinetics.sources import Fetcher, diagnosis, open_fetcher
from nanokinetics.sources.stream import Video

ATTEMPTS: Final = 3
"""Tries that a clip gets in one run while what stops it may pass."""

RETRY_WAIT: Final = wait_random_exponential(multiplier=0.5, max=8)
"""Seconds between those tries: jittered, at most 0.5, then 1, … up to 8."""

SLOWEST_SPEED: Final = 0.2
"""Seconds of video a second, below which reading the window is given up for the second way.
YouTube slows some direct readers of long videos to 32 KiB/s, half of what 360p needs."""

START_UP: Final = 20.0
"""Seconds that connecting, seeking and starting may take on top."""


REPACKING: Final = 300.0
"""Seconds that copying a whole video into another container may take."""


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """All that a worker is told."""

    layout: Layout
    video: VideoConfig
    network: NetworkConfig
    ffmpeg: Ffmpeg
    threads: int


class Worker:
    """Makes clips, one after the other. `on_found` is called each time a video was opened."""

    def __init__(self, config: WorkerConfig, on_found: Callable[[], None] = lambda: None) -> None:
        self._config = config
        self._on_found = on_found
        self._layout = config.layout
        self._folder = config.layout.temporary / str(os.getpid())
        self._fetchers: dict[str, Fetcher] = {}
        self._made = 0

    def work(self, job: Job) -> Iterator[tuple[Outcome, ...]]:
        """One outcome for each clip of a job, in order, each by itself. The video is found once for
        all of them."""
        fetcher = self._fetcher(job.source)
        visit = Visit(fetcher, job.clips[0].youtube_id, self._folder / "whole", self._on_found)
        try:
            for clip in job.clips:
                yield (self._outcome(clip, visit, anew=job.anew),)
        finally:
            visit.close()

    def _fetcher(self, source: str) -> Fetcher:
        if source not in self._fetchers:
            video = self._config.video
            self._fetchers[source] = open_fetcher(
                source, self._config.network, resolution=video.resolution, audio=video.audio
            )
        return self._fetchers[source]

    def _outcome(self, clip: Clip, visit: Visit, *, anew: bool) -> Outcome:
        began = time.monotonic()
        number = 0
        try:
            # Its parent is there, or the destination is gone.
            Folder(self._layout.root).make(f"{TEMPORARY}/{self._folder.name}")
            there = None if anew else self._adopt(clip)
            result: Made | Failure | None = there or visit.refused
            if result is None:
                retrying = Retrying(
                    stop=stop_after_attempt(ATTEMPTS),
                    wait=RETRY_WAIT,
                    retry=retry_if_result(_may_pass),
                    retry_error_callback=_last_result,
                )
                result = retrying(self._attempt, clip, visit, retrying)
                number = retrying.statistics["attempt_number"]
        except OSError as error:
            fault = diagnosis.of_os_error(error, self._config.ffmpeg.path)
            if fault is None:
                raise
            result = fault
        if isinstance(result, Failure):
            lately = visit.downloaded - visit.downloaded_before
            return Failed(clip, result, number, visit.log(), visit.found, lately)
        return replace(result, attempts=number, total_seconds=time.monotonic() - began)

    def _attempt(self, clip: Clip, visit: Visit, retrying: Retrying) -> Made | Failure:
        """One try at one clip: its window alone, or, where that does not work, the whole video."""
        last = retrying.statistics["attempt_number"] == ATTEMPTS
        visit.downloaded_before = visit.downloaded
        source = visit.open()
        if isinstance(source, Failure):
            return source
        start = _window(clip)[0]
        if source.duration is not None and start >= source.duration + 1:  # rounded by its host
            return Failure(
                Reason.OUTSIDE_VIDEO,
                f"the video ends at {source.duration:g} s, before the window's start, {start:g} s",
            )
        if source.seekable:
            result = self._cut(clip, visit, source)
            if isinstance(result, Failure):
                visit.consider(result)
            if result is not None and not (last and _other_way_may_do(result)):
                return result
        whole = visit.download()
        if isinstance(whole, Video) and not whole.seekable:
            whole = self._repack(whole, visit)
        if isinstance(whole, Failure):
            visit.consider(whole)
            return whole
        return self._cut(clip, visit, whole) or Failure(
            Reason.UNDECODABLE, "ffmpeg could not make a clip even from the whole video"
        )

    def _repack(self, whole: Video, visit: Visit) -> Video | Failure:
        """The same video in files that can be sought in."""
        streams = []
        for stream in whole.streams:
            target = Path(f"{stream.url}.repacked.mp4")
            done = repack(self._config.ffmpeg, Path(stream.url), target, timeout=REPACKING)
            visit.say(done.log)
            if done.killed:
                return _KILLED
            if done.returncode != 0:
                return Failure(Reason.UNDECODABLE, _last_line(done.stderr))
            Path(stream.url).unlink()
            streams.append(replace(stream, url=str(target)))
        return visit.settle(replace(whole, streams=tuple(streams), seekable=True))

    def _cut(self, clip: Clip, visit: Visit, source: Video) -> Made | Failure | None:
        """Cut and check one window. None if the way of reading, not the clip, seems at fault."""
        window = _window(clip)
        seconds = window[1] - window[0]
        self._made += 1
        target = self._folder / f"{self._made}.mp4"
        done = cut(
            self._config.ffmpeg,
            source.streams,
            window,
            self._config.video,
            target,
            threads=self._config.threads,
            timeout=START_UP + seconds / SLOWEST_SPEED,
        )
        visit.say(f"ffmpeg {self._config.ffmpeg.version}, format {source.format_id}\n{done.log}")
        local = not source.streams[0].is_remote
        visit.downloaded += 0 if local else done.bytes_read
        # A reader that found its way again after a cut may hold another part than it was to read:
        # whatever ffmpeg complained of on the way, the file is not to be trusted.
        said = diagnosis.of_ffmpeg(done.stderr)
        wrong = None
        if done.returncode == 0 and not said:
            found = self._look(target)
            ends_at = done.input_duration or source.duration
            wrong = judge(window, found, ends_at=ends_at, whole=local)
            if found and not wrong:
                return self._made_from(clip, visit, source, done, target, found)
        target.unlink(missing_ok=True)
        if done.killed:
            return _KILLED
        if done.returncode is None:
            return Failure(Reason.TIMEOUT, "ffmpeg took too long") if local else None
        if local:
            return said or wrong or Failure(Reason.UNDECODABLE, _last_line(done.stderr))
        return said or (None if wrong and wrong.reason is Reason.UNDECODABLE else wrong)

    def _look(self, target: Path) -> Media | None:
        if not target.exists() or not target.stat().st_size:
            return None
        return measure(self._config.ffmpeg, target)

    def _made_from(
        self,
        clip: Clip,
        visit: Visit,
        source: Video,
        done: Completed,
        target: Path,
        found: Media,
    ) -> Made:
        remote = source.streams[0].is_remote
        digest, size = flush(target)
        # One ffmpeg both fetches and encodes: what it did not spend computing, it spent waiting.
        computing = min(done.cpu_seconds, done.seconds)
        waiting = done.seconds - computing if remote else source.download_seconds
        return Made(
            clip,
            temporary=str(target),
            source=visit.source_name,
            media=found,
            bytes=size,
            sha256=digest,
            downloaded_bytes=visit.take_downloaded(),
            download_seconds=visit.take_opening_seconds() + waiting,
            trim_seconds=computing,
            format_id=source.format_id,
        )

    def _adopt(self, clip: Clip) -> Made | None:
        """A whole file that already stands in the clip's place: a run was ended before its row."""
        path = self._layout.clip(clip)
        if not path.exists():
            return None
        found = measure(self._config.ffmpeg, path, decode=True)
        video = self._config.video
        if (
            found is None
            or judge(_window(clip), found, ends_at=None, whole=False)
            or min(found.width, found.height) > video.resolution
        ):
            return None
        digest, size = flush(path)
        return Made(clip, None, ADOPTED, found, size, digest)


_KILLED: Final = Failure(Reason.WORKER_DIED, "ffmpeg was killed, perhaps for want of memory")


def _other_way_may_do(result: Made | Failure) -> bool:
    """Whether yt-dlp's own downloader may get what ffmpeg's network code could not."""
    return isinstance(result, Failure) and result.reason in OF_THE_LINK


def _may_pass(result: Made | Failure) -> bool:
    """Whether to try again. An answer cut short looks to yt-dlp like one without formats."""
    return isinstance(result, Failure) and (
        result.kind is Kind.TRANSIENT or result.reason is Reason.NO_FORMATS
    )


def _last_result(state: RetryCallState) -> Made | Failure:
    assert state.outcome is not None  # noqa: S101 - tenacity calls this after an attempt only
    result: Made | Failure = state.outcome.result()
    return result


def _window(clip: Clip) -> tuple[float, float]:
    if clip.time_start is None or clip.time_end is None:
        raise ValueError(f"{clip.key} has no window")
    return clip.time_start, clip.time_end


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return f"ffmpeg: {lines[-1]}" if lines else "ffmpeg made nothing and said nothing"

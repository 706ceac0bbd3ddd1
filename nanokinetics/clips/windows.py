"""The maker of clips from videos: finds the video, cuts the window out, and checks the result."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tenacity import RetryCallState, Retrying, retry_if_result
from tenacity.stop import stop_after_attempt, stop_after_delay, stop_any
from tenacity.wait import wait_random_exponential

from nanokinetics.clip import Clip, Failed, Job, Made, Media, Outcome
from nanokinetics.clips.cut import cut, repack
from nanokinetics.clips.ffmpeg import Completed, KilledError
from nanokinetics.clips.filters import passed
from nanokinetics.clips.judge import judge
from nanokinetics.clips.maker import Maker
from nanokinetics.clips.measure import begins_at
from nanokinetics.clips.visit import OF_THE_LINK, Visit
from nanokinetics.common.files import flush
from nanokinetics.errors import Failure, Kind, Reason
from nanokinetics.layout import MP4
from nanokinetics.sources import diagnosis
from nanokinetics.sources.stream import OpenedVideo


class WindowMaker(Maker):
    """Makes clips of the videos of a `Fetcher`."""

    _refused: int | None = None
    """The index of the stream that ffmpeg could not open in its last run; None without one."""

    def work(self, job: Job) -> Iterator[tuple[Outcome, ...]]:
        """Do a job: gives one outcome for each clip, in order, as tuples of one.

        The video is found once for all clips.
        """
        name = job.clips[0].youtube_id
        folder = self._folder / "whole"
        patience = self._config.patience
        visit = Visit(self._bytes_from, name, folder, self._on_found, patience)
        try:
            for clip in job.clips:
                yield (self._outcome(clip, visit, anew=job.anew),)
        finally:
            visit.close()

    def _outcome(self, clip: Clip, visit: Visit, *, anew: bool) -> Outcome:
        began = time.monotonic()
        number = 0
        try:
            self._make_folder()
            there = None if anew else self._adopt(clip)
            result: Made | Failure | None = there or visit.refused
            if result is None:
                patience = self._config.patience
                retrying = Retrying(
                    stop=stop_any(
                        stop_after_attempt(patience.attempts),
                        stop_after_delay(patience.longest_download),
                    ),
                    wait=wait_random_exponential(
                        multiplier=patience.first_wait, max=patience.longest_wait
                    ),
                    retry=retry_if_result(_may_pass),
                    retry_error_callback=_last_result,
                )
                result = retrying(self._attempt, clip, visit, retrying)
                number = retrying.statistics["attempt_number"]
        except KilledError as error:
            result, number = error.failure, max(1, number)
        except OSError as error:
            result = self._fault(error)
        if isinstance(result, Failure):
            lately = visit.downloaded - visit.downloaded_before
            return Failed(clip, result, number, visit.log(), visit.found, lately)
        return replace(result, attempts=number, total_seconds=time.monotonic() - began)

    def _attempt(self, clip: Clip, visit: Visit, retrying: Retrying) -> Made | Failure:
        """Try once to make a clip: from its window or, if that fails, from the whole video."""
        number = retrying.statistics["attempt_number"]
        last = number == self._config.patience.attempts
        visit.downloaded_before = visit.downloaded
        source = visit.open()
        if isinstance(source, Failure):
            return source
        start = window_of(clip)[0]
        if source.duration is not None and start >= source.duration + 1:  # hosts round it
            return Failure(
                Reason.OUTSIDE_VIDEO,
                f"the video ends at {source.duration:g} s, before the window's start, {start:g} s",
            )
        result = self._make(clip, visit, source)
        # An address may have expired, so the same format has a second chance with a new one.
        if number > 1 or last:
            result = self._elsewhere(clip, visit, result)
        if isinstance(result, Failure) and last and source.seekable and _other_way_may_do(result):
            visit.settle(source)
            result = self._make_whole(clip, visit)
        if isinstance(result, Failure):
            visit.consider(result)
        return result

    def _elsewhere(self, clip: Clip, visit: Visit, result: Made | Failure) -> Made | Failure:
        """While the server refuses a format, try the next best one."""
        while isinstance(result, Failure) and result.reason is Reason.FORBIDDEN_MEDIA:
            other = visit.other(self._refused)
            if other is None:
                break
            result = self._make(clip, visit, other)
        return result

    def _make(self, clip: Clip, visit: Visit, source: OpenedVideo) -> Made | Failure:
        """Make a clip from its window or, if windows cannot be read, from the whole video."""
        result = self._cut(clip, visit, source) if source.seekable else None
        return self._make_whole(clip, visit) if result is None else result

    def _make_whole(self, clip: Clip, visit: Visit) -> Made | Failure:
        self._refused = None
        whole = visit.download()
        if isinstance(whole, OpenedVideo) and not whole.seekable:
            whole = self._repack(whole, visit)
        if isinstance(whole, Failure):
            return whole
        return self._cut(clip, visit, whole) or Failure(
            Reason.UNDECODABLE, "ffmpeg could not make a clip even from the whole video"
        )

    def _repack(self, whole: OpenedVideo, visit: Visit) -> OpenedVideo | Failure:
        """Copy the streams into files that allow seeking."""
        streams = []
        for stream in whole.streams:
            target = Path(f"{stream.url}.repacked.nut")
            patience = self._config.patience.repacking
            done = repack(self._config.ffmpeg, stream, target, timeout=patience)
            visit.note(done.log)
            done.check()
            if done.returncode != 0:
                return Failure(Reason.UNDECODABLE, _last_line(done.stderr))
            Path(stream.url).unlink()
            streams.append(replace(stream, url=str(target), begins=begins_at(done.stdout)))
        return visit.settle(replace(whole, streams=tuple(streams), seekable=True))

    def _cut(self, clip: Clip, visit: Visit, source: OpenedVideo) -> Made | Failure | None:
        """Cut and check one window. None if the connection, not the clip, seems to be at fault."""
        window = window_of(clip)
        seconds = window[1] - window[0]
        patience = self._config.patience
        target = Path(self._new(MP4))
        done = cut(
            self._config.ffmpeg,
            source.streams,
            window,
            self._config.video,
            target,
            threads=self._config.threads,
            timeout=patience.start_up + seconds / patience.slowest,
        )
        visit.note(f"ffmpeg {self._config.ffmpeg.version}, format {source.format_id}\n{done.log}")
        # ffmpeg opens its inputs in order. So the server refused the first one that is not open.
        self._refused = done.opened if done.opened < len(source.streams) else None
        local = not source.streams[0].is_remote
        visit.downloaded += 0 if local else done.bytes_read
        # After a broken connection ffmpeg may go on at another part of the video. So no file is
        # accepted after a known complaint of ffmpeg.
        complaint = diagnosis.of_ffmpeg(done.stderr)
        wrong = None
        done.check()
        if done.returncode == 0 and not complaint:
            found = self._measure(target)
            ends_at = done.input_duration or source.duration
            wrong = judge(window, found, passed=passed(done.stderr), ends_at=ends_at, whole=local)
            if found and not wrong:
                return self._made_from(clip, visit, source, done, target, found)
        self._discard(target)
        if done.returncode is None:
            return Failure(Reason.TIMEOUT, "ffmpeg took too long") if local else None
        if local:
            return complaint or wrong or Failure(Reason.UNDECODABLE, _last_line(done.stderr))
        return complaint or (None if wrong and wrong.reason is Reason.UNDECODABLE else wrong)

    def _made_from(
        self,
        clip: Clip,
        visit: Visit,
        source: OpenedVideo,
        done: Completed,
        target: Path,
        found: Media,
    ) -> Made:
        remote = source.streams[0].is_remote
        digest, size = flush(target)
        # One ffmpeg downloads and encodes: its time is computing time plus waiting time.
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


def _other_way_may_do(result: Made | Failure) -> bool:
    """Whether yt-dlp's own downloader may succeed where ffmpeg's network code failed."""
    return isinstance(result, Failure) and result.reason in OF_THE_LINK


def _may_pass(result: Made | Failure) -> bool:
    """Whether to try again. yt-dlp takes a truncated answer for one without formats."""
    return isinstance(result, Failure) and (
        result.kind is Kind.TRANSIENT or result.reason in (Reason.NO_FORMATS, Reason.UNEXPLAINED)
    )


def _last_result(state: RetryCallState) -> Made | Failure:
    assert state.outcome is not None  # noqa: S101 - tenacity calls this after an attempt only
    result: Made | Failure = state.outcome.result()
    return result


def window_of(clip: Clip) -> tuple[float, float]:
    """Start and end of a clip in seconds. Raises ValueError for a clip without a window."""
    if clip.window is None:
        raise ValueError(f"{clip.key} has no window")
    return clip.window


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return f"ffmpeg: {lines[-1]}" if lines else "ffmpeg made nothing and said nothing"

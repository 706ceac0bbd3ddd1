"""Measure a video file, packet by packet or frame by frame."""

from __future__ import annotations

import re
from array import array
from itertools import chain, pairwise
from pathlib import Path
from typing import Final

import ffmpeg

from nanokinetics.clip import Media
from nanokinetics.clips.ffmpeg import TIME_BASE, Ffmpeg, input_of, run

JITTER: Final = 0.002
"""Seconds by which the frames of an even rate may differ, since containers round their times."""

SHORTEST_FRAME: Final = 0.001
"""Seconds. A single frame that is shown for less has no known length."""


def measure(
    program: Ffmpeg, path: Path, *, decode: bool = False, timeout: float = 120
) -> Media | None:
    """Measure a video file, packet by packet; None if it cannot be read to its end.

    decode: decode every frame too, which finds damage inside the packets. timeout: seconds. Raises
    KilledError.
    """
    source = input_of(path)
    # Each decoded frame once and at its time, whatever rate the header claims.
    as_it_is = {program.frame_sync: "passthrough", "enc_time_base:v": TIME_BASE}
    how = as_it_is if decode else {"codec": "copy"}
    output = ffmpeg.output(source["v:0"], source["a:0?"], "pipe:", format="framecrc", **how)
    flags = ["-hide_banner", "-nostdin", "-loglevel", "error", "-copyts"]
    flags += ["-xerror"] if decode else []
    argv = ffmpeg.compile(output.global_args(*flags), cmd=program.path)
    listing = FrameListing()
    done = run(argv, timeout, listing)
    done.check()
    if done.returncode != 0 or (decode and done.stderr.strip()):
        return None
    return listing.media()


def is_sound_alone(program: Ffmpeg, path: Path, *, timeout: float = 60) -> bool:
    """Whether a file has streams of sound, and none of video but a cover picture."""
    output = ffmpeg.output(input_of(path)["0"], "pipe:", format="null", t=0, codec="copy")
    argv = ffmpeg.compile(output.global_args("-hide_banner", "-nostdin"), cmd=program.path)
    streams = re.findall(r"^ +Stream #0:\S+ (.*)$", run(argv, timeout).stderr, re.MULTILINE)
    videos = [each for each in streams if "Video:" in each and "(attached pic)" not in each]
    return any("Audio:" in each for each in streams) and not videos


def parse_framecrc(text: str) -> Media | None:
    """Parse ffmpeg's `framecrc` listing: one line per frame, with the video as stream 0.

    None if it has no frame of a video.
    """
    listing = FrameListing()
    listing.feed(text.encode())
    return listing.media()


class FrameListing:
    """Reads ffmpeg's `framecrc` listing while it is written, in 16 bytes a frame."""

    def __init__(self) -> None:
        self._rest = b""
        self._head = b""
        self._has_audio = False
        self._times, self._durations = array("q"), array("q")
        self._is_too_long = False

    def feed(self, data: bytes) -> None:
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        whole, self._rest = data[:end], data[end:][-_LONGEST_LINE:]
        if len(self._head) < _HEAD:
            self._head += whole
            self._has_audio |= b"#media_type 1: audio" in self._head
        for time, duration in _FRAME.findall(whole):
            if len(self._times) >= MOST_FRAMES:
                self._is_too_long = True
                return
            self._times.append(int(time))
            self._durations.append(int(duration))

    def media(self) -> Media | None:
        """The measures of the video; None if there is no frame of one, or far too many."""
        head = self._head.decode(errors="replace")
        base = re.search(r"^#tb 0: (\d+)/(\d+)$", head, re.MULTILINE)
        size = re.search(r"^#dimensions 0: (\d+)x(\d+)$", head, re.MULTILINE)
        if not (base and size and self._times) or self._is_too_long:
            return None
        tick = int(base[1]) / int(base[2])
        times = sorted(zip(self._times, self._durations, strict=True))
        gaps = array("q", (later[0] - earlier[0] for earlier, later in pairwise(times)))
        # Muxers make up how long the last frame is shown, or lose it: then as the one before.
        final = times[-1][1]
        if gaps and abs(final - gaps[-1]) * tick > JITTER:
            final = gaps[-1]
        span = times[-1][0] + final - times[0][0]
        return Media(
            width=int(size[1]),
            height=int(size[2]),
            frames=len(times),
            duration=round(span * tick, 6) if span * tick >= SHORTEST_FRAME else 0.0,
            longest_frame=max(chain([final], gaps)) * tick,
            has_audio=self._has_audio,
            begins=round(times[0][0] * tick, 6),
            last=round(times[-1][0] * tick, 6),
        )


MOST_FRAMES: Final = 4_000_000
"""Frames of 18 hours at 60 frames a second. A longer video is taken for one that cannot be read."""

_HEAD: Final = 64 * 1024
_LONGEST_LINE: Final = 1000
_FRAME: Final = re.compile(rb"^0, +(?:-?\d{1,18}|NOPTS), +(-?\d{1,18}), +(\d{1,18}),", re.MULTILINE)
"""Fields of a line: stream, dts, pts, duration, size, checksum."""


def begins_at(text: str) -> float:
    """The time in seconds of the first packet of a video in a `framecrc` listing; 0 without one."""
    base = re.search(r"^#tb 0: (\d+)/(\d+)$", text, re.MULTILINE)
    first = re.search(r"^0, +(?:-?\d+|NOPTS), +(-?\d+),", text, re.MULTILINE)
    return int(first[1]) * int(base[1]) / int(base[2]) if base and first else 0.0

"""Measure a video file, packet by packet or frame by frame."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import ffmpeg

from nanokinetics.clip import Media
from nanokinetics.clips.ffmpeg import Ffmpeg, input_of, run


def measure(
    program: Ffmpeg, path: Path, *, decode: bool = False, timeout: float = 120
) -> Media | None:
    """Measure a video file, packet by packet; None if it cannot be read to its end.

    decode: decode every frame too, which finds damage inside the packets. timeout: seconds.
    """
    source = input_of(path)
    how = {} if decode else {"codec": "copy"}
    output = ffmpeg.output(source["v:0"], source["a:0?"], "pipe:", format="framecrc", **how)
    flags = ["-hide_banner", "-nostdin", "-loglevel", "error", *(["-xerror"] if decode else [])]
    argv = ffmpeg.compile(output.global_args(*flags), cmd=program.reader)
    done = run(argv, timeout)
    if done.returncode != 0 or (decode and done.stderr.strip()):
        return None
    return parse_framecrc(done.stdout)


def is_sound_alone(program: Ffmpeg, path: Path, *, timeout: float = 60) -> bool:
    """Whether a file has streams of sound, and none of video but a cover picture."""
    output = ffmpeg.output(input_of(path)["0"], "pipe:", format="null", t=0, codec="copy")
    argv = ffmpeg.compile(output.global_args("-hide_banner", "-nostdin"), cmd=program.reader)
    streams = re.findall(r"^ +Stream #0:\S+ (.*)$", run(argv, timeout).stderr, re.MULTILINE)
    videos = [each for each in streams if "Video:" in each and "(attached pic)" not in each]
    return any("Audio:" in each for each in streams) and not videos


def parse_framecrc(text: str) -> Media | None:
    """Parse ffmpeg's `framecrc` listing: one line per frame, with the video as stream 0.

    None if it has no frame of a video.
    """
    base = re.search(r"^#tb 0: (\d+)/(\d+)$", text, re.MULTILINE)
    size = re.search(r"^#dimensions 0: (\d+)x(\d+)$", text, re.MULTILINE)
    # Fields of a line: stream, dts, pts, duration, size, checksum.
    rows = re.findall(r"^0, +(?:-?\d+|NOPTS), +(-?\d+), +(\d+),", text, re.MULTILINE)
    if not (base and size and rows):
        return None
    tick = int(base[1]) / int(base[2])
    times = sorted((int(pts), int(duration)) for pts, duration in rows)
    span = times[-1][0] + times[-1][1] - times[0][0]
    longest = max([times[-1][1], *(later[0] - earlier[0] for earlier, later in pairwise(times))])
    return Media(
        width=int(size[1]),
        height=int(size[2]),
        frames=len(times),
        duration=round(span * tick, 6),
        longest_frame=longest * tick,
        has_audio="#media_type 1: audio" in text,
    )

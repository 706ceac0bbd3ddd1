"""Measure a video file, packet by packet or frame by frame."""

from __future__ import annotations

import re
from itertools import pairwise
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

    decode: decode every frame too, which finds damage inside the packets. timeout: seconds.
    """
    source = input_of(path)
    # Each decoded frame once and at its time, whatever rate the header claims.
    as_it_is = {program.frame_sync: "passthrough", "enc_time_base:v": TIME_BASE}
    how = as_it_is if decode else {"codec": "copy"}
    output = ffmpeg.output(source["v:0"], source["a:0?"], "pipe:", format="framecrc", **how)
    flags = ["-hide_banner", "-nostdin", "-loglevel", "error", "-copyts"]
    flags += ["-xerror"] if decode else []
    argv = ffmpeg.compile(output.global_args(*flags), cmd=program.path)
    done = run(argv, timeout)
    if done.returncode != 0 or (decode and done.stderr.strip()):
        return None
    return parse_framecrc(done.stdout)


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
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(times)]
    # Muxers make up how long the last frame is shown, or lose it: then as long as the one before.
    final = times[-1][1]
    if gaps and abs(final - gaps[-1]) * tick > JITTER:
        final = gaps[-1]
    span = times[-1][0] + final - times[0][0]
    return Media(
        width=int(size[1]),
        height=int(size[2]),
        frames=len(times),
        duration=round(span * tick, 6) if span * tick >= SHORTEST_FRAME else 0.0,
        longest_frame=max([final, *gaps]) * tick,
        has_audio="#media_type 1: audio" in text,
        begins=round(times[0][0] * tick, 6),
        last=round(times[-1][0] * tick, 6),
    )


def begins_at(text: str) -> float:
    """The time in seconds of the first packet of a video in a `framecrc` listing; 0 without one."""
    base = re.search(r"^#tb 0: (\d+)/(\d+)$", text, re.MULTILINE)
    first = re.search(r"^0, +(?:-?\d+|NOPTS), +(-?\d+),", text, re.MULTILINE)
    return int(first[1]) * int(base[1]) / int(base[2]) if base and first else 0.0

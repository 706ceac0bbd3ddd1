"""Make a clip, a copy or a picture of what ffmpeg can open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import ffmpeg

from nanokinetics.clips.ffmpeg import Completed, Ffmpeg, input_of, name_of, run
from nanokinetics.config import VideoConfig
from nanokinetics.sources.stream import Stream

READ_AHEAD: Final = 1 / 32
"""The part of a window that a connection may hold unread in the kernel. All of it is thrown away
when the window ends or ffmpeg seeks; without a bound that is megabytes on a fast link. A larger
part would be quicker over a long way, where a connection carries one such buffer a round trip."""


SMALLEST_BUFFER: Final = 16 * 1024


LARGEST_BUFFER: Final = 256 * 1024
"""Bytes, whatever the window holds."""


REQUEST_SIZE: Final = 512 * 1024
"""Bytes an HTTP request asks for, with an ffmpeg that can ask in parts."""


def cut(
    program: Ffmpeg,
    streams: Sequence[Stream],
    window: tuple[float, float] | None,
    video: VideoConfig,
    target: Path,
    *,
    threads: int,
    timeout: float,
) -> Completed:
    """Make one clip: read only the window (seconds) of the streams and encode it to H.264 and AAC.

    Without a window the whole of them is taken.
    One seek before each input, so that reading starts at the keyframe before the window; decoding
    drops the frames before its first one, so that the cut is exact to the frame. A remote input
    is read strictly: what cannot be read is an error, not a gap. `threads` are those of the encoder
    and of each decoder.
    """
    start, end = window or (0.0, 0.0)
    span = {"ss": start, "t": end - start} if window else {}
    inputs = [
        input_of(s.url, threads=threads, **span, **_access(program, s, end - start))
        for s in streams
    ]
    shown = next(i for i, s in zip(inputs, streams, strict=True) if s.has_video)
    heard = next((i for i, s in zip(inputs, streams, strict=True) if s.has_audio), None)
    # Both sides shrink alike until the shorter one fits, and stay even, as 4:2:0 needs.
    factor = f"min(1,{video.resolution}/min(iw,ih))"
    picture = shown["v:0"].filter(
        "scale", f"max(2,2*round(iw*{factor}/2))", f"max(2,2*round(ih*{factor}/2))"
    )
    if video.fps:
        picture = picture.filter("fps", video.fps)
    tracks = [picture] + ([heard["a:0?"]] if heard is not None and video.audio else [])
    sound = {"acodec": "aac", "audio_bitrate": "128k"} if len(tracks) > 1 else {}
    output = ffmpeg.output(
        *tracks,
        name_of(target),
        format="mp4",
        vcodec="libx264",
        preset=video.x264_preset,
        crf=video.crf,
        pix_fmt="yuv420p",
        threads=threads,
        movflags="+faststart",
        map_metadata=-1,
        map_chapters=-1,
        **sound,
    )
    flags = ["-hide_banner", "-nostdin", "-nostats", "-benchmark", "-loglevel", "verbose"]
    if any(s.is_remote for s in streams):
        flags.append("-xerror")
    argv = ffmpeg.compile(output.global_args(*flags), cmd=program.path, overwrite_output=True)
    return run(argv, timeout)


def repack(program: Ffmpeg, source: Path, target: Path, *, timeout: float) -> Completed:
    """Copy the streams of a local file, undecoded, into an mp4, in which any frame can be found.

    MPEG-TS, which HLS is made of, has no index: seeking in it misses its keyframes.
    """
    whole = input_of(source)
    output = ffmpeg.output(
        whole["v:0?"], whole["a:0?"], name_of(target), format="mp4", codec="copy"
    )
    flags = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "verbose"]
    argv = ffmpeg.compile(output.global_args(*flags), cmd=program.path, overwrite_output=True)
    return run(argv, timeout)


def _access(program: Ffmpeg, stream: Stream, seconds: float) -> dict[str, Any]:
    """The input options that let ffmpeg in where yt-dlp was let in."""
    if not stream.is_remote:
        return {}
    headers = dict(stream.headers)
    agent = headers.pop("User-Agent", None)
    ahead = (stream.bit_rate or 0) / 8 * seconds * READ_AHEAD
    wanted: dict[str, Any] = {
        # One try to go on where a connection broke; without it some breaks are not even mentioned.
        "reconnect": 1,
        "reconnect_delay_max": 0,
        "rw_timeout": int(stream.timeout * 1_000_000),  # microseconds
        "user_agent": agent,
        "headers": "".join(f"{name}: {value}\r\n" for name, value in headers.items()),
        "cookies": stream.cookies,
        "http_proxy": stream.proxy,
    }
    if not (
        stream.proxy and stream.url.startswith("https://")
    ):  # a tunnel passes no such option on
        wanted["recv_buffer_size"] = int(min(max(SMALLEST_BUFFER, ahead), LARGEST_BUFFER))
    if "request_size" in program.http_options:
        wanted["request_size"] = REQUEST_SIZE
    if stream.url.startswith("https://"):
        wanted["tls_verify"] = int(stream.verify)
        wanted["ca_file"] = stream.ca_file if stream.verify else None
    return {name: value for name, value in wanted.items() if value not in (None, "")}


def picture(
    program: Ffmpeg, source: Path, at: float, box: tuple[int, int], target: Path, *, timeout: float
) -> bool:
    """Make a small JPEG of the frame at so many seconds, within a box of (width, height) pixels;
    whether there is one."""
    shown = input_of(source, ss=at, threads=1)["v:0"]
    small = shown.filter("scale", *box, force_original_aspect_ratio="decrease")
    output = ffmpeg.output(
        small, name_of(target), **{"frames:v": 1, "q:v": 5}, f="image2", update=1
    )
    flags = ["-hide_banner", "-nostdin", "-loglevel", "error"]
    argv = ffmpeg.compile(output.global_args(*flags), cmd=program.path, overwrite_output=True)
    return run(argv, timeout).returncode == 0 and target.is_file()

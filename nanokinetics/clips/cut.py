"""Make a clip, a copy or a still picture from a source that ffmpeg can open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ffmpeg

from nanokinetics.clips.ffmpeg import Completed, Ffmpeg, input_of, name_of, run
from nanokinetics.config import VideoConfig
from nanokinetics.sources.stream import Stream

if TYPE_CHECKING:
    from nanokinetics.clips.relay import Relay

READ_AHEAD: Final = 1 / 32
"""Size of the kernel's receive buffer, as a fraction of the window's bytes.

Unread bytes are lost when the window ends or ffmpeg seeks; without a bound these are megabytes on a
fast link. A connection carries one buffer per round trip, so a larger buffer would be faster over a
long distance."""

PIECE: Final = 1 / 16
"""Size of a request of the relay, as a fraction of the picture's bytes in the window."""

SMALLEST_BUFFER: Final = 16 * 1024
LARGEST_BUFFER: Final = 256 * 1024
"""Bounds of the receive buffer in bytes, for every window."""

REQUEST_SIZE: Final = 512 * 1024
"""Bytes in one HTTP request, if this ffmpeg can split a download into requests."""


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

    Without a window the whole streams are encoded. threads: threads of the encoder and of each
    decoder. timeout: seconds.

    ffmpeg seeks once before each input, so it starts to read at the keyframe before the window. The
    decoder drops the frames before the window, so the cut is exact to the frame. Remote inputs are
    read strictly: an unreadable part is an error, not a gap.
    """
    start, end = window or (0.0, 0.0)
    span = {"ss": start, "t": end - start} if window else {}
    relay = _relay(streams, end - start)
    inputs = [
        input_of(
            relay.address(n) if relay else s.url,
            threads=threads,
            **span,
            **_access(program, s, end - start),
        )
        for n, s in enumerate(streams)
    ]
    shown = next(i for i, s in zip(inputs, streams, strict=True) if s.has_video)
    heard = next((i for i, s in zip(inputs, streams, strict=True) if s.has_audio), None)
    # Both sides shrink by one factor until the shorter one fits. 4:2:0 needs even sides.
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
    if relay is None:
        return run(argv, timeout, proxy=next((s.proxy for s in streams if s.proxy), ""))
    try:
        done = run(argv, timeout, beside=relay)
    finally:
        relay.close()
    return replace(done, relayed=relay.bytes_read)


def _relay(streams: Sequence[Stream], seconds: float) -> Relay | None:
    """The relay for streams that ffmpeg cannot read itself; None if it can read all of them."""
    read = [s.read for s in streams if s.read]
    if len(read) < len(streams):
        return None
    from nanokinetics.clips.relay import Relay

    rate = min((s.bit_rate for s in streams if s.has_video), default=0.0)
    return Relay(read, rate / 8 * seconds * PIECE)


def repack(program: Ffmpeg, source: Path, target: Path, *, timeout: float) -> Completed:
    """Copy the streams of a local file, without decoding, into an mp4, which has an index.

    MPEG-TS, the format of HLS segments, has no index: a seek in it misses the keyframes.
    """
    whole = input_of(source)
    output = ffmpeg.output(
        whole["v:0?"], whole["a:0?"], name_of(target), format="mp4", codec="copy"
    )
    flags = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "verbose"]
    argv = ffmpeg.compile(output.global_args(*flags), cmd=program.path, overwrite_output=True)
    return run(argv, timeout)


def _access(program: Ffmpeg, stream: Stream, seconds: float) -> dict[str, Any]:
    """The ffmpeg input options for a stream, so that a site treats ffmpeg like yt-dlp.

    seconds: length of the window. A proxy goes through the environment: its address may hold a
    password, and all users of a machine can see the arguments of a process.
    """
    if not stream.is_remote:
        return {}
    headers = {} if stream.read else dict(stream.headers)
    agent = headers.pop("User-Agent", None)
    ahead = (stream.bit_rate or 0) / 8 * seconds * READ_AHEAD
    wanted: dict[str, Any] = {
        # One reconnect after a break. Without it ffmpeg does not report some breaks at all.
        "reconnect": 1,
        "reconnect_delay_max": 0,
        "rw_timeout": int(stream.timeout * 1_000_000),  # microseconds
        "user_agent": agent,
        "headers": "".join(f"{name}: {value}\r\n" for name, value in headers.items()),
    }
    tunnelled = stream.proxy and stream.url.startswith("https://")
    if not tunnelled:  # a tunnel does not pass this option on
        wanted["recv_buffer_size"] = int(min(max(SMALLEST_BUFFER, ahead), LARGEST_BUFFER))
    if "request_size" in program.http_options:
        wanted["request_size"] = REQUEST_SIZE
    if stream.url.startswith("https://") and not stream.read:
        wanted["tls_verify"] = int(stream.verify)
        wanted["ca_file"] = stream.ca_file if stream.verify else None
    return {name: value for name, value in wanted.items() if value not in (None, "")}


def picture(
    program: Ffmpeg, source: Path, at: float, box: tuple[int, int], target: Path, *, timeout: float
) -> bool:
    """Write a small JPEG of the frame at `at` seconds; returns whether that worked.

    box: the largest width and height in pixels. timeout: seconds.
    """
    shown = input_of(source, ss=at, threads=1)["v:0"]
    small = shown.filter("scale", *box, force_original_aspect_ratio="decrease")
    output = ffmpeg.output(
        small, name_of(target), **{"frames:v": 1, "q:v": 5}, f="image2", update=1
    )
    flags = ["-hide_banner", "-nostdin", "-loglevel", "error"]
    argv = ffmpeg.compile(output.global_args(*flags), cmd=program.path, overwrite_output=True)
    return run(argv, timeout).returncode == 0 and target.is_file()

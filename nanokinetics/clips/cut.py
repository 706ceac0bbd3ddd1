"""Make a clip, a copy or a still picture from a source that ffmpeg can open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ffmpeg

from nanokinetics.clips.colours import curve_in
from nanokinetics.clips.ffmpeg import (
    TIME_BASE,
    Completed,
    Ffmpeg,
    filters_of,
    input_of,
    name_of,
    run,
)
from nanokinetics.clips.filters import SoundIsOver, paced, shape, sound
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
    read strictly: an unreadable part is an error, not a gap. HDR becomes SDR. Where the host does
    not tell of it, ffmpeg's log does, and the clip is made again.
    """
    curve = next((s.transfer for s in streams if s.has_video), "")
    encode = partial(_encode, program, streams, window, video, target, threads, timeout)
    done = encode(curve)
    seen = curve_in(done.stderr)
    return done if seen in ("", curve) else encode(seen)


def _encode(
    program: Ffmpeg,
    streams: Sequence[Stream],
    window: tuple[float, float] | None,
    video: VideoConfig,
    target: Path,
    threads: int,
    timeout: float,
    curve: str,
) -> Completed:
    start, end = window or (0.0, 0.0)
    seconds = end - start if window else None
    relay = _relay(streams, end - start)
    inputs = [
        input_of(
            relay.address(n) if relay else s.url,
            threads=threads,
            **({"ss": f"{start + s.begins:.6f}"} if window else {}),
            **_access(program, s, end - start),
        )
        for n, s in enumerate(streams)
    ]
    shown = next(i for i, s in zip(inputs, streams, strict=True) if s.has_video)
    heard = next((i for i, s in zip(inputs, streams, strict=True) if s.has_audio), None)
    zscale = not curve or "zscale" in filters_of(program.path)
    tracks = [shape(shown["v:0"], video, seconds, curve, zscale=zscale)]
    how: dict[str, Any] = {}
    over = None
    if heard is not None and video.audio:
        tracks.append(heard["a:0?"])
        how = {"acodec": "aac", "audio_bitrate": "128k"}
        if seconds is not None:
            over = SoundIsOver(seconds) if heard is shown and streams[0].is_remote else None
            how["filter:a"] = sound(seconds, told=over is not None)
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
        **_keyframes(video.gop),
        **{program.frame_sync: "vfr", "enc_time_base:v": TIME_BASE},
        **how,
    )
    flags = ["-hide_banner", "-nostdin", "-nostats", "-benchmark", "-loglevel", "verbose"]
    if any(s.is_remote for s in streams):
        flags.append("-xerror")
    if over:
        flags += ["-stats_period", "0.02"]  # seconds after which ffmpeg looks for a signal
    argv = ffmpeg.compile(output.global_args(*flags), cmd=program.path, overwrite_output=True)
    if over and seconds and program.threaded:
        graph = argv.index("-filter_complex") + 1
        argv[graph] = paced(argv[graph], seconds)
    if relay is None:
        proxy = next((s.proxy for s in streams if s.proxy), "")
        return run(argv, timeout, enough=over, proxy=proxy)
    try:
        done = run(argv, timeout, enough=over, beside=relay)
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


def _keyframes(gop: float | None) -> dict[str, Any]:
    """The options for a keyframe every `gop` seconds, by time, and wherever x264 wants one."""
    if gop is None:
        return {}
    return {"force_key_frames": f"expr:gte(t,n_forced*{gop})", "g": MOST_FRAMES}


MOST_FRAMES: Final = 1_000_000
"""More frames between two keyframes than any clip has: the times alone decide."""


def repack(program: Ffmpeg, stream: Stream, target: Path, *, timeout: float) -> Completed:
    """Copy a local stream, without decoding, into a NUT file, which has an index.

    MPEG-TS, the format of HLS segments, has no index: a seek in it misses the keyframes. NUT keeps
    all times as they are, where mp4 loses the last frame if it has no length. `begins_at` reads the
    start of the picture from the output.
    """
    whole = input_of(stream.url)
    output = ffmpeg.output(
        whole["v:0?"], whole["a:0?"], name_of(target), format="nut", codec="copy"
    )
    if stream.has_video:
        first = ffmpeg.output(whole["v:0"], "pipe:", format="framecrc", codec="copy", vframes=1)
        output = ffmpeg.merge_outputs(output, first)
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

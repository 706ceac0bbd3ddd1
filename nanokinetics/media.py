"""The only place that runs ffmpeg: find it, cut a window, read back what a file holds.

Commands are built with ffmpeg-python and run here, with a timeout, as argument lists. What
ffmpeg's words mean is in `diagnosis`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import ffmpeg
import imageio_ffmpeg

from nanokinetics.clip import Media
from nanokinetics.common.system import die_with_parent
from nanokinetics.config import VideoConfig
from nanokinetics.errors import EnvironmentFault
from nanokinetics.sources.stream import Stream

READ_AHEAD: Final = 1 / 32
"""The part of a window that a connection may hold unread in the kernel. All of it is thrown away
when the window ends or ffmpeg seeks; without a bound that is megabytes on a fast link. A larger
part would be quicker over a long way, where a connection carries one such buffer a round trip."""

CONTAINERS: Final = (
    *("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "flv", "asf"),
    *("mpeg", "mpegts", "mpegvideo", "m4v"),  # the last two are streams without a container
)
"""What ffmpeg may take an input for, by its own names. None of them can name another file, as
playlists, manifests and scripts do, whatever they are called."""

FROM_FILES: Final = "file"
FROM_SERVERS: Final = "http,https,httpproxy,tls,tcp"
"""The protocols by which an input may be read."""

SMALLEST_BUFFER: Final = 16 * 1024
LARGEST_BUFFER: Final = 256 * 1024
"""Bytes, whatever the window holds."""

REQUEST_SIZE: Final = 512 * 1024
"""Bytes an HTTP request asks for, with an ffmpeg that can ask in parts."""


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """An ffmpeg program, what its network code understands, and the encoders it has.

    `reader` is the program that reads files back.
    """

    path: str
    version: str
    http_options: frozenset[str]
    encoders: frozenset[str]
    reader: str


@dataclass(frozen=True, slots=True)
class Completed:
    """A run of ffmpeg that has ended. `returncode` is None when it was stopped for its time."""

    returncode: int | None
    stdout: str
    stderr: str
    seconds: float
    command: str

    @property
    def killed(self) -> bool:
        """Whether somebody else ended it: a signal, or the kernel for want of memory."""
        code = self.returncode
        return code is not None and (code < 0 or (code == 255 and "received signal" in self.stderr))

    @property
    def bytes_read(self) -> int:
        """Bytes read from its inputs; ffmpeg says so at its `verbose` level."""
        # Moving the index to the front of an mp4 reads the output once more: not an input.
        inputs = re.sub(r"Starting second pass[^\n]*\n[^\n]*bytes read", "", self.stderr)
        return sum(int(n) for n in re.findall(r"Statistics: (\d+) bytes read", inputs))

    @property
    def cpu_seconds(self) -> float:
        """Seconds of processor time it took; ffmpeg says so with `-benchmark`."""
        found = re.search(r"bench: utime=([\d.]+)s stime=([\d.]+)s", self.stderr)
        return float(found[1]) + float(found[2]) if found else self.seconds

    @property
    def input_duration(self) -> float | None:
        """Seconds the first input lasts by its own header; None where it does not say."""
        found = re.search(r"^  Duration: (\d+):(\d+):(\d+\.\d+)", self.stderr, re.MULTILINE)
        return found and int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])

    @property
    def log(self) -> str:
        ended = "stopped: out of time" if self.returncode is None else f"exit {self.returncode}"
        return f"$ {self.command}\n{self.stderr}\n[{ended}, {self.seconds:.1f} s]\n"


def find_ffmpeg(path: str | None = None) -> Ffmpeg:
    """The program to use: the one named, else the system's if it has H.264, else the wheel's.

    Unless one is named, files are read back with the wheel's: it is linked statically, and starts
    in a quarter of the time that a distribution's takes, a tenth of a second for each clip.
    Raises EnvironmentFault when there is none that works.
    """
    bundled = None if path else _from_wheel()
    candidates = [path] if path else [shutil.which("ffmpeg"), bundled]
    for candidate in filter(None, candidates):
        found = _examine(candidate, reader=path or bundled or candidate)
        if found:
            return found
    if path and not (Path(path).exists() or shutil.which(path)):
        raise EnvironmentFault(f"there is no file '{path}'; name an ffmpeg with --ffmpeg FILE")
    named = f"'{path}' is not an ffmpeg that can" if path else "there is no ffmpeg here that can"
    raise EnvironmentFault(
        f"{named} encode H.264 (libx264); install ffmpeg, or name one with --ffmpeg FILE"
    )


def _from_wheel() -> str | None:
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:  # the wheel of this platform holds no program
        return None


def _examine(path: str, *, reader: str) -> Ffmpeg | None:
    try:
        encoders, protocol = _ask(path, "-encoders"), _ask(path, "-h", "protocol=http")
    except (OSError, subprocess.SubprocessError):
        return None
    known = _coders(encoders.stdout)
    if "libx264" not in known:
        return None
    options = frozenset(re.findall(r"^ +-(\w+) ", protocol.stdout, re.MULTILINE))
    version = re.search(r"ffmpeg version (\S+)", encoders.stderr)
    return Ffmpeg(path, version[1] if version else "unknown", options, known, reader)


def inputs_of(program: Ffmpeg) -> tuple[frozenset[str], frozenset[str]]:
    """What it can read: the names of its protocols, and those of its decoders.

    Raises EnvironmentFault when it does not say.
    """
    try:
        protocols, decoders = _ask(program.path, "-protocols"), _ask(program.path, "-decoders")
    except (OSError, subprocess.SubprocessError):
        raise EnvironmentFault(f"{program.path} does not say what it can read") from None
    inputs = protocols.stdout.partition("Output:")[0]
    return frozenset(re.findall(r"^  (\S+)$", inputs, re.MULTILINE)), _coders(decoders.stdout)


def _ask(path: str, *question: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [path, *question],
        check=True,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def _coders(listing: str) -> frozenset[str]:
    return frozenset(re.findall(r"^ [VAS]\S{5} ([\w-]+)", listing, re.MULTILINE))


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
        _input(s.url, threads=threads, **span, **_access(program, s, end - start)) for s in streams
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
        _name(target),
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
    whole = _input(source)
    output = ffmpeg.output(whole["v:0?"], whole["a:0?"], _name(target), format="mp4", codec="copy")
    flags = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "verbose"]
    argv = ffmpeg.compile(output.global_args(*flags), cmd=program.path, overwrite_output=True)
    return run(argv, timeout)


def _input(place: str | Path, **options: Any) -> Any:
    """An input of ffmpeg, which opens that one place and nothing that its content may name."""
    name = _name(place)
    protocols = FROM_FILES if name.startswith("file:") else FROM_SERVERS
    return ffmpeg.input(
        name,
        format_whitelist=",".join(CONTAINERS),
        protocol_whitelist=protocols,
        **options,
    )


def _name(place: str | Path) -> str:
    """How ffmpeg is told of a place: a path could begin with a dash, or look like a protocol."""
    text = str(place)
    return text if text.startswith(("http://", "https://")) else f"file:{text}"


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
    shown = _input(source, ss=at, threads=1)["v:0"]
    small = shown.filter("scale", *box, force_original_aspect_ratio="decrease")
    output = ffmpeg.output(small, _name(target), **{"frames:v": 1, "q:v": 5}, f="image2", update=1)
    flags = ["-hide_banner", "-nostdin", "-loglevel", "error"]
    argv = ffmpeg.compile(output.global_args(*flags), cmd=program.path, overwrite_output=True)
    return run(argv, timeout).returncode == 0 and target.is_file()


def measure(
    program: Ffmpeg, path: Path, *, decode: bool = False, timeout: float = 120
) -> Media | None:
    """What a video file really holds, read packet by packet; None if it cannot be read to its end.

    With `decode`, every frame is decoded too, which finds damage inside the packets.
    """
    source = _input(path)
    how = {} if decode else {"codec": "copy"}
    output = ffmpeg.output(source["v:0"], source["a:0?"], "pipe:", format="framecrc", **how)
    flags = ["-hide_banner", "-nostdin", "-loglevel", "error", *(["-xerror"] if decode else [])]
    argv = ffmpeg.compile(output.global_args(*flags), cmd=program.reader)
    done = run(argv, timeout)
    if done.returncode != 0 or (decode and done.stderr.strip()):
        return None
    return parse_framecrc(done.stdout)


def parse_framecrc(text: str) -> Media | None:
    """Read ffmpeg's `framecrc` listing, with the video as stream 0: a line a frame."""
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


def run(argv: Sequence[str], timeout: float) -> Completed:
    """Run ffmpeg to its end, or kill it after `timeout` seconds. Never leaves it behind."""
    began = time.monotonic()
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        preexec_fn=die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - a worker has one thread
    )
    _running.append(process)
    try:
        stdout, stderr = process.communicate(timeout=timeout)
        code: int | None = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
        code = None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        _running.remove(process)
    seconds = time.monotonic() - began
    return Completed(code, stdout, stderr, seconds, subprocess.list2cmdline(argv))


_running: list[subprocess.Popen[str]] = []


def exit_now(*_: object) -> None:
    """End this process and the ffmpeg it runs at once; fit to be a signal handler.

    Nothing is raised: an exception could come up anywhere, even where it would be printed.
    """
    for process in _running:
        process.kill()
    os._exit(0)

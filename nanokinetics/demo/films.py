"""Make films with ffmpeg, and read the frame numbers back from clips of them.

Each frame has a strip of twenty black or white blocks at its top. They show the frame's number in
sixteen bits, most significant first, and a check sum of four bits. A block is a twentieth of the
width, and the strip is about an eighth of the shorter side. So the number survives scaling to 120
pixels and H.264 at crf 28. Below the strip, a moving, noisy test picture keeps the bit rate near
YouTube's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nanokinetics.demo.scenario import Film, Form

RECIPE = 1
"""Part of the cache key. Increase it when a change gives other films for the same parameters."""

NUMBER_BITS, CHECK_BITS = 16, 4
BLOCKS = NUMBER_BITS + CHECK_BITS

# Itags by shorter side, as YouTube numbers them.
AVC = {144: 160, 240: 133, 360: 134, 480: 135, 720: 136, 1080: 137}
VP9 = {144: 278, 240: 242, 360: 243, 480: 244, 720: 247, 1080: 248}
HLS = {144: 91, 240: 92, 360: 93, 480: 94, 720: 95, 1080: 96}
BOTH = {360: 18, 720: 22}
M4A, OPUS = 140, 251

AVC_CODEC, AAC_CODEC, VP9_CODEC, OPUS_CODEC = "avc1.4d401e", "mp4a.40.2", "vp9", "opus"


@dataclass(frozen=True)
class FilmStream:
    """One file of a film, with one itag."""

    itag: int
    path: Path
    mime: str
    size: int
    """Bytes."""
    width: int = 0
    height: int = 0
    """Pixels; 0 for audio only."""

    @property
    def has_video(self) -> bool:
        return self.height > 0

    @property
    def has_audio(self) -> bool:
        return any(codec in self.mime for codec in (AAC_CODEC, OPUS_CODEC))


def find_ffmpeg() -> str:
    """The system's ffmpeg, or that of imageio-ffmpeg. Raises FileNotFoundError without both."""
    if found := shutil.which("ffmpeg"):
        return found
    try:
        import imageio_ffmpeg
    except ImportError:
        raise FileNotFoundError(
            "the demo site needs ffmpeg: install it, or pip install imageio-ffmpeg"
        ) from None
    return str(imageio_ffmpeg.get_ffmpeg_exe())


class FilmStore:
    """Makes each film file once and keeps it in `folder`. Processes may share the folder."""

    def __init__(self, folder: Path, ffmpeg: str | None = None) -> None:
        self.folder = folder
        self.ffmpeg = ffmpeg or find_ffmpeg()
        self._locks: dict[Path, threading.Lock] = {}
        self._lock = threading.Lock()

    @functools.cache  # noqa: B019 - a store lives as long as its site
    def streams(self, film: Film, form: Form) -> tuple[FilmStream, ...]:
        """The files of one form, best first. Missing files are made. Raises RuntimeError."""
        return tuple(self._streams(film, form))

    def _streams(self, film: Film, form: Form) -> Iterator[FilmStream]:
        sizes = sorted(film.sizes or (film.short_side,), reverse=True)
        if len({_itag(AVC, size) for size in sizes}) < len(sizes):
            raise ValueError(f"film: two of the sizes {sizes} would share an itag")
        if form == "progressive":
            yield self._progressive(film, sizes)
        if form in ("fragmented", "video_only"):
            for size in sizes:
                yield self._avc(film, size)
        if form in ("fragmented", "audio_only") and film.audio:
            yield self._m4a(film)
        if form == "webm":
            for size in sizes:
                yield self._vp9(film, size)
            if film.audio:
                yield self._opus(film)
        if form == "hls":
            for size in sizes:
                yield self._hls(film, size)

    # -- one method a form: the file's name and the arguments of ffmpeg

    def _avc(self, film: Film, size: int) -> FilmStream:
        rate = film.video_rate or typical_rate(film, size)
        width, height = film.scaled(size)
        arguments = [
            *("-filter_complex", _picture(film, width, height), "-map", "[v]"),
            *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-sc_threshold", "0"),
            *("-threads", "1"),  # the same bytes on every machine
            *("-b:v", str(rate), "-maxrate", str(rate * 4 // 3), "-bufsize", str(rate * 2)),
            *(*_frames(film), *_fragments()),
        ]
        path = self._make(film, f"{size}p.mp4", arguments)
        return _stream(_itag(AVC, size), path, f'video/mp4; codecs="{AVC_CODEC}"', width, height)

    def _vp9(self, film: Film, size: int) -> FilmStream:
        rate = (film.video_rate or typical_rate(film, size)) * 3 // 4
        width, height = film.scaled(size)
        arguments = [
            *("-filter_complex", _picture(film, width, height), "-map", "[v]"),
            *("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-row-mt", "1"),
            *("-threads", "2", "-tile-columns", "1", "-b:v", str(rate)),
            *(*_frames(film), *_webm(film)),
        ]
        path = self._make(film, f"{size}p.webm", arguments)
        return _stream(_itag(VP9, size), path, f'video/webm; codecs="{VP9_CODEC}"', width, height)

    def _m4a(self, film: Film) -> FilmStream:
        arguments = [*_sound(film), "-c:a", "aac", "-b:a", "128k", *_fragments(seconds=10)]
        path = self._make(film, "audio.m4a", arguments)
        return _stream(M4A, path, f'audio/mp4; codecs="{AAC_CODEC}"')

    def _opus(self, film: Film) -> FilmStream:
        arguments = [*_sound(film), "-ar", "48000", "-c:a", "libopus", "-b:a", "128k", *_webm(film)]
        path = self._make(film, "audio.webm", arguments)
        return _stream(OPUS, path, f'audio/webm; codecs="{OPUS_CODEC}"')

    def _progressive(self, film: Film, sizes: list[int]) -> FilmStream:
        # YouTube's usual joined file is 360p. Take the best size up to that, or the least.
        size = next((size for size in sizes if size <= 360), min(sizes))
        inputs, codecs = self._inputs(film, size)
        flags = ["-movflags", "+faststart"] if film.moov_first else []
        path = self._make(film, f"{size}p+audio.mp4", [*inputs, "-c", "copy", *flags])
        return _stream(_itag(BOTH, size), path, f'video/mp4; codecs="{codecs}"', *film.scaled(size))

    def _hls(self, film: Film, size: int) -> FilmStream:
        # A transport stream with program tables only at keyframes. It is cut there.
        inputs, codecs = self._inputs(film, size)
        arguments = [*inputs, "-c", "copy", "-pat_period", "86400", "-sdt_period", "86400"]
        path = self._make(film, f"{size}p.ts", arguments)
        return _stream(_itag(HLS, size), path, f'video/mp2t; codecs="{codecs}"', *film.scaled(size))

    def _inputs(self, film: Film, size: int) -> tuple[list[str], str]:
        inputs = ["-i", str(self._avc(film, size).path)]
        if not film.audio:
            return inputs, AVC_CODEC
        return [*inputs, "-i", str(self._m4a(film).path)], f"{AVC_CODEC}, {AAC_CODEC}"

    def _make(self, film: Film, name: str, arguments: list[str]) -> Path:
        path = self.folder / _key(film, name) / name
        with self._lock:
            lock = self._locks.setdefault(path, threading.Lock())
        with lock:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                _run(self.ffmpeg, arguments, path)
        return path


def typical_rate(film: Film, size: int) -> int:
    """The approximate bits per second of YouTube at such a size."""
    width, height = film.scaled(size)
    return int(450_000 * (width * height / (640 * 360)) ** 0.75)


def read_frame_numbers(path: str | Path, ffmpeg: str | None = None) -> list[int]:
    """The frame numbers of a clip in order; -1 for an unreadable one.

    Raises RuntimeError if ffmpeg cannot decode the file.
    """
    # Take the middle half of the strip, and average each block to one pixel.
    crop = "crop=iw:floor(min(iw\\,ih)/16):0:floor(min(iw\\,ih)/32):exact=1"
    command = [ffmpeg or find_ffmpeg(), "-nostdin", "-v", "error", "-i", str(path), "-map", "0:v:0"]
    command += [
        "-fps_mode",
        "passthrough",
        "-vf",
        f"{crop},scale={BLOCKS}:1:flags=area,format=gray",
    ]
    command += ["-f", "rawvideo", "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{path}: {done.stderr.decode(errors='replace').strip()}")
    rows = (done.stdout[at : at + BLOCKS] for at in range(0, len(done.stdout), BLOCKS))
    return [_number(row) for row in rows]


def _number(row: bytes) -> int:
    value = functools.reduce(lambda bits, light: bits << 1 | (light > 127), row, 0)
    number, check = value >> CHECK_BITS, value & 0b1111
    folded = number ^ number >> 8
    # The constant makes an all black strip and an all white strip invalid.
    return number if check == (folded ^ folded >> 4) & 0b1111 ^ 0b1010 else -1


def _picture(film: Film, width: int, height: int) -> str:
    """A lavfi graph with the output [v]."""
    bit = "floor(N/pow(2,{}-X))"
    check = "+".join(bit.format(BLOCKS - 1 + CHECK_BITS * nibble) for nibble in range(4))
    number = f"if(lt(X,{NUMBER_BITS}),{bit.format(NUMBER_BITS - 1)},{check}+1-mod(X,2))"
    strip = min(width, height) // 16 * 2
    at = f"r={film.rate}:d={film.duration + 1}"
    turned = f",hue=h={film.hue}" if film.hue else ""
    return (
        f"testsrc2=s={width}x{height}:{at}{turned},noise=alls=16:allf=t:all_seed=7[picture];"
        f"color=s={BLOCKS}x2:{at},format=yuv420p,geq=lum='20+215*mod({number},2)':cb=128:cr=128,"
        f"scale={width}:{strip}:flags=neighbor[strip];[picture][strip]overlay=0:0"
        f"{_rhythm(film)}[v]"
    )


def _rhythm(film: Film) -> str:
    """The filter that leaves out the frames that the film does not show."""
    keeps = {
        "stalls": f"lt(mod(n,{round(4 * film.rate)}),{round(3.5 * film.rate)})",
        "drops": "lt(mod(mod(n*7919,97),5),3)",
        "slides": f"not(mod(n,{round(3.7 * film.rate)}))",
    }
    keeps_here = keeps.get(film.rhythm)
    return f",trim=end_frame={film.frames},select='{keeps_here}'" if keeps_here else ""


def _sound(film: Film) -> list[str]:
    at = f"duration={film.sound_ends or film.duration}:sample_rate=44100"
    noise = f"anoisesrc=color=pink:amplitude=0.2:seed=7:{at}"
    return ["-f", "lavfi", "-i", f"sine=frequency=440:{at}[a];{noise}[b];[a][b]amix", "-ac", "2"]


def _frames(film: Film) -> list[str]:
    if film.rhythm != "even":
        # Keyframes by time, since frames do not tell it; and each frame keeps its own.
        keys = f"expr:gte(t,n_forced*{film.gop_seconds})"
        return ["-fps_mode", "passthrough", "-enc_time_base", f"1:{round(film.rate * 1000)}",
                "-force_key_frames", keys, "-g", "9999", "-pix_fmt", "yuv420p"]  # fmt: skip
    gop = str(max(1, round(film.gop_seconds * film.rate)))
    return ["-frames:v", str(film.frames), "-g", gop, "-keyint_min", gop, "-pix_fmt", "yuv420p"]


def _fragments(seconds: float | None = None) -> list[str]:
    """Options for fragments of one GOP, or of some seconds, with an index of them at the front."""
    cut = ["-frag_duration", str(round(seconds * 1e6))] if seconds else []
    flags = "+empty_moov+default_base_moof+delay_moov+global_sidx+skip_trailer"
    return [*cut, "-movflags", flags if seconds else f"{flags}+frag_keyframe"]


def _webm(film: Film) -> list[str]:
    cluster = str(round(max(film.gop_seconds, 5) * 1000) + 1000)
    return ["-cues_to_front", "1", "-cluster_time_limit", cluster, "-cluster_size_limit", "8000000"]


def _itag(itags: dict[int, int], size: int) -> int:
    return itags[min(itags, key=lambda known: abs(known - size))]


def _stream(itag: int, path: Path, mime: str, width: int = 0, height: int = 0) -> FilmStream:
    return FilmStream(itag, path, mime, path.stat().st_size, width, height)


def _key(film: Film, name: str) -> str:
    # The position of the index and the offered sizes change no other file.
    parameters = dataclasses.asdict(film) | {"sizes": ()}
    if not name.endswith("+audio.mp4"):
        parameters["moov_first"] = True
    return hashlib.sha256(f"{RECIPE}:{json.dumps(parameters)}".encode()).hexdigest()[:16]


def _run(ffmpeg: str, arguments: Iterable[str], path: Path) -> None:
    """Make a file whole or not at all. If several processes make it, the first one wins."""
    handle, temporary = tempfile.mkstemp(suffix=path.suffix, prefix=".making-", dir=path.parent)
    os.close(handle)
    try:
        command = [ffmpeg, "-nostdin", "-y", "-v", "error", *arguments, "-fflags", "+bitexact"]
        done = subprocess.run([*command, temporary], capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(
                f"{ffmpeg} could not make {path.name}: {done.stderr.decode()[-800:]}"
            )
        # Never replace a file, since a site may be serving it.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)

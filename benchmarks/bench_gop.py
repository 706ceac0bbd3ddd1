"""Measure what the distance of keyframes costs and saves: bytes of clips, and random reads of them.

    python benchmarks/bench_gop.py FILM.mp4 ...

It makes footage of its own and takes films of yours, encodes each with every distance as a build
does, and reads RUN frames in a row from random places, each time from a newly opened file, as a
training loader does. PyAV is needed; torchcodec is measured if it is here. Readers use one thread.
The distances take turns, so that a busy machine slows all of them alike.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av

from nanokinetics.clips.cut import cut
from nanokinetics.clips.ffmpeg import find_ffmpeg
from nanokinetics.config import VideoConfig
from nanokinetics.sources.stream import Stream

DISTANCES: tuple[float | None, ...] = (None, 2.0, 1.0, 0.5)
"""Seconds; None leaves keyframes to x264."""

SECONDS, RATE = 10, 30
SIZE = "640x360"

NOISE = "noise=alls=5:allf=t:all_seed=7"
AT = f"s={SIZE}:r={RATE}"
MADE = {
    "made: motion and noise": f"testsrc2={AT}:d={SECONDS},{NOISE}",
    "made: motion and noise, a cut every 2.5 s": (
        f"testsrc2={AT}:d=2.5,{NOISE}[a];mandelbrot={AT}:start_scale=0.3,trim=duration=2.5,{NOISE}[b];"
        f"testsrc2={AT}:d=2.5,hflip,hue=h=90,{NOISE}[c];"
        f"life={AT}:mold=10:ratio=0.1:seed=7,trim=duration=2.5,boxblur=4,format=yuv420p,{NOISE}[d];"
        "[a][b][c][d]concat=n=4"
    ),
    "made: hardly any motion": f"smptehdbars={AT}:d={SECONDS},noise=alls=2:allf=t:all_seed=7",
}
"""Graphs of ffmpeg's sources."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("films", nargs="*", type=Path)
    parser.add_argument("--reads", type=int, default=60, help="random reads of each clip")
    parser.add_argument("--run", type=int, nargs="+", default=[1, 16], help="frames in a row")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        films = {
            name: made(graph, folder / f"{i}.mkv") for i, (name, graph) in enumerate(MADE.items())
        }
        films |= {path.stem: path for path in args.films}
        for name, film in films.items():
            clips = {gop: clip_of(film, gop, folder) for gop in DISTANCES}
            table(name, clips, args.reads, args.run)


def made(graph: str, path: Path) -> Path:
    argv = [find_ffmpeg().path, "-v", "error", "-filter_complex", graph]
    subprocess.run([*argv, "-c:v", "ffv1", "-y", str(path)], check=True)
    return path


def clip_of(film: Path, gop: float | None, folder: Path) -> Path:
    """The whole film, encoded as a build encodes it."""
    target = folder / f"{gop}-{film.stem}.mp4"
    video = VideoConfig(gop=gop, audio=False)
    done = cut(find_ffmpeg(), [Stream(str(film))], None, video, target, threads=1, timeout=600)
    if done.returncode != 0:
        raise RuntimeError(done.log)
    return target


def with_pyav(path: Path, start: float, frames: int) -> None:
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "NONE", 1
        clip.seek(int(start / (stream.time_base or 1)), stream=stream)
        left = frames
        for frame in clip.decode(stream):
            if frame.time is not None and frame.time >= start:
                frame.to_ndarray(format="rgb24")
                left -= 1
                if not left:
                    return


def with_torchcodec(path: Path, start: float, frames: int) -> None:
    from torchcodec.decoders import VideoDecoder  # type: ignore[import-not-found,unused-ignore]

    decoder = VideoDecoder(str(path), num_ffmpeg_threads=1, seek_mode="approximate")
    rate = decoder.metadata.average_fps
    first = min(round(start * rate), decoder.metadata.num_frames - frames)
    decoder.get_frames_in_range(first, first + frames)


def readers() -> dict[str, Callable[[Path, float, int], None]]:
    found: dict[str, Callable[[Path, float, int], None]] = {"PyAV": with_pyav}
    if importlib.util.find_spec("torchcodec"):
        found["torchcodec"] = with_torchcodec
    return found


def table(name: str, clips: dict[float | None, Path], reads: int, runs: list[int]) -> None:
    columns = [(reader, run) for reader in readers() for run in runs]
    heads = [f"{reader}, {run} frame{'s' * (run > 1)}, ms" for reader, run in columns]
    print(f"\n{name}\n\n| gop | keyframes | bytes | {' | '.join(heads)} |")
    print(f"|---|---:|---:|{'---:|' * len(columns)}")
    seconds = length_of(clips[None])
    spent = {each: timed(clips, *each, reads, seconds) for each in columns}
    for gop, path in clips.items():
        size, least = path.stat().st_size, clips[None].stat().st_size
        cells = [str(keyframes(path)), f"{size} ({size / least:.2f})"]
        for each in columns:
            mine, base = spent[each][gop], spent[each][None]
            cells.append(f"{1000 * mine:.1f} ({mine / base:.2f})")
        print(f"| {'none' if gop is None else f'{gop:g} s'} | {' | '.join(cells)} |", flush=True)


def timed(
    clips: dict[float | None, Path], reader: str, run: int, reads: int, seconds: float
) -> dict[float | None, float]:
    """Of each clip the mean seconds of a read at the same random places."""
    read, places = readers()[reader], random.Random(7)
    spent: dict[float | None, list[float]] = {gop: [] for gop in clips}
    for path in clips.values():
        read(path, 0.0, run)  # the first one loads libraries
    for _ in range(reads):
        start = places.uniform(0, max(0.0, seconds - (run + 1) / 24))
        for gop, path in clips.items():
            began = time.perf_counter()
            read(path, start, run)
            spent[gop].append(time.perf_counter() - began)
    return {gop: statistics.mean(each) for gop, each in spent.items()}


def keyframes(path: Path) -> int:
    with av.open(str(path)) as clip:
        return sum(p.is_keyframe for p in clip.demux(video=0) if p.size)


def length_of(path: Path) -> float:
    with av.open(str(path)) as clip:
        return (clip.duration or 0) / av.time_base


if __name__ == "__main__":
    main()

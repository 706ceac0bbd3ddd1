"""What a program writes is bounded, and what is read out of it is not lost."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import pytest
import trees
from helpers import FFMPEGS

from nanokinetics.clips.cut import cut
from nanokinetics.clips.ffmpeg import find_ffmpeg, run
from nanokinetics.clips.measure import FrameListing, measure, parse_framecrc
from nanokinetics.clips.output import KEPT, HeadAndTail
from nanokinetics.config import VideoConfig
from nanokinetics.sources.stream import Stream

TALKER = """
import sys
out = getattr(sys, sys.argv[1])
out.write("  Duration: 00:00:07.50, start: 0\\n")
line = "[h264 @ 0x55] a complaint without end\\n" * 1000
for _ in range(int(sys.argv[2])):
    out.write(line)
out.write("Statistics: 1234 bytes read, 0 seeks\\nbench: utime=1.5s stime=0.5s rtime=3s\\n")
sys.exit(3)
"""


def talker(*arguments: object) -> list[str]:
    return [sys.executable, "-c", TALKER, *map(str, arguments)]


@pytest.mark.parametrize("stream", ["stderr", "stdout"])
def test_of_endless_output_the_beginning_and_the_end_are_kept(stream: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = run(talker(stream, 5000), 60)  # 190 MB
    kept = getattr(done, stream)
    assert done.returncode == 3
    assert 2 * KEPT <= len(kept) < 2 * KEPT + 100
    assert " bytes are left out ...]" in kept
    assert kept.startswith("  Duration: 00:00:07.50")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000, "kilobytes"
    if stream == "stderr":
        assert (done.input_duration, done.bytes_read, done.cpu_seconds) == (7.5, 1234, 2.0)
        assert len(done.log) < 2 * KEPT + 1000


def test_short_output_is_kept_whole() -> None:
    done = run(talker("stderr", 2), 60)
    assert done.stderr.count("\n") == 2003
    assert "left out" not in done.stderr


@pytest.mark.parametrize("sizes", [[1] * 50, [7] * 9, [50], [10, 40], [11, 1, 38], []])
def test_head_and_tail_do_not_depend_on_the_pieces(sizes: list[int]) -> None:
    data = bytes(range(65, 115))
    for kept in (5, 24, 25, 26, 60):
        found, at = HeadAndTail(kept), 0
        for size in sizes:
            found.feed(data[at : at + size])
            at += size
        whole = data[:at].decode()
        dropped = len(whole) - 2 * kept
        gap = f"\n[... {dropped} bytes are left out ...]\n"
        expected = whole if dropped <= 0 else f"{whole[:kept]}{gap}{whole[-kept:]}"
        assert found.text() == expected


@pytest.mark.parametrize(
    "script",
    [
        "import time; time.sleep(60)",
        "import os, time; os.close(1); os.close(2); time.sleep(60)",
        "import sys\nwhile True: sys.stderr.write('x' * 1000)",
        "import subprocess, sys; subprocess.Popen(['sleep', '60'])",
    ],
    ids=["silent", "with closed streams", "endless", "leaves its streams to another"],
)
def test_a_program_that_does_not_end_is_ended_in_time(script: str) -> None:
    began = time.monotonic()
    done = run([sys.executable, "-c", script], 1.0)
    assert done.returncode is None
    assert time.monotonic() - began < 20


def listing(frames: int) -> bytes:
    head = b"#tb 0: 1/30\n#media_type 0: video\n#dimensions 0: 64x48\n#media_type 1: audio\n"
    return head + b"".join(b"0, %9d, %9d, 1, 9, 0x1\n1, 7, 7, 1, 9, 0x1\n" % (n, n)
                           for n in range(frames))  # fmt: skip


@pytest.mark.parametrize("piece", [1, 7, 64, 10_000])
def test_a_listing_is_read_in_pieces_of_any_size(piece: int) -> None:
    data, found = listing(90), FrameListing()
    for at in range(0, len(data), piece):
        found.feed(data[at : at + piece])
    media = found.media()
    assert media == parse_framecrc(data.decode())
    assert media is not None
    assert (media.frames, media.duration, media.width, media.has_audio) == (90, 3.0, 64, True)


def test_a_video_of_too_many_frames_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nanokinetics.clips.measure.MOST_FRAMES", 50)
    assert parse_framecrc(listing(50).decode()) is not None
    assert parse_framecrc(listing(51).decode()) is None


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
def test_what_ffmpeg_says_is_still_understood(films: Path, tmp_path: Path, ffmpeg: str) -> None:
    program, film = find_ffmpeg(ffmpeg), trees.film(films)
    target = tmp_path / "made.mp4"
    video = VideoConfig(x264_preset="ultrafast")
    done = cut(program, [Stream(str(film))], (0.0, 0.5), video, target, threads=1, timeout=60)
    assert done.returncode == 0
    assert 0 < done.bytes_read <= 2 * film.stat().st_size
    assert done.input_duration
    found = measure(program, target, decode=True)
    assert found is not None
    assert found.duration == pytest.approx(0.5, abs=0.1)

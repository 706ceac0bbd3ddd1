"""Frames, sound, colours and keyframes of a cut, read back from the clip; with every ffmpeg."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import pytest
from helpers import FFMPEGS, WHEEL

from nanokinetics.clips import cut as cutting
from nanokinetics.clips.cut import cut, repack
from nanokinetics.clips.ffmpeg import Ffmpeg, find_ffmpeg
from nanokinetics.clips.filters import SoundIsOver, passed
from nanokinetics.clips.judge import judge
from nanokinetics.clips.measure import measure
from nanokinetics.config import VideoConfig
from nanokinetics.demo.films import FilmStore, read_frame_numbers
from nanokinetics.demo.scenario import Film, Form
from nanokinetics.sources.stream import Stream

VIDEO = VideoConfig(resolution=144, x264_preset="ultrafast")
FILM = Film(duration=26, width=192, height=108, fps=30)
RHYTHMS = ("even", "stalls", "drops", "slides")
WINDOWS = (
    (12, 22),
    (11.7, 19.7),  # begins and ends within a stall
    (15.6, 19.8),
    (14.8, 18.5),  # begins with a slide, and ends where the next one comes
    (20, 30),  # the video ends before
)
"""Seconds."""


def made(
    path: str | Path | None, source: Path, window: tuple[float, float] | None, target: Path,
    video: VideoConfig = VIDEO,
) -> tuple[Ffmpeg, str]:  # fmt: skip
    """Cut; gives the program and its log."""
    program = find_ffmpeg(None if path is None else str(path))
    done = cut(program, [Stream(str(source))], window, video, target, threads=1, timeout=60)
    assert done.returncode == 0, done.log
    return program, done.stderr


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
@pytest.mark.parametrize("form", ["progressive", "webm"])
@pytest.mark.parametrize("rhythm", RHYTHMS)
def test_a_clip_holds_the_frames_whose_time_lies_in_its_window_once_each(
    films, tmp_path, ffmpeg, rhythm, form: Form
):
    film = replace(FILM, rhythm=rhythm)
    source = FilmStore(films, WHEEL).streams(film, form)[0].path
    for window in WINDOWS:
        program, log = made(ffmpeg, source, window, tmp_path / "made.mp4")
        assert read_frame_numbers(tmp_path / "made.mp4", WHEEL) == film.within(*window), window
        found = measure(program, tmp_path / "made.mp4")
        assert found is not None
        assert passed(log) == (window[1] <= film.duration)
        assert not judge(window, found, passed=passed(log), ends_at=film.duration, whole=False)


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
@pytest.mark.parametrize("rhythm", RHYTHMS)
def test_a_whole_video_keeps_all_its_frames_and_their_times(films, tmp_path, ffmpeg, rhythm):
    film = replace(FILM, rhythm=rhythm)
    source = FilmStore(films, WHEEL).streams(film, "progressive")[0].path
    made(ffmpeg, source, None, tmp_path / "made.mp4")
    numbers = film.within(0, film.duration)
    assert read_frame_numbers(tmp_path / "made.mp4", WHEEL) == numbers
    with av.open(str(tmp_path / "made.mp4")) as clip:
        times = [frame.time for frame in clip.decode(video=0)]
    assert times == pytest.approx([n / film.fps for n in numbers], abs=0.002)
    program = find_ffmpeg(ffmpeg)
    looked, told = measure(program, source, decode=True), measure(program, tmp_path / "made.mp4")
    assert looked is not None
    assert told is not None
    assert (looked.frames, told.frames) == (len(numbers), len(numbers))
    assert looked.last == pytest.approx(told.last, abs=0.002)


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
def test_sound_lasts_as_long_as_its_window_whatever_the_picture_does(films, tmp_path, ffmpeg):
    source = FilmStore(films, WHEEL).streams(replace(FILM, rhythm="slides"), "progressive")[0].path
    made(ffmpeg, source, (12, 22), tmp_path / "made.mp4")
    with av.open(str(tmp_path / "made.mp4")) as clip:
        sound, picture = clip.streams.audio[0], clip.streams.video[0]
        assert sound.duration is not None
        assert sound.time_base is not None
        assert float(sound.duration * sound.time_base) == pytest.approx(10, abs=0.05)
        first = next(clip.decode(picture)).time
    assert first == pytest.approx(2.8, abs=0.002)  # the slide of 14.8 s


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
def test_segments_of_sound_alone_are_repacked_too(films, tmp_path, ffmpeg):
    """HLS may give picture and sound apart."""
    source = FilmStore(films, WHEEL).streams(FILM, "audio_only")[0].path
    apart = tmp_path / "sound.ts"
    subprocess.run([WHEEL, "-v", "error", "-i", source, "-c", "copy", apart], check=True)
    stream = Stream(str(apart), has_video=False)
    done = repack(find_ffmpeg(ffmpeg), stream, tmp_path / "sound.nut", timeout=60)
    assert done.returncode == 0, done.log
    with av.open(str(tmp_path / "sound.nut")) as sound:
        assert len(sound.streams.audio) == 1


def test_sound_is_over_only_if_it_is_far_behind_its_picture():
    def told(*numbers: float) -> list[bool]:
        over = SoundIsOver(10)
        return [over(f"[Eval @ 0x7f] {number:.6f}\n") for number in numbers]

    assert told(-1, -5, -10, 10.0) == [False, False, False, False]
    assert told(-1, -5, 10.0) == [False, False, True]
    assert told(10.0) == [True]
    assert not SoundIsOver(10)("[mp4 @ 0x7f] 10.000000 of something\n")


# -- colours

SIGNALS = {"smpte2084": "libvpx-vp9", "arib-std-b67": "libx265"}


def hdr(curve: str, path: Path) -> Path:
    """A picture of colour bars, as HDR whose white shines with 203 cd/m2 (ITU-R BT.2408)."""
    bars = "smptehdbars=s=320x180:r=5:d=1,format=yuv420p,setparams=colorspace=bt709"
    bars += ":color_primaries=bt709:color_trc=bt709:range=tv"
    graph = (
        "zscale=transfer=linear:npl=203,format=gbrpf32le,"
        f"zscale=primaries=bt2020:transfer={curve}:matrix=bt2020nc:range=tv:npl=203,"
        "format=yuv420p10le"
    )
    speed = {"libvpx-vp9": ["-deadline", "realtime"], "libx265": ["-preset", "ultrafast"]}
    argv = [WHEEL, "-v", "error", "-f", "lavfi", "-i", bars, "-vf", graph, "-c:v", SIGNALS[curve]]
    subprocess.run([*argv, *speed[SIGNALS[curve]], "-y", str(path)], check=True)
    return path


def bars_of(path: Path) -> dict[str, tuple[int, ...]]:
    """Red, green and blue in the middle of some bars, as a loader sees them."""
    with av.open(str(path)) as clip:
        frame = next(clip.decode(video=0))
        assert frame.format.name == "yuv420p"
        picture = frame.to_ndarray(format="rgb24", width=320, height=180)
    at = {"grey": 20, "white": 61, "yellow": 98, "green": 162, "red": 228, "blue": 262}
    return {name: tuple(map(int, picture[40, x])) for name, x in at.items()}


@pytest.mark.parametrize("zscale", [True, False], ids=["zscale", "without zscale"])
@pytest.mark.parametrize("ffmpeg", FFMPEGS)
@pytest.mark.parametrize("curve", SIGNALS)
def test_hdr_becomes_what_loaders_can_show(tmp_path, monkeypatch, curve, ffmpeg, zscale):
    if not zscale:
        monkeypatch.setattr(cutting, "filters_of", lambda _: frozenset())
    source = hdr(curve, tmp_path / "hdr.mkv")
    made(ffmpeg, source, (0, 1), tmp_path / "made.mp4")
    seen = bars_of(tmp_path / "made.mp4")
    with av.open(str(tmp_path / "made.mp4")) as clip:
        context = clip.streams.video[0].codec_context
        assert (context.color_trc, context.color_primaries, context.colorspace) == (1, 1, 1)
    for name, lit in {"yellow": "rg", "green": "g", "red": "r", "blue": "b"}.items():
        value = dict(zip("rgb", seen[name], strict=True))
        dark = [value[c] for c in "rgb" if c not in lit]
        assert min(value[c] for c in lit) > 2.5 * max(dark), (name, seen)
    assert 80 < max(seen["grey"]) < 130
    assert max(seen["grey"]) - min(seen["grey"]) < 12
    assert len(read_sizes(tmp_path / "made.mp4")) == 5


def read_sizes(path: Path) -> list[bool]:
    """Of each packet of the picture whether it is a keyframe."""
    with av.open(str(path)) as clip:
        return [p.is_keyframe for p in clip.demux(video=0) if p.size]


def test_other_colours_are_left_alone(films, tmp_path):
    source = FilmStore(films, WHEEL).streams(FILM, "progressive")[0].path
    _, log = made(None, source, (0, 1), tmp_path / "made.mp4")
    assert "tonemap" not in log


# -- keyframes


def distances(path: Path) -> list[float]:
    """Seconds between the keyframes of a clip."""
    with av.open(str(path)) as clip:
        times = [f.time for f in clip.decode(video=0) if f.key_frame]
    return [later - earlier for earlier, later in pairwise(times)]


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
@pytest.mark.parametrize("rhythm", ["even", "stalls"])
@pytest.mark.parametrize("gop", [0.5, 2])
def test_keyframes_stand_as_far_apart_as_was_asked(films, tmp_path, ffmpeg, rhythm, gop):
    source = FilmStore(films, WHEEL).streams(replace(FILM, rhythm=rhythm), "progressive")[0].path
    video = replace(VIDEO, gop=gop)
    made(ffmpeg, source, (4, 14), tmp_path / "made.mp4", video)
    apart = distances(tmp_path / "made.mp4")
    late = 0.5 if rhythm == "stalls" else 0.0
    assert len(apart) >= 10 / (gop + late) - 1.01
    assert max(apart) <= gop + late + 0.05


def test_without_a_distance_x264_decides(films, tmp_path):
    source = FilmStore(films, WHEEL).streams(FILM, "progressive")[0].path
    made(None, source, (4, 14), tmp_path / "made.mp4")
    assert max(distances(tmp_path / "made.mp4")) > 2

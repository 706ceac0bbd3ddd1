"""Builds of awkward videos: uneven frames, sound that ends early, HLS, dubs. With every ffmpeg."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trees
from helpers import FAST, FFMPEGS, WHEEL, Row, write_csv, youtube_id

from nanokinetics import build
from nanokinetics.demo.films import FilmStore, read_frame_numbers
from nanokinetics.demo.least import least_bytes
from nanokinetics.demo.scenario import Film, Form, Scenario, Video

pytestmark = pytest.mark.slow

EVEN = Film(duration=26, width=192, height=108, fps=30)
STALLS = Film(duration=26, width=192, height=108, fps=30, rhythm="stalls")
SLIDES = Film(duration=26, width=192, height=108, fps=30, rhythm="slides")
WINDOWS = ((12, 22), (11.7, 19.7), (15.5, 25.5))


def rows_of(label: str, number: int) -> list[Row]:
    return [Row(label, youtube_id(number + i), *window) for i, window in enumerate(WINDOWS)]


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
@pytest.mark.parametrize("form", ["progressive", "fragmented", "webm", "hls"])
def test_uneven_frames_come_once_each_from_every_form(bench, ffmpeg, form: Form):
    films = {"even": EVEN, "stalls": STALLS, "slides": SLIDES}
    rows = {name: rows_of(name, 10 * i) for i, name in enumerate(films)}
    videos = {
        row.youtube_id: Video(films[n], (form,)) for n, found in rows.items() for row in found
    }
    wanted = [row for found in rows.values() for row in found]
    made = bench(Scenario(videos), wanted, len(WINDOWS), *FAST, "--ffmpeg", ffmpeg)
    assert made.run().code == 0
    made.holds(wanted)
    for name, found in rows.items():
        for row in found:
            numbers = read_frame_numbers(made.dest / row.path, WHEEL)
            assert numbers == films[name].within(row.start, row.end), row
    assert {row["attempts"] for row in made.stats()} == {"1"}


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
def test_hls_is_exact_where_sound_begins_before_the_picture(bench, ffmpeg):
    """At 60 frames a second, the 23 ms by which AAC's first packet comes early are a frame."""
    film = Film(duration=12, width=192, height=108, fps=60, gop_seconds=2)
    rows = [Row("yoga", youtube_id(i), start, start + 2) for i, start in enumerate((3, 5, 7.5))]
    made = bench(Scenario(default=Video(film, ("hls",))), rows, 3, *FAST, "--ffmpeg", ffmpeg)
    assert made.run().code == 0
    for row in rows:
        numbers = read_frame_numbers(made.dest / row.path, WHEEL)
        assert numbers == film.within(row.start, row.end)


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
def test_sound_that_ends_early_costs_no_bytes(bench, ffmpeg):
    film = Film(duration=240, width=256, height=144, fps=15, sound_ends=8)
    rows = [Row("yoga", youtube_id(i), *w) for i, w in enumerate(((12, 22), (3, 13)))]
    made = bench(
        Scenario(default=Video(film, ("progressive",))), rows, 2, *FAST, "--ffmpeg", ffmpeg
    )
    assert made.run().code == 0
    made.holds(rows)
    made.holds_the_frames_of(rows, film.fps)
    assert {row["key"]: row["has_audio"] for row in made.stats()} == {
        rows[0].key: "False",
        rows[1].key: "True",
    }
    for row in rows:
        (stream,) = made.site.streams(row.youtube_id).values()
        served = made.site.media_bytes(row.youtube_id)
        assert served < 2 * least_bytes(stream.path, row.start, row.end)
        assert served < stream.size / 5


@pytest.mark.parametrize(
    ("forms", "original", "taken"),
    [
        (("fragmented", "webm"), "webm", "160+251"),
        (("fragmented", "webm"), "fragmented", "160+140"),
        (("fragmented", "webm"), None, "160+140"),
        (("progressive", "fragmented", "webm"), "webm", "160+251"),
        (("progressive",), "progressive", "18"),
    ],
)
def test_the_original_sound_comes_before_a_dub_whatever_its_codec(bench, forms, original, taken):
    film = Film(duration=8, width=256, height=144, fps=15)
    row = Row("yoga", youtube_id(1), 2, 4)
    made = bench(Scenario(default=Video(film, forms, original=original)), [row], 1, *FAST)
    assert made.run().code == 0
    assert [each["format_id"] for each in made.stats()] == [taken]


# -- whether a clip counts does not depend on how it gets there


def placed(folder: Path, files: dict[str, bytes], rows: list[Row], *, place: str) -> set[str]:
    """The keys of the clips that count."""
    source = folder / f"source-{place}"
    made = build(
        "kinetics",
        source="local",
        src=trees.lay(source, files),
        annotations=[write_csv(folder / f"{place}.csv", rows)],
        n=len(rows),
        place=place,
        workers=1,
        resolution=108,
        x264_preset="ultrafast",
        dest=folder / place,
        failed_logs=folder / "logs",
    )
    assert made.made + sum(made.reasons.values()) == len(rows)
    return {path.stem for path in (folder / place).rglob("*.mp4")}


def test_a_clip_counts_however_it_is_placed(films, tmp_path):
    """Slides, stalls, and a clip that is too short to count, as files of their own."""
    store = FilmStore(films, WHEEL)
    short = Film(duration=0.4, width=192, height=108, fps=30)
    rows = [Row("yoga", youtube_id(i), 2, 12) for i in range(4)]
    kinds = dict(zip(rows, (EVEN, STALLS, SLIDES, short), strict=True))
    files = {
        f"{row.key}.mp4": store.streams(film, "progressive")[0].path.read_bytes()
        for row, film in kinds.items()
    }
    counted = {
        place: placed(tmp_path, files, rows, place=place)
        for place in ("copy", "hardlink", "symlink", "transcode")
    }
    assert set(map(frozenset, counted.values())) == {frozenset(r.key for r in rows[:3])}


def test_windows_of_local_videos_are_those_of_youtube(films, tmp_path):
    store = FilmStore(films, WHEEL)
    rows = [Row("yoga", youtube_id(i), *window) for i, window in enumerate(WINDOWS)]
    data = store.streams(SLIDES, "progressive")[0].path.read_bytes()
    files = {f"{row.youtube_id}.mp4": data for row in rows}
    assert placed(tmp_path, files, rows, place="copy") == {row.key for row in rows}
    for row in rows:
        numbers = read_frame_numbers(tmp_path / "copy" / row.path, WHEEL)
        assert numbers == SLIDES.within(row.start, row.end)


# -- keyframes are part of what a folder was asked for


def test_the_distance_of_keyframes_stays_that_of_the_folder(bench):
    film = Film(duration=8, width=256, height=144, fps=15)
    row = Row("yoga", youtube_id(1), 2, 6)
    made = bench(Scenario(default=Video(film, ("progressive",))), [row], 1, *FAST)
    assert made.run("--gop", "1").code == 0
    record = json.loads((made.dest / "run.json").read_text("utf-8"))
    assert record["gop"] == 1
    assert made.run("--gop", "1").code == 0
    refused = made.run()
    assert refused.code == 2
    assert "gop 1" in refused.stderr


def test_without_it_the_record_is_that_of_earlier_versions(bench):
    film = Film(duration=8, width=256, height=144, fps=15)
    row = Row("yoga", youtube_id(1), 2, 6)
    made = bench(Scenario(default=Video(film, ("progressive",))), [row], 1, *FAST)
    assert made.run("--gop", "none").code == 0
    assert "gop" not in json.loads((made.dest / "run.json").read_text("utf-8"))
    assert made.run().code == 0

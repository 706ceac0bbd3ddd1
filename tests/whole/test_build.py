"""The promise of a build: every class reaches n, of the right clips; the rest is accounted for."""

from __future__ import annotations

from itertools import cycle

import pytest
from helpers import (
    DEAD,
    FAST,
    SMALL,
    WHEEL,
    Bench,
    Row,
    kept,
    ranked,
    read_table,
    reason_of,
    youtube_id,
)

from nanokinetics.demo.films import read_frame_numbers
from nanokinetics.demo.scenario import Form, Scenario, Video

pytestmark = pytest.mark.slow

LABELS = (
    "abseiling",
    "hurling (sport)",
    "massaging person's head",
    "training dog",
    "air drumming",
    "zumba",
    "yoga",
    "ice skating",
)
N = 6
DEAD_RANKS = (0, 2, 5)
"""A quarter of the twelve candidates of a class, all of which a class of six must come across."""

FORMS: tuple[tuple[Form, ...], ...] = (("progressive",), ("fragmented",), ("webm",))
ALL_DEAD = (*DEAD, "audio_only", "outside")
REASONS = {"audio_only": "no_video_stream", "outside": "outside_video"}


def _rows() -> list[Row]:
    """Eight classes of twelve windows; some ids begin with a dash, one window lasts ten seconds."""
    rows = []
    for number in range(8 * 12):
        label, start = LABELS[number % 8], 1 + number % 7
        ten = number // 8 == 0
        name = youtube_id(number, "-" if number % 10 == 0 else "v")
        rows.append(Row(label, name, start, start + (10 if ten else 1 + number % 2)))
    return rows


def _world() -> tuple[list[Row], dict[str, Video], dict[str, str]]:
    """Rows, videos, and the reason for each dead video, those of each class at DEAD_RANKS."""
    rows, forms, failures = _rows(), cycle(FORMS), cycle(ALL_DEAD)
    videos = {row.youtube_id: Video(SMALL, next(forms)) for row in rows}
    dead = {}
    for group in ranked(rows).values():
        for rank in DEAD_RANKS:
            row, failure = group[rank], next(failures)
            dead[row.youtube_id] = REASONS.get(failure) or reason_of(failure)
            if failure == "audio_only":
                videos[row.youtube_id] = Video(SMALL, ("audio_only",))
            elif failure != "outside":
                videos[row.youtube_id] = Video(SMALL, failure=failure)
            else:
                # The ranked order hangs on the key, so the window stays and the film is short.
                videos[row.youtube_id] = Video(
                    type(SMALL)(0.8, SMALL.width, SMALL.height, SMALL.fps), ("progressive",)
                )
    return rows, videos, dead


@pytest.fixture
def world(bench) -> tuple[Bench, dict[str, str]]:
    rows, videos, dead = _world()
    assert set(dead.values()) >= {reason_of(name) for name in DEAD} | set(REASONS.values())
    return bench(Scenario(videos), rows, N, *FAST, "--no-audio"), dead


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_every_class_is_full_whatever_is_dead_and_however_many_work(world, workers):
    made, dead = world
    wanted = kept(made.rows, N, dead)
    assert len(wanted) == 48
    done = made.run("--workers", str(workers), "--quiet")
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    made.holds(wanted)
    assert made.reasons() == dead
    assert len(made.failed()) == len(dead), "each is named once"
    for row in made.failed():
        assert (made.dest / row["log"]).stat().st_size
        assert "\n" not in row["message"]
    if workers == 3:
        made.holds_the_frames_of(wanted, SMALL.fps)
        _judge_the_tables(made, wanted)
    assert made.site.strangers == []


def _judge_the_tables(made: Bench, wanted: set[Row]) -> None:
    by_path = {row["path"]: row for row in made.stats()}
    for row in wanted:
        told = by_path[row.path]
        numbers = read_frame_numbers(made.dest / row.path, WHEEL)
        assert told["key"] == row.key
        assert int(told["frames"]) == len(numbers)
        assert abs(float(told["duration"]) - (row.end - row.start)) <= 1 / SMALL.fps
        assert (told["width"], told["height"]) == (str(SMALL.width), str(SMALL.height))
        assert told["has_audio"] == "False"
    classes = read_table(made.dest / "classes.csv")
    assert [(c["label"], c["wanted"], c["got"]) for c in classes] == [
        (label, "6", "6") for label in sorted(LABELS, key=lambda text: text.replace(" ", "_"))
    ]
    listed = (made.dest / "train.csv").read_text(encoding="utf-8").splitlines()
    assert {line.split(" ")[0] for line in listed} == {row.path for row in wanted}
    ranks = read_table(made.dest / "selection.csv")
    assert [row["key"] for row in ranks if row["label"] == "yoga"] == [
        row.key for row in ranked(made.rows)["train", "yoga"]
    ]


def test_a_larger_n_goes_on_with_what_a_smaller_one_has_made(bench):
    rows = [Row(label, youtube_id(i), 3, 4) for i, label in enumerate(["a", "b"] * 5)]
    small = bench(Scenario(default=Video(SMALL, ("progressive",))), rows, 2, *FAST, "--quiet")
    assert small.run().code == 0
    small.holds(kept(rows, 2))
    made = {row["youtube_id"] for row in small.stats()}
    asked = len(small.site.log)
    small.n = 4
    assert small.run().code == 0
    small.holds(kept(rows, 4))
    assert not made & {request.youtube_id for request in small.site.log[asked:]}


def test_a_class_with_too_few_candidates_is_short_and_said_to_be(bench):
    rows = [Row("few", youtube_id(i), 3, 4) for i in range(3)]
    videos = {rows[0].youtube_id: Video(SMALL, failure="private")}
    made = bench(Scenario(videos, default=Video(SMALL, ("progressive",))), rows, 3, *FAST)
    done = made.run()
    assert done.code == 3
    assert "few (train) has 2 of 3" in done.stdout
    made.holds(rows[1:])
    asked = made.site.extractions()
    assert made.run().code == 3
    assert made.site.extractions() == asked, "what is gone for good is not asked for again"

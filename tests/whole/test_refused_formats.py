"""The server refuses a format: the next best one makes the clip."""

from __future__ import annotations

import pytest
from helpers import FAST, FFMPEGS, SMALL, Row, youtube_id

from nanokinetics.demo.scenario import Fault, Form, Scenario, Video

pytestmark = pytest.mark.slow

ALL: tuple[Form, ...] = ("progressive", "fragmented", "webm", "hls")
AVC, VP9, AAC, OPUS, BOTH, HLS = 160, 278, 140, 251, 18, 91
ROW = Row("yoga", youtube_id(1), 3, 5)


def _only(video: Video) -> Scenario:
    """This is the video of the row; others are healthy."""
    return Scenario({ROW.youtube_id: video}, Video(SMALL))


def _video(*refused: int, forms: tuple[Form, ...] = ALL, **more) -> Video:
    faults = [Fault("media", "status", 403, itag=itag, **more) for itag in refused]
    return Video(SMALL, forms, faults=tuple(faults))


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
@pytest.mark.parametrize(
    ("refused", "taken"),
    [
        ((BOTH,), f"{AVC}+{AAC}"),
        ((BOTH, AAC), f"{AVC}+{OPUS}"),
        ((BOTH, AVC), f"{VP9}+{AAC}"),
        ((BOTH, AVC, AAC), f"{VP9}+{OPUS}"),
        ((BOTH, AAC, OPUS), f"{HLS}"),
        ((BOTH, AVC, VP9), f"{HLS}"),
    ],
)
def test_the_next_best_format_is_taken(bench, ffmpeg, refused, taken):
    options = ("--ffmpeg", ffmpeg, "--x264-preset", "ultrafast")
    made = bench(_only(_video(*refused)), [ROW], 1, *options)
    assert made.run().code == 0
    made.holds([ROW])
    made.holds_the_frames_of([ROW], SMALL.fps)
    (row,) = made.stats()
    assert row["format_id"] == taken
    assert row["has_audio"] == "True"
    assert made.site.extractions() == 2, "the same format has one more chance with new addresses"


def test_a_refusal_that_passes_changes_nothing(bench):
    rows = [Row("yoga", youtube_id(i), 3, 5) for i in range(4)]
    calm = bench(Scenario(default=_video()), rows, 4, *FAST)
    assert calm.run().code == 0
    tree = calm.tree()
    made = bench(Scenario(default=_video(BOTH, AVC, AAC, times=1)), rows, 4, *FAST)
    made.dest = calm.dest.with_name("other")
    assert made.run().code == 0
    assert made.tree() == tree


def test_a_clip_without_its_sound_is_no_substitute(bench):
    forms: tuple[Form, ...] = ("fragmented",)
    made = bench(_only(_video(AAC, forms=forms)), [ROW], 1, *FAST)
    assert made.run().code != 0
    assert made.files() == set()
    assert made.reasons() == {ROW.youtube_id: "forbidden_media"}
    silent = bench(_only(_video(AAC, forms=forms)), [ROW], 1, *FAST, "--no-audio")
    silent.dest = made.dest.with_name("silent")
    assert silent.run().code == 0


def test_one_refused_format_costs_other_windows_of_the_video_nothing(bench):
    rows = [Row("yoga", ROW.youtube_id, at, at + 2) for at in (3, 8, 13)]
    made = bench(_only(_video(BOTH)), rows, 3, *FAST)
    assert made.run().code == 0
    made.holds_the_frames_of(rows, SMALL.fps)
    assert {row["format_id"] for row in made.stats()} == {f"{AVC}+{AAC}"}
    assert made.site.extractions() == 2
    refused = [r for r in made.site.log if r.status == 403]
    assert len(refused) == 2


def test_a_video_that_is_refused_in_every_format_is_left_for_later(bench):
    made = bench(_only(_video(AVC, VP9, AAC, OPUS, BOTH, HLS)), [ROW], 1, *FAST)
    assert made.run().code == 3
    assert made.reasons() == {ROW.youtube_id: "forbidden_media"}
    refused = [r for r in made.site.log if r.status == 403]
    assert 5 <= len(refused) <= 20, "each format a few times at most, and the whole not for ever"
    made.site.replace(_only(_video()))
    assert made.run().code == 0
    assert made.stats()[0]["format_id"] == f"{BOTH}"


@pytest.mark.parametrize("first", [1, 2, 3])
def test_a_format_that_is_refused_on_the_way_is_left_too(bench, first):
    """YouTube serves the beginning of some files, and refuses the rest."""
    forms: tuple[Form, ...] = ("fragmented", "webm")
    made = bench(_only(_video(AVC, AAC, forms=forms, skip=first)), [ROW], 1, *FAST)
    assert made.run().code == 0
    made.holds_the_frames_of([ROW], SMALL.fps)

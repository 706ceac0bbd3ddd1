"""What goes wrong on the way: what is retried and what is replaced."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers import (
    DEAD,
    FAST,
    FFMPEGS,
    SMALL,
    Bench,
    Row,
    kept,
    ranked,
    reason_of,
    youtube_id,
)

from nanokinetics.demo.failures import ScriptedFailure
from nanokinetics.demo.scenario import Fault, Film, Form, Scenario, Video

pytestmark = pytest.mark.slow

FILM = Film(duration=30, width=320, height=180, fps=30)
SHORT_TIMEOUT = " --socket-timeout 2"
FORMS: tuple[Form, ...] = ("progressive", "fragmented", "webm")
VIDEO = Video(SMALL, ("progressive",))
FAULTS = {
    "reset": Fault("media", "reset", after_bytes=12_000),
    "truncate": Fault("media", "truncate", after_bytes=12_000),
    "stall": Fault("media", "stall", after_bytes=12_000),
    "empty": Fault("media", "empty"),
    "503": Fault("media", "status", 503),
    "second request 403": Fault("media", "status", 403, skip=1),
    "wrong length": Fault("media", "wrong_length", after_fraction=0.3),
}


# -- in extraction


def test_every_name_of_a_failure_becomes_its_reason(bench):
    """One class for each, so that none hides behind another."""
    bad = {name: Row(name, youtube_id(i, "x"), 3, 4) for i, name in enumerate(DEAD)}
    healthy = Row("yoga", youtube_id(0), 3, 4)
    videos = {row.youtube_id: Video(SMALL, failure=name) for name, row in bad.items()}
    made = bench(
        Scenario(videos, default=VIDEO), [*bad.values(), healthy], 1, "--workers", "2", *FAST
    )
    done = made.run()
    assert done.code == 3
    made.holds([healthy])
    assert {r["label"]: r["reason"] for r in made.failed()} == {n: reason_of(n) for n in DEAD}
    kinds = {row["reason"]: row["kind"] for row in made.failed()}
    conditional = {"age_restricted", "geo_blocked", "members_only", "login_required"}
    assert {r for r, k in kinds.items() if k == "conditional"} == conditional | {
        *("not_yet_available", "unavailable")
    }
    assert {r for r, k in kinds.items() if k == "environment"} == {"no_formats"}


def test_what_the_player_says_decides_and_no_other_video_stands_in(bench):
    """The texts of each answer end in the tables; a trailer is never cut."""
    trailer, gone = youtube_id(9, "t"), "Video unavailable"
    complaint = "This content is not available on this country domain due to a legal complaint"
    policy = "This video has been removed for violating YouTube's policy on hate speech."
    answers = {
        "members_only": ScriptedFailure("UNPLAYABLE", trailer=trailer),
        "geo_blocked": ScriptedFailure("UNPLAYABLE", gone, complaint),
        "terms_of_service": ScriptedFailure("ERROR", policy, "Learn more in your country."),
        "private": ScriptedFailure("ERROR", gone, "This video is private", screen="slate"),
        "unexplained": ScriptedFailure("UNPLAYABLE", "Video nicht verfügbar"),
    }
    rows = {name: Row(name, youtube_id(i, "x"), 3, 4) for i, name in enumerate(answers)}
    healthy = Row("yoga", youtube_id(0), 3, 4)
    videos = {rows[name].youtube_id: Video(SMALL, failure=said) for name, said in answers.items()}
    made = bench(Scenario(videos, default=VIDEO), [*rows.values(), healthy], 1, *FAST)
    assert made.run().code == 3
    made.holds([healthy])
    failed = {row["label"]: row for row in made.failed()}
    assert {name: row["reason"] for name, row in failed.items()} == {n: n for n in answers}
    assert failed["private"]["message"] == f"{gone}. This video is private"
    assert failed["unexplained"]["message"] == "Video nicht verfügbar"
    assert made.site.media_bytes(trailer) == 0


@pytest.mark.parametrize("name", ["no_formats", "no_formats_2"])
def test_a_machine_that_is_offered_no_formats_writes_nothing_off(bench, name):
    rows = [Row("yoga", youtube_id(i), 3, 4) for i in range(12)]
    made = bench(Scenario(default=Video(SMALL, failure=name)), rows, 3, *FAST)
    done = made.run("--quiet")
    assert done.code == 1
    assert "yt-dlp" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert made.failed() == []
    made.site.replace(Scenario(default=VIDEO))
    assert made.run().code == 0
    made.holds(kept(rows, 3))


@pytest.mark.parametrize("where", ["watch", "player"])
def test_a_page_that_fails_once_is_asked_again(bench, where):
    faults = {
        "503": Fault(where, "status", 503, times=1),
        "500": Fault(where, "status", 500, times=1),
        "reset": Fault(where, "reset", times=1),
        "empty": Fault(where, "empty", times=1),
        "stall": Fault(where, "stall", times=1),
        "truncate": Fault(where, "truncate", times=1),
    }
    rows = {name: Row(name, youtube_id(i), 3, 4) for i, name in enumerate(faults)}
    videos = {rows[name].youtube_id: replace(VIDEO, faults=(f,)) for name, f in faults.items()}
    made = bench(Scenario(videos), list(rows.values()), 1, *FAST, "--workers", "3")
    made.yt_dlp += SHORT_TIMEOUT
    assert made.run().code == 0
    made.holds(rows.values())
    assert made.failed() == []


def test_a_page_that_always_fails_is_left_for_the_next_run(bench):
    rows = [Row("yoga", youtube_id(i), 3, 4) for i in range(4)]
    bad = ranked(rows)["train", "yoga"][0]
    faults = (Fault("player", "status", 503),)
    scenario = Scenario({bad.youtube_id: replace(VIDEO, faults=faults)}, default=VIDEO)
    made = bench(scenario, rows, 2, *FAST)
    assert made.run().code == 3
    assert made.reasons() == {bad.youtube_id: "server_error"}
    assert made.failed()[0]["http_status"] == "503"
    made.holds(kept(rows, 2) - {bad})
    made.site.replace(Scenario(default=VIDEO))
    assert made.run().code == 0
    made.holds(kept(rows, 2))


# -- in media


def _faulty(times: int | None) -> tuple[list[Row], Scenario]:
    """A class for each fault, with a clip of each form; the windows begin between keyframes."""
    rows: list[Row] = []
    videos = {}
    for name, fault in FAULTS.items():
        for form in FORMS:
            row = Row(name, youtube_id(len(rows)), 12, 15)
            rows.append(row)
            faults = (replace(fault, times=times),)
            videos[row.youtube_id] = Video(FILM, (form,), faults=faults)
    return rows, Scenario(videos)


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
def test_media_that_break_off_once_are_fetched_again_in_full(bench, ffmpeg):
    rows, scenario = _faulty(times=1)
    options = ("--ffmpeg", ffmpeg, "--x264-preset", "ultrafast", "--workers", "4")
    made = bench(scenario, rows, 3, *options)
    made.yt_dlp += SHORT_TIMEOUT
    done = made.run()
    assert done.code == 0, done.stdout
    assert made.failed() == []
    made.holds(rows)
    made.holds_the_frames_of(rows, FILM.fps)


@pytest.mark.parametrize("form", FORMS)
def test_an_index_that_is_cut_short_never_shifts_the_window(bench, form):
    """A reader that finds its way again after a cut may take another part for the one it wants."""
    rows = [Row("yoga", youtube_id(i), 12, 15) for i in range(8)]
    videos = {
        row.youtube_id: Video(
            FILM, (form,), faults=(Fault("media", "truncate", after_bytes=12_000, times=1),)
        )
        for row in rows
    }
    made = bench(Scenario(videos), rows, 8, *FAST, "--workers", "3")
    assert made.run().code == 0
    made.holds(rows)
    made.holds_the_frames_of(rows, FILM.fps)


def test_media_that_always_break_off_are_never_replaced(bench):
    """What fails for now keeps its place, and the next run makes it."""
    rows, _ = _faulty(None)
    rows = [row for i, row in enumerate(rows) if i % 3 == i // 3 % 3]  # each fault in some form
    rows += [replace(row, youtube_id=f"r{row.youtube_id[1:]}") for row in rows]
    first = {group[0].youtube_id: group[0] for group in ranked(rows).values()}
    # A reader goes on where it stalled: the further it gets each time, the fewer stalls there are.
    faults = FAULTS | {"stall": replace(FAULTS["stall"], after_bytes=60_000)}
    videos = {
        name: Video(FILM, (FORMS[i % 3],), faults=(faults[row.label],))
        for i, (name, row) in enumerate(first.items())
    }
    healthy = Video(FILM, ("progressive",))
    made = bench(Scenario(videos, default=healthy), rows, 1, *FAST, "--workers", "4")
    made.yt_dlp += SHORT_TIMEOUT
    assert made.run().code == 3
    assert {row["label"]: row["kind"] for row in made.failed()} == dict.fromkeys(
        FAULTS, "transient"
    )
    reasons = {row["label"]: row["reason"] for row in made.failed()}
    assert reasons["503"] == "server_error"
    assert reasons["second request 403"] == "forbidden_media"
    assert reasons["truncate"] == "truncated"
    assert reasons["stall"] == "timeout"
    assert {row["attempts"] for row in made.failed()} == {"3"}
    made.holds([])
    made.site.replace(Scenario(default=healthy))
    assert made.run().code == 0
    made.holds(first.values())
    made.holds_the_frames_of(first.values(), FILM.fps)


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
def test_videos_of_every_kind(bench, ffmpeg):
    portrait = Film(duration=10, width=256, height=456, fps=15, gop_seconds=2)
    large = Film(duration=10, width=854, height=480, fps=15, gop_seconds=2)
    tiny = Film(duration=10, width=160, height=90, fps=15, gop_seconds=2)
    videos = {
        "only hls": Video(SMALL, ("hls",)),
        "ends inside": Video(Film(4.4, 256, 144, 15, 2), ("progressive",)),
        "ends inside fragmented": Video(Film(4.4, 256, 144, 15, 2), ("fragmented",)),
        "ends inside webm": Video(Film(4.4, 256, 144, 15, 2), ("webm",)),
        "index at the end": Video(replace(SMALL, moov_first=False), ("progressive",)),
        "no sound": Video(replace(SMALL, audio=False), ("progressive",)),
        "only picture": Video(SMALL, ("video_only",)),
        "portrait": Video(portrait, ("fragmented",)),
        "large": Video(large, ("fragmented",)),
        "tiny": Video(tiny, ("fragmented",)),
    }
    rows = {name: Row(name, youtube_id(i), 3, 5) for i, name in enumerate(videos)}
    made = bench(
        Scenario({rows[name].youtube_id: video for name, video in videos.items()}),
        [*rows.values()],
        1,
        *("--ffmpeg", ffmpeg, "--x264-preset", "ultrafast", "--resolution", "128"),
    )
    done = made.run()
    assert done.code == 0, done.stdout
    whole = [row for name, row in rows.items() if not name.startswith("ends inside")]
    made.holds(rows.values())
    made.holds_the_frames_of(whole, 15)
    told = {row["label"]: row for row in made.stats()}
    sizes = {name: (int(row["width"]), int(row["height"])) for name, row in told.items()}
    assert sizes["portrait"] == (128, 228)
    assert sizes["large"] == (228, 128)
    assert sizes["tiny"] == (160, 90), "nothing is enlarged"
    silent = {name for name, row in told.items() if row["has_audio"] == "False"}
    assert silent == {"no sound", "only picture"}
    for name in ("ends inside", "ends inside fragmented", "ends inside webm"):
        assert abs(float(told[name]["duration"]) - 1.4) <= 1 / 15, name
        assert int(told[name]["frames"]) == 21, name


def test_videos_without_the_window_or_without_a_picture_are_replaced(bench):
    short = Film(duration=4.4, width=256, height=144, fps=15, gop_seconds=2)
    videos = {
        "outside": Video(short, ("progressive",)),
        "outside by little": Video(short, ("webm",)),
        "too short": Video(short, ("fragmented",)),
        "no_video_stream": Video(SMALL, ("audio_only",)),
    }
    starts = {"outside": 9, "outside by little": 5, "too short": 4}
    rows, scenes = [], {}
    for place, (label, video) in enumerate(videos.items()):
        start = starts.get(label, 3)
        two = [Row(label, youtube_id(place, p), start, start + 2) for p in "vw"]
        rows += two
        scenes[ranked(two)["train", label][0].youtube_id] = video
    made = bench(Scenario(scenes, default=VIDEO), rows, 1, *FAST)
    done = made.run()
    assert done.code == 0, done.stdout
    made.holds(kept(rows, 1, scenes))
    assert {row["label"]: row["reason"] for row in made.failed()} == {
        "outside": "outside_video",
        "outside by little": "outside_video",
        "too short": "too_short",
        "no_video_stream": "no_video_stream",
    }


def test_without_sound_and_at_another_frame_rate(bench):
    rows = [Row("yoga", youtube_id(i), 3, 5) for i in range(2)]
    made = bench(Scenario(default=VIDEO), rows, 2, *FAST, "--no-audio", "--fps", "5")
    assert made.run().code == 0
    for row in made.stats():
        assert (row["has_audio"], row["fps"], row["frames"]) == ("False", "5", "10")
    made.holds(rows)


# -- over TLS


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
@pytest.mark.parametrize("runtime", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_media_over_verified_tls_through_the_proxy(bench, ffmpeg, runtime):
    rows = [Row("yoga", youtube_id(i), 3, 5) for i in range(3)]
    videos = {row.youtube_id: Video(SMALL, (form,)) for row, form in zip(rows, FORMS, strict=True)}
    made = bench(
        Scenario(videos, media="tls"),
        rows,
        3,
        *("--ffmpeg", ffmpeg, "--x264-preset", "ultrafast"),
        yt_dlp="--compat-options no-certifi" + ("" if runtime else " --no-js-runtimes"),
    )
    done = made.run("--quiet", **made.site.environment())
    assert done.code == 0, done.stderr + done.stdout
    made.holds(rows)
    made.holds_the_frames_of(rows, SMALL.fps)
    # Which clients yt-dlp asks as, with a runtime and without, is its own business.
    assert made.site.extractions() == 3
    assert made.site.strangers == []


def test_an_untrusted_certificate_is_not_accepted(bench):
    rows = [Row("yoga", youtube_id(0), 3, 4)]
    made: Bench = bench(Scenario(default=VIDEO, media="tls"), rows, 1, *FAST, yt_dlp="")
    done = made.run("--quiet")
    assert done.code == 1
    assert "certificate is not trusted" in done.stderr
    assert made.failed() == []
    assert made.site.log == []

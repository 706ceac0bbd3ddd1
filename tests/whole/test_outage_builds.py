"""When YouTube answers every video with the same words, nothing is written off."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers import FAST, Bench, Row, kept, youtube_id

from nanokinetics.demo.failures import FAILURES
from nanokinetics.demo.scenario import CANARY, Fault, Film, Scenario, Throttle, Video
from nanokinetics.sources import youtube

pytestmark = pytest.mark.slow

TINY = Film(duration=6, width=64, height=64, fps=5, gop_seconds=1)
VIDEO = Video(TINY, ("progressive",))
HEALTHY = Scenario(default=VIDEO)
N = 4

OLD_CLIENT = "The following content is not available on this app."
OTHERS = ("This content isn\N{RIGHT SINGLE QUOTATION MARK}t available.", "A text of tomorrow")
SAID = [name for name in FAILURES if not name.startswith("no_formats")]
"""What YouTube may say of every video; without formats a build ends at once (test_failures)."""


def _crowd(candidates: int = 8) -> list[Row]:
    return [Row(f"class {i % 2}", youtube_id(i), 3, 4) for i in range(2 * candidates)]


def _made(bench, scenario: Scenario, *options: str) -> Bench:
    return bench(scenario, _crowd(), N, *FAST, "--block-wait", "0.2s", *options)


def test_the_site_has_the_video_that_a_build_asks_for():
    assert CANARY == youtube.CANARY


@pytest.mark.parametrize("said", [*SAID, *OTHERS])
def test_an_outage_from_the_start(bench, said):
    made = _made(bench, replace(HEALTHY, throttle=Throttle(after=0, kind=said)))
    done = made.run("--max-wait", "0.3s", "--quiet")
    assert done.code == 75, done.stderr
    assert (made.files(), made.failed()) == (set(), [])
    (line,) = done.stderr.splitlines()
    assert "nothing is lost; run the same command again" in line
    made.site.replace(HEALTHY)
    done = made.run("--quiet")
    assert done.code == 0, done.stderr
    assert made.failed() == []
    made.holds(kept(made.rows, N))


@pytest.mark.parametrize("said", [*SAID, *OTHERS])
def test_an_outage_in_the_middle(bench, said):
    """Each video costs two pages: the outage begins with the third."""
    throttle = Throttle(after=4, seconds=1.0, kind=said, repeat=False)
    made = _made(bench, replace(HEALTHY, throttle=throttle))
    done = made.run()
    assert done.code == 0, done.stderr
    assert made.failed() == []
    made.holds(kept(made.rows, N))


def test_what_is_gone_is_told_from_an_outage(bench):
    """Before, in and after an outage that says the same of those that are there."""
    rows = _crowd(20)
    dead = {row.youtube_id for row in rows[::3]}
    videos = {video: Video(failure="private") for video in dead}
    throttle = Throttle(after=16, seconds=1.0, kind="private", repeat=False)
    scenario = Scenario(videos, default=VIDEO, throttle=throttle)
    made = bench(scenario, rows, 10, *FAST, "--block-wait", "0.2s", "--workers", "3")
    done = made.run()
    assert done.code == 0, done.stderr
    made.holds(kept(rows, 10, dead))
    assert set(made.reasons()) <= dead


def test_videos_that_are_all_gone_are_written_down_while_the_canary_answers(bench):
    rows = _crowd()
    made = bench(Scenario(default=Video(failure="private")), rows, N, *FAST)
    made.site.replace(Scenario({CANARY: VIDEO}, default=Video(failure="private")))
    done = made.run("--quiet")
    assert done.code == 3, done.stderr
    assert made.reasons() == {row.youtube_id: "private" for row in rows}
    canaries = {r.time for r in made.site.log if r.youtube_id == CANARY and r.kind == "watch"}
    assert 1 <= len(canaries) <= 0.03 * made.site.extractions() + 10


def test_without_a_canary_five_that_are_gone_are_not_believed(bench):
    made = bench(Scenario(default=Video(failure="private")), _crowd(), N, *FAST)
    done = made.run("--quiet", "--canary", "none")
    assert done.code == 75, done.stderr
    assert made.failed() == []
    assert not [r for r in made.site.log if r.youtube_id == CANARY]


def test_a_client_that_is_too_old_is_told_to_be_updated(bench):
    made = _made(bench, replace(HEALTHY, throttle=Throttle(after=0, kind=OLD_CLIENT)))
    done = made.run("--quiet")
    assert done.code == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert "update yt-dlp (pip install -U 'yt-dlp[default,deno]')" in line
    assert (made.files(), made.failed()) == (set(), [])
    made.site.replace(HEALTHY)
    assert made.run("--quiet").code == 0
    made.holds(kept(made.rows, N))


@pytest.mark.parametrize("reason", ["A text that nobody knows", OLD_CLIENT, "unavailable"])
def test_a_lasting_state_of_one_video_is_replaced_and_asked_again_on_demand(bench, reason):
    rows = _crowd()
    one = next(iter(kept(rows, 1)))
    scenario = Scenario({one.youtube_id: Video(TINY, failure=reason)}, default=VIDEO)
    made = bench(scenario, rows, N, *FAST)
    done = made.run("--quiet")
    assert done.code == 0, done.stderr
    (row,) = made.failed()
    told = "unavailable" if reason == "unavailable" else "unexplained"
    assert (row["youtube_id"], row["reason"], row["kind"]) == (one.youtube_id, told, "conditional")
    made.holds(kept(rows, N, {one.youtube_id}))
    before = made.site.extractions()
    made.site.replace(HEALTHY)
    assert made.run("--quiet").code == 0
    assert made.site.extractions() == before, "it is not asked for again by itself"
    assert made.run("--quiet", "--retry-failed").code == 0
    made.holds(kept(rows, N))


def test_retry_failed_all_asks_for_what_is_gone_for_good(bench):
    rows = _crowd()
    dead = {row.youtube_id for row in rows[:12]}
    videos = {video: Video(failure="private") for video in dead}
    made = bench(Scenario(videos, default=VIDEO), rows, N, *FAST)
    done = made.run()
    assert done.code == 3, done.stderr
    assert "--retry-failed=all for 12" in done.stdout
    made.site.replace(HEALTHY)
    assert made.run("--quiet", "--retry-failed").code == 3
    done = made.run("--quiet", "--retry-failed=all")
    assert done.code == 0, done.stderr
    made.holds(kept(rows, N))


def test_a_shorter_hiccup_may_cost_a_clip_which_retry_failed_brings_back(bench):
    rows = _crowd()
    hiccup = Fault("player", "unavailable", times=2)
    struck = [row.youtube_id for row in sorted(kept(rows, 2), key=lambda row: row.key)[:2]]
    scenario = Scenario({v: replace(VIDEO, faults=(hiccup,)) for v in struck}, default=VIDEO)
    made = bench(scenario, rows, N, *FAST)
    assert made.run("--quiet").code == 0
    assert set(made.reasons().values()) <= {"unavailable"}
    assert made.run("--quiet", "--retry-failed").code == 0
    made.holds(kept(rows, N))

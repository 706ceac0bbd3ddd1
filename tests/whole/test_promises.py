"""Promises that a build once broke: each test is a way in which it did."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import FAST, SMALL, Row, ranked, youtube_id

from nanokinetics.demo.scenario import Fault, Scenario, Video

pytestmark = pytest.mark.slow

ROWS = [Row("yoga", youtube_id(i), 3, 5) for i in range(4)]
FIRST, SECOND, THIRD, _ = ranked(ROWS)["train", "yoga"]
HEALTHY = Video(SMALL, ("fragmented",))


def with_first(**changed) -> Scenario:
    """The best-ranked video is as told, all others are healthy."""
    return Scenario({FIRST.youtube_id: Video(SMALL, ("fragmented",), **changed)}, default=HEALTHY)


@pytest.mark.parametrize("name", ["nano:k400", "-nano", "100%(id)s", "it's here"])
def test_a_destination_may_have_any_name(bench, name):
    made = bench(
        Scenario({FIRST.youtube_id: Video(SMALL, ("hls",))}, default=HEALTHY), ROWS, 2, *FAST
    )
    made.dest = Path(made.folder) / name
    running = made.start(f"--dest={name}", dest=made.dest)
    assert running.wait().code == 0
    made.holds([FIRST, SECOND])


def test_nothing_stays_of_a_damaged_clip_whose_video_is_gone(bench):
    made = bench(Scenario(default=HEALTHY), ROWS, 1, *FAST)
    assert made.run().code == 0
    clip = made.dest / FIRST.path
    clip.write_bytes(clip.read_bytes()[:2000])
    made.site.replace(with_first(failure="private"))
    assert made.run().code == 0
    made.holds([SECOND])


def test_one_video_without_formats_is_replaced(bench):
    made = bench(with_first(failure="no_formats"), ROWS, 1, *FAST)
    assert made.run().code == 0
    made.holds([SECOND])
    assert made.reasons() == {FIRST.youtube_id: "no_formats"}


def test_a_stand_in_counts_until_it_is_displaced(bench):
    made = bench(with_first(failure="age_restricted"), ROWS, 2, *FAST)
    assert made.run().code == 0
    made.site.replace(with_first(faults=(Fault("player", "status", 503),)))
    done = made.run("--retry-failed")
    assert (done.code, done.stdout.splitlines()[0][:6]) == (0, "2 of 2")
    made.holds([SECOND, THIRD])
    made.site.replace(Scenario(default=HEALTHY))
    assert made.run("--retry-failed").code == 0
    made.holds([FIRST, SECOND])


def test_a_damaged_table_is_found_before_anything_is_written(bench):
    made = bench(Scenario(default=HEALTHY), ROWS, 1, *FAST)
    assert made.run().code == 0
    with (made.dest / "stats.csv").open("a") as table:
        table.write("x,y\n")
    before = (made.dest / "run.json").read_bytes()
    made.n = 2
    done = made.run()
    assert done.code == 2
    assert "stats.csv, line 3" in done.stderr
    assert (made.dest / "run.json").read_bytes() == before


@pytest.mark.parametrize(
    "options", ["--match-filters duration>1000", "--dateafter 20300101", "--list-formats -s"]
)
def test_options_that_would_keep_yt_dlp_from_working_are_refused(bench, options):
    made = bench(Scenario(default=HEALTHY), ROWS, 1, *FAST)
    made.yt_dlp += f" {options}"
    done = made.run("--quiet")
    assert (done.code, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert options.split()[0] in line
    assert not made.dest.exists()


@pytest.mark.parametrize("options", ["--help", "--version", "--batch-file /nonexistent", "--bogus"])
def test_options_that_yt_dlp_cannot_use_are_refused(bench, options):
    made = bench(Scenario(default=HEALTHY), ROWS, 1, *FAST)
    made.yt_dlp = options
    done = made.run()
    assert (done.code, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert not made.dest.exists()


def test_such_options_are_refused_also_where_a_dataset_is_gone_on_with(bench):
    made = bench(Scenario(default=HEALTHY), ROWS, 1, *FAST)
    assert made.run().code == 0
    good, made.yt_dlp = made.yt_dlp, "--bogus"
    assert made.run().code == 0, "nothing is left to ask for"
    (made.dest / FIRST.path).unlink()
    done = made.run("--quiet")
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].endswith("no such option: --bogus")
    assert made.failed() == []
    made.yt_dlp = good
    assert made.run().code == 0
    made.holds([FIRST])


def test_when_every_clip_ends_its_worker_nothing_is_written_off(bench, monkeypatch, tmp_path):
    """A defect of a library, here one that raises what nobody foresaw, is no clip's fault."""
    (tmp_path / "sitecustomize.py").write_text(
        "import yt_dlp\n"
        "def broken(self, *_, **__): raise ZeroDivisionError('by a defect')\n"
        "yt_dlp.YoutubeDL.extract_info = broken\n"
    )
    rows = [Row("yoga", youtube_id(i), 3, 5) for i in range(12)]
    made = bench(Scenario(default=HEALTHY), rows, 2, *FAST)
    done = made.run("--quiet", PYTHONPATH=str(tmp_path))
    assert done.code == 1
    assert "worker processes die on every clip" in done.stderr
    assert "Traceback" not in done.stderr
    assert made.failed() == []
    assert made.run().code == 0

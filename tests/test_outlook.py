"""What `build --dry-run` and `sample --dest` tell, and that nothing changes by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import trees
from helpers import FAST, SMALL, Bench, Row, ended_at_last, ranked, youtube_id

from nanokinetics import preview
from nanokinetics.cli import main
from nanokinetics.dataset.home import Home
from nanokinetics.demo.scenario import Scenario, Video
from nanokinetics.errors import InputError
from nanokinetics.layout import SOURCE_INDEX
from nanokinetics.outlook import State

LABELS = ("hurling (sport)", "yoga")
ROWS = [Row(LABELS[n % 2], youtube_id(n, "-d"), 1, 3) for n in range(12)]
GONE = ranked(ROWS)["train", "yoga"][0].youtube_id


def state_of(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Everything below a folder: inode, size, time of the last change."""
    found = {}
    for path in folder.rglob("*"):
        stat = path.lstat()
        found[str(path)] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    return found


@contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    before = state_of(folder)
    yield
    assert state_of(folder) == before


def told(bench: Bench, *more: str, dest: Path | None = None) -> dict[str, Any]:
    """The object that a dry run prints; it exits with 0, and changes nothing."""
    with (
        unchanged(bench.folder),
        ended_at_last(bench.start("--dry-run", "--json", *more, dest=dest)) as running,
    ):
        done = running.wait()
    assert done.code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def refused(bench: Bench, *more: str, dest: Path | None = None) -> str:
    """What a dry run says that refuses; the build itself says the same."""
    with unchanged(bench.folder):
        dry = _refused(bench, "--dry-run", *more, dest=dest)
    assert dry == _refused(bench, *more, dest=dest)
    return dry


def _refused(bench: Bench, *more: str, dest: Path | None) -> str:
    with ended_at_last(bench.start(*more, dest=dest)) as running:
        done = running.wait()
    assert (done.code, done.stdout) == (2, ""), done.stderr
    return done.stderr


@pytest.fixture
def youtube(bench) -> Bench:
    alive = Video(SMALL, ("progressive",))
    gone = {GONE: Video(SMALL, failure="private")}
    made: Bench = bench(Scenario(gone, default=alive), ROWS, 2, *FAST)
    return made


@pytest.mark.slow
def test_a_folder_is_new_then_goes_on_then_is_finished(youtube: Bench) -> None:
    new = told(youtube)
    assert new["folder"].items() >= {"state": "new", "made": 0, "wanted": 4, "to_make": 4}.items()
    assert (new["clips"], new["videos"], new["fetched_bytes"]) == (4, 4, 4 * 2 * 120_000)
    assert [each["label"] for each in new["chosen"]] == sorted(LABELS)
    assert youtube.site.log == []
    assert youtube.run("--quiet").code == 0
    finished = told(youtube)
    assert finished["folder"].items() >= {"state": "finished", "made": 4, "to_make": 0}.items()
    assert (finished["videos"], finished["fetched_bytes"], finished["seconds"]) == (0, 0, 0)
    grown = told(youtube, "--n", "4")
    assert grown["folder"].items() >= {"state": "continues", "made": 4, "to_make": 4}.items()
    assert (grown["clips"], grown["videos"]) == (8, 4)
    most = told(youtube, "--n", "6")
    assert most["short"] == [{"split": "train", "label": "yoga", "has": 5, "wanted": 6}]
    assert most["folder"]["to_make"] == 7, "one of twelve is known to be gone"
    assert told(youtube, "--n", "6", "--retry-failed=all")["folder"]["to_make"] == 8


@pytest.mark.slow
def test_a_folder_with_clips_enough_tells_its_own_cost(youtube: Bench) -> None:
    assert youtube.run("--quiet", "--n", "5").code == 0
    told_by_itself = told(youtube, "--n", "6")["assumptions"]
    assert "1 of 11 candidates are gone, as there" in told_by_itself
    assert any("clips are like the 10 of" in line for line in told_by_itself)
    named = told(youtube, "--n", "6", "--stats", str(youtube.dest), "--assume-gone", "50%")
    assert "50 % of the videos are gone, as you say" in named["assumptions"]
    assert any("clips are like the 10 of" in line for line in named["assumptions"])


@pytest.mark.slow
def test_what_a_build_refuses_a_dry_run_refuses_in_the_same_words(
    youtube: Bench, tmp_path: Path
) -> None:
    assert youtube.run("--quiet").code == 0
    assert "seed 0, and this asks for 1" in refused(youtube, "--seed", "1")
    assert "n of train 2, and this asks for 1" in refused(youtube, "--n", "1")
    assert "resolution 360" in refused(youtube, "--resolution", "240")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    assert "is not a dataset of ours" in refused(youtube, dest=tmp_path / "mine")
    assert "is a file" in refused(youtube, dest=youtube.csv)
    assert "--yt-dlp-args" in refused(youtube, "--yt-dlp-args=--no-such", dest=tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_folder_that_another_run_holds_is_told_and_not_disturbed(youtube: Bench) -> None:
    assert youtube.run("--quiet").code == 0
    held = Home(youtube.dest)
    held.hold()
    try:
        assert told(youtube, "--n", "3")["folder"]["busy"]
        with ended_at_last(youtube.start("--dry-run", "--n", "3")) as running:
            done = running.wait()
        assert done.code == 0
        assert "another run is at work there now" in done.stdout
    finally:
        held.close()
    assert not told(youtube, "--n", "3")["folder"]["busy"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    trees.lay(tmp_path, {f"src/{c}/{n}.jpg": trees.picture(n) for c in "ab" for n in range(4)})
    return tmp_path


def test_local_files_are_scanned_and_their_size_is_told(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["build", "folder", "--src", "src", "--n", "2", "--dest", "nano", *FAST]
    with unchanged(here):
        assert main([*asked, "--dry-run", "--log", "night.log"]) == 0
    out = capsys.readouterr().out
    assert "nano is new: 4 clips to be made" in out
    assert "on disk: " in out
    assert "unknown" not in out
    assert main([*asked, "--quiet"]) == 0
    with unchanged(here):
        assert main([*asked, "--dry-run", "--n", "3"]) == 0
    assert "nano goes on: 4 of 6 clips are there, 2 to be made" in capsys.readouterr().out


def test_an_archive_is_read_and_no_index_of_it_is_kept(here: Path) -> None:
    pictures = {f"{c}/{n}.jpg": trees.picture(n) for c in "ab" for n in range(4)}
    (here / "src.tar").write_bytes(trees.packed(pictures))
    asked = ["build", "folder", "--src", "src.tar", "--n", "2", "--dest", "nano", *FAST]
    with unchanged(here):
        assert main([*asked, "--dry-run"]) == 0
    assert main([*asked, "--quiet"]) == 0
    assert (here / "nano" / SOURCE_INDEX).exists()


def test_a_class_that_will_be_short_is_told_and_is_no_failure(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--src", "src", "--n", "9", "--dest", "nano"]
    assert main(["build", "folder", *asked, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "classes: a, b" in out
    assert "short: a (train) has 4 of 9 candidates" in out
    assert main(["build", "folder", *asked, "--dry-run", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_sample_says_of_a_folder_what_a_dry_run_says(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["folder", "--src", "src", "--n", "2", "--dest", "nano", "--json"]
    with unchanged(here):
        assert main(["build", *asked, "--dry-run"]) == 0
        dry = json.loads(capsys.readouterr().out)
        assert main(["sample", *asked]) == 0
    found = json.loads(capsys.readouterr().out)
    for each in (dry, found):
        each["folder"].pop("free_bytes")
    assert dry == found | {"event": "preview", "exit_code": 0}


def test_of_many_classes_some_are_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees.lay(here, {f"many/c{n:03d}/0.jpg": trees.picture(0) for n in range(40)})
    assert main(["build", "folder", "--src", "many", "--n", "1", "--dest", "x", "--dry-run"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "c000" in line)
    assert line.endswith("c019 and 20 more")


@pytest.mark.parametrize("option", ["--stats", "--assume-gone"])
def test_an_option_of_the_estimate_is_refused_where_nothing_is_estimated(
    here: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["build", "folder", "--src", "src", "--n", "2", "--dest", "nano", option, "0.2"]
    assert main(asked) == 2
    assert f"{option} is for an estimate; add --dry-run" in capsys.readouterr().err
    assert main([*asked, "--dry-run"]) == 2
    assert f"{option} is for clips of YouTube" in capsys.readouterr().err
    assert not (here / "nano").exists()


# -- how many are gone


def labelled(tmp_path: Path, labels: int) -> Path:
    path = tmp_path / f"{labels}.csv"
    lines = [f"label {n},{youtube_id(n)},0,10,train\n" for n in range(labels)]
    path.write_text("".join(["label,youtube_id,time_start,time_end,split\n", *lines]))
    return path


def videos(tmp_path: Path, labels: int, **more: Any) -> tuple[int, str]:
    """How many videos are asked for of one candidate a class, and the assumption about the gone."""
    found = preview(
        "kinetics", annotations=labelled(tmp_path, labels), n=1, today=date(2026, 10, 1), **more
    )
    return round(found.estimate.fetched_bytes or 0), found.estimate.assumptions[1]


@pytest.mark.parametrize(
    ("labels", "share", "why"),
    [
        (400, 1 - 0.892 * 0.96**7.17, "August 2019"),
        (600, 1 - 0.96**8.17, "August 2018"),
        (700, 1 - 0.96**6.0, "October 2020"),
        (401, 0, "no video is gone"),
    ],
)
def test_the_share_of_the_gone_is_that_of_the_version_at_its_age(
    tmp_path: Path, labels: int, share: float, why: str
) -> None:
    fetched, said = videos(tmp_path, labels)
    assert fetched == pytest.approx(labels * (1 - share) * 10 * 120_000, rel=0.002)
    assert why in said


@pytest.mark.parametrize("share", ["20%", "0.2", 0.2, ".2", " 20 % "])
def test_the_share_can_be_named(tmp_path: Path, share: str | float) -> None:
    assert videos(tmp_path, 400, assume_gone=share) == (
        400 * 8 * 120_000,
        "20 % of the videos are gone, as you say",
    )


@pytest.mark.parametrize("share", ["", "1", "100%", "-0.1", "a fifth", "nan", "0,2", 20])
def test_what_is_no_share_is_refused(tmp_path: Path, share: str | float) -> None:
    with pytest.raises(InputError, match=r"--assume-gone: .* is no share of videos"):
        videos(tmp_path, 3, assume_gone=share)


def test_the_library_tells_without_a_folder_and_with_one(here: Path) -> None:
    assert preview("folder", src="src", n=2).folder is None
    found = preview("folder", src="src", n=2, dest="nano")
    assert found.folder is not None
    assert (found.folder.state, found.folder.to_make, found.seed) == (State.NEW, 4, "0")

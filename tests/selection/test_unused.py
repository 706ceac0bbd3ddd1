"""Options without effect are refused by a build, and never by what a folder has recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trees
from helpers import WHEEL, read_table

from nanokinetics import build, sample
from nanokinetics.config import BuildConfig
from nanokinetics.errors import InputError
from nanokinetics.selection import settle
from nanokinetics.selection.unused import refuse_unused

KINETICS: dict[str, Any] = {"dataset": "kinetics", "annotations": "a.csv", "n": 1, "dest": "nano"}
LOCAL = KINETICS | {"source": "local", "src": "src"}
FOLDER: dict[str, Any] = {"dataset": "folder", "src": "src", "n": 1, "dest": "nano"}
IMAGES = FOLDER | {"dataset": "imagenet"}


@pytest.fixture(autouse=True)
def a_file_of_annotations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of that name: a name of the catalogue would make `--proxy` count."""
    monkeypatch.chdir(tmp_path)
    Path("a.csv").touch()


def refused(options: dict[str, Any], record: dict[str, Any] | None = None) -> str:
    """What a build says of its options; '' if it takes them."""
    config = settle(BuildConfig(**options))
    try:
        refuse_unused(config, config.place, record)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("options", "option"),
    [
        (KINETICS | {"place": "transcode"}, "--transcode"),
        (KINETICS | {"place": "hardlink"}, "--place hardlink"),
        (KINETICS | {"class_names": "n.txt"}, "--class-names"),
        (LOCAL | {"max_per_hour": 0}, "--max-per-hour"),
        (LOCAL | {"yt_dlp_args": "--force-ipv4"}, "--yt-dlp-args"),
        (FOLDER | {"canary": "none"}, "--canary"),
        (FOLDER | {"proxy": "http://h:1"}, "--proxy"),
        (FOLDER | {"resolution": 360}, "--resolution"),
        (FOLDER | {"audio": False}, "--no-audio"),
        (FOLDER | {"fps": 5.0}, "--fps"),
        (FOLDER | {"crf": 20}, "--crf"),
        (FOLDER | {"gop": "0.5"}, "--gop"),
        (FOLDER | {"annotations": "a.csv"}, "--annotations"),
        (FOLDER | {"class_names": "n.txt"}, "--class-names"),
        (FOLDER | {"dataset": "ssv2", "class_names": "n.txt"}, "--class-names"),
        (IMAGES | {"place": "transcode"}, "--transcode"),
        (IMAGES | {"crf": 20}, "--crf"),
    ],
)
def test_what_would_do_nothing_is_refused_by_its_name(options: dict[str, Any], option: str) -> None:
    said = refused(options)
    assert said.startswith(f"{option} has no effect here: ")
    assert said.endswith("leave it out")


@pytest.mark.parametrize(
    "options",
    [
        KINETICS,
        KINETICS | {"place": "copy", "resolution": 240, "crf": 20, "proxy": "http://h:1"},
        KINETICS | {"max_per_hour": 6, "yt_dlp_args": "--force-ipv4", "canary": "none"},
        LOCAL | {"place": "symlink", "resolution": 240, "audio": False, "gop": "1"},
        FOLDER | {"place": "transcode", "resolution": 240, "audio": False, "crf": 20, "fps": 5.0},
        FOLDER | {"place": "hardlink", "gop": "none", "x264_preset": "slow"},
        FOLDER | {"max_wait": "1h", "block_wait": "1m", "wait_forever": True, "retry_failed": True},
        FOLDER | {"listing": "l.txt", "class_names": "n.txt", "yt_dlp_args": ""},
        IMAGES | {"place": "symlink", "annotations": "a.csv", "class_names": "n.txt"},
    ],
)
def test_what_has_an_effect_or_holds_anyway_is_taken(options: dict[str, Any]) -> None:
    assert refused(options) == ""


def test_what_a_folder_has_recorded_may_be_asked_for_again() -> None:
    record = {"resolution": 240, "crf": 20, "place": "transcode"}
    assert refused(FOLDER | {"resolution": 240, "crf": 20}, record) == ""
    assert refused(IMAGES | {"place": "transcode"}, record) == ""
    assert "--resolution" in refused(FOLDER | {"resolution": 480}, record)
    assert "--fps" in refused(FOLDER | {"fps": 5.0}, record)


def test_a_folder_that_was_begun_with_such_an_option_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an earlier version made it, which took any option."""
    monkeypatch.chdir(tmp_path)
    trees.lay(tmp_path, {f"src/yoga/{n}.jpg": trees.picture(n) for n in range(3)})
    asked: dict[str, Any] = {"src": "src", "dest": "nano", "workers": 1, "ffmpeg": WHEEL}
    with pytest.raises(InputError, match="--resolution has no effect"):
        build("folder", **asked, n=1, resolution=240)
    assert not Path("nano").exists()
    monkeypatch.setattr("nanokinetics.selection.refuse_unused", lambda *_: None)
    assert build("folder", **asked, n=1, resolution=240).exit_code == 0
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert build("folder", **asked, n=2, resolution=240).exit_code == 0
    assert len(read_table(Path("nano/stats.csv"))) == 2
    with pytest.raises(InputError, match="was built with resolution 240"):
        build("folder", **asked, n=2)


def test_what_is_transcoded_as_another_subset_was_is_encoded(
    tmp_path: Path, films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trees.lay(tmp_path, {"src/yoga/1.mp4": trees.clip(films, 1)})
    asked: dict[str, Any] = {"src": "src", "workers": 1, "ffmpeg": WHEEL}
    assert build("folder", **asked, dest="a", n=1, place="transcode").exit_code == 0
    assert build("folder", **asked, dest="b", from_="a", resolution=64).exit_code == 0
    (row,) = read_table(Path("b/stats.csv"))
    assert row["height"] == "64"


def test_a_choice_takes_what_a_build_would_refuse(tmp_path: Path) -> None:
    trees.lay(tmp_path, {"yoga/1.jpg": trees.picture(1)})
    chosen = sample("folder", src=tmp_path, annotations="a.csv", n=1)
    assert len(chosen.quotas) == 1

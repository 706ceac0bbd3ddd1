"""Files that are whole or not there, and a folder that is the same one throughout."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nanokinetics.errors import EnvironmentFault
from nanokinetics.files import Home, clear_leftovers, replace_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nano").mkdir()
    return tmp_path / "nano"


def move_away(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def move_away_and_begin_anew(folder: Path) -> None:
    move_away(folder)
    folder.mkdir()


def put_another_in_its_place(folder: Path) -> None:
    other = folder.with_name("other")
    shutil.copytree(folder, other)
    move_away(folder)
    other.rename(folder)


def put_a_file_in_its_place(folder: Path) -> None:
    move_away(folder)
    folder.touch()


def link_to_another(folder: Path) -> None:
    move_away(folder)
    folder.with_name("other").mkdir()
    folder.symlink_to("other")


@pytest.mark.parametrize(
    "change",
    [
        shutil.rmtree,
        move_away,
        move_away_and_begin_anew,
        put_another_in_its_place,
        put_a_file_in_its_place,
        link_to_another,
    ],
)
def test_a_folder_that_is_not_the_one_it_was_is_told(
    folder: Path, change: Callable[[Path], None]
) -> None:
    (folder / "stats.csv").touch()
    home = Home(folder)
    change(folder)
    assert not home.is_there
    with pytest.raises(EnvironmentFault, match=r"nano is not the folder it was") as caught:
        home.check()
    assert "unmounted or moved" in str(caught.value)
    assert "run the same command again" in str(caught.value)


def test_a_link_that_points_elsewhere_meanwhile_is_told(folder: Path) -> None:
    other, link = folder.with_name("other"), folder.with_name("link")
    other.mkdir()
    link.symlink_to(folder)
    home = Home(link)
    home.check()
    link.unlink()
    link.symlink_to(other)
    assert not home.is_there


def test_what_happens_within_the_folder_does_not_matter(folder: Path) -> None:
    home = Home(folder)
    (folder / "train").mkdir()
    (folder / "stats.csv").touch()
    folder.chmod(0o500)
    home.check()
    folder.chmod(0o700)
    (folder / "stats.csv").unlink()
    (folder / "train").rmdir()
    home.check()


def test_a_folder_that_comes_back_is_the_same_again(folder: Path) -> None:
    home = Home(folder)
    move_away(folder)
    assert not home.is_there
    folder.with_name("elsewhere").rename(folder)
    home.check()


def test_a_file_gets_its_content_and_the_folders_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deeper" / "run.json"
    replace_file(path, b"{}")
    replace_file(path, b"[]")
    assert path.read_bytes() == b"[]"
    assert [each.name for each in path.parent.iterdir()] == ["run.json"]


@pytest.mark.parametrize("data", [b"", b"the same"])
def test_a_file_that_holds_what_it_should_is_left_alone(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes(data)
    os.utime(path, (1, 1))
    before = path.stat()
    replace_file(path, data)
    assert (path.stat().st_ino, path.stat().st_mtime) == (before.st_ino, 1)


@pytest.mark.parametrize("data", [b"", b"the other", b"longer than what was there"])
def test_a_file_that_holds_something_else_is_replaced(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes(b"the first")
    replace_file(path, data)
    assert path.read_bytes() == data


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    (path / "full").mkdir(parents=True)
    with pytest.raises(OSError, match=r"train\.csv"):
        replace_file(path, b"x")
    assert [each.name for each in tmp_path.iterdir()] == ["train.csv"]


def test_what_a_killed_process_had_begun_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    for name in (".run.json.tmp", "mine.tmp", ".hidden", "run.json"):
        (tmp_path / name).touch()
    (tmp_path / ".folder.tmp").mkdir()
    clear_leftovers(tmp_path, tmp_path / "missing")
    left = sorted(each.name for each in tmp_path.iterdir())
    assert left == [".folder.tmp", ".hidden", "mine.tmp", "run.json"]

"""A dataset's folder: held by one run, and the same one throughout."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nanokinetics.dataset.home import Home
from nanokinetics.errors import Busy, EnvironmentFault, InputError
from nanokinetics.layout import HOLDER, LOCK


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nano").mkdir()
    return tmp_path / "nano"


def held(folder: Path) -> Home:
    home = Home(folder)
    home.hold()
    return home


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
    home = held(folder)
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
    home = held(link)
    home.check()
    link.unlink()
    link.symlink_to(other)
    assert not home.is_there


def test_what_happens_within_the_folder_does_not_matter(folder: Path) -> None:
    home = held(folder)
    (folder / "train").mkdir()
    (folder / "stats.csv").touch()
    folder.chmod(0o500)
    home.check()
    folder.chmod(0o700)
    (folder / "stats.csv").unlink()
    (folder / "train").rmdir()
    home.check()


def test_a_folder_that_comes_back_is_the_same_again(folder: Path) -> None:
    home = held(folder)
    move_away(folder)
    assert not home.is_there
    folder.with_name("elsewhere").rename(folder)
    home.check()


def test_a_folder_is_made_and_held_once(tmp_path: Path) -> None:
    home = held(tmp_path / "new" / "nano")
    home.hold()
    with pytest.raises(Busy, match="another run is at work"):
        held(tmp_path / "new" / "nano")
    home.close()
    held(tmp_path / "new" / "nano").close()


def test_a_busy_folder_says_who_holds_it_and_since_when(
    tmp_path: Path, zone: Callable[[str], None]
) -> None:
    zone("Asia/Kolkata")
    home = Home(tmp_path / "nano", wall=lambda: 0.0)
    home.hold()
    with pytest.raises(
        Busy, match=rf"process {os.getpid()} on .*, since 1970-01-01 05:30:00\+05:30"
    ):
        held(tmp_path / "nano")
    (tmp_path / "nano" / HOLDER).unlink()
    with pytest.raises(Busy, match=r"another run is at work in \S+nano; run the same command"):
        held(tmp_path / "nano")
    home.close()


def test_the_note_of_a_killed_run_does_not_outlive_the_next_one(tmp_path: Path) -> None:
    (tmp_path / HOLDER).write_text("process 1 on lab-7, since long ago\n")
    home = held(tmp_path)
    assert f"process {os.getpid()} on " in (tmp_path / HOLDER).read_text()
    home.close()
    assert not (tmp_path / HOLDER).exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "nano").touch()
    with pytest.raises(InputError, match="is a file; name a folder"):
        held(tmp_path / "nano")


def test_a_folder_that_was_never_held_is_not_there(folder: Path) -> None:
    assert not Home(folder).is_there


def test_to_ask_whether_a_run_is_at_work_changes_nothing_and_never_waits(tmp_path: Path) -> None:
    home, other = Home(tmp_path / "nano"), Home(tmp_path / "nano")
    home.hold()
    lock = home.place(LOCK)
    os.utime(lock, (1, 1))
    assert other.is_busy
    home.close()
    assert not other.is_busy
    assert not lock.exists() or lock.stat().st_mtime == 1
    lock.unlink(missing_ok=True)
    os.mkfifo(lock)
    assert not other.is_busy

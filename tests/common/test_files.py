"""Files that are whole or not there, and a folder that nothing is changed outside of."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nanokinetics.common.files import begun, replace_file
from nanokinetics.common.folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nano").mkdir()
    return tmp_path / "nano"


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    replace_file(tmp_path / "pipe", b"a line")
    assert os.read(reader, 100) == b"a line"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


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
    for below in ("", "missing"):
        Folder(tmp_path).sweep(below)
    left = sorted(each.name for each in tmp_path.iterdir())
    assert left == [".folder.tmp", ".hidden", "mine.tmp", "run.json"]


# -- links that somebody has planted


def plant(folder: Path, path: str, target: Path) -> Path:
    link = folder / path
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
    return link


def test_a_new_file_has_the_usual_rights(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace_file(tmp_path / "run.json", b"{}")
        with begun(tmp_path / "report.html") as file:
            file.write(b"x")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}


def test_a_temporary_file_is_a_new_one_whatever_its_place_was_given(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    plant(tmp_path, "nano/.run.json.tmp", mine)
    replace_file(tmp_path / "nano" / "run.json", b"{}")
    assert mine.read_bytes() == b"mine"
    names: set[str] = set()
    for _ in range(2):
        with begun(tmp_path / "nano" / "run.json"):
            names |= {path.name for path in (tmp_path / "nano").iterdir()}
    assert len(names) == len({"run.json", ".run.json.tmp", "one", "another"})


def test_the_name_of_a_temporary_file_is_not_too_long(tmp_path: Path) -> None:
    name = "é" * 125 + ".jpg"
    replace_file(tmp_path / name, b"x")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_that_is_a_link_is_replaced_and_what_it_points_to_is_not(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    replace_file(plant(tmp_path, "nano/run.json", mine), b"{}")
    assert (mine.read_bytes(), (tmp_path / "nano/run.json").read_bytes()) == (b"mine", b"{}")


def test_leftovers_are_cleared_but_nothing_that_links_point_to(tmp_path: Path) -> None:
    nano, mine = tmp_path / "nano", tmp_path / "mine"
    mine.mkdir()
    (mine / ".run.json.tmp").write_bytes(b"mine")
    plant(nano, ".run.json.0123456789abcdef.tmp", mine / ".run.json.tmp")
    plant(nano, ".stats.csv.tmp", mine)
    plant(nano, "annotations", mine)
    for below in ("", "annotations"):
        Folder(nano).sweep(below)
    assert [path.name for path in nano.iterdir()] == ["annotations"]
    assert [path.read_bytes() for path in mine.iterdir()] == [b"mine"]


CHANGES: dict[str, Callable[[Folder, str], object]] = {
    "commit": lambda home, path: home.commit(".tmp/1.mp4", path),
    "commit from there": lambda home, path: home.commit(path, "train/2.mp4"),
    "remove": lambda home, path: home.remove(path),
    "make": lambda home, path: home.make(path),
    "open": lambda home, path: home.open(path, os.O_WRONLY | os.O_APPEND),
    "begin": lambda home, path: home.begun(path).__enter__(),
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("path", ["link/1.mp4", "train/link/1.mp4", "train/link/deep/1.mp4"])
def test_nothing_is_changed_through_a_link(tmp_path: Path, folder: Path, path: str, what) -> None:
    mine = tmp_path / "mine"
    for name in (mine / "1.mp4", mine / "deep/1.mp4", folder / ".tmp/1.mp4"):
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_bytes(b"mine")
    home = Folder(folder)
    link = plant(folder, path[: path.index("link") + 4], mine)
    before = sorted(mine.rglob("*"))
    with pytest.raises(OSError, match="a link stands here") as caught:
        CHANGES[what](home, path)
    assert caught.value.filename == str(link)
    assert sorted(mine.rglob("*")) == before
    assert (mine / "1.mp4").read_bytes() == b"mine"
    home.prune(path)
    home.clear(path.rpartition("/")[0])
    home.sweep(path.rpartition("/")[0])
    assert sorted(mine.rglob("*")) == before


def test_a_link_that_comes_in_between_leads_nowhere(tmp_path: Path, folder: Path) -> None:
    home, mine, kept = Folder(folder), tmp_path / "mine", tmp_path / "kept"
    mine.mkdir()
    with home.begun("train/metadata.csv") as file:
        file.write(b"ours")
        (folder / "train").rename(kept)
        plant(folder, "train", mine)
    assert list(mine.iterdir()) == []
    assert (kept / "metadata.csv").read_bytes() == b"ours"


@pytest.mark.parametrize("path", ["../mine", "/etc/mine", "train/../../mine", "", ".", ".."])
def test_nothing_is_changed_outside(tmp_path: Path, folder: Path, path: str) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    (folder / ".tmp").mkdir()
    (folder / ".tmp" / "1.mp4").touch()
    for change in CHANGES.values():
        with pytest.raises(OSError, match="outside"):
            change(Folder(folder), path)
    assert (tmp_path / "mine").read_bytes() == b"mine"


def test_the_folder_itself_may_be_a_link(tmp_path: Path, folder: Path) -> None:
    home = Folder(plant(tmp_path, "link", folder))
    home.make(".tmp")
    (folder / ".tmp" / "1.mp4").write_bytes(b"x")
    home.commit(".tmp/1.mp4", "train/yoga/1.mp4")
    assert (folder / "train/yoga/1.mp4").read_bytes() == b"x"
    home.remove("train/yoga/1.mp4")
    home.prune("train/yoga/1.mp4")
    home.clear(".tmp")
    assert list(folder.iterdir()) == []


def test_a_folder_may_be_called_like_one_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("train/train/c/x", "train/c/x", "train/new"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(path)
    Folder(Path("train")).remove("train/c/x")
    assert not Path("train/train/c/x").exists()
    assert Path("train/c/x").read_text() == "train/c/x"
    Folder(Path("train")).commit("new", "train/c/y")
    assert Path("train/train/c/y").read_text() == "train/new"

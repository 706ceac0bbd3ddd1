"""Where the books say that a log lies: relative to the dataset, however both were named."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from helpers import read_table

from nanokinetics.clip import Clip, Failed
from nanokinetics.dataset.home import Home
from nanokinetics.engine.books import Books, Clock
from nanokinetics.errors import Failure, Reason
from nanokinetics.layout import Layout

GONE = Failed(
    Clip("video000001_000001_000002", "train", "yoga", "video000001", 1, 2),
    Failure(Reason.PRIVATE, "private"),
    log="all of it",
)


def log_of(dest: Path, logs: Path) -> str:
    """Record a failure, and return what its row says of the log."""
    with closing(Home(dest)) as home:
        home.hold()
        with closing(Books(home, Layout(), logs, Clock())) as books:
            books.failed(GONE)
    return read_table(dest / "failed.csv")[-1]["log"]


@pytest.mark.parametrize(
    ("dest", "logs", "said"),
    [
        ("nano", "nano-failed_logs", "../nano-failed_logs"),
        ("data/nano", "data/nano-failed_logs", "../nano-failed_logs"),
        ("data/nano", "logs", "../../logs"),
        ("data/nano", "data/other/logs", "../other/logs"),
    ],
)
@pytest.mark.parametrize("form", [Path, Path.absolute])
def test_a_log_is_named_relative_to_the_dataset(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dest: str,
    logs: str,
    said: str,
    form: Callable[[Path], Path],
) -> None:
    monkeypatch.chdir(tmp_path)
    log = log_of(form(Path(dest)), form(Path(logs)))
    assert log == f"{said}/{GONE.clip.key}.log"
    assert "all of it" in (tmp_path / dest / log).read_text()
    monkeypatch.chdir("/")
    assert (tmp_path / dest / log).is_file(), "from any working folder"


def test_a_log_is_found_from_a_dataset_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk" / "nano").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    nano = tmp_path / "here" / "nano"
    nano.symlink_to(tmp_path / "disk" / "nano")
    log = log_of(nano, tmp_path / "here" / "nano-failed_logs")
    assert log == f"../../here/nano-failed_logs/{GONE.clip.key}.log"
    assert "all of it" in Path(os.path.join(nano, log)).read_text()  # noqa: PTH118 - as users do


def test_a_dataset_that_moved_with_its_logs_still_names_them(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    log = log_of(tmp_path / "old" / "nano", tmp_path / "old" / "nano-failed_logs")
    (tmp_path / "old").rename(tmp_path / "new")
    assert (tmp_path / "new" / "nano" / log).is_file()

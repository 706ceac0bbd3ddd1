"""The hour that runs share: each start counts once, and a fault of the file ends no run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from filelock import FileLock

from nanokinetics.clip import HOUR
from nanokinetics.engine import shared_hour
from nanokinetics.engine.books import Clock
from nanokinetics.engine.shared_hour import SharedHour, path_of

NOW = 1_700_000_000.0


class Time:
    """A wall clock and a steady one that are set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    @property
    def clock(self) -> Clock:
        return Clock(steady=lambda: self.now - NOW, wall=lambda: self.now)


@pytest.fixture
def time() -> Time:
    return Time()


class Runs:
    """Runs of one user, each with the lines that it said."""

    def __init__(self, folder: Path, time: Time) -> None:
        self.folder, self.time = folder, time
        self.path = path_of(folder / "state", "www.youtube.com")
        self.said: list[str] = []

    def run(self, dest: str, asked: tuple[float, ...] = ()) -> tuple[SharedHour, list[float]]:
        """A run, and the times of the requests before it, in seconds before now."""
        shared = SharedHour(self.path, self.folder / dest, self.time.clock, self.said.append)
        return shared, self.ago(shared.begin(asked))

    def ago(self, times: tuple[float, ...] | None) -> list[float]:
        return sorted(self.time.now - NOW - at for at in times or ())


@pytest.fixture
def runs(tmp_path: Path, time: Time) -> Runs:
    return Runs(tmp_path, time)


def start(shared: SharedHour) -> tuple[float, ...] | None:
    with shared.turn() as news:
        shared.take()
    return news


def test_a_run_sees_the_starts_of_another_one(runs: Runs) -> None:
    one, _ = runs.run("one")
    other, _ = runs.run("other")
    start(one)
    runs.time.now += 10
    start(one)
    news = start(other)
    assert runs.ago(news) == [0, 10]
    assert other.is_shared
    assert runs.ago(start(one)) == [0, 0, 10]


def test_nothing_is_news_if_nobody_else_started(runs: Runs) -> None:
    one, _ = runs.run("one")
    assert start(one) is None
    assert start(one) is None
    assert not one.is_shared


def test_the_next_run_counts_what_the_last_one_started(runs: Runs) -> None:
    start(runs.run("one")[0])
    runs.time.now += 60
    assert runs.run("one")[1] == [60]
    assert runs.run("other")[1] == [60]


def test_after_an_hour_nothing_is_left(runs: Runs) -> None:
    shared, _ = runs.run("one")
    start(shared)
    runs.time.now += HOUR
    assert runs.run("other")[1] == []
    assert runs.path.read_bytes() == b""
    assert start(shared) is None


def test_what_an_earlier_version_asked_for_is_in_its_tables_and_counts_for_all(runs: Runs) -> None:
    asked = (NOW - 20, NOW - 10)
    assert runs.run("old", asked)[1] == [10, 20]
    assert runs.run("other")[1] == [10, 20]


def test_what_stands_in_the_tables_and_in_the_file_counts_once(runs: Runs) -> None:
    shared, _ = runs.run("one")
    start(shared)
    start(shared)
    asked = (NOW + 1, NOW + 2)  # a row is written after its request
    runs.time.now += 5
    assert runs.run("one", asked)[1] == [5, 5]


def test_what_another_proxy_was_asked_for_is_no_request_of_this_one(runs: Runs) -> None:
    start(runs.run("one")[0])
    runs.path = path_of(runs.folder / "state", "www.youtube.com by @proxy:80")
    assert runs.run("one", asked=(NOW,))[1] == []


def test_starts_in_the_future_count_as_made_now_and_pass(runs: Runs) -> None:
    shared, _ = runs.run("one")
    runs.time.now += 10 * HOUR
    start(shared)
    runs.time.now = NOW
    assert runs.run("other")[1] == [0]
    runs.time.now += HOUR + 1
    assert runs.run("other")[1] == []


@pytest.mark.parametrize(
    "torn",
    [
        b'{"at": 17000',
        b"\xff\xfe\n",
        b"[]\n",
        b'{"at": "x", "by": "y"}\n',
        b'{"at": NaN, "by": "y"}\n',
        b'{"at": 1e999, "by": "y"}\n',
        b'{"at": 1}\n',
        b"\n\n",
        b"[" * 10**5 + b"\n",
    ],
)
def test_a_damaged_line_hides_no_other(runs: Runs, torn: bytes) -> None:
    one, _ = runs.run("one")
    start(one)
    with runs.path.open("ab") as file:
        file.write(torn)
    start(one)
    assert runs.run("other")[1] == [0, 0]
    assert all(json.loads(line) for line in runs.path.read_text().splitlines())


def test_a_running_one_goes_on_after_another_has_tidied_the_file(runs: Runs) -> None:
    one, _ = runs.run("one")
    start(one)
    runs.time.now += HOUR
    other, _ = runs.run("other")
    start(other)
    assert runs.ago(start(one)) == [0]
    assert runs.ago(start(other)) == [0, 0]


def test_a_file_that_was_removed_is_made_again(runs: Runs) -> None:
    one, _ = runs.run("one")
    start(one)
    runs.path.unlink()
    start(one)
    assert runs.run("other")[1] == [0]


def test_without_a_folder_the_run_says_so_once_and_counts_by_its_tables(runs: Runs) -> None:
    (runs.folder / "state").write_text("a file stands here")
    shared, before = runs.run("one", asked=(NOW - 5,))
    assert before == [5]
    assert start(shared) is None
    assert start(shared) is None
    assert not shared.is_shared
    (said,) = runs.said
    assert "does not share the hourly budget" in said
    assert "--state DIR" in said


def test_a_file_that_fails_later_ends_no_run(runs: Runs) -> None:
    shared, _ = runs.run("one")
    runs.path.unlink()
    runs.path.mkdir()
    start(shared)
    start(shared)
    assert len(runs.said) == 1


def test_a_lock_that_is_never_let_go_ends_no_run(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_hour, "LONGEST_LOCK", 0.0)
    shared, _ = runs.run("one")
    with FileLock(runs.path.with_suffix(".lock")):
        start(shared)
    assert len(runs.said) == 1


def test_the_name_of_the_file_holds_nothing_of_the_proxy(tmp_path: Path) -> None:
    name = path_of(tmp_path, "www.youtube.com by user@proxy.example:80").name
    assert name.startswith("www.youtube.com-")
    assert "user" not in name
    assert "proxy" not in name


RACE = """
import sys
from pathlib import Path
from nanokinetics.engine.books import Clock
from nanokinetics.engine.shared_hour import SharedHour
shared = SharedHour(Path(sys.argv[1]), Path(sys.argv[2]), Clock(), print)
count, made = len(shared.begin(())), 0
print("ready", flush=True)
sys.stdin.readline()
while count < 60:
    with shared.turn() as news:
        count = count if news is None else len(news)
        if count < 60:
            shared.take()
            count, made = count + 1, made + 1
print(made)
"""


def test_of_several_processes_no_two_take_the_same_start(tmp_path: Path) -> None:
    path = tmp_path / "state" / "x.starts"
    argv = [sys.executable, "-c", RACE, str(path)]
    running = [
        subprocess.Popen(
            [*argv, f"dest{number}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=tmp_path,
        )
        for number in range(3)
    ]  # fmt: skip
    try:
        for each in running:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        made = [int(each.communicate("go\n", timeout=60)[0]) for each in running]
    finally:
        for each in running:
            with suppress(ProcessLookupError):
                os.kill(each.pid, 9)
            each.wait()
    assert sum(made) == 60
    assert len(path.read_bytes().splitlines()) == 60

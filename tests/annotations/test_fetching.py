"""Annotations are fetched once, whole, and go on after a break; what is none is refused."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from file_server import FileServer, Page, serving
from filelock import FileLock

from nanokinetics.annotations import fetching
from nanokinetics.annotations.catalog import Listed
from nanokinetics.annotations.fetching import fetched
from nanokinetics.common.http import Client, Retries
from nanokinetics.common.route import Route
from nanokinetics.errors import EnvironmentFault, InputError
from nanokinetics.progress import Fetching, Progress

ROWS = b"label,youtube_id,time_start,time_end,split\n" + b"yoga,abcdefghijk,1,11,train\n" * 20_000


class Shown:
    """A reporter that keeps what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.seen: list[Fetching] = []

    def update(self, progress: Progress) -> None: ...
    def close(self) -> None: ...

    def say(self, line: str) -> None:
        self.lines.append(line)

    def fetching(self, fetching: Fetching) -> None:
        self.seen.append(fetching)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as server:
        server.pages["/train.csv"] = Page(ROWS, headers={"ETag": '"one"'})
        yield server


@pytest.fixture
def listed(server: FileServer, tmp_path: Path) -> Listed:
    return Listed((server.url("/train.csv"),), ("train",), tmp_path / "k400" / "train.csv")


@pytest.fixture
def shown() -> Shown:
    return Shown()


def fetch(listed: Listed, shown: Shown) -> Path:
    with Client(Route(), Retries(2, sleep=lambda _: None)) as client:
        return fetched(listed, client, shown)


def ranges(server: FileServer) -> list[str]:
    return [asked.headers.get("Range", "") for asked in server.asked]


def names(listed: Listed) -> list[str]:
    """The names in the folder of the file, without the lock."""
    found = sorted(path.name for path in listed.place.parent.iterdir())
    return [name for name in found if not name.endswith(".lock")]


def test_a_file_is_fetched_once(server: FileServer, listed: Listed, shown: Shown) -> None:
    assert fetch(listed, shown) == listed.place
    assert listed.place.read_bytes() == ROWS
    assert fetch(listed, shown) == listed.place
    assert len(server.asked) == 1
    assert names(listed) == ["train.csv"]
    first, *_, last = shown.seen
    assert (first.done, first.total) == (0, len(ROWS))
    assert (last.done, last.is_over) == (len(ROWS), True)


@pytest.mark.parametrize("tag", [{"ETag": '"one"'}, {"Last-Modified": "Sun, 22 Apr 2018 00:00:00"}])
def test_a_broken_connection_goes_on_where_it_ended(
    server: FileServer, listed: Listed, shown: Shown, tag: dict[str, str]
) -> None:
    server.pages["/train.csv"] = Page(ROWS, headers=tag, breaks=[200_000, 100_000, 200_000, 1000])
    fetch(listed, shown)
    assert listed.place.read_bytes() == ROWS
    assert ranges(server) == [
        "",
        "bytes=200000-",
        "bytes=300000-",
        "bytes=500000-",
        "bytes=501000-",
    ]


def test_a_later_run_goes_on_too(server: FileServer, listed: Listed, shown: Shown) -> None:
    server.pages["/train.csv"].breaks = [200_000, 0, 0, 0]
    with pytest.raises(EnvironmentFault, match="broke off"):
        fetch(listed, shown)
    assert not listed.place.exists()
    server.asked.clear()
    fetch(listed, shown)
    assert ranges(server) == ["bytes=200000-"]
    assert listed.place.read_bytes() == ROWS
    assert names(listed) == ["train.csv"]


def test_a_file_that_has_changed_meanwhile_is_read_anew(
    server: FileServer, listed: Listed, shown: Shown
) -> None:
    server.pages["/train.csv"].breaks = [200_000, 0, 0, 0]
    with pytest.raises(EnvironmentFault):
        fetch(listed, shown)
    server.pages["/train.csv"] = Page(ROWS[::-1], headers={"ETag": '"two"'})
    fetch(listed, shown)
    assert listed.place.read_bytes() == ROWS[::-1]


@pytest.mark.parametrize("headers", [{"ETag": '"one"'}, {"ETag": 'W/"weak"'}, {}])
def test_a_server_without_ranges_gives_the_whole_again(
    server: FileServer, listed: Listed, shown: Shown, headers: dict[str, str]
) -> None:
    server.pages["/train.csv"] = Page(ROWS, headers=headers, ranges=False, breaks=[200_000])
    fetch(listed, shown)
    assert listed.place.read_bytes() == ROWS


def test_a_part_that_is_whole_already_is_read_anew(
    server: FileServer, listed: Listed, shown: Shown
) -> None:
    server.pages["/train.csv"].breaks = [200_000, 0, 0, 0]
    with pytest.raises(EnvironmentFault):
        fetch(listed, shown)
    (listed.place.parent / ".train.csv.part").write_bytes(ROWS)  # killed before it got its name
    fetch(listed, shown)
    assert listed.place.read_bytes() == ROWS


def test_a_server_that_always_breaks_off_is_given_up(
    server: FileServer, listed: Listed, shown: Shown
) -> None:
    server.pages["/train.csv"] = Page(ROWS, breaks=[100] * 50)
    with pytest.raises(EnvironmentFault, match="broke off"):
        fetch(listed, shown)
    assert len(server.asked) < 10
    assert not listed.place.exists()


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (Page(b"gone", 404), "answered 404 Not Found"),
        (Page(b"busy", 503), "answered 503 Service Unavailable"),
        (Page(b"<!DOCTYPE html>\n<html><body>Log in</body></html>"), "sent a web page"),
        (Page(b"  <!-- proxy -->\n<HTML>\n<head>"), "sent a web page"),
        (Page(b""), "sent an empty file"),
        (Page(ROWS, headers={"Content-Encoding": "br"}), "sends the file packed"),
        (Page(ROWS, headers={"Content-Length": str(10**12)}), "has more than 2.0 GB"),
    ],
)
def test_what_is_no_annotations_makes_way_for_the_next_address(
    server: FileServer, listed: Listed, shown: Shown, page: Page, why: str
) -> None:
    server.pages["/bad.csv"] = page
    bad = server.url("/bad.csv")
    with pytest.raises(EnvironmentFault) as refused:
        fetch(replace(listed, urls=(bad,)), shown)
    assert f"{bad}: {why}" in str(refused.value)
    assert not listed.place.exists()

    fetch(replace(listed, urls=(bad, *listed.urls)), shown)
    assert listed.place.read_bytes() == ROWS
    assert why in shown.lines[-1]
    assert shown.lines[-1].endswith("trying the next address")


def test_another_file_than_the_catalogue_means_is_refused(
    server: FileServer, listed: Listed, shown: Shown
) -> None:
    known = replace(listed, sha256=hashlib.sha256(ROWS).hexdigest())
    server.pages["/other.csv"] = Page(b"label,youtube_id\n")
    other = replace(known, urls=(server.url("/other.csv"),))
    with pytest.raises(EnvironmentFault, match="sent another file than the catalogue names"):
        fetch(other, shown)
    assert names(listed) == []
    fetch(replace(known, urls=(*other.urls, *known.urls)), shown)
    assert listed.place.read_bytes() == ROWS

    listed.place.write_bytes(b"put here by hand")
    with pytest.raises(InputError, match="remove it, and it is fetched again"):
        fetch(known, shown)


def test_without_network_it_says_where_to_put_the_file_and_finds_it_there(
    tmp_path: Path, shown: Shown
) -> None:
    url = "http://nothing.invalid/train.csv"
    listed = Listed((url,), ("train",), tmp_path / "k400" / "train.csv")
    with pytest.raises(EnvironmentFault) as refused:
        fetch(listed, shown)
    assert url in str(refused.value)
    assert f"put the file at {listed.place} yourself" in str(refused.value)
    assert "\n" not in str(refused.value)
    listed.place.write_bytes(ROWS)
    assert fetch(listed, shown) == listed.place


def test_two_runs_fetch_one_file_once(server: FileServer, listed: Listed, shown: Shown) -> None:
    listed.place.parent.mkdir(parents=True)
    held = FileLock(listed.place.parent / ".train.csv.lock")
    held.acquire()
    waiting = threading.Event()
    said = shown.say

    def say(line: str) -> None:
        said(line)
        waiting.set()

    shown.say = say  # type: ignore[method-assign]
    other = threading.Thread(target=fetch, args=(listed, shown))
    other.start()
    assert waiting.wait(20)
    listed.place.write_bytes(ROWS)  # the run that holds the lock is done
    held.release()
    other.join(20)
    assert server.asked == []
    assert shown.lines == ["another run fetches train.csv; waiting for it"]


def test_a_folder_that_cannot_be_written_to_is_named(listed: Listed, shown: Shown) -> None:
    listed.place.parent.write_text("a file where the folder should be")
    with pytest.raises(EnvironmentFault, match=rf"{listed.place.parent}.*XDG_CACHE_HOME"):
        fetch(listed, shown)


def test_a_file_larger_than_annotations_are_is_given_up_while_it_comes(
    server: FileServer, listed: Listed, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "LARGEST", 100_000)
    with pytest.raises(EnvironmentFault, match="too much for annotations"):
        fetch(listed, shown)
    assert names(listed) == []

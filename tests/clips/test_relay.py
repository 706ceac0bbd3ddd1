"""The relay: ranges in, ranges out, and a break stays a break."""

from __future__ import annotations

import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from nanokinetics.clips.relay import LARGEST_PIECE, SMALLEST_PIECE, Relay
from nanokinetics.sources.stream import Range

DATA = bytes(range(256)) * 1024
PIECE = SMALLEST_PIECE


class Server:
    """Reads ranges of DATA. limit: bytes after which it breaks; ranged: whether it knows ranges."""

    def __init__(self, *, limit: int = len(DATA), status: int = 206, ranged: bool = True) -> None:
        self.asked: list[tuple[int, int]] = []
        self._limit, self._status, self._ranged = limit, status, ranged

    def __call__(self, first: int, last: int) -> Range:
        self.asked.append((first, last))
        if self._status != 206:
            return Range(self._status, None, iter(()))
        if not self._ranged:
            return Range(200, len(DATA), self._blocks(0, len(DATA)))
        return Range(206, len(DATA), self._blocks(first, last + 1))

    def _blocks(self, at: int, end: int) -> Iterator[bytes]:
        while at < end:
            if at >= self._limit:
                raise OSError("the connection broke")
            yield DATA[at : min(at + 1000, end, self._limit)]
            at += 1000


def _get(relay: Relay, wanted: str | None, stream: int = 0) -> tuple[int, str | None, bytes]:
    request = urllib.request.Request(relay.address(stream))  # noqa: S310 - it is HTTP
    if wanted:
        request.add_header("Range", wanted)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        return answer.status, answer.headers["Content-Range"], answer.read()


@pytest.mark.parametrize(
    ("wanted", "first", "end"),
    [
        (None, 0, len(DATA)),
        ("bytes=0-", 0, len(DATA)),
        ("bytes=100000-", 100_000, len(DATA)),
        ("bytes=5-99999", 5, 100_000),
        ("bytes=7-7", 7, 8),
        ("bytes=262000-999999", 262_000, len(DATA)),
    ],
)
def test_a_range_arrives_whole_and_in_pieces(wanted, first, end):
    server = Server()
    with Relay([server], PIECE) as relay:
        status, span, body = _get(relay, wanted)
    assert (status, span) == (206, f"bytes {first}-{end - 1}/{len(DATA)}")
    assert body == DATA[first:end]
    assert relay.bytes_read == len(body)
    assert max(last - begin + 1 for begin, last in server.asked) <= PIECE


def test_a_client_that_leaves_costs_a_few_pieces_at_most():
    server = Server()
    with Relay([server], PIECE) as relay:
        connection = http.client.HTTPConnection(relay.address(0).split("/")[2], timeout=10)
        connection.request("GET", "/" + relay.address(0).split("/", 3)[3])
        connection.getresponse().read(10)
        connection.close()
    assert len(server.asked) * PIECE <= len(DATA)


@pytest.mark.parametrize("status", [403, 404, 416, 429, 503])
def test_the_status_of_a_refusal_is_passed_on(status):
    with Relay([Server(), Server(status=status)], PIECE) as relay:
        with pytest.raises(urllib.error.HTTPError) as refused:
            _get(relay, "bytes=0-", 1)
        assert refused.value.code == status
        refused.value.close()


@pytest.mark.parametrize("limit", [500, PIECE, PIECE + 10])
def test_a_break_is_seen_as_one(limit):
    with Relay([Server(limit=limit)], PIECE) as relay, pytest.raises(http.client.IncompleteRead):
        _get(relay, "bytes=0-")


def test_a_server_without_ranges_serves_the_whole_file_only():
    with Relay([Server(ranged=False)], PIECE) as relay:
        assert _get(relay, "bytes=0-")[2] == DATA
        with pytest.raises(urllib.error.HTTPError) as refused:
            _get(relay, "bytes=100-")
        refused.value.close()


def test_only_who_knows_the_word_is_served():
    server = Server()
    with Relay([server], PIECE) as relay:
        host = relay.address(0).split("/")[2]
        for path in ("/", "/0", "/word/0", f"{relay.address(0)[:-3]}/0", relay.address(0)[:-2]):
            connection = http.client.HTTPConnection(host, timeout=10)
            connection.request("GET", path.removeprefix(f"http://{host}"))
            assert connection.getresponse().status == 404
            connection.close()
    assert server.asked == []


@pytest.mark.parametrize("wanted", [0, 10**9])
def test_a_piece_has_bounds(wanted):
    server = Server()
    with Relay([server], wanted) as relay:
        _get(relay, "bytes=0-")
    first, last = server.asked[0]
    assert SMALLEST_PIECE <= last - first + 1 <= LARGEST_PIECE


def test_no_thread_runs_before_or_after():
    before = threading.active_count()
    relay = Relay([Server()], PIECE)
    assert threading.active_count() == before
    with relay:
        _get(relay, "bytes=0-")
    assert threading.active_count() == before
    Relay([Server()], PIECE).close()

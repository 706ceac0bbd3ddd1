"""The long night: refused, offered nothing or cut off, a build waits, and all is made at last."""

from __future__ import annotations

import contextlib
import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from helpers import (
    FAST,
    Bench,
    Row,
    Running,
    ended_at_last,
    kept,
    ranked,
    read_table,
    snapshot,
    wait_until,
    youtube_id,
)

from nanokinetics.demo.scenario import Fault, Film, Scenario, Throttle, Video
from nanokinetics.demo.site import DemoSite

pytestmark = pytest.mark.slow

TINY = Film(duration=6, width=64, height=64, fps=5, gop_seconds=1)
VIDEO = Video(TINY, ("progressive",))
HEALTHY = Scenario(default=VIDEO)
KINDS = ("429", "bot_check", "session_rate_limit")
WORKERS = 3
N = 6
"""Clips of each of three classes; at two pages a clip, seven an episode make five episodes."""


def _crowd(candidates: int = 10) -> list[Row]:
    return [Row(f"class {i % 3}", youtube_id(i), 3, 4) for i in range(3 * candidates)]


def _throttled(
    bench, throttle: Throttle | None, *options: str, n: int = N, workers: int = WORKERS
) -> Bench:
    scenario = replace(HEALTHY, throttle=throttle)
    return bench(scenario, _crowd(), n, *FAST, "--workers", str(workers), *options)


def _episodes(site: DemoSite, seconds: float) -> int:
    """How often the site closed, each time for so long from the first request that it refused."""
    episodes, first = 0, -math.inf
    for request in site.log:
        if request.refused and request.time >= first + seconds:
            episodes, first = episodes + 1, request.time
    return episodes


def _closings(said: str) -> int:
    """How often everybody waited, as the summary has it."""
    found = re.search(r"refused (\d+) times", said)
    return int(found[1]) if found else 0


# -- refused for a while


@pytest.mark.parametrize("kind", KINDS)
def test_a_throttle_that_comes_again_and_again_costs_few_requests_and_no_clip(bench, kind):
    made = _throttled(bench, Throttle(after=7, seconds=0.4, kind=kind), "--block-wait", "0.4s")
    done = made.run()
    assert done.code == 0, done.stderr
    assert "blocked since" in done.stderr
    assert made.failed() == []
    made.holds(kept(made.rows, N))
    episodes = _episodes(made.site, 0.4)
    assert episodes >= 4
    assert made.site.refused <= 2 * episodes + WORKERS
    assert 1 <= _closings(done.stdout) <= episodes, "no probe was refused"
    waits = read_table(made.dest / "waits.csv")
    assert {row["why"] for row in waits} <= {"rate_limited", "bot_check"}
    assert 1 <= len(waits) <= episodes
    assert all(row["since"] <= row["until"] for row in waits)


def test_the_time_that_the_site_names_is_waited_for(bench):
    """However impatient one would be without it."""
    throttle = Throttle(after=7, seconds=0.8, retry_after=True)
    made = _throttled(bench, throttle, "--block-wait", "0.2s")
    done = made.run()
    assert done.code == 0, done.stderr
    assert made.failed() == []
    made.holds(kept(made.rows, N))
    episodes = _episodes(made.site, 0.8)
    assert episodes >= 4
    assert made.site.refused <= 2 * episodes + WORKERS
    assert 1 <= _closings(done.stdout) <= episodes


def test_a_block_that_outlasts_the_first_wait_is_asked_about_less_and_less_often(bench):
    """Waits double until one is as long as the block, and only an answer takes a step back.

    So beyond one for each episode there are no more of them than steps between the two.
    """
    seconds, first = 1.0, 0.125
    made = _throttled(bench, Throttle(after=7, seconds=seconds), "--block-wait", f"{first}s")
    done = made.run()
    assert done.code == 0, done.stderr
    assert made.failed() == []
    made.holds(kept(made.rows, N))
    episodes = _episodes(made.site, seconds)
    most = episodes + math.ceil(math.log2(seconds / first))
    assert episodes >= 3
    assert 3 <= _closings(done.stdout) <= most
    assert made.site.refused <= 2 * most + WORKERS


def test_a_refused_page_with_a_working_player_is_no_block(bench):
    rows = _crowd(2)
    faults = (Fault("watch", "status", 429),)
    scenario = Scenario(default=replace(VIDEO, faults=faults))
    made = bench(scenario, rows, 2, *FAST, "--workers", str(WORKERS))
    done = made.run()
    assert done.code == 0, done.stderr
    assert {r.status for r in made.site.log if r.kind == "watch"} == {429}
    assert "blocked" not in done.stderr
    assert _closings(done.stdout) == 0
    assert made.failed() == []
    made.holds(kept(rows, 2))


def test_a_refusal_that_comes_late_finds_its_clip_asked_for_again(bench):
    """By then the wait is over: the clip goes out before the worker that had it is free."""
    rows = _crowd(2)
    slow = {ranked(rows)["train", "class 0"][0].youtube_id: replace(VIDEO, latency=1)}
    throttle = Throttle(after=0, seconds=2.5, repeat=False)
    scenario = Scenario(slow, default=VIDEO, throttle=throttle)
    made = bench(scenario, rows, 2, *FAST, "--workers", str(WORKERS), "--block-wait", "0.5s")
    done = made.run()
    assert done.code == 0, done.stderr
    assert made.failed() == []
    made.holds(kept(rows, 2))


def test_while_refused_only_one_asks_at_a_time(bench):
    made = _throttled(
        bench, Throttle(after=0, kind="bot_check"), "--block-wait", "0.5s", "--max-wait", "2.5s"
    )
    assert made.run("--quiet").code == 75
    # At first two at a time ask; after that a probe for every wait of 0.5, 1, 2 seconds.
    assert made.site.extractions() <= 2 + 3


# -- refused for ever


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_that_does_not_end_ends_the_run_for_now(bench, tmp_path, kind):
    waits = ("--block-wait", "0.5s", "--max-wait", "1s")
    made = _throttled(bench, Throttle(after=5, kind=kind), *waits, n=2, workers=2)
    done = made.run("--quiet")
    assert done.code == 75
    (said,) = done.stderr.splitlines()
    found = re.fullmatch(
        r"nanokinetics: YouTube refuses this address \((?:rate limited|bot check)\): (\d+) of 6 "
        r"clips are made, (\d+) are left and nothing is lost; run the same command again after "
        r"(\S+ \S+)",
        said,
    )
    assert found, said
    assert int(found[1]) == len(made.stats()) >= 1
    assert int(found[1]) + int(found[2]) == 6
    refused = max(r.time for r in made.site.log if r.refused)
    assert datetime.fromisoformat(found[3]).timestamp() >= math.floor(refused)
    assert made.failed() == []
    assert made.files() < {row.path for row in kept(made.rows, 2)}
    made.site.replace(HEALTHY)
    assert made.run("--quiet").code == 0
    made.holds(kept(made.rows, 2))
    if kind != KINDS[0]:
        return
    undisturbed = tmp_path / "undisturbed"
    with ended_at_last(made.start("--quiet", dest=undisturbed)) as running:
        assert running.wait().code == 0
    assert made.tree() == made.tree(undisturbed)


def test_the_patient_outlast_any_limit(bench):
    throttle = Throttle(after=5, seconds=2, repeat=False)
    waits = ("--block-wait", "0.5s", "--max-wait", "0.5s", "--wait-forever")
    made = _throttled(bench, throttle, *waits, n=2, workers=2)
    done = made.run()
    assert done.code == 0, done.stderr
    assert _closings(done.stdout) >= 2
    assert made.failed() == []
    made.holds(kept(made.rows, 2))


# -- refused the media


def test_media_that_are_refused_for_a_while_are_waited_for(bench):
    throttle = Throttle(after=5, seconds=0.4, scope="media")
    made = _throttled(bench, throttle, "--block-wait", "0.4s")
    done = made.run()
    assert done.code == 0, done.stderr
    assert made.failed() == []
    made.holds(kept(made.rows, N))
    episodes = _episodes(made.site, 0.4)
    assert episodes >= 2
    # Each worker may be reading by then.
    assert made.site.refused <= (WORKERS + 1) * episodes
    assert 1 <= _closings(done.stdout) <= episodes


def _waits(running: Running) -> Callable[[], bool]:
    return lambda: "blocked since" in running.said


def _probes(made: Bench) -> None:
    """Wait until somebody asks again, alone: all that was under way has come to its end."""
    asked = made.site.extractions()
    wait_until(lambda: made.site.extractions() > asked)


NOTHING = {
    "media_403": replace(HEALTHY, throttle=Throttle(after=0, kind="media_403")),
    "no_formats": Scenario(default=Video(TINY, failure="no_formats")),
}
"""What a refusal may look like that does not say so."""


@pytest.mark.parametrize("kind", NOTHING)
def test_a_run_of_videos_of_which_nothing_is_to_be_had_is_waited_for(bench, kind):
    made = _throttled(bench, None, "--block-wait", "3s")
    with ended_at_last(made.start()) as running:
        wait_until(lambda: made.made_so_far() >= 3)
        made.site.replace(NOTHING[kind])
        wait_until(_waits(running))
        _probes(made)
        made.site.replace(HEALTHY)
        done = running.wait()
    assert done.code == 0, done.stderr
    assert made.failed() == []
    made.holds(kept(made.rows, N))


@pytest.mark.parametrize("kind", NOTHING)
def test_who_was_let_in_before_does_not_speak_for_those_after(bench, kind):
    """A long clip that ends well says nothing of what was asked for while it was being read."""
    rows = _crowd()
    made = bench(HEALTHY, rows, N, *FAST, "--workers", "2", "--block-wait", "3s")
    long = ranked(rows)["train", "class 0"][0].youtube_id
    slow = {long: replace(VIDEO, latency=2.5)}
    made.site.replace(Scenario(slow, default=replace(VIDEO, latency=0.2)))
    with ended_at_last(made.start()) as running:
        wait_until(lambda: any(r.kind == "media" for r in made.site.log if r.youtube_id == long))
        made.site.replace(NOTHING[kind])
        wait_until(_waits(running))
        _probes(made)
        made.site.replace(HEALTHY)
        done = running.wait()
    assert done.code == 0, done.stderr
    assert made.failed() == []
    made.holds(kept(rows, N))


@pytest.mark.parametrize("candidates", [8, 14])
def test_at_the_end_of_a_run_too_nothing_is_written_off_and_no_more_than_n_kept(bench, candidates):
    """With and without reserves left: too few fail to be many, and there is nothing else to try."""
    rows = [Row("yoga", youtube_id(i), 3, 4) for i in range(candidates)]
    slow = Scenario(default=replace(VIDEO, latency=0.2))
    made = bench(slow, rows, 8, *FAST, "--workers", "1", "--block-wait", "1s")
    with ended_at_last(made.start()) as running:
        wait_until(lambda: made.made_so_far() >= 5)
        made.site.replace(NOTHING["no_formats"])
        wait_until(_waits(running))
        _probes(made)
        made.site.replace(HEALTHY)
        done = running.wait()
    assert done.code == 0, done.stderr
    assert made.failed() == []
    made.holds(kept(rows, 8))


def test_clips_that_always_fail_are_told_from_a_block_by_one_that_does_not(bench):
    rows = [Row("yoga", youtube_id(i), 3, 4) for i in range(9)]
    bad = {r.youtube_id: replace(VIDEO, faults=(Fault("media", "status", 403),)) for r in rows[:7]}
    made = bench(Scenario(bad, default=VIDEO), rows, 9, *FAST, "--block-wait", "1h")
    for _ in range(2):  # in the second run the control is one of the first
        done = made.run("--quiet")
        assert done.code == 3, done.stderr
        made.holds(rows[7:])
    reasons = [row["reason"] for row in made.failed()]
    assert reasons == ["forbidden_media"] * 2 * len(bad)
    made.site.replace(HEALTHY)
    assert made.run().code == 0
    made.holds(rows)


def test_media_that_are_refused_for_ever_end_the_run_for_now(bench):
    made = _throttled(bench, None, "--block-wait", "0.5s", "--max-wait", "1s", n=4, workers=2)
    made.site.replace(NOTHING["media_403"])
    done = made.run("--quiet")
    assert done.code == 75, done.stderr
    (said,) = done.stderr.splitlines()
    assert "(outage; it says: forbidden media: " in said
    assert made.failed() == []
    assert made.files() == set()
    made.site.replace(HEALTHY)
    assert made.run("--quiet").code == 0
    made.holds(kept(made.rows, 4))


# -- cut off


class _Line:
    """The line to the site: a relay that can be cut and mended."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = self._listen(0)
        self._port = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def cut(self) -> None:
        """From now on nobody listens, and whatever was being said breaks off."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._listener = self._listen(self._port)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near = listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self._to))
                with self._lock:
                    self._open |= {near, far}
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with self._lock:
            if source in self._open:  # the second of the two to come to its end closes both
                self._open -= {source, target}
            else:
                source.close()
                target.close()


@pytest.fixture
def line() -> Iterator[Callable[[Bench], _Line]]:
    with contextlib.ExitStack() as stack:

        def lay(made: Bench) -> _Line:
            laid = _Line(made.site.port)
            stack.callback(laid.cut)
            return laid

        yield lay


def test_a_machine_without_a_network_writes_nothing_off(bench):
    made = _throttled(bench, None, n=2, workers=2)
    with socket.socket() as nobody:  # bound, so that nobody else listens there either
        nobody.bind(("127.0.0.1", 0))
        done = made.run("--quiet", "--proxy", f"http://127.0.0.1:{nobody.getsockname()[1]}")
    assert done.code == 1
    (said,) = done.stderr.splitlines()
    assert "see to the connection" in said
    assert made.failed() == []
    assert made.run("--quiet").code == 0
    made.holds(kept(made.rows, 2))


def test_clips_that_failed_before_are_not_written_off_by_a_machine_without_a_network(bench):
    rows = [Row("yoga", youtube_id(i), 3, 4) for i in range(9)]
    bad = {r.youtube_id: replace(VIDEO, faults=(Fault("media", "status", 503),)) for r in rows[:6]}
    made = bench(Scenario(bad, default=VIDEO), rows, 8, *FAST)
    assert made.run().code == 3
    before = made.failed()
    assert before
    done = made.run("--quiet", "--proxy", "http://127.0.0.1:9")
    assert done.code == 1
    (said,) = done.stderr.splitlines()
    assert "connection" in said
    assert made.failed() == before
    made.site.replace(HEALTHY)
    assert made.run().code == 0
    made.holds(kept(rows, 8))


def test_a_few_clips_are_enough_to_see_that_there_is_no_network(bench):
    rows = [Row("yoga", youtube_id(i), 3, 4) for i in range(3)]
    made = bench(HEALTHY, rows, 2, *FAST)
    done = made.run("--quiet", "--proxy", "http://127.0.0.1:9")
    assert done.code == 1
    assert "connection" in done.stderr
    assert made.failed() == []


def test_a_line_that_is_cut_on_the_way_is_waited_for(bench, line):
    made = _throttled(bench, None, "--block-wait", "0.5s")
    cable = line(made)
    with ended_at_last(made.start("--proxy", cable.url)) as running:
        wait_until(lambda: made.made_so_far() >= 3)
        cable.cut()
        wait_until(_waits(running))
        time.sleep(3)  # until those under way have noticed too
        cable.mend()
        done = running.wait()
    # What was in the middle of its media is its own clip's failure, and may be left for later.
    left = {row["kind"] for row in made.failed()}
    assert (done.code, left) in ((0, set()), (3, {"transient"})), done.stderr
    if left:
        assert made.run("--proxy", cable.url).code == 0
    made.holds(kept(made.rows, N))


def test_a_certificate_that_nobody_trusts_stops_the_run_and_writes_nothing_off(bench):
    made = bench(
        Scenario(default=VIDEO, media="tls"), _crowd(), 2, *FAST, "--workers", "2", yt_dlp=""
    )
    done = made.run("--quiet")
    assert done.code == 1
    (said,) = done.stderr.splitlines()
    assert "certificate is not trusted" in said
    assert made.failed() == []
    assert made.site.log == []


# -- today, or the first n


def test_stand_ins_make_n_today_and_give_way_to_the_first_n_later(bench):
    rows = _crowd(4)
    late = ranked(rows)["train", "class 1"][0]
    faulty = replace(VIDEO, faults=(Fault("media", "status", 503),))
    scenario = Scenario({late.youtube_id: faulty}, default=VIDEO)
    made = bench(scenario, rows, 2, *FAST, "--workers", "2")
    done = made.run("--replace-transient")
    assert done.code == 0, done.stderr
    made.holds(kept(rows, 2, {late.youtube_id}))
    assert made.reasons() == {late.youtube_id: "server_error"}
    made.site.replace(HEALTHY)
    done = made.run()
    assert done.code == 0, done.stderr
    made.holds(kept(rows, 2))


def test_stand_ins_are_not_used_up_where_nothing_can_be_made(bench):
    """Two clips are asked for at a time, too few to tell at once that it is everybody's fault."""
    rows = [Row("class 0", youtube_id(i), 3, 4) for i in range(12)]
    sick = Video(TINY, faults=(Fault("watch", "status", 503), Fault("player", "status", 503)))
    made = bench(Scenario({}, default=sick), rows, 2, *FAST, "--workers", "2")
    done = made.run("--replace-transient", "--block-wait", "0.2s", "--max-wait", "0.3s")
    assert done.code == 75, done.stderr
    assert made.failed() == []
    made.site.replace(HEALTHY)
    assert made.run().code == 0
    made.holds(kept(rows, 2))


# -- every hour


def test_a_finished_dataset_is_left_as_it_is(bench):
    """So that cron may start it every hour."""
    rows = _crowd(4)
    dead = ranked(rows)["train", "class 1"][0].youtube_id
    scenario = Scenario({dead: Video(TINY, failure="private")}, default=VIDEO)
    made = bench(scenario, rows, 2, *FAST, "--quiet", "--workers", "2")
    assert made.run().code == 0

    def state() -> dict[str, tuple[bytes, int]]:
        return {name: file for name, file in snapshot(made.folder).items() if ".lock" not in name}

    before, asked = state(), len(made.site.log)
    done = made.run()
    assert (done.code, done.stderr) == (0, "")
    assert len(made.site.log) == asked
    assert state() == before

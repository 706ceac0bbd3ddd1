"""What a person sees: since when, until when and why nothing is going on."""

from __future__ import annotations

import fcntl
import json
import pty
import re
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime
from io import StringIO
from typing import TextIO

import pytest

from nanokinetics.cli.display import LINE_EVERY, OBJECT_EVERY, Bar, Lines, Objects, reporter
from nanokinetics.common.text import duration, size
from nanokinetics.progress import Fetching, Forecast, Pace, Progress, Silent


@pytest.fixture(autouse=True)
def it_is_about_noon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A time zone where two hours ago and in two hours are the same day as now."""
    monkeypatch.setenv("TZ", f"XXX{datetime.now(UTC).hour - 12:+d}")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


AT_WORK = Progress(made=3, wanted=10, replaced=2, held=1, in_hand=4)
LONG_AGO = datetime(2020, 1, 5, 12, 30, tzinfo=UTC).timestamp()
HOUR = 3600.0


def clock(at: float) -> str:
    return time.strftime("%H:%M", time.localtime(at))


def blocked(since: float, until: float | None, by: str = "rate limited") -> Progress:
    return replace(AT_WORK, blocked_since=since, blocked_until=until, blocked_by=by)


@contextmanager
def terminal(columns: int) -> Iterator[TextIO]:
    """A terminal that says it is so many columns wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with open(ours, "rb"), open(theirs, "w", encoding="utf-8") as stream:  # noqa: PTH123
        yield stream


def drawn(progress: Progress, columns: int, *before: Progress) -> str:
    """What a bar shows in the end, on a terminal of that width."""
    stream = StringIO()
    bar = Bar(stream, lambda _: columns)
    for each in (*before, progress):
        bar.update(each)
    bar._bar.refresh()  # type: ignore[union-attr]
    shown = stream.getvalue().split("\r")[-1].rstrip()
    assert len(shown) < columns
    return shown


def test_at_work_it_says_how_many_are_in_hand() -> None:
    assert AT_WORK.state == "4 in hand"


@pytest.mark.parametrize("by", ["rate limited", "bot check", "forbidden media"])
def test_a_block_is_told_since_when_until_when_and_why(by: str) -> None:
    since, until = time.time() - HOUR, time.time() + HOUR
    assert blocked(since, until, by).state == (
        f"blocked since {clock(since)}, until {clock(until)} ({by})"
    )


def test_while_a_probe_is_out_it_says_that_it_asks_again() -> None:
    since = time.time() - HOUR
    state = blocked(since, None, "bot check").state
    assert state == f"blocked since {clock(since)}, asking again (bot check)"


def test_of_another_day_the_day_is_told() -> None:
    since, until = time.time() - 48 * HOUR, time.time() + 48 * HOUR
    days = [time.strftime("%a", time.localtime(at)) for at in (since, until)]
    assert blocked(since, until).state == (
        f"blocked since {days[0]} {clock(since)}, until {days[1]} {clock(until)} (rate limited)"
    )


def test_the_hourly_budget_is_told_as_a_rest() -> None:
    until = time.time() + HOUR
    resting = replace(AT_WORK, resting_until=until)
    assert resting.state == f"resting until {clock(until)} (hourly budget)"
    shared = replace(resting, shares_budget=True)
    assert shared.state == f"resting until {clock(until)} (hourly budget, shared with another run)"
    assert shared.brief_state == resting.state


def test_a_block_is_told_before_a_rest() -> None:
    both = replace(blocked(time.time() - HOUR, None), resting_until=time.time() + HOUR)
    assert both.state.startswith("blocked since ")


def test_a_line_tells_the_counts_and_the_state() -> None:
    stream = StringIO()
    Lines(stream).update(blocked(LONG_AGO, None))
    (line,) = stream.getvalue().splitlines()
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d"
    assert re.match(f"{stamp} 3/10 clips, 2 gone, 1 for later, blocked since ", line)
    assert line.endswith(", asking again (rate limited)")


def lines_of(*updates: tuple[float, Progress]) -> list[str]:
    """What a log holds of progress at these times, without the time of day."""
    stream, now = StringIO(), 0.0
    lines = Lines(stream, clock=lambda: now)
    for now, progress in updates:  # noqa: B007 - the clock reads it
        lines.update(progress)
    return [line.split(", ", 3)[3] for line in stream.getvalue().splitlines()]


def test_a_line_comes_at_once_when_a_block_begins_and_when_it_ends() -> None:
    block = blocked(LONG_AGO, None)
    assert lines_of((100, AT_WORK), (101, block), (102, block), (103, AT_WORK)) == [
        "4 in hand",
        block.state,
        "4 in hand",
    ]


def test_otherwise_a_line_comes_now_and_then_and_none_twice() -> None:
    others = [replace(AT_WORK, in_hand=number) for number in range(5)]
    assert lines_of(
        (100, others[0]),
        (101, others[1]),
        (100 + LINE_EVERY - 0.1, others[2]),
        (100 + LINE_EVERY, others[3]),
        (100 + 2 * LINE_EVERY, others[3]),
        (100 + 3 * LINE_EVERY, others[4]),
    ) == ["0 in hand", "3 in hand", "4 in hand"]


def test_a_long_block_says_each_time_that_it_asks_again() -> None:
    waits = [blocked(LONG_AGO, LONG_AGO + 60 * n) for n in (1, 2)]
    asking = blocked(LONG_AGO, None)
    said = lines_of((100, waits[0]), (100 + LINE_EVERY, asking), (100 + 2 * LINE_EVERY, waits[1]))
    assert said == [waits[0].state, asking.state, waits[1].state]


FAR = replace(AT_WORK, made=1203, wanted=4000, replaced=93, held=12, in_hand=0)


def test_the_bar_shows_the_counts_and_the_state() -> None:
    block = blocked(LONG_AGO, None)
    shown = drawn(block, 120)
    assert "3/10" in shown
    assert f"{block.state}, 2 gone, 1 for later]" in shown


@pytest.mark.parametrize(
    ("columns", "with_bar", "since"),
    [(50, False, False), (60, False, True), (80, True, False), (120, True, True)],
)
@pytest.mark.parametrize("by", ["rate limited", "bot check"])
def test_a_block_is_seen_on_a_terminal_of_any_width(
    columns: int, with_bar: bool, since: bool, by: str
) -> None:
    began, ends = time.time() - HOUR, time.time() + HOUR
    block = replace(FAR, blocked_since=began, blocked_until=ends, blocked_by=by)
    before = replace(FAR, made=1100)
    shown = drawn(block, columns, before, FAR)
    state = f"blocked since {clock(began)}, until" if since else "blocked until"
    assert f"1203/4000{' [00:00' if with_bar else ''}, {state} {clock(ends)} ({by})" in shown
    assert "clips/min" not in shown
    assert bool(re.search(r"\|.{10,}\|", shown)) is with_bar


def test_a_rest_and_a_probe_are_seen_on_a_narrow_terminal_too() -> None:
    until = time.time() + HOUR
    resting = f"resting until {clock(until)} (hourly budget)"
    assert resting in drawn(replace(FAR, resting_until=until), 60)
    asking = replace(FAR, blocked_since=LONG_AGO, blocked_by="bot check")
    assert "blocked, asking again (bot check)" in drawn(asking, 60)


def test_at_work_the_pace_comes_first_and_the_rest_as_there_is_room() -> None:
    before = replace(FAR, made=1100)
    shown = [drawn(FAR, columns, before) for columns in (60, 80, 120)]
    assert all("clips/min" in line and "left" in line for line in shown)
    assert ["12 for later" in line for line in shown] == [False, False, True]
    assert shown[-1].endswith("93 gone, 12 for later, 0 in hand]")


def test_the_bar_changes_with_the_state_though_no_clip_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nanokinetics.cli.display.REDRAW_EVERY", 0.0)
    stream = StringIO()
    bar = Bar(stream, lambda _: 160)
    states = [
        AT_WORK,
        *(blocked(LONG_AGO, LONG_AGO + 3600 * n) for n in (1, 2)),
        blocked(LONG_AGO, None),
        AT_WORK,
    ]
    for progress in (AT_WORK, *(replace(state, made=9) for state in states)):
        bar.update(progress)
        assert progress.state in stream.getvalue().split("\r")[-1]
    bar.close()


def test_a_bar_that_never_began_is_closed_without_a_trace() -> None:
    stream = StringIO()
    Bar(stream).close()
    assert stream.getvalue() == ""


def test_a_terminal_gets_a_bar_a_log_gets_lines_and_the_quiet_get_nothing() -> None:
    with terminal(80) as stream:
        assert isinstance(reporter(stream), Bar)
        assert isinstance(reporter(stream, quiet=True), Silent)
    assert isinstance(reporter(StringIO()), Lines)
    log = StringIO()
    quiet = reporter(log, quiet=True)
    assert isinstance(quiet, Silent)
    quiet.update(AT_WORK)
    quiet.say("something")
    quiet.close()
    assert log.getvalue() == ""


@pytest.mark.parametrize("columns", [0, 12])
def test_a_terminal_that_knows_no_width_or_has_none_gets_lines(columns: int) -> None:
    with terminal(columns) as stream:
        assert isinstance(reporter(stream), Lines)


# -- how long it will take


class Time:
    """Both clocks, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def paces(*updates: tuple[float, Progress]) -> list[Pace | None]:
    """The pace after each of these updates, at these seconds, which are those of both clocks."""
    time = Time()
    forecast = Forecast(time, time)
    found = []
    for time.now, progress in updates:
        found.append(forecast.pace(progress))
    return found


def rates(*updates: tuple[float, Progress]) -> list[tuple[float, float] | None]:
    """The same as clips a second, and seconds to the end."""
    return [(pace.rate, pace.left) if pace else None for pace in paces(*updates)]


def at_work(made: int, **more: object) -> Progress:
    """A hundred clips, of which so many are made, and four in hand."""
    values = {"made": made, "wanted": 100, "waiting": 96 - made, **more}
    return replace(AT_WORK, replaced=0, held=0, **values)  # type: ignore[arg-type]


def test_there_is_no_pace_before_a_clip_is_made_in_this_run() -> None:
    assert rates((0, at_work(40)), (60, at_work(40))) == [None, None]


def test_the_time_left_goes_by_what_was_made_in_this_run() -> None:
    assert rates((0, at_work(40)), (60, at_work(50)))[-1] == (1 / 6, 300)


def test_clips_that_are_left_for_later_or_cannot_be_had_take_no_time() -> None:
    assert rates((0, at_work(40)), (60, at_work(50, waiting=6)))[-1] == (1 / 6, 60)


def test_where_the_budget_is_what_limits_the_time_left_is_the_budget_s() -> None:
    pace = paces((0, at_work(40)), (60, at_work(50, paced_seconds=7200.0)))[-1]
    assert pace == Pace(1 / 6, left=7200, ends=7260)
    assert str(pace).startswith("10.0 clips/min, 2 h left, ends ")


def test_the_pace_has_the_bytes_a_second_and_the_time_of_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nanokinetics.progress.time.time", lambda: LONG_AGO)
    pace = Pace(rate=1.0, left=7200, ends=LONG_AGO + 7200, bytes_per_second=3_200_000)
    ends = clock(LONG_AGO + 7200)
    assert pace.forms == (
        f"60.0 clips/min, 3.2 MB/s, 2 h left, ends {ends}",
        f"60.0 clips/min, 2 h left, ends {ends}",
        "60.0 clips/min, 2 h left",
    )


def test_bytes_count_in_the_time_of_work_only() -> None:
    block = {"blocked_since": 60.0, "blocked_until": 3660.0}
    pace = paces(
        (0, at_work(40)),
        (60, at_work(50, fetched_bytes=6_000_000, **block)),
        (3660, at_work(50, fetched_bytes=6_000_000)),
        (3720, at_work(60, fetched_bytes=12_000_000)),
    )[-1]
    assert pace
    assert pace.bytes_per_second == 100_000


def test_a_block_spoils_no_rate_and_is_added_to_what_is_left() -> None:
    block = {"blocked_since": 60.0, "blocked_until": 3660.0}
    found = rates(
        (0, at_work(40)),
        (60, at_work(50)),
        (60, at_work(50, **block)),
        (3660, at_work(50, **(block | {"blocked_until": None}))),
        (3660, at_work(50)),
        (3720, at_work(60)),
    )
    assert found[2] == (1 / 6, 3600 + 300)
    assert found[-1] == (1 / 6, 240)


def test_the_rate_is_that_of_the_last_minutes() -> None:
    fast, slow = (0, at_work(0)), [(60 + 100 * n, at_work(60 + n)) for n in range(30)]
    found = rates(fast, *slow)
    assert found[1] == (1.0, 40)
    assert found[-1] is not None
    assert found[-1][0] == pytest.approx(1 / 100, rel=0.2)


def test_a_line_ends_with_the_pace() -> None:
    stream, time = StringIO(), Time()
    lines = Lines(stream, clock=time)
    lines.update(at_work(40))
    time.now += LINE_EVERY
    lines.update(at_work(50))
    last = stream.getvalue().splitlines()[-1]
    assert re.search(r"4 in hand; 20\.0 clips/min, 2 min 30 s left, ends [\w ]*\d\d:\d\d$", last)


def test_scripts_get_an_object_a_line() -> None:
    stream, time = StringIO(), Time()
    objects = Objects(stream, clock=time)
    objects.say("left out: “a”")
    objects.update(at_work(40))
    objects.update(at_work(41))
    time.now += OBJECT_EVERY
    objects.update(at_work(50))
    said, first, second = map(json.loads, stream.getvalue().splitlines())
    assert said == {"event": "message", "text": "left out: “a”"}
    assert (first["event"], first["made"], first["seconds_left"]) == ("progress", 40, None)
    assert (second["clips_per_minute"], second["seconds_left"]) == (120, 25)
    assert second["ends_at"] == pytest.approx(datetime.now(UTC).timestamp() + 25, abs=5)
    assert {field.name for field in fields(Progress)} < set(second)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (90, "1 min 30 s"),
        (599.7, "10 min"),
        (1234, "21 min"),
        (3599, "1 h"),
        (5400, "1 h 30 min"),
        (86400, "1 d"),
        (360_000, "4 d 4 h"),
    ],
)
def test_a_duration_is_said_in_two_units_at_most(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_345_678, "12.3 MB"),
        (999_600_000, "1.0 GB"),
        (5e15, "5000.0 TB"),
    ],
)
def test_a_size_is_said_in_powers_of_a_thousand(count: float, said: str) -> None:
    assert size(count) == said


def transfer(done: int, **more: bool) -> Fetching:
    return Fetching("train.csv", "https://a.test/train.csv", done, 4_000_000, **more)


def test_annotations_come_with_a_bar_of_their_own_that_goes_when_they_are_there() -> None:
    stream = StringIO()
    bar = Bar(stream, lambda _: 60)
    for done in (0, 2_000_000):
        bar.fetching(transfer(done))
    bar._transfer._bar.refresh()  # type: ignore[union-attr]
    shown = stream.getvalue().split("\r")[-1]
    assert re.fullmatch(r"train.csv:  50%\|.*\| 2.00M/4.00M \[.*\]", shown)
    assert len(shown) < 60
    bar.fetching(transfer(4_000_000, is_over=True))
    last = "fetched train.csv (4.0 MB) from https://a.test/train.csv\n"
    assert stream.getvalue().split("\r")[-1] == last
    bar.update(AT_WORK)
    assert "3/10" in stream.getvalue().split("\r")[-1]


def test_a_log_tells_of_annotations_now_and_then() -> None:
    stream, now = StringIO(), [0.0]
    lines = Lines(stream, clock=lambda: now[0])
    for at, done in ((0.0, 0), (1.0, 1_000_000), (LINE_EVERY, 2_000_000), (31.0, 3_000_000)):
        now[0] = at
        lines.fetching(transfer(done))
    lines.fetching(transfer(4_000_000, is_over=True))
    lines.fetching(transfer(1_000_000))
    lines.fetching(transfer(1_000_000, is_over=True, failed=True))
    said = [line[line.find("fetch") :] for line in stream.getvalue().splitlines()]
    assert said == [
        "fetching train.csv of 4.0 MB from https://a.test/train.csv",
        "fetching train.csv: 2.0 MB of 4.0 MB",
        "fetched train.csv (4.0 MB) from https://a.test/train.csv",
        "fetching train.csv of 4.0 MB from https://a.test/train.csv at 1.0 MB",
    ]


def test_objects_tell_of_annotations_as_messages() -> None:
    stream = StringIO()
    objects = Objects(stream, clock=lambda: 0.0)
    for done in (0, 1_000_000):
        objects.fetching(transfer(done))
    objects.fetching(transfer(4_000_000, is_over=True))
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["message", "message"]

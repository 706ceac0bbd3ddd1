"""Local times for people, in any zone and in the night when summer time ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from nanokinetics.common.moments import Stamps, clock, instant, moment

Zone = Callable[[str], None]

EVENING = datetime(2026, 11, 25, 18, 0, tzinfo=UTC).timestamp()
"""Half past eleven at night in Kolkata."""

SUMMER_ENDS = datetime(2026, 10, 25, 0, 59, 30, tzinfo=UTC).timestamp()
"""Half a minute before Berlin's clocks go from 3 back to 2."""


def test_a_moment_has_the_date_and_the_distance_from_utc(zone: Zone) -> None:
    zone("Asia/Kolkata")
    assert moment(EVENING) == "2026-11-25 23:30:00+05:30"
    assert instant(EVENING + 0.25) == "2026-11-25T23:30:00.250+05:30"
    zone("America/St_Johns")
    assert moment(EVENING) == "2026-11-25 14:30:00-03:30"
    zone("UTC")
    assert moment(EVENING) == "2026-11-25 18:00:00+00:00"


@pytest.mark.parametrize("name", ["Asia/Kolkata", "America/St_Johns", "Europe/Berlin", "UTC"])
def test_a_moment_can_be_read_back(zone: Zone, name: str) -> None:
    zone(name)
    for at in (EVENING, SUMMER_ENDS, SUMMER_ENDS + 60):
        assert datetime.fromisoformat(moment(at)).timestamp() == at


def test_a_log_says_the_date_at_first_and_when_the_day_changes(zone: Zone) -> None:
    zone("Asia/Kolkata")
    stamps = Stamps()
    assert [stamps.next(EVENING + 600 * n) for n in range(5)] == [
        "2026-11-25 23:30:00+05:30",
        "23:40:00",
        "23:50:00",
        "2026-11-26 00:00:00+05:30",
        "00:10:00",
    ]


def test_a_log_says_when_summer_time_ends(zone: Zone) -> None:
    zone("Europe/Berlin")
    stamps = Stamps()
    assert [stamps.next(SUMMER_ENDS + 30 * n) for n in range(3)] == [
        "2026-10-25 02:59:30+02:00",
        "2026-10-25 02:00:00+01:00",
        "02:00:30",
    ]


def test_of_another_day_the_clock_says_which(zone: Zone) -> None:
    zone("Asia/Kolkata")
    day = timedelta(days=1).total_seconds()
    assert clock(EVENING + 60, EVENING) == "23:31"
    assert clock(EVENING + 3600, EVENING) == "Thu 00:30"
    assert clock(EVENING - day, EVENING) == "Tue 23:30"
    assert clock(EVENING + 7 * day, EVENING) == "2026-12-02 23:30", "not: Wed, which is today"


def test_an_hour_that_comes_twice_is_told_apart(zone: Zone) -> None:
    zone("Europe/Berlin")
    assert clock(SUMMER_ENDS - 1770, SUMMER_ENDS) == "02:30"
    assert clock(SUMMER_ENDS + 1830, SUMMER_ENDS) == "02:30+01:00"

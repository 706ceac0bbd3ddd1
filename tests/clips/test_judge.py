"""Is a written file the clip that was asked for? One table of everything that comes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nanokinetics.clip import Media
from nanokinetics.clips.judge import judge
from nanokinetics.errors import Reason

WINDOW = (123.0, 133.0)


def film(duration: float, longest_frame: float = 1 / 30, begins: float = 0.0) -> Media:
    frames = max(1, round(duration / longest_frame))
    last = begins + duration - longest_frame
    return Media(320, 240, frames, duration, longest_frame, True, begins, last)


def verdict(
    media: Media | None,
    ends_at: float | None = 240.0,
    *,
    whole: bool = False,
    window: tuple[float, float] = WINDOW,
    passed: bool = False,
) -> str:
    failure = judge(window, media, passed=passed, ends_at=ends_at, whole=whole)
    return failure.reason if failure else "good"


@pytest.mark.parametrize(
    ("got", "good"),
    [(10.0, True), (10.033, True), (9.967, True), (9.93, False), (10.07, False)],
)
def test_a_clip_is_as_long_as_its_window_give_or_take_a_frame(got: float, good: bool) -> None:
    assert (verdict(film(got)) == "good") == good


@pytest.mark.parametrize(
    ("media", "ends_at", "says"),
    [
        pytest.param(film(5), 240, "truncated", id="cut off in the middle"),
        pytest.param(film(9.9), 240, "truncated", id="three frames are missing"),
        pytest.param(film(5), None, "truncated", id="cut off, and no header says where it ends"),
        pytest.param(None, 240, "truncated", id="nothing arrived"),
        pytest.param(None, None, "truncated", id="nothing arrived, of unknown length"),
        pytest.param(film(4), 128, "truncated", id="ends inside the window, and cut off as well"),
        pytest.param(film(5), 128, "good", id="ends inside the window"),
        pytest.param(film(4.9), 128, "good", id="its header counts the sound, a little longer"),
        pytest.param(film(1.2), 124.2, "good", id="just enough is left"),
        pytest.param(film(0.5), 123.5, "too_short", id="ends right after the window's start"),
        pytest.param(None, 123, "outside_video", id="ends where the window starts"),
        pytest.param(None, 60, "outside_video", id="ended long before"),
        pytest.param(None, 123.1, "outside_video", id="the header's slack is not a picture"),
        pytest.param(film(13), 240, "undecodable", id="more came out than was asked"),
    ],
)
def test_what_a_window_read_over_a_connection_is_worth(
    media: Media | None, ends_at: float | None, says: str
) -> None:
    assert verdict(media, ends_at) == says


@pytest.mark.parametrize(
    ("media", "ends_at", "says"),
    [
        pytest.param(film(10), 240, "good", id="all of it"),
        pytest.param(film(5), 128, "good", id="ends inside the window"),
        pytest.param(film(5), None, "good", id="ends inside the window, by its picture alone"),
        pytest.param(film(0.5), 123.5, "too_short", id="hardly anything is left"),
        pytest.param(None, 60, "outside_video", id="ended before"),
        pytest.param(None, None, "outside_video", id="nothing there, and no header"),
        pytest.param(None, 240, "undecodable", id="there by its header, but no picture comes"),
        pytest.param(film(13), 240, "undecodable", id="more than the window"),
    ],
)
def test_what_is_cut_from_a_complete_copy_is_all_there_is(
    media: Media | None, ends_at: float | None, says: str
) -> None:
    assert verdict(media, ends_at, whole=True) == says


@pytest.mark.parametrize(
    ("got", "longest_frame", "good"),
    [
        (9.0, 1.0, True),  # one frame a second, the last one shown for nothing
        (11.0, 1.0, True),
        (9.3, 0.8, True),  # frames of any length, one of them stands for 0.8 s
        (12.5, 3.0, True),  # slides: the last one begins within the window
        (15.0, 3.0, False),  # it begins after the window
        (7.5, 2.5, False),  # a picture that stands still is no excuse for more than a second
    ],
)
def test_slow_and_uneven_films_are_judged_by_their_own_frames(
    got: float, longest_frame: float, good: bool
) -> None:
    assert (verdict(film(got, longest_frame)) == "good") == good


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    "media",
    [
        pytest.param(film(9.5), id="a stall across the end"),
        pytest.param(film(9.5, begins=0.5), id="a stall across the start"),
        pytest.param(film(7.4, 3.7, begins=2.8), id="long slides"),
        pytest.param(Media(320, 240, 1, 0.0, 0.0, False, 3.0, 3.0), id="one slide"),
    ],
)
def test_where_the_window_was_read_to_its_end_the_times_of_frames_say_nothing(
    media: Media, whole: bool
) -> None:
    assert verdict(media, whole=whole, passed=True) == "good"
    assert verdict(media, None, whole=whole, passed=True) == "good"


def test_a_stall_across_the_start_does_not_hide_that_the_rest_is_missing() -> None:
    assert verdict(film(9.5, begins=0.5)) == "good"
    assert verdict(film(5, begins=0.5)) == "truncated"


@pytest.mark.parametrize("passed", [True, False])
def test_no_frame_may_come_after_the_window(passed: bool) -> None:
    assert verdict(film(10.5), passed=passed) == "undecodable"


def test_a_picture_that_stands_still_through_the_window_is_no_clip() -> None:
    assert verdict(None, passed=True) == "too_short"


def test_a_slow_film_may_be_cut_short_too() -> None:
    assert verdict(film(7.0, longest_frame=1.0)) == "truncated"


@pytest.mark.parametrize(("got", "says"), [(0.4, "good"), (0.2, "too_short")])
def test_of_a_window_of_less_than_two_seconds_half_is_enough(got: float, says: str) -> None:
    assert verdict(film(got), ends_at=10 + got, window=(10.0, 10.7)) == says


def test_a_failure_says_what_was_wanted_and_what_came() -> None:
    failure = judge(WINDOW, film(4), passed=False, ends_at=240, whole=False)
    assert failure is not None
    assert failure.reason is Reason.TRUNCATED
    assert "4.00 s of 10.00 s" in failure.message


@given(
    start=st.integers(0, 300),
    seconds=st.integers(2, 20),
    ends_at=st.integers(1, 320),
)
def test_what_a_healthy_site_sends_is_never_called_truncated(
    start: int, seconds: int, ends_at: int
) -> None:
    left = min(seconds, ends_at - start)
    says = verdict(
        film(left) if left > 0 else None, ends_at, window=(float(start), float(start + seconds))
    )
    assert says == ("good" if left > 0 else "outside_video")


@given(seconds=st.integers(2, 20), share=st.floats(0, 0.9))
def test_what_breaks_off_within_the_video_is_never_called_good(seconds: int, share: float) -> None:
    got = seconds * share
    media = film(got) if got > 0.1 else None
    assert verdict(media, 1000, window=(100.0, 100.0 + seconds)) == "truncated"

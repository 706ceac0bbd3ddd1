"""Whose fault a failure is: outcomes in, verdicts out, and any history against a model."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from nanokinetics.clip import Clip, Failed
from nanokinetics.engine.blame import IN_A_ROW, MOST_IN_A_ROW, Blame, shows_answer
from nanokinetics.engine.canary import REMEMBERED, Canary
from nanokinetics.engine.verdicts import (
    AskCanary,
    CloseGate,
    Doubt,
    EndRun,
    LetIn,
    PutBack,
    Request,
    TryAlone,
    Verdict,
    WriteDown,
)
from nanokinetics.errors import EnvironmentFault, ExitCode, Failure, Kind, Reason

ALWAYS = {Reason.NO_FORMATS, Reason.WORKER_DIED}
UNLESS_FOUND = {
    *(Reason.NETWORK, Reason.SERVER_ERROR, Reason.TIMEOUT, Reason.TRUNCATED),
    *(Reason.SOURCE_AWAY, Reason.ARCHIVE_DAMAGED),
}
UNLESS_SOME_CAME = {Reason.FORBIDDEN_MEDIA}


def clip(number: int, window: int = 10) -> Clip:
    video = f"v{number:010d}"
    return Clip(f"{video}_{window:06d}", "train", "yoga", video, window, window + 10)


def failed(
    reason: Reason,
    number: int = 1,
    *,
    window: int = 10,
    found: bool = False,
    downloaded_bytes: int = 0,
    message: str = "why",
) -> Failed:
    failure = Failure(reason, message)
    return Failed(clip(number, window), failure, found=found, downloaded_bytes=downloaded_bytes)


KNOWN = Clip("canary", "canary", "canary", "jNQXAC9IVRw", 0, 1)


def begun(*earlier: Clip, known: Clip | None = KNOWN, shared: bool = True) -> Blame:
    """Blame in a run that has made a clip at second 0."""
    blame = Blame(Canary(earlier, known), shared=shared)
    blame.made([clip(0)], Request(0))
    return blame


def asked(verdicts: list[Verdict]) -> list[Clip]:
    return [v.clip for v in verdicts if isinstance(v, AskCanary)]


def written(verdicts: list[Verdict] | None) -> list[Reason]:
    return [v.failed.failure.reason for v in verdicts or [] if isinstance(v, WriteDown)]


def back(verdicts: list[Verdict] | None) -> list[Clip]:
    return [v.clip for v in verdicts or [] if isinstance(v, PutBack)]


def in_a_row(blame: Blame, *reasons: Reason, first: int = 100) -> list[Verdict]:
    """The verdicts of the last of several failures of different videos, one a second."""
    verdicts: list[Verdict] = []
    for number, reason in enumerate(reasons, start=first):
        told = failed(reason, number, message=f"message {number}")
        verdicts = blame.failed(told, Request(number), number)
    return verdicts


# -- what one clip alone can tell


@pytest.mark.parametrize("downloaded_bytes", [0, 1, 10**6])
@pytest.mark.parametrize("found", [False, True])
@pytest.mark.parametrize("reason", Reason)
def test_what_shows_that_the_site_answers(
    reason: Reason, found: bool, downloaded_bytes: int
) -> None:
    silent = (
        reason in ALWAYS
        or (reason in UNLESS_FOUND and not found)
        or (reason in UNLESS_SOME_CAME and downloaded_bytes == 0)
    )
    assert shows_answer(failed(reason, found=found, downloaded_bytes=downloaded_bytes)) != silent


@pytest.mark.parametrize("reason", [r for r in Reason if r.kind is Kind.BLOCKED])
def test_a_refusal_that_says_so_closes_the_gate_and_costs_the_clip_nothing(reason: Reason) -> None:
    refused = failed(reason)
    verdicts = Blame().failed(refused, Request(0), 1)
    assert verdicts == [PutBack(refused.clip), CloseGate(refused.failure)]


@pytest.mark.parametrize("reason", [r for r in Reason if r.replaced and r not in ALWAYS])
def test_a_verdict_on_a_clip_waits_for_a_success_and_another_stands_in(reason: Reason) -> None:
    blame, told = begun(), failed(reason, found=reason.kind is Kind.MEDIA)
    assert blame.failed(told, Request(1), 2) == [LetIn(), Doubt(told)]
    expected = [] if reason is Reason.UNEXPLAINED else [WriteDown(told)]
    verdicts = blame.made([clip(9)], Request(3))
    assert [v for v in verdicts if isinstance(v, WriteDown)] == expected


@pytest.mark.parametrize("reason", [r for r in Reason if r.kind is Kind.TRANSIENT])
def test_no_other_clip_stands_in_for_one_that_fails_for_now(reason: Reason) -> None:
    blame, told = begun(), failed(reason)
    assert blame.failed(told, Request(1), 2) == []
    assert blame.made([clip(9)], Request(3)) == [WriteDown(told)]


@pytest.mark.parametrize("reason", [Reason.DISK_FULL, Reason.NOT_WRITABLE, Reason.NO_FFMPEG])
@pytest.mark.parametrize("shared", [True, False])
def test_what_is_the_machines_ends_the_run(reason: Reason, shared: bool) -> None:
    told = failed(reason)
    assert Blame(shared=shared).failed(told, Request(0), 1) == [EndRun(told.failure)]


@pytest.mark.parametrize("reason", [r for r in Reason if r.kind in (Kind.TRANSIENT, Kind.MEDIA)])
def test_files_of_this_machine_share_no_connection(reason: Reason) -> None:
    blame = Blame(shared=False)
    for number in range(2 * IN_A_ROW):
        told = failed(reason, number)
        assert blame.failed(told, Request(number), number) == [WriteDown(told)]


# -- many in a row


@pytest.mark.parametrize("reason", [r for r in Reason if r.kind is not Kind.BLOCKED])
@pytest.mark.parametrize("count", range(1, IN_A_ROW + 2))
def test_so_many_different_videos_are_needed_whatever_they_say(count: int, reason: Reason) -> None:
    if reason.kind is Kind.ENVIRONMENT and reason is not Reason.NO_FORMATS:
        return
    if reason is Reason.WORKER_DIED:
        return
    verdicts = in_a_row(begun(), *[reason] * count)
    assert asked(verdicts) == ([clip(0)] if count == IN_A_ROW == 5 else [])


def test_of_one_video_any_number_of_windows_says_little() -> None:
    blame = begun()
    for window in range(20):
        told = failed(Reason.NO_FORMATS, 50, window=window)
        assert blame.failed(told, Request(0), 1) == [Doubt(told)]
    assert asked(in_a_row(blame, *[Reason.NO_FORMATS] * (IN_A_ROW - 1))) == [clip(0)]


def test_files_without_a_video_id_are_told_apart_by_their_key() -> None:
    blame = Blame(Canary([clip(1)]), shared=False)
    verdicts: list[Verdict] = []
    for number in range(IN_A_ROW):
        assert asked(verdicts) == []
        died = Failed(Clip(f"yoga/{number}", "train", "yoga"), Failure(Reason.WORKER_DIED, "why"))
        assert blame.died(died, Request(0), 0) == [TryAlone(died.clip)]
        verdicts = blame.died(died, Request(1), 1)
    assert asked(verdicts) == [clip(1)]


def test_different_reasons_speak_against_all_together() -> None:
    reasons = (
        Reason.PRIVATE,
        Reason.TIMEOUT,
        Reason.NO_FORMATS,
        Reason.UNDECODABLE,
        Reason.SERVER_ERROR,
    )
    assert asked(in_a_row(begun(), *reasons)) == [clip(0)]


def test_a_video_in_hand_that_was_found_splits_the_row_until_its_job_has_ended() -> None:
    blame = begun()
    in_a_row(blame, *[Reason.PRIVATE] * 3, first=100)
    slow = Request(50)
    blame.found(slow, 103)
    assert asked(in_a_row(blame, *[Reason.PRIVATE] * 3, first=104)) == []
    assert asked(blame.ended(slow)) == [clip(0)], "it was not made: all six are in one row"


def test_where_nobody_can_be_asked_the_commonest_reason_ends_the_run() -> None:
    blame = Blame()
    (ended,) = in_a_row(
        blame, Reason.TIMEOUT, Reason.NETWORK, Reason.NETWORK, Reason.TIMEOUT, Reason.NETWORK
    )
    assert isinstance(ended, EndRun)
    assert ended.failure == Failure(Reason.NETWORK, "message 104"), "the latest of the commonest"
    assert len(ended.shown) == IN_A_ROW, "each of them is shown once"


def test_media_that_is_forbidden_to_all_is_an_outage_even_if_nobody_can_be_asked() -> None:
    verdicts = in_a_row(Blame(), *[Reason.FORBIDDEN_MEDIA] * IN_A_ROW)
    assert verdicts == [CloseGate(Failure(Reason.OUTAGE, "forbidden media: message 104"))]


def test_an_outage_that_nobody_can_be_asked_about_ends_the_run_when_nothing_is_left() -> None:
    blame = Blame()
    in_a_row(blame, *[Reason.FORBIDDEN_MEDIA] * IN_A_ROW)
    verdicts = blame.nothing_left()
    assert verdicts is not None
    (ended,) = verdicts
    assert isinstance(ended, EndRun)
    assert ended.failure.reason is Reason.OUTAGE


# -- when a clip is made


def test_a_clip_that_is_made_shows_that_earlier_failures_are_their_clips_own() -> None:
    blame = begun()
    in_a_row(blame, *[Reason.NETWORK] * 4, first=1)
    verdicts = blame.made([clip(99)], Request(at=2))
    messages = [v.failed.failure.message for v in verdicts if isinstance(v, WriteDown)]
    assert messages == ["message 1", "message 2"], "what came up later stays unjudged"
    assert [type(v) for v in blame.made([clip(98)], Request(at=4))] == [WriteDown, WriteDown]


def test_what_counts_is_when_the_video_was_found_and_not_when_it_was_asked_for() -> None:
    blame, slow = begun(), Request(0.5)
    in_a_row(blame, Reason.PRIVATE, first=1)
    blame.found(slow, 2)
    in_a_row(blame, Reason.PRIVATE, first=3)
    assert len(written(blame.made([clip(99)], slow))) == 1


def test_the_count_begins_anew_with_a_clip_that_is_made() -> None:
    blame = begun()
    in_a_row(blame, *[Reason.PRIVATE] * (IN_A_ROW - 1))
    blame.made([clip(2)], Request(at=200))
    assert asked(in_a_row(blame, *[Reason.PRIVATE] * (IN_A_ROW - 1), first=300)) == []


def test_adopted_files_show_nothing() -> None:
    blame = begun()
    in_a_row(blame, Reason.NETWORK)
    assert blame.made([], Request(at=1000)) == []


# -- a second look


def test_a_row_of_five_may_hide_an_outage_that_is_over_so_each_is_asked_once_more() -> None:
    blame = begun()
    in_a_row(blame, *[Reason.PRIVATE] * IN_A_ROW)
    verdicts = blame.made([clip(9)], Request(at=200))
    assert back(verdicts) == [clip(number) for number in range(100, 105)]
    assert written(verdicts) == []
    in_a_row(blame, *[Reason.PRIVATE] * 4)
    verdicts = blame.made([clip(10)], Request(at=300))
    assert written(verdicts) == [Reason.PRIVATE] * 4, "fewer than five are believed"
    in_a_row(blame, Reason.GEO_BLOCKED, *[Reason.PRIVATE] * 4, first=104)
    verdicts = blame.made([clip(11)], Request(at=400))
    assert back(verdicts) == [clip(number) for number in range(104, 109)], "five are not"


def test_the_first_failures_of_a_run_get_a_second_look() -> None:
    """An outage may have begun in the run before, and ended a moment ago."""
    blame = Blame()
    in_a_row(blame, Reason.PRIVATE)
    assert back(blame.made([clip(9)], Request(at=200))) == [clip(100)]
    in_a_row(blame, Reason.PRIVATE)
    assert written(blame.made([clip(10)], Request(at=300))) == [Reason.PRIVATE]


def test_an_answer_that_nobody_knows_is_believed_when_it_comes_again() -> None:
    blame = begun()
    in_a_row(blame, Reason.UNEXPLAINED)
    assert back(blame.made([clip(9)], Request(at=200))) == [clip(100)]
    in_a_row(blame, Reason.UNEXPLAINED)
    assert written(blame.made([clip(10)], Request(at=300))) == [Reason.UNEXPLAINED]


def test_an_answer_that_nobody_knows_is_believed_while_the_canary_answers() -> None:
    blame = begun()
    in_a_row(blame, Reason.UNEXPLAINED)
    verdicts = blame.nothing_left()
    assert verdicts is not None
    assert asked(verdicts) == [clip(0)]
    assert written(blame.made([clip(0)], Request(200, as_canary=True))) == [Reason.UNEXPLAINED]


@pytest.mark.parametrize(
    ("status", "said", "reason"),
    [
        (400, "message 100", Reason.UNEXPLAINED),
        (None, "message 100", Reason.UNEXPLAINED),
        (503, "message 100", Reason.SERVER_ERROR),
        (400, "another message", Reason.SERVER_ERROR),
    ],
)
def test_the_same_error_as_in_an_earlier_run_is_the_videos_own(
    status: int | None, said: str, reason: Reason
) -> None:
    blame = Blame(Canary(), said_before={clip(100).id: said})
    blame.made([clip(0)], Request(0))
    error = Failed(clip(100), Failure(Reason.SERVER_ERROR, "message 100", status))
    blame.failed(error, Request(1), 2)
    assert written(blame.made([clip(9)], Request(at=200))) == [reason]


# -- the canary


def test_the_latest_clip_of_this_run_comes_first_then_the_known_one() -> None:
    blame = Blame(Canary([clip(1)], KNOWN))
    for number in (2, 3):
        blame.made([clip(number)], Request(0))
    verdicts = in_a_row(blame, *[Reason.PRIVATE] * IN_A_ROW)
    assert asked(verdicts) == [clip(3)]
    gone = Failed(clip(3), Failure(Reason.PRIVATE, "private"))
    verdicts = blame.failed(gone, Request(300, as_canary=True), 300)
    assert verdicts == [AskCanary(KNOWN)], "that its video is gone by now is possible"


def test_without_a_clip_of_this_run_one_of_an_earlier_run_is_asked_else_the_known_one() -> None:
    assert Canary([clip(1), clip(2)], KNOWN).take() == clip(1)
    assert Canary((), KNOWN).take() == KNOWN
    with pytest.raises(LookupError):
        Canary().take()


def test_the_canary_that_answered_last_is_asked_first() -> None:
    canary = Canary((), KNOWN)
    for number in range(REMEMBERED + 1):
        canary.made([clip(number)])
    assert canary.take() == clip(REMEMBERED)
    assert canary.failed(), "another one is asked"
    assert canary.take() == KNOWN
    canary.answered()
    assert canary.take() == KNOWN


def test_a_canary_that_is_made_clears_the_site_but_five_are_asked_once_more() -> None:
    blame = begun()
    in_a_row(blame, *[Reason.NETWORK] * IN_A_ROW)
    verdicts = blame.made([clip(0)], Request(at=200, as_canary=True))
    assert [type(v) for v in verdicts] == [PutBack] * IN_A_ROW
    in_a_row(blame, *[Reason.NETWORK] * (IN_A_ROW - 1))
    verdicts = blame.made([clip(8)], Request(at=300))
    assert [type(v) for v in verdicts] == [WriteDown] * (IN_A_ROW - 1)


def test_the_streak_that_asks_doubles_with_each_canary_that_answers() -> None:
    blame, number, streaks = begun(), 1000, []
    for _ in range(6):
        length = 0
        while True:
            length, number = length + 1, number + 1
            if asked(blame.failed(failed(Reason.PRIVATE, number), Request(number), number)):
                break
        streaks.append(length)
        blame.made([clip(0)], Request(number + 0.5, as_canary=True))
    assert streaks == [5, 10, 20, 40, MOST_IN_A_ROW, MOST_IN_A_ROW] == [5, 10, 20, 40, 40, 40]
    refused = failed(Reason.RATE_LIMITED, 1)
    blame.failed(refused, Request(number + 1), number + 1)
    assert asked(in_a_row(blame, *[Reason.PRIVATE] * IN_A_ROW, first=number + 2)) == [clip(0)]


def test_canaries_that_fail_too_close_the_gate_until_one_is_made() -> None:
    blame = begun()
    in_a_row(blame, *[Reason.PRIVATE] * IN_A_ROW)
    first = blame.failed(failed(Reason.PRIVATE, 0), Request(150, as_canary=True), 160)
    assert asked(first) == [KNOWN]
    gone = Failed(KNOWN, Failure(Reason.UNAVAILABLE, "nothing"))
    verdicts = blame.failed(gone, Request(160, as_canary=True), 170)
    assert verdicts == [CloseGate(Failure(Reason.OUTAGE, "unavailable: nothing"))]
    late = failed(Reason.TIMEOUT, 7)
    verdicts = blame.failed(late, Request(140), 180)
    assert [type(v) for v in verdicts] == [CloseGate, AskCanary], "clip and canary in turn"
    told = failed(Reason.PRIVATE, 0)
    verdicts = blame.failed(told, Request(181, as_canary=True), 182)
    assert [type(v) for v in verdicts] == [CloseGate]
    assert written(blame.made([clip(8)], Request(at=99))) == [], "let in before the outage"
    verdicts = blame.made([clip(9)], Request(at=190))
    assert back(verdicts) == [*(clip(number) for number in range(100, 105)), clip(7)]
    assert written(verdicts) == []
    assert asked(in_a_row(blame, *[Reason.PRIVATE] * IN_A_ROW, first=300)) == [clip(9)]


def test_a_second_canary_that_answers_may_have_seen_the_end_of_an_outage() -> None:
    blame = begun()
    in_a_row(blame, *[Reason.PRIVATE] * IN_A_ROW)
    blame.failed(failed(Reason.PRIVATE, 0), Request(150, as_canary=True), 160)
    verdicts = blame.made([KNOWN], Request(170, as_canary=True))
    assert back(verdicts) == [clip(number) for number in range(100, 105)]
    assert asked(in_a_row(blame, *[Reason.PRIVATE] * IN_A_ROW, first=300)) == [KNOWN]


def test_a_second_look_is_parted_by_canaries_while_they_are_cheap() -> None:
    blame = begun()
    in_a_row(blame, *[Reason.PRIVATE] * IN_A_ROW)
    blame.made([clip(0)], Request(200, as_canary=True))
    verdicts = in_a_row(blame, *[Reason.PRIVATE] * (IN_A_ROW - 1), first=100)
    assert asked(verdicts) == [clip(0)]
    verdicts = blame.made([clip(0)], Request(300, as_canary=True))
    assert written(verdicts) == [Reason.PRIVATE] * (IN_A_ROW - 1)


def test_the_windows_of_one_video_that_are_asked_for_one_by_one_count_as_answers() -> None:
    """An outage may hit one video again and again."""
    blame = begun()
    for window in range(IN_A_ROW):
        blame.failed(failed(Reason.PRIVATE, 50, window=window), Request(window), window + 1)
    verdicts = blame.made([clip(9)], Request(at=200))
    assert len(back(verdicts)) == IN_A_ROW


def test_files_of_this_machine_wait_for_nobody() -> None:
    blame = Blame(Canary([clip(1)]), shared=False)
    died = failed(Reason.WORKER_DIED, 5)
    blame.died(died, Request(0), 0)
    blame.died(died, Request(1), 1)
    verdicts = blame.nothing_left()
    assert verdicts is not None
    assert asked(verdicts) == [clip(1)]
    away = failed(Reason.SOURCE_AWAY, 1)
    verdicts = blame.failed(away, Request(2, as_canary=True), 3)
    assert written(verdicts) == [Reason.WORKER_DIED], "the worker of the canary lived"


def test_where_nobody_can_be_asked_an_outage_is_noticed_after_forty() -> None:
    blame = Blame()
    assert in_a_row(blame, *[Reason.PRIVATE] * (MOST_IN_A_ROW - 1))[-1:] != []
    (ended,) = in_a_row(blame, Reason.PRIVATE, first=900)[1:][-1:]
    assert isinstance(ended, EndRun)
    assert ended.failure.reason is Reason.OUTAGE


@pytest.mark.parametrize("reason", [Reason.NETWORK, Reason.NO_FORMATS, Reason.TIMEOUT])
def test_a_machine_that_cannot_make_even_the_canary_ends_a_run_that_made_nothing(
    reason: Reason,
) -> None:
    blame = Blame(Canary((), KNOWN))
    assert asked(in_a_row(blame, *[reason] * IN_A_ROW)) == [KNOWN]
    why = Failure(reason, "why")
    (ended,) = blame.failed(Failed(KNOWN, why), Request(150, as_canary=True), 160)
    assert isinstance(ended, EndRun)
    assert ended.failure == why


@pytest.mark.parametrize("reason", [Reason.PRIVATE, Reason.SERVER_ERROR, Reason.UNEXPLAINED])
def test_a_site_that_gives_nothing_from_the_start_is_waited_for(reason: Reason) -> None:
    blame = Blame(Canary((), KNOWN))
    in_a_row(blame, *[reason] * IN_A_ROW)
    why = Failed(KNOWN, Failure(reason, "why"))
    verdicts = blame.failed(why, Request(150, as_canary=True), 160)
    assert [type(v) for v in verdicts] == [CloseGate]
    assert blame.nothing_left() == [AskCanary(KNOWN)]


def test_a_client_that_is_too_old_ends_the_run_if_nobody_can_be_asked_too() -> None:
    blame, old = Blame(), Failure(Reason.UNEXPLAINED, "not available on this app", outdated=True)
    blame.failed(Failed(clip(1), old), Request(1), 2)
    assert blame.nothing_left() == [EndRun(old, (Failed(clip(1), old),))]


def test_a_client_that_is_too_old_ends_the_run() -> None:
    blame = begun()
    in_a_row(blame, *[Reason.UNEXPLAINED] * IN_A_ROW)
    old = Failure(Reason.UNEXPLAINED, "not available on this app", outdated=True)
    (ended,) = blame.failed(Failed(clip(0), old), Request(150, as_canary=True), 160)
    assert isinstance(ended, EndRun)
    assert "pip install -U 'yt-dlp[default,deno]'" in str(EnvironmentFault.of(ended.failure))


@pytest.mark.parametrize("reason", [r for r in Reason if r.kind is Kind.BLOCKED])
def test_a_canary_that_is_refused_is_asked_for_again(reason: Reason) -> None:
    blame = begun()
    in_a_row(blame, *[Reason.NETWORK] * IN_A_ROW)
    told = failed(reason, 0)
    verdicts = blame.failed(told, Request(150, as_canary=True), 160)
    assert verdicts == [CloseGate(told.failure), AskCanary(clip(0))]


# -- workers that die


def test_a_clip_that_ends_its_worker_is_tried_alone_and_out_the_second_time() -> None:
    blame = begun()
    died = failed(Reason.WORKER_DIED)
    assert blame.died(died, Request(1), 1) == [TryAlone(died.clip)]
    assert [type(v) for v in blame.died(died, Request(2), 2)] == [Doubt]
    (told,) = blame.made([clip(2)], Request(at=3))
    assert isinstance(told, WriteDown)
    assert (told.failed.clip, told.failed.attempts) == (died.clip, 2)


def test_workers_that_die_on_every_clip_end_the_run() -> None:
    blame = Blame()
    verdicts: list[Verdict] = []
    for number in range(IN_A_ROW):
        died = failed(Reason.WORKER_DIED, number)
        blame.died(died, Request(0), 0)
        verdicts = blame.died(died, Request(1), 1)
    assert [type(v) for v in verdicts] == [Doubt, EndRun]


def test_a_canary_that_ends_its_worker_is_asked_for_once_more() -> None:
    blame = begun(known=None)
    in_a_row(blame, *[Reason.NETWORK] * IN_A_ROW)
    died = failed(Reason.WORKER_DIED, 0)
    assert blame.died(died, Request(150, as_canary=True), 150) == [AskCanary(clip(0))]
    assert [type(v) for v in blame.died(died, Request(160, as_canary=True), 160)] == [EndRun]


# -- at the end of a run


def test_nothing_is_left_when_nothing_is_unjudged() -> None:
    assert Blame().nothing_left() is None


def test_at_the_end_the_canary_is_asked() -> None:
    blame = Blame(Canary((), KNOWN))
    in_a_row(blame, Reason.TIMEOUT, Reason.PRIVATE)
    assert blame.nothing_left() == [AskCanary(KNOWN)]


def test_what_fails_for_now_is_written_down_where_nobody_can_be_asked() -> None:
    blame = Blame()
    in_a_row(blame, Reason.TIMEOUT, Reason.SERVER_ERROR)
    assert written(blame.nothing_left()) == [Reason.TIMEOUT, Reason.SERVER_ERROR]
    assert blame.nothing_left() is None


def test_fewer_than_five_are_believed_where_nobody_can_be_asked_but_not_at_once() -> None:
    blame = Blame()
    in_a_row(blame, Reason.PRIVATE, Reason.GEO_BLOCKED)
    assert back(blame.nothing_left()) == [clip(100), clip(101)]
    in_a_row(blame, Reason.PRIVATE, Reason.GEO_BLOCKED)
    assert written(blame.nothing_left()) == [Reason.PRIVATE, Reason.GEO_BLOCKED]


def test_five_are_not_believed_where_nobody_can_be_asked() -> None:
    blame = Blame()
    in_a_row(blame, *[Reason.PRIVATE] * IN_A_ROW)
    verdicts = blame.nothing_left()
    assert verdicts is not None
    (ended,) = verdicts
    assert isinstance(ended, EndRun)
    assert ended.failure.reason is Reason.OUTAGE


def test_without_a_network_nothing_is_written_down() -> None:
    blame = Blame()
    in_a_row(blame, Reason.NETWORK, Reason.NETWORK)
    verdicts = blame.nothing_left()
    assert verdicts is not None
    assert [type(v) for v in verdicts] == [EndRun]


# -- how a run ends

WHAT_TO_DO = {
    Reason.DISK_FULL: ("the disk is full", "make room"),
    Reason.NOT_WRITABLE: ("the destination cannot be written to", "run the same command"),
    Reason.NO_FFMPEG: ("ffmpeg is missing", "--ffmpeg FILE"),
    Reason.NO_FORMATS: ("no formats at all", "pip install -U 'yt-dlp[default,deno]'"),
    Reason.WORKER_DIED: ("worker processes die on every clip", "fewer --workers"),
    Reason.SERVER_ERROR: ("nothing but errors", "run the same command again later"),
    Reason.NETWORK: ("cannot be reached", "--proxy"),
    Reason.TIMEOUT: ("cannot be reached", "--proxy"),
    Reason.TRUNCATED: ("cannot be reached", "--proxy"),
}


@pytest.mark.parametrize(("reason", "words"), WHAT_TO_DO.items())
def test_the_end_of_a_run_is_told_with_what_to_do_about_it(
    reason: Reason, words: tuple[str, str]
) -> None:
    ended = EnvironmentFault.of(Failure(reason, "what the tool said"))
    assert ended.exit_code is ExitCode.ERROR
    for part in (*words, "(what the tool said)"):
        assert part in str(ended)
    assert "\n" not in str(ended)


CERTIFICATE = "<urlopen error [SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired>"


@pytest.mark.parametrize(
    "reason", [Reason.NETWORK, Reason.TIMEOUT, Reason.SERVER_ERROR, Reason.NO_FORMATS]
)
@pytest.mark.parametrize("message", [CERTIFICATE, "CERTIFICATE_VERIFY_FAILED", "Certificate: no"])
def test_a_certificate_that_is_not_trusted_is_told_as_that(reason: Reason, message: str) -> None:
    said = str(EnvironmentFault.of(Failure(reason, message)))
    assert "certificate is not trusted here" in said
    assert "this machine's clock" in said
    assert message in said


@pytest.mark.parametrize("reason", [Reason.DISK_FULL, Reason.NOT_WRITABLE, Reason.NO_FFMPEG])
def test_what_is_wrong_with_the_machine_is_so_whatever_a_file_is_called(reason: Reason) -> None:
    said = str(EnvironmentFault.of(Failure(reason, "/home/me/certificates/nano: no")))
    assert "is not trusted" not in said
    assert WHAT_TO_DO[reason][0] in said


# -- any history, against a model


CLIPS = [clip(number) for number in range(12)]
OWN = [Reason.PRIVATE, Reason.GEO_BLOCKED, Reason.UNDECODABLE, Reason.UNEXPLAINED]
UNCLEAR = [Reason.NETWORK, Reason.SERVER_ERROR, Reason.NO_FORMATS, Reason.FORBIDDEN_MEDIA]


class AnyHistory(RuleBasedStateMachine):
    """Any outcomes in any order. The model knows where every clip is, and nothing else:

    waiting for its turn, in hand (as itself or as the canary), kept back by blame, made, or written
    down. Blame must never lose one, hold it twice, or write a living clip off as gone.
    """

    @initialize(earlier=st.integers(0, 2), known=st.booleans(), shared=st.booleans())
    def begin(self, earlier: int, known: bool, shared: bool) -> None:
        extra = [clip(number) for number in range(100, 100 + earlier)]
        self.blame = Blame(Canary(extra, KNOWN if known else None), shared=shared)
        self.waiting = list(CLIPS)
        self.alone: list[Clip] = []
        self.in_hand: dict[Clip, float] = {}
        self.canary_waits: list[Clip] = []
        self.canary: tuple[Clip, float] | None = None
        self.kept_back: list[Clip] = []
        self.made: list[Clip] = []
        self.written: list[Clip] = []
        self.last_success = -1.0
        self.asked_since: dict[Clip, float] = {}
        self.now = 0.0
        self.ended = False

    @precondition(lambda self: not self.ended and self.canary is None and self.waiting)
    @rule()
    def ask(self) -> None:
        self.now += 1
        self.in_hand[self.waiting.pop(0)] = self.now

    @precondition(lambda self: not self.ended and self.alone and not self.in_hand)
    @rule()
    def ask_alone(self) -> None:
        self.now += 1
        self.in_hand[self.alone.pop(0)] = self.now

    @precondition(lambda self: not self.ended and self.canary_waits and self.canary is None)
    @rule()
    def ask_canary(self) -> None:
        self.now += 1
        self.canary = (self.canary_waits.pop(0), self.now)

    @precondition(lambda self: not self.ended and self.in_hand)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        done, at = self._take(data)
        self.made.append(done)
        self._carry_out(self.blame.made([done], Request(at)))

    @precondition(lambda self: not self.ended and self.in_hand)
    @rule(data=st.data(), reason=st.sampled_from([*OWN, *UNCLEAR, Reason.RATE_LIMITED]))
    def fail(self, data: st.DataObject, reason: Reason) -> None:
        done, at = self._take(data)
        self.kept_back.append(done)  # unless a verdict says otherwise
        self._carry_out(
            self.blame.failed(Failed(done, Failure(reason, "why")), Request(at), self.now)
        )

    @precondition(lambda self: not self.ended and self.in_hand)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        done, at = self._take(data)
        self.kept_back.append(done)
        died = Failed(done, Failure(Reason.WORKER_DIED, "killed"))
        self._carry_out(self.blame.died(died, Request(at), self.now))

    @precondition(lambda self: not self.ended and self.canary is not None)
    @rule(reason=st.sampled_from([None, Reason.PRIVATE, Reason.RATE_LIMITED, *UNCLEAR]))
    def answer_canary(self, reason: Reason | None) -> None:
        assert self.canary is not None
        (done, at), self.canary = self.canary, None
        asked = Request(at, as_canary=True)
        self.now += 1
        if reason is None:
            before = {c for c in self.kept_back if self.asked_since.get(c, 0) <= at}
            self._carry_out(self.blame.made([done], asked))
            assert not before & set(self.kept_back), "what came up before it is judged, or asked"
        else:
            failure = Failure(reason, "why")
            self._carry_out(self.blame.failed(Failed(done, failure), asked, self.now))

    @precondition(lambda self: self._is_idle())
    @rule()
    def come_to_the_end(self) -> None:
        verdicts = self.blame.nothing_left()
        if verdicts is None:
            assert self.kept_back == [], "nothing may stay unjudged"
            self.ended = True
        else:
            assert verdicts, "or the loop would never end"
            self._carry_out(verdicts)

    @precondition(lambda self: self.ended)
    @rule()
    def stay_ended(self) -> None:
        """A history may be shorter than hypothesis would have it."""

    def _is_idle(self) -> bool:
        busy = self.in_hand or self.canary or self.waiting or self.alone or self.canary_waits
        return not self.ended and not busy

    def _take(self, data: st.DataObject) -> tuple[Clip, float]:
        done = data.draw(st.sampled_from(sorted(self.in_hand, key=lambda c: c.key)))
        self.now += 1
        self.asked_since[done] = self.now
        return done, self.in_hand.pop(done)

    def _carry_out(self, verdicts: list[Verdict]) -> None:
        for verdict in verdicts:
            assert not self.ended, "nothing follows the end of a run"
            match verdict:
                case WriteDown(failed=told):
                    self.kept_back.remove(told.clip)
                    self.written.append(told.clip)
                case PutBack(clip=back):
                    self.kept_back.remove(back)
                    self.waiting.append(back)
                case TryAlone(clip=back):
                    self.kept_back.remove(back)
                    self.alone.append(back)
                case AskCanary(clip=asked):
                    assert self.canary is None
                    assert not self.canary_waits, "one canary at a time"
                    self.canary_waits.append(asked)
                case Doubt(failed=told):
                    assert told.clip in self.kept_back, "it is unjudged"
                case EndRun(failure=failure):
                    assert failure.reason not in OWN
                    self.ended = True
        places = [
            *self.waiting,
            *self.alone,
            *self.in_hand,
            *self.kept_back,
            *self.made,
            *self.written,
        ]
        assert sorted(places, key=lambda c: c.key) == CLIPS, "every clip is in one place"


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)

"""Which failures one clip alone cannot tell to be its own, and what so many of them say."""

from __future__ import annotations

import pytest

from nanokinetics.clip import Clip, Failed
from nanokinetics.engine.doubts import (
    IN_A_ROW,
    Doubts,
    ending,
    is_doubtful,
    is_refusal,
    is_worth_waiting,
)
from nanokinetics.errors import EnvironmentFault, ExitCode, Failure, Kind, Reason

ALWAYS = {Reason.NO_FORMATS, Reason.WORKER_DIED}
UNLESS_FOUND = {Reason.NETWORK, Reason.SERVER_ERROR, Reason.TIMEOUT, Reason.TRUNCATED}
UNLESS_SOME_CAME = {Reason.FORBIDDEN_MEDIA}


def failed(
    reason: Reason,
    number: int = 1,
    *,
    window: int = 10,
    found: bool = False,
    downloaded_bytes: int = 0,
    message: str = "why",
) -> Failed:
    video = f"v{number:010d}"
    clip = Clip(f"{video}_{window:06d}", "train", "yoga", video, window, window + 10)
    return Failed(clip, Failure(reason, message), found=found, downloaded_bytes=downloaded_bytes)


def doubts_of(*reasons: Reason) -> Doubts:
    """Failures of different videos, one after another."""
    doubts = Doubts()
    for number, reason in enumerate(reasons):
        doubts.add(failed(reason, number, message=f"message {number}"), at=number)
    return doubts


@pytest.mark.parametrize("downloaded_bytes", [0, 1, 10**6])
@pytest.mark.parametrize("found", [False, True])
@pytest.mark.parametrize("reason", Reason)
def test_what_may_be_everybodys(reason: Reason, found: bool, downloaded_bytes: int) -> None:
    expected = (
        reason in ALWAYS
        or (reason in UNLESS_FOUND and not found)
        or (reason in UNLESS_SOME_CAME and downloaded_bytes == 0)
    )
    assert is_doubtful(failed(reason, found=found, downloaded_bytes=downloaded_bytes)) == expected


def test_every_failure_for_now_is_doubtful_at_least_when_nothing_was_had_of_the_video() -> None:
    transient = {reason for reason in Reason if reason.kind is Kind.TRANSIENT}
    assert transient <= ALWAYS | UNLESS_FOUND | UNLESS_SOME_CAME
    assert all(is_doubtful(failed(reason)) for reason in transient)


def test_a_refusal_that_says_so_is_no_doubt() -> None:
    blocked = [reason for reason in Reason if reason.kind is Kind.BLOCKED]
    assert not any(is_doubtful(failed(reason)) for reason in blocked)


@pytest.mark.parametrize("count", range(IN_A_ROW + 2))
def test_so_many_different_videos_are_needed(count: int) -> None:
    doubts = doubts_of(*[Reason.NETWORK] * count)
    assert doubts.are_many == (count >= IN_A_ROW == 5)


def test_of_one_video_any_number_of_windows_says_little() -> None:
    doubts = Doubts()
    for window in range(20):
        doubts.add(failed(Reason.NO_FORMATS, window=window), at=0)
    assert not doubts.are_many
    for number in range(2, IN_A_ROW + 1):
        assert not doubts.are_many
        doubts.add(failed(Reason.NO_FORMATS, number), at=0)
    assert doubts.are_many


def test_files_without_a_video_id_are_told_apart_by_their_key() -> None:
    doubts = Doubts()
    for number in range(IN_A_ROW):
        assert not doubts.are_many
        clip = Clip(f"yoga/{number}", "train", "yoga")
        doubts.add(Failed(clip, Failure(Reason.WORKER_DIED, "why")), at=0)
    assert doubts.are_many


def test_different_reasons_speak_against_all_together() -> None:
    assert doubts_of(
        Reason.NETWORK, Reason.TIMEOUT, Reason.NO_FORMATS, Reason.NETWORK, Reason.SERVER_ERROR
    ).are_many


def test_the_typical_one_is_the_latest_of_the_commonest_reason() -> None:
    doubts = doubts_of(
        Reason.TIMEOUT, Reason.NETWORK, Reason.NETWORK, Reason.TIMEOUT, Reason.NETWORK,
        Reason.SERVER_ERROR,
    )  # fmt: skip
    assert doubts.typical == Failure(Reason.NETWORK, "message 4")


def test_those_of_some_kinds_are_handed_over_and_the_others_stay() -> None:
    doubts = doubts_of(Reason.NETWORK, Reason.NO_FORMATS, Reason.WORKER_DIED, Reason.TIMEOUT)
    taken = [each.failure.reason for each in doubts.take(Kind.TRANSIENT)]
    assert taken == [Reason.NETWORK, Reason.TIMEOUT]
    assert [each.failure.reason for each in doubts] == [Reason.NO_FORMATS, Reason.WORKER_DIED]
    assert doubts.take(Kind.TRANSIENT) == []
    both = [each.failure.reason for each in doubts.take(Kind.ENVIRONMENT, Kind.CRASHED)]
    assert both == [Reason.NO_FORMATS, Reason.WORKER_DIED]


def test_what_came_up_later_stays_in_doubt() -> None:
    doubts = doubts_of(*[Reason.NETWORK] * 4)
    assert [each.failure.message for each in doubts.acquit_all(1)] == ["message 0", "message 1"]
    assert len(list(doubts)) == 2


def test_those_handed_over_count_until_a_clip_is_made() -> None:
    doubts = doubts_of(*[Reason.NETWORK] * IN_A_ROW)
    assert len(doubts.take()) == IN_A_ROW
    assert (list(doubts), doubts.are_many) == ([], True)
    assert doubts.acquit_all(IN_A_ROW) == []
    assert not doubts.are_many
    doubts.add(failed(Reason.NETWORK, 99), at=99)
    assert len(list(doubts)) == 1


def test_waiting_helps_against_all_but_dying_workers() -> None:
    hopeless = {reason for reason in Reason if not is_worth_waiting(Failure(reason, "why"))}
    assert hopeless == {Reason.WORKER_DIED}


def test_only_media_that_is_forbidden_to_all_is_a_refusal_in_itself() -> None:
    refusals = {reason for reason in Reason if is_refusal(Failure(reason, "why"))}
    assert refusals == {Reason.FORBIDDEN_MEDIA}


WHAT_TO_DO = {
    Reason.DISK_FULL: ("the disk is full", "make room"),
    Reason.NOT_WRITABLE: ("the destination cannot be written to", "mend that"),
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
    ended = ending(Failure(reason, "what the tool said"))
    assert isinstance(ended, EnvironmentFault)
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
    said = str(ending(Failure(reason, message)))
    assert "certificate is not trusted here" in said
    assert "this machine's clock" in said
    assert message in said


@pytest.mark.parametrize("reason", [Reason.DISK_FULL, Reason.NOT_WRITABLE, Reason.NO_FFMPEG])
def test_what_is_wrong_with_the_machine_is_so_whatever_a_file_is_called(reason: Reason) -> None:
    said = str(ending(Failure(reason, "/home/me/certificates/nano: no")))
    assert "is not trusted" not in said
    assert WHAT_TO_DO[reason][0] in said

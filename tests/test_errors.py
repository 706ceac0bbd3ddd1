"""The taxonomy of failures and the exit codes, written out as the contract has them."""

from __future__ import annotations

import pickle

import pytest

from nanokinetics.errors import (
    LONGEST_MESSAGE,
    BadRow,
    BadRows,
    Blocked,
    EnvironmentFault,
    ExitCode,
    Failure,
    InputError,
    Kind,
    NanokineticsError,
    Reason,
)

TAXONOMY = {
    "permanent": "private removed_by_uploader account_terminated copyright terms_of_service "
    "not_found",
    "conditional": "unavailable unexplained age_restricted geo_blocked members_only login_required "
    "not_yet_available",
    "blocked": "rate_limited bot_check outage",
    "transient": "server_error network timeout truncated forbidden_media source_away "
    "archive_damaged",
    "media": "outside_video too_short undecodable no_video_stream",
    "environment": "disk_full no_ffmpeg no_formats not_writable",
    "crashed": "worker_died",
}
KIND_OF = {reason: kind for kind, reasons in TAXONOMY.items() for reason in reasons.split()}

REPLACED_KINDS = {"permanent", "conditional", "media", "crashed"}


def test_there_are_these_reasons_and_no_others() -> None:
    assert {str(reason) for reason in Reason} == set(KIND_OF)


def test_there_are_these_kinds_and_no_others() -> None:
    assert {str(kind) for kind in Kind} == set(TAXONOMY)


@pytest.mark.parametrize(("reason", "kind"), KIND_OF.items())
def test_each_reason_is_of_its_kind(reason: str, kind: str) -> None:
    assert Reason(reason).kind == kind
    assert Failure(Reason(reason), "why").kind == kind


@pytest.mark.parametrize("reason", sorted(set(KIND_OF) - {"no_formats"}))
def test_only_a_clip_that_is_itself_at_fault_is_replaced(reason: str) -> None:
    assert Reason(reason).replaced == (KIND_OF[reason] in REPLACED_KINDS)


@pytest.mark.parametrize("reason", sorted(set(KIND_OF) - {"no_formats"}))
def test_what_is_permanent_is_never_asked_again(reason: str) -> None:
    asked_again = KIND_OF[reason] in REPLACED_KINDS - {"permanent"}
    assert Reason(reason).asked_again == asked_again


def test_a_clip_without_formats_is_replaced_once_the_machine_is_cleared() -> None:
    assert Reason.NO_FORMATS.replaced
    assert Reason.NO_FORMATS.asked_again


@pytest.mark.parametrize(
    ("reason", "whole_video"),
    [
        ("private", True),
        ("geo_blocked", True),
        ("no_video_stream", True),
        ("outside_video", False),  # another window of the video may well be there
        ("truncated", False),
        ("rate_limited", False),
        ("worker_died", False),
    ],
)
def test_some_failures_hold_for_every_window_of_the_video(reason: str, whole_video: bool) -> None:
    assert Reason(reason).about_the_video == whole_video


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NanokineticsError("x"), 1),
        (EnvironmentFault("x"), 1),
        (InputError("x"), 2),
        (BadRows([BadRow("f.csv", 2, "why")]), 2),
        (Blocked("x"), 75),
    ],
)
def test_each_error_has_its_exit_code(error: NanokineticsError, code: int) -> None:
    assert error.exit_code == code


def test_a_finished_run_ends_with_0_or_3() -> None:
    assert (ExitCode.OK, ExitCode.SHORT) == (0, 3)


def test_the_message_of_a_failure_is_one_line() -> None:
    assert Failure(Reason.PRIVATE, " a\r\nb\t\tc\N{LINE SEPARATOR}d \n").message == "a b c d"


@pytest.mark.parametrize("length", [LONGEST_MESSAGE, LONGEST_MESSAGE + 1, 10**6])
def test_the_message_of_a_failure_is_no_longer_than_a_table_can_show(length: int) -> None:
    message = Failure(Reason.PRIVATE, "x" * length).message
    assert len(message) == LONGEST_MESSAGE
    assert message.endswith("…") == (length > LONGEST_MESSAGE)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_said_in_words(reason: Reason) -> None:
    assert reason.words.split(" ") == str(reason).split("_")


def test_a_failure_crosses_a_process_boundary() -> None:
    failure = Failure(Reason.RATE_LIMITED, "slow down", 429, 30.0)
    assert pickle.loads(pickle.dumps(failure)) == failure  # noqa: S301 - made right here


def test_bad_rows_name_the_first_and_count_the_rest() -> None:
    rows = [BadRow("a.csv", 2, "no label"), BadRow("a.csv", 9, "no id"), BadRow("b.csv", 3, "x")]
    error = BadRows(rows)
    assert error.rows == tuple(rows)
    assert str(error).startswith("a.csv, line 2: no label (and 2 more bad rows)")
    assert "--skip-bad-rows" in str(error)

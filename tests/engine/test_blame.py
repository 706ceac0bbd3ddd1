"""Whose fault a failure is: outcomes in, verdicts out, and any history against a model."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from nanokinetics.clip import Clip, Failed
from nanokinetics.engine.blame import IN_A_ROW, REMEMBERED, Blame, may_be_global
from nanokinetics.engine.verdicts import (
    AskCanary,
    CloseGate,
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
def test_what_may_be_everybodys(reason: Reason, found: bool, downloaded_bytes: int) -> None:
    expected = (
        reason in ALWAYS
        or (reason in UNLESS_FOUND and not found)
        or (reason in UNLESS_SOME_CAME and downloaded_bytes == 0)
    )
    assert may_be_global(failed(reason, found=found, downloaded_bytes=downloaded_bytes)) == expected


def test_every_failure_for_now_may_be_everybodys_when_nothing_was_had_of_the_video() -> None:
    transient = {reason for reason in Reason if reason.kind is Kind.TRANSIENT}
    assert transient <= ALWAYS | UNLESS_FOUND | UNLESS_SOME_CAME
    assert all(may_be_global(failed(reason)) for reason in transient)


@pytest.mark.parametrize("reason", [r for r in Reason if r.kind is Kind.BLOCKED])
def test_a_refusal_that_says_so_closes_the_gate_and_costs_the_clip_nothing(reason: Reason) -> None:
    told = failed(reason)
    assert not may_be_global(told)
    verdicts = Blame().failed(told, Request(0), 1)
    assert verdicts == [PutBack(told.clip), CloseGate(told.failure)]


@pytest.mark.parametrize(
    "reason", [r for r in Reason if r.kind in (Kind.PERMANENT, Kind.CONDITIONAL, Kind.MEDIA)]
)
def test_what_is_about_the_clip_is_written_down_and_shows_that_the_site_answers(
    reason: Reason,
) -> None:
    told = failed(reason)
    assert Blame().failed(told, Request(0), 1) == [LetIn(), WriteDown(told)]


@pytest.mark.parametrize("reason", [Reason.DISK_FULL, Reason.NOT_WRITABLE, Reason.NO_FFMPEG])
@pytest.mark.parametrize("shared", [True, False])
def test_what_is_the_machines_ends_the_run(reason: Reason, shared: bool) -> None:
    told = failed(reason)
    assert Blame(shared=shared).failed(told, Request(0), 1) == [EndRun(told.failure)]


@pytest.mark.parametrize("reason", [r for r in Reason if r.kind is Kind.TRANSIENT])
def test_files_of_this_machine_share_no_line(reason: Reason) -> None:
    blame = Blame(shared=False)
    for number in range(2 * IN_A_ROW):
        told = failed(reason, number)
        assert blame.failed(told, Request(number), number) == [WriteDown(told)]


# -- many in a row


@pytest.mark.parametrize("count", range(1, IN_A_ROW + 2))
def test_so_many_different_videos_are_needed(count: int) -> None:
    verdicts = in_a_row(Blame([clip(1)]), *[Reason.NETWORK] * count)
    asked = count == IN_A_ROW == 5  # the sixth finds the canary on its way
    assert verdicts == ([AskCanary(clip(1))] if asked else [])


def test_of_one_video_any_number_of_windows_says_little() -> None:
    blame = Blame([clip(1)])
    for window in range(20):
        told = failed(Reason.NO_FORMATS, 50, window=window)
        assert blame.failed(told, Request(0), 0) == []
    assert in_a_row(blame, *[Reason.NO_FORMATS] * (IN_A_ROW - 1)) == [AskCanary(clip(1))]


def test_files_without_a_video_id_are_told_apart_by_their_key() -> None:
    blame = Blame([clip(1)], shared=False)
    verdicts: list[Verdict] = []
    for number in range(IN_A_ROW):
        assert verdicts == []
        died = Failed(Clip(f"yoga/{number}", "train", "yoga"), Failure(Reason.WORKER_DIED, "why"))
        assert blame.died(died, Request(0), 0) == [TryAlone(died.clip)]
        verdicts = blame.died(died, Request(1), 1)
    assert verdicts == [AskCanary(clip(1))]


def test_different_reasons_speak_against_all_together() -> None:
    reasons = (
        Reason.NETWORK,
        Reason.TIMEOUT,
        Reason.NO_FORMATS,
        Reason.NETWORK,
        Reason.SERVER_ERROR,
    )
    assert in_a_row(Blame([clip(1)]), *reasons) == [AskCanary(clip(1))]


def test_where_nothing_was_ever_made_the_commonest_reason_ends_the_run() -> None:
    blame = Blame()
    (ended,) = in_a_row(
        blame, Reason.TIMEOUT, Reason.NETWORK, Reason.NETWORK, Reason.TIMEOUT, Reason.NETWORK
    )
    assert isinstance(ended, EndRun)
    assert ended.failure == Failure(Reason.NETWORK, "message 104"), "the latest of the commonest"
    assert len(ended.shown) == IN_A_ROW, "each of them is shown once"


def test_media_that_is_forbidden_to_all_is_a_refusal_even_if_nothing_was_ever_made() -> None:
    blame = Blame()
    verdicts = in_a_row(blame, *[Reason.FORBIDDEN_MEDIA] * IN_A_ROW)
    assert verdicts == [CloseGate(Failure(Reason.FORBIDDEN_MEDIA, "message 104"))]


# -- when a clip is made


def test_a_clip_that_is_made_shows_that_earlier_failures_are_their_clips_own() -> None:
    blame = Blame()
    in_a_row(blame, *[Reason.NETWORK] * 4, first=0)
    verdicts = blame.made([clip(99)], Request(at=1))
    written = [v.failed.failure.message for v in verdicts if isinstance(v, WriteDown)]
    assert written == ["message 0", "message 1"], "what came up later stays unjudged"
    assert [type(v) for v in blame.made([clip(98)], Request(at=3))] == [WriteDown, WriteDown]


def test_the_count_begins_anew_with_a_clip_that_is_made() -> None:
    blame = Blame([clip(1)])
    in_a_row(blame, *[Reason.NETWORK] * (IN_A_ROW - 1))
    blame.made([clip(2)], Request(at=200))
    assert in_a_row(blame, *[Reason.NETWORK] * (IN_A_ROW - 1), first=300) == []


def test_adopted_files_show_nothing() -> None:
    blame = Blame()
    in_a_row(blame, Reason.NETWORK)
    assert blame.made([], Request(at=1000)) == []


# -- the canary


def test_the_latest_clip_of_this_run_comes_before_those_of_earlier_runs() -> None:
    blame = Blame([clip(0)])
    for number in (1, 2):
        blame.made([clip(number)], Request(0))
    assert in_a_row(blame, *[Reason.NETWORK] * IN_A_ROW) == [AskCanary(clip(2))]


def test_a_canary_that_is_made_clears_the_machine() -> None:
    blame = Blame([clip(0)])
    in_a_row(blame, *[Reason.NETWORK] * IN_A_ROW)
    verdicts = blame.made([clip(0)], Request(at=200, as_canary=True))
    assert [type(v) for v in verdicts] == [WriteDown] * IN_A_ROW


def test_a_canary_that_fails_too_closes_the_gate_until_it_is_made() -> None:
    blame = Blame()
    blame.made([clip(0)], Request(0))
    in_a_row(blame, *[Reason.NETWORK] * IN_A_ROW)
    told = failed(Reason.NETWORK, 0)
    verdicts = blame.failed(told, Request(150, as_canary=True), 160)
    assert verdicts == [CloseGate(told.failure), AskCanary(clip(0))]
    late = failed(Reason.TIMEOUT, 7)
    assert blame.failed(late, Request(140), 170) == [CloseGate(late.failure)]
    assert blame.made([clip(8)], Request(at=130)) == [], "it was let in before the outage"
    verdicts = blame.made([clip(0)], Request(at=180, as_canary=True))
    back = {v.clip.youtube_id for v in verdicts if isinstance(v, PutBack)}
    assert len(back) == len(verdicts) == IN_A_ROW + 1, "nothing was written down"


@pytest.mark.parametrize("reason", [r for r in Reason if r.kind is Kind.BLOCKED])
def test_a_canary_that_is_refused_is_asked_for_again(reason: Reason) -> None:
    blame = Blame([clip(0)])
    in_a_row(blame, *[Reason.NETWORK] * IN_A_ROW)
    told = failed(reason, 0)
    verdicts = blame.failed(told, Request(150, as_canary=True), 160)
    assert verdicts == [CloseGate(told.failure), AskCanary(clip(0))]


def test_a_canary_that_has_gone_makes_room_for_another_until_there_is_none() -> None:
    blame = Blame([clip(0)])
    for number in range(1, REMEMBERED + 3):
        blame.made([clip(number)], Request(0))
    verdicts = in_a_row(blame, *[Reason.NETWORK] * IN_A_ROW)
    seen = []
    while asked := [v.clip for v in verdicts if isinstance(v, AskCanary)]:
        seen += asked
        gone = Failed(asked[0], Failure(Reason.PRIVATE, "private"))
        verdicts = blame.failed(gone, Request(300, as_canary=True), 300)
        assert LetIn() in verdicts
    assert seen == [clip(5), clip(4), clip(3), clip(0)]


def test_where_nothing_was_ever_made_reserves_are_tried_that_prove_nothing_by_failing() -> None:
    blame = Blame((), [clip(7), clip(8)])
    in_a_row(blame, Reason.NO_FORMATS)
    assert blame.nothing_left() == [AskCanary(clip(7))]
    again = failed(Reason.NO_FORMATS, 7)
    assert blame.failed(again, Request(5, as_canary=True), 6) == []
    assert blame.nothing_left() == [AskCanary(clip(8))]
    verdicts = blame.made([clip(8)], Request(at=200, as_canary=True))
    assert [type(v) for v in verdicts] == [WriteDown]


# -- workers that die


def test_a_clip_that_ends_its_worker_is_tried_alone_and_out_the_second_time() -> None:
    blame = Blame()
    died = failed(Reason.WORKER_DIED)
    assert blame.died(died, Request(0), 0) == [TryAlone(died.clip)]
    assert blame.died(died, Request(1), 1) == [], "unjudged until something is made"
    (written,) = blame.made([clip(2)], Request(at=2))
    assert isinstance(written, WriteDown)
    assert (written.failed.clip, written.failed.attempts) == (died.clip, 2)


def test_workers_that_die_on_every_clip_end_the_run() -> None:
    blame = Blame()
    verdicts: list[Verdict] = []
    for number in range(IN_A_ROW):
        died = failed(Reason.WORKER_DIED, number)
        blame.died(died, Request(0), 0)
        verdicts = blame.died(died, Request(1), 1)
    assert [type(v) for v in verdicts] == [EndRun]


def test_a_canary_that_ends_its_worker_is_asked_for_once_more() -> None:
    blame = Blame([clip(0)])
    in_a_row(blame, *[Reason.NETWORK] * IN_A_ROW)
    died = failed(Reason.WORKER_DIED, 0)
    assert blame.died(died, Request(150, as_canary=True), 150) == [AskCanary(clip(0))]
    assert [type(v) for v in blame.died(died, Request(160, as_canary=True), 160)] == [EndRun]


# -- at the end of a run


def test_nothing_is_left_when_nothing_is_unjudged() -> None:
    assert Blame().nothing_left() is None


def test_what_fails_for_now_is_written_down_where_nothing_was_ever_made() -> None:
    blame = Blame()
    in_a_row(blame, Reason.TIMEOUT, Reason.SERVER_ERROR)
    verdicts = blame.nothing_left()
    assert verdicts is not None
    assert [type(v) for v in verdicts] == [WriteDown, WriteDown]
    assert blame.nothing_left() is None


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
OWN = [Reason.PRIVATE, Reason.GEO_BLOCKED, Reason.UNDECODABLE]
UNCLEAR = [Reason.NETWORK, Reason.SERVER_ERROR, Reason.NO_FORMATS, Reason.FORBIDDEN_MEDIA]


class AnyHistory(RuleBasedStateMachine):
    """Any outcomes in any order. The model knows where every clip is, and nothing else:

    waiting for its turn, in hand (as itself or as the canary), kept back by blame, made, or written
    down. Blame must never lose one, hold it twice, or write a living clip off as gone.
    """

    @initialize(earlier=st.integers(0, 2), untried=st.integers(0, 3), shared=st.booleans())
    def begin(self, earlier: int, untried: int, shared: bool) -> None:
        extra = [clip(number) for number in range(100, 100 + earlier + untried)]
        self.blame = Blame(extra[:earlier], extra[earlier:], shared=shared)
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
        if reason in OWN:
            assert done in self.written

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
            assert not before & set(self.kept_back), "what came up before it is judged now"
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

"""The gate: one refusal holds everyone back, and only the answer to a lone probe opens it.

Times are seconds of a clock that the tests turn, whole ones wherever a comparison is exact.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tenacity.wait import wait_exponential, wait_fixed

from nanokinetics.clip import HOUR, PacingPolicy
from nanokinetics.engine.pacing import LONGEST_WAIT, Pacer, Ticket

FIRST_WAIT = 10
SPACING = 8
"""Seconds between two starts after the first refusal, where a test is about that."""


def pacer(
    *,
    per_hour: int = 0,
    max_wait: float = 1e9,
    spacing: float = 0,
    abreast: int = 0,
    earlier_starts: Iterable[float] = (),
) -> Pacer:
    """A gate that waits 10, 20, 40 … seconds, without jitter, and lets any number be abreast."""
    growing = wait_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)
    policy = PacingPolicy(FIRST_WAIT, per_hour, max_wait, spacing, abreast)
    return Pacer(policy, earlier_starts, wait=growing)


def refused_at(gate: Pacer, now: float, retry_after: float | None = None) -> bool:
    """A request that is sent and refused in the same second."""
    return gate.refused(gate.start(now), now, retry_after)


def closed_gate(now: float = 0, *, spacing: float = 0, abreast: int = 0) -> Pacer:
    gate = pacer(spacing=spacing, abreast=abreast)
    refused_at(gate, now)
    return gate


def when_let_through(gate: Pacer, now: float) -> float:
    """The time at which the next start is allowed, as the gate itself promises it."""
    delay = gate.delay(now)
    assert delay is not None, "nobody is out, so somebody must be let go"
    now += delay
    while rest := gate.delay(now):  # what rounding leaves is less than a microsecond
        assert rest < 1e-6
        now += max(rest, 1e-9)
    return now


def block(gate: Pacer, now: float, refusals: int) -> tuple[float, list[float]]:
    """A block that refuses so many times in a row and then lets the probe through: when it is over,
    and the waits it took."""
    waits = []
    for _ in range(refusals):
        refused_at(gate, now)
        waits.append(gate.delay(now) or 0.0)
        now += waits[-1]
    gate.answered(gate.start(now), now)
    return now, waits


def test_an_open_gate_lets_a_policys_number_be_asked_for_at_once() -> None:
    gate = Pacer(PacingPolicy(), wait=wait_fixed(FIRST_WAIT))
    tickets = [gate.start(0) for _ in range(2)]
    assert not any(ticket.probe for ticket in tickets)
    assert gate.delay(0) is None, "no time can be named: others must answer first"
    assert gate.delay(HOUR) is None
    with pytest.raises(RuntimeError, match="closed"):
        gate.start(HOUR)


@pytest.mark.parametrize("come_to", ["found", "answered", "unanswered"])
def test_whatever_a_request_comes_to_makes_room_for_the_next(come_to: str) -> None:
    gate = pacer(abreast=2)
    first, _ = gate.start(0), gate.start(0)
    match come_to:
        case "found":
            gate.found(first)
        case "answered":
            gate.answered(first, 1)
        case _:
            gate.unanswered(first)
    assert gate.delay(1) == 0
    gate.start(1)
    assert gate.delay(1) is None


def test_a_request_makes_room_only_once() -> None:
    gate = pacer(abreast=2)
    first, _ = gate.start(0), gate.start(0)
    gate.found(first)
    gate.start(1)
    gate.found(first)
    gate.answered(first, 2)
    gate.unanswered(first)
    assert gate.delay(2) is None


def test_any_number_may_be_found_already_and_on_its_way_home() -> None:
    gate = pacer(abreast=2)
    for _ in range(1000):
        gate.found(gate.start(0))
    assert gate.delay(0) == 0


def test_an_abreast_of_nothing_is_no_limit() -> None:
    gate = pacer(abreast=0)
    for _ in range(1000):
        gate.start(0)
    assert gate.delay(0) == 0
    now, _ = block(gate, 1, refusals=1)
    for _ in range(1000):
        gate.start(now)
    assert gate.delay(now) == 0


@pytest.mark.parametrize("abreast", [1, 2, 5])
def test_after_a_refusal_one_at_a_time_is_asked_for_to_the_end_of_the_run(abreast: int) -> None:
    gate = pacer(abreast=abreast)
    now, _ = block(gate, 0, refusals=1)
    for later in (now, now + 10 * HOUR):
        ticket = gate.start(later)
        assert gate.delay(later) is None
        gate.found(ticket)
        assert gate.delay(later) == 0


def test_a_refusal_of_one_leaves_the_other_to_answer_before_the_probe_goes_out() -> None:
    gate = pacer(abreast=2)
    first, second = gate.start(0), gate.start(0)
    gate.refused(first, 1)
    assert gate.delay(1 + FIRST_WAIT) is None
    gate.answered(second, 12)
    assert gate.delay(12) == 0
    assert gate.start(12).probe


def test_a_refusal_closes_the_gate_for_everyone() -> None:
    gate = closed_gate(now=100)
    assert gate.delay(100) == FIRST_WAIT
    assert gate.delay(104) == FIRST_WAIT - 4
    with pytest.raises(RuntimeError, match="closed"):
        gate.start(104)


def test_after_the_wait_one_request_goes_out_alone() -> None:
    gate = closed_gate()
    probe = gate.start(FIRST_WAIT)
    assert probe.probe
    assert gate.delay(FIRST_WAIT) is None
    assert gate.delay(FIRST_WAIT + 1000) is None
    with pytest.raises(RuntimeError, match="closed"):
        gate.start(FIRST_WAIT + 1000)


@pytest.mark.parametrize("abreast", [0, 2])
def test_a_probe_that_is_found_still_has_to_come_to_its_end(abreast: int) -> None:
    gate = closed_gate(abreast=abreast)
    probe = gate.start(FIRST_WAIT)
    gate.found(probe)
    assert gate.delay(FIRST_WAIT + 1000) is None
    gate.refused(probe, 15)
    assert gate.delay(15) == 20


def test_the_answer_to_the_probe_opens_the_gate() -> None:
    gate = closed_gate()
    gate.answered(gate.start(FIRST_WAIT), 15)
    assert gate.delay(15) == 0
    assert not gate.start(15).probe


def test_a_block_began_with_its_first_refusal_and_is_over_with_the_probes_answer() -> None:
    gate = pacer()
    assert (gate.closed_since, gate.closed_until) == (None, None)
    refused_at(gate, 100)
    refused_at(gate, 110)
    assert (gate.closed_since, gate.closed_until) == (100, 130)
    probe = gate.start(130)
    assert (gate.closed_since, gate.closed_until) == (100, 130), "it may yet be refused"
    gate.answered(probe, 135)
    assert (gate.closed_since, gate.closed_until) == (None, None)
    refused_at(gate, 200)
    assert gate.closed_since == 200


def test_an_answer_to_an_older_request_does_not_open_the_gate() -> None:
    gate = pacer()
    older = gate.start(0)
    refused_at(gate, 1)
    gate.answered(older, 1)
    assert gate.delay(1) == FIRST_WAIT
    gate.start(1 + FIRST_WAIT)
    gate.answered(older, 1 + FIRST_WAIT)
    assert gate.delay(1 + FIRST_WAIT) is None


def test_of_a_probes_several_windows_the_first_to_come_home_opens_the_gate() -> None:
    gate = closed_gate()
    probe = gate.start(FIRST_WAIT)
    gate.answered(probe, 12)
    gate.answered(probe, 14)
    assert gate.delay(14) == 0
    gate.refused(probe, 20)
    assert (gate.refusals, gate.closed_since) == (2, 20), "its third is refused: another block"
    gate.answered(probe, 25)
    assert gate.delay(25) == 5, "and its fourth does not open the gate"


def test_a_probe_whose_worker_died_is_sent_again() -> None:
    gate = closed_gate()
    gate.unanswered(gate.start(FIRST_WAIT))
    assert gate.delay(FIRST_WAIT) == 0
    assert gate.start(FIRST_WAIT).probe


def test_each_refused_probe_doubles_the_wait_up_to_an_hour() -> None:
    gate, now, waits = pacer(), 0.0, []
    for _ in range(12):
        refused_at(gate, now)
        waits.append(gate.delay(now) or 0)
        now += waits[-1]
    assert waits == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600]


@pytest.mark.parametrize("peace", [0, 1, HOUR - 1])
def test_a_block_soon_after_another_begins_where_that_one_ended(peace: float) -> None:
    gate = pacer()
    over, waits = block(gate, 0, refusals=3)
    assert waits == [10, 20, 40]
    over, waits = block(gate, over + peace, refusals=2)
    assert waits == [40, 80]
    _, waits = block(gate, over + peace, refusals=1)
    assert waits == [80]


def test_blocks_of_one_refusal_each_are_waited_for_no_longer_than_the_first() -> None:
    gate, now, all_waits = pacer(), 0.0, []
    for _ in range(5):
        now, waits = block(gate, now + 1, refusals=1)
        all_waits += waits
    assert all_waits == [FIRST_WAIT] * 5


def test_after_an_hour_of_peace_the_next_block_is_taken_for_the_first() -> None:
    gate = pacer()
    over, _ = block(gate, 0, refusals=5)
    _, waits = block(gate, over + HOUR, refusals=2)
    assert waits == [10, 20]


def test_peace_begins_when_the_probe_is_answered_not_when_it_is_sent() -> None:
    gate = closed_gate()
    refused_at(gate, 10)
    probe = gate.start(30)
    gate.answered(probe, 500)
    refused_at(gate, 499 + HOUR)
    assert gate.delay(499 + HOUR) == 20


def test_a_long_block_is_no_time_of_peace() -> None:
    gate = pacer()
    refused_at(gate, 0)
    refused_at(gate, 2 * HOUR)
    assert gate.delay(2 * HOUR) == 20


def test_the_spacing_grows_with_each_refusal_to_ten_times_its_first() -> None:
    gate, now, found = pacer(spacing=SPACING), 0.0, []
    assert gate.spacing == 0
    for _ in range(7):
        now = when_let_through(gate, now)
        refused_at(gate, now)
        found.append(gate.spacing / SPACING)
    assert found == [1, 2, 4, 8, 10, 10, 10]


def test_replies_to_requests_sent_before_the_penalty_do_not_widen_the_spacing() -> None:
    gate = pacer(spacing=SPACING)
    tickets = [gate.start(0) for _ in range(8)]
    for ticket in tickets:
        gate.refused(ticket, 1)
    assert gate.spacing == SPACING


def test_after_a_block_starts_follow_one_another_at_the_spacing() -> None:
    gate = closed_gate(spacing=SPACING)
    probe = gate.start(FIRST_WAIT)
    gate.answered(probe, FIRST_WAIT + 1)
    apart = 0.9 * SPACING
    assert gate.delay(FIRST_WAIT + 1) == pytest.approx(apart - 1)
    with pytest.raises(RuntimeError, match="closed"):
        gate.start(FIRST_WAIT + 1)
    gate.start(FIRST_WAIT + SPACING)
    assert gate.delay(FIRST_WAIT + SPACING) == pytest.approx(apart), "counted from the last start"


def test_a_probe_keeps_the_spacing_too() -> None:
    gate = closed_gate(spacing=3 * FIRST_WAIT)
    assert gate.delay(0) == 3 * FIRST_WAIT
    assert gate.start(3 * FIRST_WAIT).probe


def test_each_success_makes_the_spacing_shorter_until_there_is_none() -> None:
    gate, now = closed_gate(spacing=SPACING), 0.0
    for successes in range(1, 22):
        now = when_let_through(gate, now)
        gate.answered(gate.start(now), now)
        assert gate.spacing == pytest.approx(SPACING * 0.9**successes)
    now = when_let_through(gate, now)
    gate.answered(gate.start(now), now)
    assert gate.spacing == 0, "a tenth of the first is passed"
    gate.start(now)
    gate.start(now)
    assert gate.delay(now) == 0


def test_a_success_of_before_the_penalty_leaves_the_spacing_as_it_is() -> None:
    gate = pacer(spacing=SPACING)
    older, same_second = gate.start(0), gate.start(5)
    refused_at(gate, 5)
    gate.answered(older, 6)
    gate.answered(same_second, 6)
    assert gate.spacing == SPACING


def test_a_block_after_some_success_widens_what_is_left_of_the_spacing() -> None:
    gate = pacer(spacing=SPACING)
    now, _ = block(gate, 0, refusals=3)
    assert gate.spacing == pytest.approx(4 * SPACING * 0.9)
    now = when_let_through(gate, now)
    refused_at(gate, now)
    assert gate.spacing == pytest.approx(2 * 4 * SPACING * 0.9)


def test_a_block_after_much_success_widens_the_spacing_to_its_first_value_at_least() -> None:
    gate, now = closed_gate(spacing=SPACING), 0.0
    for _ in range(15):
        now = when_let_through(gate, now)
        gate.answered(gate.start(now), now)
    assert gate.spacing < SPACING / 2
    now = when_let_through(gate, now)
    refused_at(gate, now)
    assert gate.spacing == SPACING


def test_while_nothing_was_ever_refused_there_is_no_spacing() -> None:
    gate = pacer(spacing=SPACING)
    for _ in range(100):
        gate.answered(gate.start(0), 0)
    assert (gate.spacing, gate.delay(0)) == (0, 0)


def test_replies_to_requests_sent_before_the_penalty_count_once() -> None:
    gate = pacer()
    tickets = [gate.start(0) for _ in range(8)]
    for second, ticket in enumerate(tickets):
        gate.refused(ticket, second)
    assert gate.refusals == 1
    assert gate.delay(0) == FIRST_WAIT


def test_a_late_reply_does_not_count_against_the_probe() -> None:
    gate = pacer()
    late = gate.start(0)
    refused_at(gate, 0)
    probe = gate.start(FIRST_WAIT)
    gate.refused(late, FIRST_WAIT + 1)
    assert gate.delay(FIRST_WAIT + 1) is None, "the probe is still out"
    gate.answered(probe, FIRST_WAIT + 1)
    assert gate.delay(FIRST_WAIT + 1) == 0


@pytest.mark.parametrize(("retry_after", "wait"), [(120, 120), (3, 3), (0, 1)])
def test_the_first_wait_is_the_one_the_server_asks_for(retry_after: float, wait: float) -> None:
    gate = pacer()
    refused_at(gate, 0, retry_after)
    assert gate.delay(0) == wait


def test_a_server_that_refuses_at_its_own_time_is_waited_for_longer() -> None:
    gate = pacer()
    refused_at(gate, 0, retry_after=1)
    refused_at(gate, 1, retry_after=1)
    assert gate.delay(1) == 20


@pytest.mark.parametrize(("retry_after", "wait"), [(120, 120), (3, 3), (0, 1)])
def test_the_time_a_new_block_names_is_believed_though_the_last_was_longer(
    retry_after: float, wait: float
) -> None:
    gate = pacer()
    over, waits = block(gate, 0, refusals=4)
    assert waits[-1] == 80
    refused_at(gate, over, retry_after)
    assert gate.delay(over) == wait
    refused_at(gate, over + wait, retry_after)
    assert gate.delay(over + wait) == max(160, retry_after), "but not a second time"


def test_retry_after_may_exceed_the_longest_wait_of_our_own() -> None:
    gate = pacer()
    refused_at(gate, 0, retry_after=3 * HOUR)
    assert gate.delay(0) == 3 * HOUR


def test_a_longer_retry_after_of_a_late_reply_is_honoured() -> None:
    gate = pacer()
    first, second, third = (gate.start(0) for _ in range(3))
    gate.refused(first, 0, retry_after=30)
    gate.refused(second, 5, retry_after=60)
    assert gate.delay(5) == 60
    gate.refused(third, 6, retry_after=10)
    assert gate.delay(6) == 59, "a shorter one changes nothing"


def test_waiting_passes_max_wait_when_its_sum_does() -> None:
    gate = pacer(max_wait=10 + 20 + 40)
    verdicts, now = [], 0.0
    for _ in range(4):
        verdicts.append(refused_at(gate, now))
        now += gate.delay(now) or 0
    assert verdicts == [False, False, False, True]


def test_waiting_is_summed_across_blocks_that_ended() -> None:
    gate = pacer(max_wait=25)
    for now in (0, 1000):
        assert not refused_at(gate, now)
        gate.answered(gate.start(now + FIRST_WAIT), now + FIRST_WAIT)
    assert refused_at(gate, 2000)


def test_waiting_is_counted_once_when_the_gate_stays_closed_for_longer() -> None:
    gate = pacer()
    first, second = gate.start(0), gate.start(0)
    gate.refused(first, 0, retry_after=30)
    gate.refused(second, 10, retry_after=30)
    assert gate.waited == 40


def test_one_announced_wait_beyond_max_wait_is_enough() -> None:
    assert refused_at(pacer(max_wait=600), 0, retry_after=601)


def test_a_max_wait_of_nothing_gives_up_at_the_first_refusal() -> None:
    assert refused_at(pacer(max_wait=0), 0)


def test_the_budget_may_be_spent_at_full_speed_and_then_rests() -> None:
    gate = pacer(per_hour=3)
    for now in (0, 1, 2):
        gate.start(now)
    assert gate.delay(2) == HOUR - 2
    with pytest.raises(RuntimeError):
        gate.start(2)
    gate.start(HOUR)
    assert gate.delay(HOUR) == 1


def test_a_budget_that_is_spent_rests_for_a_time_that_can_be_named_though_others_are_out() -> None:
    gate = pacer(per_hour=1, abreast=2)
    ticket = gate.start(0)
    assert gate.delay(1) == HOUR - 1
    gate.unanswered(ticket)
    assert gate.delay(1) == HOUR - 1, "a request that came to nothing was one all the same"


def test_the_budget_counts_what_earlier_runs_asked_for() -> None:
    gate = pacer(per_hour=2, earlier_starts=[-10.0, -HOUR - 1, -20.0])
    assert gate.delay(0) == HOUR - 20


def test_a_budget_made_smaller_waits_until_enough_has_passed() -> None:
    gate = pacer(per_hour=1, earlier_starts=[0, 100, 200])
    assert gate.delay(300) == HOUR - 100


def test_what_other_runs_asked_for_counts_too() -> None:
    gate = pacer(per_hour=2)
    gate.start(0)
    gate.recount([0, 10])
    assert gate.delay(20) == HOUR - 20
    gate.recount([10, 0])
    assert gate.delay(20) == HOUR - 20


def test_the_longer_of_gate_and_budget_holds() -> None:
    gate = pacer(per_hour=1)
    refused_at(gate, 0)
    assert gate.delay(FIRST_WAIT) == HOUR - FIRST_WAIT
    assert gate.start(HOUR).probe


def test_the_policy_of_the_command_line_doubles_with_a_tenth_of_jitter() -> None:
    gate = Pacer(PacingPolicy(60, max_wait=1e9))
    now = 0.0
    for wait in (60, 120, 240, 480, 960, 1920, 3600, 3600):
        refused_at(gate, now)
        delay = gate.delay(now)
        assert delay is not None
        assert wait <= delay <= wait + 6
        now += delay + 1e-6


def test_the_policys_first_wait_may_exceed_an_hour() -> None:
    gate = Pacer(PacingPolicy(2 * HOUR, max_wait=1e9))
    refused_at(gate, 0)
    assert (gate.delay(0) or 0) >= 2 * HOUR


class AnyHistory(RuleBasedStateMachine):
    """Whatever happens in whatever order, against a model of what was sent and refused."""

    @initialize(
        per_hour=st.sampled_from([0, 1, 2, 5]),
        abreast=st.sampled_from([0, 1, 2, 3]),
        spacing=st.sampled_from([0, SPACING]),
        earlier=st.lists(st.integers(-2 * int(HOUR), 0), max_size=6),
    )
    def open(self, per_hour: int, abreast: int, spacing: int, earlier: list[int]) -> None:
        self.gate = pacer(
            per_hour=per_hour, abreast=abreast, spacing=spacing, earlier_starts=earlier
        )
        self.per_hour, self.abreast, self.first_spacing = per_hour, abreast, spacing
        self.earlier = len(earlier)
        self.starts: list[float] = sorted(earlier)
        self.by_others: set[int] = set(range(self.earlier))
        """Places in `starts` of what this run did not start."""
        self.now = 0.0
        self.out: list[Ticket] = []
        self.asking: set[Ticket] = set()
        self.probe: Ticket | None = None
        self.last_penalty = float("-inf")
        self.penalties = 0
        self.last_wait = 0
        """The rung of 10, 20, 40 … that the last refusal was answered with, from 1."""
        self.opened_at = float("-inf")
        self.closed_since: float | None = None
        self.not_before = float("-inf")
        self.apart = 0.0

    @property
    def crowded(self) -> bool:
        limit = min(self.abreast, 1) if self.penalties else self.abreast
        return limit > 0 and len(self.asking) >= limit

    @rule(seconds=st.sampled_from([0.25, 1, 7, 10, 60, 600, 3599, 3600]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def the_promised_time_comes(self) -> None:
        if self.gate.delay(self.now) is not None:
            self.now = when_let_through(self.gate, self.now)

    @rule()
    def somebody_wants_to_start(self) -> None:
        if self.gate.delay(self.now) != 0:
            with pytest.raises(RuntimeError):
                self.gate.start(self.now)
            return
        self.start()

    def start(self) -> Ticket:
        assert self.probe is None, "a start while a probe is out"
        assert not self.crowded, "a start while others must answer"
        assert self.now >= self.not_before, "a start while the gate is closed"
        own = [at for place, at in enumerate(self.starts) if place not in self.by_others]
        if self.apart and own:
            assert self.now - own[-1] > self.apart - 1e-6, "a start too near to the last"
        ticket = self.gate.start(self.now)
        assert ticket.probe == (self.closed_since is not None), "after a refusal only a probe"
        if ticket.probe:
            self.probe = ticket
        self.out.append(ticket)
        self.asking.add(ticket)
        self.starts.append(self.now)
        return ticket

    @rule()
    def another_run_starts(self) -> None:
        self.by_others.add(len(self.starts))
        self.starts.append(self.now)
        self.gate.recount(self.starts)

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def a_video_is_found(self, data: st.DataObject) -> None:
        ticket = self.any_of_those_out(data)
        self.gate.found(ticket)
        self.asking.discard(ticket)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), over=st.booleans())
    def a_window_is_answered(self, data: st.DataObject, over: bool) -> None:
        self.answer(self.any_of_those_out(data, over=over))

    def answer(self, ticket: Ticket) -> None:
        self.gate.answered(ticket, self.now)
        self.asking.discard(ticket)
        if ticket.at > self.last_penalty:
            self.apart *= 0.9
            if self.apart < 0.1 * self.first_spacing:
                self.apart = 0.0
        if ticket is self.probe:
            self.probe = self.closed_since = None
            self.opened_at = self.now
            self.not_before = float("-inf")

    @precondition(lambda self: self.out)
    @rule(
        data=st.data(),
        over=st.booleans(),
        retry_after=st.sampled_from([None, None, None, 0, 5, 90, 5000]),
    )
    def a_window_is_refused(self, data: st.DataObject, over: bool, retry_after: int | None) -> None:
        ticket = self.any_of_those_out(data, over=over)
        self.gate.refused(ticket, self.now, retry_after)
        self.asking.discard(ticket)
        if ticket is not self.probe and ticket.at <= self.last_penalty:
            waiting = self.closed_since is not None and self.probe is None
            if waiting and retry_after is not None:
                self.not_before = max(self.not_before, self.now + retry_after)
            return
        again = ticket is self.probe
        if again:
            self.last_wait += 1
        else:
            self.closed_since = self.now
            if self.now - self.opened_at >= HOUR or not self.penalties:
                self.last_wait = 1
        wait = min(FIRST_WAIT * 2 ** (self.last_wait - 1), LONGEST_WAIT)
        if retry_after is not None:
            wait = max(1, retry_after, wait if again else 0)
        self.not_before = self.now + wait
        self.probe = None
        self.penalties += 1
        self.last_penalty = self.now
        self.apart = max(self.first_spacing, min(2 * self.apart, 10 * self.first_spacing))

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def a_job_is_over_or_its_worker_dies(self, data: st.DataObject) -> None:
        ticket = self.any_of_those_out(data, over=True)
        self.gate.unanswered(ticket)
        self.asking.discard(ticket)
        if ticket is self.probe:
            self.probe = None

    @rule()
    def the_site_is_healthy_again(self) -> None:
        while self.out:
            self.answer(self.out.pop())
        for _ in range(2):
            self.now = when_let_through(self.gate, self.now)
            self.answer(self.start())
            self.out.clear()
        assert self.gate.closed_until is None

    @rule()
    def the_site_stays_healthy(self) -> None:
        self.the_site_is_healthy_again()
        for _ in range(45):  # of ten times the first spacing, 44 successes leave nothing
            self.now = when_let_through(self.gate, self.now)
            self.answer(self.start())
            self.out.clear()
        assert self.gate.spacing == 0

    @invariant()
    def only_a_probe_or_a_crowd_makes_the_time_unknown(self) -> None:
        assert (self.gate.delay(self.now) is None) == (self.probe is not None or self.crowded)

    @invariant()
    def no_more_are_asked_for_at_once_than_the_policy_lets(self) -> None:
        assert not self.abreast or len(self.asking) <= self.abreast

    @invariant()
    def the_block_is_known_since_when_and_until_when(self) -> None:
        assert self.gate.closed_since == self.closed_since
        if self.closed_since is None:
            assert self.gate.closed_until is None
        else:
            assert self.gate.closed_until == self.not_before

    @invariant()
    def no_rolling_hour_holds_more_than_the_budget(self) -> None:
        if self.per_hour:
            for place in set(range(len(self.starts))) - self.by_others:
                since = self.starts[place] - HOUR + 1e-6
                assert sum(at > since for at in self.starts[: place + 1]) <= self.per_hour

    @invariant()
    def a_penalty_counts_once(self) -> None:
        assert self.gate.refusals == self.penalties

    @invariant()
    def the_spacing_is_that_of_the_refusals_and_successes(self) -> None:
        assert self.gate.spacing == pytest.approx(self.apart)

    def any_of_those_out(self, data: st.DataObject, *, over: bool = False) -> Ticket:
        place = data.draw(st.integers(0, len(self.out) - 1), label="ticket")
        return self.out.pop(place) if over else self.out[place]


def test_any_history_keeps_the_promises_of_the_gate() -> None:
    run_state_machine_as_test(
        AnyHistory, settings=settings(deadline=None, max_examples=60, stateful_step_count=30)
    )


@settings(deadline=None, max_examples=50)
@given(
    starts=st.lists(st.floats(-2 * HOUR, 0), max_size=30),
    now=st.floats(0, 1e6),
    limit=st.integers(1, 10),
)
def test_the_promised_time_is_kept_whatever_the_fractions(
    starts: list[float], now: float, limit: int
) -> None:
    gate = pacer(per_hour=limit, earlier_starts=starts)
    for _ in range(3):
        now = when_let_through(gate, now)
        gate.start(now)


def test_a_policy_of_any_tenacity_strategy_will_do() -> None:
    gate = Pacer(PacingPolicy(), wait=wait_fixed(7))
    refused_at(gate, 0)
    assert gate.delay(0) == 7


# -- when the last of many may start


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 20])
@pytest.mark.parametrize("earlier", [(), (-HOUR / 2,), (-3000.0, -2000.0, -1000.0)])
def test_the_soonest_last_start_is_the_one_that_eager_asking_comes_to(
    count: int, earlier: tuple[float, ...]
) -> None:
    policy = PacingPolicy(per_hour=3, abreast=0)
    told = Pacer(policy, earlier).soonest(count, 0.0)
    pacer, now = Pacer(policy, earlier), 0.0
    for _ in range(count):
        now += pacer.delay(now) or 0.0
        pacer.start(now)
    assert told == pytest.approx(now)


def test_without_a_budget_only_a_block_holds_up() -> None:
    pacer = Pacer(PacingPolicy(), wait=wait_fixed(60))
    assert pacer.soonest(1000, 0.0) == 0
    pacer.refused(pacer.start(0.0), 1.0)
    assert pacer.soonest(1000, 11.0) == 50
    assert pacer.soonest(0, 11.0) == 0

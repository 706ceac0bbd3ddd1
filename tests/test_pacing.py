"""The gate: one refusal holds everyone back, and only the answer to a lone probe opens it.

Times are whole seconds of a clock that the tests turn, so every comparison is exact.
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

from nanokinetics.pacing import HOUR, LONGEST_WAIT, Pacer, PacingPolicy, Ticket

FIRST_WAIT = 10


def pacer(
    *, per_hour: int = 0, max_wait: float = 1e9, earlier_starts: Iterable[float] = ()
) -> Pacer:
    """A gate that waits 10, 20, 40 … seconds, without jitter."""
    growing = wait_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)
    return Pacer(PacingPolicy(growing, per_hour, max_wait), earlier_starts)


def refused_at(gate: Pacer, now: float, retry_after: float | None = None) -> bool:
    """A request that is sent and refused in the same second."""
    return gate.refused(gate.start(now), now, retry_after)


def closed_gate(now: float = 0) -> Pacer:
    gate = pacer()
    refused_at(gate, now)
    return gate


def test_an_open_gate_lets_any_number_through() -> None:
    gate = pacer()
    tickets = [gate.start(0) for _ in range(1000)]
    assert gate.delay(0) == 0
    assert not any(ticket.probe for ticket in tickets)


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


def test_the_answer_to_the_probe_opens_the_gate() -> None:
    gate = closed_gate()
    gate.answered(gate.start(FIRST_WAIT))
    assert gate.delay(FIRST_WAIT) == 0
    assert not gate.start(FIRST_WAIT).probe


def test_an_answer_to_an_older_request_does_not_open_the_gate() -> None:
    gate = pacer()
    older = gate.start(0)
    refused_at(gate, 1)
    gate.answered(older)
    assert gate.delay(1) == FIRST_WAIT
    gate.start(1 + FIRST_WAIT)
    gate.answered(older)
    assert gate.delay(1 + FIRST_WAIT) is None


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


def test_success_makes_the_next_wait_short_again() -> None:
    gate = closed_gate()
    refused_at(gate, 10)
    assert gate.delay(10) == 20
    gate.answered(gate.start(30))
    refused_at(gate, 31)
    assert gate.delay(31) == FIRST_WAIT


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
    gate.answered(probe)
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
        gate.answered(gate.start(now + FIRST_WAIT))
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


def test_the_budget_counts_what_earlier_runs_asked_for() -> None:
    gate = pacer(per_hour=2, earlier_starts=[-10.0, -HOUR - 1, -20.0])
    assert gate.delay(0) == HOUR - 20


def test_a_budget_made_smaller_waits_until_enough_has_passed() -> None:
    gate = pacer(per_hour=1, earlier_starts=[0, 100, 200])
    assert gate.delay(300) == HOUR - 100


def test_the_longer_of_gate_and_budget_holds() -> None:
    gate = pacer(per_hour=1)
    refused_at(gate, 0)
    assert gate.delay(FIRST_WAIT) == HOUR - FIRST_WAIT
    assert gate.start(HOUR).probe


def test_the_policy_of_the_command_line_doubles_with_a_tenth_of_jitter() -> None:
    gate = Pacer(PacingPolicy.exponential(60, per_hour=0, max_wait=1e9))
    now = 0.0
    for wait in (60, 120, 240, 480, 960, 1920, 3600, 3600):
        refused_at(gate, now)
        delay = gate.delay(now)
        assert delay is not None
        assert wait <= delay <= wait + 6
        now += delay + 1e-6


def test_the_policys_first_wait_may_exceed_an_hour() -> None:
    gate = Pacer(PacingPolicy.exponential(2 * HOUR, per_hour=0, max_wait=1e9))
    refused_at(gate, 0)
    assert (gate.delay(0) or 0) >= 2 * HOUR


class AnyHistory(RuleBasedStateMachine):
    """Whatever happens in whatever order, against a model of what was sent and refused."""

    @initialize(
        per_hour=st.sampled_from([0, 1, 2, 5]),
        earlier=st.lists(st.integers(-2 * int(HOUR), 0), max_size=6),
    )
    def open(self, per_hour: int, earlier: list[int]) -> None:
        self.gate = pacer(per_hour=per_hour, earlier_starts=earlier)
        self.per_hour = per_hour
        self.earlier = len(earlier)
        self.starts: list[float] = sorted(earlier)
        self.now = 0.0
        self.out: list[Ticket] = []
        self.last_penalty = float("-inf")
        self.penalties = 0
        self.not_before = float("-inf")
        self.shut = False

    @rule(seconds=st.sampled_from([1, 7, 10, 60, 600, 3599, 3600]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def the_promised_time_comes(self) -> None:
        self.now += self.gate.delay(self.now) or 0

    @rule()
    def somebody_wants_to_start(self) -> None:
        if self.gate.delay(self.now) != 0:
            with pytest.raises(RuntimeError):
                self.gate.start(self.now)
            return
        ticket = self.gate.start(self.now)
        assert ticket.probe == self.shut, "after a refusal only a probe goes out"
        assert self.now >= self.not_before, "a start while the gate is closed"
        self.out.append(ticket)
        self.starts.append(self.now)

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def a_request_is_answered(self, data: st.DataObject) -> None:
        ticket = self.take(data)
        self.gate.answered(ticket)
        if ticket.probe:
            self.shut = False
            self.not_before = float("-inf")

    @precondition(lambda self: self.out)
    @rule(data=st.data(), retry_after=st.sampled_from([None, 0, 5, 90, 5000]))
    def a_request_is_refused(self, data: st.DataObject, retry_after: int | None) -> None:
        ticket = self.take(data)
        self.gate.refused(ticket, self.now, retry_after)
        if ticket.probe or ticket.at > self.last_penalty:
            self.penalties += 1
            self.last_penalty = self.now
            self.shut = True
            least = 1 if retry_after is not None else FIRST_WAIT
            self.not_before = self.now + max(least, retry_after or 0)
        elif self.shut:
            self.not_before = max(self.not_before, self.now + (retry_after or 0))

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def a_worker_dies(self, data: st.DataObject) -> None:
        self.gate.unanswered(self.take(data))

    @rule()
    def the_site_is_healthy_again(self) -> None:
        for ticket in self.out:
            self.gate.answered(ticket)
        self.out.clear()
        for _ in range(2):
            delay = self.gate.delay(self.now)
            assert delay is not None, "nobody is out, so somebody must be let go"
            self.now += delay
            self.gate.answered(self.gate.start(self.now))
            self.starts.append(self.now)
        assert self.gate.closed_until is None
        self.shut = False
        self.not_before = float("-inf")

    @invariant()
    def at_most_one_probe_is_out(self) -> None:
        probes = [ticket for ticket in self.out if ticket.probe]
        assert len(probes) <= 1
        if probes:
            assert self.gate.delay(self.now) is None

    @invariant()
    def no_rolling_hour_holds_more_than_the_budget(self) -> None:
        if self.per_hour:
            for place in range(self.earlier, len(self.starts)):
                at = self.starts[place]
                hour = [s for s in self.starts[: place + 1] if at - HOUR < s <= at]
                assert len(hour) <= self.per_hour

    @invariant()
    def a_penalty_counts_once(self) -> None:
        assert self.gate.refusals == self.penalties

    def take(self, data: st.DataObject) -> Ticket:
        return self.out.pop(data.draw(st.integers(0, len(self.out) - 1), label="ticket"))


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
        delay = gate.delay(now)
        assert delay is not None
        now += delay
        while rest := gate.delay(now):  # what rounding leaves is less than a microsecond
            assert rest < 1e-6
            now += max(rest, 1e-9)
        gate.start(now)


def test_a_policy_of_any_tenacity_strategy_will_do() -> None:
    gate = Pacer(PacingPolicy(wait_fixed(7)))
    refused_at(gate, 0)
    assert gate.delay(0) == 7

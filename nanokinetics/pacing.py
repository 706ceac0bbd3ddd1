"""May the next video be asked for, and if not, when? A pure state machine: no clock, no sleeping.

    open ──refused──▶ closed until T ──T has come, one start──▶ probing ──answered──▶ open
                           ▲                                        │
                           └──────────────── refused ───────────────┘

One refusal holds everyone back. While the gate is closed nothing starts; after that one request
goes out alone, and only its answer opens the gate. Times are seconds of any steady clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_base, wait_exponential, wait_random

HOUR: Final = 3600.0
LONGEST_WAIT: Final = HOUR
"""Seconds of the longest single wait: a block by YouTube lasts an hour or more."""

SHORTEST_WAIT: Final = 1.0
"""Seconds waited even after a Retry-After of nothing."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Permission to ask once. `at` is when it was given."""

    at: float
    probe: bool


@dataclass(frozen=True, slots=True)
class PacingPolicy:
    """How patient to be. `wait` says how long to wait after the n-th refusal in a row."""

    wait: wait_base
    per_hour: int = 0
    max_wait: float = 6 * HOUR

    @classmethod
    def exponential(cls, first: float, *, per_hour: int, max_wait: float) -> PacingPolicy:
        """Wait `first` seconds, twice as long each further time, and a little at random on top."""
        growing = wait_exponential(multiplier=first, max=max(first, LONGEST_WAIT))
        return cls(growing + wait_random(0, first / 10), per_hour, max_wait)


class Pacer:
    """The gate that every start passes, and that every refusal closes."""

    def __init__(self, policy: PacingPolicy, earlier_starts: Iterable[float] = ()) -> None:
        self.policy = policy
        self.closed_until: float | None = None
        self.refusals = 0
        """Times that the gate was closed, in all."""
        self.waited = 0.0
        """Seconds of waiting because of refusals, in all."""
        self._in_a_row = 0
        self._penalized_at = float("-inf")
        self._probe: Ticket | None = None
        self._starts = deque(sorted(earlier_starts))

    def delay(self, now: float) -> float | None:
        """Seconds until the next start is allowed; 0 for now; None while a probe is out."""
        if self._probe is not None:
            return None
        gate = self.closed_until - now if self.closed_until is not None else 0.0
        return max(0.0, gate, self._budget(now))

    def start(self, now: float) -> Ticket:
        """Take the permission that `delay` promised."""
        if self.delay(now) != 0:
            raise RuntimeError("a start while the gate is closed")
        ticket = Ticket(now, probe=self.closed_until is not None)
        if ticket.probe:
            self._probe = ticket
        self._starts.append(now)
        return ticket

    def answered(self, ticket: Ticket) -> None:
        """A request was let through, whatever became of the clip. A probe opens the gate."""
        if ticket is self._probe:
            self._probe = None
            self.closed_until = None
            self._in_a_row = 0

    def unanswered(self, ticket: Ticket) -> None:
        """A request never came to an end (its worker died): a probe must be sent again."""
        if ticket is self._probe:
            self._probe = None

    def refused(self, ticket: Ticket, now: float, retry_after: float | None = None) -> bool:
        """A request was refused: close the gate, or keep it closed for longer.

        Replies to requests sent before the last penalty tell nothing new; only a longer
        Retry-After does. A server that refuses again at the time it named itself is believed no
        more than our own patience. True if waiting on would pass the policy's `max_wait`.
        """
        if ticket is not self._probe and ticket.at <= self._penalized_at:
            if retry_after is not None and self.closed_until is not None:
                self._close_until(max(self.closed_until, now + retry_after), now)
            return self.waited > self.policy.max_wait
        self._probe = None
        self._in_a_row += 1
        self.refusals += 1
        self._penalized_at = now
        wait = self.policy.wait(_after(self._in_a_row))
        if retry_after is not None:
            wait = max(SHORTEST_WAIT, retry_after, wait if self._in_a_row > 1 else 0.0)
        self._close_until(now + wait, now)
        return self.waited > self.policy.max_wait

    def _close_until(self, until: float, now: float) -> None:
        counted = max(now, self.closed_until or now)
        self.waited += max(0.0, until - counted)
        self.closed_until = until

    def _budget(self, now: float) -> float:
        """Seconds until the rolling hour has room for one more start."""
        while self._starts and self._starts[0] <= now - HOUR:
            self._starts.popleft()
        limit = self.policy.per_hour
        if not limit or len(self._starts) < limit:
            return 0.0
        return self._starts[-limit] + HOUR - now


def _after(attempts: int) -> RetryCallState:
    """The state that a tenacity strategy is asked with: so many refusals in a row."""
    state = RetryCallState(Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = attempts
    return state

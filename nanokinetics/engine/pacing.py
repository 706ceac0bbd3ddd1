"""May the next video be asked for, and if not, when? A pure state machine: no clock, no sleeping.

    open ──refused──▶ closed until T ──T has come, one start──▶ probing ──answered──▶ open
                           ▲                                        │
                           └──────────────── refused ───────────────┘

One refusal holds everyone back. While the gate is closed nothing starts; after that one request
goes out alone, and only its answer opens the gate. What a block has taught stays for a while: the
others follow one by one at a distance, which shrinks with each success, and the next block is
taken to last about as long as the last. Times are seconds of any steady clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_base, wait_exponential, wait_random

from nanokinetics.clip import HOUR, PacingPolicy
from nanokinetics.common.logs import logger

_log = logger(__name__)

LONGEST_WAIT: Final = HOUR
"""Seconds of the longest single wait: a block by YouTube lasts an hour or more."""

MEMORY: Final = HOUR
"""Seconds of peace after which the next block is taken for the first."""

SHORTEST_WAIT: Final = 1.0
"""Seconds waited even after a Retry-After of nothing."""

SHRINK: Final = 0.9
"""What a success makes of the spacing. Below a tenth of its first value there is none any more, so
that some twenty successes make good one refusal."""

GROWTH: Final = 2.0
WIDEST: Final = 10.0
"""What another block makes of the spacing, and how many times its first value it may become."""


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """Permission to ask once. `at` is when it was given."""

    at: float
    probe: bool


class Pacer:
    """The gate that every start passes, and that every refusal closes."""

    def __init__(
        self,
        policy: PacingPolicy,
        earlier_starts: Iterable[float] = (),
        *,
        wait: wait_base | None = None,
    ) -> None:
        """wait: how long to wait after the n-th refusal in a row, if not as the policy says."""
        self.policy = policy
        self._wait = wait or _growing(policy.first_wait)
        self.closed_since: float | None = None
        self.closed_until: float | None = None
        self.refusals = 0
        """Times that the gate was closed, in all."""
        self.waited = 0.0
        """Seconds of waiting because of refusals, in all."""
        self.spacing = 0.0
        """Seconds between two starts at present."""
        self._level = 0
        """Refusals that the next wait reckons with; a probe that is answered takes one off."""
        self._opened_at = float("-inf")
        self._penalized_at = float("-inf")
        self._last_start = float("-inf")
        self._probe: Ticket | None = None
        self._asking: set[Ticket] = set()
        self._starts = deque(sorted(earlier_starts))

    def delay(self, now: float) -> float | None:
        """Seconds until the next start is allowed; 0 for now; None while others must answer."""
        if self._probe is not None or self._is_crowded():
            return None
        gate = self.closed_until - now if self.closed_until is not None else 0.0
        gap = self._last_start + self.spacing - now if self.spacing else 0.0
        return max(0.0, gate, gap, self._budget(now))

    def soonest(self, count: int, now: float) -> float:
        """Seconds until the last of so many further starts is allowed, if nobody refuses again."""
        if count <= 0:
            return 0.0
        gate = max(0.0, self.closed_until - now) if self.closed_until is not None else 0.0
        limit = self.policy.per_hour
        if not limit:
            return gate
        hours, place = divmod(count - 1, limit)
        before = limit - place  # an hour after the start that lies a whole budget before
        budget = 0.0
        if len(self._starts) >= before:
            budget = max(0.0, self._starts[-before] + HOUR - now)
        return max(gate, budget) + hours * HOUR

    def start(self, now: float) -> Ticket:
        """Take the permission that `delay` promised."""
        if self.delay(now) != 0:
            raise RuntimeError("a start while the gate is closed")
        ticket = Ticket(now, probe=self.closed_until is not None)
        if ticket.probe:
            self._probe = ticket
        self._asking.add(ticket)
        self._starts.append(now)
        self._last_start = now
        return ticket

    def found(self, ticket: Ticket) -> None:
        """The first requests were let through: others may ask. A probe must come to its end."""
        self._asking.discard(ticket)

    def answered(self, ticket: Ticket, now: float) -> None:
        """A request was let through, whatever became of the clip. A probe opens the gate."""
        self._asking.discard(ticket)
        if ticket.at > self._penalized_at:
            self.spacing *= SHRINK
            if self.spacing < self.policy.spacing / 10:
                self.spacing = 0.0
        if ticket is self._probe:
            _log.info("the gate is open again after %.1f s", now - (self.closed_since or now))
            self._probe = None
            self.closed_since = self.closed_until = None
            self._opened_at = now
            self._level -= 1

    def unanswered(self, ticket: Ticket) -> None:
        """A request never came to an end (its worker died): a probe must be sent again."""
        self._asking.discard(ticket)
        if ticket is self._probe:
            self._probe = None

    def refused(self, ticket: Ticket, now: float, retry_after: float | None = None) -> bool:
        """A request was refused: close the gate, or keep it closed for longer.

        Replies to requests sent before the last penalty tell nothing new; only a longer
        Retry-After does. A server that refuses again at the time it named itself is believed no
        more than our own patience. True if waiting on would pass the policy's `max_wait`.
        """
        self._asking.discard(ticket)
        if ticket is not self._probe and ticket.at <= self._penalized_at:
            closed = self.closed_until is not None and self._probe is None
            if retry_after is not None and closed:
                self._close_until(max(self.closed_until or now, now + retry_after), now)
            return self.waited > self.policy.max_wait
        again = ticket is self._probe
        self._probe = None
        if self.closed_since is None:
            self.closed_since = now
            if now - self._opened_at >= MEMORY:
                self._level = 0
        self._level += 1
        self.refusals += 1
        self._penalized_at = now
        self.spacing = min(
            max(GROWTH * self.spacing, self.policy.spacing), WIDEST * self.policy.spacing
        )
        wait = self._wait(_after(self._level))
        if retry_after is not None:
            wait = max(SHORTEST_WAIT, retry_after, wait if again else 0.0)
        self._close_until(now + wait, now)
        return self.waited > self.policy.max_wait

    def _is_crowded(self) -> bool:
        abreast = min(1, self.policy.abreast) if self.refusals else self.policy.abreast
        return abreast > 0 and len(self._asking) >= abreast

    def _close_until(self, until: float, now: float) -> None:
        _log.info("the gate is closed for %.1f s", until - now)
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


def _growing(first: float) -> wait_base:
    """Wait `first` seconds, twice as long each further time, and a little at random on top."""
    growing = wait_exponential(multiplier=first, max=max(first, LONGEST_WAIT))
    return growing + wait_random(0, first / 10)


def _after(attempts: int) -> RetryCallState:
    """The state that a tenacity strategy is asked with: so many refusals in a row."""
    state = RetryCallState(Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = attempts
    return state

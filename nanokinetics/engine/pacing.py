"""Decides when the next video may be requested. A pure state machine: no clock, no sleep.

    open ──refused──▶ closed until T ──T has come, one start──▶ probing ──answered──▶ open
                           ▲                                        │
                           └──────────────── refused ───────────────┘

One refusal stops all requests. While the gate is closed, no request starts. After that time one
request goes out alone, the probe, and only its answer opens the gate. A block has effects for a
while. Requests keep a distance, which shrinks with each success. The next block is expected to last
about as long as the last one. Times are seconds of any steady clock.
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
"""The longest single wait in seconds: a block by YouTube lasts an hour or more."""

MEMORY: Final = HOUR
"""Seconds without a block. After that, the next block counts as the first one."""

SHORTEST_WAIT: Final = 1.0
"""The shortest wait in seconds, even for `Retry-After: 0`."""

SHRINK: Final = 0.9
"""A success multiplies the spacing by this. Below a tenth of its first value the spacing is 0, so
about twenty successes make up for one refusal."""

GROWTH: Final = 2.0
WIDEST: Final = 10.0
"""Another block multiplies the spacing by GROWTH, up to WIDEST times its first value."""


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """Permission for one request. `at` is the time it was given."""

    at: float
    probe: bool


class Pacer:
    """The gate: every request passes it, and every refusal closes it."""

    def __init__(
        self,
        policy: PacingPolicy,
        earlier_starts: Iterable[float] = (),
        *,
        wait: wait_base | None = None,
    ) -> None:
        """Make a gate that is open.

        earlier_starts: times of requests that earlier runs made. wait: how long to wait after the
        n-th refusal in a row; None follows the policy.
        """
        self.policy = policy
        self._wait = wait or _growing(policy.first_wait)
        self.closed_since: float | None = None
        self.closed_until: float | None = None
        self.refusals = 0
        """Total number of times that the gate was closed."""
        self.waited = 0.0
        """Total seconds of waiting because of refusals."""
        self.spacing = 0.0
        """Present seconds between two starts."""
        self._level = 0
        """Number of refusals that sets the next wait. An answered probe lowers it by one."""
        self._opened_at = float("-inf")
        self._penalized_at = float("-inf")
        self._last_start = float("-inf")
        self._probe: Ticket | None = None
        self._asking: set[Ticket] = set()
        self._starts = deque(sorted(earlier_starts))

    def delay(self, now: float) -> float | None:
        """Seconds until the next start is allowed, 0 for now.

        None while answers to earlier requests must come first.
        """
        if self._probe is not None or self._is_crowded():
            return None
        gate = self.closed_until - now if self.closed_until is not None else 0.0
        gap = self._last_start + self.spacing - now if self.spacing else 0.0
        return max(0.0, gate, gap, self._budget(now))

    def soonest(self, count: int, now: float) -> float:
        """Seconds until the last of `count` further starts is allowed, without more refusals."""
        if count <= 0:
            return 0.0
        gate = max(0.0, self.closed_until - now) if self.closed_until is not None else 0.0
        limit = self.policy.per_hour
        if not limit:
            return gate
        hours, place = divmod(count - 1, limit)
        before = limit - place  # its start must be an hour after the start `limit` places before
        budget = 0.0
        if len(self._starts) >= before:
            budget = max(0.0, self._starts[-before] + HOUR - now)
        return max(gate, budget) + hours * HOUR

    def start(self, now: float) -> Ticket:
        """Take the permission for a request. Raises RuntimeError unless `delay` is 0."""
        if self.delay(now) != 0:
            raise RuntimeError("a start while the gate is closed")
        ticket = Ticket(now, probe=self.closed_until is not None)
        if ticket.probe:
            self._probe = ticket
        self._asking.add(ticket)
        self._starts.append(now)
        self._last_start = now
        return ticket

    def recount(self, starts: Iterable[float]) -> None:
        """Take these as all starts of the last hour: other runs ask the same site."""
        self._starts = deque(sorted(starts))

    def found(self, ticket: Ticket) -> None:
        """The site let the request through: others may start. A probe must still be answered."""
        self._asking.discard(ticket)

    def answered(self, ticket: Ticket, now: float) -> None:
        """The site answered a request, even if its clip failed. A probe opens the gate."""
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
        """A request got no answer (its worker died). If it was a probe, another must be sent."""
        self._asking.discard(ticket)
        if ticket is self._probe:
            self._probe = None

    def refused(self, ticket: Ticket, now: float, retry_after: float | None = None) -> bool:
        """The site refused a request: close the gate, or keep it closed for longer.

        Returns True if the total wait now exceeds the policy's `max_wait`.

        A reply to a request from before the last penalty is no new refusal; only a longer
        `retry_after` (seconds) counts. If the server refuses a probe at the time that it named, the
        next wait is at least that of the policy.
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
    """Wait `first` seconds, double it each time, and add up to a tenth of `first` at random."""
    growing = wait_exponential(multiplier=first, max=max(first, LONGEST_WAIT))
    return growing + wait_random(0, first / 10)


def _after(attempts: int) -> RetryCallState:
    """The argument of a tenacity wait strategy after this number of attempts."""
    state = RetryCallState(Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = attempts
    return state

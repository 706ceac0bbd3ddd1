"""Reports on a run for people: its progress, its waits (`waits.csv`) and its final message."""

from __future__ import annotations

from typing import ClassVar, Final

from nanokinetics.common.moments import moment
from nanokinetics.common.secrets import mask
from nanokinetics.dataset.ledger import HOURLY_BUDGET
from nanokinetics.engine.books import Books, Clock
from nanokinetics.engine.pacing import Pacer
from nanokinetics.engine.quotas import Quotas
from nanokinetics.errors import Blocked, EnvironmentFault, Failure, Reason
from nanokinetics.progress import Progress

TICK: Final = 0.5
"""Seconds between two looks at the clock if no event comes."""


class Waiting:
    """Records each time without requests, once it is over, and the sum of them."""

    BUDGET: ClassVar = HOURLY_BUDGET
    """A value of the column `why` in `waits.csv`; all others are reasons of failures."""

    def __init__(self, books: Books, clock: Clock) -> None:
        self._books = books
        self._clock = clock
        self._open: tuple[float, float, str] | None = None
        """The present wait: when it began by both clocks, and why."""
        self._over = 0.0

    @property
    def seconds(self) -> float:
        """Seconds without requests so far."""
        return self._over + (self._clock.steady() - self._open[0] if self._open else 0.0)

    def note(self, why: str | None) -> None:
        """Note why no request may start at present; None if requests may start."""
        before = self._open
        if why == (before[2] if before else None):
            return
        self._over = self.seconds
        now = self._clock.wall()
        self._open = (self._clock.steady(), now, why) if why else None
        if before:
            self._books.waited(before[1], now, before[2])

    def end(self) -> None:
        """End the last wait. An error of the disk is ignored, or it would hide why the run ends."""
        try:
            self.note(None)
        except EnvironmentFault:
            return


def progress_of(
    quotas: Quotas,
    pacer: Pacer,
    clock: Clock,
    in_hand: int,
    blocked_by: Failure | None,
    *,
    shares_budget: bool,
) -> Progress:
    """The progress of a run, and why it waits."""
    now, wall = clock.steady(), clock.wall()
    since, delay = pacer.closed_since, pacer.delay(now)
    rest = delay if quotas.waiting and since is None else 0.0
    # Some waiting clips will turn out to be gone; their replacements need requests too.
    to_ask = quotas.waiting + quotas.waiting * quotas.replaced // max(1, quotas.made)
    return Progress(
        made=quotas.made,
        wanted=quotas.wanted,
        replaced=quotas.replaced,
        held=quotas.held,
        in_hand=in_hand,
        blocked_since=None if since is None else wall + since - now,
        blocked_until=wall + delay if since is not None and delay else None,
        blocked_by=blocked_by.reason.words if blocked_by else "",
        resting_until=wall + rest if rest and rest > pacer.spacing else None,
        shares_budget=shares_budget,
        waiting=quotas.waiting,
        paced_seconds=pacer.soonest(to_ask, now),
    )


def blocked_error(refusal: Failure | None, quotas: Quotas, until: float) -> Blocked:
    """The error that ends a run after too long a wait: what is made, what is left, when to go on.

    until: when the next request may start, in seconds since the epoch.
    """
    reason, made, wanted = Reason.RATE_LIMITED, quotas.made, quotas.wanted
    said = ""
    if refusal:
        reason = refusal.reason
        said = f"; it says: {mask(refusal.message)}" if reason is Reason.OUTAGE else ""
    return Blocked(
        f"{_WHY_WAITING.get(reason, _REFUSED)} ({reason.words}{said}): {made} of {wanted} clips "
        f"are made, {wanted - made} are left and nothing is lost; run the same command again "
        f"after {moment(until)}",
        until,
    )


_REFUSED: Final = "YouTube refuses this address"

_WHY_WAITING: Final = {
    Reason.OUTAGE: "YouTube gives nothing to this address, whatever it is asked for",
}
"""Why a run waited, for the final message. All other reasons are refusals that say so."""

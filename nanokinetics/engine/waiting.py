"""What people learn of a run: its progress, its waits (`waits.csv`), and its last words."""

from __future__ import annotations

from typing import ClassVar, Final

from nanokinetics.dataset.ledger import HOURLY_BUDGET, utc
from nanokinetics.engine.books import Books, Clock
from nanokinetics.engine.pacing import Pacer
from nanokinetics.engine.quotas import Quotas
from nanokinetics.errors import Blocked, EnvironmentFault, Reason
from nanokinetics.progress import Progress

TICK: Final = 0.5
"""Seconds between two looks at the clock while nothing happens."""


class Waiting:
    """Notes each time in which nobody was asked for anything, once it is over."""

    BUDGET: ClassVar = HOURLY_BUDGET

    def __init__(self, books: Books, clock: Clock) -> None:
        self._books = books
        self._clock = clock
        self._open: tuple[float, str] | None = None

    def note(self, why: str | None) -> None:
        """Say why nobody is asked at present; None when somebody may be."""
        before = self._open
        if why == (before[1] if before else None):
            return
        now = self._clock.wall()
        self._open = (now, why) if why else None
        if before:
            self._books.waited(before[0], now, before[1])

    def end(self) -> None:
        """The run ends. The reason for that is worth more than a row that cannot be written."""
        try:
            self.note(None)
        except EnvironmentFault:
            return


def progress_of(
    quotas: Quotas, pacer: Pacer, clock: Clock, in_hand: int, blocked_by: Reason | None
) -> Progress:
    """How far a run has come, and what it waits for."""
    now, wall = clock.steady(), clock.wall()
    since, delay = pacer.closed_since, pacer.delay(now)
    rest = delay if quotas.waiting and since is None else 0.0
    # Some of those that wait will prove gone, and their replacements are to be asked for too.
    to_ask = quotas.waiting + quotas.waiting * quotas.replaced // max(1, quotas.made)
    return Progress(
        made=quotas.made,
        wanted=quotas.wanted,
        replaced=quotas.replaced,
        held=quotas.held,
        in_hand=in_hand,
        blocked_since=None if since is None else wall + since - now,
        blocked_until=wall + delay if since is not None and delay else None,
        blocked_by=blocked_by.words if blocked_by else "",
        resting_until=wall + rest if rest and rest > pacer.spacing else None,
        waiting=quotas.waiting,
        paced_seconds=pacer.soonest(to_ask, now),
    )


def farewell(reason: Reason | None, quotas: Quotas, until: float) -> Blocked:
    """What is done, what is left, and when to try again, once nobody is asking any more.

    until: seconds since the epoch.
    """
    reason, made, wanted = reason or Reason.RATE_LIMITED, quotas.made, quotas.wanted
    return Blocked(
        f"{_WHY_WAITING.get(reason, _LOST)} ({reason.words}): {made} of {wanted} clips are "
        f"made, {wanted - made} are left and nothing is lost; run the same command again after "
        f"{utc(until)}"
    )


_LOST: Final = "YouTube cannot be reached any more"

_WHY_WAITING: Final = {
    Reason.RATE_LIMITED: "YouTube refuses this address",
    Reason.BOT_CHECK: "YouTube refuses this address",
    Reason.FORBIDDEN_MEDIA: "YouTube hands no media to this address",
    Reason.NO_FORMATS: "YouTube offers this address no formats any more",
}
"""How a person is told why a run waits; all else is a lost connection."""

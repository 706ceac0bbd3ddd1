"""The waiting of a run, as people are told of it: rows of `waits.csv`, and the last words."""

from __future__ import annotations

from typing import ClassVar, Final

from nanokinetics.dataset.ledger import utc
from nanokinetics.engine.books import Books, Clock
from nanokinetics.errors import EnvironmentFault, Reason

TICK: Final = 0.5
"""Seconds between two looks at the clock while nothing happens."""


class Waiting:
    """Notes each time in which nobody was asked for anything, once it is over."""

    BUDGET: ClassVar = "hourly_budget"
    """Why a run waits, in `waits.csv`, apart from the reasons of failures."""

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


def farewell(reason: Reason, made: int, wanted: int, until: float) -> str:
    """What is done, what is left, and when to try again, once nobody is asking any more.

    until: seconds since the epoch.
    """
    return (
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

"""How long a run has waited: the waits that are over, and the one that goes on."""

from __future__ import annotations

from nanokinetics.engine.books import Clock
from nanokinetics.engine.waiting import Waiting


class Rows:
    """Keeps the rows of the waits that were handed to the books."""

    def __init__(self) -> None:
        self.all: list[tuple[float, float, str]] = []

    def waited(self, since: float, until: float, why: str) -> None:
        self.all.append((since, until, why))


def test_waits_add_up_also_before_they_are_over_and_when_the_clock_is_set_back() -> None:
    steady, wall, rows = 0.0, 1000.0, Rows()
    waiting = Waiting(rows, Clock(lambda: steady, lambda: wall))  # type: ignore[arg-type]
    waiting.note(None)
    assert waiting.seconds == 0
    waiting.note("bot_check")
    steady, wall = 30.0, 1030.0
    assert waiting.seconds == 30
    waiting.note(Waiting.BUDGET)
    steady, wall = 40.0, 10.0
    assert waiting.seconds == 40
    waiting.note(None)
    steady = 100.0
    assert waiting.seconds == 40, "what follows is work"
    assert rows.all == [(1000, 1030, "bot_check"), (1030, 10, Waiting.BUDGET)]

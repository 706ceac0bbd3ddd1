"""How much a dataset lacks of what was asked for, so that nobody takes half of one for a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nanokinetics.dataset.built import Dataset
from nanokinetics.errors import Reason

_REPLACED: Final = frozenset(reason.value for reason in Reason if reason.replaced)


@dataclass(frozen=True, slots=True)
class Shortage:
    """Counts are clips. gone: those of the missing ones for which no candidate is left."""

    made: int
    wanted: int
    gone: int

    def __str__(self) -> str:
        left = self.wanted - self.made - self.gone
        said = f"{self.made} of {self.wanted} clips"
        if left:
            said += f"; {left} are not made yet, and the same build goes on"
        return said + (f"; for {self.gone} no candidate is left" if self.gone else "")


def shortage_of(dataset: Dataset) -> Shortage | None:
    """What a dataset lacks by its tables; None if nothing. Raises InputError for damaged tables."""
    got = dataset.got
    short = {group: n - got[group] for group, n in dataset.wanted.items() if got[group] < n}
    if not short:
        return None
    settled = {id_ for id_, row in dataset.failed.items() if row["reason"] in _REPLACED}
    settled |= dataset.made.keys()
    gone = 0
    for group, missing in short.items():
        left = sum(id_ not in settled for _, id_ in dataset.ranking.ids(group))
        gone += max(0, missing - left)
    wanted = sum(dataset.wanted.values())
    return Shortage(wanted - sum(short.values()), wanted, gone)

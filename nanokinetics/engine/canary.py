"""Chooses the canary: a clip that shows whether any clip can be made now. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from nanokinetics.clip import Clip

REMEMBERED: Final = 3
"""Number of clips of this run that may serve as canaries, the latest first."""

ASKED: Final = 2
"""Number of canaries whose failure shows that the session is at fault. The video of one may be gone
by now; that two are gone at once is a rare chance."""


class Canary:
    """The canaries of one source, and those that failed since the question was put.

    earlier: clips that earlier runs made. known: a clip of a well-known video.
    """

    def __init__(self, earlier: Iterable[Clip] = (), known: Clip | None = None) -> None:
        self._made: deque[Clip] = deque(maxlen=REMEMBERED)
        self._earlier = iter(earlier)
        self._known = known
        self._failed: list[Clip] = []
        self._out: Clip | None = None

    @property
    def is_out(self) -> bool:
        """Whether a canary is requested now."""
        return self._out is not None

    @property
    def wavers(self) -> bool:
        """Whether a canary failed since the question was put: an outage may end just now."""
        return bool(self._failed)

    @property
    def is_there(self) -> bool:
        return bool(self._all())

    def made(self, clips: Sequence[Clip]) -> None:
        """These clips were made now, so each of them may serve as a canary."""
        self._made.extend(clips)

    def take(self) -> Clip:
        """The clip to request now. Raises LookupError if there is none."""
        every = self._all()
        if not every:
            raise LookupError("there is no canary")
        if all(clip in self._failed for clip in every):
            self._failed = []
        self._out = next(clip for clip in every if clip not in self._failed)
        return self._out

    def answered(self) -> None:
        """The canary was made, so it is the first to be asked next time."""
        if self._out is not None:
            self._made.append(self._out)
        self.restart()

    def failed(self) -> bool:
        """The canary was not made; returns whether another one should be asked."""
        if self._out is not None:
            self._failed.append(self._out)
        self._out = None
        return len(self._failed) < min(ASKED, len(self._all()))

    def restart(self) -> None:
        """The canary that is requested, if any, proves nothing: put the question anew."""
        self._failed = []
        self._out = None

    def _all(self) -> list[Clip]:
        """The canaries in the order in which they are asked."""
        if not self._made:  # the first of an earlier run is asked first
            self._made.extend(reversed(list(islice(self._earlier, REMEMBERED))))
        latest = list(reversed(self._made))
        known = [self._known] if self._known else []
        return list(dict.fromkeys([*latest[:1], *known, *latest[1:]]))

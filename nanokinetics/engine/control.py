"""A clip that could be made before, asked for again to see whether anything can be made now. Pure.

When many videos fail alike it may be their own fault or everybody's; making the control once more
tells. Its file is thrown away. Where nothing was ever made, reserves are tried in its place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from nanokinetics.clip import Clip, Job

KEPT: Final = 3
"""Clips of this run that are remembered, the latest first; one may be gone when it is needed."""


class Control:
    """Which clip is asked for, and whether it is to be.

    earlier: clips that earlier runs have made. untried: reserves, of which nothing is known.
    """

    def __init__(self, earlier: Iterator[Clip], untried: Iterator[Clip]) -> None:
        self._made: deque[Clip] = deque(maxlen=KEPT)
        self._earlier = earlier
        self._untried = untried
        self._reserve: Clip | None = None
        self.is_wanted = False
        self._is_out = False

    def made(self, clip: Clip) -> None:
        """Another clip that could be made."""
        self._made.append(clip)

    @property
    def is_proven(self) -> bool:
        """Whether the clip to ask for could be made before, so that it tells all by itself."""
        if not self._made:
            self._made.extend(clip for clip in [next(self._earlier, None)] if clip)
        return bool(self._made)

    @property
    def is_there(self) -> bool:
        """Whether there is a clip to ask for."""
        if not self.is_proven and self._reserve is None:
            self._reserve = next(self._untried, None)
        return self.is_proven or self._reserve is not None

    def want(self) -> None:
        """Have it asked for, unless it is being asked for already. Only if there is one."""
        self.is_wanted = not self._is_out

    def job(self, source: str) -> Job:
        """The job that asks for it. Only if there is one."""
        clip = self._made[-1] if self._made else self._reserve
        if clip is None:
            raise LookupError("there is no clip to ask for")
        self.is_wanted, self._is_out = False, True
        return Job(source, (clip,), anew=True)

    def back(self) -> None:
        """Its job has an outcome."""
        self._is_out = False

    def has_gone(self) -> None:
        """The clip tells nothing: its video is not what it was. Another takes its place."""
        if self._made:
            self._made.pop()
        else:
            self._reserve = None

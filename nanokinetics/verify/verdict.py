"""How a dataset is looked at, and what is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from nanokinetics.clip import ClipId
from nanokinetics.errors import ExitCode

Progress = Callable[[int, int], None]
"""Told how many clips have been looked at, and how many there are."""


class Kind(StrEnum):
    """What a problem is about, and what helps."""

    CLIP = "--repair takes it out, and the next build makes it again"
    ROW = "--repair keeps the last of the rows"
    STRAY = "move it away, or let the next build take it up; --repair moves it to strays/"
    LIST = "--repair, or the next build, writes it anew"
    LINK = "put what it points to in its place; nothing is repaired through it"
    SHORT = "run the build again; failed.csv tells why"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be. `path` is relative to the dataset's folder."""

    kind: Kind
    path: str
    what: str


@dataclass(frozen=True)
class Verdict:
    """What `verify` finds.

    clips: rows of `stats.csv`, each clip once. at_work: a build is; then only the clips that it
    has recorded were looked at. bad: the clips to make again, and their paths. strays: files of no
    row, relative to the folder. repaired: whether all that was mended, as far as it can be here.
    """

    clips: int
    at_work: bool
    problems: tuple[Problem, ...]
    bad: Mapping[ClipId, str]
    strays: tuple[str, ...]
    repaired: bool = False

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.SHORT if self.problems else ExitCode.OK


@dataclass(frozen=True, slots=True)
class Look:
    """How the clips are looked at.

    fast: only whether each file is there, and at its size. workers: processes at once; None is one
    a processor. ffmpeg: the program to decode with; None is the usual one.
    """

    fast: bool = False
    workers: int | None = None
    ffmpeg: str | None = None
    progress: Progress = lambda _done, _of: None

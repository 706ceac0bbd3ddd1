"""The options of a check, and its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from nanokinetics.clip import ClipId
from nanokinetics.errors import ExitCode

Progress = Callable[[int, int], None]
"""Called with the number of clips checked so far, and the number of all clips."""


class ProblemKind(StrEnum):
    """The kinds of problems. Each value is the remedy, for the user."""

    CLIP = "--repair takes it out, and the next build makes it again"
    ROW = "--repair keeps the last of the rows"
    STRAY = "move it away, or let the next build take it up; --repair moves it to strays/"
    LIST = "--repair, or the next build, writes it anew"
    LINK = "put what it points to in its place; nothing is repaired through it"
    SHORT = "run the build again; failed.csv tells why"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. `path` is relative to the dataset's folder, `what` is the fault in words."""

    kind: ProblemKind
    path: str
    what: str


@dataclass(frozen=True)
class Verdict:
    """The result of `verify` or `repair`.

    clips: number of clips in `stats.csv`, each counted once. at_work: a build was running, so only
    the clips with a row were checked. bad: the clips to make again, and their paths. strays: files
    without a row, relative to the dataset's folder. repaired: the problems were fixed, as far as
    `repair` can fix them.
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
class VerifyOptions:
    """How to check the clips.

    fast: check only that each file exists and has its size. workers: number of processes; None
    means one a processor. ffmpeg: the program to decode with; None means the usual one.
    """

    fast: bool = False
    workers: int | None = None
    ffmpeg: str | None = None
    progress: Progress = lambda _done, _of: None

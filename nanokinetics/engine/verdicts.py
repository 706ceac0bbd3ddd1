"""What blame decides, as values: the engine carries each out."""

from __future__ import annotations

from dataclasses import dataclass

from nanokinetics.clip import Clip, Failed
from nanokinetics.errors import Failure


@dataclass(frozen=True, slots=True)
class WriteDown:
    """The failure is the clip's own: record it."""

    failed: Failed


@dataclass(frozen=True, slots=True)
class PutBack:
    """The clip was not judged: it waits for its turn again."""

    clip: Clip


@dataclass(frozen=True, slots=True)
class TryAlone:
    """Try the clip once more while no other job is in hand."""

    clip: Clip


@dataclass(frozen=True, slots=True)
class AskCanary:
    """Make this clip again, alone, and throw the file away."""

    clip: Clip


@dataclass(frozen=True, slots=True)
class LetIn:
    """The site answered the request, whatever became of the clip."""


@dataclass(frozen=True, slots=True)
class CloseGate:
    """Nobody may ask for now."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class EndRun:
    """The run cannot go on. `shown` are the failures that showed it; their logs are kept."""

    failure: Failure
    shown: tuple[Failed, ...] = ()


Verdict = WriteDown | PutBack | TryAlone | AskCanary | LetIn | CloseGate | EndRun
Verdicts = list[Verdict]


@dataclass(frozen=True, slots=True)
class Request:
    """How a clip was asked for: when, and whether as the canary."""

    at: float
    as_canary: bool = False

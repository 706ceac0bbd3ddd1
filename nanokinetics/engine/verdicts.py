"""The decisions of `blame`, as values; the engine carries them out."""

from __future__ import annotations

from dataclasses import dataclass

from nanokinetics.clip import Clip, Failed
from nanokinetics.errors import Failure


@dataclass(frozen=True, slots=True)
class WriteDown:
    """The clip itself caused the failure: record it."""

    failed: Failed


@dataclass(frozen=True, slots=True)
class Doubt:
    """The failure is not judged yet: another candidate stands in for the clip until then."""

    failed: Failed


@dataclass(frozen=True, slots=True)
class PutBack:
    """The clip was not judged: put it back into the queue."""

    clip: Clip


@dataclass(frozen=True, slots=True)
class TryAlone:
    """Try the clip once more while no other job runs."""

    clip: Clip


@dataclass(frozen=True, slots=True)
class AskCanary:
    """Make this clip again, while no other job starts, and throw the file away."""

    clip: Clip


@dataclass(frozen=True, slots=True)
class LetIn:
    """The site answered the request, even if the clip failed."""


@dataclass(frozen=True, slots=True)
class CloseGate:
    """No request may start for now."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class EndRun:
    """The run cannot go on. `shown` are the failures that prove it; their logs are kept."""

    failure: Failure
    shown: tuple[Failed, ...] = ()


Verdict = WriteDown | Doubt | PutBack | TryAlone | AskCanary | LetIn | CloseGate | EndRun
Verdicts = list[Verdict]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """The request of a job: its time in seconds, and whether its clip is the canary.

    Requests are compared by identity.
    """

    at: float
    as_canary: bool = False

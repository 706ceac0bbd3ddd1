"""What a build says when it ends: what became of it, when, for how long, and what comes next."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from nanokinetics.common.moments import moment
from nanokinetics.common.text import duration, size
from nanokinetics.config import ALL_FAILED
from nanokinetics.errors import Blocked, Busy, InputError

if TYPE_CHECKING:
    from nanokinetics.api import BuildResult
    from nanokinetics.clip import Group
    from nanokinetics.progress import Progress

RETRY_FAILED: Final = "--retry-failed"

SHOWN: Final = 5
"""Short classes that the summary names, at most."""

NAMED: Final = 20
"""Lost clips of another subset that are named after the summary, at most."""


def summary(result: BuildResult, dest: str) -> list[str]:
    """The result of a build, in a few lines. dest: the folder to name."""
    reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(result.reasons.items()))
    superseded = (
        f"; {result.superseded} replacements went, since better-ranked clips are there now"
        if result.superseded
        else ""
    )
    return [
        _made(result, dest),
        f"  gone:      {result.replaced}{superseded}",
        f"  for later: {result.held}",
        f"  failed:    {reasons or 'none'}{' (failed.csv, with their logs)' * bool(reasons)}",
        f"  short:     {_short(result.short) or 'no class'}",
        *_times(result.began, result.ended, result, result.refusals),
        *_lost(result),
    ]


def summary_of_early_end(
    progress: Progress | None, dest: str, began: float, ended: float
) -> list[str]:
    """The same of a build that an error ended. progress: the last one; None before the first."""
    if progress is None:
        return [f"  ended:     {moment(ended)}"]
    return [
        _made(progress, dest),
        f"  gone:      {progress.replaced}",
        f"  for later: {progress.held}",
        *_times(began, ended, progress),
    ]


def short_line(result: BuildResult, dest: str) -> str:
    """The one line of a short result that has no summary."""
    return f"{_made(result, dest)}; short: {_short(result.short)}"


def next_step(result: BuildResult, dest: str) -> str:
    """What to do after a build that was not ended by an error."""
    folder = shlex.quote(dest)
    whole = f"nanokinetics verify {folder}, then nanokinetics export {folder} --format NAME"
    later = _clips(result.held, "for later")
    if not result.short:
        other = f"; a run without --replace-transient asks again for {later}" if later else ""
        return f"next: {whole}{other}"
    again = [f"for {later}"] if later else []
    if result.retryable:
        again.append(f"with {RETRY_FAILED} for {_failed(result.retryable)}")
    if result.gone:
        both = result.retryable + result.gone
        again.append(f"with {RETRY_FAILED}={ALL_FAILED} for {_failed(both)}")
    if not again:
        return f"next: no candidate is left to ask for, so take what is there: {whole}"
    mended = "see to the source, then " if result.fixable else ""
    return f"next: {mended}the same command, {', or '.join(again)}"


def next_step_after(error: BaseException) -> str:
    """What to do after an error; empty for bad input, whose message says it."""
    match error:
        case InputError():
            return ""
        case Blocked(until=float(until)):
            return f"next: the same command after {moment(until)}"
        case Blocked():
            return "next: the same command, later"
        case Busy():
            return "next: the same command, when the other run has ended"
        case KeyboardInterrupt():
            return "next: the same command, which goes on from here"
        case _:
            return "next: see to that, then the same command, which goes on from here"


def _made(counts: BuildResult | Progress, dest: str) -> str:
    return f"{counts.made} of {counts.wanted} clips are in {dest}, {counts.new} of them new"


def _clips(count: int, which: str) -> str:
    return f"{count} clip{'s' * (count != 1)} {which}" if count else ""


def _failed(count: int) -> str:
    return f"{count} failed clip{'s' * (count != 1)} of short classes"


def _short(short: Mapping[Group, tuple[int, int]]) -> str:
    named = [f"{g.label} ({g.split}) has {has} of {wanted}" for g, (has, wanted) in short.items()]
    more = [f"and {len(named) - SHOWN} more (see classes.csv)"] if len(named) > SHOWN else []
    return ", ".join([*named[:SHOWN], *more])


def _times(
    began: float, ended: float, spent: BuildResult | Progress, refusals: int | None = None
) -> Iterable[str]:
    fetched = f", {size(spent.fetched_bytes)} fetched" if spent.fetched_bytes else ""
    refused = "" if refusals is None else f", refused {refusals} times"
    yield f"  began:     {moment(began)}"
    yield f"  ended:     {moment(ended)}"
    yield f"  worked:    {duration(max(0.0, spent.worked_seconds))}{fetched}"
    yield f"  waited:    {duration(spent.waited_seconds)}{refused}"


def _lost(result: BuildResult) -> Iterable[str]:
    for id_, reason in list(result.lost.items())[:NAMED]:
        yield f"  no longer to be had: {id_.key}, {id_.label} ({id_.split}): {reason}"
    if len(result.lost) > NAMED:
        yield f"  and {len(result.lost) - NAMED} more; see failed.csv"

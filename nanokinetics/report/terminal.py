"""The report as lines of text, for a terminal or a mail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from nanokinetics.common.text import plain, size, table, wrapped
from nanokinetics.report.figures import Class, Counts, Effort, Seconds, Summary, Timeline
from nanokinetics.report.words import moment, number, pace, reason, seconds, share, span

CLASSES: Final = 30
"""Classes shown, at most. If there are more, the classes with most missing clips are shown."""

HEADS: Final = ("made", "wanted", "missing", "gone", "for later")


def lines(summary: Summary, width: int = 0) -> Iterator[str]:
    """The report, line by line, free of control characters.

    width: columns of the terminal, to which tables and lines are fitted; 0 for any number.
    """
    for block in _blocks(summary, width):
        if isinstance(block, str):
            yield from wrapped(block, width)
        else:
            yield from block


_Block = str | list[str]
"""A line, which may be wrapped, or the lines of a table, which fit."""


def _blocks(summary: Summary, width: int) -> Iterator[_Block]:
    total = summary.total
    wanted = "" if total.wanted is None else f" of {total.wanted:,} wanted"
    yield f"{total.made:,} clips{wanted}; {total.gone:,} gone, {total.later:,} for later"
    yield from _lacking(summary)
    yield from map(plain, summary.notes)
    yield ""
    yield from _counts(summary, width)
    if summary.failures:
        yield ""
        yield _failures(summary, width)
    if summary.effort:
        yield ""
        yield from _effort(summary.effort, width)
    if summary.total.made:
        yield ""
        yield from _volume(summary)
    if summary.timeline:
        yield from _timeline(summary.timeline, width)
    if summary.projections:
        yield ""
        yield _projections(summary, width)


def _lacking(summary: Summary) -> Iterator[str]:
    lacking = summary.total.made - summary.volume.files
    if 0 < lacking < summary.total.made:
        yield f"{lacking:,} of them have no file here; the command that built them makes them again"
    if summary.adopted:
        yield f"{summary.adopted:,} were adopted: found whole, so nothing is known of their making"


def _counts(summary: Summary, width: int) -> Iterator[_Block]:
    shown = summary.classes
    if len(shown) > CLASSES:
        shown = tuple(sorted(shown, key=_need)[:CLASSES])
    rows = [(*_row(each.counts), _name(each, len(summary.splits) > 1)) for each in shown]
    if len(summary.splits) > 1:
        rows += [(*_row(c), f"all of {plain(split)}") for split, c in summary.splits.items()]
    rows.append((*_row(summary.total), "all"))
    yield list(table((*HEADS, "class"), rows, 1, width))
    if len(shown) < len(summary.classes):
        rest = len(summary.classes) - len(shown)
        yield f"and {rest:,} classes more, which miss no more than these (--json and --html: all)"


def _need(each: Class) -> tuple[int, int, int]:
    return -(each.counts.missing or 0), -each.counts.later, -each.counts.gone


def _row(counts: Counts) -> tuple[str, ...]:
    found = (counts.made, counts.wanted, counts.missing, counts.gone, counts.later)
    return tuple(map(number, found))


def _name(each: Class, with_split: bool) -> str:
    name = f" ({each.name})" if each.name else ""
    return plain(f"{each.label}{name}" + (f", {each.split}" if with_split else ""))


def _failures(summary: Summary, width: int) -> list[str]:
    rows = [
        (number(f.clips), number(f.since), plain(f.kind), plain(f.reason), plain(f.message)[:60])
        for f in summary.failures
    ]
    heads = ("clips", "made since", "kind", "reason", "most often")
    return list(table(heads, rows, 3, width))


def _effort(effort: Effort, width: int) -> Iterator[_Block]:
    rows = []
    for name, taken in steps(effort):
        for spread, of in ((taken.full, "all"), (taken.within_iqr, "within the quartiles")):
            figures = map(seconds, (spread.mean, spread.median, spread.maximum))
            rows.append((*figures, number(spread.clips), f"{name}, {of}"))
    yield list(table(("mean", "median", "max", "clips", "seconds a clip"), rows, 1, width))
    if effort.fetching:
        yield dominates(effort)


def steps(effort: Effort) -> list[tuple[str, Seconds]]:
    """The steps that took time, by name. Local files have only ffmpeg."""
    fetching = [("fetching", effort.download)] if effort.fetching else []
    return [*fetching, ("ffmpeg", effort.trim)]


def dominates(effort: Effort) -> str:
    """Which step took most of the time, as precisely as two clocks can measure it."""
    more = "fetching" if effort.fetching > 0.5 else "ffmpeg"
    return (
        f"{share(effort.fetching)} of the time went into finding videos and waiting for them, "
        f"{share(1 - effort.fetching)} into ffmpeg's computing: {more} dominates"
    )


def _volume(summary: Summary) -> Iterator[str]:
    volume = summary.volume
    if volume.fetched:
        yield f"fetched {size(volume.fetched)} for {size(volume.kept)} of clips"
    if volume.files:
        yield f"on the disk {volume.files:,} clips, {size(volume.on_disk)}"
    else:
        yield "the clips themselves are not here"
    if volume.footage:
        yield f"{span(volume.footage)} of video"


def _timeline(time: Timeline, width: int) -> Iterator[_Block]:
    yield f"from {moment(time.begin)} to {moment(time.end)} UTC: {worked(time)}"
    fetched = f", {size(time.fetched_per_second)}/s fetched" if time.fetched_per_second else ""
    if time.per_hour is not None:
        yield f"{pace(time.per_hour)} clips an hour of work{fetched}"
    if time.pauses:
        lost = sum(pause.length for pause in time.pauses)
        plural = "pause" if len(time.pauses) == 1 else "pauses"
        yield f"{len(time.pauses):,} {plural} without a run at work, {span(lost)} in all"
    if time.waited:
        yield ""
        rows = [
            (number(each.times), span(each.total), span(each.longest), plain(reason(each.why)))
            for each in time.waited
        ]
        yield list(table(("times", "in all", "longest", "waited for"), rows, 1, width))


def worked(time: Timeline) -> str:
    """The time that the build took, as a headline."""
    idle = span(time.working) != span(time.span)
    return f"worked {span(time.working)} over {span(time.span)}" if idle else span(time.span)


def _projections(summary: Summary, width: int) -> list[str]:
    fetched = summary.volume.fetched
    heads = ("if n were", "clips", "of work", *(("as a guest", "fetched") if fetched else ()))
    rows = [
        (
            f"{p.factor} x",
            number(p.clips),
            span(p.seconds),
            *((span(p.as_guest), size(p.fetched)) if fetched else ()),
            *((size(p.kept),) if p.kept else ("-",)),
        )
        for p in summary.projections
    ]
    return list(table((*heads, "disk"), rows, 0, width))

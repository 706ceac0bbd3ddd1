"""The report as lines of text, for a terminal or a mail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from nanokinetics.common.text import plain, size
from nanokinetics.report.figures import Class, Counts, Effort, Seconds, Summary, Timeline
from nanokinetics.report.words import moment, number, pace, reason, seconds, share, span

CLASSES: Final = 30
"""Classes shown, at most. If there are more, the classes with most missing clips are shown."""

HEADS: Final = ("made", "wanted", "missing", "gone", "later")


def lines(summary: Summary) -> Iterator[str]:
    """The report, line by line, free of control characters."""
    total = summary.total
    wanted = "" if total.wanted is None else f" of {total.wanted:,} wanted"
    yield f"{total.made:,} clips{wanted}; {total.gone:,} gone, {total.later:,} for later"
    yield from _lacking(summary)
    yield from map(plain, summary.notes)
    yield ""
    yield from _counts(summary)
    if summary.failures:
        yield ""
        yield from _failures(summary)
    if summary.effort:
        yield ""
        yield from _effort(summary.effort)
    if summary.total.made:
        yield ""
        yield from _volume(summary)
    if summary.timeline:
        yield from _timeline(summary.timeline)
    if summary.projections:
        yield ""
        yield from _projections(summary)


def _lacking(summary: Summary) -> Iterator[str]:
    lacking = summary.total.made - summary.volume.files
    if 0 < lacking < summary.total.made:
        yield f"{lacking:,} of them have no file here; the command that built them makes them again"
    if summary.adopted:
        yield f"{summary.adopted:,} were adopted: found whole, so nothing is known of their making"


def _counts(summary: Summary) -> Iterator[str]:
    shown = summary.classes
    if len(shown) > CLASSES:
        shown = tuple(sorted(shown, key=_need)[:CLASSES])
    rows = [(*_row(each.counts), _name(each, len(summary.splits) > 1)) for each in shown]
    if len(summary.splits) > 1:
        rows += [(*_row(c), f"all of {plain(split)}") for split, c in summary.splits.items()]
    rows.append((*_row(summary.total), "all"))
    yield from _table((*HEADS, "class"), rows, left=1)
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


def _failures(summary: Summary) -> Iterator[str]:
    rows = [
        (number(f.clips), number(f.since), plain(f.kind), plain(f.reason), plain(f.message)[:60])
        for f in summary.failures
    ]
    yield from _table(("clips", "made since", "kind", "reason", "most often"), rows, left=3)


def _effort(effort: Effort) -> Iterator[str]:
    rows = []
    for name, taken in steps(effort):
        for spread, of in ((taken.full, "all"), (taken.within_iqr, "within the quartiles")):
            figures = map(seconds, (spread.mean, spread.median, spread.maximum))
            rows.append((*figures, number(spread.clips), f"{name}, {of}"))
    yield from _table(("mean", "median", "max", "clips", "seconds a clip"), rows, left=1)
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


def _timeline(time: Timeline) -> Iterator[str]:
    yield f"from {moment(time.begin)} to {moment(time.end)} UTC: {worked(time)}"
    fetched = f", {size(time.fetched_per_second)}/s fetched" if time.fetched_per_second else ""
    if time.per_hour is not None:
        yield f"{pace(time.per_hour)} clips an hour of work{fetched}"
    if time.pauses:
        lost = sum(pause.length for pause in time.pauses)
        plural = "pause" if len(time.pauses) == 1 else "pauses"
        yield (
            f"{len(time.pauses):,} {plural} of more than {span(time.longer_than)} without work, "
            f"{span(lost)} in all"
        )
    if time.waited:
        yield ""
        rows = [
            (number(each.times), span(each.total), span(each.longest), plain(reason(each.why)))
            for each in time.waited
        ]
        yield from _table(("times", "in all", "longest", "waited for"), rows, left=1)


def worked(time: Timeline) -> str:
    """The time that the build took, as a headline."""
    idle = span(time.working) != span(time.span)
    return f"worked {span(time.working)} over {span(time.span)}" if idle else span(time.span)


def _projections(summary: Summary) -> Iterator[str]:
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
    yield from _table((*heads, "disk"), rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], left: int = 0) -> Iterator[str]:
    """Align the columns: the last `left` columns to the left, the others to the right."""
    table = [tuple(heads), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    turn = len(widths) - left
    for row in table:
        cells = [
            cell.rjust(width) if position < turn else cell.ljust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()

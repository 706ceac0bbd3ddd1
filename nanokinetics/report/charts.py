"""The charts of a report: as PNG images, and as SVG with the colours of the page.

The charts show only numbers and fixed words, never a text from a table.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from nanokinetics.dataset.ledger import HOURLY_BUDGET
from nanokinetics.errors import Reason
from nanokinetics.report.figures import Effort, Failures, Summary, Timeline
from nanokinetics.report.summary import SHORTEST_SPAN
from nanokinetics.report.terminal import steps
from nanokinetics.report.words import moment

PALETTE: Final = {
    "ink": ("#1b1f24", "#e6e8eb"),
    "muted": ("#626b76", "#9aa4b0"),
    "rule": ("#d5d9de", "#363c44"),
    "paper": ("#ffffff", "#14171a"),
    "made": ("#2468a8", "#6cb0ee"),
    "trim": ("#d9822b", "#f0a75c"),
    "lost": ("#b5484b", "#ee8588"),
    "pause": ("#eceef0", "#2a2f35"),
    "budget": ("#d6e4f2", "#25405a"),
    "refused": ("#f3d3d4", "#5a2c2e"),
}
"""Each colour for light and for dark pages. `_for_a_page` finds the light colours in the SVG."""

INK, MUTED, RULE, PAPER, MADE, TRIM, LOST, PAUSE, BUDGETED, REFUSED = (
    light for light, _ in PALETTE.values()
)

_STYLE: Final[Any] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.constrained_layout.use": True,
}
_SIZE: Final = (4.8, 2.9)
"""Width and height in inches: as wide as a phone, so that the letters stay readable there."""

_MOST_REASONS: Final = 10
"""Bars for reasons, at most."""


def svg(summary: Summary) -> Iterator[tuple[str, str]]:
    """Each chart as its name and an `<svg>` element. The page must define the palette as variables.

    The chart of the reasons is left out, since the page has a table of them.
    """
    for name, figure in _figures(summary, without="reasons"):
        out = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        with mpl.rc_context({"svg.hashsalt": name}):
            figure.savefig(out, format="svg", transparent=True, metadata=nothing)
        yield name, _for_a_page(out.getvalue(), _ABOUT[name])


def _for_a_page(text: str, about: str) -> str:
    """Turn matplotlib's SVG file into an element of a page, with the colours of the page."""
    text = text[text.index("<svg") :]
    text = re.sub(r' (width|height)="[\d.]+pt"| xmlns(:xlink)?="[^"]*"', "", text, count=4)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;]*; |font: ([^;]*) 'DejaVu Sans'[^;]*;", _size_alone, text)
    text = re.sub(r'<g id="[^"]*"', "<g", text).replace("xlink:href", "href")
    for colour, (light, _) in PALETTE.items():
        text = text.replace(light, f"var(--{colour})")
    return text.replace("<svg", f'<svg role="img" aria-label="{about}"', 1)


def _size_alone(found: re.Match[str]) -> str:
    return f"font-size: {found[1]};" if found[1] else ""


def png(summary: Summary) -> Iterator[tuple[str, bytes]]:
    """Each chart as its name and a PNG on white, with twice the resolution of a screen."""
    for name, figure in _figures(summary):
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=200, facecolor=PAPER, metadata={"Software": None})
        yield name, out.getvalue()


_ABOUT: Final = {
    "timeline": "Clips made and failed over time",
    "seconds": "Seconds spent fetching and in ffmpeg, as histograms",
    "reasons": "Reasons of failure, by clips",
}


def _figures(summary: Summary, without: str = "") -> Iterator[tuple[str, Figure]]:
    """The charts with data. The tables have whole seconds, so a short build has no timeline."""
    time, effort, failures = summary.timeline, summary.effort, summary.failures
    draw = {
        "timeline": time
        and time.span >= SHORTEST_SPAN
        and partial(_clips, time=time, wanted=summary.total.wanted or 0),
        "seconds": effort and partial(_seconds, effort=effort),
        "reasons": failures and partial(_reasons, failures=failures),
    }
    for name, drawn in draw.items():
        if drawn and name != without:
            with mpl.rc_context(_STYLE):
                figure = Figure(figsize=_SIZE)
                drawn(figure.add_subplot())
                yield name, figure


def _clips(axes: Any, time: Timeline, wanted: int) -> None:
    unit, length = _since(time)
    at = [(each - time.begin) / length for each in time.times]
    axes.set_title("Clips over time")
    axes.step(at, time.made, where="post", color=MADE, linewidth=1.8, label="made")
    if time.failed[-1]:
        axes.step(at, time.failed, where="post", color=LOST, linewidth=1.4, label="failed")
    if wanted:
        axes.axhline(wanted, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), label="wanted")
    axes.set_ylim(0, 1.08 * max(wanted, time.made[-1], time.failed[-1], 1))
    _idle(axes, time, length)
    axes.set_xlabel(f"{unit} since {moment(time.begin)} UTC")
    axes.set_xlim(0, 1.01 * time.span / length)
    _counted(axes)
    _legend(axes)


def _since(time: Timeline) -> tuple[str, float]:
    """The unit of the time axis, and its length in seconds. Dates as ticks would be ambiguous."""
    for unit, length in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if time.span >= 3 * length:
            return unit, length
    return "seconds", 1.0


def _idle(axes: Any, time: Timeline, length: float) -> None:
    waits = time.waits or ()
    for label, colour, spans in (
        ("held up", REFUSED, [wait for wait in waits if wait.why != HOURLY_BUDGET]),
        ("hourly budget", BUDGETED, [wait for wait in waits if wait.why == HOURLY_BUDGET]),
        ("pause", PAUSE, time.pauses),
    ):
        if spans:
            ranges = [((each.begin - time.begin) / length, each.length / length) for each in spans]
            axes.broken_barh(
                ranges,
                (0, 1),
                transform=axes.get_xaxis_transform(),
                color=colour,
                linewidth=0.5,
                zorder=0,
                label=label,
            )


def _counted(axes: Any) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.grid(axis="y")


def _seconds(axes: Any, effort: Effort) -> None:
    axes.set_title("Seconds a clip")
    drawn = {"fetching": (effort.download_counts, MADE), "ffmpeg": (effort.trim_counts, TRIM)}
    for label, _ in steps(effort):
        counts, colour = drawn[label]
        axes.stairs(counts, effort.edges, fill=True, color=colour, alpha=0.3)
        axes.stairs(counts, effort.edges, color=colour, linewidth=1.4, label=label)
    axes.set_xlim(effort.edges[0], effort.edges[-1])
    beyond = max(effort.download.full.maximum, effort.trim.full.maximum) > effort.edges[-1]
    axes.set_xlabel("seconds (the last bar: all that took longer)" if beyond else "seconds")
    axes.set_ylabel("clips")
    _counted(axes)
    _legend(axes)


def _reasons(axes: Any, failures: Sequence[Failures]) -> None:
    """Draw the failures by reason. Unknown reasons, from a foreign table, are one bar: `other`."""
    known = {reason.value: reason.words for reason in Reason}
    counts = Counter[str]()
    for each in failures:
        counts[known.get(each.reason, "other")] += each.clips
    names, clips = zip(*reversed(counts.most_common(_MOST_REASONS)), strict=True)
    bars = axes.barh(names, clips, 0.62, color=LOST)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8.5, color=MUTED)
    axes.set_title("Clips that failed, by reason")
    axes.margins(x=0.12)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.figure.set_figheight(0.5 + 0.24 * len(names))
    axes.xaxis.set_visible(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(axis="y", length=0, labelcolor=INK)


def _legend(axes: Any) -> None:
    if len(axes.get_legend_handles_labels()[0]) > 1:
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 0.985),
            ncols=3,
            borderaxespad=0,
            handlelength=1.2,
            columnspacing=1.2,
            handletextpad=0.5,
        )

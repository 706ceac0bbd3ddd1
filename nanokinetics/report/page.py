"""The report as one HTML page. It needs no network, no scripts and no other files."""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nanokinetics.clip import Group
from nanokinetics.common.text import plain, size
from nanokinetics.report import words
from nanokinetics.report.charts import PALETTE, svg
from nanokinetics.report.figures import Class, Summary
from nanokinetics.report.tables import IDENTITY, Tables
from nanokinetics.report.terminal import dominates, steps
from nanokinetics.report.thumbnails import Thumbnails


@dataclass(frozen=True, slots=True)
class Picture:
    """One clip on the contact sheet. image: a `data:` URI, or empty if there is no thumbnail.

    name and window are the two lines below it. Together they are the clip's key.
    """

    key: str
    image: str

    @property
    def name(self) -> str:
        return words.name_and_window(self.key)[0]

    @property
    def window(self) -> str:
        return words.name_and_window(self.key)[1]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the contact sheet: the clips of one class of one split."""

    of: Class
    pictures: tuple[Picture, ...]


def render(tables: Tables, summary: Summary, thumbnails: Thumbnails) -> Iterator[bytes]:
    """The page in pieces. All texts from tables are escaped, and charts have no such text."""
    environment = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (
        *(words.number, size, words.seconds, words.span, words.pace),
        *(words.moment, plain, words.reason),
    )
    environment.filters |= {each.__name__: each for each in filters}
    pieces = environment.get_template("page.html").generate(
        title=tables.root.resolve().name,
        summary=summary,
        dominates=dominates,
        steps=steps,
        palette=PALETTE,
        charts=[(name, Markup(chart)) for name, chart in svg(summary)],  # noqa: S704 - our own
        shown=len(thumbnails),
        sheet=_sheet(tables, summary, thumbnails),
    )
    return (piece.encode() for piece in pieces)


def _sheet(tables: Tables, summary: Summary, thumbnails: Thumbnails) -> Iterator[Row]:
    """The classes in the order of the summary, and the clips of each in the order of the table."""
    found: defaultdict[Group, list[tuple[str, bytes]]] = defaultdict(list)
    clips = tables.stats.loc[list(thumbnails), list(IDENTITY)]
    for jpeg, split, label, key in zip(
        thumbnails.values(), *(clips[name] for name in IDENTITY), strict=True
    ):
        found[Group(split, label)].append((key, jpeg))
    for each in summary.classes:
        if pictures := found[Group(each.split, each.label)]:
            yield Row(each, tuple(Picture(key, _uri(jpeg)) for key, jpeg in pictures))


def _uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{b64encode(jpeg).decode()}" if jpeg else ""

"""The report as one HTML page. It needs no network and no server; its script is within it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nanokinetics.common.text import plain, size
from nanokinetics.dataset.references import TOOL
from nanokinetics.errors import InputError
from nanokinetics.report import methods, words
from nanokinetics.report.charts import PALETTE, svg
from nanokinetics.report.command import command_of
from nanokinetics.report.gallery import Gallery
from nanokinetics.report.provenance import Provenance, provenance
from nanokinetics.report.terminal import dominates, steps


def render(gallery: Gallery) -> Iterator[bytes]:
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
    tables, summary = gallery.tables, gallery.summary
    script = files(__package__).joinpath("gallery.js").read_text(encoding="utf-8")
    digest = b64encode(sha256(script.encode()).digest()).decode()
    pieces = environment.get_template("page.html").generate(
        title=tables.root.resolve().name,
        summary=summary,
        dominates=dominates,
        steps=steps,
        palette=PALETTE,
        charts=[(name, Markup(chart)) for name, chart in svg(summary)],  # noqa: S704 - our own
        gallery=gallery,
        pictures=len(gallery.thumbnails),
        labels=sorted({each.label for each in summary.classes}),
        script=Markup(script),  # noqa: S704 - our own
        script_hash=f"sha256-{digest}",
        **_provenance(gallery),
    )
    return (piece.encode() for piece in pieces)


def _provenance(gallery: Gallery) -> dict[str, object]:
    """What the page says of the choice; nothing without a `run.json`."""
    try:
        found = provenance(gallery.tables, gallery.summary)
    except InputError:
        return {"asked": [], "command": "", "methods": "", "bibtex": ""}
    return {
        "asked": list(_asked(found)),
        "command": command_of(found, gallery.tables.root.resolve()),
        "methods": methods.text_of(methods.sentences(found, gallery.summary)),
        "bibtex": methods.bibtex_of(found),
    }


def _asked(found: Provenance) -> Iterator[tuple[str, str]]:
    record = found.record
    yield "subset", found.name or f"has no name: {found.note}"
    yield "dataset", found.reference.title if found.reference else record["dataset"]
    if found.parent:
        yield "made from", found.parent
    yield "seed", record["seed"] or ("not recorded" if found.parent else "empty")
    for split, labels in record["classes"].items():
        classes = words.several(len(labels), "class", "classes")
        yield split, f"n = {record['n'][split]:,}, {classes} of {len(record['labels']):,}"
    for split, labels in found.left_out.items():
        yield "left out", f"{split}: {', '.join(labels)}, which had no clip"
    if found.renamed:
        yield "renamed", ", ".join(f"{old} as {new}" for old, new in found.renamed.items())
    for name, digest in record["annotations"].items():
        yield "annotations", f"{name}, SHA-256 {digest}"
    yield "source", record["source"]
    yield "files", methods.encoding(found.video) if found.video else "unchanged"
    versions = [f"{name} {version}" for name, version in found.versions.items()]
    yield "versions", ", ".join(versions) or f"{TOOL}, version not recorded"

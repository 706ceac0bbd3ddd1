"""`nanokinetics cite`: what a paper says of a dataset, and what it cites."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nanokinetics.cli.options import add_command
from nanokinetics.cli.saying import put, say
from nanokinetics.common.text import plain
from nanokinetics.errors import ExitCode

if TYPE_CHECKING:
    from nanokinetics.report.figures import Summary
    from nanokinetics.report.provenance import Provenance


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "cite",
        run,
        "sentences for a paper's methods section, and BibTeX of the dataset and of this program",
        "nanokinetics cite nano-k400 --latex",
    )
    parser.add_argument("dest", metavar="DEST", type=Path, help="a built folder")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--latex", action="store_true", help="the sentences alone, with \\cite")
    form.add_argument("--bibtex", action="store_true", help="the BibTeX entries alone")
    form.add_argument("--json", action="store_true", help="print all of it as JSON")
    parser.add_argument("--quiet", action="store_true", help="no notes on standard error")


def run(options: dict[str, Any]) -> ExitCode:
    from nanokinetics.report import methods
    from nanokinetics.report.provenance import provenance
    from nanokinetics.report.summary import summarise
    from nanokinetics.report.tables import read

    tables = read(options["dest"])
    summary = summarise(tables)
    found = provenance(tables, summary)
    sentences = methods.sentences(found, summary)
    text, latex = plain(methods.text_of(sentences)), plain(methods.latex_of(sentences))
    bibtex = methods.bibtex_of(found)
    notes = _notes(found, summary)
    if options["json"]:
        entry = _object(found, summary, tables.root)
        entry |= {"text": text, "latex": latex, "bibtex": bibtex, "notes": notes}
        say(*json.dumps(entry, indent=2).split("\n"))
    elif options["latex"]:
        put(f"{latex}\n")
    elif options["bibtex"]:
        put(bibtex)
    else:
        put(f"{text}\n\n{bibtex}")
    if not options["quiet"]:
        say(*(f"note: {note}" for note in notes), to=sys.stderr)
    return ExitCode.OK


def _notes(found: Provenance, summary: Summary) -> list[str]:
    """What the author must know, and would not write."""
    notes = list(summary.notes)
    if found.waiting:
        notes.append("the subset is not finished; run its build again before you cite it")
    if found.note:
        notes.append(f"the subset has no name: {found.note}")
    if found.reference:
        notes += filter(None, [found.reference.note])
        notes.append(found.reference.licence)
    else:
        notes.append("this program knows no reference for the dataset; cite where it is from")
    return notes


def _object(found: Provenance, summary: Summary, dest: Path) -> dict[str, Any]:
    """The facts behind the sentences."""
    from nanokinetics.report.command import command_of

    record, total = found.record, summary.total
    return {
        "dataset": found.reference.title if found.reference else record["dataset"],
        "subset": found.name,
        "parent": found.parent,
        "seed": record["seed"],
        "n": record["n"],
        "classes": {split: len(labels) for split, labels in record["classes"].items()},
        "labels": len(record["labels"]),
        "annotations": record["annotations"],
        "made": total.made,
        "wanted": total.wanted,
        "missing": total.missing,
        "gone": total.gone,
        "later": total.later,
        "reasons": dict(found.gone),
        "finished": not found.waiting,
        "days": list(found.days),
        "versions": found.versions,
        "command": command_of(found, dest.resolve()),
    }

"""`nanokinetics annotations`: list the annotation files that are known by name, or fetch some."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from nanokinetics.cli.options import add_command, add_quiet, add_split
from nanokinetics.cli.saying import say
from nanokinetics.common.text import size
from nanokinetics.errors import ExitCode, InputError

if TYPE_CHECKING:
    from nanokinetics.annotations.catalog import Entry


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "annotations",
        run,
        "the annotation files that are known by name; with a name, fetch them",
        "nanokinetics annotations k400 --split val",
    )
    add = parser.add_argument
    add("name", metavar="NAME|URL", nargs="?", help="fetch this one, and print where it lies")
    add_split(add, "train, val or test: only the files that hold them (default: all)")
    add("--proxy", metavar="URL", help="as for build")
    add("--yt-dlp-args", metavar="ARGS", default="", help="as for build: proxy and certificates")
    add("--json", action="store_true", help="print a JSON array of what is known or was fetched")
    add_quiet(parser)


def run(options: dict[str, Any]) -> ExitCode:
    from nanokinetics.annotations import catalog_file

    known = catalog_file.read(os.environ)
    if options["name"] is None:
        if options["splits"]:
            raise InputError("--split is for a NAME, whose files are fetched")
        entries = known.listed()
        if options["json"]:
            say(json.dumps([_described(entry) for entry in entries], ensure_ascii=False))
        else:
            say(*_table(entries))
            if not options["quiet"]:
                say("", *_notes(entries), to=sys.stderr)
        return ExitCode.OK
    return _fetch(options)


def _fetch(options: dict[str, Any]) -> ExitCode:
    from nanokinetics.annotations import catalog, catalog_file
    from nanokinetics.cli.display import reporter
    from nanokinetics.common.files import digest_of
    from nanokinetics.config import NetworkConfig
    from nanokinetics.selection import fetch_annotations, split_of

    name, splits = options["name"], options["splits"]
    network = NetworkConfig(proxy=options["proxy"], yt_dlp_args=options["yt_dlp_args"])
    shown = reporter(quiet=options["quiet"])
    wanted = None if splits is None else [split_of(each) for each in ",".join(splits).split(",")]
    entry = None if catalog.is_url(name) else catalog_file.read(os.environ).get(name)
    try:
        paths = fetch_annotations([name], entry.dataset if entry else None, wanted, network, shown)
    finally:
        shown.close()
    if entry and not options["quiet"]:
        say(*_about(entry), to=sys.stderr)
    if options["json"]:
        found = []
        for path in paths:
            with path.open("rb") as file:
                found.append({"path": str(path), "sha256": digest_of(file)})
        say(json.dumps(found, ensure_ascii=False))
    else:
        say(*map(str, paths))
    return ExitCode.OK


def _described(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "also": list(entry.also),
        "dataset": entry.dataset,
        "source": entry.source,
        "about": entry.about,
        "notes": list(entry.notes),
        "splits": list(entry.splits),
        "rows": dict(entry.rows),
        "bytes": entry.bytes,
        "files": [
            {
                "urls": list(listed.urls),
                "splits": list(listed.splits),
                "place": str(listed.place),
                "is_here": listed.here is not None,
            }
            for listed in entry.files
        ],
    }


def _table(entries: list[Entry]) -> list[str]:
    """One line for each entry, below a header."""
    rows = [("name", "dataset", "source", "splits", "rows", "size", "here")]
    for entry in entries:
        counted = entry.rows.keys() == {*entry.splits}
        total = f"{sum(entry.rows.values()):,}" if counted else ""
        bytes_ = "" if entry.bytes is None else size(entry.bytes)
        splits = ",".join(entry.splits)
        rows.append((entry.name, entry.dataset, entry.source, splits, total, bytes_, _here(entry)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _here(entry: Entry) -> str:
    """Whether the files are on this machine: all, some, or none."""
    here = [listed.here is not None for listed in entry.files]
    return "yes" if all(here) else "in part" if any(here) else "no"


def _notes(entries: list[Entry]) -> list[str]:
    from nanokinetics.annotations import catalog

    lines = [f"{entry.name}: {note}" for entry in entries for note in entry.notes]
    return [*lines, "", f"fetched files lie in {catalog.folder()}"]


def _about(entry: Entry) -> list[str]:
    rows = ", ".join(f"{split} {n:,}" for split, n in entry.rows.items())
    about = f"{entry.name}: {entry.about}, of {entry.source}"
    return [f"{about}; rows: {rows}" if rows else about, *entry.notes]

"""`nanokinetics report`: what was made, what was not, and why."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ExitCode, NanokineticsError
from .options import add_command, add_quiet

if TYPE_CHECKING:
    from ..report.figures import Summary
    from ..report.tables import Tables


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "report",
        run,
        "what was made, what was not, and why",
        "nanokinetics report nano-k400 --html report.html",
    )
    add = parser.add_argument
    add("dest", metavar="DEST", type=Path, help="a built dataset, also while it is being built; "
        "or a stats.csv, with failed.csv and run.json beside it if they are there")  # fmt: skip
    add("--html", metavar="FILE", type=Path, help="write a page that needs nothing else")
    add("--png", metavar="DIR", type=Path, help="write the charts as pictures")
    add("--json", action="store_true", help="print the same numbers as JSON")
    add(
        "--thumbnails",
        metavar="N",
        type=_count,
        help="pictures of each class on the page, at most; 0 for none (default: every clip)",
    )
    add("--ffmpeg", metavar="FILE", help="the ffmpeg to use")
    add_quiet(parser)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of pictures; write 0, 1, 2, …")
    return int(text)


def run(options: dict[str, Any]) -> ExitCode:
    from ..report.summary import summarise
    from ..report.tables import read

    tables = read(options["dest"])
    summary = summarise(tables)
    if options["html"] or options["png"]:
        _write(tables, summary, options)
    if options["json"]:
        print(json.dumps(asdict(summary), indent=2))
    elif not options["quiet"]:
        from ..report.terminal import lines

        text = "\n".join(lines(summary))
        encoding = sys.stdout.encoding or "utf-8"  # a terminal may not know every letter
        print(text.encode(encoding, "replace").decode(encoding))
    return ExitCode.OK


def _write(tables: Tables, summary: Summary, options: dict[str, Any]) -> None:
    """The page and the pictures."""
    from ..files import replace_file
    from ..report import charts, page, thumbnails

    files: dict[Path, bytes] = {}
    if options["png"]:
        files |= {options["png"] / f"{name}.png": data for name, data in charts.png(summary)}
    if options["html"]:
        seen = thumbnails.of(
            tables, options["thumbnails"], options["ffmpeg"], quiet=options["quiet"]
        )
        files[options["html"]] = page.render(tables, summary, seen).encode()
    for path, data in files.items():
        try:
            replace_file(path, data)
        except OSError as error:
            raise NanokineticsError(f"{path}: {error.strerror or error}") from None
        if not options["quiet"]:
            print(f"wrote {path}", file=sys.stderr)

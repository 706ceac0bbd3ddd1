"""`nanokinetics report`: report the finished and the failed clips, and the reasons."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nanokinetics.cli.options import add_command, add_quiet
from nanokinetics.cli.saying import say, width_of
from nanokinetics.common.extras import needed
from nanokinetics.common.files import begun
from nanokinetics.errors import ExitCode, NanokineticsError

if TYPE_CHECKING:
    from nanokinetics.report.figures import Summary
    from nanokinetics.report.tables import Tables


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "report",
        run,
        "what was made, what was not, and why",
        "nanokinetics report nano-k400 --html report.html",
    )
    add = parser.add_argument
    add(
        "dest",
        metavar="DEST",
        type=Path,
        help="a built dataset, also while it is being built; or a stats.csv, with failed.csv and "
        "run.json beside it if they are there",
    )
    add("--html", metavar="FILE", type=Path, help="write a page of the numbers and the clips")
    add("--png", metavar="DIR", type=Path, help="write the charts and the clips as pictures")
    add("--json", action="store_true", help="print the same numbers as JSON")
    add(
        "--thumbnails",
        metavar="N",
        type=_count,
        help="clips of each class to show, at most; 0 for none (default: about 1,000 in all)",
    )
    add("--ffmpeg", metavar="FILE", help="another ffmpeg to use; also: system")
    add_quiet(parser)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of pictures; write 0, 1, 2, …")
    return int(text)


def run(options: dict[str, Any]) -> ExitCode:
    from nanokinetics.report.summary import summarise
    from nanokinetics.report.tables import read

    tables = read(options["dest"])
    summary = summarise(tables)
    if options["html"] or options["png"]:
        _write(tables, summary, options)
    if options["json"]:
        say(*json.dumps(asdict(summary), indent=2).split("\n"))
    elif not options["quiet"]:
        from nanokinetics.report.terminal import lines

        say(*lines(summary, width_of(sys.stdout)))
    return ExitCode.OK


def _write(tables: Tables, summary: Summary, options: dict[str, Any]) -> None:
    """Write the page and the images."""
    for package in ("jinja2", "matplotlib", "PIL"):
        needed(package, "report")
    from nanokinetics.report import charts, montage, page, thumbnails
    from nanokinetics.report.gallery import Gallery

    html, folder, quiet = options["html"], options["png"], options["quiet"]
    seen = thumbnails.of(tables, options["thumbnails"], options["ffmpeg"], quiet=quiet)
    if folder:
        for name, data in (*charts.png(summary), *montage.png(tables, seen)):
            _put(folder / f"{name}.png", [data], quiet=quiet)
    if html:
        gallery = Gallery(tables, summary, seen, html)
        if gallery.folder:
            for name, data in gallery.pictures():
                _put(html.parent / gallery.folder / name, [data], quiet=True)
        _put(html, page.render(gallery), quiet=quiet)


def _put(path: Path, pieces: Iterable[bytes], *, quiet: bool) -> None:
    """Write a file piece by piece. It gets its final name when it is complete."""
    try:
        with begun(path) as file:
            file.writelines(pieces)
    except OSError as error:
        raise NanokineticsError(f"{path}: {error.strerror or error}") from None
    if not quiet:
        say(f"wrote {path}", to=sys.stderr)

"""`nanokinetics presets`: list the presets, or the classes of one preset."""

from __future__ import annotations

from typing import Any

from nanokinetics.cli.options import add_command
from nanokinetics.cli.saying import say
from nanokinetics.errors import ExitCode
from nanokinetics.selection import presets


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "presets",
        run,
        "the class lists that come along; with a name, its classes",
        "nanokinetics presets mini-kinetics-200",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="print the classes of this one")


def run(options: dict[str, Any]) -> ExitCode:
    name = options["name"]
    if name is None:
        say(*table([presets.read(name) for name in presets.names()]))
    else:
        preset = presets.read(name)
        say(*(preset.classes or [preset.about]))
    return ExitCode.OK


def table(known: list[presets.Preset]) -> list[str]:
    """One line for each preset, below a header."""
    rows = [("name", "dataset", "classes", "n", "source")]
    rows += [(p.name, p.dataset or "any", str(p.size), str(p.n or ""), p.source) for p in known]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]

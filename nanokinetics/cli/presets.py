"""`nanokinetics presets`: list the presets, or the classes of one preset."""

from __future__ import annotations

import sys
from typing import Any

from nanokinetics.cli.checked import check_preset
from nanokinetics.cli.options import add_command, typed
from nanokinetics.cli.saying import say, say_fitting, width_of
from nanokinetics.common.text import table
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
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        type=typed(check_preset),
        help="print the classes of this one",
    )


def run(options: dict[str, Any]) -> ExitCode:
    name = options["name"]
    if name is None:
        say(*listed([presets.read(name) for name in presets.names()], width_of(sys.stdout)))
    else:
        preset = presets.read(name)
        say_fitting(*(preset.classes or [preset.about]))
    return ExitCode.OK


def listed(known: list[presets.Preset], width: int = 0) -> list[str]:
    """One line for each preset, below a header. width: columns of the terminal, 0 for any."""
    rows = [(p.name, p.dataset or "any", str(p.size), str(p.n or ""), p.source) for p in known]
    heads = ("name", "dataset", "classes", "n", "source")
    return list(table(heads, rows, len(heads), width))

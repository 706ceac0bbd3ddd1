"""The command line. Each command is a module that parses, calls the library and prints.

A command imports heavy modules only when it runs, so that `--help` stays fast.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from nanokinetics.cli import (
    build,
    catalog,
    cite,
    demo,
    diff,
    doctor,
    export,
    manifest,
    meant,
    presets,
    report,
    sample,
    subset,
    typed,
    verify,
)
from nanokinetics.cli.guard import guarded
from nanokinetics.cli.options import Parser

COMMANDS = (
    *(build, sample, subset, report, verify, export, manifest, cite, diff),
    *(catalog, presets, doctor, demo),
)
"""The commands in the order of the help. Each has `add`, which makes its parser, and `run`."""

EXAMPLES = """\
examples:
  nanokinetics demo
      the whole job against a make-believe YouTube on this machine
  nanokinetics sample kinetics --annotations train.csv --num-classes 20 --n 10
      what would be fetched
  nanokinetics build kinetics --annotations train.csv --split train --num-classes 20 --n 10 \\
      --dest nano-k400
      fetch it; the same command goes on where it stopped
  nanokinetics export nano-k400 --format webdataset
      as a training loader reads it

short options:
  -n for --n   -o for --output, or --dest of build and subset   -q for --quiet

exit codes:
  0 every quota met   1 error   2 bad usage or input   3 finished, but some class is short
  75 blocked for now, or the folder is busy: run the same command later   130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    return guarded(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    whole = parser()
    takes = {name: typed.Takes.of(command) for name, command in whole.commands.items()}
    line = typed.read(sys.argv[1:] if argv is None else argv, takes, typed.Takes.of(whole))
    meant.refuse(line, takes)
    options = vars(whole.parse_args(build.with_values(line.argv())))
    return int(options.pop("run")(options))


def parser() -> Parser:
    """The parser of all commands."""
    whole = Parser(
        prog="nanokinetics",
        description="A small, honest video dataset: n clips a class, chosen first, and only those "
        "are fetched.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="print the version and exit",
    )
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    whole.commands = commands.choices
    return whole


class _Version(argparse.Action):
    """Looks up the version only if the option is given, since that takes time."""

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        from importlib.metadata import version

        print(f"nanokinetics {version('nanokinetics')}")
        sys.exit(0)

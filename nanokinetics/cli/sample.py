"""`nanokinetics sample`: choose the clips, and estimate the cost of a build.

It takes every option of `build`, so that a command line serves both.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from nanokinetics.cli.build import add_options
from nanokinetics.cli.options import add_command
from nanokinetics.cli.preview import lines, to_json
from nanokinetics.cli.saying import put, say
from nanokinetics.errors import ExitCode, InputError, NanokineticsError

STDOUT: Final = "-"
"""The value of --output that prints the selection, even on a terminal."""

WITHOUT_EFFECT: Final = ("dry_run", "log")
"""Options of `build` that are taken and do nothing here: nothing is made, and nothing logged."""


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "sample",
        run,
        "only choose: print or write the selection, and say what it would cost; takes every option "
        "of build",
        "nanokinetics sample kinetics --annotations train.csv --n 5 --picks --output picks.csv",
    )
    add_options(parser, needs_dest=False)
    add = parser.add_argument_group("what to write").add_argument
    add(
        "--output",
        metavar="FILE",
        help="write the selection as a CSV file; - prints it (default: print it, but not on a "
        "terminal)",
    )
    add(
        "--picks",
        action="store_true",
        help="write the picks alone, without the reserves; `build --from FILE` builds them",
    )


def run(options: dict[str, Any]) -> ExitCode:
    from nanokinetics.cli.display import reporter
    from nanokinetics.common.files import replace_file
    from nanokinetics.outlook import preview
    from nanokinetics.selection.picks import table_of

    output, quiet, json = (options.pop(name) for name in ("output", "quiet", "json"))
    picks_only = options.pop("picks")
    for name in WITHOUT_EFFECT:
        options.pop(name)
    if json and output == STDOUT:
        raise InputError("--json and --output - would both be printed: write one to a file")
    found = preview(reporter=reporter(quiet=quiet), allow_unused=True, **options)
    table = table_of(found.selection, found.seed, picks_only=picks_only)
    if output is None and not json and (quiet or not sys.stdout.isatty()):
        output = STDOUT
    if output == STDOUT:
        put(table)
    elif output is not None:
        try:
            replace_file(Path(output), table.encode())
        except OSError as error:
            raise NanokineticsError(f"--output {output}: {error.strerror}") from None
    if json:
        say(to_json(found))
    elif not quiet:
        say(*lines(found), to=sys.stderr)
        if output is None:
            say("(the selection itself: --output FILE, or - to print it)", to=sys.stderr)
    return ExitCode.OK

"""`nanokinetics sample`: only choose, and say what it would come to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .. import config
from ..errors import ExitCode, NanokineticsError
from .options import add_choice, add_command

if TYPE_CHECKING:
    from ..selection import Selection


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "sample",
        run,
        "only choose: print or write the selection",
        "nanokinetics sample kinetics --annotations train.csv --n 5 --output picks.csv",
    )
    add_choice(parser)
    parser.add_argument("--output", metavar="FILE", help="write the selection as a CSV file")


def run(options: dict[str, Any]) -> ExitCode:
    from ..api import sample
    from ..files import replace_file
    from ..progress import reporter

    output, quiet = options.pop("output"), options.pop("quiet")
    selection = sample(options.pop("dataset"), reporter=reporter(quiet=quiet), **options)
    if output is not None:
        try:
            replace_file(Path(output), selection.to_csv())
        except OSError as error:
            raise NanokineticsError(f"--output {output}: {error.strerror}") from None
    else:
        sys.stdout.write(selection.to_csv().decode())
    if not quiet:
        print(outlook(selection), file=sys.stderr)
    return ExitCode.OK


MEGABYTES_A_SECOND: Final = 0.14
"""Fetched for a second of a 360p clip: 1.2 to 1.4 MB for ten seconds, as measured."""


def outlook(selection: Selection) -> str:
    """What a selection holds and what it would cost, in a few lines."""
    reach = {g: min(n, len(selection.rows(g))) for g, n in selection.quotas.items()}
    short = [g for g, n in selection.quotas.items() if reach[g] < n]
    clips = sum(reach.values())
    spans = (selection.candidates(group).head(n) for group, n in reach.items())
    seconds = sum(float((span["time_end"] - span["time_start"]).sum()) for span in spans)
    hours = clips / config.GUEST_PER_HOUR
    lines = [
        f"{len({g.label for g in reach})} classes, {clips} clips, "
        f"{len(selection.frame) - clips} reserves",
    ]
    if not selection.is_local:
        lines.append(
            f"about {seconds * MEGABYTES_A_SECOND:,.0f} MB to fetch at 360p, and "
            f"{hours:,.1f} hours as a guest ({config.GUEST_PER_HOUR} videos an hour)"
        )
    lines += [
        f"  short: {g.label} ({g.split}) has {reach[g]} of {selection.quotas[g]} candidates"
        for g in short[:10]
    ]
    return "\n".join(lines)

"""`nanokinetics sample`: choose the clips, and estimate the cost of a build."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nanokinetics.cli.options import add_choice, add_command, as_json
from nanokinetics.cli.saying import put, say
from nanokinetics.common.text import duration, size
from nanokinetics.errors import ExitCode, InputError, NanokineticsError

if TYPE_CHECKING:
    from nanokinetics.estimate import Estimate

STDOUT: Final = "-"
"""The value of --output that prints the selection, even on a terminal."""

SHOWN: Final = 10
"""Short classes that are named, at most. --json and a build's `classes.csv` have all of them."""


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "sample",
        run,
        "only choose: print or write the selection, and say what it would cost",
        "nanokinetics sample kinetics --annotations train.csv --n 5 --output picks.csv",
    )
    add_choice(parser)
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="write the selection as a CSV file; - prints it (default: print it, but not on a "
        "terminal)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the estimate as a JSON object, in place of the selection",
    )
    add = parser.add_argument_group("what to reckon with").add_argument
    add(
        "--stats",
        metavar="DEST",
        type=Path,
        help="the folder of an earlier build, or its stats.csv with failed.csv beside it (default: "
        "measurements at 360p)",
    )
    add(
        "--max-per-hour",
        metavar="R",
        type=int,
        help="videos asked for in any hour, 0 for no limit (default: 300, with --cookies 2000)",
    )
    add("--cookies", metavar="FILE", help="reckon with an account's budget; it is not read")


def run(options: dict[str, Any]) -> ExitCode:
    from nanokinetics import estimate
    from nanokinetics.api import sample
    from nanokinetics.cli.display import reporter
    from nanokinetics.common.files import replace_file
    from nanokinetics.config import PaceOptions, SampleConfig
    from nanokinetics.selection import settle, source_of

    output, quiet, json = (options.pop(name) for name in ("output", "quiet", "json"))
    if json and output == STDOUT:
        raise InputError("--json and --output - would both be printed: write one to a file")
    stats = options.pop("stats")
    pace = PaceOptions(options.pop("max_per_hour"), has_account=options.pop("cookies") is not None)
    costs = estimate.of_run(stats) if stats else estimate.MEASURED
    selection = sample(reporter=reporter(quiet=quiet), **options)
    source = source_of(settle(SampleConfig(**options)))
    if stats and not source.remote:
        raise InputError("--stats is for clips of YouTube; the sizes of local files are known")
    table = selection.to_csv()
    if output is None and not json and (quiet or not sys.stdout.isatty()):
        output = STDOUT
    if output == STDOUT:
        put(table.decode())
    elif output is not None:
        try:
            replace_file(Path(output), table)
        except OSError as error:
            raise NanokineticsError(f"--output {output}: {error.strerror}") from None
    if quiet and not json:
        return ExitCode.OK
    if source.remote:
        per_hour = source.policy(pace).per_hour
        coming = estimate.of_youtube(selection, costs, per_hour=per_hour, table_bytes=len(table))
    else:
        src = options["src"] and Path(options["src"]).expanduser()
        coming = estimate.of_files(selection, src, table_bytes=len(table))
    if json:
        say(as_json(coming))
    else:
        say(*outlook(coming), to=sys.stderr)
        if output is None:
            say("(the selection itself: --output FILE, or - to print it)", to=sys.stderr)
    return ExitCode.OK


def outlook(coming: Estimate) -> list[str]:
    """The size of a selection and the estimated cost of its build, as lines."""
    lines = [f"{coming.classes} classes, {coming.clips} clips, {coming.reserves} reserves"]
    disk = "unknown" if coming.disk_bytes is None else size(coming.disk_bytes)
    if coming.seconds is None:
        lines.append(f"on disk: {disk}")
    else:
        lines.append(
            f"to fetch: {size(coming.fetched_bytes or 0)}, on disk: {disk}, "
            f"time: about {duration(max(1.0, coming.seconds))} for {coming.videos} videos"
        )
    lines += ["if", *(f"  {line}" for line in coming.assumptions)]
    lines += [
        f"short: {group.label} ({group.split}) has {has} of {wanted} candidates"
        for group, (has, wanted) in list(coming.short.items())[:SHOWN]
    ]
    if len(coming.short) > SHOWN:
        lines.append(f"short: {len(coming.short) - SHOWN} more classes")
    if coming.at_risk:
        lines.append(f"short by then, with so many gone: {coming.at_risk} more classes")
    return lines

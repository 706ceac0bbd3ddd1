"""`nanokinetics manifest`: describe a built folder in one small text file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nanokinetics.cli.options import add_command
from nanokinetics.cli.saying import put
from nanokinetics.cli.shortage import add_strict, is_refused
from nanokinetics.errors import EnvironmentFault, ExitCode


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "manifest",
        run,
        "what a paper's supplement needs for others to rebuild a subset",
        "nanokinetics manifest nano-k400 --output nano-k400.txt",
    )
    parser.add_argument("dest", metavar="DEST", help="a built folder")
    parser.add_argument("--output", metavar="FILE", help="write it there (default: print it)")
    add_strict(parser)


def run(options: dict[str, Any]) -> ExitCode:
    from nanokinetics.common.files import replace_file
    from nanokinetics.selection import manifest

    found, output = manifest.read(Path(options["dest"])), options["output"]
    if is_refused(options["dest"], found.short, strict=options["strict"]):
        return ExitCode.SHORT
    text = found.to_text()
    if output is None:
        put(text)
        return ExitCode.OK
    try:
        replace_file(Path(output), text.encode())
    except OSError as error:
        raise EnvironmentFault(f"--output {output}: {error.strerror}") from None
    return ExitCode.OK

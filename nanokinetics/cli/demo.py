"""`nanokinetics demo`: a complete build from a simulated YouTube on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from nanokinetics.cli.options import add_command, add_quiet, typed
from nanokinetics.errors import ExitCode, InputError

FOLDER: Final = "nanokinetics-demo"


def add(commands: Any) -> None:
    parser = add_command(
        commands, "demo", run, "the whole job against a make-believe YouTube", "nanokinetics demo"
    )
    parser.add_argument(
        "dest",
        metavar="DIR",
        nargs="?",
        help=f"where to make it (default: {FOLDER})",
    )
    parser.add_argument(
        "--serve",
        action="store_true",
        help="keep the make-believe YouTube up until Ctrl-C, for builds in another terminal",
    )
    parser.add_argument(
        "--port",
        metavar="PORT",
        type=typed(_port),
        help="with --serve: the port of 127.0.0.1 (default: any free one)",
    )
    parser.add_argument(
        "--failed-logs",
        metavar="DIR",
        help="where the full output of failed attempts goes (default: beside the dataset)",
    )
    add_quiet(parser)


def run(options: dict[str, Any]) -> ExitCode:
    dest, port, quiet = options["dest"], options["port"], options["quiet"]
    if options["serve"]:
        if dest is not None:
            raise InputError(f"--serve makes no folder; leave out {dest}")
        if options["failed_logs"] is not None:
            raise InputError("--serve builds nothing; leave out --failed-logs")
        from nanokinetics.demo.service import serve

        return serve(port or 0, quiet=quiet)
    if port is not None:
        raise InputError("--port is for --serve")
    from nanokinetics.cli.display import reporter
    from nanokinetics.demo.command import demo

    return demo(
        Path(dest or FOLDER), reporter(quiet=quiet), quiet=quiet, failed_logs=options["failed_logs"]
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise InputError(f"'{text}' is no port; it is a number up to 65535")
    return int(text)

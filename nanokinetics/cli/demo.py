"""`nanokinetics demo`: a complete build from a simulated YouTube on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nanokinetics.cli.options import add_command, add_quiet
from nanokinetics.errors import ExitCode


def add(commands: Any) -> None:
    parser = add_command(
        commands, "demo", run, "the whole job against a make-believe YouTube", "nanokinetics demo"
    )
    parser.add_argument(
        "dest",
        metavar="DIR",
        nargs="?",
        default="nanokinetics-demo",
        help="where to make it (default: %(default)s)",
    )
    parser.add_argument(
        "--failed-logs",
        metavar="DIR",
        help="where the full output of failed attempts goes (default: beside the dataset)",
    )
    add_quiet(parser)


def run(options: dict[str, Any]) -> ExitCode:
    from nanokinetics.cli.display import reporter
    from nanokinetics.demo.command import demo

    quiet, logs = options["quiet"], options["failed_logs"]
    return demo(Path(options["dest"]), reporter(quiet=quiet), quiet=quiet, failed_logs=logs)

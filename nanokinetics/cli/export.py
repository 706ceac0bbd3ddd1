"""`nanokinetics export`: write a dataset in the format of a training loader."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from nanokinetics.cli.options import add_command, add_quiet, typed
from nanokinetics.cli.saying import say
from nanokinetics.cli.shortage import add_strict, is_refused
from nanokinetics.errors import ExitCode

NAMES: Final = (
    *("vjepa", "slowfast", "mmaction2", "torchvision", "hf", "fiftyone"),
    *("webdataset", "video2dataset"),
)
"""The names in `export.FORMATS`. Worker processes load this module, so it does not import them."""


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "export",
        run,
        "write a dataset as a training loader reads it",
        "nanokinetics export nano-k400 --format webdataset",
    )
    parser.add_argument("dest", metavar="DEST", help="the folder of the dataset")
    add = parser.add_argument
    add(
        "--format",
        choices=NAMES,
        type=typed(_format),
        required=True,
        help="which loader it is for",
    )
    add("--output", metavar="DIR", help="where to (default: DEST-exports/FORMAT)")
    add(
        "--label-ids",
        choices=("local", "source"),
        help="number the chosen classes (local, the default), or all of the annotations (source)",
    )
    add("--prefix", metavar="TEXT", help="lists: what stands before each path")
    add(
        "--files",
        choices=("symlink", "hardlink", "copy"),
        help="trees: how files get there (default: symlink)",
    )
    add("--metadata", choices=("csv", "parquet"), help="hf: the kind of table (default: csv)")
    add("--shard-samples", metavar="N", type=int, help="most samples of a shard (default: 1000)")
    add("--shard-bytes", metavar="SIZE", type=typed(_bytes), help="most bytes (default: 1G)")
    add_strict(parser)
    add_quiet(parser)


def run(options: dict[str, Any]) -> ExitCode:
    from tqdm import tqdm

    from nanokinetics.dataset.built import Dataset
    from nanokinetics.dataset.shortage import shortage_of
    from nanokinetics.export import export

    quiet, strict = options.pop("quiet"), options.pop("strict")
    lacks = shortage_of(Dataset.open(Path(options["dest"])))
    if is_refused(options["dest"], lacks, strict=strict):
        return ExitCode.SHORT
    asked = {name: value for name, value in options.items() if value is not None}
    with tqdm(unit=" samples", disable=True if quiet else None, leave=False) as bar:
        made = export(asked.pop("dest"), asked.pop("format"), tick=bar.update, **asked)
    for line in made.warnings:  # also with --quiet: else the loader's silence would be ours
        say(f"warning: {line}", to=sys.stderr)
    if not quiet:
        for split, count in made.samples.items():
            say(f"{split}: {count} samples" if count else f"{split}: no clip yet, left out")
        say(f"in {made.folder}")
    return ExitCode.OK


def _format(text: str) -> str:
    if text.casefold() in NAMES:
        return text.casefold()
    from nanokinetics.export import format_named

    format_named(text)  # raises with what was meant
    return text


def _bytes(text: str) -> int:
    from nanokinetics.export.options import parse_bytes

    return parse_bytes(text)

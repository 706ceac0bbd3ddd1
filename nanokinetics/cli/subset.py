"""`nanokinetics subset`: make a smaller dataset out of a built one."""

from __future__ import annotations

from typing import Any

from nanokinetics.cli.options import (
    add_command,
    add_quiet,
    add_split,
    parse_classes,
    parse_n,
    typed,
)
from nanokinetics.cli.saying import say
from nanokinetics.cli.summary import SHOWN
from nanokinetics.errors import ExitCode


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "subset",
        run,
        "a smaller dataset out of a built one, without network",
        "nanokinetics subset nano-10 --n 5 --dest nano-5",
    )
    add = parser.add_argument
    add("source", metavar="DEST", help="the folder of a built dataset; it stays as it is")
    add("--dest", metavar="NEW", required=True, help="the folder of the smaller one")
    add(
        "--n",
        metavar="N",
        type=typed(parse_n),
        help="clips of each class; or for each split: train=5,val=2 (default: as many as there)",
    )
    add_split(add, "train, val or test (default: all that it has)")
    add(
        "--classes",
        metavar="A,B|@FILE",
        type=typed(parse_classes),
        help="these classes only (default: all)",
    )
    add("--num-classes", metavar="K", type=int, help="draw K of its classes (default: all)")
    add_quiet(parser)


def run(options: dict[str, Any]) -> ExitCode:
    from tqdm import tqdm

    from nanokinetics.api import subset

    quiet = options.pop("quiet")
    with tqdm(unit=" clips", disable=True if quiet else None, leave=False) as bar:
        made = subset(options.pop("source"), tick=bar.update, **options)
    if not quiet:
        how = f"{made.new - made.copied} linked, {made.copied} copied"
        say(f"{made.made} of {made.wanted} clips are in {options['dest']}, {made.new} new ({how})")
        for group, (has, wanted) in list(made.short.items())[:SHOWN]:
            say(f"  {group.label} ({group.split}) has {has} of {wanted}")
        if len(made.short) > SHOWN:
            say(f"  and {len(made.short) - SHOWN} more (see classes.csv)")
    return made.exit_code

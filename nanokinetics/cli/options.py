"""Options that several commands share, and the functions that parse their values."""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from nanokinetics.annotations import DATASETS
from nanokinetics.common.text import plain
from nanokinetics.errors import InputError
from nanokinetics.sources import SOURCES

if TYPE_CHECKING:
    from nanokinetics.api import BuildResult
    from nanokinetics.estimate import Estimate


class Parser(argparse.ArgumentParser):
    """A parser whose errors are InputErrors: one line and exit code 2, as for other bad input."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


def add_command(commands: Any, name: str, run: Any, about: str, example: str) -> Parser:
    """Add a command and return its parser.

    run: called with the options as a dict; it returns the exit code. about: the help text.
    """
    command: Parser = commands.add_parser(
        name,
        help=about,
        description=about[0].upper() + about[1:] + ".",
        epilog=f"example: {example}",
    )
    command.set_defaults(run=run)
    return command


def add_choice(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what to choose").add_argument
    parser.add_argument(
        "dataset", choices=DATASETS, help="the dataset that the annotations describe"
    )
    add(
        "--annotations",
        metavar="FILE",
        nargs="+",
        default=(),
        help="annotation files: CSV, text, JSON of any Kinetics version, also gzipped; of ImageNet "
        "and Something-Something those that do not lie in --src",
    )
    add(
        "--source",
        choices=SOURCES,
        help="where the clips are (default: where those of the dataset lie)",
    )
    add(
        "--src",
        metavar="DIR",
        help="the folder, or the archive, of local files: images, videos, .tar, .tar.gz, parts",
    )
    add(
        "--class-names",
        metavar="FILE",
        help="a class and its name a line: n01440764 tench, 1 Archery",
    )
    add(
        "--list",
        dest="listing",
        metavar="FILE",
        nargs="+",
        help="for 'folder': lists with 'path label' lines or a header, or JSON; their names say "
        "the split (default: a folder is a class)",
    )
    add(
        "--split",
        dest="splits",
        metavar="S",
        nargs="+",
        help="train, val or test (default: all that the annotations have)",
    )
    add(
        "--n",
        metavar="N",
        type=typed(parse_n),
        help="clips of each class; or for each split: train=10,val=2",
    )
    add(
        "--classes",
        metavar="A,B|@FILE",
        type=typed(parse_classes),
        help="choose from these labels only (default: all)",
    )
    add("--num-classes", metavar="K", type=int, help="draw K classes (default: all)")
    add(
        "--seed",
        metavar="S",
        help="another seed is another choice (default: 0)",
    )
    add(
        "--preset",
        metavar="NAME",
        help="a known class list, or our own sizes 'nano' and 'tiny'; see `nanokinetics presets`",
    )
    add(
        "--from",
        dest="from_",
        metavar="OTHER",
        help="the clips of another built folder, or of a manifest, instead of a choice",
    )
    add(
        "--allow-replacements",
        action="store_true",
        help="with --from a folder: its reserves replace clips that are gone",
    )
    add(
        "--skip-bad-rows",
        action="store_true",
        help="leave unusable annotation rows out instead of refusing to start",
    )
    add_quiet(parser)


def add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="no progress, no summary")


def typed(parse: Any) -> Any:
    """An argparse type that shows the message of the InputError that `parse` raises."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def as_json(value: Estimate | BuildResult, **more: Any) -> str:
    """A result of the library as a JSON object on one line. `more` comes before its fields."""
    # JSON allows only texts as keys, so these mappings become lists.
    lists: dict[str, Any] = {
        "short": [
            {**group._asdict(), "has": has, "wanted": wanted}
            for group, (has, wanted) in value.short.items()
        ]
    }
    if hasattr(value, "lost"):
        lists["lost"] = [{**id_._asdict(), "reason": why} for id_, why in value.lost.items()]
    fields_of = {f.name: getattr(value, f.name) for f in fields(value)}
    return plain(json.dumps(more | fields_of | lists, ensure_ascii=False, default=dict))


def parse_n(text: str) -> int | dict[str, int]:
    """Parse `--n`: `10`, or `train=10,val=2`. Raises InputError for any other text."""
    try:
        if "=" not in text:
            return int(text)
        pairs = [part.split("=", 1) for part in text.split(",")]
        quotas = {split.strip(): int(count) for split, count in pairs}
    except ValueError:
        raise InputError(f"--n '{text}' is neither a number nor like train=10,val=2") from None
    if len(quotas) < len(pairs):
        raise InputError(f"--n '{text}' names a split twice")
    return quotas


def parse_classes(text: str) -> tuple[str, ...]:
    """Parse `--classes`: labels with commas between, or `@FILE` with one label a line.

    Raises InputError if the file cannot be read.
    """
    if not text.startswith("@"):
        return tuple(name.strip() for name in text.split(",") if name.strip())
    path = Path(text[1:])
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--classes: {path} cannot be read: {_why(error)}") from None
    return tuple(line.strip() for line in lines if line.strip())


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)

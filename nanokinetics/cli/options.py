"""Options that several commands share, and the functions that parse their values."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from nanokinetics.annotations import DATASETS
from nanokinetics.cli.checked import check_preset, check_split, read_dataset, read_source
from nanokinetics.common.text import plain
from nanokinetics.errors import InputError
from nanokinetics.sources import SOURCES

if TYPE_CHECKING:
    from nanokinetics.api import BuildResult
    from nanokinetics.estimate import Estimate


_LIKE_A_FILE: Final = re.compile(r"^[^,]*\.(txt|csv|tsv|lst|list|json)$", re.IGNORECASE)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are InputErrors: one line and exit code 2, as for other bad input.

    commands: the parsers of its commands, by name.
    """

    commands: Mapping[str, Parser] = {}

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
        "dataset",
        choices=DATASETS,
        type=typed(read_dataset),
        help="the dataset that the annotations describe",
    )
    add(
        "--annotations",
        metavar="FILE|NAME|URL",
        nargs="+",
        default=(),
        help="names such as k400 (see `nanokinetics annotations`), or files: CSV, text, JSON of "
        "any Kinetics version, also packed; of ImageNet and Something-Something those that do not "
        "lie in --src",
    )
    add(
        "--source",
        choices=SOURCES,
        type=typed(read_source),
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
    add_split(add, "train, val or test (default: all that the annotations have)")
    add(
        "--n",
        metavar="N",
        type=typed(parse_n),
        help="clips of each class; or for each split: train=10,val=2",
    )
    add(
        "--classes",
        metavar="A,B|FILE",
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
        type=typed(check_preset),
        help="a known class list, or our own sizes 'nano' and 'tiny'; see `nanokinetics presets`",
    )
    add(
        "--from",
        dest="from_",
        metavar="OTHER",
        help="the clips of another built folder, of a manifest, or of a table of `sample`, instead "
        "of a choice",
    )
    add(
        "--allow-replacements",
        action="store_true",
        help="with --from a folder or a whole table: its reserves replace clips that are gone",
    )
    add(
        "--skip-bad-rows",
        action="store_true",
        help="leave unusable annotation rows out instead of refusing to start",
    )
    add(
        "--skip-missing-classes",
        action="store_true",
        help="leave out those of --classes or --preset that the annotations lack; run.json names "
        "them",
    )
    add_quiet(parser)


def add_split(add: Callable[..., object], about: str) -> None:
    """Add `--split`. add: `add_argument` of a parser or a group. about: the help text."""
    add("--split", dest="splits", metavar="S", nargs="+", type=typed(check_split), help=about)


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


def as_json(
    value: Estimate | BuildResult, after: Mapping[str, Any] | None = None, **more: Any
) -> str:
    """A result of the library as a JSON object on one line.

    `more` comes before its fields, and `after` after them.
    """
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
    return plain(
        json.dumps(
            {**more, **fields_of, **lists, **(after or {})}, ensure_ascii=False, default=dict
        )
    )


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
    """Parse `--classes`: labels with commas between, or a file with one label a line.

    A file is named as `@FILE`, or as it is called if it is there. Raises InputError if it cannot be
    read, and for a name like that of a file where there is none.
    """
    path = Path(text.removeprefix("@")).expanduser()
    if not text.startswith("@") and not _is_file(path):
        if _LIKE_A_FILE.search(text):
            raise InputError(f"--classes: there is no file {text}")
        return tuple(name.strip() for name in text.split(",") if name.strip())
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"--classes: {path} cannot be read: {_why(error)}") from None
    return tuple(line.strip() for line in lines if line.strip())


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def parse_resolution(text: str) -> int:
    """Parse `360` or `360p`. Raises InputError for any other text."""
    found = re.fullmatch(r"(\d{1,6})[pP]?", text.strip())
    if not found:
        raise InputError(f"'{text}' is not a number of pixels; write 360 or 360p")
    return int(found[1])


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)

"""Functions for the three scripts of the nano-datasets paper.

The scripts call the library, and write the paper's own files from the finished dataset.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

try:
    from nanokinetics.cli.guard import guarded
    from nanokinetics.cli.options import Parser as BaseParser
    from nanokinetics.common.files import replace_file
    from nanokinetics.dataset.built import Dataset
    from nanokinetics.dataset.tables import rendered
    from nanokinetics.errors import ExitCode
    from nanokinetics.layout import RUN, SELECTION
except ModuleNotFoundError as error:
    sys.exit(
        f"this Python has no {error.name}: install the project (pip install .), or use "
        "the .venv/bin/python that scripts/demo makes"
    )

NAME = Path(sys.argv[0]).name


class Parser(BaseParser):
    """A parser with two options that the paper's scripts do not have."""

    def __init__(self, about: str) -> None:
        super().__init__(prog=NAME, description=about, allow_abbrev=False)
        self.add_argument("--seed", default="0", help="another seed is another choice (default: 0)")
        self.add_argument("--quiet", action="store_true", help="no progress, no summary")


def run(main: Callable[[], int]) -> NoReturn:
    """Run `main` and end the program. An exception becomes one line and an exit code."""
    sys.exit(guarded(main, NAME))


def build(
    dataset: str,
    dest: Path,
    write: Callable[[Dataset], None],
    *,
    quiet: bool,
    takes_all: bool = False,
    **options: Any,
) -> ExitCode:
    """Build into `dest`, call `write` for the paper's files, and print a summary.

    write: gets the dataset, even if the build was blocked or interrupted. takes_all: whether all
    clips of each class are wanted, so that a class is short only if some could not be made.
    """
    # Worker processes import the script again, but do not need pandas.
    from nanokinetics import build as build_dataset
    from nanokinetics.cli.display import reporter
    from nanokinetics.cli.saying import say
    from nanokinetics.cli.summary import summary

    try:
        result = build_dataset(dataset, dest=dest, reporter=reporter(quiet=quiet), **options)
    finally:
        if (dest / RUN).exists() and (dest / SELECTION).exists():
            write(Dataset.open(dest))
    if takes_all and not result.replaced and not result.held:
        result = replace(result, wanted=result.made, short={})
    if not quiet:
        say(*summary(result, str(dest)))
    return result.exit_code


def listed(dataset: Dataset, split: str) -> list[tuple[Path, int]]:
    """The absolute path and the label id of each file in the list of a split."""
    root = dataset.root.absolute()
    return [(root / path, label_id) for path, label_id in dataset.listed(split)]


def text_of(rows: Iterable[Iterable[object]], delimiter: str = " ") -> str:
    """One row on each line. A value with the delimiter is quoted, as in pandas."""
    return rendered(rows, delimiter)


def write(path: Path, text: str) -> None:
    """Write a file in one step. Raises OSError."""
    replace_file(path, text.encode())

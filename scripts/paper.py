"""What the three scripts of the nano-datasets paper share.

They leave all work to the library, and write the paper's own files from what it has made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

try:
    from nanokinetics.cli.guard import guarded
    from nanokinetics.cli.options import Parser as OurParser
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


class Parser(OurParser):
    """The options that the paper's scripts lack."""

    def __init__(self, about: str) -> None:
        super().__init__(prog=NAME, description=about, allow_abbrev=False)
        self.add_argument("--seed", default="0", help="another seed is another choice (default: 0)")
        self.add_argument("--quiet", action="store_true", help="no progress, no summary")


def run(main: Callable[[], int]) -> NoReturn:
    """End the program with the exit code of `main`; what goes wrong becomes one line and a code."""
    sys.exit(guarded(main, NAME))


def build(
    dataset: str, dest: Path, write: Callable[[Dataset], None], *, quiet: bool, **options: Any
) -> ExitCode:
    """Build into `dest`, have the paper's files written of whatever is there then, and sum up."""
    # Worker processes import the script again, and have no need of the library's pandas.
    from nanokinetics import build as build_dataset
    from nanokinetics.cli.build import summary
    from nanokinetics.cli.display import reporter
    from nanokinetics.cli.saying import say

    try:
        result = build_dataset(dataset, dest=dest, reporter=reporter(quiet=quiet), **options)
    finally:
        if (dest / RUN).exists() and (dest / SELECTION).exists():
            # Blocked or interrupted, what was finished is listed all the same.
            write(Dataset.open(dest))
    if not quiet:
        say(*summary(result, str(dest)))
    return result.exit_code


def listed(dataset: Dataset, split: str) -> list[tuple[Path, int]]:
    """Absolute path and label id of each file in the list of a split."""
    root = dataset.root.absolute()
    return [(root / path, label_id) for path, label_id in dataset.listed(split)]


def text_of(rows: Iterable[Iterable[object]], delimiter: str = " ") -> str:
    """A row a line; a value that holds the delimiter is quoted, as pandas writes and reads it."""
    return rendered(rows, delimiter)


def write(path: Path, text: str) -> None:
    """Write a file whole. Raises OSError."""
    replace_file(path, text.encode())

"""The files that loaders read, derived from the ledger and the selection alone.

They are written at the end of every run and can be made again at any time. A new loader family is
one new module here and one line in WRITERS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..layout import Layout
from . import classes, deepmind, huggingface, lists, names
from .contents import Contents

WRITERS: Final[tuple[Callable[[Contents, Layout], None], ...]] = (
    classes.write,
    names.write,
    lists.write,
    huggingface.write,
    deepmind.write,
)


def write_all(contents: Contents, layout: Layout) -> None:
    """Write every index anew. Raises OSError."""
    for write in WRITERS:
        write(contents, layout)

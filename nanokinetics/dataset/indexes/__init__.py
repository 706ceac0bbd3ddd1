"""The files that loaders read. They are derived from the ledger and the selection alone.

Every run writes them at its end, and they can be made again at any time. To add a loader family,
add a module here and a line in WRITERS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from nanokinetics.common.folder import Folder
from nanokinetics.dataset.indexes import classes, deepmind, huggingface, lists, names
from nanokinetics.dataset.indexes.contents import Contents
from nanokinetics.layout import INDEX_FOLDERS, RUN, WITNESS

WRITERS: Final[tuple[Callable[[Contents, Folder], None], ...]] = (
    classes.write,
    names.write,
    lists.write,
    huggingface.write,
    deepmind.write,
)


def write_all(contents: Contents, home: Folder) -> None:
    """Write every index again. Raises OSError."""
    for write in WRITERS:
        write(contents, home)
    home.write(WITNESS, _digest(home))


def are_fresh(home: Folder) -> bool:
    """Whether the indexes and their sources are unchanged since the indexes were written.

    For a large dataset, this check takes a tenth of the time that writing the indexes takes.
    """
    witness = home.place(WITNESS)
    return witness.exists() and witness.read_bytes() == _digest(home)


def _digest(home: Folder) -> bytes:
    """One digest of the paths and bytes of all tables."""
    whole = hashlib.sha256()
    root = home.path
    tables = [root / RUN, *(t for folder in INDEX_FOLDERS for t in (root / folder).glob("*.csv"))]
    for table in sorted(filter(Path.is_file, tables)):
        with table.open("rb") as file:
            each = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{table.relative_to(root)} {each}\n".encode())
    return f"{whole.hexdigest()}\n".encode()

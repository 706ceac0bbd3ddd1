"""The files that loaders read, derived from the ledger and the selection alone.

They are written at the end of every run and can be made again at any time. A new loader family is
one new module here and one line in WRITERS.
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
    """Write every index anew. Raises OSError."""
    for write in WRITERS:
        write(contents, home)
    home.write(WITNESS, _digest(home))


def are_fresh(home: Folder) -> bool:
    """Whether neither the indexes nor anything they are derived from has changed since they were
    written. To read a large dataset's again takes a tenth of what it takes to make them."""
    witness = home.place(WITNESS)
    return witness.exists() and witness.read_bytes() == _digest(home)


def _digest(home: Folder) -> bytes:
    """One digest of the bytes of all tables, and of where each stands."""
    whole = hashlib.sha256()
    root = home.path
    tables = [root / RUN, *(t for folder in INDEX_FOLDERS for t in (root / folder).glob("*.csv"))]
    for table in sorted(filter(Path.is_file, tables)):
        with table.open("rb") as file:
            each = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{table.relative_to(root)} {each}\n".encode())
    return f"{whole.hexdigest()}\n".encode()

"""Annotation files to candidates. A new dataset is one new module here and one line in READERS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from nanokinetics.errors import InputError

from . import kinetics
from .candidates import Annotations

__all__ = ["READERS", "Annotations", "Reader", "read"]


class Reader(Protocol):
    """Reads all annotation files of one dataset.

    Raises InputError for a file that cannot be used, and BadRows with every row that cannot,
    unless `skip_bad_rows`.
    """

    def __call__(self, files: Sequence[Path], *, skip_bad_rows: bool = False) -> Annotations: ...


READERS: Final[Mapping[str, Reader]] = {
    "kinetics": kinetics.read,
}


def read(dataset: str, files: Sequence[Path], *, skip_bad_rows: bool = False) -> Annotations:
    """The candidates that `files` offer; see `Reader` for what it raises."""
    if dataset not in READERS:
        raise InputError(f"no dataset {dataset!r}; there are: {', '.join(sorted(READERS))}")
    if not files:
        raise InputError("no annotation file; name at least one with --annotations")
    return READERS[dataset](files, skip_bad_rows=skip_bad_rows)

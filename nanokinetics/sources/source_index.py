"""Keeps the contents of archives from one run to the next, in a file of the dataset."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from nanokinetics.clip import Location
from nanokinetics.common.files import begun

_LONGEST_LINE: Final = 100_000
"""Characters of a line of the index. It comes with a dataset, which may have been handed over."""


def write(index: Path, stamps: Mapping[str, str], members: Iterable[Location]) -> None:
    """Write the index: the archives with their stamps, then their members. Raises OSError."""
    with (
        begun(index) as raw,
        gzip.GzipFile("", "wb", compresslevel=3, fileobj=raw, mtime=0) as packed,
        io.TextIOWrapper(packed, "utf-8", errors="surrogateescape", newline="") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerows(stamps.items())
        table.writerow(())
        table.writerows((m.path, m.name, m.offset, m.size) for m in members)


def kept(index: Path, stamps: Mapping[str, str]) -> dict[str, list[Location]]:
    """The members of each archive that has not changed since the index was written."""
    known: dict[str, list[Location]] = {}
    try:
        with gzip.open(index, "rt", encoding="utf-8", errors="surrogateescape", newline="") as file:
            table = csv.reader(iter(lambda: file.readline(_LONGEST_LINE), ""))
            for name, stamp in iter(lambda: next(table), []):
                if stamps.get(name) == stamp:
                    known[name] = []
            for path, name, offset, size in table:
                if path in known:
                    known[path].append(Location(path, name, int(offset), int(size)))
    except (OSError, EOFError, ValueError, StopIteration, zlib.error, csv.Error):
        return {}  # the index is missing or damaged: scan again
    return known

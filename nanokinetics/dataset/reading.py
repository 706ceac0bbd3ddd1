"""A built dataset's tables, read without changing them: a build may be at work on them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from nanokinetics.clip import ClipId
from nanokinetics.dataset.tables import Row
from nanokinetics.errors import InputError

DAMAGED: Final = "fix or remove the line"


def rows(path: Path, columns: Sequence[str]) -> list[Row]:
    """The rows of a table; none if there is no such file.

    What follows the last line end is still being written, or was torn by a crash, and is left out.
    Raises InputError for a file that is no such table.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    try:
        text = data[: data.rfind(b"\n") + 1].decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: not UTF-8; {DAMAGED}") from None
    return list(parsed(io.StringIO(text, newline=""), columns, str(path)))


def parsed(
    lines: Iterable[str], columns: Sequence[str], where: str, before: int = 0
) -> Iterator[Row]:
    """The rows of a CSV table that has these columns, in this order.

    before: lines of the file `where` that come before these. Raises InputError.
    """
    reader = csv.reader(lines)
    try:
        header = next(reader, None)
        if header is not None and header != list(columns):
            raise InputError(f"{where}: its header is not {','.join(columns)}")
        for row in reader:
            if len(row) != len(columns):
                line = before + reader.line_num
                raise InputError(f"{where}, line {line}: not a row of this table; {DAMAGED}")
            yield dict(zip(columns, row, strict=True))
    except csv.Error as error:
        line = before + reader.line_num
        raise InputError(f"{where}, line {line}: {error}; {DAMAGED}") from None


def id_of(row: Row) -> ClipId:
    """Which clip a row of `stats.csv` or `failed.csv` speaks of."""
    return ClipId(row["split"], row["label"], row["key"])

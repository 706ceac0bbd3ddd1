"""How a table of clips is written: its delimiter, its header, and its columns."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from nanokinetics.annotations.candidates import NEEDED, is_youtube_id
from nanokinetics.annotations.files import AnnotationFile
from nanokinetics.common.names import normalised_split
from nanokinetics.errors import InputError

USE_LABELLED: Final = (
    "without labels clips cannot be sampled by class; "
    "use a labelled file, such as that dataset's train or validate file"
)

_KNOWN: Final = frozenset((*NEEDED, "is_cc"))
_HEADERLESS: Final = {
    3: ("youtube_id", "time_start", "time_end"),
    5: NEEDED,
    6: (*NEEDED, "is_cc"),
}
_WIDEST: Final = max(_HEADERLESS)

_DELIMITERS: Final = ",\t;|"
_NAMED: Final = re.compile(rb"\s*\"?sep=(.)\"?[ ,;\t]*(?:\r\n|\r|\n)", re.IGNORECASE)
"""The line by which a spreadsheet is told the delimiter."""

_HEAD: Final = 100_000
"""Bytes that show the delimiter and the header."""

_ABOVE: Final = 10
"""Rows that may stand above the header, such as the title of a sheet; and that show a delimiter."""

Record = tuple[int, list[str], int]
"""A row: its first line in the file, its fields, and its last line. Lines count from 1."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to read a table.

    columns: the column of each field. header: the fields of the header, or none. lines_above: the
    lines above the first row. split: the split of every row, if the file has no such column.
    padding: columns at the end that have no name, and that some rows may lack.
    """

    columns: tuple[str, ...]
    delimiter: str
    header: Sequence[str]
    lines_above: int
    split: str | None
    padding: int = 0


def dialect_of(source: AnnotationFile) -> Dialect:
    """How a table is written. Raises InputError if it is no table of labelled clips."""
    delimiter, above = _delimiter(source.data)
    rows = _header_and_rows(records(source, delimiter, above))
    line, first, last = next(rows, (0, [], 0))
    if not first:
        raise InputError(f"{source.path}: is empty; download it again")
    header = _names(first)
    has_header = _is_header(header)
    if has_header:
        columns, lines_above = header, last
        if next(rows, None) is None:
            raise InputError(f"{source.path}: has a header but no rows; download it again")
        _check_header(source.path, line, header)
    else:
        columns, lines_above = list(_headerless(source.path, line, first)), line - 1
        if "label" not in columns:
            raise InputError(f"{source.path}: its rows have no label; {USE_LABELLED}")
    names = [name if name in NEEDED else f"unused {i}" for i, name in enumerate(columns)]
    split = None if "split" in columns else _split_of_name(source)
    return Dialect(
        tuple(names),
        delimiter,
        first if has_header else (),
        lines_above,
        split,
        len(columns) - len(_without_padding(columns)),
    )


def other_table(source: AnnotationFile) -> str | None:
    """The reason why a table is not one of labelled clips, from its first row; None if it is."""
    delimiter, above = _delimiter(source.data)
    first = next(_header_and_rows(records(source, delimiter, above)), (0, [""], 0))[1]
    if _is_header(_names(first)):
        return None if "label" in _names(first) else "it has no labels"
    if not any(map(is_youtube_id, first)):
        return "it names no clips"
    return None if not is_youtube_id(first[0]) else "it has no labels"


def records(source: AnnotationFile, delimiter: str, lines_above: int) -> Iterator[Record]:
    """Each row that is not blank. Raises InputError if the fields cannot be told apart."""
    last = 0
    try:
        for line, fields, last in _parsed(source.data, delimiter):
            if line > lines_above:
                yield line, fields, last
    except csv.Error as error:
        raise InputError(
            f"{source.path}, line {last + 1}: {error}; is a quote not closed?",
        ) from None


def _parsed(data: bytes, delimiter: str) -> Iterator[Record]:
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", errors="replace", newline="")
    rows = csv.reader(text, delimiter=delimiter)
    last = 0
    for fields in rows:
        line, last = last + 1, rows.line_num
        if not fields:
            continue
        if fields[0].strip() or "".join(fields).strip():
            yield line, fields, last


def _header_and_rows(rows: Iterator[Record]) -> Iterator[Record]:
    """The rows from the header on, if only titles stand above it; otherwise all of them."""
    head = list(islice(rows, _ABOVE))
    at = next((i for i, (_, fields, _) in enumerate(head) if _is_header(_names(fields))), 0)
    if any(map(is_youtube_id, (field for _, fields, _ in head[:at] for field in fields))):
        at = 0
    yield from head[at:]
    yield from rows


def _delimiter(data: bytes) -> tuple[str, int]:
    """The delimiter, and the number of lines that say nothing else."""
    named = _NAMED.match(data)
    if named:
        text = named[0].decode(errors="replace").rstrip("\r\n")
        return named[1].decode("latin-1"), 1 + text.count("\n")
    head = data[:_HEAD]
    return max(_DELIMITERS, key=lambda delimiter: _fitness(head, delimiter)), 0


def _fitness(head: bytes, delimiter: str) -> tuple[int, int, int]:
    """How well a delimiter fits: names of columns, then ids, then fields of the first row."""
    rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):  # the rows before it show enough
        rows.extend(fields for _, fields, _ in islice(_parsed(head, delimiter), _ABOVE))
    known = max((len(_KNOWN.intersection(_names(fields))) for fields in rows), default=0)
    ids = sum(any(map(is_youtube_id, fields)) for fields in rows)
    return known if known > 1 else 0, ids, len(rows[0]) if rows else 0


def _names(fields: Sequence[str]) -> list[str]:
    return [field.strip().casefold() for field in fields]


def _is_header(names: Sequence[str]) -> bool:
    return len(_KNOWN.intersection(names)) >= 2


def _check_header(path: Path, line: int, header: Sequence[str]) -> None:
    missing = [name for name in NEEDED if name not in header and name != "split"]
    if missing == ["label"]:
        raise InputError(f"{path}: has no column `label`; {USE_LABELLED}")
    if missing:
        raise InputError(
            f"{path}, line {line}: the header has no column {', '.join(missing)}; "
            f"it needs {','.join(NEEDED)}",
        )
    twice = [name for name in NEEDED if header.count(name) > 1]
    if twice:
        raise InputError(f"{path}, line {line}: the header names {twice[0]} twice; keep one")


def _headerless(path: Path, line: int, first: list[str]) -> tuple[str, ...]:
    fields = _without_padding(first) if len(first) > _WIDEST else first
    columns = _HEADERLESS.get(len(fields))
    if len(fields) == 4:
        columns = NEEDED[1:] if normalised_split(fields[3]) else NEEDED[:4]
    if columns is None:
        raise InputError(
            f"{path}, line {line}: neither a header nor a row; "
            f"a row is {','.join(NEEDED)}, but this line has {len(first)} fields",
        )
    return (*columns, *("" for _ in first[len(fields) :]))


def _without_padding(fields: Sequence[str]) -> Sequence[str]:
    """The fields without empty ones at the end."""
    filled = [i for i, field in enumerate(fields, 1) if field.strip()]
    return fields[: max(filled, default=0)]


def _split_of_name(source: AnnotationFile) -> str:
    """The split that the name of a file says, or of what a member of an archive lies in."""
    for name in source.names:
        words = re.split(r"[^a-z]+", name.casefold())
        splits = {split for word in words if (split := normalised_split(word))}
        if len(splits) == 1:
            return splits.pop()
        if splits:
            break
    raise InputError(
        f"{source.path}: has no column `split`, and its name does not say it; "
        "call the file train.csv, val.csv or test.csv",
    )

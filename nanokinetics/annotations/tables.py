"""Kinetics annotations as tables: CSV and TSV, with a header in any order or without one.

pandas reads a clean file. If anything is unusual, the `csv` module reads the file again, because
only `csv` gives the line numbers of rows.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from nanokinetics.annotations.candidates import (
    NEEDED,
    candidates,
    clean_candidates,
    is_youtube_id,
)
from nanokinetics.annotations.files import AnnotationFile
from nanokinetics.common.names import normalised_split
from nanokinetics.errors import BadRow, InputError

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


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How to read a CSV file: the column of each field, and the lines above the first row."""

    columns: tuple[str, ...]
    delimiter: str
    has_header: bool
    lines_above: int
    split: str | None
    """The split of every row, if the file has no such column."""


def read_table(source: AnnotationFile) -> tuple[pd.DataFrame, list[BadRow]]:
    """The usable rows of a CSV or TSV file as candidates, and all other rows.

    Raises InputError if the whole file is unusable.
    """
    dialect = _dialect(source)
    frame = _quick(source.data, dialect)
    return _careful(source, dialect) if frame is None else (frame, [])


def other_table(source: AnnotationFile) -> str | None:
    """The reason why a table is not one of labelled clips, from its first row; None if it is."""
    first = next(_records(source, _delimiter(source.data), lines_above=0), (0, [""], 0))[1]
    header = [cell.strip().casefold() for cell in first]
    if len(_KNOWN.intersection(header)) >= 2:
        return None if "label" in header else "it has no labels"
    if not any(map(is_youtube_id, first)):
        return "it names no clips"
    return None if not is_youtube_id(first[0]) else "it has no labels"


def _dialect(source: AnnotationFile) -> _Dialect:
    delimiter = _delimiter(source.data)
    records = _records(source, delimiter, lines_above=0)
    line, first, last = next(records, (0, [], 0))
    if not first:
        raise InputError(f"{source.path}: is empty; download it again")
    header = [cell.strip().casefold() for cell in first]
    has_header = len(_KNOWN.intersection(header)) >= 2
    if has_header:
        columns, lines_above = header, last
        if next(records, None) is None:
            raise InputError(f"{source.path}: has a header but no rows; download it again")
        _check_header(source.path, line, header)
    else:
        columns, lines_above = list(_headerless(source.path, line, first)), line - 1
        if "label" not in columns:
            raise InputError(f"{source.path}: its rows have no label; {USE_LABELLED}")
    names = [name if name in NEEDED else f"unused {i}" for i, name in enumerate(columns)]
    split = None if "split" in columns else _split_of_name(source)
    return _Dialect(tuple(names), delimiter, has_header, lines_above, split)


def _check_header(path: Path, line: int, header: list[str]) -> None:
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
    columns = _HEADERLESS.get(len(first))
    if len(first) == 4:
        columns = NEEDED[1:] if normalised_split(first[3]) else NEEDED[:4]
    if columns is None:
        raise InputError(
            f"{path}, line {line}: neither a header nor a row; "
            f"a row is {','.join(NEEDED)}, but this line has {len(first)} fields",
        )
    return columns


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


def _delimiter(data: bytes) -> str:
    line = data.lstrip()[:10_000].splitlines()[0]
    return "\t" if line.count(b"\t") > line.count(b",") else ","


def _quick(data: bytes, dialect: _Dialect) -> pd.DataFrame | None:
    """The candidates of a clean file, read by pandas; None if anything is unusual."""
    types: dict[str, Any] = dict.fromkeys(dialect.columns, object)
    types |= {"youtube_id": "S12", "time_start": "S7", "time_end": "S7"}
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", pd.errors.ParserWarning
        )  # the check below finds extra fields
        try:
            raw = pd.read_csv(
                io.BytesIO(data),
                sep=dialect.delimiter,
                names=list(dialect.columns),
                header=None,
                index_col=False,
                skiprows=dialect.lines_above,
                # not "category", which merges the labels 010 and 10
                dtype=types,
                na_filter=False,
            )
        except ValueError:  # pandas' own errors are ValueErrors too
            return None
    # pandas pads short rows with empty fields, and accepts a long row at the start of a chunk.
    last = dialect.columns[-1]
    short = last not in NEEDED and (raw[last] == "").any()
    delimiters = (len(raw) + dialect.has_header) * (len(dialect.columns) - 1)
    if short or b"\0" in data or data.count(dialect.delimiter.encode()) != delimiters:
        return None
    return clean_candidates(raw if dialect.split is None else raw.assign(split=dialect.split))


def _careful(source: AnnotationFile, dialect: _Dialect) -> tuple[pd.DataFrame, list[BadRow]]:
    """The usable rows, and all other rows with their lines."""
    width = len(dialect.columns)
    wanted = [(name, i) for i, name in enumerate(dialect.columns) if name in NEEDED]
    columns: dict[str, list[str]] = {name: [] for name, _ in wanted}
    lines: list[int] = []
    bad: list[BadRow] = []
    file = str(source.path)
    ends: dict[int, int] = {}
    seen: dict[str, str] = {}  # equal fields share one object, to save memory
    for line, fields, last in _records(source, dialect.delimiter, dialect.lines_above):
        if len(fields) != width:
            over = _over(line, last)
            why = f"{len(fields)} fields where {width} are expected{over}"
            bad.append(BadRow(file, line, why))
            continue
        if last != line:
            ends[line] = last
        lines.append(line)
        for name, i in wanted:
            columns[name].append(seen.setdefault(fields[i], fields[i]))
    raw = pd.DataFrame(columns, dtype=object)
    if dialect.split is not None:
        raw["split"] = dialect.split
    frame, faults = candidates(raw)
    for row, why in faults.items():
        line = lines[row]
        bad.append(BadRow(file, line, why + _over(line, ends.get(line, line))))
    return frame, sorted(bad, key=lambda row: row.line)


def _over(line: int, last: int) -> str:
    return "" if line == last else f" (a quoted field runs on to line {last}: is a quote open?)"


def _records(
    source: AnnotationFile, delimiter: str, lines_above: int
) -> Iterator[tuple[int, list[str], int]]:
    """Each row that is not blank, as its first line in the file, its fields, and its last line."""
    text = io.TextIOWrapper(io.BytesIO(source.data), encoding="utf-8", newline="")
    rows = csv.reader(text, delimiter=delimiter)
    last = 0
    try:
        for fields in rows:
            line, last = last + 1, rows.line_num
            blank = len(fields) <= 1 and not "".join(fields).strip()
            if line > lines_above and not blank:
                yield line, fields, last
    except csv.Error as error:
        raise InputError(
            f"{source.path}, line {last + 1}: {error}; is a quote not closed?",
        ) from None

"""Every dialect of the Kinetics annotations: CSV and TSV, with and without a header, and JSON.

The dialect is told by content, never by the file's name. pandas reads a clean file; as soon as
something is odd, the `csv` module reads it again, because only that one knows the lines of rows.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from nanokinetics.errors import BadRow, BadRows, InputError

from .candidates import Annotations, candidates, digests_by_name, normalised_split
from .files import Source, load

_NEEDED: Final = ("label", "youtube_id", "time_start", "time_end", "split")
_KNOWN: Final = frozenset((*_NEEDED, "is_cc"))
_HEADERLESS: Final = {
    3: ("youtube_id", "time_start", "time_end"),
    5: _NEEDED,
    6: (*_NEEDED, "is_cc"),
}
_JSON: Final = re.compile(rb"\s*[{\[]\s*([\"{}\[\]]|$)")
_USE_LABELLED: Final = (
    "without labels clips cannot be sampled by class; "
    "use a labelled file, such as that dataset's train or validate file"
)


def read(files: Sequence[Path], *, skip_bad_rows: bool = False) -> Annotations:
    """The candidates of all files together.

    Raises InputError for a file that cannot be used, and BadRows with every row that cannot,
    unless `skip_bad_rows`.
    """
    frames: list[pd.DataFrame] = []
    digests: list[tuple[str, str, str]] = []
    bad: list[BadRow] = []
    for path in files:
        source = load(path)
        digests.append((path.name, str(path), source.sha256))
        read_one = _read_json if _JSON.match(source.data) else _read_csv
        frame, bad_here = read_one(source)
        if bad_here and skip_bad_rows and frame.empty:
            raise InputError(f"{path}: not one row can be used; the first: {bad_here[0]}")
        frames.append(frame)
        bad.extend(bad_here)
    if bad and not skip_bad_rows:
        raise BadRows(bad)
    frame = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    return Annotations(frame, digests_by_name(digests), tuple(bad))


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How to read a CSV file: the column of each field, and the lines above the first row."""

    columns: tuple[str, ...]
    delimiter: str
    has_header: bool
    lines_above: int
    split: str | None
    """Of every row, when the file has no such column."""


def _read_csv(source: Source) -> tuple[pd.DataFrame, list[BadRow]]:
    dialect = _dialect(source)
    raw = _quick(source.data, dialect)
    if raw is not None:
        frame, faults = candidates(raw)
        if not faults:
            return frame, []
    return _careful(source, dialect)


def _dialect(source: Source) -> _Dialect:
    delimiter = _delimiter(source.data)
    records = _records(source, delimiter, lines_above=0)
    line, first, last = next(records)
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
            raise InputError(f"{source.path}: its rows have no label; {_USE_LABELLED}")
    names = [name if name in _NEEDED else f"unused {i}" for i, name in enumerate(columns)]
    split = None if "split" in columns else _split_of_name(source.path)
    return _Dialect(tuple(names), delimiter, has_header, lines_above, split)


def _check_header(path: Path, line: int, header: list[str]) -> None:
    missing = [name for name in _NEEDED if name not in header and name != "split"]
    if missing == ["label"]:
        raise InputError(f"{path}: has no column `label`; {_USE_LABELLED}")
    if missing:
        raise InputError(
            f"{path}, line {line}: the header has no column {', '.join(missing)}; "
            f"it needs {','.join(_NEEDED)}",
        )
    twice = [name for name in _NEEDED if header.count(name) > 1]
    if twice:
        raise InputError(f"{path}, line {line}: the header names {twice[0]} twice; keep one")


def _headerless(path: Path, line: int, first: list[str]) -> tuple[str, ...]:
    columns = _HEADERLESS.get(len(first))
    if len(first) == 4:
        columns = _NEEDED[1:] if normalised_split(first[3]) else _NEEDED[:4]
    if columns is None:
        raise InputError(
            f"{path}, line {line}: neither a header nor a row; "
            f"a row is {','.join(_NEEDED)}, but this line has {len(first)} fields",
        )
    return columns


def _split_of_name(path: Path) -> str:
    words = re.split(r"[^a-z]+", path.name.casefold())
    splits = {split for word in words if (split := normalised_split(word))}
    if len(splits) != 1:
        raise InputError(
            f"{path}: has no column `split`, and its name does not say it; "
            "call the file train.csv, val.csv or test.csv",
        )
    return splits.pop()


def _delimiter(data: bytes) -> str:
    line = data.lstrip()[:10_000].splitlines()[0]
    return "\t" if line.count(b"\t") > line.count(b",") else ","


def _quick(data: bytes, dialect: _Dialect) -> pd.DataFrame | None:
    """The rows as pandas reads them, or None when it might have read a row of a wrong length."""
    width = len(dialect.columns)
    try:
        raw = pd.read_csv(
            io.BytesIO(data),
            sep=dialect.delimiter,
            names=list(dialect.columns),
            header=None,
            index_col=False,
            skiprows=dialect.lines_above,
            dtype=object,  # not "category", which would take 010 and 10 for one label
            na_filter=False,
            skip_blank_lines=False,  # skipping would also strip the first field of a row
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError):
        return None
    # pandas fills a short row with empty fields, and passes a long one at the head of a chunk.
    last = dialect.columns[-1]
    short = last not in _NEEDED and (raw[last] == "").any()  # an empty needed field is bad anyway
    delimiters = (len(raw) + dialect.has_header) * (width - 1)
    if short or data.count(dialect.delimiter.encode()) != delimiters:
        return None
    return raw if dialect.split is None else raw.assign(split=dialect.split)


def _careful(source: Source, dialect: _Dialect) -> tuple[pd.DataFrame, list[BadRow]]:
    """The usable rows, and each other row with its line."""
    width = len(dialect.columns)
    wanted = [(name, i) for i, name in enumerate(dialect.columns) if name in _NEEDED]
    columns: dict[str, list[str]] = {name: [] for name, _ in wanted}
    lines: list[int] = []
    bad: list[BadRow] = []
    file = str(source.path)
    ends: dict[int, int] = {}
    seen: dict[str, str] = {}  # equal fields share one object, which keeps a large file small
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
    source: Source, delimiter: str, lines_above: int
) -> Iterator[tuple[int, list[str], int]]:
    """Each row that is not blank: its first line in the file, its fields, its last line."""
    text = io.TextIOWrapper(io.BytesIO(source.data), encoding="utf-8", newline="")
    rows = csv.reader(text, delimiter=delimiter)
    last = 0
    try:
        for fields in rows:
            line, last = last + 1, rows.line_num
            if line > lines_above and "".join(fields).strip():
                yield line, fields, last
    except csv.Error as error:
        raise InputError(
            f"{source.path}, line {last + 1}: {error}; is a quote not closed?",
        ) from None


def _read_json(source: Source) -> tuple[pd.DataFrame, list[BadRow]]:
    """`{id: {annotations: {label, segment: [start, end]}, subset, …}}`, seconds as floats.

    The line of a bad row is the position of its entry, from 1.
    """
    entries = _entries(source)
    values = list(entries.values())
    if not any(isinstance(value, dict) and value.get("annotations") for value in values):
        raise InputError(f"{source.path}: its entries have no annotations; {_USE_LABELLED}")
    rows = [_json_row(youtube_id, value) for youtube_id, value in entries.items()]
    frame, faults = candidates(pd.DataFrame(rows, columns=list(_NEEDED), dtype=object))
    ids = list(entries)
    file = str(source.path)
    bad = [BadRow(file, row + 1, f"{ids[row]!a}: {faults[row]}") for row in sorted(faults)]
    return frame, bad


def _entries(source: Source) -> dict[str, Any]:
    try:
        found = json.loads(source.data, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source.path}: is not valid JSON: {error}; download it again") from None
    if not isinstance(found, dict) or not found:
        raise InputError(f"{source.path}: no JSON object of the form {{id: {{annotations: …}}}}")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a name that stands twice would silently lose a clip."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!a} stands there twice")
    return found


def _json_row(youtube_id: str, entry: object) -> tuple[str, ...]:
    """The entry as text, in the order of _NEEDED; what is missing or of a wrong type is empty."""
    entry = entry if isinstance(entry, dict) else {}
    annotations = entry.get("annotations")
    annotations = annotations if isinstance(annotations, dict) else {}
    segment = annotations.get("segment")
    start, end = segment if isinstance(segment, list) and len(segment) == 2 else ("", "")
    label, split = annotations.get("label"), entry.get("subset")
    return (
        label if isinstance(label, str) else "",
        youtube_id,
        str(start),
        str(end),
        split if isinstance(split, str) else "",
    )

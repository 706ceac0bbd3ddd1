"""Kinetics annotations as tables: CSV and TSV, with a header in any order or without one.

pandas reads a clean file. If anything is unusual, the `csv` module reads the file again, because
only `csv` gives the line numbers of rows.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import pandas as pd

from nanokinetics.annotations.candidates import NEEDED, candidates, clean_candidates
from nanokinetics.annotations.files import AnnotationFile
from nanokinetics.annotations.spreadsheets import damage, restored_id, seconds
from nanokinetics.annotations.table_dialect import Dialect, dialect_of, records
from nanokinetics.errors import BadRow

_TIMES = ("time_start", "time_end")


def read_table(source: AnnotationFile) -> tuple[pd.DataFrame, list[BadRow]]:
    """The usable rows of a CSV or TSV file as candidates, and all other rows.

    Raises InputError if the whole file is unusable.
    """
    dialect = dialect_of(source)
    frame = _quick(source.data, dialect)
    return _careful(source, dialect) if frame is None else (frame, [])


def _quick(data: bytes, dialect: Dialect) -> pd.DataFrame | None:
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
    delimiters = (len(raw) + bool(dialect.header)) * (len(dialect.columns) - 1)
    if short or b"\0" in data or data.count(dialect.delimiter.encode()) != delimiters:
        return None
    return clean_candidates(raw if dialect.split is None else raw.assign(split=dialect.split))


def _careful(source: AnnotationFile, dialect: Dialect) -> tuple[pd.DataFrame, list[BadRow]]:
    """The usable rows, and all other rows with their lines."""
    width = len(dialect.columns)
    least = width - dialect.padding
    wanted = [(name, i) for i, name in enumerate(dialect.columns) if name in NEEDED]
    columns: dict[str, list[str]] = {name: [] for name, _ in wanted}
    lines: list[int] = []
    bad: list[BadRow] = []
    file = str(source.path)
    ends: dict[int, int] = {}
    seen: dict[str, str] = {}  # equal fields share one object, to save memory
    for line, fields, last in records(source, dialect.delimiter, dialect.lines_above):
        if not least <= len(fields) <= width:
            over = _over(line, last)
            why = f"{len(fields)} fields where {width} are expected{over}"
            bad.append(BadRow(file, line, why))
            continue
        if fields == dialect.header:  # of a file that was joined to another one
            continue
        if last != line:
            ends[line] = last
        lines.append(line)
        for name, i in wanted:
            columns[name].append(seen.setdefault(fields[i], fields[i]))
    _read_as_written(columns, dialect.delimiter)
    raw = pd.DataFrame(columns, dtype=object)
    if dialect.split is not None:
        raw["split"] = dialect.split
    frame, faults = candidates(raw)
    for row, why in faults.items():
        line = lines[row]
        over = _over(line, ends.get(line, line))
        what = _damage(columns, row)
        what_for = f" ({what})" if what else ""
        bad.append(BadRow(file, line, f"{why}{what_for}{over}", altered=what is not None))
    return frame, sorted(bad, key=lambda row: row.line)


def _read_as_written(columns: dict[str, list[str]], delimiter: str) -> None:
    """Replaces ids and times that a spreadsheet wrote in its way, if nothing of them is lost."""
    columns["youtube_id"] = [
        text if len(text) == 11 else restored_id(text) for text in columns["youtube_id"]
    ]
    times = set().union(*(columns[name] for name in _TIMES))
    plain = seconds(times, delimiter)
    if plain:
        for name in _TIMES:
            columns[name] = [plain.get(text, text) for text in columns[name]]


def _damage(columns: dict[str, list[str]], row: int) -> str | None:
    """What a spreadsheet made of a value in a bad row, or None."""
    of_id = damage(columns["youtube_id"][row])
    of_times = (damage(columns[name][row], is_time=True) for name in _TIMES)
    return of_id or next(filter(None, of_times), None)


def _over(line: int, last: int) -> str:
    return "" if line == last else f" (a quoted field runs on to line {last}: is a quote open?)"

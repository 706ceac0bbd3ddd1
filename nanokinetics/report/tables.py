"""Read the tables for a report. A run may append to them at the same time."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Any, Final

import numpy as np
import pandas as pd

from nanokinetics.clip import Group
from nanokinetics.common.names import is_inside
from nanokinetics.config import LONGEST_DURATION
from nanokinetics.dataset.built import Dataset
from nanokinetics.dataset.ledger import FAILED_COLUMNS, STATS_COLUMNS, WAITS_COLUMNS
from nanokinetics.dataset.tables import Damaged, Reader
from nanokinetics.errors import InputError
from nanokinetics.layout import FAILED, RUN, SELECTION, STATS, WAITS

IDENTITY: Final = ["split", "label", "key"]
"""The columns that identify a clip."""

NUMBERS: Final = {
    **dict.fromkeys(("bytes", "downloaded_bytes"), 1e15),
    **dict.fromkeys(
        ("duration", "download_seconds", "trim_seconds", "total_seconds"), LONGEST_DURATION
    ),
}
"""The columns of numbers, and the largest plausible value of each. Larger ones are left out."""

TIMES: Final = frozenset({"finished_at", "failed_at", "since", "until"})

STATS_USED: Final = (
    *(*IDENTITY, "path", "source", *NUMBERS, "finished_at"),
    *("youtube_id", "time_start"),  # as text, for links
)
FAILED_USED: Final = (*IDENTITY, "reason", "kind", "message", "failed_at")

Bools = np.ndarray[Any, np.dtype[np.bool_]]


class NotOurs(InputError):
    """A file has the name of a table of a build, but is not such a table."""


@dataclass(frozen=True, eq=False)
class Tables:
    """The tables of one dataset.

    stats, failed: the last row of each clip, in the order of the tables, with the columns of
        STATS_USED and FAILED_USED; sizes in bytes, durations in seconds, and times in seconds
        since the epoch. NaN stands for a missing value.
    waits: every wait of the runs, with the columns of WAITS_COLUMNS; None without such a table.
    notes: unusable parts of the tables, in words.
    record: `run.json`; empty without one.
    quotas: clips wanted of each class, from `run.json`; empty without one.
    names: the readable name of each label that is a code.
    sizes: bytes of each clip's file, in the order of `stats`; NaN if the file is missing.
    """

    root: Path
    stats: pd.DataFrame
    failed: pd.DataFrame
    waits: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    quotas: Mapping[Group, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    sizes: np.ndarray[Any, np.dtype[np.float64]] = field(default_factory=lambda: np.empty(0))


def read(dest: Path) -> Tables:
    """Read the tables of a built dataset, or a `stats.csv` and the tables beside it.

    An unfinished last line is left out. Raises InputError if `dest` is neither, and for torn rows;
    then it names the file and the line.
    """
    root, stats = (dest.parent, dest) if dest.is_file() else (dest, dest / STATS)
    if not root.is_dir():
        raise InputError(f"{dest}: there is no such folder, nor such a table")
    if not any(path.exists() for path in (stats, root / RUN, root / SELECTION)):
        raise InputError(
            f"{dest}: holds no {STATS}, {RUN} or {SELECTION}, so it is not a dataset of ours; name "
            f"the folder that was built, or a {STATS}"
        )
    dataset = Dataset.found_in(root)
    names = dataset.record.get("names")
    made, notes = _table(stats, STATS_USED, IDENTITY, STATS_COLUMNS)
    made = made.drop_duplicates(IDENTITY, keep="last", ignore_index=True)
    failed, more = _failed(root / FAILED)
    waits, most = _waits(root / WAITS)
    return Tables(
        root=root,
        stats=made,
        failed=failed.drop_duplicates(IDENTITY, keep="last", ignore_index=True),
        waits=waits,
        notes=(*notes, *more, *most),
        record=dataset.record,
        quotas=_quotas(dataset),
        names=names if isinstance(names, dict) else {},
        sizes=np.array([_size(root, path) for path in made["path"].tolist()], dtype=np.float64),
    )


def _quotas(dataset: Dataset) -> dict[Group, int]:
    try:
        return {group: int(n) for group, n in dataset.wanted.items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        where = dataset.home.place(RUN)
        raise InputError(f"{where}: its n and classes do not fit together; restore it") from None


def _table(
    path: Path, used: Sequence[str], needed: Sequence[str], ours: Sequence[str]
) -> tuple[pd.DataFrame, list[str]]:
    """The used columns of a table, and notes on unusable parts.

    A build may still write the table: the last line counts only with its line end. Bad numbers and
    times become NaN. Raises NotOurs if the file is not such a table, and InputError for torn rows.
    """
    text, data = "", path.read_bytes() if path.exists() else b""
    try:
        text = data.decode("utf-8-sig")
        header = Reader(io.StringIO(text, newline=""), path).header
    except UnicodeDecodeError as error:
        raise NotOurs(f"{path}: not a table of ours: {error}") from None
    except Damaged as error:
        raise NotOurs(f"{path}: not a table of ours: {error.why}") from None
    if header == tuple(ours):
        text = text[: text.rfind("\n") + 1]
    elif missing := [name for name in needed if name not in header and data]:
        raise NotOurs(f"{path}: not a table of ours, without a column '{missing[0]}'")
    there = [name for name in used if name in header]
    table = Reader(io.StringIO(text, newline=""), path, columns=header)
    lines, columns = _columns(table, path, there)
    frame = pd.DataFrame(dict(zip(there, columns, strict=True)), dtype=str)
    frame = frame.reindex(columns=list(used), fill_value="")
    left_out: list[tuple[int, str]] = []
    for name in used:
        if name in NUMBERS or name in TIMES:
            frame[name], good = _number(frame[name], name)
            if name in there:
                bad = np.flatnonzero(~good)
                texts = columns[there.index(name)]
                left_out += [(lines[row], f"{name} '{texts[row]}'") for row in bad]
    notes = []
    if header and len(there) < len(used):
        notes.append(
            f"{path.name}: without {', '.join(name for name in used if name not in there)}"
        )
    if left_out:
        line, what = min(left_out)
        notes.append(
            f"{path.name}: {len(left_out):,} numbers or times that cannot be read were left out "
            f"(the first: line {line}, {what})"
        )
    return frame, notes


def _columns(table: Reader, path: Path, names: Sequence[str]) -> tuple[list[int], list[list[str]]]:
    """The line number of each row, and the named columns. Raises InputError for a torn row."""
    lines: list[int] = []
    columns: list[list[str]] = [[] for _ in names]
    positions, width = [table.header.index(name) for name in names], len(table.header)
    for line, row in table:
        if not row:
            continue
        if len(row) != width:
            raise Damaged(path, line, f"{len(row)} values under {width} columns")
        lines.append(line)
        for column, position in zip(columns, positions, strict=True):
            column.append(row[position])
    return lines, columns


def _number(texts: pd.Series, name: str) -> tuple[pd.Series, Bools]:
    """Parse a column, times to seconds since the epoch. Also returns which texts are valid."""
    if name in TIMES:
        times = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
        found = (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    else:
        found = pd.to_numeric(texts, errors="coerce").astype(np.float64)
        found = found.where(found.between(0, NUMBERS[name]))
    return found, found.notna().to_numpy()


def _failed(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read `failed.csv`. A file that is not such a table is left out, with a note."""
    try:
        return _table(path, FAILED_USED, FAILED_USED, FAILED_COLUMNS)
    except NotOurs as error:
        nothing = pd.DataFrame(columns=list(FAILED_USED), dtype=str)
        return nothing.astype({"failed_at": np.float64}), [f"{error}; left out"]


def _waits(path: Path) -> tuple[pd.DataFrame | None, list[str]]:
    """Read `waits.csv`, without waits that end before they begin. None if there is no valid one."""
    if not path.exists():
        return None, []
    try:
        waits, notes = _table(path, WAITS_COLUMNS, WAITS_COLUMNS, WAITS_COLUMNS)
    except NotOurs as error:
        return None, [f"{error}; left out"]
    return waits[waits["until"] >= waits["since"]], notes


def _size(root: Path, path: str) -> float:
    try:
        found = os.stat(f"{root}/{path}")  # noqa: PTH116 - a hundred thousand times
    except (OSError, ValueError):  # a foreign path may hold a NUL
        return np.nan
    return found.st_size if is_inside(path) and S_ISREG(found.st_mode) else np.nan

"""The tables that a report is made of, read as they stand: also while a run appends to them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Any, Final

import numpy as np
import pandas as pd

from ..clip import Group
from ..config import LONGEST_DURATION
from ..errors import InputError
from ..layout import FAILED, RUN, SELECTION, STATS, Layout
from ..plan import quotas_of, read_record

IDENTITY: Final = ["split", "label", "key"]
"""The columns that tell clips apart."""

NUMBERS: Final = {
    **dict.fromkeys(("bytes", "downloaded_bytes"), 1e15),
    **dict.fromkeys(
        ("duration", "download_seconds", "trim_seconds", "total_seconds"), LONGEST_DURATION
    ),
}
"""The columns that hold numbers, and the largest that can be meant."""

STATS_USED: Final = (*IDENTITY, "path", "source", *NUMBERS, "finished_at")
FAILED_USED: Final = (*IDENTITY, "reason", "kind", "message", "failed_at")


@dataclass(frozen=True, eq=False)
class Tables:
    """What is known of one dataset.

    stats, failed: the last row of each clip, in the order of the tables, with the columns of
        STATS_USED and FAILED_USED; sizes in bytes, durations in seconds, and times in seconds
        since the epoch.
    quotas: clips wanted of each class, as `run.json` has it; empty without one.
    names: what labels that are codes stand for.
    sizes: bytes of each clip's file, in the order of `stats`; NaN where there is none.
    """

    root: Path
    stats: pd.DataFrame
    failed: pd.DataFrame
    quotas: Mapping[Group, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    sizes: np.ndarray[Any, np.dtype[np.float64]] = field(default_factory=lambda: np.empty(0))


def read(dest: Path) -> Tables:
    """The tables of a built dataset, or of a `stats.csv` and what lies beside it.

    A last line that is still being written is left out. Raises InputError for what is neither, and
    for damage, with file and line.
    """
    root, stats = (dest.parent, dest) if dest.is_file() else (dest, dest / STATS)
    layout = Layout(root)
    if not root.is_dir():
        raise InputError(f"{dest}: there is no such folder, nor such a table")
    if not any((stats.exists(), layout.run.exists(), layout.selection.exists())):
        raise InputError(
            f"{dest}: holds no {STATS}, {RUN} or {SELECTION}, so it is not a dataset of ours; name "
            f"the folder that was built, or a {STATS}"
        )
    record = (read_record(layout) if layout.run.exists() else None) or {}
    names = record.get("names")
    made = _table(stats, STATS_USED, "finished_at")
    return Tables(
        root=root,
        stats=made,
        failed=_table(root / FAILED, FAILED_USED, "failed_at"),
        quotas=_quotas(record, layout.run),
        names=names if isinstance(names, dict) else {},
        sizes=np.array([_size(root, path) for path in made["path"].tolist()], dtype=np.float64),
    )


def _quotas(record: Mapping[str, Any], path: Path) -> dict[Group, int]:
    if not record:
        return {}
    try:
        return {group: int(n) for group, n in quotas_of(record).items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError(f"{path}: its n and classes do not fit together; restore it") from None


def _table(path: Path, columns: tuple[str, ...], at: str) -> pd.DataFrame:
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1] or data or ",".join(columns).encode()
    try:
        header = next(csv.reader([whole.partition(b"\n")[0].decode()]))
        if missing := [name for name in columns if name not in header]:
            raise InputError(f"{path}: not a table of ours, without a column '{missing[0]}'")
        frame = pd.read_csv(
            io.BytesIO(whole), dtype=str, na_filter=False, usecols=list(columns), index_col=False
        )
    except (ValueError, csv.Error) as error:  # pandas' own errors are ValueErrors too
        raise InputError(f"{path}: not a table of ours: {' '.join(str(error).split())}") from None
    for name in columns:
        if name in NUMBERS:
            found = pd.to_numeric(frame[name], errors="coerce")
            good = found.between(0, NUMBERS[name])
            _check(path, frame[name], good, f"is no number from 0 to {NUMBERS[name]:g}")
            frame[name] = found.astype(np.float64)
    times = pd.to_datetime(frame[at], format="ISO8601", utc=True, errors="coerce")
    _check(path, frame[at], times.notna(), "is no time as ISO 8601 has it")
    frame[at] = (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    return frame.drop_duplicates(IDENTITY, keep="last", ignore_index=True)


def _check(path: Path, texts: pd.Series, good: pd.Series, why: str) -> None:
    """Raises InputError naming the first line whose text is not good."""
    if not good.all():
        row = int(np.flatnonzero(~good.to_numpy())[0])
        raise InputError(
            f"{path}, line {row + 2}: {texts.name} '{texts.iloc[row]}' {why}; "
            "mend or remove the line"
        )


def is_inside(path: str) -> bool:
    """Whether a path of a table stays in the dataset's folder; the table may be anybody's."""
    return not path.startswith("/") and ".." not in path.split("/")


def _size(root: Path, path: str) -> float:
    try:
        found = os.stat(f"{root}/{path}")  # noqa: PTH116 - a hundred thousand times
    except (OSError, ValueError):  # a stranger's path may hold a NUL
        return np.nan
    return found.st_size if is_inside(path) and S_ISREG(found.st_mode) else np.nan

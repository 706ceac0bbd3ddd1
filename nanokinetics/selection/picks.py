"""The table that `sample` writes: a selection with its picks marked. `--from` takes it again.

People edit it in spreadsheets in between, so it is read with their habits: `;` or tabs between the
fields, decimal commas, a byte order mark, other columns, rows in any order.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from nanokinetics.annotations import dialect
from nanokinetics.annotations.candidates import of_texts
from nanokinetics.clip import ClipId, Group
from nanokinetics.common.names import shown
from nanokinetics.dataset.ranking import COLUMNS
from nanokinetics.dataset.tables import ABOUT, Damaged, rendered
from nanokinetics.errors import InputError
from nanokinetics.layout import SPLITS
from nanokinetics.selection.frame import Selection
from nanokinetics.selection.manifest import Manifest, grouped, ids_of

PICK: Final = "pick"
"""The column that marks picks with `1`, and reserves with `0`."""

SEED: Final = "seed"
"""The column with the seed that chose, the same in every row."""

_YES: Final = frozenset(("1", "true", "yes", "x"))
_NO: Final = frozenset(("", "0", "false", "no"))


def table_of(selection: Selection, seed: str, *, picks_only: bool = False) -> str:
    """The rows of `selection.csv` with the columns `pick` and `seed` after them.

    picks_only: leave the reserves out.
    """
    is_pick = np.zeros(len(selection.frame), dtype=bool)
    for group, wanted in selection.quotas.items():
        rows = selection.rows(group)
        is_pick[rows.start : min(rows.stop, rows.start + wanted)] = True
    header, *lines = selection.to_csv().decode().removesuffix("\n").split("\n")
    seed = rendered([[seed]]).removesuffix("\n")
    marked = (
        f"{line},{pick:d},{seed}\n"
        for line, pick in zip(lines, is_pick.tolist(), strict=True)
        if pick or not picks_only
    )
    return "".join([f"{header},{PICK},{SEED}\n", *marked])


def is_table(data: bytes) -> bool:
    """Whether a file looks like such a table: its first line names some of the columns."""
    first = data[:10_000].decode("utf-8-sig", "replace").split("\n", 1)[0]
    return len(set(_cells(first)) & {*COLUMNS, PICK}) >= 2


def read(path: Path, data: bytes, dataset: str) -> Manifest:
    """The picks of a table as a subset, and its reserves if it has any.

    Without a column `pick` all rows are picks. Raises InputError that names the file and the line.
    """
    where = str(path)
    lines, raw = _rows(data, where)
    frame = _judged(raw, lines, where, dataset)
    ranked = frame[_is_pick(raw, lines, where)]
    others = frame.drop(ranked.index)
    if ranked.empty:
        raise InputError(f"{where} marks no row as a pick; put 1 into the column {PICK}")
    chosen = sorted({id_.group for id_ in ids_of(ranked)}, key=_order)
    reserves = others[[id_.group in set(chosen) for id_ in ids_of(others)]]
    return Manifest(
        _record(path, data, dataset, raw, ranked, chosen),
        grouped(ranked),
        None if reserves.empty else grouped(reserves),
    )


def _rows(data: bytes, where: str) -> tuple[list[int], pd.DataFrame]:
    """The line and the texts of each row that is not blank, by rank if there is such a column."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{where}, line {line}: not UTF-8; save it as CSV UTF-8") from None
    delimiter = _delimiter(text.split("\n", 1)[0])
    table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header: list[str] = []
    lines: list[int] = []
    rows: list[list[str]] = []
    for line, cells in _numbered(table, where):
        if not header:
            header = _header(cells, where)
            continue
        if any(cells[len(header) :]) or len(cells) < len(header):
            raise InputError(
                f"{where}, line {line}: {len(cells)} fields where {len(header)} are expected; "
                "fix or remove the line"
            )
        lines.append(line)
        rows.append(cells[: len(header)])
    raw = pd.DataFrame(rows, columns=header, dtype=object)
    if delimiter == ";":  # where numbers have decimal commas
        for name in ABOUT[4:]:
            raw[name] = [text.replace(",", ".") for text in raw[name]]
    return _by_rank(lines, raw, where)


def _numbered(table: Any, where: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of its last line."""
    try:
        for cells in table:
            if any(cell.strip() for cell in cells):
                yield table.line_num, cells
    except csv.Error as error:
        raise Damaged(where, table.line_num, str(error)) from None


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def _cells(line: str) -> list[str]:
    return [cell.strip().strip('"').casefold() for cell in line.split(_delimiter(line))]


def _header(cells: Sequence[str], where: str) -> list[str]:
    names = [cell.strip().casefold() for cell in cells]
    while names and not names[-1]:
        names.pop()
    missing = [name for name in ABOUT if name not in names]
    twice = [name for name in (*COLUMNS, PICK, SEED) if names.count(name) > 1]
    if missing or twice:
        what = f"lacks {', '.join(missing)}" if missing else f"names {twice[0]} twice"
        hint = "; annotation files go to --annotations" if missing == ["key"] else ""
        raise InputError(f"{where}, line 1: the header {what}; it needs {','.join(ABOUT)}{hint}")
    if tuple(names) == COLUMNS:
        raise InputError(
            f"{where} ranks all candidates and does not say which are picks; take the table of "
            f"`sample`, add a column {PICK} with 1 or 0, or name the folder that it lies in"
        )
    return [name if names.count(name) == 1 else f"{name} {i}" for i, name in enumerate(names)]


def _by_rank(lines: list[int], raw: pd.DataFrame, where: str) -> tuple[list[int], pd.DataFrame]:
    if "rank" not in raw.columns:
        return lines, raw
    for line, text in zip(lines, raw["rank"], strict=True):
        if not text.strip().isdecimal():
            raise InputError(
                f"{where}, line {line}: the rank {shown(text)} is no whole number; put the right "
                "one there, or take the column out"
            )
    order = sorted(range(len(lines)), key=[int(text) for text in raw["rank"]].__getitem__)
    return [lines[row] for row in order], raw.take(order).reset_index(drop=True)


def _judged(raw: pd.DataFrame, lines: Sequence[int], where: str, dataset: str) -> pd.DataFrame:
    """The rows as candidates. Raises InputError for the first bad row, and for a repeated one."""
    texts = of_texts({name: raw[name].tolist() for name in ABOUT})
    judged = dialect(dataset).judged
    frame, fault = judged(texts)
    if fault:
        good, bad = 0, len(texts)  # the first `good` rows have no fault, the first `bad` have one
        while bad - good > 1:
            middle = (good + bad) // 2
            found = judged(texts.head(middle))[1]
            good, bad = (good, middle) if found else (middle, bad)
        fault = judged(texts.iloc[good:bad].reset_index(drop=True))[1] or fault
        raise InputError(f"{where}, line {lines[good]}: {fault}; fix or remove the line")
    seen: dict[ClipId, int] = {}
    for line, id_ in zip(lines, ids_of(frame), strict=True):
        first = seen.setdefault(id_, line)
        if first != line:
            raise InputError(
                f"{where}, line {max(first, line)}: the clip '{id_.key}' of '{id_.label}' "
                f"({id_.split}) stands in line {min(first, line)} too; remove one of them"
            )
    return frame


def _is_pick(raw: pd.DataFrame, lines: Sequence[int], where: str) -> np.ndarray:
    if PICK not in raw.columns:
        return np.ones(len(raw), dtype=bool)
    marks = [text.strip().casefold() for text in raw[PICK]]
    for line, mark in zip(lines, marks, strict=True):
        if mark not in _YES and mark not in _NO:
            raise InputError(
                f"{where}, line {line}: {PICK} is {shown(mark)}; write 1 for a pick, 0 for a "
                "reserve"
            )
    return np.array([mark in _YES for mark in marks], dtype=bool)


def _record(
    path: Path,
    data: bytes,
    dataset: str,
    raw: pd.DataFrame,
    picks: pd.DataFrame,
    chosen: Sequence[Group],
) -> Mapping[str, Any]:
    """What `run.json` records of the choice. The seed is empty where the rows do not name one."""
    counts = dict.fromkeys(chosen, 0)
    for id_ in ids_of(picks):
        counts[id_.group] += 1
    classes: dict[str, list[str]] = {}
    for group in chosen:
        classes.setdefault(group.split, []).append(group.label)
    seeds = {*raw[SEED]} if SEED in raw.columns else set()
    return {
        "dataset": dataset,
        "seed": seeds.pop() if len(seeds) == 1 else "",
        "split": list(classes),
        "n": {split: max(n for g, n in counts.items() if g.split == split) for split in classes},
        "classes": classes,
        "labels": sorted({group.label for group in chosen}),
        "annotations": {path.name: hashlib.sha256(data).hexdigest()},
    }


def _order(group: Group) -> tuple[int, str]:
    return SPLITS.index(group.split), group.label

"""A built dataset as its exporters see it: read from its tables, never written to."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from nanokinetics.errors import InputError
from nanokinetics.layout import SPLITS, Layout

if TYPE_CHECKING:
    from nanokinetics.dataset.tables import Row

AGAIN: Final = "run the same build again"

_WHOLE: Final = ("width", "height", "frames", "bytes", "downloaded_bytes")
_NUMBERS: Final = ("fps", "duration")


@dataclass(frozen=True, slots=True)
class Sample:
    """A finished clip. `path` is relative to the dataset; `label_id` is the one that was asked for.

    `row` is its row of `stats.csv`, as text.
    """

    split: str
    label: str
    label_id: int
    path: str
    bytes: int
    row: Row = field(compare=False)

    @property
    def file_name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def extension(self) -> str:
        """`mp4`, `webm`, `jpeg`, …: in small letters, without the dot."""
        return PurePosixPath(self.path).suffix[1:].lower()

    def record(self) -> dict[str, Any]:
        """What the ledger says of it. Times are in seconds, None where unknown."""
        row = self.row
        return {
            "key": row["key"],
            "split": self.split,
            "label": self.label,
            "label_id": self.label_id,
            "path": self.path,
            "youtube_id": row["youtube_id"],
            "time_start": _number(row["time_start"]),
            "time_end": _number(row["time_end"]),
            **{name: int(row[name]) for name in _WHOLE},
            **{name: float(row[name]) for name in _NUMBERS},
            "has_audio": row["has_audio"] == "True",
            "sha256": row["sha256"],
        }


@dataclass(frozen=True)
class Dataset:
    """The finished clips of each split that was asked for, by class folder and name.

    `label_ids` has every chosen class, also those without a clip; `record` is `run.json`.
    """

    root: Path
    splits: Mapping[str, tuple[Sample, ...]]
    label_ids: Mapping[str, int]
    record: Mapping[str, Any]

    @property
    def samples(self) -> tuple[Sample, ...]:
        return tuple(sample for samples in self.splits.values() for sample in samples)

    def file(self, sample: Sample) -> Path:
        return self.root / sample.path


def read(dest: Path, *, source_ids: bool = False) -> Dataset:
    """Read a dataset; `source_ids` numbers the classes among all labels of the annotations.

    Raises InputError for a folder that is no dataset, is damaged, holds no clip, or lacks a file
    that its ledger has.
    """
    from nanokinetics.dataset.record import record_of

    layout = Layout(Path(os.path.abspath(dest)))  # noqa: PTH100 - links stay: they may avoid a blank
    record = record_of(layout)
    classes = _classes(layout, "source_id" if source_ids else "label_id")
    chosen = {label for labels in record["classes"].values() for label in labels}
    if missing := sorted(chosen - classes.keys()):
        raise InputError(f"{layout.classes} lacks '{missing[0]}': a build was cut off; {AGAIN}")
    rows = {(row["split"], row["label"], row["key"]): row for row in _rows(layout)}
    found: dict[str, list[Sample]] = {split: [] for split in record["split"]}
    for split, label, key in rows:
        if split not in found or label not in classes:
            raise InputError(
                f"{layout.stats}: {key} is of '{label}' ({split}), which was never asked for; "
                "mend the table"
            )
    for split, label, key in sorted(rows, key=lambda each: (each[0], classes[each[1]][1], each[2])):
        found[split].append(_sample(layout, rows[split, label, key], classes[label][0]))
    if not any(found.values()):
        raise InputError(f"{dest} holds no finished clip yet; {AGAIN}")
    label_ids = {label: number for label, (number, _) in classes.items()}
    splits: dict[str, tuple[Sample, ...]] = {s: tuple(found[s]) for s in SPLITS if s in found}
    return Dataset(layout.root, splits, label_ids, record)


def _sample(layout: Layout, row: Row, label_id: int) -> Sample:
    path = row["path"]
    file = layout.within(path)
    if file is None:
        raise InputError(f"{layout.stats}: the path '{path}' leaves the dataset; mend the table")
    try:
        size = file.stat().st_size
    except OSError:
        raise InputError(
            f"{layout.root / path} is in {layout.stats.name} but not there; {AGAIN}"
        ) from None
    if str(size) != row["bytes"]:
        raise InputError(
            f"{layout.root / path} has {size} bytes and not the {row['bytes']} of "
            f"{layout.stats.name}; {AGAIN}"
        )
    return Sample(row["split"], row["label"], label_id, path, size, row)


def _classes(layout: Layout, column: str) -> dict[str, tuple[int, str]]:
    """The id and the folder of each class."""
    try:
        with layout.classes.open(encoding="utf-8", newline="") as file:
            return {
                row["label"]: (int(row[column]), row["class_dir"]) for row in csv.DictReader(file)
            }
    except FileNotFoundError:
        raise InputError(f"{layout.classes} is not there: a build was cut off; {AGAIN}") from None
    except (KeyError, TypeError, ValueError, csv.Error):
        raise InputError(f"{layout.classes} is damaged; {AGAIN}") from None


def _rows(layout: Layout) -> Iterator[Row]:
    """The whole rows of `stats.csv`; a last line that is torn or being written is left out."""
    from nanokinetics.dataset.ledger import STATS_COLUMNS
    from nanokinetics.dataset.tables import Damaged, opened

    for line, row in opened(layout.stats, STATS_COLUMNS).rows():
        try:
            _check(row)
        except (TypeError, ValueError):
            raise Damaged(layout.stats, line, "not a row of this table") from None
        yield row


def _check(row: Row) -> None:
    """Raises TypeError or ValueError for a row that lacks something."""
    for name in ("key", "split", "label", "youtube_id", "path", "has_audio", "sha256"):
        if "\n" in row[name]:
            raise ValueError(name)
    for name in _WHOLE:
        int(row[name])
    for name in (*_NUMBERS, "total_seconds"):
        float(row[name])
    for name in ("time_start", "time_end"):
        _number(row[name])
    datetime.fromisoformat(row["finished_at"])


def _number(text: str) -> float | None:
    return float(text) if text else None

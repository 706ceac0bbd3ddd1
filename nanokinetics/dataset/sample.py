"""A finished clip of a built dataset, and what its row must be like."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Final

from nanokinetics.dataset.tables import Row

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


def check(row: Row) -> None:
    """Raises ValueError for a row that lacks something."""
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

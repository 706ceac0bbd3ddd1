"""The folder that MMAction2's stock configs expect as `data/<name>`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .dataset import Dataset
from .options import Options
from .output import Output

HEADER: Final = ("label", "youtube_id", "time_start", "time_end", "split")


def write(dataset: Dataset, out: Output, options: Options) -> None:  # noqa: ARG001 - of all writers
    """Clips already have the folders and names it knows, so a split is one link to its folder."""
    name = name_of(dataset.record)
    for split, samples in dataset.splits.items():
        if not samples:
            continue
        out.place(f"videos_{split}", dataset.root / split)
        lines = [
            f"{sample.path.removeprefix(f'{split}/')} {sample.label_id}\n" for sample in samples
        ]
        out.text(f"{name}_{split}_list_videos.txt", "".join(lines))
        rows = ([sample.row[column] for column in HEADER] for sample in samples)
        out.table(f"annotations/{name.rstrip('0123456789')}_{split}.csv", [HEADER, *rows])
        for _ in samples:
            out.tick()


def name_of(record: Mapping[str, Any]) -> str:
    """`kinetics400`, `kinetics600`, `kinetics700`, `sthv2`: how MMAction2 calls the dataset.

    Annotations of some of the classes of Kinetics count as Kinetics-400.
    """
    if record["dataset"] == "kinetics":
        classes = len(record["labels"])
        return f"kinetics{classes if classes in (600, 700) else 400}"
    return {"ssv2": "sthv2"}.get(record["dataset"], str(record["dataset"]))

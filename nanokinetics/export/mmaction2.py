"""The folder that MMAction2's stock configs expect as `data/<name>`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nanokinetics.annotations import dialect
from nanokinetics.dataset.built import Dataset
from nanokinetics.dataset.tables import ANNOTATION
from nanokinetics.export.lists import line
from nanokinetics.export.options import Options
from nanokinetics.export.output import Output


def write(dataset: Dataset, out: Output, options: Options) -> None:  # noqa: ARG001 - of all writers
    """Clips already have the folders and names it knows, so folders of videos are links.

    For Kinetics it is one of each split, `videos_<split>`, with the annotations beside them; for
    Something-Something v2, and for datasets without a stock config, one of all splits, `videos`.
    """
    name = name_of(dataset.record)
    own = dialect(dataset.record["dataset"])
    if not own.split_folders:
        out.place("videos", dataset.root)
    for split, samples in dataset.splits.items():
        if not samples:
            continue
        root = f"{split}/" if own.split_folders else ""
        lines = [line(sample.path.removeprefix(root), sample.label_id) for sample in samples]
        out.text(f"{name}_{split}_list_videos.txt", "".join(lines))
        if own.split_folders:
            out.place(f"videos_{split}", dataset.root / split)
            rows = ([sample.row[column] for column in ANNOTATION] for sample in samples)
            out.table(f"annotations/{own.mmaction2}_{split}.csv", [ANNOTATION, *rows])
        for _ in samples:
            out.tick()


def name_of(record: Mapping[str, Any]) -> str:
    """`kinetics400`, `kinetics600`, `kinetics700`, `sthv2`: how MMAction2 calls the dataset.

    Annotations of some of the classes of Kinetics count as Kinetics-400.
    """
    own = dialect(record["dataset"])
    classes = len(record["labels"])
    version = classes if classes in own.versions else next(iter(own.versions), "")
    return f"{own.mmaction2 or own.name}{version}"

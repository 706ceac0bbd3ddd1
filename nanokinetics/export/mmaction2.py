"""Write the folder that MMAction2's stock configs expect as `data/<name>`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nanokinetics.annotations import dialect
from nanokinetics.dataset.built import Dataset
from nanokinetics.dataset.tables import ANNOTATION
from nanokinetics.export import pitfalls
from nanokinetics.export.lists import line
from nanokinetics.export.options import Options
from nanokinetics.export.output import Output


def write(dataset: Dataset, out: Output, options: Options) -> None:  # noqa: ARG001 - all writers get them
    """Write lists and annotations, and link the folders of videos.

    The clips already have the folders and names that MMAction2 expects. Kinetics gets a link for
    each split, `videos_<split>`, and the annotations. Something-Something v2, and datasets without
    a stock config, get one link for all splits, `videos`.
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
        out.text(_list_of(name, split), "".join(lines))
        if own.split_folders:
            out.place(f"videos_{split}", dataset.root / split)
            rows = ([sample.row[column] for column in ANNOTATION] for sample in samples)
            out.table(f"annotations/{own.mmaction2}_{split}.csv", [ANNOTATION, *rows])
        for _ in samples:
            out.tick()
    out.warn(*pitfalls.of_mmaction2(dataset, _list_of(name, "val") if own.mmaction2 else ""))


def _list_of(name: str, split: str) -> str:
    return f"{name}_{split}_list_videos.txt"


def name_of(record: Mapping[str, Any]) -> str:
    """MMAction2's name of the dataset: `kinetics400`, `kinetics600`, `kinetics700`, `sthv2`.

    Kinetics annotations with another number of classes count as Kinetics-400.
    """
    own = dialect(record["dataset"])
    classes = len(record["labels"])
    version = classes if classes in own.versions else next(iter(own.versions), "")
    return f"{own.mmaction2 or own.name}{version}"

"""`train.csv`, `val.csv`: a path and a label id a line, for loaders that read plain lists."""

from __future__ import annotations

from nanokinetics.common.files import replace_file
from nanokinetics.dataset.indexes.contents import Contents
from nanokinetics.layout import Layout


def write(contents: Contents, layout: Layout) -> None:
    for split, clips in contents.splits.items():
        ids = contents.labels
        lines = [f"{kept.path} {ids[kept.clip.label].label_id}\n" for kept in clips]
        replace_file(layout.list_of(split), "".join(lines).encode())

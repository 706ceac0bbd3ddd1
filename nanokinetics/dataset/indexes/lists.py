"""`train.csv`, `val.csv`: a path and a label id on each line, for loaders of plain lists."""

from __future__ import annotations

from nanokinetics.common.folder import Folder
from nanokinetics.dataset.indexes.contents import Contents
from nanokinetics.layout import list_of


def write(contents: Contents, home: Folder) -> None:
    for split, clips in contents.splits.items():
        ids = contents.labels
        lines = [f"{kept.path} {ids[kept.clip.label].label_id}\n" for kept in clips]
        home.write(list_of(split), "".join(lines).encode())

"""`train.csv`, `val.csv`: a path and a label id a line, for loaders that read plain lists."""

from __future__ import annotations

from ..files import replace_file
from ..layout import Layout
from .contents import Contents


def write(contents: Contents, layout: Layout) -> None:
    for split, clips in contents.splits.items():
        ids = contents.labels
        lines = [f"{kept.path} {ids[kept.clip.label].label_id}\n" for kept in clips]
        replace_file(layout.list_of(split), "".join(lines).encode())

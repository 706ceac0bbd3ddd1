"""`<split>/metadata.csv`: what Hugging Face's VideoFolder reads beside the folders of a split."""

from __future__ import annotations

from ..clip import seconds
from ..layout import Layout, clip_path
from .contents import Contents, write_csv

HEADER = ("file_name", "label", "label_id", "youtube_id", "time_start", "time_end")


def write(contents: Contents, layout: Layout) -> None:
    for split, clips in contents.splits.items():
        rows = (
            (
                clip_path(clip).removeprefix(f"{split}/"),
                clip.label,
                contents.labels[clip.label].label_id,
                clip.youtube_id,
                seconds(clip.time_start),
                seconds(clip.time_end),
            )
            for clip in clips
        )
        write_csv(layout.metadata_of(split), [HEADER, *rows])

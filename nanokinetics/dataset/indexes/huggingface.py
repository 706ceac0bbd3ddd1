"""`<split>/metadata.csv`: the table that Hugging Face's VideoFolder reads in each split."""

from __future__ import annotations

from nanokinetics.clip import seconds
from nanokinetics.common.folder import Folder
from nanokinetics.dataset.indexes.contents import Contents
from nanokinetics.dataset.tables import write_csv
from nanokinetics.layout import metadata_of

HEADER = ("file_name", "label", "label_id", "youtube_id", "time_start", "time_end")


def write(contents: Contents, home: Folder) -> None:
    for split, clips in contents.splits.items():
        rows = (
            (
                kept.path.removeprefix(f"{split}/"),
                kept.clip.label,
                contents.labels[kept.clip.label].label_id,
                kept.clip.youtube_id,
                seconds(kept.clip.time_start),
                seconds(kept.clip.time_end),
            )
            for kept in clips
        )
        write_csv(home, metadata_of(split), [HEADER, *rows])

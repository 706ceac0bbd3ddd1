"""`annotations/<split>.csv`: the rows of the finished clips, in DeepMind's format."""

from __future__ import annotations

from nanokinetics.clip import seconds
from nanokinetics.common.folder import Folder
from nanokinetics.dataset.indexes.contents import Contents
from nanokinetics.dataset.tables import ANNOTATION, write_csv
from nanokinetics.layout import annotations_of

HEADER = ANNOTATION


def write(contents: Contents, home: Folder) -> None:
    for split, clips in contents.splits.items():
        rows = (
            (c.label, c.youtube_id, seconds(c.time_start), seconds(c.time_end), split)
            for c in (kept.clip for kept in clips)
        )
        write_csv(home, annotations_of(split), [HEADER, *rows])

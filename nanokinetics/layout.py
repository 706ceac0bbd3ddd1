"""Every file name of a built dataset, as text, and nothing else: `dataset.home` knows the place.

A name is relative to the dataset's folder, with `/` between its parts, as in the tables. None may
hold a space: the space-separated lists of the training loaders cannot quote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from nanokinetics.clip import Clip
from nanokinetics.common.names import class_dir, file_name

SPLITS: Final = ("train", "val", "test")

SELECTION: Final = "selection.csv"
STATS: Final = "stats.csv"
FAILED: Final = "failed.csv"
WAITS: Final = "waits.csv"
CLASSES: Final = "classes.csv"
CLASS_NAMES: Final = "class_names.csv"
RUN: Final = "run.json"
METADATA: Final = "metadata.csv"
ANNOTATIONS: Final = "annotations"
SOURCE_INDEX: Final = ".source-index.csv.gz"
"""What the archives of a local source hold, so that they need not be scanned again."""

WITNESS: Final = ".indexes.sha256"
"""A digest of the tables as they were when the indexes were last derived from them."""

LOCK: Final = ".nanokinetics.lock"
TEMPORARY: Final = ".tmp"
"""Half-made clips lie here, on the same file system as their final places."""

STRAYS: Final = "strays"

OWN: Final = (
    *(RUN, SELECTION, STATS, FAILED, WAITS, CLASSES, CLASS_NAMES, *(f"{s}.csv" for s in SPLITS)),
    *(SOURCE_INDEX, WITNESS, LOCK, TEMPORARY, ANNOTATIONS, STRAYS, *SPLITS),
)
"""What is written to, or into, in a dataset's folder: none of it may be a link."""


MP4: Final = ".mp4"
"""What a clip's file is called unless it is taken over as it was."""


INDEX_FOLDERS: Final = ("", ANNOTATIONS, *SPLITS)
"""Where tables lie; the first is the dataset's folder itself."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The names of one dataset's clips. `class_dirs` are those that do not follow `class_dir`."""

    class_dirs: Mapping[str, str] = field(default_factory=dict)

    def class_dir(self, label: str) -> str:
        return self.class_dirs.get(label) or class_dir(label)

    def clip_path(self, clip: Clip, suffix: str = MP4) -> str:
        folder = self.class_dir(clip.label)
        return f"{clip.split}/{folder}/{file_name(clip.key, folder)}{suffix}"


def list_of(split: str) -> str:
    return f"{split}.csv"


def metadata_of(split: str) -> str:
    return f"{split}/{METADATA}"


def annotations_of(split: str) -> str:
    return f"{ANNOTATIONS}/{split}.csv"

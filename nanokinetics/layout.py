"""The file names of a built dataset, as texts. `dataset.home` has the folder itself.

A name is a path relative to the dataset's folder, with `/`, as in the tables. No name may have a
space, since the space-separated lists of the training loaders cannot quote.
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
"""The members of a local source's archives, so that a later run need not scan them again."""

WITNESS: Final = ".indexes.sha256"
"""A digest of the tables at the time when the indexes were last written."""

LOCK: Final = ".nanokinetics.lock"
HOLDER: Final = ".nanokinetics.holder"
"""The process that holds the lock. It is there only while a run is at work."""

TEMPORARY: Final = ".tmp"
"""The folder of unfinished clips. It is on the same file system as the final files."""

STRAYS: Final = "strays"
"""The folder for files without a row, which `verify --repair` moves there."""

FAILED_LOGS: Final = "failed_logs"
EXPORTS: Final = "exports"
"""`DEST-failed_logs` and `DEST-exports` lie beside the dataset, and belong to it."""

OWN: Final = (
    *(RUN, SELECTION, STATS, FAILED, WAITS, CLASSES, CLASS_NAMES, *(f"{s}.csv" for s in SPLITS)),
    *(SOURCE_INDEX, WITNESS, LOCK, HOLDER, TEMPORARY, ANNOTATIONS, STRAYS, *SPLITS),
)
"""The files and folders that a build writes. None of them may be a link."""


MP4: Final = ".mp4"
"""The suffix of a clip's file. A copied local file keeps its own suffix."""


INDEX_FOLDERS: Final = ("", ANNOTATIONS, *SPLITS)
"""The folders that hold tables. The first one is the dataset's folder itself."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The names of one dataset's clips. class_dirs: class folders with another name, by label."""

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

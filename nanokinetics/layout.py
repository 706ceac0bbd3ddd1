"""Every file name of a built dataset, and nothing else.

A path in a table is relative to the dataset's folder, with `/` between its parts. No path may
hold a space: the space-separated lists of the training loaders cannot quote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nanokinetics.clip import Clip
from nanokinetics.common.names import class_dir, file_name, is_inside

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
WITNESS: Final = ".indexes.sha256"
LOCK: Final = ".nanokinetics.lock"
TEMPORARY: Final = ".tmp"
STRAYS: Final = "strays"

OWN: Final = (
    *(RUN, SELECTION, STATS, FAILED, WAITS, CLASSES, CLASS_NAMES, *(f"{s}.csv" for s in SPLITS)),
    *(SOURCE_INDEX, WITNESS, LOCK, TEMPORARY, ANNOTATIONS, STRAYS, *SPLITS),
)
"""What is written to, or into, in a dataset's folder: none of it may be a link."""


MP4: Final = ".mp4"
"""What a clip's file is called unless it is taken over as it was."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of one built dataset. `class_dirs` are those that do not follow `class_dir`."""

    root: Path
    class_dirs: Mapping[str, str] = field(default_factory=dict)

    def class_dir(self, label: str) -> str:
        return self.class_dirs.get(label) or class_dir(label)

    def clip_path(self, clip: Clip, suffix: str = MP4) -> str:
        """Where a clip lies, relative to the dataset's folder."""
        folder = self.class_dir(clip.label)
        return f"{clip.split}/{folder}/{file_name(clip.key, folder)}{suffix}"

    def clip(self, clip: Clip, suffix: str = MP4) -> Path:
        return self.root / self.clip_path(clip, suffix)

    def within(self, path: str) -> Path | None:
        """The place of a path of a table; None if it cannot be there, as in an edited one."""
        return self.root / path if is_inside(path) else None

    @property
    def selection(self) -> Path:
        return self.root / SELECTION

    @property
    def stats(self) -> Path:
        return self.root / STATS

    @property
    def failed(self) -> Path:
        return self.root / FAILED

    @property
    def waits(self) -> Path:
        return self.root / WAITS

    @property
    def classes(self) -> Path:
        return self.root / CLASSES

    @property
    def class_names(self) -> Path:
        return self.root / CLASS_NAMES

    @property
    def run(self) -> Path:
        return self.root / RUN

    @property
    def lock(self) -> Path:
        return self.root / LOCK

    @property
    def source_index(self) -> Path:
        """What the archives of a local source hold, so that they need not be scanned again."""
        return self.root / SOURCE_INDEX

    @property
    def witness(self) -> Path:
        """A digest of the tables as they were when the indexes were last derived from them."""
        return self.root / WITNESS

    @property
    def temporary(self) -> Path:
        """Half-made clips lie here, on the same file system as their final places."""
        return self.root / TEMPORARY

    @property
    def index_folders(self) -> tuple[Path, ...]:
        """Where tables lie."""
        return (self.root, self.root / ANNOTATIONS, *(self.root / split for split in SPLITS))

    def list_of(self, split: str) -> Path:
        return self.root / f"{split}.csv"

    def metadata_of(self, split: str) -> Path:
        return self.root / split / METADATA

    def annotations_of(self, split: str) -> Path:
        return self.root / ANNOTATIONS / f"{split}.csv"

"""Every file name of a built dataset, and nothing else.

A path in a table is relative to the dataset's folder, with `/` between its parts. No path may
hold a space: the space-separated lists of the training loaders cannot quote.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .clip import Clip

SPLITS: Final = ("train", "val", "test")

SELECTION: Final = "selection.csv"
STATS: Final = "stats.csv"
FAILED: Final = "failed.csv"
CLASSES: Final = "classes.csv"
RUN: Final = "run.json"
METADATA: Final = "metadata.csv"
ANNOTATIONS: Final = "annotations"
LOCK: Final = ".nanokinetics.lock"
TEMPORARY: Final = ".tmp"


def class_dir(label: str) -> str:
    """The folder of a Kinetics class: each space becomes `_`, all else stays."""
    return label.replace(" ", "_")


def clip_path(clip: Clip) -> str:
    """Where a clip lies, relative to the dataset's folder."""
    return f"{clip.split}/{class_dir(clip.label)}/{clip.key}.mp4"


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of one built dataset."""

    root: Path

    def clip(self, clip: Clip) -> Path:
        return self.root / clip_path(clip)

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
    def classes(self) -> Path:
        return self.root / CLASSES

    @property
    def run(self) -> Path:
        return self.root / RUN

    @property
    def lock(self) -> Path:
        return self.root / LOCK

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

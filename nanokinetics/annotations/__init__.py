"""Annotation files, and what lies in a source, to candidates: a dataset a file.

A new dataset is one new module here, with `read` and `judged`, and one line in DATASETS.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nanokinetics.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from nanokinetics.annotations.candidates import Annotations
    from nanokinetics.sources.scan import Scan


@dataclass(frozen=True)
class ReadOptions:
    """What a reader is told.

    files: annotation files. found: what lies in the source, if that is known beforehand.
    class_names, listing: see `SampleConfig`. skip_bad_rows: leave unusable rows out.
    """

    files: Sequence[Path] = ()
    found: Scan | None = None
    class_names: Path | None = None
    listing: Sequence[Path] | None = None
    skip_bad_rows: bool = False


@dataclass(frozen=True)
class Dialect:
    """A dataset, as far as others must know it. Its module is imported when it is read.

    source: where its clips are if nobody says otherwise. from_files: its candidates are what lies
    in the source; else annotation files name them all. takes_lists: `listing` is for it. mmaction2:
    how MMAction2 calls it, followed by the nearest of `versions`, which are counts of classes.
    split_folders: whether MMAction2 has a folder of videos for each split of it.
    """

    name: str
    source: str = "local"
    from_files: bool = True
    takes_lists: bool = False
    mmaction2: str = ""
    versions: tuple[int, ...] = ()
    split_folders: bool = False

    def read(self, options: ReadOptions) -> Annotations:
        """The candidates that annotation files, and what was found in a source, offer.

        Raises InputError for a file that cannot be used, and BadRows with every row that cannot,
        unless they are to be skipped.
        """
        if self.from_files and options.found is None:
            raise InputError(f"name the folder of the {self.name} files with --src DIR")
        found: Annotations = self._module.read(options)
        return found

    def judged(self, raw: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
        """Rows of a manifest as candidates, and what is wrong with the first that is none."""
        frame: tuple[pd.DataFrame, str | None] = self._module.judged(raw)
        return frame

    @property
    def _module(self) -> Any:
        return importlib.import_module(f"{__name__}.{self.name}")


DATASETS: Final[Mapping[str, Dialect]] = {
    each.name: each
    for each in (
        Dialect("kinetics", "youtube", from_files=False, mmaction2="kinetics",
                versions=(400, 600, 700), split_folders=True),
        Dialect("imagenet"),
        Dialect("ssv2", mmaction2="sthv2"),
        Dialect("folder", takes_lists=True),
    )
}  # fmt: skip


def dialect(name: str) -> Dialect:
    """The dataset of a name. Raises InputError if there is none."""
    if name not in DATASETS:
        raise InputError(f"no dataset '{name}'; there are {', '.join(DATASETS)}")
    return DATASETS[name]


def read(
    dataset: str,
    files: Sequence[Path] = (),
    *,
    found: Scan | None = None,
    class_names: Path | None = None,
    listing: Sequence[Path] | None = None,
    skip_bad_rows: bool = False,
) -> Annotations:
    """The candidates of a dataset. See `ReadOptions` and `Dialect.read`."""
    return dialect(dataset).read(ReadOptions(files, found, class_names, listing, skip_bad_rows))

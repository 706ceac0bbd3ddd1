"""Reads annotation files, or the files of a source, as candidates: one module for each dataset.

A new dataset needs one new module here, with `read` and `judged`, and one line in DATASETS.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nanokinetics.annotations.called import called
from nanokinetics.common.near import hint
from nanokinetics.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from nanokinetics.annotations.candidates import Annotations
    from nanokinetics.sources.scan import Scan


@dataclass(frozen=True)
class ReadOptions:
    """The options of a reader.

    files: annotation files. found: the contents of the source, if they are known in advance.
    class_names, listing: see `SampleConfig`. skip_bad_rows: leave out unusable rows. classes,
    splits: those that are asked for, if they are named; they tell what of the source is needed.
    """

    files: Sequence[Path] = ()
    found: Scan | None = None
    class_names: Path | None = None
    listing: Sequence[Path] | None = None
    skip_bad_rows: bool = False
    classes: Sequence[str] | None = None
    splits: Sequence[str] | None = None


@dataclass(frozen=True)
class Dialect:
    """The properties of a dataset. Its module is imported only when it is read.

    source: the default source of its clips. from_files: whether its candidates are the files of the
    source; if not, annotation files name all candidates. from_names: whether the names of the files
    are the candidates, so that compressed archives must be listed. takes_lists: whether it accepts
    `listing`. takes_files, takes_names: whether it reads annotation files, and `class_names`.
    images: whether its files are images.
    mmaction2: its name in MMAction2, to which the nearest of `versions` is added; `versions` are
    numbers of classes. split_folders: whether MMAction2 has one folder of its videos per split.
    """

    name: str
    source: str = "local"
    from_files: bool = True
    from_names: bool = False
    takes_lists: bool = False
    takes_files: bool = True
    takes_names: bool = False
    images: bool = False
    mmaction2: str = ""
    versions: tuple[int, ...] = ()
    split_folders: bool = False
    module: str = ""

    def read(self, options: ReadOptions) -> Annotations:
        """The candidates in annotation files or in a source.

        Raises InputError for an unusable file. Raises BadRows with every unusable row, unless
        `skip_bad_rows` is set.
        """
        if self.from_files and options.found is None:
            raise InputError(f"name the folder of the {self.name} files with --src DIR")
        found: Annotations = self._module.read(options)
        return found

    def judged(self, raw: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
        """The rows of a manifest as candidates, and the fault of the first unusable row, if any."""
        frame: tuple[pd.DataFrame, str | None] = self._module.judged(raw)
        return frame

    @property
    def _module(self) -> Any:
        return importlib.import_module(f"{__name__}.{self.module or self.name}")


DATASETS: Final[Mapping[str, Dialect]] = {
    each.name: each
    for each in (
        Dialect(
            "kinetics",
            "youtube",
            from_files=False,
            mmaction2="kinetics",
            versions=(400, 600, 700),
            split_folders=True,
        ),
        Dialect("imagenet", from_names=True, takes_names=True, images=True),
        Dialect("ssv2", mmaction2="sthv2"),
        Dialect("folder", from_names=True, takes_lists=True, takes_files=False, takes_names=True),
    )
}


def dialect(name: str) -> Dialect:
    """The dataset with this name. Raises InputError if there is none."""
    if name not in DATASETS:
        meant = hint(name, DATASETS, called(name))
        raise InputError(f"no dataset '{name}'; there are {', '.join(DATASETS)}{meant}")
    return DATASETS[name]


def read(
    dataset: str,
    files: Sequence[Path] = (),
    *,
    found: Scan | None = None,
    class_names: Path | None = None,
    listing: Sequence[Path] | None = None,
    skip_bad_rows: bool = False,
    classes: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
) -> Annotations:
    """The candidates of a dataset. See `ReadOptions` and `Dialect.read`."""
    return dialect(dataset).read(
        ReadOptions(files, found, class_names, listing, skip_bad_rows, classes, splits)
    )

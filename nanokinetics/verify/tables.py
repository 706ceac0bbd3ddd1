"""Read the tables of a dataset: its clips and their paths."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from nanokinetics.clip import ClipId
from nanokinetics.common.folder import Folder
from nanokinetics.common.names import class_dir, is_inside
from nanokinetics.dataset.built import Dataset
from nanokinetics.dataset.indexes.contents import Contents, contents
from nanokinetics.dataset.ranking import Ranking
from nanokinetics.dataset.tables import Row
from nanokinetics.errors import InputError
from nanokinetics.layout import OWN, Layout


@dataclass(frozen=True)
class Tables:
    """The tables of one dataset. repeated: how many rows `stats.csv` has for each clip."""

    home: Folder
    layout: Layout
    rows: Mapping[ClipId, Row]
    repeated: Counter[ClipId]
    selection: Ranking
    names: Mapping[str, str]

    @property
    def paths(self) -> dict[ClipId, str]:
        return {id_: row["path"] for id_, row in self.rows.items()}

    @cached_property
    def links(self) -> frozenset[str]:
        """Paths of the dataset's own files, splits and class folders that are links."""
        folders = {path.rpartition("/")[0] for path in self.paths.values() if is_inside(path)}
        folders |= {
            f"{group.split}/{self.layout.class_dir(group.label)}" for group in self.selection.quotas
        }
        above = {part for folder in folders for part in _with_parents(folder)}
        return frozenset(p for p in (*OWN, *above) if self.home.place(p).is_symlink())

    def is_behind_a_link(self, path: str) -> bool:
        return any(folder in self.links for folder in _with_parents(path.rpartition("/")[0]))

    def contents(self, without: Iterable[ClipId] = ()) -> Contents:
        done = self.paths
        for id_ in without:
            del done[id_]
        return contents(self.selection, done, self.layout, self.names)


def _with_parents(folder: str) -> list[str]:
    """The folder after those above it: `train`, `train/a_class`."""
    parts = folder.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


def read(dest: Path) -> Tables:
    """Read the tables. Raises InputError if `dest` is not a dataset, or if a table is damaged."""
    dataset = Dataset.open(dest)
    return Tables(
        dataset.home,
        Layout(_class_dirs(dataset)),
        dataset.made,
        dataset.times,
        dataset.ranking,
        dataset.record.get("names", {}),
    )


def _class_dirs(dataset: Dataset) -> dict[str, str]:
    """The numbered class folders by label: a number such as `003_` comes before the usual name.

    The rows of `stats.csv` decide by majority. `classes.csv` decides if a class has no row.
    """
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for id_, row in dataset.made.items():
        seen[id_.label][PurePosixPath(row["path"]).parent.name] += len(dataset.made)
    try:
        for listed in dataset.classes.values():
            seen[listed.label][listed.class_dir] += 1
    except InputError:
        pass  # `wrong_lists` reports a damaged list
    found: dict[str, str] = {}
    for label, folders in seen.items():
        usual = re.escape(class_dir(label))
        numbered = [f for f, _ in folders.most_common() if re.fullmatch(rf"\d{{3}}_{usual}", f)]
        if numbered:
            found[label] = numbered[0]
    return found

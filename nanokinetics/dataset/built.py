"""A built dataset as everybody but a build sees it: read from its tables, never written to.

A table is read when it is first asked for, and held to no more than who asks relies on: `made` and
`failed` take rows as they stand, `splits` only finished clips that are there. No pandas is needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final

from nanokinetics.clip import ClipId, Group
from nanokinetics.common.folder import Folder
from nanokinetics.dataset.indexes.contents import Label
from nanokinetics.dataset.ledger import FAILED_COLUMNS, STATS_COLUMNS, id_of
from nanokinetics.dataset.ranking import SelectionTable
from nanokinetics.dataset.record import (
    SELECTION_DIGEST,
    is_as_written,
    quotas_of,
    read_record,
    record_of,
)
from nanokinetics.dataset.sample import Sample, check
from nanokinetics.dataset.tables import Damaged, Reader, Row, opened
from nanokinetics.errors import InputError
from nanokinetics.layout import CLASSES, FAILED, RUN, SELECTION, SPLITS, STATS, list_of

AGAIN: Final = "run the same build again"


@dataclass(frozen=True, eq=False)
class Dataset:
    """One folder.

    `record` is `run.json`, and empty where there is none. source_ids: number the classes among all
    labels of the annotations.
    """

    home: Folder
    record: Mapping[str, Any]
    source_ids: bool = False

    @classmethod
    def open(cls, dest: Path, *, source_ids: bool = False) -> Dataset:
        """Raises InputError for a folder that is no built dataset."""
        home = Folder(dest)
        return cls(home, record_of(home), source_ids)

    @classmethod
    def found_in(cls, folder: Path) -> Dataset:
        """Whatever there is of a dataset: perhaps only some of its tables.

        Raises InputError for a damaged `run.json`.
        """
        home = Folder(folder)
        return cls(home, (read_record(home) if home.place(RUN).exists() else None) or {})

    @property
    def root(self) -> Path:
        return self.home.path

    # -- what was asked for

    @cached_property
    def wanted(self) -> dict[Group, int]:
        """Clips wanted of each group; empty without `run.json`."""
        return quotas_of(self.record) if self.record else {}

    @cached_property
    def ranking(self) -> SelectionTable:
        """`selection.csv`, if it is the one that the build has written. Raises InputError."""
        path = self.home.place(SELECTION)
        table = path.read_bytes()
        if not is_as_written(table, self.record):
            raise InputError(
                f"{path} is not the one that the build has written, and nothing can be judged "
                "without it; restore it, or run the build again, which writes it anew"
            )
        ranking = SelectionTable(table, quotas=self.wanted, labels=self.record["labels"])
        if self.record.get(SELECTION_DIGEST) is None:  # as in folders of long ago
            ranking.check()
        return ranking

    @cached_property
    def classes(self) -> dict[str, Label]:
        """`classes.csv`, by label; empty if there is none yet. Raises InputError for damage."""
        path = self.home.place(CLASSES)
        try:
            with path.open(encoding="utf-8", newline="") as file:
                table = Reader(file, path, columns=[field.name for field in fields(Label)])
                return {row["label"]: _label(row) for _, row in table.rows()}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from None
        except (InputError, ValueError):
            raise InputError(f"{path} is damaged; {AGAIN}") from None

    @property
    def label_ids(self) -> dict[str, int]:
        """The id of each chosen class, also of those without a clip."""
        return {
            each.label: each.source_id if self.source_ids else each.label_id
            for each in self.classes.values()
        }

    def listed(self, split: str) -> list[tuple[str, int]]:
        """Path and label id of each line of a split's list; none if there is none yet."""
        try:
            text = self.home.place(list_of(split)).read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        pairs = (line.rsplit(" ", 1) for line in text.splitlines())
        return [(path, int(label_id)) for path, label_id in pairs]

    # -- what became of it

    @cached_property
    def made(self) -> dict[ClipId, Row]:
        """The last row of each clip in `stats.csv`, as text. Raises InputError for damage."""
        return {id_of(row): row for row in self._stats}

    @property
    def times(self) -> Counter[ClipId]:
        """How often each clip stands in `stats.csv`."""
        return Counter(map(id_of, self._stats))

    @cached_property
    def failed(self) -> dict[ClipId, Row]:
        """The last row of each clip in `failed.csv`; it may have been made since."""
        table = opened(self.home.place(FAILED), FAILED_COLUMNS)
        return {id_of(row): row for _, row in table.rows()}

    @property
    def got(self) -> Counter[Group]:
        """Clips of each group that have a row, be their files there or not."""
        return Counter(id_.group for id_ in self.made)

    @cached_property
    def _stats(self) -> list[Row]:
        return [row for _, row in self._open_stats().rows()]

    def _open_stats(self) -> Reader:
        return opened(self.home.place(STATS), STATS_COLUMNS)

    # -- the finished clips, each of which is there

    @cached_property
    def splits(self) -> dict[str, tuple[Sample, ...]]:
        """The finished clips of each split that was asked for, by class folder and key.

        Raises InputError where the tables do not agree, or where a file is not as recorded.
        """
        classes, ids = self._chosen(), self.label_ids
        self._check_rows()
        found: dict[str, list[Sample]] = {split: [] for split in self.record["split"]}
        for split, label, key in self.made:
            if split not in found or label not in classes:
                raise InputError(
                    f"{self.home.place(STATS)}: {key} is of '{label}' ({split}), which was never "
                    "asked for; fix the table"
                )
        for id_ in sorted(self.made, key=lambda i: (i.split, classes[i.label].class_dir, i.key)):
            found[id_.split].append(self._sample(self.made[id_], ids[id_.label]))
        return {split: tuple(found[split]) for split in SPLITS if split in found}

    @property
    def samples(self) -> tuple[Sample, ...]:
        return tuple(sample for samples in self.splits.values() for sample in samples)

    def file(self, sample: Sample) -> Path:
        return self.root / sample.path

    def _chosen(self) -> dict[str, Label]:
        """`classes.csv`, with all classes that were asked for."""
        path = self.home.place(CLASSES)
        if not path.exists():
            raise InputError(f"{path} is not there: a build was cut off; {AGAIN}")
        chosen = {label for labels in self.record["classes"].values() for label in labels}
        if missing := sorted(chosen - self.classes.keys()):
            raise InputError(f"{path} lacks '{missing[0]}': a build was cut off; {AGAIN}")
        return self.classes

    def _check_rows(self) -> None:
        for number, row in enumerate(self._stats):
            try:
                check(row)
            except ValueError:
                line, _ = next(islice(self._open_stats(), number, None))
                raise Damaged(self.home.place(STATS), line, "not a row of this table") from None

    def _sample(self, row: Row, label_id: int) -> Sample:
        path, stats = row["path"], self.home.place(STATS)
        file = self.home.within(path)
        if file is None:
            raise InputError(f"{stats}: the path '{path}' leaves the dataset; fix the table")
        try:
            size = file.stat().st_size
        except OSError:
            raise InputError(f"{file} is in {stats.name} but not there; {AGAIN}") from None
        if str(size) != row["bytes"]:
            raise InputError(
                f"{file} has {size} bytes and not the {row['bytes']} of {stats.name}; {AGAIN}"
            )
        return Sample(row["split"], row["label"], label_id, path, size, row)


def _label(row: Row) -> Label:
    numbers = {name: int(row[name]) for name in ("label_id", "source_id", "wanted", "got")}
    return Label(label=row["label"], class_dir=row["class_dir"], **numbers)

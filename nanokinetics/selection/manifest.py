"""A subset to share: its options, its clips, and a name computed from the clips.

It is read from a built folder, or from the text file that `Manifest.to_text` writes. Both may come
from other people, so every row is checked like a row of annotations.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from nanokinetics.annotations import dialect
from nanokinetics.clip import ClipId, Group, seconds
from nanokinetics.config import VIDEO
from nanokinetics.dataset.built import Dataset
from nanokinetics.dataset.ranking import COLUMNS
from nanokinetics.dataset.record import CATALOGUE, check_record, quotas_of
from nanokinetics.dataset.shortage import shortage_of
from nanokinetics.dataset.tables import ABOUT, Reader, Row, opened, rendered
from nanokinetics.errors import EnvironmentFault, InputError
from nanokinetics.layout import SELECTION, SPLITS, STATS
from nanokinetics.selection.frame import Selection

MAGIC: Final = "# nanokinetics manifest 1\n"
HEADER: Final = (
    "dataset",
    "source",
    "seed",
    "split",
    "n",
    *VIDEO,
    "place",
    "annotations",
    CATALOGUE,
    "versions",
    "classes",
    "labels",
)
"""The entries of `run.json` that the manifest has above its clips."""

SHORT: Final = "short"
"""The line that a manifest has only if its folder was not whole."""


@dataclass(frozen=True, eq=False)
class Manifest:
    """A subset.

    record: the entries of `run.json`. picks: the clips. reserves: the other candidates; None for a
    manifest file and for a table of picks alone, which lack them. Both tables have the columns,
    the groups and the ranks of a selection. failed: the last reason of each failed clip of a
    folder. due: the first n candidates of each class of a folder; a finished build has them, unless
    they failed. short: in words, what the folder lacked of what was asked for; empty if nothing.
    """

    record: Mapping[str, Any]
    picks: pd.DataFrame
    reserves: pd.DataFrame | None = None
    failed: Mapping[ClipId, str] = field(default_factory=dict)
    due: frozenset[ClipId] = frozenset()
    short: str = ""

    @cached_property
    def ids(self) -> dict[ClipId, None]:
        """The ids of the clips, in order."""
        return dict.fromkeys(ids_of(self.picks))

    @cached_property
    def known(self) -> frozenset[ClipId]:
        """The ids of the clips, and of the reserves if they are known."""
        others = () if self.reserves is None else ids_of(self.reserves)
        return frozenset((*self.ids, *others))

    @cached_property
    def name(self) -> str:
        """`sha256:` and the hex SHA-256 of the sorted lines `split/label/key`, each with its LF."""
        lines = sorted(f"{split}/{label}/{key}\n" for split, label, key in self.ids)
        return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"

    @cached_property
    def listed(self) -> dict[Group, int]:
        """The number of clips of each chosen class, which may be 0."""
        found = dict.fromkeys(quotas_of({**self.record, "listed": None}), 0)
        for id_ in self.ids:
            found[id_.group] += 1
        return found

    def selection(self, *, replacements: bool = False) -> Selection:
        """The clips as a selection. replacements: rank the reserves after the clips.

        Raises InputError for replacements if the reserves are unknown.
        """
        frame = self.picks
        if replacements and self.reserves is None:
            raise InputError(
                "a manifest names no reserves, nor do picks alone; give --from the folder, or the "
                "whole table of `sample`"
            )
        if replacements and self.reserves is not None:
            frame = pd.concat([self.picks, self.reserves], ignore_index=True)
        return Selection(grouped(frame), self.listed, tuple(self.record["labels"]))

    def origin(self, *, replacements: bool) -> dict[str, Any]:
        """The entries of `run.json` for a folder that is built from this subset."""
        listed: dict[str, dict[str, int]] = {}
        for group, count in self.listed.items():
            listed.setdefault(group.split, {})[group.label] = count
        chosen = {name: self.record[name] for name in ("seed", "n", "classes")}
        return {**chosen, "listed": listed, "from": self.name, "replacements": replacements}

    def to_text(self) -> str:
        """The manifest: lines `# name: value`, the values JSON, and a CSV table of the clips."""
        about: dict[str, Any] = {"name": self.name, "clips": len(self.ids)}
        about |= {SHORT: self.short} if self.short else {}
        about |= {name: self.record[name] for name in HEADER if name in self.record}
        lines = [
            f"# {name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in about.items()
        ]
        picks = Selection(self.picks, {}, ())
        clips = map(picks.clip, range(len(self.picks)))
        rows = (
            (c.key, c.split, c.label, c.youtube_id, seconds(c.time_start), seconds(c.time_end))
            for c in clips
        )
        return "".join([MAGIC, *lines, rendered([ABOUT, *rows])])


def read(path: Path) -> Manifest:
    """Read the subset of a built folder, or a manifest file. Raises InputError for other paths."""
    try:
        if path.is_dir():
            return _of_folder(Dataset.open(path))
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(
            f"there is no {path}; name a built folder, a manifest or a table of `sample`"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is no manifest: it is not UTF-8") from None
    except OSError as error:
        raise EnvironmentFault(f"{path}: {error.strerror}") from None
    return _of_text(text.replace("\r\n", "\n"), str(path))


def _of_folder(dataset: Dataset) -> Manifest:
    record, path = dataset.record, dataset.home.place(SELECTION)
    table = [row for _, row in opened(path, COLUMNS).rows()]
    ranked = Selection(_frame(table, record, str(path)), dataset.wanted, tuple(record["labels"]))
    made, was_begun = dataset.made, dataset.home.place(STATS).exists()
    picked: list[int] = []
    due: list[ClipId] = []
    for group, n in ranked.quotas.items():
        ids = list(ranked.ids(group))
        due += [id_ for _, id_ in ids[:n]]
        picked += islice((row for row, id_ in ids if not was_begun or id_ in made), n)
    is_pick = np.isin(np.arange(len(ranked.frame)), picked)
    return Manifest(
        record,
        grouped(ranked.frame[is_pick]),
        grouped(ranked.frame[~is_pick]),
        {id_: row["reason"] for id_, row in dataset.failed.items()},
        frozenset(due),
        str(shortage_of(dataset) or "") if was_begun else "",
    )


def _of_text(text: str, where: str) -> Manifest:
    if not text.startswith(MAGIC):
        raise InputError(f"{where} is no manifest: it does not begin with '{MAGIC.strip()}'")
    record: dict[str, Any] = {}
    lines = list(io.StringIO(text))  # StringIO splits only at LF
    head = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    for number, line in enumerate(lines[1:head], start=2):
        name, _, value = line.removeprefix("# ").partition(": ")
        try:
            record[name] = json.loads(value)
            json.dumps(record[name], ensure_ascii=False).encode()  # rejects a lone surrogate
        except (ValueError, RecursionError):
            raise InputError(f"{where}, line {number}: not of the form '# name: JSON'") from None
    check_record(record, where)
    table = [row for _, row in Reader(lines[head:], where, columns=ABOUT, before=head).rows()]
    short = record.get(SHORT, "")
    found = Manifest(record, _frame(table, record, where), short=str(short))
    name = record.get("name", found.name)
    if name != found.name:
        raise InputError(
            f"{where} was changed or cut short: it is named {name!r}, and its clips make "
            f"{found.name}; get it again, or take its line '# name' out"
        )
    return found


def _frame(table: Sequence[Row], record: Mapping[str, Any], where: str) -> pd.DataFrame:
    """The rows as a table with ranks. Raises InputError for a bad row."""
    raw = pd.DataFrame(table, columns=list(ABOUT), dtype=object)
    frame, fault = dialect(record["dataset"]).judged(raw)
    if fault:
        raise InputError(f"{where}: {fault}")
    chosen = {(split, label) for split, labels in record["classes"].items() for label in labels}
    seen: set[ClipId] = set()
    for id_ in ids_of(frame):
        if (id_.split, id_.label) not in chosen:
            raise InputError(
                f"{where}: the clip '{id_.key}' is of the class '{id_.label}' ({id_.split}), "
                "which is not among its classes"
            )
        if id_ in seen:
            raise InputError(f"{where}: the clip '{id_.key}' stands there twice")
        seen.add(id_)
    return grouped(frame)


def grouped(frame: pd.DataFrame) -> pd.DataFrame:
    """Sort the rows by split and label, keep the order within, and rank them."""
    order = sorted(
        range(len(frame)),
        key=[(SPLITS.index(id_.split), id_.label) for id_ in ids_of(frame)].__getitem__,
    )
    ranked = frame[list(ABOUT)].take(order).reset_index(drop=True)
    ranked["rank"] = ranked.groupby(["split", "label"], sort=False).cumcount() + 1
    return ranked


def ids_of(frame: pd.DataFrame) -> Iterable[ClipId]:
    """The id of each row."""
    columns = (frame[name].tolist() for name in ("split", "label", "key"))
    return map(ClipId, *columns)

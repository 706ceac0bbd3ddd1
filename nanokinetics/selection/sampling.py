"""Chooses clips: candidates, quotas and a seed give a selection. Pure: no files, no clock.

The ranking is a contract, so that everybody can compute it again. Within a class of a split, clips
are sorted by the hex SHA-256 of `{seed}:{key}`. Classes are drawn in the order of the hex SHA-256
of `{seed}:class:{label}`. The order depends neither on the order of the rows nor on the number of
clips or classes. So a smaller selection is always part of a larger one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd

from nanokinetics.clip import LOCATION, Group
from nanokinetics.dataset.ranking import COLUMNS
from nanokinetics.errors import InputError
from nanokinetics.layout import SPLITS
from nanokinetics.selection.frame import Selection
from nanokinetics.selection.naming import SHOWN, Table

_KEYS_AT_ONCE: Final = 4_096


def select(
    annotations_frame: pd.DataFrame,
    *,
    splits: Sequence[str] | None,
    n: int | Mapping[str, int],
    classes: Sequence[str] | None = None,
    num_classes: int | None = None,
    seed: str = "0",
    names: Mapping[str, str] | None = None,
    skip_empty: bool = False,
) -> Selection:
    """Rank the candidates of the chosen classes in the chosen splits.

    splits: None takes all splits. n: clips of each class; a mapping gives a number for each split
    that it names, and only those are chosen. classes: labels, matched exactly, or else without
    case, spaces and underscores if that is unambiguous. names: further names of labels, separated
    by commas, that `classes` may use. num_classes: draw this number of classes instead. skip_empty:
    leave a named class out of the splits that have no clip of it, instead of refusing.

    Candidates with one key, split and label are one candidate; the earliest window is kept.

    Raises InputError for a choice that is impossible or ambiguous.
    """
    _check_seed(seed)
    frame = annotations_frame
    split_codes, split_names = _coded(frame["split"], _split_order)
    label_codes, label_names = _coded(frame["label"], str)
    wanted = _wanted(n, splits, split_names)

    in_split = np.isin(split_codes, [split_names.index(split) for split in wanted])
    if classes is not None and num_classes is not None:
        raise InputError("--classes and --num-classes exclude each other; give one")
    if classes is not None:
        chosen = list(Table(label_names, names or {}).named(classes).labels)
    else:
        present = np.unique(label_codes[in_split]).tolist()
        chosen = drawn([label_names[code] for code in present], num_classes, seed)

    in_class = np.isin(label_codes, [i for i, label in enumerate(label_names) if label in chosen])
    rows = np.flatnonzero(in_split & in_class)
    groups = split_codes[rows] * len(label_names) + label_codes[rows]
    quotas = {Group(split, label): wanted[split] for split in wanted for label in chosen}
    if classes is not None:
        codes = [divmod(code, len(label_names)) for code in np.unique(groups).tolist()]
        filled = {Group(split_names[s], label_names[c]) for s, c in codes}
        if not (skip_empty and filled):
            _check_filled(quotas, filled)
        quotas = {group: count for group, count in quotas.items() if group in filled}
    return Selection(_ranked(frame, rows, groups, seed), quotas, tuple(label_names))


def _check_seed(seed: str) -> None:
    if "\n" in seed:
        raise InputError("the seed holds a newline; use any string without one")
    try:
        seed.encode()
    except UnicodeEncodeError:
        raise InputError("the seed is not valid UTF-8; use another one") from None


def _coded(column: pd.Series, order: Callable[[str], Any]) -> tuple[np.ndarray, list[str]]:
    """The index of each row's value among the distinct values, and the distinct values in order."""
    values = column.to_numpy(dtype=object)
    names: list[str] = sorted(set(values), key=order)
    places = {name: place for place, name in enumerate(names)}
    return np.fromiter(map(places.__getitem__, values), dtype=np.int64, count=len(values)), names


def _split_order(split: str) -> tuple[int, str]:
    return (SPLITS.index(split) if split in SPLITS else len(SPLITS), split)


def _wanted(
    n: int | Mapping[str, int], splits: Sequence[str] | None, present: list[str]
) -> dict[str, int]:
    """The number of clips per class for each chosen split, in order."""
    if isinstance(n, Mapping):
        if splits is not None and set(splits) != set(n):
            raise InputError(
                f"--n names the splits {', '.join(n)}, but --split {', '.join(splits)}; "
                "name the same ones, or leave out --split",
            )
        asked = dict(n)
    else:
        asked = dict.fromkeys(present if splits is None else splits, n)
    if not asked:
        raise InputError(
            "no split is chosen; the annotations have " + (", ".join(present) or "none")
        )
    for split, count in asked.items():
        if split not in present:
            raise InputError(
                f"no split {split!r} in the annotations; there are: {', '.join(present) or 'none'}",
            )
        if count < 1:
            raise InputError(f"--n {count} for split {split}: ask for at least 1 clip a class")
    return {split: asked[split] for split in sorted(asked, key=_split_order)}


def drawn(labels: Sequence[str], count: int | None, seed: str) -> list[str]:
    """The sorted labels that `--num-classes` draws. Raises InputError for an impossible count."""
    if count is None:
        return sorted(labels)
    if not 1 <= count <= len(labels):
        raise InputError(
            f"--num-classes {count}: the chosen splits have 1 to {len(labels)} classes"
        )
    return sorted(sorted(labels, key=lambda label: (_hex(f"{seed}:class:{label}"), label))[:count])


def _hex(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _check_filled(quotas: Iterable[Group], filled: set[Group]) -> None:
    empty = [group for group in quotas if group not in filled]
    if empty:
        told = "; ".join(
            f"class {group.label!r} has no clips in split {group.split}" for group in empty[:SHOWN]
        )
        more = f"; and {len(empty) - SHOWN} more" if len(empty) > SHOWN else ""
        raise InputError(
            f"{told}{more}; leave out the class or the split, or add --skip-missing-classes"
        )


def _ranked(frame: pd.DataFrame, rows: np.ndarray, groups: np.ndarray, seed: str) -> pd.DataFrame:
    """The rows sorted by group and rank, without repeated candidates, with the column `rank`."""
    order, fresh = _order(frame[["key", "time_start", "time_end"]].take(rows), groups, seed)
    order = order[fresh]
    rows, groups = rows[order], groups[order]
    firsts = np.flatnonzero(np.diff(groups, prepend=-1))
    sizes = np.diff(firsts, append=len(groups))
    columns = [name for name in frame.columns if name in (*COLUMNS, *LOCATION)]
    ranked = frame[columns].take(rows).reset_index(drop=True)
    ranked["rank"] = np.arange(1, len(groups) + 1) - np.repeat(firsts, sizes)
    return ranked


def _order(frame: pd.DataFrame, groups: np.ndarray, seed: str) -> tuple[np.ndarray, np.ndarray]:
    """The order by group, digest and key, and whether each position in it is a new candidate.

    Rows are sorted by one 64-bit number, the group and the head of the digest. Only rows with equal
    numbers are compared in full: repeated candidates and very rare coincidences.
    """
    keys: list[str] = frame["key"].tolist()
    heads = _digest_heads(keys, seed)
    group_bits = int(groups.max(initial=0)).bit_length()
    place = (groups.astype(np.uint64) << np.uint64(64 - group_bits)) | (
        heads >> np.uint64(group_bits)
    )
    order = np.argsort(place)
    fresh = np.ones(len(order), dtype=bool)
    tied = np.diff(place[order]) == 0
    if not tied.any():
        return order, fresh

    start, end = frame["time_start"].to_numpy(), frame["time_end"].to_numpy()

    def exactly(row: int) -> tuple[Any, ...]:
        return _hex(f"{seed}:{keys[row]}"), keys[row], start[row], end[row]

    edges = np.flatnonzero(np.diff(tied, prepend=False, append=False)).tolist()
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        run = sorted(order[first : last + 1].tolist(), key=exactly)
        order[first : last + 1] = run
        fresh[first + 1 : last + 1] = [keys[a] != keys[b] for a, b in pairwise(run)]
    return order, fresh


def _digest_heads(keys: Sequence[str], seed: str) -> np.ndarray:
    """The first 64 bits of each key's SHA-256, in chunks that fit into the processor's cache."""
    heads = np.empty(len(keys), dtype=np.uint64)
    for first in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[first : first + _KEYS_AT_ONCE]
        digests = b"".join([sha256(f"{seed}:{key}".encode()).digest() for key in some])
        heads[first : first + len(some)] = np.frombuffer(digests, dtype=">u8")[::4]
    return heads

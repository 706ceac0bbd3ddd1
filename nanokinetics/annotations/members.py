"""Which files of an archive are the tables that are asked for. Their names decide."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from nanokinetics.annotations.naming import splits_in
from nanokinetics.errors import InputError

SHOWN: Final = 5
"""Tables of an archive that a message names, at most."""

_UNPACK: Final = "unpack it and name the tables in it"
_ENDINGS: Final = ("csv", "tsv", "json", "txt")
"""The endings of tables. Of files with one name, the first of these is read."""

_TABLE: Final = re.compile(rf"\.({'|'.join(_ENDINGS)})(\.gz)?$", re.IGNORECASE)
_TEXT: Final = re.compile(
    r"(^|/)(read.?me|licen[cs]e|copying|notice|citation|changelog|requirements|about|terms)[^/]*$",
    re.IGNORECASE,
)
"""Names of texts for people."""

_DELTA: Final = re.compile(r"delta|top.?up", re.IGNORECASE)
"""Names of tables that add to others: `kinetics700_2020_delta` adds to `kinetics700_2020`."""


def choose(
    archive: Path,
    names: Sequence[str],
    patterns: Sequence[str] = (),
    splits: Collection[str] | None = None,
) -> list[str]:
    """The tables of an archive that are to be read, in their order there.

    patterns: globs such as `train.csv` or `k700/*.csv`, matched from the end of the path; without
    any, all tables are meant. Of `train.csv` and `train.json` in one folder the first is read.
    splits: leave out tables whose names say another split than these.

    Raises InputError if nothing is left, and for tables of one name in several folders or with
    several numbers, because they may be of several versions.
    """
    tables = [name for name in names if _TABLE.search(name) and not _TEXT.search(name)]
    if not tables and not patterns:
        raise InputError(f"{archive}: holds no table (.csv, .tsv, .txt or .json); {_UNPACK}")
    if patterns:
        chosen = [name for name in names if _matches(name, patterns)]
        if not chosen:
            raise InputError(
                f"{archive}: holds no {' or '.join(patterns)}{holding(tables)}; {_UNPACK}"
            )
    else:
        chosen = _without_twins(tables)
        _check_versions(archive, chosen)
    if splits is None:
        return chosen
    said = {name: split_said(name) for name in chosen}
    asked = [name for name in chosen if said[name] is None or said[name] in splits]
    if not asked:
        raise InputError(
            f"{archive}: holds no table of the split {' or '.join(sorted(splits))}"
            f"{holding(chosen)}; check --split"
        )
    return asked


def split_said(name: str) -> str | None:
    """The split that a member's name says, or else the nearest folder above it; None if neither."""
    for part in reversed(PurePosixPath(name).parts):
        found = splits_in(part)
        if found:
            return next(iter(found)) if len(found) == 1 else None
    return None


def holding(names: Sequence[str]) -> str:
    """The tables of an archive, in words."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"; it holds {', '.join(names[:SHOWN])}{more}" if names else ""


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(PurePosixPath(name).match(pattern) for pattern in patterns)


def _without_twins(tables: Sequence[str]) -> list[str]:
    """The tables without those that another form of the same table stands beside."""
    forms: defaultdict[str, list[str]] = defaultdict(list)
    for name in tables:
        forms[_TABLE.sub("", name)].append(name)
    best = {min(group, key=_preference) for group in forms.values()}
    return [name for name in dict.fromkeys(tables) if name in best]


def _preference(name: str) -> tuple[int, bool]:
    match = _TABLE.search(name)
    if match is None:
        return len(_ENDINGS), False
    return _ENDINGS.index(match[1].casefold()), match[2] is not None


def _check_versions(archive: Path, tables: Sequence[str]) -> None:
    """Raises InputError for tables of one name and split in several folders, or with numbers.

    The lists of UCF101 are numbered: `trainlist01.txt` and `trainlist02.txt` share their files.
    """
    seen: dict[tuple[str, str | None], str] = {}
    for name in tables:
        if _DELTA.search(name):
            continue
        base = PurePosixPath(_TABLE.sub("", name)).name.casefold().rstrip("0123456789")
        other = seen.setdefault((base, split_said(name)), name)
        if other != name:
            raise InputError(
                f"{archive}: holds {other} and {name}, which may be of two versions; {_UNPACK}"
            )

"""Annotation files that are known by name, as values. `catalog_file` reads them from TOML."""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nanokinetics.common.near import hint
from nanokinetics.common.user_folders import cache
from nanokinetics.errors import InputError
from nanokinetics.layout import SPLITS


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of an entry: a table, or an archive with a table for each split.

    urls: its addresses in the order of preference, or paths of this machine. splits: those that it
    has. members: a pattern for the table of each split, if it is an archive. rows: their number by
    split, where it is known. bytes, sha256: of the file as it is published, if they are known.
    place: where it lies on this machine, once it was fetched.
    """

    urls: tuple[str, ...]
    splits: tuple[str, ...]
    place: Path
    members: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    bytes: int | None = None
    sha256: str | None = None

    @property
    def here(self) -> Path | None:
        """The file on this machine, or None if it has to be fetched."""
        own = [Path(url) for url in self.urls if not is_url(url)]
        return next((path for path in (self.place, *own) if path.is_file()), None)


@dataclass(frozen=True, slots=True)
class Entry:
    """The annotation files with one name. source: who publishes them. also: its other names."""

    name: str
    dataset: str
    source: str
    about: str
    files: tuple[Listed, ...]
    also: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(s for s in SPLITS if any(s in listed.splits for listed in self.files))

    @property
    def rows(self) -> Mapping[str, int]:
        """Rows by split, where they are known."""
        return {split: n for listed in self.files for split, n in listed.rows.items()}

    @property
    def bytes(self) -> int | None:
        """The size of all files; None unless each is known, by the catalogue or as it lies here."""
        sizes = [f.here.stat().st_size if f.here else f.bytes for f in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def of(self, splits: Collection[str] | None) -> tuple[Listed, ...]:
        """The files that hold these splits; all files for None."""
        return tuple(f for f in self.files if splits is None or {*f.splits} & {*splits})


@dataclass(frozen=True)
class Catalog:
    """All entries by their names. `also` names are keys too."""

    entries: Mapping[str, Entry]

    def find(self, text: str) -> Entry | None:
        """The entry of this name, in any case."""
        return self.entries.get(text.strip().casefold())

    def get(self, text: str) -> Entry:
        """The entry of this name. Raises InputError with the nearest name if there is none."""
        found = self.find(text)
        if found is None:
            raise InputError(f"no annotations are called '{text}'{self.hint(text)}")
        return found

    def hint(self, text: str) -> str:
        """The nearest name, and how to see all of them; the end of a message."""
        return f"{hint(text, self.entries)} ('nanokinetics annotations' lists them)"

    def listed(self) -> list[Entry]:
        """Each entry once, in the order of the catalogue."""
        return list({id(entry): entry for entry in self.entries.values()}.values())


def is_url(text: str) -> bool:
    return re.match(r"https?://", text, re.IGNORECASE) is not None


def folder() -> Path:
    """The folder of fetched annotation files."""
    return cache() / "annotations"


def of_url(url: str) -> Listed:
    """A file that is known by its address alone."""
    digest = hashlib.sha256(url.encode()).hexdigest()[:16]
    return Listed((url,), SPLITS, folder() / "urls" / digest / file_name(url))


def file_name(url: str) -> str:
    """The file name that a URL ends with."""
    last = urllib.parse.unquote(urllib.parse.urlsplit(url).path).rpartition("/")[2]
    name = re.sub(r"[^\w.,()+@ -]", "_", last)[-100:].lstrip(".")
    return name or "annotations"

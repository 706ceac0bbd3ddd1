"""Annotation files that are known by name: `catalog.toml`, and a catalogue of one's own.

A catalogue is data. Nothing is fetched here, and nothing but the catalogue is read.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
import urllib.parse
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from nanokinetics.common.user_folders import cache
from nanokinetics.errors import InputError
from nanokinetics.layout import SPLITS

VARIABLE: Final = "NANOKINETICS_CATALOG"
"""The variable of the environment that names a catalogue of one's own."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._+@-]{0,63}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


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
        near = difflib.get_close_matches(text.casefold(), self.entries, n=1, cutoff=0.5)
        meant = f"; did you mean {near[0]}?" if near else ""
        return f"{meant} ('nanokinetics annotations' lists them)"

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
    return Listed((url,), SPLITS, folder() / "urls" / digest / _file_name(url))


def members_of(path: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The patterns of the tables in an archive of the catalogue; none for any other file."""
    try:
        known = read(environment).listed()
    except InputError:  # the file was named by its path, so nobody needs the catalogue
        return ()
    listed = (each for entry in known for each in entry.files if each.here == path)
    return next((tuple(each.members.values()) for each in listed), ())


def read(environment: Mapping[str, str]) -> Catalog:
    """The catalogue of this program, and that of VARIABLE, whose names win.

    Raises InputError, which names the file and the key, for a catalogue that cannot be used.
    """
    entries = _entries(files(__package__).joinpath("catalog.toml").read_bytes(), None)
    own = environment.get(VARIABLE)
    if own:
        path = Path(own).expanduser()
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{VARIABLE}: {path} cannot be read: {error.strerror}") from None
        named = _entries(data, path)
        entries = {**named, **{k: v for k, v in entries.items() if k not in named}}
    return Catalog(entries)


def _entries(data: bytes, path: Path | None) -> dict[str, Entry]:
    """The entries of a catalogue by all their names. path: that of a catalogue of one's own."""
    try:
        found = tomllib.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: is not TOML: {error}") from None
    entries: dict[str, Entry] = {}
    for name, value in found.items():
        table = _Table(f"{path}: [{name}]", value)
        entry = _entry(table, name, path)
        for each in dict.fromkeys((entry.name, *entry.also)):
            if each in entries:
                raise table.fault(f"the name {each} stands there twice")
            entries[each] = entry
    return entries


def _entry(table: _Table, name: str, path: Path | None) -> Entry:
    table.known({"also", "dataset", "source", "about", "notes", "files"})
    names = [each.casefold() for each in (name, *table.texts("also", ()))]
    for each in names:
        if not _NAME.fullmatch(each):
            raise table.fault(f"'{each}' is no name: letters, digits and . _ + @ - are")
    given = table.get("files", list)
    if not given:
        raise table.fault("files: names no file")
    listed = []
    for number, value in enumerate(given):
        listed.append(_listed(_Table(f"{table.where} files[{number}]", value), names[0], path))
    places = [each.place for each in listed]
    if len(set(places)) < len(places):
        raise table.fault("files: two of them have one file name")
    return Entry(
        names[0],
        table.get("dataset", str, "kinetics"),
        table.get("source", str, "own" if path else ""),
        table.get("about", str, ""),
        tuple(listed),
        tuple(names[1:]),
        table.texts("notes", ()),
    )


def _listed(table: _Table, name: str, path: Path | None) -> Listed:
    table.known({"splits", "urls", "members", "rows", "bytes", "sha256"})
    urls = tuple(_address(each, path) for each in table.texts("urls"))
    if not urls:
        raise table.fault("urls: names no address")
    members = table.by_split("members", str)
    splits = table.texts("splits", tuple(members))
    if not splits or not {*splits} <= {*SPLITS}:
        raise table.fault(f"splits: are some of {', '.join(SPLITS)}")
    size = table.get("bytes", int, 0)
    digest = table.get("sha256", str, "").lower()
    if digest and not _DIGEST.fullmatch(digest):
        raise table.fault("sha256: is not 64 hexadecimal digits")
    # A name of one's own may mean other files than the same name elsewhere.
    own = f"-{hashlib.sha256(repr(urls).encode()).hexdigest()[:8]}" if path else ""
    place = folder() / f"{name}{own}" / _file_name(urls[0])
    rows = table.by_split("rows", int)
    return Listed(urls, splits, place, members, rows, size or None, digest or None)


def _address(text: str, path: Path | None) -> str:
    """A URL as it is, and a path of a catalogue of one's own as an absolute path."""
    if is_url(text) or path is None:
        return text
    return str(path.parent.absolute() / Path(text.removeprefix("file://")).expanduser())


def _file_name(url: str) -> str:
    """The file name that a URL ends with."""
    last = urllib.parse.unquote(urllib.parse.urlsplit(url).path).rpartition("/")[2]
    name = re.sub(r"[^\w.,()+@ -]", "_", last)[-100:].lstrip(".")
    return name or "annotations"


@dataclass(frozen=True)
class _Table:
    """A table of a catalogue. where: its file and key, for messages."""

    where: str
    values: Any

    def __post_init__(self) -> None:
        if not isinstance(self.values, dict):
            raise self.fault("is not a table")

    def fault(self, why: str) -> InputError:
        return InputError(f"{self.where} {why}; see docs/annotations.md")

    def known(self, names: Collection[str]) -> None:
        for name in self.values:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise self.fault(f"{name}: is no key{hint}")

    def get(self, name: str, kind: Callable[..., Any], default: Any = None) -> Any:
        found = self.values.get(name, default)
        if type(found) is not kind:
            words = {str: "a text", int: "a whole number", list: "an array of tables"}
            raise self.fault(f"{name}: is not {words[kind]}")  # type: ignore[index]
        return found

    def texts(self, name: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        found = self.values.get(name, default)
        if not isinstance(found, list | tuple) or not all(isinstance(each, str) for each in found):
            raise self.fault(f"{name}: is not an array of texts")
        return tuple(found)

    def by_split(self, name: str, kind: type) -> dict[str, Any]:
        found = self.values.get(name, {})
        if not isinstance(found, dict) or not {*found} <= {*SPLITS}:
            raise self.fault(f"{name}: is not a table with a key for each of {', '.join(SPLITS)}")
        if not all(type(value) is kind for value in found.values()):
            raise self.fault(f"{name}: has a value of another type than {kind.__name__}")
        return dict(found)

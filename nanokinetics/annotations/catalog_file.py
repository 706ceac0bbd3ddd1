"""Reads the catalogue of annotation files: `catalog.toml`, and one of the user's own.

Every fault is named with the file and the key.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from nanokinetics.annotations.catalog import Catalog, Entry, Listed, file_name, folder, is_url
from nanokinetics.common.near import hint
from nanokinetics.errors import InputError
from nanokinetics.layout import SPLITS

VARIABLE: Final = "NANOKINETICS_CATALOG"
"""The variable of the environment that names a catalogue of one's own."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._+@-]{0,63}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def members_of(path: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The patterns of the tables in an archive of the catalogue; none for any other file."""
    try:
        known = read(environment).listed()
    except InputError:  # the file was named by its path, so nobody needs the catalogue
        return ()
    listed = (each for entry in known for each in entry.files if each.here == path)
    return next((tuple(each.members.values()) for each in listed), ())


def name_of(path: Path, environment: Mapping[str, str]) -> str | None:
    """The name in the catalogue of a file of this machine; None for any other file."""
    try:
        known = read(environment).listed()
    except InputError:  # as for `members_of`
        return None
    return next((e.name for e in known if any(f.here == path for f in e.files)), None)


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
    place = folder() / f"{name}{own}" / file_name(urls[0])
    rows = table.by_split("rows", int)
    return Listed(urls, splits, place, members, rows, size or None, digest or None)


def _address(text: str, path: Path | None) -> str:
    """A URL as it is, and a path of a catalogue of one's own as an absolute path."""
    if is_url(text) or path is None:
        return text
    return str(path.parent.absolute() / Path(text.removeprefix("file://")).expanduser())


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
                raise self.fault(f"{name}: is no key{hint(name, names)}")

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

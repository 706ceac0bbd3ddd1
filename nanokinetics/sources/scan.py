"""Lists the files of a source folder, and the members of its archives without unpacking them.

Names are untrusted. The scan leaves out litter (see `walk`) and datasets built inside the source.
In an archive only plain files count. No file is ever written to a member's path.
"""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, cast

from nanokinetics.clip import Location
from nanokinetics.common.logs import logger
from nanokinetics.common.names import shown
from nanokinetics.errors import Failure, InputError, Reason
from nanokinetics.sources import zips
from nanokinetics.sources.archives import (
    PACKED,
    TAR,
    ZIP,
    UnreadableError,
    beginning,
    kind_of,
    opened,
    streamed,
)
from nanokinetics.sources.archives import members as members_of
from nanokinetics.sources.foreign import is_foreign, tool_for, tool_of
from nanokinetics.sources.parts import numbered
from nanokinetics.sources.source_index import kept, write
from nanokinetics.sources.suffixes import IMAGES, VIDEOS, endings
from nanokinetics.sources.walk import Walked, identity_of, walk

_ARCHIVE_NAME: Final = re.compile(r"\.(tar|tgz|tbz2?|tbz|txz|zip|tar\.(gz|bz2|xz))$", re.IGNORECASE)

_log = logger(__name__)


@dataclass(frozen=True)
class Scan:
    """The contents of a source.

    files: sorted paths of plain files, relative to `root`, with `/`. members: the members of the
    archives with their locations. streams: the compressed archives, each as its parts in order; if
    `members` lacks their contents, only reading them shows these.
    """

    root: Path
    files: tuple[str, ...]
    members: tuple[Location, ...] = ()
    streams: tuple[tuple[str, ...], ...] = ()
    stamps: Mapping[str, str] = field(default_factory=dict)
    """The size and time of each archive whose contents are kept: they show whether it changed."""

    is_kept: bool = field(default=False, compare=False)
    """Whether all of `members` come from the index of an earlier scan."""

    notes: tuple[str, ...] = field(default=(), compare=False)
    """What was passed over, and why: one line for each kind."""

    denied: Mapping[str, str] = field(default_factory=dict)
    """Folders that may not be read, and why."""

    doubt: Failure | None = field(default=None, compare=False)
    """Why a file that was not found may exist all the same."""

    unlisted: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The size and time of each stream whose contents are not in `members`."""

    identity: tuple[int, int] | None = field(default=None, compare=False)
    """Device and inode of `root`: another folder of that name, such as an empty mount point, has
    others."""

    def locations(self) -> Iterator[Location]:
        """Every file and member with a known location."""
        yield from map(Location, self.files)
        yield from self.members

    @property
    def state(self) -> str:
        """A digest of the streams: another one if one of them has changed."""
        text = "\n".join(f"{name} {stamp}" for name, stamp in sorted(self.unlisted.items()))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def scan(source: Path, index: Path | None = None, *, listed: bool = False) -> Scan:
    """Scan a folder, or one archive.

    index: the file with an earlier scan of the archives (see `source_index`). To read the headers
    of a large archive takes minutes, so it is done only once. listed: list the contents of
    compressed archives too, which reads them to their end.

    Raises InputError that names the file if the source cannot be read.
    """
    _refuse_address(str(source))
    found = Walked([source.name]) if source.is_file() else _walked(source)
    root = source.parent if source.is_file() else source
    media = endings(found.files, IMAGES | VIDEOS)
    names = [
        name
        for name in found.files
        if not name.endswith(media) or ".tar." in name or ".tgz." in name
    ]  # also the part `x.tar.gz.ts`
    foreign = [name for name in names if is_foreign(name)]
    apart = set(foreign)
    groups = numbered(root, [name for name in names if name not in apart])
    apart |= groups.pieces
    single = [n for n in names if n not in apart and _ARCHIVE_NAME.search(n)]
    single = sorted({*single, *groups.whole})
    kinds = {name: _kind(root / name) for name in single}
    if source.is_file() and not (single or groups.joined):
        raise _no_archive(source)
    alone = [
        name
        for name, kind in kinds.items()
        if kind == PACKED or (kind == ZIP and _is_around(root / name))
    ]
    streams = sorted([*((name,) for name in alone), *groups.joined])
    stamps = {name: _stamp(root, [name]) for name, kind in kinds.items() if kind == TAR}
    of_streams = {parts[0]: _stamp(root, parts) for parts in streams}
    if listed:
        stamps |= of_streams
    known = kept(index, stamps) if index is not None and stamps else {}
    in_stream = {part for parts in streams for part in parts}
    zipped = [name for name, kind in kinds.items() if kind == ZIP and name not in in_stream]
    contents = [zips.contents(root, name) for name in zipped]
    parts_of = {parts[0]: parts for parts in streams}
    members = [
        each
        for name in stamps
        for each in (known[name] if name in known else _list(root, name, parts_of.get(name)))
    ]
    left_out = [note for each in contents for note in each.notes]
    others = {*single, *apart}
    return Scan(
        root,
        tuple([name for name in found.files if name not in others] if others else found.files),
        (*members, *(member for each in contents for member in each.members)),
        tuple(streams),
        stamps,
        len(known) == len(stamps),
        (*found.notes(), *_foreign_notes(foreign), *left_out, *groups.gaps),
        dict(found.denied),
        _doubt(found, foreign, [*left_out, *groups.gaps]),
        {} if listed else of_streams,
        identity_of(root),
    )


def save(found: Scan, index: Path) -> None:
    """Keep the members of the archives for the next `scan`, if they are new. Raises OSError."""
    if found.stamps and not found.is_kept:
        members = (each for each in found.members if each.path in found.stamps)
        write(index, found.stamps, members)


def _walked(source: Path) -> Walked:
    if not source.is_dir():
        raise InputError(f"--src {source}: there is no such folder or archive")
    return walk(source)


def _refuse_address(text: str) -> None:
    """Raises InputError for a URL. A path has lost the second slash of one."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", text):
        raise InputError(
            f"--src is a folder or an archive on this machine, not an address: {shown(text)}; "
            "download it first"
        )


def _no_archive(path: Path) -> InputError:
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        return InputError(f"--src {path}: cannot be read: {error.strerror}")
    tool = tool_for(head) or (tool_of(path.name) if is_foreign(path.name) else "")
    if tool:
        return InputError(f"--src {path}: is not read as it is; unpack it ({tool})")
    return InputError(f"--src {path}: is no archive that can be read")


def _foreign_notes(names: Sequence[str]) -> Iterator[str]:
    by_tool: dict[str, list[str]] = {}
    for name in names:
        by_tool.setdefault(tool_of(name), []).append(name)
    for tool, same in by_tool.items():
        many = f" and {len(same) - 1} more files are" if len(same) > 1 else " is"
        yield f"{shown(same[0])}{many} not read; to unpack: {tool}"


def _doubt(found: Walked, foreign: Sequence[str], left_out: Sequence[str]) -> Failure | None:
    """Why a clip that is not there may be there after all: what was named, but not read."""
    for folder, why in found.denied.items():
        return Failure(Reason.SOURCE_AWAY, f"it may lie in {shown(folder)}, which says: {why}")
    for link in found.dead:
        return Failure(Reason.SOURCE_AWAY, f"it may lie behind {shown(link)}, a link to nothing")
    for name in foreign:
        return Failure(
            Reason.ARCHIVE_DAMAGED, f"it may lie in {shown(name)}; unpack that ({tool_of(name)})"
        )
    return Failure(Reason.ARCHIVE_DAMAGED, left_out[0]) if left_out else None


def _kind(path: Path) -> str:
    """The kind of a file that is called like an archive. Raises InputError if it is none."""
    try:
        kind = kind_of(path)
        if kind:
            return kind
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if tool := tool_for(head):
        raise InputError(f"{path}: is an archive of another kind; unpack it ({tool})")
    begins = f"it begins with {shown(head[:16].decode('latin-1'))}" if head else "it is empty"
    raise InputError(
        f"{path}: is no archive ({begins}); download it again, or move it out of the source"
    )


def _stamp(root: Path, names: Iterable[str]) -> str:
    stamps = [os.stat(root / name) for name in names]  # noqa: PTH116
    return " ".join(f"{each.st_size} {each.st_mtime_ns}" for each in stamps)


def _is_around(path: Path) -> bool:
    """Whether a zip holds nothing but one archive, so that it is read as that."""
    try:
        return beginning(path).kind in (TAR, PACKED)
    except tarfile.ReadError:
        return False  # to list it will tell


def _list(root: Path, name: str, parts: Sequence[str] | None) -> Iterator[Location]:
    """The members of a tar, or of a stream with these parts.

    Raises InputError that names the archive if it is damaged.
    """
    path = root / name
    try:
        if parts is None:
            yield from _members(path, name)
            return
        _log.info("listing %s, which reads it to its end", path)
        with opened(root, parts) as archive:
            for inner, _, _ in streamed(archive):
                yield Location(name, inner)
    except UnreadableError as error:
        raise InputError(f"{error}; see that the source is mounted and may be read") from None
    except tarfile.TarError as error:
        raise InputError(f"{path}: is damaged ({error}); download it again") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _members(path: Path, name: str) -> Iterator[Location]:
    """The plain files of an uncompressed archive. Only its headers are read."""
    with path.open("rb", buffering=0) as file:
        if hasattr(os, "posix_fadvise"):  # read-ahead would fetch bytes that are skipped
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        size = os.fstat(file.fileno()).st_size
        for member, offset in members_of(cast(IO[bytes], file), size):
            yield Location(name, member.name, offset, member.size)

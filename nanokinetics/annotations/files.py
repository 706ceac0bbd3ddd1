"""Loads annotation files: their unpacked UTF-8 bytes, and their digests.

The readers interpret the bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nanokinetics.annotations.encodings import as_utf8
from nanokinetics.annotations.members import choose, holding
from nanokinetics.annotations.packed import Archive, unpacked
from nanokinetics.annotations.streams import check_size, read_all
from nanokinetics.errors import InputError


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """One annotation file, or one member of an archive.

    path: its place, as messages name it: `train.csv`, or `k700.tar.gz:k700/train.csv`. data:
    unpacked UTF-8 without a byte order mark. sha256: hex digest of the bytes on disk, the same as
    `sha256sum` gives; for a member, that of the whole archive. archive, member: the archive, and
    the path in it.
    """

    path: Path
    data: bytes
    sha256: str
    archive: Path | None = None
    member: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that may say what the table is: its own, then those of the folders and of the
        archive that it lies in.
        """
        if self.archive is None:
            return (self.path.name,)
        return (*reversed(PurePosixPath(self.member).parts), self.archive.name)

    @property
    def digest(self) -> tuple[str, str, str]:
        """Name, path and SHA-256 of the file on disk, for `digests_by_name`."""
        file = self.archive or self.path
        return file.name, str(file), self.sha256


def load(path: Path) -> AnnotationFile:
    """Read a file that is one table, or an archive of one table.

    Raises InputError, as `load_all` does, and for an archive of several tables.
    """
    tables = load_all(path)
    if len(tables) > 1:
        names = [table.member for table in tables]
        raise InputError(
            f"{path}: one table is needed{holding(names)}; unpack it and name one of them"
        )
    return tables[0]


def load_all(
    path: Path, members: Sequence[str] = (), splits: Collection[str] | None = None
) -> tuple[AnnotationFile, ...]:
    """Read a file with one table, or the tables of an archive. First bytes decide, not the name.

    members: globs for the paths in an archive, such as `train.csv`; without any, see `choose`.
    splits: tables of an archive whose names say another split are left out.

    Raises InputError unless the file is readable, complete, not empty, and UTF-8, and for one that
    is too large, or of a form that is not read.
    """
    stored = stored_bytes(path)
    sha256 = hashlib.sha256(stored).hexdigest()
    content = unpacked(path, stored)
    if not isinstance(content, Archive):
        return (AnnotationFile(path, as_utf8(path, content), sha256),)
    chosen = choose(path, content.names(), members, splits)
    found = content.read(frozenset(chosen))
    tables: list[AnnotationFile] = []
    for name in chosen:
        tables.append(_member(path, name, found[name], sha256))
        check_size(path, sum(len(table.data) for table in tables))
    return tuple(tables)


def stored_bytes(path: Path) -> bytes:
    """The bytes of a file on disk. Raises InputError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return read_all(file, path)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check --annotations") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; name the annotation file in it") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read: {reason}") from None


def _member(archive: Path, name: str, stored: bytes, sha256: str) -> AnnotationFile:
    """A member of an archive. It may be packed itself."""
    path = Path(f"{archive}:{name}")
    content = unpacked(path, stored)
    if isinstance(content, Archive):
        raise InputError(f"{path}: is an archive in an archive; unpack it")
    return AnnotationFile(path, as_utf8(path, content), sha256, archive, name)

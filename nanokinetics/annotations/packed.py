"""Unpacks annotation files: gzip, bzip2 and xz, and the members of tars and zips.

The first bytes of a file decide, never its name. All sizes are bounded while reading.
"""

from __future__ import annotations

import contextlib
import io
import re
import stat
import tarfile
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

from nanokinetics.annotations.streams import PIECE, damage_in, kind_of, plain_stream, read_all
from nanokinetics.errors import InputError
from nanokinetics.sources.walk import is_littered

_ZIPS: Final = (b"PK\x03\x04", b"PK\x05\x06")
_OTHERS: Final = {b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"\x28\xb5\x2f\xfd": "zstd"}

_WORKBOOKS: Final = {
    "xl/workbook": "an Excel workbook (.xlsx)",
    "content.xml": "an OpenDocument spreadsheet (.ods)",
    "Index/Document.iwa": "a Numbers spreadsheet",
    "Index.zip": "a Numbers spreadsheet",
}
"""Members that tell the zips of spreadsheets."""

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED: Final = 0x1
_ABSOLUTE: Final = re.compile(r"/|[A-Za-z]:")
Members = Mapping[str, bytes]
"""The bytes of members of an archive, by their paths in it."""


@dataclass(frozen=True)
class Archive:
    """An archive of files.

    path: its place on disk. stored: its bytes there. is_zip: whether it is a zip; if not, it is a
    tar, packed or not.
    """

    path: Path
    stored: bytes
    is_zip: bool

    def names(self) -> list[str]:
        """The paths of all files in it, as they stand there.

        Left out: links, folders, absolute and parent paths, and what systems put into archives.
        Raises InputError if the archive is damaged, unpacks to more than LARGEST, or is the file of
        a spreadsheet.
        """
        if not self.is_zip:
            with self._tar() as members:
                return [name for name, _ in members]
        with self._zip() as archive:
            names = archive.namelist()
            for known, what in _WORKBOOKS.items():
                if any(name.startswith(known) for name in names):
                    raise _workbook(self.path, what)
            return [name for name, _ in _safe_infos(archive)]

    def read(self, wanted: Collection[str]) -> Members:
        """The bytes of the files with these paths. Raises InputError, as `names` does."""
        found: dict[str, bytes] = {}
        if not self.is_zip:
            with self._tar() as members:
                for name, file in members:
                    if name in wanted:
                        found[name] = file.read()
            return found
        with self._zip() as archive:
            for name, info in _safe_infos(archive):
                if name in wanted:
                    found[name] = self._member(archive, info, sum(map(len, found.values())))
        return found

    def _member(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, before: int) -> bytes:
        where = f"{self.path}:{info.filename}"
        if info.flag_bits & _ENCRYPTED:
            raise InputError(f"{where}: is encrypted; unpack it and name the tables in it")
        try:
            with archive.open(info) as file:
                return read_all(file, self.path, "unpacks to", before)
        except (NotImplementedError, RuntimeError):
            raise InputError(
                f"{where}: is packed by a method that Python does not know; "
                "unpack it and name the tables in it"
            ) from None

    @contextlib.contextmanager
    def _tar(self) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
        """The safe files of a tar with their names. All of the tar is read, to see damage."""
        with damage_in(self.path, "archive"), plain_stream(self.path, self.stored) as stream:
            with tarfile.open(fileobj=cast(Any, stream), mode="r|", tarinfo=_Header) as archive:
                yield self._tar_files(archive)
            while stream.read(PIECE):
                pass

    @staticmethod
    def _tar_files(archive: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            if file is not None and _is_safe(member.name):
                yield member.name, file

    @contextlib.contextmanager
    def _zip(self) -> Iterator[zipfile.ZipFile]:
        with (
            damage_in(self.path, "zip"),
            zipfile.ZipFile(io.BytesIO(self.stored)) as archive,
        ):
            yield archive


def unpacked(path: Path, stored: bytes) -> bytes | Archive:
    """The bytes of one packed or plain file, or the archive that it is.

    Raises InputError for a damaged file, one of more than LARGEST, and one of a form that is not
    read.
    """
    for magic, kind in _OTHERS.items():
        if stored.startswith(magic):
            raise InputError(f"{path}: is packed as {kind}; unpack it and name the tables in it")
    if stored.startswith(_OLE):
        raise _workbook(path, "an Excel workbook (.xls)")
    if stored.startswith(_ZIPS):
        return Archive(path, stored, is_zip=True)
    packing = kind_of(stored)
    if packing is None:
        return Archive(path, stored, is_zip=False) if _is_tar(stored) else stored
    with damage_in(path, packing), plain_stream(path, stored) as stream:
        first = stream.read(tarfile.BLOCKSIZE)
        if _is_tar(first):
            return Archive(path, stored, is_zip=False)
        return first + stream.read()


class _Header(tarfile.TarInfo):
    """A header of a tar. `tarfile` takes a damaged one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            is_end = len(buf) == tarfile.BLOCKSIZE and not any(buf)
            if is_end:
                raise
            raise tarfile.ReadError(f"{error}" if buf else "it ends too early") from None


def _is_tar(first: bytes) -> bool:
    """Whether the first bytes are a header of a tar. Those from before POSIX have no magic."""
    if first[257:262] == b"ustar":
        return True
    try:
        tarfile.TarInfo.frombuf(first[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _safe_infos(archive: zipfile.ZipFile) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    for info in archive.infolist():
        name = info.filename.replace("\\", "/")  # as tools of Windows write it
        is_link = stat.S_ISLNK(info.external_attr >> 16)
        if not info.is_dir() and not is_link and _is_safe(name):
            yield name, info


def _is_safe(name: str) -> bool:
    return not (_ABSOLUTE.match(name) or ".." in name.split("/") or is_littered(name))


def _workbook(path: Path, what: str) -> InputError:
    return InputError(f"{path}: is {what}; save it as CSV UTF-8 and name that file")

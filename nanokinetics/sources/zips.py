"""Reads zips by their central directory, and then single members by their place in the file.

A member's `Location` has the place of its local header, and the size of its packed bytes. So no
worker reads the directory of a large zip again. The format: PKWARE's APPNOTE.TXT 6.3.10, 4.3.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from nanokinetics.clip import Location
from nanokinetics.errors import InputError
from nanokinetics.sources.walk import is_littered

_LOCAL: Final = struct.Struct("<4s2xHH4xL8xHH")
"""A local header: signature, flags, method, CRC, lengths of the name and of the extra field."""

_FLAG_ENCRYPTED: Final = 0x1
_FLAG_DESCRIPTOR: Final = 0x8
_DESCRIPTOR: Final = b"PK\x07\x08"

_CHUNK: Final = 1 << 20

_HARMLESS: Final = 100_000_000
"""Bytes that a member may always have."""

_LARGEST_RATIO: Final = 200
"""Largest ratio of unpacked to packed bytes above that: images and videos are compressed already.
The largest that deflate reaches is 1032."""


class DamagedZipError(Exception):
    """A member that is not what the directory says."""


@dataclass(frozen=True)
class ZipContents:
    """The members of a zip that can be read, and one line for each kind of those that cannot."""

    members: tuple[Location, ...]
    notes: tuple[str, ...]


def contents(root: Path, name: str) -> ZipContents:
    """List a zip. Raises InputError for a damaged one, or for one that cannot be read."""
    path = root / name
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
        why = "a part of a split zip, or damaged" if _is_split(path) else "damaged"
        raise InputError(f"{path}: is {why} ({error}); download it again") from None
    left_out: Counter[str] = Counter()
    members: list[Location] = []
    for info in infos:
        member = info.filename.replace("\\", "/")
        if info.is_dir() or is_littered(member) or member.startswith("/"):
            continue
        why = _why_not(info)
        if why:
            left_out[why] += 1
        else:
            members.append(Location(name, member, info.header_offset, info.compress_size))
    notes = [f"{count} files in {path} are left out: {why}" for why, count in left_out.items()]
    return ZipContents(tuple(members), tuple(notes))


def _why_not(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & _FLAG_ENCRYPTED:
        return "they are encrypted; unpack them with their password (7z x)"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"they are packed by method {info.compress_type}; unpack them with 7z x"
    if is_bomb(info.file_size, info.compress_size):
        return "they would unpack to more than 200 times their size"
    return ""


def is_bomb(unpacked: int, packed: int) -> bool:
    """Whether so many bytes come out of so few that the member cannot be an image or a video."""
    return unpacked > _HARMLESS and unpacked > _LARGEST_RATIO * packed


def _is_split(path: Path) -> bool:
    return any(path.with_suffix(f".z{number:02d}").exists() for number in (1, 2))


def chunks(file: IO[bytes], location: Location) -> Iterator[bytes]:
    """The bytes of a member, piece by piece, checked by its CRC-32.

    Raises DamagedZipError, and OSError of the file.
    """
    file.seek(location.offset)
    head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size:
        raise DamagedZipError(f"it ends before {location.name}")
    signature, flags, method, crc, name_size, extra_size = _LOCAL.unpack(head)
    if signature != b"PK\x03\x04" or flags & _FLAG_ENCRYPTED:
        raise DamagedZipError(f"{location.name} is not at its place")
    file.seek(name_size + extra_size, 1)
    found = unpacked = 0
    for data in _inflated(_packed(file, location), method):
        unpacked += len(data)
        if is_bomb(unpacked, location.size):
            raise DamagedZipError(f"{location.name} unpacks to more than 200 times its size")
        found = zlib.crc32(data, found)
        yield data
    if flags & _FLAG_DESCRIPTOR:
        after = file.read(8)
        crc = int.from_bytes(after[4:8] if after.startswith(_DESCRIPTOR) else after[:4], "little")
    if found != crc:
        raise DamagedZipError(f"{location.name} is damaged: its checksum is wrong")


def _packed(file: IO[bytes], location: Location) -> Iterator[bytes]:
    left = location.size
    while left:
        data = file.read(min(left, _CHUNK))
        if not data:
            raise DamagedZipError(f"it ends within {location.name}")
        left -= len(data)
        yield data


def _inflated(packed: Iterator[bytes], method: int) -> Iterator[bytes]:
    if method == zipfile.ZIP_STORED:
        yield from packed
        return
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for data in packed:
            rest = data
            while rest:
                yield inflate.decompress(rest, _CHUNK)
                rest = inflate.unconsumed_tail
        while tail := inflate.decompress(inflate.unconsumed_tail, _CHUNK):
            yield tail
    except zlib.error as error:
        raise DamagedZipError(f"a member is damaged: {error}") from None
    if not inflate.eof:
        raise DamagedZipError("a member ends early")

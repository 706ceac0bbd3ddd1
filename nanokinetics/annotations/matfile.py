"""Reads the table of classes in `meta.mat`, which the development kit of ImageNet has.

The format is that of MATLAB 5 to 7.2, level 5:
https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf. Only what this table needs is
read: one array of structures with numbers and texts. SciPy would be a large dependency for it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

_HEADER: Final = 128
_MATRIX, _COMPRESSED = 14, 15
_STRUCT, _CHAR = 2, 4
_FORMATS: Final = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 7: "f", 9: "d", 12: "q", 13: "Q"}
_TEXTS: Final = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_LARGEST: Final = 64 << 20
"""Bytes of the largest variable that is unpacked. The real table has about 2 MB."""

Value = float | str | None


class MatFileError(ValueError):
    """A file is no such table, or is damaged. The text says why."""


def structures(data: bytes, wanted: Sequence[str]) -> Iterator[tuple[Value, ...]]:
    """The wanted fields of each structure in the first array of structures that has them all.

    A field is a number, a text, or None if it is neither. Raises MatFileError.
    """
    if data[:128].startswith(b"MATLAB 7.3") or data[:8] == b"\x89HDF\r\n\x1a\n":
        raise MatFileError("is of MATLAB 7.3, which cannot be read; save it with -v7")
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise MatFileError("is no MATLAB file")
    try:
        for kind, body in map(partial(_unpacked, order=order), _elements(data[_HEADER:], order)):
            found = _fields(body, order, wanted) if kind == _MATRIX else None
            if found is not None:
                yield from found
                return
    except (struct.error, zlib.error, UnicodeDecodeError) as error:
        raise MatFileError(f"is damaged ({error})") from None
    raise MatFileError(f"has no structures with {' and '.join(wanted)}")


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """The data elements one after another: the type of each, and its bytes."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        if kind >> 16:  # a small element: type, size and bytes are in eight bytes
            kind, size = kind & 0xFFFF, kind >> 16
            yield kind, data[at + 4 : at + 4 + min(size, 4)]
            at += 8
            continue
        if at + 8 + size > len(data):
            raise struct.error("it ends too early")
        yield kind, data[at + 8 : at + 8 + size]
        at += 8 + size + (0 if kind == _COMPRESSED else -size % 8)


def _unpacked(element: tuple[int, bytes], order: str) -> tuple[int, bytes]:
    """The element within a compressed one; another one as it is."""
    kind, body = element
    if kind != _COMPRESSED:
        return element
    return _next(_elements(zlib.decompressobj().decompress(body, _LARGEST), order))


def _next(parts: Iterator[tuple[int, bytes]]) -> tuple[int, bytes]:
    part = next(parts, None)
    if part is None:
        raise struct.error("it ends too early")
    return part


def _fields(matrix: bytes, order: str, wanted: Sequence[str]) -> Iterator[tuple[Value, ...]] | None:
    """The wanted fields of an array of structures; None for another array."""
    parts = _elements(matrix, order)
    if _class(_next(parts)[1], order) != _STRUCT:
        return None
    _next(parts), _next(parts)  # the dimensions and the name
    (length,) = struct.unpack(f"{order}i", _next(parts)[1])
    texts = _next(parts)[1]
    if length < 1:
        raise struct.error("a name of a field has no length")
    names = [
        texts[at : at + length].split(b"\0")[0].decode() for at in range(0, len(texts), length)
    ]
    if not set(wanted) <= set(names):
        return None
    return _rows(parts, [names.index(name) for name in wanted], len(names), order)


def _rows(
    parts: Iterator[tuple[int, bytes]], places: Sequence[int], width: int, order: str
) -> Iterator[tuple[Value, ...]]:
    cells: list[bytes] = []
    for _, body in parts:
        cells.append(body)
        if len(cells) == width:
            yield tuple(_value(cells[place], order) for place in places)
            cells = []


def _value(matrix: bytes, order: str) -> Value:
    """The first number of a numeric array, or the text of an array of characters."""
    if not matrix:
        return None
    parts = _elements(matrix, order)
    is_text = _class(_next(parts)[1], order) == _CHAR
    _next(parts), _next(parts)  # the dimensions and the name
    kind, body = next(parts, (0, b""))
    if is_text:
        encoding = _TEXTS.get(kind, "utf-8")
        little = {"<": "-le", ">": "-be"}[order] if encoding in ("utf-16", "utf-32") else ""
        return body.decode(encoding + little)
    form = _FORMATS.get(kind)
    if form is None or len(body) < struct.calcsize(form):
        return None
    (number,) = struct.unpack_from(f"{order}{form}", body)
    return float(number)


def _class(flags: bytes, order: str) -> int:
    (word,) = struct.unpack_from(f"{order}I", flags)
    return int(word) & 0xFF

"""The text of an annotation file as UTF-8, whatever a spreadsheet or an editor wrote."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Final

from nanokinetics.errors import InputError

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks. That of UTF-32-LE begins with that of UTF-16-LE."""

_HEAD: Final = 400
"""Bytes that show whether every second byte is zero, as in UTF-16."""

_SHARED: Final = {
    0x91: "\u2018",
    0x92: "\u2019",
    0x93: "\u201c",
    0x94: "\u201d",
    0xA0: "\u00a0",
}
"""Quotation marks and the no-break space: these bytes mean the same in the code pages 1250 to 1258
of Windows. Other bytes are another letter in each, so they cannot be read without a guess."""

_JOINED: Final = re.compile(rb"(?<![^\r\n])" + codecs.BOM_UTF8)
"""A byte order mark at the start of a line."""

_MARKUP: Final = re.compile(rb"\s*<(!doctype|!--|html|head|body|table|\?xml)", re.IGNORECASE)


def as_utf8(path: Path, data: bytes) -> bytes:
    """A table as UTF-8 without a byte order mark.

    Raises InputError if it is empty, no text whose encoding is known, or a page of the web.
    """
    data = _decoded(path, data)
    if codecs.BOM_UTF8 in data:  # files with marks of their own were joined
        data = _JOINED.sub(b"", data)
    if not data or data.isspace():
        raise InputError(f"{path}: is empty; download it again")
    if _MARKUP.match(data):
        raise InputError(
            f"{path}: is HTML or XML, and no table; download it again, or save it as CSV UTF-8"
        )
    return data


def _decoded(path: Path, data: bytes) -> bytes:
    for mark, codec in _MARKS:
        if data.startswith(mark):
            data = data.removeprefix(mark)
            return _checked(path, data) if codec == "utf-8" else _converted(path, data, codec)
    head = data[:_HEAD]
    if len(head) > 1 and not any(head[1::2]):
        return _converted(path, data, "utf-16-le")
    if len(head) > 1 and not any(head[::2]):
        return _converted(path, data, "utf-16-be")
    return _checked(path, data)


def _converted(path: Path, data: bytes, codec: str) -> bytes:
    try:
        return data.decode(codec).encode()
    except UnicodeError as error:
        raise InputError(f"{path}: is damaged {codec.upper()} ({error}); save it again") from None


def _checked(path: Path, data: bytes) -> bytes:
    """UTF-8 as it is, and the shared characters of the code pages of Windows as UTF-8."""
    if data.isascii():
        return data
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if set(data.translate(None, bytes(range(0x80)))) <= _SHARED.keys():
            return data.decode("latin-1").translate(_SHARED).encode()
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8, and stands for "
            "another letter in each language of a spreadsheet; save the file as CSV UTF-8 (or "
            "unpack it, if it is an archive)",
        ) from None
    return data

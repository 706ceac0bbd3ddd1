"""Files that hold clips in forms that are not read here, and what unpacks each."""

from __future__ import annotations

import re
from typing import Final

_TOOLS: Final = {
    r"(part\d+\.)?rar|r\d\d": "unrar x",
    r"7z(\.\d{3})?": "7z x",
    r"z\d\d": "zip -s 0 NAME.zip --out whole.zip",
    r"zip\.\d{3}": "cat NAME.zip.* > whole.zip",
    r"tar\.zst|tzst|tar\.zstd": "tar --zstd -xf",
    r"tar\.lz4": "lz4 -d, then tar -xf",
    r"tar\.lz|tlz|tar\.lzma": "tar -xf with lzip or xz",
    r"tar\.z|taz": "tar -xzf",
    r"zst|lz4|lz|lzma|lzo": "the tool of that name",
    r"arj|ace|cab|iso|img|dmg|squashfs|sqfs|sfs": "7z x, or mount it",
    r"parquet|arrow": "the `datasets` library of Hugging Face",
    r"tfrecords?|tfrecord-\d+-of-\d+|tfrec": "TensorFlow Datasets",
    r"lmdb|mdb": "the program that wrote this LMDB",
}
"""What unpacks a file, by a pattern of its extension in lower case. The longest come first."""

_ARCHIVES: Final = re.compile(
    r"\.(rar|7z(\.\d{3})?|z\d\d|zip\.\d{3}|tar\.(zstd?|lz4|lz|lzma|z)|tzst|tlz|taz|zst"
    r"|parquet|arrow|tfrecords?|tfrec|lmdb|squashfs|sqfs|iso)$|\.tfrecord-\d+-of-\d+$|\.r\d\d$",
    re.IGNORECASE,
)


def is_foreign(name: str) -> bool:
    """Whether a file may hold clips, by its name, in a form that is not read here."""
    return _ARCHIVES.search(name) is not None


def tool_of(name: str) -> str:
    """What unpacks such a file."""
    lower = name.lower()
    for pattern, tool in _TOOLS.items():
        if re.search(rf"\.({pattern})$", lower):
            return tool
    return "the program that wrote it"


_MAGIC: Final = {
    b"Rar!\x1a\x07": "unrar x",
    b"7z\xbc\xaf\x27\x1c": "7z x",
    b"\x28\xb5\x2f\xfd": "tar --zstd -xf",
    b"\x04\x22\x4d\x18": "lz4 -d, then tar -xf",
    b"LZIP": "tar -xf with lzip",
    b"\x1f\x9d": "tar -xzf",
    b"PAR1": "the `datasets` library of Hugging Face",
}


def tool_for(head: bytes) -> str:
    """What unpacks a file with these first bytes, whatever its name; empty if that is not known."""
    return next((tool for magic, tool in _MAGIC.items() if head.startswith(magic)), "")

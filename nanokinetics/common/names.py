"""Rules for names: of splits, labels and keys, and for the paths in a table.

Names come from untrusted files, and become folders and files on any file system.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

_SPLITS: Final = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "val": "val",
    "valid": "val",
    "validate": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
    "tst": "test",
    "eval": "test",
    "evaluation": "test",
    "holdout_test": "test",
}
"""The words for splits. `eval` means the test set, as in the `datasets` library of Hugging Face."""

SPLIT_WORDS: Final = tuple(_SPLITS)

_WORDS: Final = re.compile(
    rf"(?:^|[^a-z])({'|'.join(sorted(_SPLITS, key=len, reverse=True))})(?![a-z])", re.IGNORECASE
)


_LABEL_BYTES: Final = 200  # of the 255 that a file system grants a name, to leave room for suffixes


_NAME_BYTES: Final = 255


_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


_FORBIDDEN: Final = frozenset('/\\<>:"|?*')


_INVISIBLE: Final = frozenset(
    "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
"""Marks that make a name look like another one: Unicode's bidi controls, and the BOM."""


def normalised_split(text: str) -> str | None:
    """`train`, `val` or `test` for any spelling in the Kinetics files; None for other texts."""
    return _SPLITS.get(text.strip().casefold())


def split_within(text: str) -> str | None:
    """The split that a word in a name says, as in `videos_train`; None if two words disagree."""
    found = {_SPLITS[word.casefold()] for word in _WORDS.findall(text)}
    return found.pop() if len(found) == 1 else None


def without_split(text: str) -> str:
    """A name without the words for splits in it."""
    return _WORDS.sub("", text)


def label_fault(label: str) -> str | None:
    """The reason why a label cannot be a class folder on the usual file systems, or None.

    White space is refused, apart from the plain space: it would stay in the path, and white space
    separates the columns of the loaders' lists. Reserved names and characters are from
    https://learn.microsoft.com/windows/win32/fileio/naming-a-file.
    """
    if not label:
        return "the label is empty"
    for character in label:
        if character in _FORBIDDEN:
            return f"the label {shown(label)} holds {character!r}, which some file systems refuse"
        if _unprintable(character):
            return f"the label {shown(label)} {_holding(character)}"
    if label != label.strip():
        return f"the label {shown(label)} begins or ends with a blank"
    if label.endswith("."):
        return f"the label {shown(label)} ends with a dot"
    if _RESERVED.fullmatch(label):
        return f"the label {shown(label)} is a reserved file name"
    if len(label.encode()) > _LABEL_BYTES:
        return f"the label {shown(label)} is longer than {_LABEL_BYTES} bytes"
    return None


def key_fault(path: str, folder: str) -> str | None:
    """The reason why a key cannot be a file name in the folder of its class, or None.

    path: the key with the file's extension. Lists and tables hold it on one line, so it may not
    have a line end.
    """
    if not path.isprintable():  # the fast check first: there may be a million paths
        for character in filter(_unprintable, path):
            return f"the name {shown(path)} {_holding(character)}"
    if len(path) > _NAME_BYTES // 4 and len(file_name(path, folder).encode()) > _NAME_BYTES:
        return f"the name {shown(path)}, as one name, is longer than {_NAME_BYTES} bytes"
    return None


def are_plain(names: Sequence[str]) -> bool:
    """Whether all names are surely right, so that `key_fault` need not check each."""
    return "".join(names).isprintable() and max(map(len, names)) < _NAME_BYTES // 8


def _holding(character: str) -> str:
    if unicodedata.category(character) == "Cs":
        return "is not UTF-8"
    return f"holds the control character or odd space U+{ord(character):04X}"


def _unprintable(character: str) -> bool:
    if character in _INVISIBLE:
        return True
    return character != " " and unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp", "Zs"}


def shown(text: str) -> str:
    """Quote a value for a message: on one line, escaped, and shortened to 60 characters."""
    return repr(text) if len(text) <= 60 else f"{text[:57]!r}…"


def class_dir(label: str) -> str:
    """The folder of a class: each space becomes `_`. A dataset may put a number before it."""
    return label.replace(" ", "_")


def file_name(key: str, folder: str) -> str:
    """The name of a clip's file in its class folder, without extension.

    The key of a local file is a path. If it begins with the class folder, that part is removed. In
    the rest, each `/` and each space becomes `_`.
    """
    return key.removeprefix(f"{folder}/").replace("/", "_").replace(" ", "_")


def is_inside(path: str) -> bool:
    """Whether a path stays inside its folder. Paths of tables are not trusted."""
    stays = not path.startswith("/") and ".." not in path.split("/")
    return stays and path.strip("./") != "" and "\0" not in path


def folded(label: str) -> str:
    """A label without case, spaces and underscores, which data sets write differently."""
    return re.sub(r"[\s_]", "", label.casefold())

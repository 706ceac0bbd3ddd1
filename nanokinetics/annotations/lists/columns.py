"""Lists with a header: which column holds the path, the label and the split.

The names are those that fastai, Kaggle, Hugging Face and the crawlers of data sets write.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from nanokinetics.common.names import normalised_split, shown
from nanokinetics.errors import InputError

_PATHS: Final = (
    *("path", "paths", "file_path", "filepath", "filepaths", "image_path", "img_path"),
    *("video_path", "clip_path", "rel_path", "relative_path", "class_name/key"),
    *("file_name", "filename", "filenames", "file", "files", "fname", "image_name", "img_name"),
    *(
        "video_name",
        "vid_name",
        "clip_name",
        "image_file",
        "video_file",
        "image",
        "images",
        "img",
        "video",
    ),
    *("clip", "name", "image_id", "imageid", "video_id", "videoid", "clip_id", "id"),
)
_LABELS: Final = (
    *("class_name", "classname", "label_name", "category_name", "label", "labels", "class"),
    *("category", "categories", "action", "target", "noisy_labels_0"),
    *("class_id", "classid", "class_index", "class_idx", "label_id", "label_index", "label_idx"),
    *("category_id", "target_id", "y"),
)
_SPLITS: Final = ("split", "subset", "partition", "data_set", "set", "phase", "usage")
_FLAGS: Final = {
    "is_valid": ("val", "train"),
    "is_val": ("val", "train"),
    "is_validation": ("val", "train"),
    "valid": ("val", "train"),
    "is_test": ("test", "train"),
    "is_train": ("train", "val"),
    "is_training": ("train", "val"),
}
"""The split of a row whose flag is set, and of one whose flag is not."""

_IN_PATH: Final = "class_name/key"
"""The column of Food-101N. Its path begins with the class, and no other column holds a label."""

_TRUE: Final = frozenset({"true", "1", "1.0", "yes", "y", "t"})
_FALSE: Final = frozenset({"false", "0", "0.0", "no", "n", "f"})


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a list by their meaning, as indexes.

    label: None if the folder of the path is the class. split, flag: at most one is set; `flags`
    are the splits that a flag stands for.
    """

    count: int
    path: int
    label: int | None
    split: int | None
    flag: int | None
    flags: tuple[str, str] = ("", "")

    def fault(self, cells: Sequence[str]) -> str | None:
        """What is missing in a row, or None."""
        if len(cells) != self.count:
            return f"{len(cells)} fields where the header has {self.count}"
        if not cells[self.path]:
            return "the path is empty"
        return "the label is empty" if self.label is not None and not cells[self.label] else None

    def split_of(self, cells: Sequence[str]) -> tuple[str | None, str | None]:
        """The split that a row names, or None, and the fault of its cell, or None."""
        if self.split is not None:
            text = cells[self.split]
            split = normalised_split(text)
            return split, None if split else f"split {shown(text)} is none of train, val and test"
        if self.flag is None:
            return None, None
        text = cells[self.flag].casefold()
        if text in _TRUE:
            return self.flags[0], None
        if text in _FALSE:
            return self.flags[1], None
        return None, f"{shown(cells[self.flag])} is neither True nor False"


def columns_of(cells: Sequence[str], *, is_header: bool) -> Columns | None:
    """The columns that a header names, or None if these cells are no header.

    is_header: whether they can be no row. If they can, a header names a label or a split too.
    """
    names = [re.sub(r"[\s-]+", "_", cell.strip().casefold()) for cell in cells]
    path = _first(_PATHS, names)
    if path is None or not (is_header or {*_LABELS, *_SPLITS, *_FLAGS}.intersection(names)):
        return None
    label = None if names[path] == _IN_PATH else _first(_LABELS, names)
    split = _first(_SPLITS, names)
    flag = _first(tuple(_FLAGS), names) if split is None else None
    flags = ("", "") if flag is None else _FLAGS[names[flag]]
    return Columns(len(cells), path, label, split, flag, flags)


def check(columns: Columns, cells: Sequence[str], where: str) -> None:
    """Raises InputError if the label may be in a column that is not known.

    cells: the header. where: the file and line, for the message.
    """
    if columns.label is not None or cells[columns.path].strip().casefold() == _IN_PATH:
        return
    understood = {columns.path, columns.split, columns.flag}
    unknown = [cell for i, cell in enumerate(cells) if i not in understood and cell.strip()]
    if unknown:
        raise InputError(
            f"{where}: the header has no column label, and {shown(unknown[0])} is not known; "
            "call the column with the classes label"
        )


def _first(wanted: Sequence[str], names: Sequence[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)

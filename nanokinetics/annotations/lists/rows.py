"""The text of a list as rows of path, label and split.

A list has one shape: every row has the same number of fields. A row of another shape is refused,
and so is a list whose shape is not understood, because a guess would give files to wrong classes.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from nanokinetics.annotations.files import AnnotationFile
from nanokinetics.annotations.lists.columns import Columns, check, columns_of
from nanokinetics.common.names import shown
from nanokinetics.errors import BadRow, InputError
from nanokinetics.sources.suffixes import IMAGES, VIDEOS

_ENDINGS: Final = "|".join(sorted(ending[1:] for ending in IMAGES | VIDEOS))
MEDIA: Final = re.compile(rf"\.(?:{_ENDINGS})$", re.IGNORECASE)
_SPACED: Final = re.compile(rf"(.*\.(?:{_ENDINGS}))(?:\s+(.*))?", re.IGNORECASE)
_QUOTED: Final = re.compile(r"""(["'])(.+?)\1(?:\s+(.*))?""")
_ANYWHERE: Final = re.compile(rf"\.(?:{_ENDINGS})(?=[\"'\s,;|]|$)", re.IGNORECASE)
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_SEPARATED: Final = "\t,;|"
_COUNT: Final = re.compile(r"[0-9]+")

_REMEDY: Final = "write lines of 'path label', or a header that names the columns path and label"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a list. label: None if the row has none. split: None if the row does not say."""

    line: int
    path: str
    label: str | None = None
    split: str | None = None


_Fields = tuple[int, str, list[str]]
"""The number of a line, its path, and the fields after it."""

Known = Callable[[str], bool]
"""Whether a path, as it stands in a list, is surely that of a file in the source."""


def read_rows(source: AnnotationFile, known: Known, bad: list[BadRow]) -> list[Row]:
    """The rows of a list that is no JSON. Unusable lines are added to `bad`.

    Raises InputError if the list is not understood.
    """
    has_media = bool(_ANYWHERE.search(source.data.decode()))
    lines = list(_lines(source, has_media))
    if not lines:
        raise InputError(f"{source.path}: names no file; {_REMEDY}")
    number, first = lines[0]
    # Without extensions a word such as `video` may be the path of a file.
    for delimiter in (*_SEPARATED, None):
        cells = _split(first, delimiter)
        is_header = has_media or not any(map(known, cells))
        columns = None if _ANYWHERE.search(first) else columns_of(cells, is_header=is_header)
        if columns:
            check(columns, cells, f"{source.path}, line {number}")
            below = ((i, _split(line, delimiter)) for i, line in lines[1:])
            return rows_of(source, below, columns, bad)
    if has_media and not _ANYWHERE.search(first) and len(lines) > 1:
        raise InputError(
            f"{source.path}, line {number}: {shown(first)} is neither a row nor a header that is "
            f"understood; {_REMEDY}"
        )
    return _plain(source, lines, has_media, known, bad)


def _lines(source: AnnotationFile, has_media: bool) -> Iterator[tuple[int, str]]:
    """The lines with their numbers, without blank lines and comments.

    The names of HMDB51 begin with `#` too, so a comment is what holds no name of a file.
    """
    for number, line in enumerate(_LINE_END.split(source.data.decode()), 1):
        text = line.strip(" \t")
        if number == 1 and re.fullmatch(r"sep=.", text):  # Excel's word for the delimiter
            continue
        is_comment = text.startswith("#") and (
            text[1:2] in ("", " ", "\t") or (has_media and not _ANYWHERE.search(text))
        )
        if text and not is_comment:
            yield number, text


def _split(line: str, delimiter: str | None) -> list[str]:
    """The cells of a line. delimiter: None for blanks."""
    if delimiter is None:
        return line.split()
    row = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    return [cell.strip() for cell in row]


def rows_of(
    source: AnnotationFile,
    table: Iterable[tuple[int, Sequence[str]]],
    columns: Columns,
    bad: list[BadRow],
) -> list[Row]:
    """The rows of a table with named columns: a line and its cells. Unusable ones go to `bad`."""
    rows: list[Row] = []
    for number, cells in table:
        why = columns.fault(cells)
        split = None
        if why is None:
            split, why = columns.split_of(cells)
        if why is not None:
            bad.append(BadRow(str(source.path), number, why))
            continue
        label = None if columns.label is None else cells[columns.label]
        rows.append(Row(number, cells[columns.path], label, split))
    return rows


def _plain(
    source: AnnotationFile,
    lines: Sequence[tuple[int, str]],
    has_media: bool,
    known: Known,
    bad: list[BadRow],
) -> list[Row]:
    """The rows of a list without a header: a path, and what follows it."""
    file = str(source.path)
    found: list[_Fields] = []
    for number, line in lines:
        path, fields = _parted(line, has_media)
        if not path:
            bad.append(BadRow(file, number, f"{shown(line)} names no image or video"))
        elif _comes_later(path, known):
            bad.append(BadRow(file, number, f"the path does not come first; {_REMEDY}"))
        else:
            found.append((number, path, fields))
    if not found:
        return []
    usual = Counter(len(fields) for _, _, fields in found).most_common(1)[0][0]
    same = []
    for number, path, fields in found:
        if len(fields) == usual:
            same.append((number, path, fields))
        else:
            why = f"{len(fields)} fields after the path where other lines have {usual}"
            bad.append(BadRow(file, number, f"{why}; {_REMEDY}"))
    if not has_media and len(same) > 1:
        same = _without_header(source, same, known, bad)
    if usual == 0:
        return [Row(number, path) for number, path, _ in same]
    if usual == 2:
        _check_frames(source, same)
    if usual > 2:
        number = same[0][0]
        raise InputError(f"{file}, line {number}: {usual} fields follow the path; {_REMEDY}")
    for number, _, fields in same:
        if not fields[-1]:
            bad.append(BadRow(file, number, "the label is empty"))
    return [Row(number, path, fields[-1]) for number, path, fields in same if fields[-1]]


def _parted(line: str, has_media: bool) -> tuple[str, list[str]]:
    """The path of a line and the fields after it. The path is empty if there is none.

    has_media: whether paths of this list end like images or videos. If not, as in lists of folders
    of frames, a path ends at the first blank.
    """
    for delimiter in _SEPARATED:
        if delimiter in line:
            path, *fields = _split(line, delimiter)
            if MEDIA.search(path) or not has_media:
                return path, fields
    quoted = _QUOTED.fullmatch(line)
    if quoted:
        path, rest = quoted[2], quoted[3]
    elif has_media:
        match = _SPACED.fullmatch(line)
        path, rest = (match[1], match[2]) if match else ("", None)
    else:
        path, rest = (*line.split(maxsplit=1), "")[:2]
    rest = (rest or "").strip()
    numbers = rest.split()
    if len(numbers) > 1 and all(re.fullmatch(r"-?[0-9]+", each) for each in numbers):
        return path, numbers
    label = _QUOTED.fullmatch(rest)
    return path, [label[2] if label and not label[3] else rest] if rest else []


def _without_header(
    source: AnnotationFile, rows: list[_Fields], known: Known, bad: list[BadRow]
) -> list[_Fields]:
    """The rows without a first one that may be a header: its path and its label are its own."""
    (number, path, fields), *others = rows
    if known(path) or not any(known(other) for _, other, _ in others):
        return rows
    if any(fields == more for _, _, more in others):
        return rows
    why = f"{shown(path)} is no file of the source, and may be a header; {_REMEDY}"
    bad.append(BadRow(str(source.path), number, why))
    return others


def _comes_later(path: str, known: Known) -> bool:
    """Whether a known path stands behind something else, as in `17 cats/1.jpg`."""
    parts = re.split(r"[\s,;|]+", path, maxsplit=1)
    return len(parts) == 2 and not known(path) and known(parts[1])


def _check_frames(source: AnnotationFile, rows: Sequence[_Fields]) -> None:
    """Raises InputError unless two fields are the number of frames and the label.

    The lists of TSN, MMAction2 and VideoMAE have this shape. Others have the index of a first
    frame, or the label before the number of frames.
    """
    where = f"{source.path}, line {rows[0][0]}"
    frames = [fields[0] for _, _, fields in rows]
    if not all(map(_COUNT.fullmatch, frames)):
        raise InputError(f"{where}: two fields follow the path; {_REMEDY}")
    if not all(_COUNT.fullmatch(fields[1].removeprefix("-")) for _, _, fields in rows):
        return  # a name cannot be taken for a number of frames
    if max(map(int, frames)) <= 1:
        raise InputError(f"{where}: {frames[0]!r} after the path is no number of frames; {_REMEDY}")
    of_folder: defaultdict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for _, path, fields in rows:
        for seen, field in zip(of_folder[path.rpartition("/")[0]], fields, strict=True):
            seen.add(field)
    folders = of_folder.values()
    if all(len(first) == 1 for first, _ in folders) and any(len(last) > 1 for _, last in folders):
        raise InputError(f"{where}: the label seems to come before the number of frames; {_REMEDY}")

"""Files of class names: which name a number, or a code such as `n01440764`, stands for."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nanokinetics.annotations.files import AnnotationFile
from nanokinetics.common.names import folded, shown
from nanokinetics.errors import InputError

_NUMBER: Final = re.compile(r"([0-9]+)(?:\.0+)?")
_CODED: Final = re.compile(r"(?P<code>[0-9]+|[A-Za-z]+[0-9]+)\s+(?P<name>\S.*)")
_REVERSED: Final = re.compile(r"(?P<name>\S.*?)\s+(?P<code>[0-9]+)")
_CODE: Final = re.compile(r"[0-9]+|[A-Za-z]+[0-9]+")
_CODES: Final = (
    "label_id",
    "class_id",
    "id",
    "index",
    "idx",
    "number",
    "label_index",
    "class_index",
)
_NAMES: Final = ("class_name", "label_name", "classname", "name", "label", "class", "display_name")


@dataclass(frozen=True)
class ClassNames:
    """The names of classes by their codes, which are numbers or words such as `n01440764`.

    counted: whether the numbers stand in the file; if not, they are the positions of its lines,
    from 0.

    Raises InputError if two classes have one name.
    """

    path: Path
    by_code: Mapping[str, str]
    counted: bool = True

    def __post_init__(self) -> None:
        codes: dict[str, str] = {}
        for code, name in self.by_code.items():
            other = codes.setdefault(folded(name), code)
            if other != code:
                raise InputError(
                    f"{self.path}: {other} and {code} have one name, {shown(name)}; "
                    "give each class a name of its own"
                )


def number_of(label: str) -> int | None:
    """The number that a label is, also one such as `3.0` or `007`; None for a name."""
    match = _NUMBER.fullmatch(label)
    return int(match[1]) if match else None


def class_names(source: AnnotationFile) -> ClassNames:
    """The class names in a file.

    Lines are `1 ApplyEyeMakeup`, `n01440764 tench`, `0,abseiling`, `abseiling 0`, or a name alone,
    which has the number of its line from 0. A table may have a header such as `id,name`. JSON is a
    list of names, `{"0": "abseiling"}` or `{"abseiling": 0}`.

    Raises InputError if the file is not understood, or names one class twice.
    """
    text = source.data.decode()
    if text.lstrip()[:1] in ("{", "["):
        return _of_json(source)
    lines = [(i, line.strip()) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    pairs = _of_table(source, lines) or _of_lines(source, lines)
    if pairs is None:
        names = {str(i): _unquoted(line) for i, (_, line) in enumerate(lines)}
        return ClassNames(source.path, names, counted=False)
    by_code: dict[str, str] = {}
    for number, code, name in pairs:
        if by_code.setdefault(_code(code), name) != name:
            raise InputError(f"{source.path}, line {number}: {code} stands there twice")
    return ClassNames(source.path, by_code)


_Pairs = Sequence[tuple[int, str, str]]
"""The line, the code and the name of each class."""


def _of_table(source: AnnotationFile, lines: Sequence[tuple[int, str]]) -> _Pairs | None:
    """The classes of a table with commas, semicolons or tabs; None for another file."""
    delimiter = next((d for d in "\t;," if all(d in line for _, line in lines)), None)
    if delimiter is None:
        return None
    rows = [
        (number, [_unquoted(cell) for cell in next(csv.reader([line], delimiter=delimiter))])
        for number, line in lines
    ]
    header = [cell.casefold().replace(" ", "_") for cell in rows[0][1]]
    code, name = _first(_CODES, header), _first(_NAMES, header)
    if code is not None and name is not None:
        del rows[0]
    elif _CODE.fullmatch(rows[0][1][0]) and len(rows[0][1]) == 2:
        code, name = 0, 1
    elif _CODE.fullmatch(rows[0][1][-1]) and len(rows[0][1]) == 2:
        code, name = 1, 0
    else:
        return None
    for number, cells in rows:
        if len(cells) != len(header) or not _CODE.fullmatch(cells[code]) or not cells[name]:
            raise InputError(f"{source.path}, line {number}: no '1,ApplyEyeMakeup'")
    return [(number, cells[code], cells[name]) for number, cells in rows]


def _of_lines(source: AnnotationFile, lines: Sequence[tuple[int, str]]) -> _Pairs | None:
    """The classes of lines with a blank between code and name; None for names alone."""
    for form in (_CODED, _REVERSED):
        found = [(number, form.fullmatch(line)) for number, line in lines]
        if all(match for _, match in found):
            return [(n, match["code"], _unquoted(match["name"])) for n, match in found if match]
        if form is _CODED and any(match for _, match in found):
            number = next(number for number, match in found if match is None)
            raise InputError(f"{source.path}, line {number}: no '1 ApplyEyeMakeup'")
    return None


def _of_json(source: AnnotationFile) -> ClassNames:
    try:
        found = json.loads(source.data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source.path}: is not valid JSON: {error}") from None
    pairs: list[tuple[str, object]] = []
    if isinstance(found, list):
        pairs = [(str(i), name) for i, name in enumerate(found)]
    elif isinstance(found, dict) and all(isinstance(v, int | str) for v in found.values()):
        if all(number_of(str(value)) is not None for value in found.values()):
            pairs = [(str(value), name) for name, value in found.items()]
        else:
            pairs = list(found.items())
    names = {_code(code): _unquoted(name) for code, name in pairs if isinstance(name, str)}
    if not names or len(names) < len(pairs):
        raise InputError(f"{source.path}: is no JSON of classes and their numbers")
    return ClassNames(source.path, names)


def _first(wanted: Iterable[str], cells: Sequence[str]) -> int | None:
    return next((cells.index(name) for name in wanted if name in cells), None)


def _code(text: str) -> str:
    number = number_of(text)
    return text if number is None else str(number)


def _unquoted(text: str) -> str:
    """A name without quotes, which PyTorchVideo's class names have inside those of JSON."""
    return text.strip().strip("\"'").strip()

"""The labels of lists: numbers into names, by a file of class names.

Lists count classes from 0 or from 1, and so do files of names. A number is never turned into the
name beside it: the folders of the paths, where they are classes, show which count is meant.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nanokinetics.annotations.files import AnnotationFile
from nanokinetics.common.names import folded, shown
from nanokinetics.errors import InputError

_NUMBER: Final = re.compile(r"([0-9]+)(?:\.0+)?")
_CODED: Final = re.compile(r"(?P<code>[0-9]+|[A-Za-z]+[0-9]+)(?:\s*[,;\t]\s*|\s+)(?P<name>\S.*)")
_REVERSED: Final = re.compile(r"(?P<name>\S.*?)(?:\s*[,;\t]\s*|\s+)(?P<code>[0-9]+)")
_HEADER: Final = re.compile(
    r"((class|label)_)?(id|index|idx|number|label)\s*[,;\t ]\s*(class_?name|name|class|label)",
    re.IGNORECASE,
)
_SHIFTS: Final = (0, 1, -1)


@dataclass(frozen=True)
class ClassNames:
    """The names of classes by their codes, which are numbers or words such as `n01440764`.

    counted: whether the numbers stand in the file; if not, they are the positions of its lines,
    from 0.
    """

    path: Path
    by_code: Mapping[str, str]
    counted: bool = True

    def __post_init__(self) -> None:
        codes: dict[str, str] = {}
        for code, name in self.by_code.items():
            if codes.setdefault(folded(name), code) != code:
                other = codes[folded(name)]
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

    Lines are `1 ApplyEyeMakeup`, `n01440764 tench`, `0,abseiling`, or a name alone, which has the
    number of its line from 0. JSON is a list of names, `{"0": "abseiling"}` or `{"abseiling": 0}`.

    Raises InputError if the file is not understood, or names one class twice.
    """
    text = source.data.decode()
    if text.lstrip()[:1] in ("{", "["):
        return _of_json(source)
    lines = [(i, line.strip()) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    if _HEADER.fullmatch(lines[0][1]):
        del lines[0]
    form = _CODED
    if not any(_CODED.fullmatch(line) for _, line in lines) and all(
        _REVERSED.fullmatch(line) for _, line in lines
    ):
        form = _REVERSED
    coded = [(number, form.fullmatch(line)) for number, line in lines]
    if not any(match for _, match in coded):
        return ClassNames(
            source.path, {str(i): _unquoted(line) for i, (_, line) in enumerate(lines)}, False
        )
    by_code: dict[str, str] = {}
    for number, match in coded:
        if match is None:
            raise InputError(f"{source.path}, line {number}: no '1 ApplyEyeMakeup'")
        code = _code(match["code"])
        if code in by_code:
            raise InputError(f"{source.path}, line {number}: {code} stands there twice")
        by_code[code] = _unquoted(match["name"].rstrip(",;").strip())
    return ClassNames(source.path, by_code)


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


class Labels:
    """Turns the labels of all lists into the names of classes.

    names: the file of class names, or None: then labels stay as they are.
    """

    def __init__(self, names: ClassNames | None) -> None:
        self._names = names
        self._by_folded = {folded(name): name for name in names.by_code.values()} if names else {}
        self._shift = 0

    def settle(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Find out from which number the lists count.

        pairs: the label of each row and the folder of its path, or an empty text.

        Raises InputError if labels and folders contradict each other.
        """
        if self._names is None:
            return
        told = Counter(
            (number, name)
            for label, folder in pairs
            if (number := number_of(label)) is not None
            and (name := self._by_folded.get(folded(folder))) is not None
        )
        agreed = {shift: self._agreeing(told, shift) for shift in _SHIFTS}
        best = max(_SHIFTS, key=lambda shift: agreed[shift])
        if best == self._shift and 2 * agreed[best] >= told.total():
            numbers = {number_of(label) for label, _ in pairs} - {None}
            if not self._names.counted and numbers and 0 not in numbers and not told:
                raise InputError(
                    f"{self._names.path}: has no numbers, and the lists have no class 0; write "
                    "the number of each class before its name"
                )
        elif agreed[best] == told.total():
            self._shift = best
        else:
            number, name = min(each for each in told if self._name(each[0], 0) != each[1])
            raise InputError(
                f"{self._names.path}: calls class {number} {shown(self._name(number, 0))}, but "
                f"the lists have it in the folder {shown(name)}; is it of another dataset?"
            )

    def name(self, label: str) -> tuple[str, str | None]:
        """The name of the class, and the fault if there is none."""
        number = number_of(label)
        if label.startswith("-") and number_of(label[1:]) is not None:
            return label, f"{label} is no number of a class"
        if self._names is None:
            return (label if number is None or "." not in label else str(number)), None
        name = self._names.by_code.get(label) if number is None else self._name(number, self._shift)
        name = name or self._by_folded.get(folded(label))
        if name is None:
            have = _range(self._names.by_code)
            return label, f"the label {shown(label)} has no name in {self._names.path.name}{have}"
        return name, None

    def _name(self, number: int, shift: int) -> str:
        return self._names.by_code.get(str(number + shift), "") if self._names else ""

    def _agreeing(self, told: Mapping[tuple[int, str], int], shift: int) -> int:
        return sum(
            count for (number, name), count in told.items() if self._name(number, shift) == name
        )


def _range(codes: Iterable[str]) -> str:
    numbers = [number for code in codes if (number := number_of(code)) is not None]
    return f", which has {min(numbers)} to {max(numbers)}" if numbers else ""


def _code(text: str) -> str:
    number = number_of(text)
    return text if number is None else str(number)


def _unquoted(text: str) -> str:
    """A name without quotes, which PyTorchVideo's class names have inside those of JSON."""
    return text.strip().strip("\"'").strip() if isinstance(text, str) else ""

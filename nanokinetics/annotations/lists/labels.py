"""The labels of lists: numbers into names, by a file of class names.

Lists count classes from 0 or from 1, and so do files of names. A number is never turned into the
name beside it: the folders of the paths, where they are classes, show which count is meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from nanokinetics.annotations.lists.class_names import ClassNames, number_of
from nanokinetics.common.names import folded, shown
from nanokinetics.errors import InputError

_SHIFTS: Final = (0, 1, -1)


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

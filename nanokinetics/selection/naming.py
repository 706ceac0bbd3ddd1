"""Which labels of the annotations the names of classes mean, and which names mean none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from nanokinetics.common.names import folded
from nanokinetics.common.near import nearest
from nanokinetics.errors import InputError

SHOWN: Final = 10
"""Unknown classes that a message names, at most. It says how many more there are."""


@dataclass(frozen=True, slots=True)
class Named:
    """What the names of classes mean.

    labels: sorted, as the annotations spell them. renamed: the names that annotations of a later
    version have for classes asked for. missing: the names that mean no label.
    """

    labels: tuple[str, ...]
    renamed: Mapping[str, str]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The labels of annotations, and the other names by which they may be asked for.

    called: further names of labels, separated by commas. renamed: names of classes in another
    version, and their names in this one. successors: the classes that came in the place of others.
    """

    labels: Sequence[str]
    called: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    successors: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def named(self, names: Sequence[str], *, skip_missing: bool = False) -> Named:
        """What the names mean. skip_missing: leave out those that mean no label.

        Raises InputError for a name that means several labels, and for names that mean none, unless
        they are left out and others remain.
        """
        if not names:
            raise InputError("--classes names no class")
        known = set(self.labels)
        by_folded = self._by_folded()
        chosen: set[str] = set()
        renamed: dict[str, str] = {}
        missing: list[str] = []
        for name in dict.fromkeys(names):
            matches = [name] if name in known else by_folded.get(folded(name), [])
            later = self.renamed.get(name, "")
            if not matches and later in known:
                matches, renamed[name] = [later], later
            if len(matches) > 1:
                several = " and ".join(map(repr, matches))
                raise InputError(f"class {name!r} may mean {several}; spell it exactly")
            if not matches:
                missing.append(name)
            chosen.update(matches)
        if missing and not (skip_missing and chosen):
            raise InputError(self._unknown(missing, by_folded, has_others=bool(chosen)))
        return Named(tuple(sorted(chosen)), renamed, tuple(missing))

    def _by_folded(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for label in self.labels:
            for name in (label, *filter(None, self.called.get(label, "").split(","))):
                found.setdefault(folded(name), []).append(label)
        return found

    def _unknown(
        self, missing: Sequence[str], by_folded: Mapping[str, Sequence[str]], *, has_others: bool
    ) -> str:
        """What to say of the names that mean no label."""
        for between, how in (("", "in quotes"), (",", "in a file of a label a line")):
            whole = by_folded.get(folded(between.join(missing)))
            if whole and len(missing) > 1:
                words = ", ".join(map(repr, missing))
                return f"no classes {words} in the annotations; did you mean {whole[0]!r}, {how}?"
        remedy = "; --skip-missing-classes leaves out what is not there" if has_others else ""
        if len(missing) == 1:
            near = self._near(missing[0], by_folded, 3)
            return f"no class {missing[0]!r} in the annotations{near}{remedy}"
        told = ", ".join(f"{name!r}{self._near(name, by_folded, 1)}" for name in missing[:SHOWN])
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        return f"{len(missing)} classes are not in the annotations: {told}{more}{remedy}"

    def _near(self, name: str, by_folded: Mapping[str, Sequence[str]], most: int) -> str:
        here = [label for label in self.successors.get(name, ()) if label in self.labels]
        if here:
            return f" (here {' and '.join(map(repr, here))})"
        near = nearest(folded(name), by_folded, most)
        labels = dict.fromkeys(label for each in near for label in by_folded[each])
        return f" (nearest: {', '.join(map(repr, labels))})" if labels else ""

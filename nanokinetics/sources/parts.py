"""Numbered files: the parts of one archive, or archives that are whole each. The bytes decide."""

from __future__ import annotations

import re
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from nanokinetics.errors import InputError
from nanokinetics.sources.archives import PACKED, TAR, ZIP, Beginning, beginning

_BY_DIGITS: Final = re.compile(
    r"(?P<stem>.*(?:[-._ ]|part))(?P<number>[0-9]{1,6})"
    r"(?P<kind>\.(?:zip|tar|tgz|tbz2?|txz|tar\.(?:gz|bz2|xz)))?",
    re.IGNORECASE | re.DOTALL,
)
_BY_LETTERS: Final = re.compile(
    r"(?P<stem>.*(?:[-._ ]|part))(?!zip$|tar$|tgz$|tbz$|txz$)(?P<number>[a-z]{2,8})"
    r"(?P<kind>\.zip)?",
    re.IGNORECASE | re.DOTALL,
)
"""Names such as `v2-00`, `v2-00.zip`, `x.tar.part1`, `videos_01.tgz`, and `x.tar.gz.aa`."""

_ENDINGS: Final = frozenset({"bz", "br", "gz", "lz", "md", "xz"})
"""Two letters that are an extension, and a number only behind the number before."""

_OF_AN_ARCHIVE: Final = re.compile(r"\.(tar|t[gbx]z2?|zip)(\.(gz|bz2|xz))?[-._]", re.IGNORECASE)
"""A stem that says what the numbered files are parts of: `x.tar.gz.`."""

_LARGE: Final = 1_000_000
"""Smallest size in bytes at which numbered files without a known beginning count as parts of an
archive that has lost its first part."""

_Group = Mapping[int, list[str]]
"""Files by their place, from 0 or 1. A part and the zip that it was in have one place."""


@dataclass(frozen=True)
class Numbered:
    """What numbered files are.

    whole: archives of their own. joined: parts in order, a tuple for each archive. pieces: all
    files of these archives, with the zips of parts that are unpacked too. gaps: what seems to be
    missing between whole archives.
    """

    whole: tuple[str, ...] = ()
    joined: tuple[tuple[str, ...], ...] = ()
    pieces: frozenset[str] = frozenset()
    gaps: tuple[str, ...] = ()


def numbered(root: Path, names: Iterable[str]) -> Numbered:
    """The archives among the numbered files of these names. Other files are left out.

    Raises InputError if a part is missing, or cannot be read.
    """
    by_stem: defaultdict[tuple[str, bool], dict[str, list[str]]] = defaultdict(dict)
    named: set[str] = set()
    for name in sorted(names):
        found = _BY_DIGITS.fullmatch(name) or _BY_LETTERS.fullmatch(name)
        if found is None:
            continue
        number = found["number"].lower()
        by_stem[found["stem"], number.isdigit()].setdefault(number, []).append(name)
        if found["kind"]:
            named.add(name)
    whole: list[str] = []
    joined: list[tuple[str, ...]] = []
    pieces: set[str] = set()
    gaps: list[str] = []
    for (stem, _), by_number in by_stem.items():
        group = _placed(by_number)
        says_so = _OF_AN_ARCHIVE.search(stem) is not None
        files = [name for names in group.values() for name in names]
        if not (says_so or _may_be_parts(group) or not named.isdisjoint(files)):
            continue
        heads = {name: _beginning(root / name) for name in files}
        if _are_whole(list(heads.values())) or (len(heads) == 1 and not named.isdisjoint(heads)):
            whole += heads
            gaps += _gaps(group)
        elif group and heads[_part(group, min(group))].kind in (TAR, PACKED):
            joined.append(_in_order(root, group))
            pieces.update(files)
        elif _lacks_first(group, heads, says_so=says_so):
            raise _missing(root / _part(group, min(group)), "before")
        else:
            whole += [name for name in heads if name in named or heads[name].kind == ZIP]
    return Numbered(tuple(whole), tuple(joined), frozenset(pieces), tuple(gaps))


def _part(group: _Group, place: int) -> str:
    """The file of a part: an unpacked part is preferred to its zip."""
    return min(group[place], key=len)


def _may_be_parts(group: _Group) -> bool:
    """Whether it is worth to open the files: letters are the extensions of most files."""
    return 0 in group or any(place + 1 in group for place in group)


def _are_whole(heads: Sequence[Beginning]) -> bool:
    """Whether the files are archives of their own.

    The first part of an archive begins like one, and no other part does. But a part may happen to
    begin with a header of a tar: so a tar must also have its end.
    """
    if not heads:
        return False
    begun = [h.kind in (PACKED, ZIP) or (h.kind == TAR and h.is_ended) for h in heads]
    return sum(begun) > len(heads) / 2 and (len(heads) > 1 or heads[0].kind == ZIP)


def _gaps(group: _Group) -> list[str]:
    """The holes in a row of archives that begins with 0 or 1. Other numbers may be years."""
    places = sorted(group)
    if places[0] > 1 or len(places) < 2 or places[-1] > 2 * len(places):
        return []
    return [
        f"an archive is missing between {_part(group, place)} and {_part(group, later)}"
        for place, later in pairwise(places)
        if later != place + 1
    ]


def _in_order(root: Path, group: _Group) -> tuple[str, ...]:
    places = sorted(group)
    for place, later in pairwise(places):
        if later != place + 1:
            raise _missing(root / _part(group, place), "after")
    return tuple(_part(group, place) for place in places)


def _lacks_first(group: _Group, heads: Mapping[str, Beginning], *, says_so: bool) -> bool:
    if not group or min(group) == 0:
        return False
    follows = min(group) + 1 in group and heads[_part(group, min(group))].size > _LARGE
    return says_so or follows


def _beginning(path: Path) -> Beginning:
    try:
        return beginning(path)
    except tarfile.ReadError as error:
        raise InputError(f"{error}; download it again") from None


def _missing(path: Path, where: str) -> InputError:
    return InputError(f"{path}: the part {where} it is missing; download it too")


def _placed(by_number: Mapping[str, list[str]]) -> _Group:
    """The files by place. Letters that continue no row of parts, such as `sig`, are left out."""
    widths = {len(number) for number in by_number}
    if all(map(str.isdigit, by_number)):
        is_widened = 2 in widths and all(
            number.startswith("9" * ((len(number) - 2) // 2)) and len(number) % 2 == 0
            for number in by_number
        )
        if is_widened and len(widths) > 1:
            return {_widened(number, 10): names for number, names in by_number.items()}
        placed: defaultdict[int, list[str]] = defaultdict(list)
        for number, names in by_number.items():
            placed[int(number)] += names
        return placed
    width = 3 if "aaa" in by_number and "aa" not in by_number else 2
    group = {
        _widened(number, 26) if width == 2 else _value(number, 26): names
        for number, names in by_number.items()
        if len(number) == width or (width == 2 and _is_widened(number))
    }
    endings = {_value(ending, 26) for ending in _ENDINGS if ending in by_number}
    return {
        place: names for place, names in group.items() if place not in endings or place - 1 in group
    }


def _is_widened(letters: str) -> bool:
    zs = (len(letters) - 2) // 2
    return len(letters) % 2 == 0 and zs > 0 and letters[:zs] == "z" * zs and letters[zs] != "z"


def _widened(number: str, base: int) -> int:
    """The place of a part by an ending of `split`, from 0.

    After `yz` GNU and BSD `split` go on with `zaaa`, after `89` with `9000`: each widening puts one
    more last letter in front, and the rest gets one more place. `split -a 2` does not widen.
    """
    lead = (len(number) - 2) // 2
    before: int = sum((base - 1) * base ** (1 + k) for k in range(lead))
    return before + _value(number[lead:], base)


def _value(number: str, base: int) -> int:
    value, zero = 0, ord("0" if base == 10 else "a")
    for character in number:
        value = base * value + ord(character) - zero
    return value

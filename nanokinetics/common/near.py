"""Which known word a mistyped word means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_UNLIKE = re.compile(r"[\s_-]+")


def bare(word: str) -> str:
    """A word without case, blanks, underscores and hyphens."""
    return _UNLIKE.sub("", word.casefold())


def nearest(word: str, known: Iterable[str], most: int = 1) -> list[str]:
    """The known words that are most like `word`, the best first; none if all differ too much."""
    import difflib  # only a mistake needs it

    by_bare: dict[str, str] = {}
    for each in known:
        by_bare.setdefault(bare(each), each)
    found = difflib.get_close_matches(bare(word), by_bare, n=most, cutoff=0.7)
    return [by_bare[each] for each in found]


def meant(word: str, known: Iterable[str], called: Mapping[str, str] | None = None) -> str:
    """The known word that is meant, or ''.

    called: other names, as `bare` gives them, and the words that they mean. Those may be more than
    one word, and need not be known.
    """
    names = list(known)
    other = (called or {}).get(bare(word))
    if other is None:
        near = nearest(word, [*names, *(called or {})])
        other = (called or {}).get(near[0], near[0]) if near else ""
    return other


def hint(word: str, known: Iterable[str], called: Mapping[str, str] | None = None) -> str:
    """`; did you mean …?`, or '' if nothing is near. See `meant`."""
    found = meant(word, known, called)
    return f"; did you mean {found}?" if found else ""

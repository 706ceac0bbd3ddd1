"""What the name of a list says: the split of its rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from nanokinetics.common.names import normalised_split
from nanokinetics.errors import InputError

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SPLIT: Final = r"train(?:ing)?|val(?:id(?:at(?:e|ion))?)?|test(?:ing)?|eval|dev"
_GLUED: Final = re.compile(
    r"(?:my|mini|nano|tiny|small|full|sub|list|file|split|data|video|image|clip|ann|anno|label|"
    r"ucf|hmdb|kinetics|ssv|sthv|imagenet|food|caltech)?"
    rf"(?P<splits>(?:{_SPLIT})+)"
    r"(?:list|set|split|file|data|video|image|img|clip|frame|label|path|ann|anno|annotation|"
    r"sample|id|csv|txt|tsv)?s?"
)
"""A word that is made of one split, or of several, and of what people write together with it."""

_CROSS: Final = re.compile(r"cross[-_ ]?val(?:id(?:ation)?)?", re.IGNORECASE)
"""What has a split's name in it and is none."""


def splits_in(text: str) -> frozenset[str]:
    """The splits that the words of a name say.

    Only whole words count: `latest` says nothing, `testlist01` says test.
    """
    found: set[str] = set()
    for word in map(str.casefold, _WORD.findall(_CROSS.sub(" ", text))):
        own = normalised_split(word)
        glued = _GLUED.fullmatch(word)
        if own:
            found.add(own)
        elif glued:
            parts = re.findall(_SPLIT, glued["splits"])
            found |= {split for part in parts if (split := normalised_split(part))}
    return frozenset(found)


def split_of_name(path: Path, names: Sequence[str] = ()) -> str | None:
    """The split that the name of a list says, or None if it says none.

    names: the names of a list in an archive, from its own to that of the archive; the first that
    says a split decides.

    Raises InputError if its own name says several, such as `trainval.txt`.
    """
    own, *others = map(splits_in, names or (path.name,))
    found = next((splits for splits in (own, *others) if splits), frozenset[str]())
    if len(own) > 1:
        raise InputError(
            f"{path}: its name may mean {' or '.join(sorted(found))}; call it train.txt, val.txt "
            "or test.txt, or give it a column split"
        )
    return next(iter(found)) if len(found) == 1 else None

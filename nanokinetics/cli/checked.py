"""Looks at names as they are typed, so that a wrong one is answered with the page of its command.

Splits and presets stay as they are typed: the library reads them again.
"""

from __future__ import annotations

from collections.abc import Iterable

from nanokinetics.annotations import DATASETS, dialect
from nanokinetics.sources import SOURCES, source_type


def read_dataset(name: str) -> str:
    """The dataset with this name in any case. Raises InputError if there is none."""
    return dialect(_in_any_case(name, DATASETS)).name


def read_source(name: str) -> str:
    """The source with this name in any case. Raises InputError if there is none."""
    found = _in_any_case(name, SOURCES)
    if found not in SOURCES:
        source_type(found)  # raises with what was meant
    return found


def check_split(text: str) -> str:
    """Raises InputError if `text`, or a part of it between commas, is no split."""
    from nanokinetics.selection import split_of

    for each in text.split(","):
        split_of(each)
    return text


def check_preset(name: str) -> str:
    """Raises InputError if no preset has this name."""
    from nanokinetics.selection import presets

    presets.read(name)
    return name


def _in_any_case(name: str, known: Iterable[str]) -> str:
    """The known name that differs in case alone, or `name` as it is."""
    return name.casefold() if name.casefold() in known else name

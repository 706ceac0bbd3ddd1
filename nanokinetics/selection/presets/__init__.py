"""Presets: known class lists, and sizes chosen for this program. Each is a TOML file here."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files

from nanokinetics.common.near import bare, hint
from nanokinetics.errors import InputError


@dataclass(frozen=True)
class Preset:
    """A choice of classes with a name.

    dataset: its dataset; None fits any. source: the origin of its facts. classes: the labels, in
    the order of the source; None if `num_classes` are drawn. parts: the classes of each part, if
    the source has parts; a part is named `NAME:PART`. n: clips of each class; None leaves it to the
    user.
    """

    name: str
    about: str
    source: str
    dataset: str | None = None
    classes: tuple[str, ...] | None = None
    num_classes: int | None = None
    n: int | None = None
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def size(self) -> int:
        """The number of classes."""
        return len(self.classes) if self.classes is not None else self.num_classes or 0


def names() -> tuple[str, ...]:
    """The sorted names of all presets, without their parts."""
    return tuple(
        sorted(
            entry.name.removesuffix(".toml")
            for entry in files(__name__).iterdir()
            if entry.name.endswith(".toml")
        )
    )


def read(name: str) -> Preset:
    """The preset with this name, or the part `NAME:PART`. Raises InputError if there is none.

    Case, blanks, hyphens and underscores make no difference.
    """
    asked, _, part = name.partition(":")
    known = {bare(each): each for each in names()}
    whole = known.get(bare(asked))
    if whole is None:
        raise InputError(f"no preset '{asked}'; there are {', '.join(names())}{_hint(asked)}")
    part = part.strip().casefold()
    found = tomllib.loads(files(__name__).joinpath(f"{whole}.toml").read_text(encoding="utf-8"))
    parts = {key: tuple(labels) for key, labels in found.pop("parts", {}).items()}
    if part and part not in parts:
        have = f"; its parts are {', '.join(parts)}" if parts else ", nor any other"
        raise InputError(f"preset '{whole}' has no part '{part}'{have}{hint(part, parts)}")
    if part:
        found["classes"] = parts.pop(part)
        parts.clear()
    elif parts:
        found["classes"] = [label for labels in parts.values() for label in labels]
    if "classes" in found:
        found["classes"] = tuple(found["classes"])
    return Preset(f"{whole}:{part}" if part else whole, parts=parts, **found)


def _hint(name: str) -> str:
    """`; did you mean …?`, also for the beginning of a name."""
    begun = [each for each in names() if bare(name) and bare(each).startswith(bare(name))]
    return f"; did you mean {begun[0]}?" if begun else hint(name, names())

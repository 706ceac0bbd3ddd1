"""Known class lists, and sizes of our own: a TOML file each in this folder, and no code in them."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files

from nanokinetics.errors import InputError


@dataclass(frozen=True)
class Preset:
    """A choice under a name.

    dataset: the dataset it is for; None suits any. source: where its facts are from. classes: the
    labels, in the order of the source; None where `num_classes` are drawn. parts: the classes of
    each part, where the source divides them, addressed as `NAME:PART`. n: clips of each class;
    None leaves that to the user.
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
        """How many classes it has."""
        return len(self.classes) if self.classes is not None else self.num_classes or 0


def names() -> tuple[str, ...]:
    """All presets, sorted; the parts of one are not listed."""
    return tuple(
        sorted(
            entry.name.removesuffix(".toml")
            for entry in files(__name__).iterdir()
            if entry.name.endswith(".toml")
        )
    )


def read(name: str) -> Preset:
    """The preset of a name, or of `NAME:PART`. Raises InputError for one that does not exist."""
    whole, _, part = name.partition(":")
    if whole not in names():
        near = difflib.get_close_matches(whole, names(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(f"no preset '{whole}'; there are {', '.join(names())}{hint}")
    found = tomllib.loads(files(__name__).joinpath(f"{whole}.toml").read_text(encoding="utf-8"))
    parts = {key: tuple(labels) for key, labels in found.pop("parts", {}).items()}
    if part and part not in parts:
        have = f"; its parts are {', '.join(parts)}" if parts else ", nor any other"
        raise InputError(f"preset '{whole}' has no part '{part}'{have}")
    if part:
        found["classes"] = parts.pop(part)
        parts.clear()
    elif parts:
        found["classes"] = [label for labels in parts.values() for label in labels]
    if "classes" in found:
        found["classes"] = tuple(found["classes"])
    return Preset(name, parts=parts, **found)

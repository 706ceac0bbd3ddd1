"""Classes that later versions of Kinetics name otherwise, from `renamed.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

DATASET: Final = "kinetics"


@cache
def renamed() -> Mapping[str, str]:
    """The later name of each class that changed its name only."""
    return {each["was"]: each["is"] for each in _table()["renamed"]}


@cache
def successors() -> Mapping[str, tuple[str, ...]]:
    """What stands for a class in another version: its other name, or what came in its place."""
    found: dict[str, tuple[str, ...]] = {was: (now,) for was, now in renamed().items()}
    found |= {now: (was,) for was, now in renamed().items()}
    return found | {each["was"]: tuple(each["became"]) for each in _table()["changed"]}


@cache
def _table() -> Mapping[str, list[dict[str, Any]]]:
    text = files("nanokinetics.selection").joinpath("renamed.toml").read_text(encoding="utf-8")
    table: dict[str, list[dict[str, Any]]] = tomllib.loads(text)
    return table

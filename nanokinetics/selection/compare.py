"""Compares two subsets: the clips that both have, the clips that only one has, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nanokinetics.clip import ClipId
from nanokinetics.config import VIDEO
from nanokinetics.selection.manifest import Manifest

SETTINGS: Final = ("dataset", "source", "seed", "n", "annotations", *VIDEO, "place")
"""The entries of `run.json` that may make two choices differ."""


@dataclass(frozen=True)
class Difference:
    """The result of `compare`.

    only_a, only_b: clips of one subset, and why the other lacks each. settings: the options that
    differ, with the values of both.
    """

    shared: tuple[ClipId, ...]
    only_a: Mapping[ClipId, str]
    only_b: Mapping[ClipId, str]
    settings: Mapping[str, tuple[Any, Any]]

    @property
    def same(self) -> bool:
        return not self.only_a and not self.only_b


def compare(a: Manifest, b: Manifest) -> Difference:
    """Compare two subsets clip by clip."""
    settings = {
        name: (a.record.get(name), b.record.get(name))
        for name in SETTINGS
        if a.record.get(name) != b.record.get(name)
    }
    return Difference(
        shared=tuple(id_ for id_ in a.ids if id_ in b.ids),
        only_a={id_: _why(id_, a, b) for id_ in a.ids if id_ not in b.ids},
        only_b={id_: _why(id_, b, a) for id_ in b.ids if id_ not in a.ids},
        settings=settings,
    )


def _why(id_: ClipId, has: Manifest, lacks: Manifest) -> str:
    """Why one subset has a clip and the other lacks it, as far as their records show."""
    ours, theirs = has.record, lacks.record
    if ours["dataset"] != theirs["dataset"]:
        return "other dataset"
    if id_.split not in theirs["classes"]:
        return "other splits"
    if id_.label not in theirs["classes"][id_.split]:
        return "other classes"
    if id_ in lacks.failed:
        return f"failed there: {lacks.failed[id_]}"
    if lacks.reserves is not None and id_ not in lacks.known:
        return "no candidate there: other annotations"
    if ours["seed"] != theirs["seed"]:
        return "other seed"
    if lacks.reserves is None and ours["annotations"] != theirs["annotations"]:
        return "other annotations"
    if ours["n"][id_.split] > theirs["n"][id_.split]:
        return "other n"
    if id_ in lacks.due:
        return "not made yet there: run its build again"
    if has.reserves is not None and lacks.reserves is not None:
        return "stands in for a clip that failed here"
    return "failed there, or stands in for one that failed here"

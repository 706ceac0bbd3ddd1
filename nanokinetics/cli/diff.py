"""`nanokinetics diff`: compare two subsets, and give the reasons for the differences."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nanokinetics.cli.options import add_command
from nanokinetics.cli.saying import say_fitting
from nanokinetics.errors import ExitCode

if TYPE_CHECKING:
    from nanokinetics.clip import ClipId
    from nanokinetics.selection.compare import Difference
    from nanokinetics.selection.manifest import Manifest

SHOWN: Final = 20
"""Clips of each side that are named, at most."""


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "diff",
        run,
        "which clips two subsets share, which they do not, and why",
        "nanokinetics diff nano-k400 supplement.txt",
    )
    for name in ("a", "b"):
        parser.add_argument(name, metavar=name.upper(), help="a built folder or a manifest")


def run(options: dict[str, Any]) -> ExitCode:
    from nanokinetics.selection import compare, manifest

    a, b = (manifest.read(Path(options[name])) for name in ("a", "b"))
    found = compare.compare(a, b)
    say_fitting(*render(options["a"], a, options["b"], b, found))
    return ExitCode.OK if found.same else ExitCode.SHORT


def render(path_a: str, a: Manifest, path_b: str, b: Manifest, found: Difference) -> list[str]:
    """The comparison as lines for a person."""
    lines = [
        f"A  {path_a}: {len(a.ids)} clips, {a.name}",
        f"B  {path_b}: {len(b.ids)} clips, {b.name}",
        f"{len(found.shared)} clips are in both, {len(found.only_a)} in A only, "
        f"{len(found.only_b)} in B only",
    ]
    for name, values in found.settings.items():
        in_a, in_b = (json.dumps(value, ensure_ascii=False) for value in values)
        lines.append(f"  {name}: {in_a} in A, {in_b} in B")
    for side, other, clips in (("A", "B", found.only_a), ("B", "A", found.only_b)):
        if clips:
            lines += [f"only in {side}, and why not in {other}:", *_listed(clips)]
    return lines


def _listed(clips: Mapping[ClipId, str]) -> list[str]:
    lines = [f"  {count} clips: {why}" for why, count in Counter(clips.values()).most_common()]
    lines += [
        f"    {id_.split}  {id_.label}  {id_.key}  {why}"
        for id_, why in islice(clips.items(), SHOWN)
    ]
    if len(clips) > SHOWN:
        lines.append(f"    and {len(clips) - SHOWN} more")
    return lines

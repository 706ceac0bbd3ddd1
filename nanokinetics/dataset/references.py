"""What to cite for a dataset and for this program: `references.toml`, and which of it applies."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from nanokinetics.dataset.record import CATALOGUE, naming_of

TOOL: Final = "nanokinetics"
"""The BibTeX key of this program."""

_HARMLESS: Final = re.compile(r"[0-9A-Za-z.+-]{1,60}")
"""A version as packages have it. Another text in a record, which is foreign, is left out."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a paper says of a dataset.

    title: with its version, if that is known. cite: BibTeX keys, the most specific one first.
    bibtex: their entries. licence: in sentences. note: what could not be told, or empty.
    """

    title: str
    cite: tuple[str, ...]
    bibtex: str
    licence: str
    note: str = ""


def reference_of(record: Mapping[str, Any]) -> Reference | None:
    """The reference of the dataset that a `run.json` names; None for one without, like a folder.

    The version is told by the number of all labels, and by the names of the annotation files and of
    the catalogue.
    """
    known = _known()
    labels, called = len(record["labels"]), naming_of(record, CATALOGUE).values()
    names = " ".join(map(str, (*record["annotations"], *called)))
    for each in known["dataset"]:
        if each["name"] != record["dataset"] or each.get("labels", labels) != labels:
            continue
        if not {*each.get("called", called)} <= {*called}:
            continue
        if all(word in names for word in each.get("words", ())):
            return Reference(
                title=each["title"],
                cite=tuple(each["cite"]),
                bibtex="\n".join(known["bibtex"][key] for key in each["cite"]),
                licence=known["licences"][each["name"]],
                note=each.get("note", ""),
            )
    return None


def tool_bibtex(version: str) -> str:
    """The BibTeX entry of this program in that version."""
    shown = version if _HARMLESS.fullmatch(version) else "not recorded"
    entry: str = _known()["bibtex"][TOOL]
    return entry.replace("VERSION", shown)


def cited_as(key: str) -> str:
    """A work as running text names it: `Kay et al., 2017`."""
    entry = _known()["bibtex"][key]
    authors = re.search(r"author\s*= {([^,]+),.* and ", entry)
    year = re.search(r"year\s*= {(\d+)}", entry)
    if authors is None or year is None:
        raise ValueError(f"{key} has no author or no year")
    return f"{authors[1]} et al., {year[1]}"


@cache
def _known() -> dict[str, Any]:
    text = files(__package__).joinpath("references.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)

"""Names what a source holds and no candidate takes: it may be a layout that is not known."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from posixpath import splitext
from typing import Final

import pandas as pd

from nanokinetics.clip import LOCATION
from nanokinetics.common.names import shown
from nanokinetics.sources.scan import Scan

_NAMED: Final = 3
"""Folders with leftovers that get a line of their own."""

_NOTES: Final = frozenset(
    {
        *(".txt", ".csv", ".tsv", ".json", ".jsonl", ".md", ".rst", ".xml", ".yaml", ".yml"),
        *(".html", ".htm", ".pdf", ".log", ".toml", ".ini", ".cfg", ".py", ".sh", ".m", ".ipynb"),
        *(".vtt", ".srt", ".description", ".gz", ".bib", ".tex", ".doc", ".docx", ".xlsx"),
    }
)
"""Extensions of files that nobody takes for clips."""

_PLAIN: Final = frozenset({"readme", "license", "licence", "makefile", "md5sums", "sha256sums"})


def leftovers(
    found: Scan, frame: pd.DataFrame, passed: frozenset[int] = frozenset()
) -> tuple[str, ...]:
    """Lines about the files that are no clips of these annotations.

    frame: all candidates with the columns of LOCATION. passed: files that other lines name already,
    as their indexes in the scan. What has the name of a clip beside it, but
    for the extension, is not counted: readers name such files themselves.
    """
    if LOCATION[0] not in frame.columns:
        return ()
    unused = [each for each in _unused(found, frame, passed) if not _is_note(each[1] or each[0])]
    if unused:
        beside = {splitext(inner or file)[0] for file, inner in _taken(frame)}
        unused = [each for each in unused if splitext(each[1] or each[0])[0] not in beside]
    groups: dict[str, list[tuple[str, str]]] = {}
    for each in unused:
        groups.setdefault(each[0] if each[1] else each[0].partition("/")[0], []).append(each)
    largest = sorted(groups.values(), key=len, reverse=True)
    lines = [_line(group) for group in largest[:_NAMED]]
    rest = sum(map(len, largest[_NAMED:]))
    if rest:
        lines.append(f"{rest} more files elsewhere are no clips of these annotations")
    return tuple(lines)


def _unused(found: Scan, frame: pd.DataFrame, passed: frozenset[int]) -> Iterator[tuple[str, str]]:
    """The files and members that no candidate takes, each as (path, name)."""
    paths = set(frame[LOCATION[0]])  # that of an archive is no path of a file
    for place, file in enumerate(found.files):
        if file not in paths and place not in passed:
            yield file, ""
    taken = set(_taken(frame)) if found.members else set()
    for place, member in enumerate(found.members, len(found.files)):
        if (member.path, member.name) not in taken and place not in passed:
            yield member.path, member.name


def _taken(frame: pd.DataFrame) -> Iterator[tuple[str, str]]:
    path, name, *_ = LOCATION
    return zip(frame[path], frame[name], strict=True)


def _is_note(path: str) -> bool:
    base = path[path.rfind("/") + 1 :]
    dot = base.rfind(".")
    return base[dot:].lower() in _NOTES if dot > 0 else base.casefold() in _PLAIN


def _line(group: Sequence[tuple[str, str]]) -> str:
    """One line for the files of one folder, or of one archive."""
    path, name = group[0]
    where = path if name else posixpath.commonpath([path.rpartition("/")[0] for path, _ in group])
    in_ = f" in {shown(where)}" if where else ""
    are = f"files{in_} are no clips" if len(group) > 1 else f"file{in_} is no clip"
    return f"{len(group)} {are} of these annotations, for instance {shown(name or path)}"

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
    path, name, *_ = LOCATION
    if path not in frame.columns:
        return ()
    used = set(zip(frame[path], frame[name], strict=True))
    unused = [each for each in _countable(found, passed) if each not in used]
    if unused:
        beside = {splitext(name or path)[0] for path, name in used}
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


def _countable(found: Scan, passed: frozenset[int]) -> Iterator[tuple[str, str]]:
    """The files and members that could be meant as clips, each as (path, name)."""
    for place, each in enumerate(found.locations()):
        if not _is_note(each.name or each.path) and place not in passed:
            yield each.path, each.name


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

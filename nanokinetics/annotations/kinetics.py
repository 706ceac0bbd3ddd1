"""Every dialect of the Kinetics annotations: JSON is read here, tables in `tables`.

The content of a file, never its name, decides its dialect.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Sequence
from typing import Any, Final

import pandas as pd

from nanokinetics.annotations import ReadOptions, catalog_file
from nanokinetics.annotations.candidates import NEEDED, Annotations, candidates, digests_by_name
from nanokinetics.annotations.files import AnnotationFile, load_all
from nanokinetics.annotations.members import split_said
from nanokinetics.annotations.spreadsheets import curly, cut_off
from nanokinetics.annotations.table_dialect import USE_LABELLED, other_table
from nanokinetics.annotations.tables import read_table
from nanokinetics.errors import BadRow, BadRows, InputError

_JSON: Final = re.compile(rb"\s*[{\[]\s*([\"{}\[\]]|$)")


def read(options: ReadOptions) -> Annotations:
    """The candidates of all annotation files.

    Raises InputError for an unusable file. Raises BadRows with every unusable row, unless
    `skip_bad_rows` is set.
    """
    if not options.files:
        raise InputError("no annotation file; name at least one with --annotations")
    skip_bad_rows = options.skip_bad_rows
    frames: list[pd.DataFrame] = []
    digests: list[tuple[str, str, str]] = []
    called: dict[str, str] = {}
    bad: list[BadRow] = []
    notes: list[str] = []
    for path in options.files:
        members = catalog_file.members_of(path, os.environ)
        sources = load_all(path, members, options.splits)
        digests.append(sources[0].digest)
        if name := catalog_file.name_of(path, os.environ):
            called[sources[0].sha256] = name
        for source in _of_clips(sources, options.splits, notes):
            read_one = _read_json if _is_json(source) else read_table
            frame, bad_here = read_one(source)
            if bad_here and skip_bad_rows and frame.empty:
                raise InputError(
                    f"{source.path}: not one row can be used; the first: {bad_here[0]}"
                )
            frames.append(frame)
            bad.extend(bad_here)
            notes.extend(_signs(source, frame))
    if bad and not skip_bad_rows:
        raise BadRows(bad)
    frame = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    by_name = digests_by_name(digests)
    catalogue = {name: called[sha256] for name, sha256 in by_name.items() if sha256 in called}
    return Annotations(frame, by_name, tuple(bad), notes=tuple(notes), catalogue=catalogue)


def _of_clips(
    sources: Sequence[AnnotationFile], splits: Collection[str] | None, notes: list[str]
) -> list[AnnotationFile]:
    """The tables of one file that have labelled clips. `notes` names the others of an archive.

    All are returned if none has, so that their reader says what is missing. A table without labels
    is returned if `splits` asks for its split.
    """
    if len(sources) == 1:
        return list(sources)
    good: list[AnnotationFile] = []
    passed: list[str] = []
    for source in sources:
        why = _other(source)
        if why is None or (splits is not None and split_said(source.member) in splits):
            good.append(source)
        else:
            passed.append(f"{source.member} ({why})")
    if not good:
        return list(sources)
    if passed:
        notes.append(f"{sources[0].archive}: left out {', '.join(passed)}")
    return good


def _signs(source: AnnotationFile, frame: pd.DataFrame) -> list[str]:
    """Lines about what a spreadsheet may have done to a table that can be read."""
    if _is_json(source):
        return []
    labels = [] if source.data.isascii() else frame["label"].unique().tolist()
    return [f"{source.path}: {line}" for line in (cut_off(source.data), curly(labels)) if line]


def _other(source: AnnotationFile) -> str | None:
    """The reason why a table is not one of labelled clips, or None."""
    if not _is_json(source):
        return other_table(source)
    if b'"annotations"' in source.data:
        return None
    return "it has no labels" if b'"subset"' in source.data else "it names no clips"


def _is_json(source: AnnotationFile) -> bool:
    return bool(_JSON.match(source.data))


def judged(raw: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
    """The rows of a manifest as candidates, and the fault of the first unusable row, if any."""
    frame, faults = candidates(raw)
    for row in faults:
        return frame, f"the clip '{raw['key'][row]}': {faults[row]}"
    wrong = [a for a, b in zip(raw["key"], frame["key"], strict=True) if a != b]
    return frame, f"the clip '{wrong[0]}' has another id or other times" if wrong else None


def _read_json(source: AnnotationFile) -> tuple[pd.DataFrame, list[BadRow]]:
    """The candidates of a JSON file, and its unusable rows.

    The form is `{id: {annotations: {label, segment: [start, end]}, subset, …}}`, with seconds as
    floats. The line of a bad row is the position of its entry, from 1.
    """
    entries = _entries(source)
    values = list(entries.values())
    if not any(isinstance(value, dict) and value.get("annotations") for value in values):
        raise InputError(f"{source.path}: its entries have no annotations; {USE_LABELLED}")
    rows = [_json_row(youtube_id, value) for youtube_id, value in entries.items()]
    frame, faults = candidates(pd.DataFrame(rows, columns=list(NEEDED), dtype=object))
    ids = list(entries)
    file = str(source.path)
    bad = [BadRow(file, row + 1, f"{ids[row]!r}: {faults[row]}") for row in sorted(faults)]
    return frame, bad


def _entries(source: AnnotationFile) -> dict[str, Any]:
    try:
        found = json.loads(source.data, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source.path}: is not valid JSON: {error}; download it again") from None
    if not isinstance(found, dict) or not found:
        raise InputError(f"{source.path}: no JSON object of the form {{id: {{annotations: …}}}}")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises ValueError for a repeated name, which would silently lose a clip."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands there twice")
    return found


def _json_row(youtube_id: str, entry: object) -> tuple[str, ...]:
    """The entry as texts, in the order of NEEDED. A missing value, or a wrong type, gives ''."""
    entry = entry if isinstance(entry, dict) else {}
    annotations = entry.get("annotations")
    annotations = annotations if isinstance(annotations, dict) else {}
    segment = annotations.get("segment")
    start, end = segment if isinstance(segment, list) and len(segment) == 2 else ("", "")
    label, split = annotations.get("label"), entry.get("subset")
    return (
        label if isinstance(label, str) else "",
        youtube_id,
        str(start),
        str(end),
        split if isinstance(split, str) else "",
    )

"""Lists of files with their classes, in the shapes that people have them, as candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import PurePosixPath

from nanokinetics.annotations.files import AnnotationFile
from nanokinetics.annotations.lists import hmdb51
from nanokinetics.annotations.lists.class_names import class_names, number_of
from nanokinetics.annotations.lists.labels import Labels
from nanokinetics.annotations.lists.matching import AmbiguousPathError, Finder, folders_of
from nanokinetics.annotations.lists.records import is_json, read_records
from nanokinetics.annotations.lists.rows import MEDIA, Row, read_rows
from nanokinetics.annotations.naming import split_of_name
from nanokinetics.annotations.scanned import DEFAULT_SPLIT, Rows
from nanokinetics.common.names import class_dir, key_fault, label_fault, normalised_split, shown
from nanokinetics.errors import BadRow, InputError
from nanokinetics.sources.located import NOWHERE
from nanokinetics.sources.scan import Scan


def read_lists(
    found: Scan,
    lists: Sequence[AnnotationFile],
    names: AnnotationFile | None,
    bad: list[BadRow],
) -> Rows:
    """The files that lists name as candidates.

    names: the file with the names of the classes, for lists with numbers. A file that is not in
    the source is still a candidate. Unusable rows are added to `bad`.

    Raises InputError if a list is not understood.
    """
    finder = Finder(found)
    hmdb51.check_numbers(lists)
    parts = [(source, _rows_of(source, finder, bad)) for source in lists]
    listed = [(source, row) for source, rows in parts for row in rows]
    labels = Labels(class_names(names) if names else None)
    labels.settle([(row.label or "", _folder(row.path)) for _, row in listed])
    if names is None:
        _check_kinds(listed)
    folders = folders_of(row.path for _, row in listed)
    good: list[tuple[AnnotationFile, Row, int]] = []
    for source, row in listed:
        label, why = labels.name(_folder(row.path) if row.label is None else row.label)
        if row.label is None and not label:
            why = "the line has no label, and its path no folder that could be the class"
        why = why or label_fault(label) or key_fault(row.path, class_dir(label))
        place = NOWHERE
        if why is None:
            try:
                place = finder.place(row.path, row.split, folders)
            except AmbiguousPathError as error:
                why = str(error)
        if why is None:
            good.append((source, replace(row, label=label), place))
        else:
            bad.append(BadRow(str(source.path), row.line, why))
    good = _unclaimed(good, finder, bad)
    _check_found(good, finder, found)
    return Rows.of(
        (MEDIA.sub("", row.path), row.split or DEFAULT_SPLIT, row.label or "", place)
        for _, row, place in good
    )


def _rows_of(source: AnnotationFile, finder: Finder, bad: list[BadRow]) -> list[Row]:
    """The rows of one list with paths relative to the source, and with their splits."""
    rows = read_records(source, bad) if is_json(source) else read_rows(source, finder.known, bad)
    of_class = hmdb51.rows_of_class(source, rows)
    rows = rows if of_class is None else of_class
    within: list[Row] = []
    for row in rows:
        path = finder.within(row.path)
        if path is None:
            why = f"{shown(row.path)} is no path within the source; write it relative to --src"
            bad.append(BadRow(str(source.path), row.line, why))
        else:
            within.append(replace(row, path=path))
    return _with_splits(source, within)


def _with_splits(source: AnnotationFile, rows: Sequence[Row]) -> list[Row]:
    """The rows with a split each: of the row, or of the name of the list, or of the path."""
    if all(row.split for row in rows):
        return list(rows)
    of_paths = [_split_of_folders(row) for row in rows]
    try:
        of_name = split_of_name(source.path, source.names)
    except InputError:
        if not all(of_paths):
            raise
        of_name = None
    return [
        replace(row, split=row.split or of_name or of_path)
        for row, of_path in zip(rows, of_paths, strict=True)
    ]


def _split_of_folders(row: Row) -> str | None:
    """The split that a folder of the path names. The class itself is no split."""
    folders = row.path.split("/")[: -2 if row.label is None else -1]
    return next((split for each in reversed(folders) if (split := normalised_split(each))), None)


def _folder(path: str) -> str:
    return PurePosixPath(path).parent.name


def _check_kinds(listed: Sequence[tuple[AnnotationFile, Row]]) -> None:
    """Raises InputError if some labels are numbers and others names: one class would be two."""
    numbered = [each for each in listed if each[1].label and number_of(each[1].label) is not None]
    labels = ((each, each[1].label or _folder(each[1].path)) for each in listed)
    named = [each for each, label in labels if number_of(label.removeprefix("-")) is None]
    if numbered and named:
        (source, row), (other, name) = numbered[0], named[0]
        raise InputError(
            f"{source.path}, line {row.line}: the label {row.label} is a number, but "
            f"{shown(name.label or _folder(name.path))} in {other.path}, line {name.line}, is a "
            "name; give the names of the numbers with --class-names FILE"
        )


def _unclaimed(
    rows: Sequence[tuple[AnnotationFile, Row, int]], finder: Finder, bad: list[BadRow]
) -> list[tuple[AnnotationFile, Row, int]]:
    """The rows without those whose file is that of another path.

    Two paths mean one file only if one of them is the end of the other.
    """
    kept: list[int] = []
    by_place = sorted(enumerate(rows), key=lambda each: each[1][2])
    for place, same in groupby(by_place, key=lambda each: each[1][2]):
        own = list(same)
        paths = sorted({row.path for _, (_, row, _) in own}, key=len)
        one = place == NOWHERE or all(f"/{paths[-1]}".endswith(f"/{path}") for path in paths)
        for i, (source, row, _) in own:
            if one or finder.is_exact(row.path):
                kept.append(i)
                continue
            other = next(path for path in paths if path != row.path)
            why = f"{shown(row.path)} and {shown(other)} would be one file of the source"
            bad.append(
                BadRow(str(source.path), row.line, f"{why}; name the folder above with --src")
            )
    return [rows[i] for i in sorted(kept)]


def _check_found(
    rows: Sequence[tuple[AnnotationFile, Row, int]], finder: Finder, found: Scan
) -> None:
    """Raises InputError for a list without extensions that names no file of the source.

    It may be a list of something else, such as the names of the classes.
    """
    if finder.is_empty or found.streams:
        return
    for source, own in groupby(rows, key=lambda each: each[0]):
        here = list(own)
        if not any(MEDIA.search(row.path) or place != NOWHERE for _, row, place in here):
            raise InputError(
                f"{source.path}, line {here[0][1].line}: names no file of --src {found.root}; "
                "write lines of 'path label'"
            )

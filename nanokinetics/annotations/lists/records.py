"""Lists as JSON: records, a list of paths for each class, or CoOp's rows for each split."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from nanokinetics.annotations.files import AnnotationFile
from nanokinetics.annotations.lists.columns import check, columns_of
from nanokinetics.annotations.lists.rows import MEDIA, Row, rows_of
from nanokinetics.common.names import normalised_split
from nanokinetics.errors import BadRow, InputError

_REMEDY: Final = (
    'write [{"path": "cats/1.jpg", "label": "cats"}, …], or {"cats": ["cats/1.jpg", …]}'
)


def is_json(source: AnnotationFile) -> bool:
    """Whether a list is JSON, or a JSON record on each line."""
    return source.data.lstrip()[:1] in (b"{", b"[")


def read_records(source: AnnotationFile, bad: list[BadRow]) -> list[Row]:
    """The rows of a JSON list. Their lines are positions, from 1.

    Forms: a list of records; a record on each line; `{"cats/1.jpg": "cats"}`;
    `{"cats": ["cats/1.jpg"]}`, as Food-101 has, or with splits instead of classes;
    `{"train": [["cats/1.jpg", 0, "cats"]]}`, as CoOp has.
    Unusable records are added to `bad`.

    Raises InputError if the list is not understood.
    """
    found = _parsed(source)
    if isinstance(found, Mapping) and found and all(map(_is_list, found.values())):
        rows = list(_of_groups(found))
        if rows:
            return [Row(i, *row) for i, row in enumerate(rows, 1)]
    if isinstance(found, Mapping) and found and all(map(_is_pair, found.items())):
        return [Row(i, path, str(label)) for i, (path, label) in enumerate(found.items(), 1)]
    if _is_list(found) and found and all(isinstance(record, Mapping) for record in found):
        return _of_records(source, found, bad)
    raise InputError(f"{source.path}: is JSON of a form that is not understood; {_REMEDY}")


def _parsed(source: AnnotationFile) -> Any:
    try:
        return json.loads(source.data)
    except RecursionError as error:
        raise InputError(f"{source.path}: is not valid JSON: {error}") from None
    except ValueError as error:
        lines = [line for line in source.data.splitlines() if line.strip()]
        try:
            return [json.loads(line) for line in lines]
        except (ValueError, RecursionError):
            raise InputError(f"{source.path}: is not valid JSON: {error}") from None


def _of_groups(
    found: Mapping[str, Any],
) -> Iterator[tuple[str, str | None, str | None]]:
    """Path, label and split of the items of each class, or of each split; none if another form."""
    has_splits = all(map(normalised_split, found))
    items = [(name, item) for name, group in found.items() for item in group]
    if all(isinstance(item, str) for _, item in items):
        for name, item in items:
            yield item, None if has_splits else name, normalised_split(name) if has_splits else None
    elif has_splits and all(map(_is_named, (item for _, item in items))):
        yield from ((item[0], item[2], normalised_split(name)) for name, item in items)


def _of_records(
    source: AnnotationFile, records: Sequence[Mapping[str, Any]], bad: list[BadRow]
) -> list[Row]:
    names = list(records[0])
    columns = columns_of(names, is_header=True)
    if columns is None:
        raise InputError(f"{source.path}: its records have no path and label; {_REMEDY}")
    check(columns, names, str(source.path))
    table = (
        (number, ["" if record.get(name) is None else str(record[name]) for name in names])
        for number, record in enumerate(records, 1)
    )
    return rows_of(source, table, columns, bad)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_pair(item: tuple[str, object]) -> bool:
    """Whether an item is a file with its class."""
    return bool(MEDIA.search(item[0])) and isinstance(item[1], str | int)


def _is_named(item: object) -> bool:
    """Whether an item is `["cats/1.jpg", 0, "cats"]`."""
    return (
        isinstance(item, list)
        and len(item) == 3
        and isinstance(item[0], str)
        and isinstance(item[1], int)
        and isinstance(item[2], str)
    )

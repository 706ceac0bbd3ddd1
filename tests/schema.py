"""What `docs/json-schema.json` says of all `--json` output: held against values, and as tables.

Knows the few keywords of JSON Schema that the file uses, and refuses all others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent.parent / "docs" / "json-schema.json"
SCHEMA: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description", "unit"}
KNOWN = {"$ref", "anyOf", "const", "enum", "type", "minimum", "maximum", "items", "properties",
         "required", "additionalProperties"}  # fmt: skip


def named(name: str) -> dict[str, Any]:
    found: dict[str, Any] = SCHEMA["$defs"][name]
    return found


def resolved(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with what it refers to; its own words count first."""
    if "$ref" not in schema:
        return dict(schema)
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    return resolved(named(schema["$ref"].removeprefix("#/$defs/"))) | rest


def faults(value: Any, schema: Mapping[str, Any], where: str = "$") -> Iterator[str]:
    """All in which a value is not as the schema says."""
    schema = resolved(schema)
    assert schema.keys() <= KNOWN | ANNOTATIONS, f"{where}: {schema.keys() - KNOWN - ANNOTATIONS}"
    if "anyOf" in schema:
        found = [list(faults(value, each, where)) for each in schema["anyOf"]]
        if all(found):
            yield from min(found, key=len)
    if "const" in schema and value != schema["const"]:
        yield f"{where} is {value!r}, not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} is {value!r}, none of {schema['enum']}"
    if "type" in schema and not _is_a(value, schema["type"]):
        yield f"{where} is {value!r}, no {schema['type']}"
        return
    if isinstance(value, int | float) and (
        not schema.get("minimum", value) <= value <= schema.get("maximum", value)
    ):
        yield f"{where} is {value!r}, out of its range"
    if isinstance(value, list) and "items" in schema:
        for number, each in enumerate(value):
            yield from faults(each, schema["items"], f"{where}[{number}]")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        yield from (
            f"{where} lacks {key}" for key in schema.get("required", ()) if key not in value
        )
        for key, each in value.items():
            below = known.get(key, schema.get("additionalProperties", {}))
            if below is False:
                yield f"{where}.{key} is not in the schema"
            else:
                yield from faults(each, below, f"{where}.{key}")


def _is_a(value: Any, types: str | list[str]) -> bool:
    names = [types] if isinstance(types, str) else types
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, TYPES[name]) for name in names)


def table(schema: Mapping[str, Any]) -> list[str]:
    """The rows of a page's table: key, type, unit and meaning."""
    return [f"| `{key}` | {kind} | {unit} | {meaning} |" for key, kind, unit, meaning in
            _rows(resolved(schema), "")]  # fmt: skip


def _rows(schema: Mapping[str, Any], below: str) -> Iterator[tuple[str, str, str, str]]:
    for key, each in schema.get("properties", {}).items():
        yield from _row(each, f"{below}{key}")


def _row(each: Mapping[str, Any], path: str) -> Iterator[tuple[str, str, str, str]]:
    found = resolved(each)
    options = [resolved(option) for option in found.get("anyOf", [found])]
    kind = " or ".join(_kind(option) for option in options)
    yield path, kind, found.get("unit", ""), found["description"]
    for option in options:
        items = resolved(option.get("items", {}))
        yield from _rows(items, f"{path}[].")
        yield from _rows(option, f"{path}.")
        more = option.get("additionalProperties")
        if isinstance(more, dict):
            yield from _rows(resolved(more), f"{path}.*.")


def _kind(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    names = schema["type"]
    names = [names] if isinstance(names, str) else names
    if names == ["array"]:
        items = resolved(schema["items"])
        return f"array of {items['type']}s"
    if names == ["object"] and schema.get("additionalProperties"):
        return f"object of {resolved(schema['additionalProperties'])['type']}s"
    return " or ".join(names)

"""What commands print with `--json` is as `docs/json-schema.json` and `docs/json.md` have it."""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trees
from helpers import WHEEL, Row, read_table, write_csv, youtube_id
from made_before import FIXTURES
from pinned import said
from schema import FILE, SCHEMA, faults, named, resolved, table

from nanokinetics.api import BuildResult
from nanokinetics.cli.display import Objects
from nanokinetics.cli.options import as_json
from nanokinetics.clip import ClipId, Group
from nanokinetics.errors import Reason
from nanokinetics.progress import Progress

PAGE = (FILE.parent / "json.md").read_text(encoding="utf-8")


def wrong(text: str, name: str) -> list[str]:
    return list(faults(json.loads(text), named(name)))


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A dataset of six pictures of two classes, one broken, of which four a class are wanted."""
    folder = tmp_path_factory.mktemp("json")
    pictures = {
        f"{c}/{n}.jpg": trees.picture(10 * i + n) for i, c in enumerate("ab") for n in range(3)
    }
    trees.lay(folder / "source", pictures | {"a/1.jpg": b"broken"})
    (folder / "first.jsonl").write_text("\n".join(_build(folder / "source", folder / "nano")[1]))
    return folder / "nano"


def _build(source: Path, dest: Path, *more: str) -> tuple[int, list[str]]:
    code, text = said(
        *("build", "folder", "--src", source, "--n", "4", "--dest", dest, "--json"),
        *("--failed-logs", dest.with_name("logs"), "--ffmpeg", WHEEL, "--workers", "1"),
        *more,
    )
    return code, text.splitlines()


def test_build(built, tmp_path):
    dest = shutil.copytree(built, tmp_path / "nano")
    (dest / read_table(dest / "stats.csv")[0]["path"]).unlink()
    code, again = _build(built.parent / "source", dest)
    first = (built.parent / "first.jsonl").read_text().splitlines()
    assert [fault for line in (*first, *again) for fault in wrong(line, "build")] == []
    events = {each["event"]: each for each in map(json.loads, again)}
    assert events.keys() == {"progress", "message", "result"}
    for event, value in events.items():
        assert list(faults(value, named(event))) == []
    result = events["result"]
    assert (result["exit_code"], result["made"], len(result["short"])) == (code, 5, 2)
    assert json.loads(first[-1])["reasons"] == {"undecodable": 1}


def test_progress_while_everybody_waits():
    out = io.StringIO()
    objects = Objects(out)
    waits = Progress(1, 9, 0, 0, 0, blocked_since=1.5, blocked_until=9.0, blocked_by="bot check")
    objects.update(replace(waits, waiting=8, paced_seconds=8.25))
    objects.update(Progress(2, 9, 1, 1, 2, resting_until=99.5, waiting=3, paced_seconds=1))
    lines = out.getvalue().splitlines()
    assert [fault for line in lines for fault in wrong(line, "progress")] == []
    assert lines


def test_a_result_with_all_that_can_be_in_it():
    group, lost = Group("train", "a"), ClipId("train", "a", "k")
    result = BuildResult(
        1, 2, 1, 0, 1, 0, 3, {group: (1, 2)}, {Reason.NETWORK: 1}, {"a.tar is damaged": 1},
        {lost: Reason.PRIVATE},
    )  # fmt: skip
    assert wrong(as_json(result, event="result", exit_code=3), "result") == []


def test_sample_of_youtube_and_of_files(tmp_path):
    rows = [Row("a", youtube_id(n), n, n + 10) for n in range(3)]
    given = write_csv(tmp_path / "train.csv", rows)
    code, text = said("sample", "kinetics", "--annotations", given, "--n", "9", "--json")
    assert (code, wrong(text, "sample")) == (0, [])
    trees.lay(tmp_path / "source", {"a/0.jpg": trees.picture(0)})
    code, text = said("sample", "folder", "--src", tmp_path / "source", "--n", "1", "--json")
    assert (code, wrong(text, "sample"), json.loads(text)["seconds"]) == (0, [], None)
    asked = ("--annotations", given, "--n", "9", "--dest", tmp_path / "new", "--json")
    code, text = said("sample", "kinetics", *asked)
    assert (code, wrong(text, "sample"), json.loads(text)["folder"]["state"]) == (0, [], "new")


def test_a_dry_run(built):
    code, lines = _build(built.parent / "source", built, "--dry-run")
    assert (code, [fault for line in lines for fault in wrong(line, "build")]) == (0, [])
    told = json.loads(lines[-1])
    assert (told["event"], told["folder"]["state"], told["folder"]["made"]) == (
        "preview",
        "finished",
        5,
    )


def test_verify_of_a_good_and_of_a_spoilt_dataset(built, tmp_path):
    dest = shutil.copytree(built, tmp_path / "nano")
    code, text = said("verify", FIXTURES / "folder", "--json", "--ffmpeg", WHEEL, "--workers", "1")
    assert (code, wrong(text, "verify")) == (0, [])
    (dest / read_table(dest / "stats.csv")[0]["path"]).unlink()
    (dest / "train" / "more.jpg").write_bytes(b"mine")
    (dest / "train.csv").write_bytes(b"")
    for more in ((), ("--repair",)):
        code, text = said("verify", dest, "--json", "--ffmpeg", WHEEL, "--workers", "1", *more)
        assert (code, wrong(text, "verify")) == (3, [])
    assert {each["kind"] for each in json.loads(text)["findings"]} > {"clip", "stray", "list"}


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.iterdir()))
def test_report(name, tmp_path):
    dest = shutil.copytree(FIXTURES / name, tmp_path / "nano")
    code, text = said("report", dest, "--json")
    assert (code, wrong(text, "report")) == (0, [])
    at = read_table(dest / "stats.csv")[0]["finished_at"]
    (dest / "waits.csv").write_text(f"since,until,why\n{at},{at},rate_limited\n", encoding="utf-8")
    (dest / "run.json").unlink()
    code, text = said("report", dest, "--json")
    assert (code, wrong(text, "report")) == (0, [])
    assert json.loads(text)["timeline"]["waits"]


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.iterdir()))
def test_cite(name):
    code, text = said("cite", FIXTURES / name, "--json", "--quiet")
    assert (code, wrong(text, "cite")) == (0, [])


def test_doctor(tmp_path):
    _, text = said("doctor", "--dest", tmp_path, "--ffmpeg", WHEEL, "--json")
    assert wrong(text, "doctor") == []


# -- the schema and the page


@pytest.mark.parametrize(
    ("value", "schema", "count"),
    [
        (1, {"type": "integer"}, 0),
        (True, {"type": "integer"}, 1),
        (1.5, {"type": ["integer", "null"]}, 1),
        (-1, {"type": "number", "minimum": 0}, 1),
        ({"a": 1}, {"type": "object", "properties": {}, "additionalProperties": False}, 1),
        ({}, {"type": "object", "required": ["a"]}, 1),
        ([1, "x"], {"type": "array", "items": {"type": "string"}}, 1),
        ({"a": "x"}, {"type": "object", "additionalProperties": {"type": "integer"}}, 1),
        ("c", {"enum": ["a", "b"]}, 1),
        ("c", {"anyOf": [{"const": "c"}, {"type": "null"}]}, 0),
        (3, {"anyOf": [{"const": "c"}, {"type": "null"}]}, 1),
    ],
)
def test_values_that_differ_from_a_schema_are_found(value: Any, schema: Any, count: int):
    assert len(list(faults(value, schema))) == count


def test_every_definition_is_referred_to_or_a_command_or_an_event():
    used = set(re.findall(r'"#/\$defs/(\w+)"', FILE.read_text(encoding="utf-8")))
    assert SCHEMA["$defs"].keys() - used == {
        *("build", "sample", "verify", "doctor", "report", "annotations", "fetched", "cite"),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("progress", "message", "result", "preview", "sample", "verify", "doctor", "report"),
        *("annotations", "fetched", "cite"),
    ],
)
def test_the_page_has_the_keys_of_the_schema(name: str):
    schema = resolved(named(name))
    rows = "".join(f"{row}\n" for row in table(schema.get("items", schema)))
    _, _, section = PAGE.partition(f"# {name}\n")
    assert (
        section.partition("|---|---|---|---|\n")[2].partition("\n\n")[0].rstrip("\n") + "\n" == rows
    )

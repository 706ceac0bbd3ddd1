"""What to cite: the right paper for each version, and valid BibTeX."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import nanokinetics.dataset.references as module
from nanokinetics.annotations import DATASETS
from nanokinetics.dataset.references import reference_of, tool_bibtex

ROOT = Path(__file__).parents[2]
DATA = tomllib.loads(Path(module.__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def record(dataset: str, labels: int, *files: str) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "labels": [f"label {number}" for number in range(labels)],
        "annotations": dict.fromkeys(files or ("train.csv",), "0" * 64),
    }


def called(labels: int, name: str) -> dict[str, Any]:
    """A record of annotations that were asked for by name."""
    return record("kinetics", labels) | {"catalogue": {"train.csv": name}}


@pytest.mark.parametrize(
    ("made_of", "title", "first"),
    [
        (record("kinetics", 400), "Kinetics-400", "kay2017kinetics"),
        (record("kinetics", 600), "Kinetics-600", "carreira2018short"),
        (record("kinetics", 700, "k700-2020/train.csv"), "Kinetics-700-2020", "smaira2020short"),
        (record("kinetics", 700), "Kinetics-700", "carreira2019short"),
        (called(700, "k700-2020"), "Kinetics-700-2020", "smaira2020short"),
        (called(700, "k700"), "Kinetics-700", "carreira2019short"),
        (record("kinetics", 20), "Kinetics", "kay2017kinetics"),
        (record("imagenet", 1000), "ImageNet (ILSVRC 2012)", "deng2009imagenet"),
        (record("imagenet", 4), "ImageNet", "deng2009imagenet"),
        (record("ssv2", 174), "Something-Something V2", "goyal2017something"),
    ],
)
def test_the_version_decides_the_reference(made_of: Any, title: str, first: str) -> None:
    found = reference_of(made_of)
    assert found is not None
    assert (found.title, found.cite[0]) == (title, first)
    assert found.licence
    assert re.findall(r"@\w+{(\w+),", found.bibtex) == list(found.cite)


def test_what_the_record_does_not_tell_is_said() -> None:
    for labels, words in ((700, "2019 or of 2020"), (20, "version is not known")):
        found = reference_of(record("kinetics", labels))
        assert found is not None
        assert words in found.note
    for known in (record("kinetics", 400), called(700, "k700"), called(700, "k700-2020")):
        whole = reference_of(known)
        assert whole is not None
        assert not whole.note
    for unsure in (called(700, "k700@openmmlab"), record("kinetics", 700, "k700.csv")):
        either = reference_of(unsure)
        assert either is not None
        assert "2019 or of 2020" in either.note


def test_every_dataset_has_a_reference_or_is_ones_own() -> None:
    without = {name for name in DATASETS if reference_of(record(name, 3)) is None}
    assert without == {"folder"}


def test_all_bibtex_is_used_and_well_formed() -> None:
    cited = {key for each in DATA["dataset"] for key in each["cite"]}
    assert DATA["bibtex"].keys() == cited | {"nanokinetics"}
    for key, entry in DATA["bibtex"].items():
        assert re.match(rf"@\w+{{{key},\n", entry)
        assert entry.count("{") == entry.count("}")
        assert not re.search(r"(?<!\\)[%&#]|(?<!\\)_", entry)  # what LaTeX would stumble over
        assert entry.endswith("\n}\n")
        assert entry.isascii()


def test_the_programs_entry_agrees_with_the_citation_file() -> None:
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    cff = dict(re.findall(r"^([\w-]+): ?(.*)$", lines, re.MULTILINE))
    required = {"cff-version", "message", "title", "authors"}
    assert required <= cff.keys()
    entry = tool_bibtex(cff["version"])
    (author,) = re.findall(r"^  - name: (.*)$", lines, re.MULTILINE)
    assert f"title  = {{{cff['title']}}}" in entry
    assert f"author = {{{{{author}}}}}" in entry
    assert f"Version {cff['version']}" in entry
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (cff["title"], cff["version"]) == (project["name"], project["version"])
    assert cff["license"] == project["license"]
    assert [author] == [each["name"] for each in project["authors"]]


def test_a_foreign_version_cannot_break_the_entry() -> None:
    assert "not recorded" in tool_bibtex("1}, evil = {\\input{x}")

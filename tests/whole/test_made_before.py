"""Datasets made by an earlier version go on working: looked at, handed on, and continued.

`fixtures/make.py` says how they were made. What encoders write differs from version to version, so
nothing that is made now is compared with the clips that are there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import made_before
import pinned
import pytest
import trees
from helpers import WHEEL, Done, ended_at_last, left_over, read_table, snapshot
from made_before import FIXTURES, LATER_GONE, LOCAL, NAMES, ROWS, YOUTUBE, wanted
from pinned import said, taken

from nanokinetics.cli import main

MADE = taken("made")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder of its own, in which commands run."""
    folder = tmp_path.resolve()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def dest(folder, name) -> Path:
    """A copy of a dataset, under its name, that a test may change."""
    return shutil.copytree(FIXTURES / name, folder / name)


# -- looking, and handing on


@pytest.mark.parametrize("name", NAMES)
def test_it_is_found_as_it_was_recorded(dest, name):
    before = snapshot(dest)
    told = pinned.Handed(name).verdict()
    assert told == MADE[name]["verify"]
    assert {line.split(" | ")[0] for line in told["findings"]} <= {"short"}
    assert snapshot(dest) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_report_counts_what_it_holds(dest, name):
    assert pinned.Handed(name).counted() == MADE[name]["report"]


@pytest.mark.parametrize("name", NAMES)
def test_its_manifest_is_the_same_byte_for_byte(dest, name):
    assert pinned.Handed(name).manifest() == MADE[name]["manifest"]


@pytest.mark.parametrize("name", NAMES)
def test_its_name_is_made_of_its_clips(dest, name):
    rows = read_table(dest / "stats.csv")
    lines = sorted(f"{row['split']}/{row['label']}/{row['key']}\n" for row in rows)
    expected = f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"
    assert MADE[name]["manifest"][1] == f'# name: "{expected}"\n'


@pytest.mark.parametrize(
    ("name", "form"), [(name, form) for name, forms in pinned.EXPORTS.items() for form in forms]
)
def test_an_export_of_it_is_the_same(dest, name, form):
    for package in {"webdataset": ["webdataset"], "video2dataset": ["pyarrow"]}.get(form, ()):
        pytest.importorskip(package)
    assert pinned.Handed(name).exported(form) == MADE[name]["exports"][form]


@pytest.mark.parametrize(("a", "b"), pinned.PAIRS)
def test_two_of_them_can_be_compared(folder, a, b):
    for name in (a, b):
        shutil.copytree(FIXTURES / name, folder / name)
    assert pinned.difference(a, b) == MADE[f"{a} and {b}"]


# -- going on

MAY_CHANGE = {"run.json", ".indexes.sha256", ".nanokinetics.lock", ".source-index.csv.gz"}
"""Versions of programs, and what follows from them; and the state of a source."""


def _record(dest: Path) -> dict[str, object]:
    """`run.json` without what says who wrote it."""
    record = json.loads((dest / "run.json").read_text("utf-8"))
    for name in ("versions", "request"):
        del record[name]
    return record


@contextlib.contextmanager
def untouched(dest: Path) -> Iterator[None]:
    """Nothing of a dataset changes: not a byte of a clip or a table, nor is one written anew."""
    before, record = snapshot(dest), _record(dest)
    yield
    after = snapshot(dest)
    assert after.keys() - MAY_CHANGE == before.keys() - MAY_CHANGE
    assert [name for name in before.keys() - MAY_CHANGE if after[name] != before[name]] == []
    assert _record(dest) | record == _record(dest), "more may be recorded, and nothing else"


@contextlib.contextmanager
def clips_untouched(dest: Path) -> Iterator[None]:
    """What a dataset has stays: its clips, and the rows of its tables before any new ones."""
    before = snapshot(dest)
    yield
    after = snapshot(dest)
    rows = {row["path"] for row in read_table(FIXTURES / dest.name / "stats.csv")}
    assert {name: after[name] for name in rows} == {name: before[name] for name in rows}
    for name in ("stats.csv", "failed.csv"):
        assert after[name][0].startswith(before[name][0]), name


def _is_sound(dest: Path) -> None:
    assert said("verify", dest, "--json", "--ffmpeg", WHEEL, "--workers", "1")[0] == 0
    assert left_over(dest) in ([], [".source-index.csv.gz"])


def _made(dest: Path) -> list[str]:
    return sorted(row["path"] for row in read_table(dest / "stats.csv"))


def _paths(counts: dict[str, int]) -> list[str]:
    return sorted(row.path for row in wanted(counts))


def _run(site, name: str, folder: Path, *more: str) -> Done:
    with ended_at_last(made_before.start(site, name, folder, *more)) as running:
        return running.wait()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kinetics-youtube"])
def test_the_same_build_makes_nothing_anew_and_a_larger_one_grows(films, folder, dest, name):
    assert _made(dest) == _paths({"train": 2, "val": 1})
    with made_before.site_for(name, films) as site:
        with untouched(dest):
            assert _run(site, name, folder) == Done(0, "", "")
            assert site.log == []
        # Another version makes another digest of the same request, and reads the annotations again.
        record = json.loads((dest / "run.json").read_text("utf-8")) | {"request": "0" * 64}
        (dest / "run.json").write_text(json.dumps(record), encoding="utf-8")
        with untouched(dest):
            assert _run(site, name, folder) == Done(0, "", "")
            assert site.log == []
        grown = {"train": 3, "val": 2}
        with clips_untouched(dest):
            assert _run(site, name, folder, "--n", "train=3,val=2") == Done(0, "", "")
        asked = {request.youtube_id for request in site.log}
    settled = {row["youtube_id"] for row in read_table(FIXTURES / name / "stats.csv")}
    settled |= {row["youtube_id"] for row in read_table(FIXTURES / name / "failed.csv")}
    assert not asked & settled
    assert _made(dest) == _paths(grown)
    record = json.loads((dest / "run.json").read_text("utf-8"))
    assert record["n"] == grown
    _is_sound(dest)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kinetics-unfinished"])
def test_what_an_interrupted_build_had_not_made_is_made(films, folder, dest, name):
    had, counts = _made(dest), {"train": 3, "val": 1}
    assert len(had) == 5
    with made_before.site_for(name, films) as site, clips_untouched(dest):
        assert _run(site, name, folder) == Done(0, "", "")
        asked = {request.youtube_id for request in site.log}
    assert _made(dest) == _paths(counts)
    missing = {row.youtube_id for row in wanted(counts) if row.path not in had}
    assert {row.youtube_id for row in ROWS} & asked == missing, "what has its row is not asked for"
    failed = (FIXTURES / name / "failed.csv").read_bytes()
    assert (dest / "failed.csv").read_bytes() == failed
    _is_sound(dest)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["from-manifest"])
def test_a_subset_of_another_goes_on_by_its_manifest(films, folder, dest, name):
    """Given the folder in place of the manifest, a reserve may stand in for what is gone."""
    lines = MADE["kinetics-youtube"]["manifest"]
    (folder / "manifest.txt").write_text("".join(lines), encoding="utf-8")
    other = shutil.copytree(FIXTURES / "kinetics-youtube", folder / "other")
    with made_before.site_for(name, films) as site:
        with untouched(dest):
            assert _run(site, name, folder).code == 3
            assert site.log == []
        with clips_untouched(dest):
            more = ("--from", str(other), "--allow-replacements")
            assert _run(site, name, folder, *more) == Done(0, "", "")
    dead = (made_before.PRIVATE, made_before.ABROAD, LATER_GONE.youtube_id)
    assert _made(dest) == sorted(row.path for row in wanted({"train": 2, "val": 1}, dead))
    _is_sound(dest)


GROWN = {
    "imagenet": (("--n", "train=3,val=2"), 4 * (3 + 2)),
    "ssv2": (("--n", "2"), 4 * (2 + 2)),
    "folder": (("--n", "3"), 2 * 3),
}
"""A larger build of each, and how many clips it makes."""


@pytest.mark.parametrize("name", LOCAL)
def test_one_of_local_files_goes_on_wherever_its_source_lies_now(films, folder, dest, name):
    tree = made_before.SOURCES[name](films)
    trees.lay(folder / "source", tree)
    with untouched(dest):
        assert said(*made_before.local(name)) == (0, "")
    more, count = GROWN[name]
    moved = (folder / "source").rename(folder / "moved")
    with clips_untouched(dest):
        assert said(*made_before.local(name, str(moved)), *more) == (0, "")
    assert json.loads((dest / "run.json").read_text("utf-8"))["src"] == str(moved)
    assert len(_made(dest)) == count
    first = {row["path"] for row in read_table(FIXTURES / name / "stats.csv")}
    ranks = {row["key"]: int(row["rank"]) for row in read_table(dest / "selection.csv")}
    table = read_table(dest / "stats.csv")
    assert first < {row["path"] for row in table}
    most = {"train": 3 if name != "ssv2" else 2, "val": 2}
    assert all(ranks[row["key"]] <= most[row["split"]] for row in table)
    _is_sound(dest)


@pytest.mark.parametrize(
    ("name", "more", "word"),
    [
        ("imagenet", ("--seed", "1"), "seed"),
        ("imagenet", ("--n", "1"), "n of train"),
        ("ssv2", ("--resolution", "18"), "resolution"),
        ("folder", ("--transcode",), "place"),
    ],
)
def test_what_would_contradict_it_is_refused(films, folder, dest, name, more, word, capsys):
    trees.lay(folder / "source", made_before.SOURCES[name](films))
    with untouched(dest):
        assert main([*made_before.local(name), *more]) == 2
    assert f"was built with {word} " in capsys.readouterr().err


def test_every_dataset_of_the_fixtures_is_tested():
    assert {*YOUTUBE, *LOCAL} == {path.name for path in FIXTURES.iterdir()}

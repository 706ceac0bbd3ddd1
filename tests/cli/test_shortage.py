"""Nobody takes half a dataset for a whole one: `export` and `manifest` say what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from helpers import read_table
from made_before import FIXTURES

from nanokinetics.cli import main
from nanokinetics.clip import Group
from nanokinetics.dataset.built import Dataset
from nanokinetics.dataset.shortage import Shortage, shortage_of
from nanokinetics.selection import manifest

UNFINISHED = "5 of 8 clips; 3 are not made yet, and the same build goes on"
EXPORT = ("export", "nano", "--format", "vjepa")


@pytest.fixture
def nano(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset whose build was ended early."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(FIXTURES / "kinetics-unfinished", tmp_path / "nano")


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(FIXTURES / "ssv2", tmp_path / "nano")


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_an_export_of_an_unfinished_one_says_so(
    nano: Path, quiet: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*EXPORT, *quiet]) == 0
    first = capsys.readouterr().err.splitlines()[0]
    assert first == f"nanokinetics: warning: nano holds {UNFINISHED}"
    assert (nano.parent / "nano-exports" / "vjepa").is_dir()


def test_strict_writes_no_export(nano: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*EXPORT, "--strict"]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"nanokinetics: nothing was written: nano holds {UNFINISHED}\n"
    assert not (nano.parent / "nano-exports").exists()


def test_a_manifest_of_an_unfinished_one_says_so_and_has_a_line(
    nano: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["manifest", "nano"]) == 0
    said = capsys.readouterr()
    assert said.err == f"nanokinetics: warning: nano holds {UNFINISHED}\n"
    assert f'# short: "{UNFINISHED}"\n' in said.out
    assert main(["manifest", "nano", "--strict", "--output", "nano.txt"]) == 3
    assert not (nano.parent / "nano.txt").exists()


def test_a_manifest_with_the_line_is_read_and_keeps_its_name(nano: Path, tmp_path: Path) -> None:
    found = manifest.read(nano)
    text = tmp_path / "nano.txt"
    text.write_text(found.to_text())
    again = manifest.read(text)
    assert (again.name, again.short, again.to_text()) == (found.name, UNFINISHED, text.read_text())
    text.write_text("".join(x for x in found.to_text().splitlines(True) if "# short" not in x))
    assert (manifest.read(text).name, manifest.read(text).short) == (found.name, "")
    assert main(["diff", str(nano), str(text)]) == 0


def test_a_whole_one_says_nothing(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*EXPORT, "--strict", "--quiet"]) == 0
    assert main(["manifest", "nano", "--strict"]) == 0
    said = capsys.readouterr()
    assert "holds" not in said.err
    assert "# short" not in said.out


def test_a_selection_that_no_build_began_is_no_half_dataset(nano: Path) -> None:
    (nano / "stats.csv").unlink()
    assert manifest.read(nano).short == ""


def _lacking(nano: Path) -> Group:
    dataset = Dataset.open(nano)
    return next(group for group, n in dataset.wanted.items() if dataset.got[group] < n)


def test_clips_without_a_candidate_are_told_from_those_that_are_not_made_yet(nano: Path) -> None:
    group = _lacking(nano)
    rows = read_table(nano / "selection.csv")
    made = {row["key"] for row in read_table(nano / "stats.csv")}
    with (nano / "failed.csv").open("a") as table:
        for row in rows:
            if Group(row["split"], row["label"]) == group and row["key"] not in made:
                about = f'{row["key"]},{row["split"]},"{row["label"]}",{row["youtube_id"]},1,2'
                table.write(f"{about},private,permanent,,1,gone,,2026-01-01T00:00:00Z\n")
    dataset = Dataset.open(nano)
    found = shortage_of(dataset)
    assert found is not None
    missing = dataset.wanted[group] - dataset.got[group]
    assert (found.made, found.wanted, found.gone) == (5, 8, missing)


@pytest.mark.parametrize(
    ("shortage", "words"),
    [
        (Shortage(10, 30, 0), "10 of 30 clips; 20 are not made yet, and the same build goes on"),
        (Shortage(28, 30, 2), "28 of 30 clips; for 2 no candidate is left"),
        (
            Shortage(20, 30, 4),
            "20 of 30 clips; 6 are not made yet, and the same build goes on; for 4 no candidate is "
            "left",
        ),
    ],
)
def test_a_shortage_is_said_in_one_line(shortage: Shortage, words: str) -> None:
    assert str(shortage) == words

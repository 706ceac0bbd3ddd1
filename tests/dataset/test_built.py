"""A built dataset as its readers see it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trees
from helpers import FAST, read_table

from nanokinetics.cli import main
from nanokinetics.clip import ClipId, Group
from nanokinetics.dataset.built import Dataset
from nanokinetics.errors import InputError

DOGS, HEADS = "training dog", "massaging person's head"


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of three pictures each; one of the second is no picture, and five are wanted."""
    folder = tmp_path_factory.mktemp("built")
    tree = {f"{label}/{i}.jpg": trees.picture(i) for label in (DOGS, HEADS) for i in range(3)}
    trees.lay(folder / "src", tree | {f"{HEADS}/1.jpg": b"no picture"})
    command = ("folder", "--src", folder / "src", "--n", "5", "--dest", folder / "nano")
    assert main(["build", *map(str, command), *FAST, "--quiet", "--workers", "1"]) == 3
    return folder / "nano"


def test_it_tells_what_was_wanted_what_is_there_and_what_failed(nano: Path) -> None:
    dataset = Dataset.open(nano)
    assert dataset.record["n"] == {"train": 5}
    assert dataset.wanted == {Group("train", HEADS): 5, Group("train", DOGS): 5}
    assert dataset.got == {Group("train", HEADS): 2, Group("train", DOGS): 3}
    (failed,) = read_table(nano / "failed.csv")
    assert dataset.failed == {ClipId("train", HEADS, failed["key"]): failed}
    assert list(dataset.made.values()) == read_table(nano / "stats.csv")
    assert dataset.label_ids == {HEADS: 0, DOGS: 1}


def test_samples_are_its_rows_with_label_ids_by_class_folder_and_key(nano: Path) -> None:
    dataset = Dataset.open(nano)
    assert [sample.label_id for sample in dataset.samples] == [0, 0, 1, 1, 1]
    assert {dataset.file(sample).stat().st_size == sample.bytes for sample in dataset.samples}
    assert {(s.path, s.label_id) for s in dataset.samples} == {*dataset.listed("train")}
    assert dataset.listed("val") == []


def test_a_row_counts_once_and_a_torn_one_not_at_all(nano: Path, tmp_path: Path) -> None:
    table = (nano / "stats.csv").read_text()
    rows = table.splitlines(keepends=True)
    for name in ("run.json", "selection.csv", "classes.csv"):
        (tmp_path / name).write_bytes((nano / name).read_bytes())
    (tmp_path / "stats.csv").write_text(f"{table}{rows[1]}{rows[2][:30]}")
    dataset = Dataset.open(tmp_path)
    assert len(dataset.made) == 5
    assert sorted(dataset.times.values()) == [1, 1, 1, 1, 2]
    with pytest.raises(InputError, match="not there; run the same build again"):
        assert dataset.samples


def test_what_there_is_of_a_dataset_need_not_be_whole(tmp_path: Path) -> None:
    dataset = Dataset.found_in(tmp_path)
    assert (dataset.record, dataset.wanted, dataset.made, dataset.classes) == ({}, {}, {}, {})
    with pytest.raises(InputError, match="no built dataset"):
        Dataset.open(tmp_path)


@pytest.mark.parametrize("table", ["a,1,x\n", "a,b,c,d,1,x,1\n", "a,b,c,d,1,2,one\n", "\n", '"\n'])
def test_a_selection_that_no_digest_vouches_for_is_looked_through(
    nano: Path, tmp_path: Path, table: str
) -> None:
    record = (nano / "run.json").read_text()
    (tmp_path / "run.json").write_text(record.replace("selection_sha256", "unknown"))
    header = (nano / "selection.csv").read_text().partition("\n")[0]
    (tmp_path / "selection.csv").write_text(f"{header}\n{table}")
    with pytest.raises(InputError, match=r"selection\.csv cannot be read"):
        assert Dataset.open(tmp_path).ranking


@pytest.mark.parametrize("module", ["dataset.built", "verify", "export"])
def test_who_reads_a_dataset_needs_no_pandas(module: str) -> None:
    code = f"import sys, nanokinetics.{module}; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

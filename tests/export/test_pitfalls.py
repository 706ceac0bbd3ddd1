"""An export says on stderr what its loader would skip, hang on or misread without a word."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import trees
from helpers import WHEEL, write_csv

from nanokinetics import build
from nanokinetics.cli import main
from nanokinetics.export import FORMATS, export, pitfalls


@pytest.fixture(scope="module")
def datasets(films, tmp_path_factory) -> dict[str, Path]:
    """Train-only datasets by name. Every clip has ten frames."""
    kinds = {
        "mp4": {"a/1.mp4": 1, "a/2.mp4": 2, "b/3.mp4": 3, "b/4.mp4": 4},
        "webm": {"a/1.webm": 1, "b/2.webm": 2},
        "mixed": {"a/1.mp4": 1, "a/2.webm": 2, "b/1.mp4": 3, "b/3.mkv": 4},
        "images": {"a/1.jpg": 1, "b/2.gif": 2},
    }
    found = {}
    for kind, files in kinds.items():
        folder = tmp_path_factory.mktemp(kind)
        tree = {f"train/{name}": _content(films, name, number) for name, number in files.items()}
        src = trees.lay(folder / "source", tree)
        build("folder", n=2, src=src, workers=1, ffmpeg=WHEEL, dest=folder / "nano")
        found[kind] = folder / "nano"
    return found


def _content(films: Path, name: str, number: int) -> bytes:
    ending = name.rpartition(".")[2]
    if ending in ("jpg", "gif"):
        return trees.picture(number, "GIF" if ending == "gif" else "JPEG")
    return trees.clip(films, number, ending)


@pytest.mark.parametrize(
    ("kind", "form", "said"),
    [
        ("images", "vjepa", "2 of 2 files are images: V-JEPA, nano-jepa and VideoMAE never come"),
        ("images", "slowfast", "2 of 2 files are images: SlowFast's Kinetics and PyTorchVideo are"),
        ("images", "mmaction2", "2 of 2 files are images: MMAction2's VideoDataset is for videos"),
        ("images", "torchvision", "1 of 2 files are .gif: ImageFolder leaves them out; use Data"),
        ("images", "video2dataset", "2 of 2 files are images: video2dataset's own loader is for"),
        (
            "mixed",
            "vjepa",
            "2 clips of train have the file name of another, as train/a/1.mp4 and train/b",
        ),
        ("mixed", "mmaction2", "2 of 4 files are .mkv or .webm: MMAction2's PyAVInit gives their"),
        ("mixed", "torchvision", "2 of 4 files are .mkv or .webm: torchvision's Kinetics leaves"),
        ("mixed", "torchvision", 'give it extensions=(".mkv", ".mp4", ".webm",)'),
        ("mixed", "video2dataset", "2 of 4 files are .mkv or .webm: .* build with --place transc"),
        ("webm", "video2dataset", '2 of 2 files are .webm: .* give it video_key="webm"'),
        ("webm", "torchvision", "2 of 2 files are .webm: torchvision's Kinetics leaves them out"),
        ("mp4", "torchvision", "4 of 4 clips have fewer than 16 frames: .* the shortest has 10"),
        ("mp4", "vjepa", "no val.csv and no test.csv, and VideoMAE opens all three lists"),
        ("mp4", "slowfast", "no val.csv and no test.csv, and SlowFast trains, validates and tests"),
        ("mp4", "webdataset", "train is 1 shard: .* for 4 workers say --shard-samples 1"),
        ("mp4", "video2dataset", "train is 1 shard: .* for 4 workers say --shard-samples 1"),
    ],
)
def test_what_a_loader_would_not_say_is_said(datasets, kind, form, said, tmp_path, capsys) -> None:
    """A line each, also with --quiet, with how many and what to do; nothing on stdout."""
    asked = ["export", str(datasets[kind]), "--format", form, "--output", str(tmp_path / "out")]
    assert main([*asked, "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    pattern = re.sub(r"([().])(?!\*)", r"\\\1", said)
    (line,) = [each for each in err.splitlines() if re.search(pattern, each)]
    assert line.startswith("warning: ")
    assert re.search(r"; (\w+|\d+ workers say|for \d+)", line), "and a remedy"


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("mp4", "fiftyone"),
        ("mp4", "hf"),
        ("mp4", "mmaction2"),
        ("images", "fiftyone"),
        ("images", "hf"),
        ("mixed", "fiftyone"),
        ("webm", "fiftyone"),
    ],
)
def test_where_a_loader_reads_all_nothing_is_said(datasets, kind, form, tmp_path) -> None:
    assert export(datasets[kind], form, output=tmp_path / "out").warnings == ()


def test_the_number_of_samples_that_is_named_makes_enough_shards(datasets, tmp_path) -> None:
    made = export(datasets["mp4"], "webdataset", shard_samples=1, output=tmp_path / "out")
    assert len(list(made.folder.glob("train-*.tar"))) == pitfalls.WORKERS
    assert made.warnings == ()


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"train": (12, 1), "val": (8, 1)}, "train is 1 shard, val is 1 shard: .*shard-samples 2"),
        ({"train": (4000, 40), "val": (1000, 2)}, "^val is 2 shards: .* --shard-samples 250"),
        ({"train": (3, 3)}, None),
        ({"train": (40, 4)}, None),
    ],
)
def test_few_shards_are_told_with_the_number_that_makes_four(counts, said) -> None:
    lines = list(pitfalls.of_shards(counts))
    assert len(lines) == (said is not None)
    assert all(re.search(said, line) for line in lines)


def test_stock_configurations_of_mmaction2_lack_the_list_of_val(films, tmp_path) -> None:
    rows = trees.kinetics_rows(("yoga",), 1)
    src = trees.lay(tmp_path / "source", trees.kinetics_clips(films, rows))
    build(
        "kinetics", source="local", src=src,
        annotations=[write_csv(tmp_path / "a.csv", rows)], n=1, workers=1, ffmpeg=WHEEL,
        dest=tmp_path / "nano",
    )  # fmt: skip
    (line,) = export(tmp_path / "nano", "mmaction2").warnings
    assert "there is no kinetics400_val_list_videos.txt" in line


@pytest.mark.parametrize("form", ["hf", "torchvision", "webdataset", "video2dataset"])
def test_an_export_that_is_refused_leaves_nothing_behind(
    datasets, form, tmp_path, monkeypatch
) -> None:
    """No journal, no lock, no folder; and what was there before stays as it was."""
    asked = {"webdataset": {"shard_bytes": 1000}, "video2dataset": {"shard_bytes": 1000}}
    monkeypatch.chdir(tmp_path)
    dataset = datasets["webm" if form == "hf" else "mp4"]
    if form == "torchvision":
        dataset = _lacking_a_class(dataset, tmp_path)
    options = ["--shard-bytes", "1000"] if form in asked else []
    before = sorted(tmp_path.rglob("*"))
    for output in ("new", "new/deeper/still"):
        argv = ["export", str(dataset), "--format", form, "--output", output, *options]
        assert main(argv) == 2
        assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "empty").mkdir()
    assert main(["export", str(dataset), "--format", form, "--output", "empty", *options]) == 2
    assert list((tmp_path / "empty").iterdir()) == []


def _lacking_a_class(dataset: Path, folder: Path) -> Path:
    copy = Path(shutil.copytree(dataset, folder / "copy"))
    table = (copy / "stats.csv").read_text("utf-8").splitlines(keepends=True)
    (copy / "stats.csv").write_text("".join(row for row in table if "train/b/" not in row))
    return copy


def test_a_refused_export_spoils_no_earlier_one(datasets, tmp_path) -> None:
    """The limits of shards are looked at before the first one is written."""
    for form in ("webdataset", "video2dataset"):
        out = export(datasets["mp4"], form, output=tmp_path / form).folder
        before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
        argv = ["export", str(datasets["mp4"]), "--format", form, "--output", str(out)]
        assert main([*argv, "--shard-bytes", "1000"]) == 2
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_an_export_that_is_interrupted_leaves_nothing_behind(datasets, tmp_path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    for form in sorted(FORMATS):
        with pytest.raises(KeyboardInterrupt):
            export(datasets["mp4"], form, output=tmp_path / "new" / form, tick=stop)
        assert list(tmp_path.iterdir()) == []

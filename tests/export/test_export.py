"""`export`: what each format holds, what is refused, and exports that are killed or made again."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import trees
from filelock import FileLock
from helpers import WHEEL, Row, commands, nanokinetics, read_table, snapshot, wait_until

from nanokinetics import build
from nanokinetics.cli import main
from nanokinetics.dataset.built import Dataset
from nanokinetics.dataset.sample import Sample
from nanokinetics.errors import EnvironmentFault, InputError
from nanokinetics.export import FORMATS, export, mmaction2
from nanokinetics.export.options import LABEL_IDS, METADATA, Options, parse_bytes
from nanokinetics.export.output import FILES, JOURNAL
from nanokinetics.export.shards import cut, mixed
from nanokinetics.export.webdataset import keyed
from nanokinetics.layout import LOCK
from nanokinetics.sources.scan import scan


@pytest.fixture
def dataset(nano_k400, tmp_path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(nano_k400, tmp_path / "nano-k400"))


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """A dataset of images, one of each class; its source has three."""
    folder = tmp_path_factory.mktemp("images")
    src = trees.lay(folder / "source", trees.imagenet_train(3))
    build("folder", n=1, src=src, workers=1, ffmpeg=WHEEL, dest=folder / "nano")
    return folder / "nano"


@pytest.fixture(scope="module")
def ssv2(films, tmp_path_factory) -> Path:
    """A dataset of Something-Something v2 whose test videos are not there."""
    folder = tmp_path_factory.mktemp("ssv2")
    videos = trees.ssv2_videos(films, each=1, splits=("train", "validation"))
    src = trees.lay(folder / "source", trees.ssv2_annotations(each=1) | videos)
    asked = {"train": 1, "val": 1, "test": 1}
    build("ssv2", n=asked, src=src, workers=1, ffmpeg=WHEEL, dest=folder / "nano")
    return folder / "nano"


def stats(dataset: Path, split: str = "") -> list[dict[str, str]]:
    return [r for r in read_table(dataset / "stats.csv") if split in ("", r["split"])]


def ids(dataset: Path, column: str = "label_id") -> dict[str, int]:
    return {row["label"]: int(row[column]) for row in read_table(dataset / "classes.csv")}


def names(folder: Path) -> set[str]:
    """All files below a folder but those that only exports read."""
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    return files - {LOCK, JOURNAL}


def split_lines(path: Path) -> list[tuple[str, int]]:
    """A list as SlowFast and MMAction2 read it: a line is cut at its blanks, and has two parts."""
    pairs = [line.split() for line in path.read_text("utf-8").splitlines()]
    return [(path, int(label)) for path, label in pairs]


# -- lists and trees, read by the rules of loaders that are not installed here


@pytest.mark.parametrize("kind", ["local", "source"])
def test_slowfast_joins_its_prefix_with_relative_paths(dataset, kind) -> None:
    """SlowFast: `os.path.join(PATH_PREFIX, path)`."""
    made = export(dataset, "slowfast", label_ids=kind)
    for split in ("train", "val"):
        found = split_lines(made.folder / f"{split}.csv")
        numbers = ids(dataset, {"local": "label_id", "source": "source_id"}[kind])
        assert all((dataset / path).is_file() for path, _ in found)
        assert sorted(found) == sorted(
            (r["path"], numbers[r["label"]]) for r in stats(dataset, split)
        )


def test_source_ids_count_all_labels_of_the_annotations(dataset) -> None:
    assert ids(dataset, "source_id")["yoga"] == 5
    assert ids(dataset)["yoga"] == 3


def test_a_prefix_stands_before_each_path(dataset) -> None:
    for form, prefix in (("slowfast", "clips"), ("slowfast", "clips/"), ("vjepa", "/data/clips")):
        made = export(dataset, form, prefix=prefix)
        lines = (made.folder / "val.csv").read_text("utf-8").splitlines()
        assert all(line.startswith(f"{prefix.rstrip('/')}/val/") for line in lines)


def test_mmaction2_finds_its_names_and_folders(dataset) -> None:
    """The stock configuration joins `videos_<split>` with the paths of its list."""
    made = export(dataset, "mmaction2")
    for split in ("train", "val"):
        found = split_lines(made.folder / f"kinetics400_{split}_list_videos.txt")
        assert sorted((f"{split}/{path}", number) for path, number in found) == sorted(
            (row["path"], ids(dataset)[row["label"]]) for row in stats(dataset, split)
        )
        for path, _ in found:
            assert (made.folder / f"videos_{split}" / path).samefile(dataset / split / path)
        rows = [
            Row(
                r["label"],
                r["youtube_id"],
                float(r["time_start"]),
                float(r["time_end"]),
                r["split"],
            )
            for r in read_table(made.folder / "annotations" / f"kinetics_{split}.csv")
        ]
        assert {row.path for row in rows} == {f"{split}/{path}" for path, _ in found}


def test_mmaction2_has_one_folder_for_something_something(ssv2) -> None:
    """Its stock configuration joins `videos` with the paths of both lists."""
    folder = export(ssv2, "mmaction2").folder
    assert {entry.name for entry in folder.iterdir()} - {LOCK, JOURNAL} == {
        *("videos", "sthv2_train_list_videos.txt", "sthv2_val_list_videos.txt")
    }
    for split in ("train", "val"):
        found = split_lines(folder / f"sthv2_{split}_list_videos.txt")
        assert sorted(found) == sorted(
            (row["path"], ids(ssv2)[row["label"]]) for row in stats(ssv2, split)
        )
        assert all((folder / "videos" / path).samefile(ssv2 / path) for path, _ in found)


def test_mmaction2_gets_no_annotations_of_kinetics_where_there_are_none(images) -> None:
    folder = export(images, "mmaction2").folder
    assert {entry.name for entry in folder.iterdir()} - {LOCK, JOURNAL} == {
        *("videos", "folder_train_list_videos.txt")
    }
    ((path, _), *_) = split_lines(folder / "folder_train_list_videos.txt")
    assert (folder / "videos" / path).is_file()


@pytest.mark.parametrize("how", ["symlink", "hardlink", "copy"])
def test_a_reader_of_folders_numbers_the_classes_as_the_ledger(dataset, how) -> None:
    """torchvision: the sorted names of the folders in a split are the classes, from 0."""
    made = export(dataset, "torchvision", files=how)
    for split in ("train", "val"):
        classes = sorted(entry.name for entry in os.scandir(made.folder / split) if entry.is_dir())
        found = {(f"{split}/{name}/{file.name}", number) for number, name in enumerate(classes)
                 for file in (made.folder / split / name).iterdir()}  # fmt: skip
        assert found == {(r["path"], ids(dataset)[r["label"]]) for r in stats(dataset, split)}
    first = made.folder / stats(dataset)[0]["path"]
    assert first.samefile(dataset / stats(dataset)[0]["path"]) is (how != "copy")
    assert first.is_symlink() is (how == "symlink")
    assert first.read_bytes() == (dataset / stats(dataset)[0]["path"]).read_bytes()


def rewrite(path: Path, rows: Iterable[dict[str, str]]) -> None:
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def test_a_class_that_is_missing_in_one_split_is_named(dataset) -> None:
    kept = [r for r in stats(dataset) if (r["split"], r["label"]) != ("val", "training dog")]
    rewrite(dataset / "stats.csv", kept)
    with pytest.raises(InputError, match="val has no clip of 'training dog':"):
        export(dataset, "torchvision")
    assert not (dataset.parent / "nano-k400-exports/torchvision/train").exists()


def test_a_split_without_a_clip_is_left_out(dataset, capsys) -> None:
    rewrite(dataset / "stats.csv", stats(dataset, "train"))
    assert main(["export", str(dataset), "--format", "vjepa"]) == 0
    assert "val: no clip yet" in capsys.readouterr().out
    assert names(dataset.parent / "nano-k400-exports/vjepa") == {"train.csv"}


def test_a_split_without_any_clip_shifts_no_classes(ssv2, capsys) -> None:
    assert main(["export", str(ssv2), "--format", "torchvision"]) == 0
    assert "test: no clip yet" in capsys.readouterr().out
    folder = ssv2.parent / "nano-exports" / "torchvision"
    assert names(folder) == {row["path"] for row in stats(ssv2)}
    assert sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) == ["train", "val"]


@pytest.mark.parametrize(
    ("dataset_name", "labels", "name"),
    [
        ("kinetics", 400, "kinetics400"),
        ("kinetics", 5, "kinetics400"),
        ("kinetics", 600, "kinetics600"),
        ("kinetics", 700, "kinetics700"),
        ("ssv2", 174, "sthv2"),
        ("folder", 400, "folder"),
    ],
)
def test_mmaction2_has_its_own_names_for_datasets(dataset_name, labels, name) -> None:
    assert mmaction2.name_of({"dataset": dataset_name, "labels": [""] * labels}) == name


# -- shards


def members(tar: Path) -> list[tuple[str, bytes]]:
    with tarfile.open(tar) as archive:
        return [(m.name, archive.extractfile(m).read()) for m in archive]  # type: ignore[union-attr]


def samples(tar: Path) -> dict[str, dict[str, bytes]]:
    """The samples of a shard; their members must stand side by side."""
    found: dict[str, dict[str, bytes]] = {}
    for name, data in members(tar):
        key, _, extension = name.partition(".")
        assert key not in found or key == list(found)[-1], "members of one sample are adjacent"
        assert extension not in found.setdefault(key, {})
        found[key][extension] = data
    return found


@pytest.mark.parametrize("form", ["webdataset", "video2dataset"])
def test_every_sample_of_the_ledger_is_in_exactly_one_shard(dataset, form) -> None:
    made = export(dataset, form, shard_samples=5)
    for split in ("train", "val"):
        tars = sorted(made.folder.glob(f"**/{'' if form == 'webdataset' else split + '/'}*.tar"))
        shards = [tar for tar in tars if split in tar.relative_to(made.folder).as_posix()]
        found = [sample for tar in shards for sample in samples(tar).items()]
        rows = {row["path"]: row for row in stats(dataset, split)}
        assert len(shards) > 1
        assert sorted(json.loads(s["json"])["path"] for _, s in found) == sorted(rows)
        assert len({key for key, _ in found}) == len(found)
        for _, sample in found:
            row = rows[json.loads(sample["json"])["path"]]
            assert sample.keys() == {"cls", "json", "mp4", "txt"}
            assert sample["mp4"] == (dataset / row["path"]).read_bytes()
            assert sample["cls"] == str(ids(dataset)[row["label"]]).encode()
            assert sample["txt"] == row["label"].encode()


def test_shards_json_tells_what_the_shards_hold(dataset) -> None:
    made = export(dataset, "webdataset", shard_samples=4)
    index = json.loads((made.folder / "shards.json").read_text("utf-8"))
    assert index["classes"] == ids(dataset)
    files = [each for split in index["splits"].values() for each in split["files"]]
    assert {each["file"] for each in files} | {"shards.json"} == names(made.folder)
    for each in files:
        data = (made.folder / each["file"]).read_bytes()
        assert (each["bytes"], each["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert each["samples"] == len(samples(made.folder / each["file"])) <= 4
        assert each["classes"] == 4
    assert index["splits"]["train"]["shards"] == "train-{000000..000002}.tar"
    assert (index["splits"]["train"]["samples"], index["splits"]["val"]["samples"]) == (12, 8)


def test_video2dataset_finds_its_files_keys_and_statistics(dataset) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    made = export(dataset, "video2dataset", shard_samples=7)
    assert names(made.folder) == {
        f"{split}/{shard:05d}{end}" for split, shards in (("train", 2), ("val", 2))
        for shard in range(shards) for end in (".tar", ".parquet", "_stats.json")
    }  # fmt: skip
    for tar in made.folder.glob("*/*.tar"):
        keys = list(samples(tar))
        assert keys == [f"{tar.stem}{number:04d}" for number in range(len(keys))]
        table = parquet.read_table(tar.with_suffix(".parquet")).to_pylist()
        assert [row["key"] for row in table] == keys
        assert {row["status"] for row in table} == {"success"}
        stats = json.loads(tar.with_name(f"{tar.stem}_stats.json").read_text("utf-8"))
        assert (stats["count"], stats["successes"]) == (len(keys), len(keys))
        assert stats["end_time"] >= stats["start_time"] > 0


@pytest.mark.parametrize("form", ["webdataset", "video2dataset"])
def test_shards_made_again_are_the_same_byte_for_byte(dataset, form, tmp_path) -> None:
    first = export(dataset, form, shard_samples=5, output=tmp_path / "first").folder
    rows = stats(dataset)
    rewrite(dataset / "stats.csv", [*rows[::-1], rows[0]])  # as another run would have written it
    second = export(dataset, form, shard_samples=5, output=tmp_path / "second").folder
    assert names(first) == names(second)
    for name in names(first):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_a_smaller_export_leaves_no_stale_shards(dataset) -> None:
    folder = export(dataset, "webdataset", shard_samples=1).folder
    assert len(list(folder.glob("*.tar"))) == 20
    export(dataset, "webdataset")
    assert names(folder) == {"train-000000.tar", "val-000000.tar", "shards.json"}
    export(dataset, "torchvision", output=folder)
    assert not list(folder.glob("*.tar"))
    export(dataset, "vjepa", output=folder)
    assert names(folder) == {"train.csv", "val.csv"}
    assert not (folder / "train").exists(), "empty folders go too"


def made_up(label: str, number: int) -> Sample:
    return Sample("train", label, 0, f"train/{label}/{number}.mp4", 1000, {})


def test_every_shard_holds_the_mix_of_classes() -> None:
    """Every shard has, of each class, its share, to within one sample."""
    counts = {"a": 40, "b": 100, "c": 60}
    ordered = mixed([made_up(c, i) for c, n in counts.items() for i in range(n)], "0")
    assert ordered != mixed(ordered, "1")
    assert ordered == mixed(ordered[::-1], "0")
    parts = cut([1000] * 200, Options(shard_samples=20))
    assert len(parts) == 10
    for part in parts:
        found = Counter(ordered[i].label for i in part)
        assert all(abs(found[label] - n / 10) <= 1 for label, n in counts.items()), found


def test_one_large_sample_makes_one_shard_more_and_not_many() -> None:
    """2,999 samples fit into 30 shards; one that fills a shard makes it 31."""
    limit = Options(shard_bytes=1_024_000)
    room = 1_024_000 - 1024
    for place in (0, 1000, 1700, 2999):
        sizes = [room // 100] * 2999
        sizes.insert(place, room)
        parts = cut(sizes, limit)
        assert [i for part in parts for i in part] == list(range(3000))
        assert all(sum(sizes[i] for i in part) <= room for part in parts)
        assert len(parts) <= 32


def test_shards_are_as_few_and_as_equal_as_the_limits_allow() -> None:
    sizes = [hashlib.sha256(b"%d" % i).digest()[0] * 512 + 512 for i in range(2000)]
    room = 10_240_000 - 1024
    parts = cut(sizes, Options(shard_bytes=10_240_000))
    assert all(sum(sizes[i] for i in part) <= room for part in parts)
    assert len(parts) == -(-sum(sizes) // room) == 13
    assert min(map(len, parts)) > 0.7 * max(map(len, parts)), "none is a small rest"
    assert {len(part) for part in cut(sizes, Options(shard_samples=300))} == {285, 286}


def test_no_shard_is_larger_than_allowed(dataset) -> None:
    limit = 60_000
    folder = export(dataset, "webdataset", shard_bytes=limit).folder
    sizes = [tar.stat().st_size for tar in folder.glob("*.tar")]
    assert max(sizes) <= limit
    assert len(sizes) <= 10, "and there are no more of them than it takes"


def test_a_sample_that_no_shard_may_hold_is_refused(dataset) -> None:
    with pytest.raises(InputError, match="more than --shard-bytes 10000; allow more"):
        export(dataset, "webdataset", shard_bytes=10_000)


def test_keys_have_no_dots_and_are_never_shared() -> None:
    def sample(key: str, label: str) -> Sample:
        return Sample("train", label, 0, f"train/{label}/{key}.mp4", 1, {"key": key})

    found = keyed([sample("a.b/c d", "x"), sample("-1_000001_000002", "x"), sample("k", "x"),
                   sample("k", "y")])  # fmt: skip
    first, second, *shared = found
    assert (first, second) == ("a_b_c_d", "-1_000001_000002")
    assert len(set(shared)) == 2
    assert all(key.startswith("k-") for key in shared)


def test_images_keep_their_extension(images) -> None:
    tar = export(images, "webdataset").folder / "train-000000.tar"
    found = samples(tar)
    assert len(found) == 4
    assert all(sample.keys() == {"cls", "json", "jpeg", "txt"} for sample in found.values())
    assert json.loads(next(iter(found.values()))["json"])["time_start"] is None
    listed = export(images, "hf").folder / "train/metadata.csv"
    assert "time_start" not in listed.read_text("utf-8"), "a column of nothing has no type"


def test_a_killed_export_leaves_whole_shards_and_the_next_cleans_up(dataset) -> None:
    folder = dataset.parent / "shards"
    asked = ("export", dataset, "--format", "webdataset", "--output", folder)
    whole = export(dataset, "webdataset", shard_samples=1, output=dataset.parent / "whole").folder
    running = nanokinetics(*asked, "--shard-samples", "1", cwd=dataset.parent)
    wait_until(lambda: running.over or len(list(folder.glob("*.tar"))) >= 2)
    running.kill_group()
    for tar in folder.glob("*.tar"):
        assert tar.read_bytes() == (whole / tar.name).read_bytes()
    (folder / ".val-000000.tar.tmp").write_bytes(b"half")  # what a kill at the worst moment leaves
    with (folder / JOURNAL).open("a") as journal:
        journal.write("val-000000.tar\n")
    export(dataset, "webdataset", output=folder)
    assert names(folder) == {"train-000000.tar", "val-000000.tar", "shards.json"}


def test_an_export_that_failed_says_nothing_of_shards_that_are_no_more(dataset) -> None:
    folder = export(dataset, "webdataset").folder
    path = dataset / stats(dataset, "val")[0]["path"]
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(InputError, match="sha256 differs"):
        export(dataset, "webdataset")
    assert not (folder / "shards.json").exists()
    assert not list(folder.glob(".*.tmp"))


# -- beside the dataset, never within


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_the_dataset_is_not_touched_and_a_build_goes_on(dataset, form) -> None:
    before = snapshot(dataset)
    export(dataset, form)
    assert snapshot(dataset) == before


def test_a_build_from_a_folder_above_takes_nothing_of_an_export(dataset, tmp_path) -> None:
    source = trees.lay(tmp_path / "source", {"a/1.jpg": trees.picture(1)})
    export(dataset, "torchvision", files="copy", output=source / "exported")
    assert scan(source).files == ("a/1.jpg",)


def test_a_dataset_grows_after_an_export(images, tmp_path) -> None:
    dest = Path(shutil.copytree(images, tmp_path / "nano"))
    folder = export(dest, "slowfast").folder
    assert len(split_lines(folder / "train.csv")) == 4
    build("folder", n=3, src=images.parent / "source", workers=1, ffmpeg=WHEEL, dest=dest)
    export(dest, "slowfast")
    assert len(split_lines(folder / "train.csv")) == 12


@pytest.mark.parametrize("output", ["nano-k400", "nano-k400/exports", "."])
def test_an_output_that_would_mix_with_the_dataset_is_refused(dataset, output, monkeypatch) -> None:
    monkeypatch.chdir(dataset.parent)
    before = snapshot(dataset.parent)
    with pytest.raises(InputError, match=r"name a (folder outside|new or empty folder)"):
        export("nano-k400", "vjepa", output=output)
    assert snapshot(dataset.parent) == before


def test_a_folder_that_holds_something_else_is_refused(dataset, tmp_path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"'thesis.txt' and is no export of ours"):
        export(dataset, "vjepa", output=other)
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]
    with pytest.raises(InputError, match="is a file"):
        export(dataset, "vjepa", output=other / "thesis.txt")


def test_files_that_somebody_put_into_an_export_stay(dataset) -> None:
    folder = export(dataset, "torchvision").folder
    (folder / "train/yoga/notes.txt").write_text("mine")
    with (folder / JOURNAL).open("a") as journal:
        journal.write("../nano-k400/stats.csv\n/etc/hostname\n")  # and a journal is not trusted
    export(dataset, "vjepa", output=folder)
    assert names(folder) == {"train.csv", "val.csv", "train/yoga/notes.txt"}
    assert (dataset / "stats.csv").exists()


# -- what is refused


def test_a_path_with_a_blank_is_refused_with_the_remedy(dataset, tmp_path) -> None:
    moved = dataset.rename(tmp_path / "my data")
    with pytest.raises(InputError, match=r"holds a blank.*ln -s"):
        export(moved, "vjepa")
    link = tmp_path / "data"
    link.symlink_to(moved)
    paths = [path for path, _ in split_lines(export(link, "vjepa").folder / "train.csv")]
    assert all(Path(path).is_file() for path in paths)
    export(moved, "slowfast")


@pytest.mark.parametrize("form", ["vjepa", "slowfast", "mmaction2"])
def test_a_path_with_a_blank_in_the_table_is_refused(dataset, form) -> None:
    rows = stats(dataset)
    blank = dict(rows[0], path=f"{rows[0]['path'].rpartition('/')[0]}/my clip.mp4")
    (dataset / rows[0]["path"]).rename(dataset / blank["path"])
    rewrite(dataset / "stats.csv", [blank, *rows[1:]])
    with pytest.raises(InputError, match=r"my clip.mp4' in stats.csv holds a blank"):
        export(dataset, form)


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_a_clip_that_is_missing_or_changed_is_refused_before_anything_is_written(
    dataset, form
) -> None:
    path = dataset / stats(dataset)[0]["path"]
    path.write_bytes(b"short")
    with pytest.raises(InputError, match=r"has 5 bytes and not the .* run the same build again"):
        export(dataset, form)
    path.unlink()
    with pytest.raises(InputError, match=r"in stats.csv but not there; run the same build again"):
        export(dataset, form)
    assert not (dataset.parent / "nano-k400-exports").exists()


def test_damage_of_the_tables_is_named(dataset) -> None:
    table = (dataset / "stats.csv").read_bytes()
    for spoilt, said in (
        (table.replace(b",128,", b",wide,", 1), "line 2: not a row of this table"),
        (table.replace(b"train/yoga/", b"../../yoga/"), "leaves the dataset"),
        (table.replace(b"train/yoga/", b"train/\0/"), "leaves the dataset"),
        (table.replace(b",yoga,", b",chess,"), "'chess'"),
        (table.replace(b",yoga,", b',"yo\nga",', 1), "not a row of this table"),
        (table.replace(b"Z\n", b"\n", 1).replace(b"T", b" noon ", 1), "not a row of this table"),
        (table.replace(b",128,", b",\xff,", 1), "not UTF-8"),
        (table.splitlines(keepends=True)[0], "no finished clip yet"),
    ):
        (dataset / "stats.csv").write_bytes(spoilt)
        with pytest.raises(InputError, match=said):
            export(dataset, "vjepa")
    (dataset / "stats.csv").write_bytes(table + b"torn,train,yo")
    assert len(Dataset.open(dataset).samples) == 20
    for name in ("classes.csv", "stats.csv", "run.json"):
        (dataset / name).unlink()
        with pytest.raises(
            InputError, match=r"run the same build again|name the folder of a build"
        ):
            export(dataset, "vjepa")


def test_a_folder_that_cannot_be_written_to_is_named(dataset, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="file/below: Not a directory"):
        export(dataset, "vjepa", output=tmp_path / "file" / "below")


def test_two_exports_at_once_do_not_mix(dataset, tmp_path) -> None:
    folder = export(dataset, "vjepa", output=tmp_path / "out").folder
    with FileLock(folder / LOCK), pytest.raises(InputError, match="another export is at work"):
        export(dataset, "vjepa", output=folder)


def test_wrong_usage_is_told_in_one_line(dataset, capsys) -> None:
    for arguments, said in (
        (("vjepa", "--shard-samples", "5"), "--shard-samples says nothing to vjepa, only to webd"),
        (("webdataset", "--shard-samples", "0"), "a shard holds 1 or more"),
        (("webdataset", "--shard-bytes", "much"), "'much' is no size"),
        (("torchvision", "--label-ids", "source"), "--label-ids says nothing to torchvision"),
        (("slowfast", "--prefix", "my data"), "holds a blank"),
        (("vjepa", "--prefix", "data"), "absolute"),
        (("tfrecord",), "'tfrecord' is no format"),
    ):
        assert main(["export", str(dataset), "--format", *arguments]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line


def test_a_missing_package_is_named_with_what_to_install(dataset, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "webdataset", None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'nanokinetics\[webdataset\]'"):
        export(dataset, "webdataset")


def test_the_command_offers_what_there_is() -> None:
    offered = {action.dest: action.choices for action in commands()["export"]._actions}
    assert set(offered["format"] or ()) == set(FORMATS)
    for name, known in (("label_ids", LABEL_IDS), ("files", FILES), ("metadata", METADATA)):
        assert tuple(offered[name] or ()) == known


@pytest.mark.parametrize(
    ("form", "option"),
    [("vjepa", "label_ids"), ("torchvision", "files"), ("hf", "metadata"), ("hf", "colour")],
)
def test_a_value_that_there_is_not_is_refused_from_python_too(dataset, form, option) -> None:
    options: dict[str, Any] = {option: "none"}
    with pytest.raises(InputError, match=option.replace("_", "-")):
        export(dataset, form, **options)


@pytest.mark.parametrize(
    ("text", "size"), [("500000", 500_000), ("256M", 256_000_000), ("1.5g", 1_500_000_000)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size

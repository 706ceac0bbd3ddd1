"""Builds by lists, and of ImageNet's folders: every clip is the file that its row means."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import trees
from helpers import FAST, Done, read_table
from trees import WNIDS, lay, packed, picture, prefixed

from nanokinetics.cli import main

pytestmark = pytest.mark.slow

Run = Callable[..., Done]

CLASSES = ("accordion", "airplanes", "anchor")
SAME = {
    f"{label}/image_{i:04d}.jpg": picture(10 * place + i)
    for place, label in enumerate(CLASSES)
    for i in (1, 2, 3)
}
"""Base names that every class has, as in Caltech-101."""
LIST = "".join(f"{path} {path.split('/')[0]}\n" for path in SAME)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys) -> Run:
    """The command line within this process, in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path, command: str = "build") -> Done:
        usual = [*FAST, "--quiet", "--dest", "dest", "--workers", "1"] if command == "build" else []
        capsys.readouterr()
        code = main([command, *usual, *map(str, arguments)])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return run


def _write(**lists: str) -> None:
    for name, text in lists.items():
        Path(f"{name}.txt").write_text(text)


def _made() -> dict[tuple[str, str, str], bytes]:
    """The bytes of each clip, by split, label and key."""
    return {
        (row["split"], row["label"], row["key"]): Path("dest", row["path"]).read_bytes()
        for row in read_table(Path("dest/stats.csv"))
    }


def _expected(tree: Mapping[str, bytes], split: str = "train") -> dict[tuple[str, str, str], bytes]:
    return {(split, path.split("/")[0], path[:-4]): data for path, data in tree.items()}


@pytest.mark.parametrize("form", ["", "above/", "tar", "tar.gz", "tar.gz above"])
def test_base_names_that_every_class_has_are_never_confused(tmp_path, run, form):
    packing, _, above = form.partition(" ")
    if packing.startswith("tar"):
        data = packed(SAME, packing[4:], prefix="101_ObjectCategories/" if above else "")
        lay(tmp_path, {f"source.{packing}": data})
        source = f"source.{packing}"
    else:
        source = str(lay(tmp_path / "source", prefixed(form, SAME)))
    _write(train=LIST)
    assert run("folder", "--src", source, "--list", "train.txt", "--n", "3").code == 0
    assert _made() == _expected(SAME)
    assert run("dest", command="verify").code == 0


@pytest.mark.parametrize("form", ["folder", "tar", "tar.gz"])
def test_a_file_that_is_not_there_is_missing_and_replaced_by_none(tmp_path, run, form):
    gone = "accordion/image_0001.jpg"
    tree = {path: data for path, data in SAME.items() if path != gone}
    if form == "folder":
        lay(tmp_path / "source", tree)
    else:
        lay(tmp_path / "source", {f"all.{form}": packed(tree, form[4:])})
    _write(train=LIST)
    assert run("folder", "--src", "source", "--list", "train.txt", "--n", "3").code == 3
    assert _made() == _expected(tree)
    (failed,) = read_table(Path("dest/failed.csv"))
    assert (failed["key"], failed["reason"]) == (gone[:-4], "not_found")


def test_a_val_list_makes_a_val(tmp_path, run):
    lay(tmp_path / "source", SAME)
    lines = LIST.splitlines(keepends=True)
    _write(ucf101_train_split_1_videos="".join(lines[::3]))
    _write(ucf101_val_split_1_videos="".join(lines[1::3]))
    lists = ("ucf101_train_split_1_videos.txt", "ucf101_val_split_1_videos.txt")
    assert run("folder", "--src", "source", "--list", *lists, "--n", "1").code == 0
    paths = list(SAME)
    expected = _expected({p: SAME[p] for p in paths[::3]})
    assert _made() == expected | _expected({p: SAME[p] for p in paths[1::3]}, "val")


def test_a_header_is_no_class_and_a_column_says_the_split(tmp_path, run):
    tree = {
        f"{s}/{c}/{c}_{s}.jpg": picture(ord(c) + len(s)) for s in ("train", "val") for c in "ab"
    }
    lay(tmp_path / "source", tree)
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(("path", "noisy_labels_0", "noisy_labels_1", "is_valid"))
    table.writerows((path, path.split("/")[1], "b", path.startswith("val")) for path in tree)
    _write(noisy=out.getvalue())
    assert run("folder", "--src", "source", "--list", "noisy.txt", "--n", "1").code == 0
    assert _made() == {
        (path.split("/")[0], path.split("/")[1], path[:-4]): data for path, data in tree.items()
    }
    labels = [row["label"] for row in read_table(Path("dest/classes.csv"))]
    assert labels == ["a", "b"]


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_and_frames_and_absolute_paths_as_other_tools_write_them(tmp_path, run, first):
    source = lay(tmp_path / "source", SAME)
    rows = [(path, CLASSES.index(path.split("/")[0]) + first) for path in SAME]
    _write(train="".join(f"{source}/{path} {100 + i} {n}\n" for i, (path, n) in enumerate(rows)))
    _write(names="".join(f"{i} {label}\n" for i, label in enumerate(CLASSES, 1)))
    options = ("--list", "train.txt", "--class-names", "names.txt", "--n", "3")
    assert run("folder", "--src", "source", *options).code == 0
    assert _made() == _expected(SAME)


def test_the_lists_of_a_built_dataset_make_it_again(tmp_path, run):
    lay(tmp_path / "source", SAME)
    assert run("folder", "--src", "source", "--n", "2").code == 0
    Path("dest").rename("first")
    made = sorted(path.read_bytes() for path in Path("first/train").rglob("*.jpg"))
    assert run("first", "--format", "vjepa", command="export").code == 0
    for listing in ("first/train.csv", "first-exports/vjepa/train.csv"):
        options = ("--list", listing, "--class-names", "first/classes.csv", "--n", "2")
        assert (
            run("folder", "--src", "first", *options, "--dest", f"again-{len(listing)}").code == 0
        )
        again = Path(f"again-{len(listing)}")
        labels = [row["label"] for row in read_table(again / "classes.csv")]
        assert labels == list(CLASSES)
        copies = [path.read_bytes() for path in (again / "train").rglob("*.jpg")]
        assert sorted(copies) == made


def test_hmdb51_is_built_from_its_own_lists(tmp_path, run, films):
    classes = ("clap", "brush_hair")
    names = {
        label: [f"#{i}_{label}_u_cm_np1_fr_goo_{i}.avi" for i in range(3)] for label in classes
    }
    tree = {
        f"{label}/{name}": trees.clip(films, 10 * place + i)
        for place, label in enumerate(classes)
        for i, name in enumerate(names[label])
    }
    lay(tmp_path / "source", tree)
    for label in classes:
        text = "".join(f"{name} {i} \n" for i, name in enumerate(names[label]))
        _write(**{f"{label}_test_split1": text})
    lists = [f"{label}_test_split1.txt" for label in classes]
    assert run("folder", "--src", "source", "--list", *lists, "--n", "1").code == 0
    assert _made() == {
        (split, label, f"{label}/{names[label][i][:-4]}"): tree[f"{label}/{names[label][i]}"]
        for label in classes
        for i, split in ((1, "train"), (2, "test"))
    }


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("trainval", LIST, "trainval.txt: its name may mean train or val"),
        ("train", "image_0001.jpg x\n", "train.txt, line 1: 'image_0001.jpg' may be 'accordion/"),
        ("train", "foo,bar\nanchor/image_0001.jpg,x\n", "train.txt, line 1: 'foo,bar' is neither"),
        (
            "train",
            "/elsewhere/image_0001.jpg x\n",
            "train.txt, line 1: '/elsewhere/image_0001.jpg'",
        ),
        ("train", "anchor/image_0001.jpg 1 2 3\n", "train.txt, line 1: 3 fields follow the path"),
    ],
)
def test_a_list_that_is_not_understood_makes_nothing(tmp_path, run, name, text, says):
    lay(tmp_path / "source", SAME)
    _write(**{name: text})
    done = run("folder", "--src", "source", "--list", f"{name}.txt", "--n", "1")
    assert done.code == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not Path("dest").exists()


def test_a_build_of_train_alone_needs_no_labels_and_goes_on_with_val_when_they_are_there(
    tmp_path, run
):
    train, val = trees.imagenet_train(2), trees.imagenet_val()
    source = lay(tmp_path / "source", prefixed("train/", train) | prefixed("val/", val))
    options = ("imagenet", "--src", "source", "--n", "1")
    refused = run(*options)
    assert refused.code == 2
    assert "labels are missing; put LOC_val_solution.csv" in refused.stderr
    assert run(*options, "--split", "train").code == 0
    made = _made()
    assert [(split, label) for split, label, _ in sorted(made)] == [("train", w) for w in WNIDS]
    assert run(*options, "--split", "train").code == 0
    lay(source, trees.devkit())
    assert run(*options).code == 0
    after = _made()
    assert {key: data for key, data in after.items() if key[0] == "train"} == made
    of_val = {key: label for split, label, key in after if split == "val"}
    assert of_val == {key: trees.validation_wnid(int(key[-8:])) for key in of_val}
    assert len(of_val) == len(WNIDS)
    assert all(after["val", of_val[key], key] == val[f"{key}.JPEG"] for key in of_val)

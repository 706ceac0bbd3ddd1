"""Any folder of images or videos as a dataset, by its folders or by lists."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trees
from helpers import real_annotations
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import lay, packed, picture, prefixed

from nanokinetics import sample
from nanokinetics.annotations import read
from nanokinetics.errors import BadRows, InputError
from nanokinetics.sources.scan import Scan, scan

CLASSES = {f"{c}/{i}.{kind}": b"x" for c in ("a b", "c") for i, kind in enumerate(("jpg", "MP4"))}
EXPECTED = {("a b", "a b/0"), ("a b", "a b/1"), ("c", "c/0"), ("c", "c/1")}


def _offered(source: Path, *lists: Path, **more: Any) -> set[tuple[str, str, str]]:
    return trees.offered(read("folder", found=scan(source), listing=lists or None, **more))


@pytest.mark.parametrize("folder", ["anything", "train", "val", "testing"])
def test_without_split_folders_the_source_itself_may_name_the_split(tmp_path, folder):
    split = {"val": "val", "testing": "test"}.get(folder, "train")
    source = lay(tmp_path / folder, CLASSES)
    assert _offered(source) == {(split, *each) for each in EXPECTED}


def test_folders_of_splits_stand_above_the_classes(tmp_path):
    tree = prefixed("train/", CLASSES) | prefixed("validation/", CLASSES)
    source = lay(tmp_path / "source", tree)
    assert _offered(source) == {(s, *each) for s in ("train", "val") for each in EXPECTED}


def test_what_lies_deeper_belongs_to_the_class_above(tmp_path):
    source = lay(
        tmp_path, {"a/x/1.jpg": b"x", "a/y/1.jpg": b"x", "a/x/y/2.jpg": b"x", "b/3.jpg": b""}
    )
    expected = {("train", "a", key) for key in ("a/x/1", "a/y/1", "a/x/y/2")}
    assert _offered(source) == expected | {("train", "b", "b/3")}


@pytest.mark.parametrize("packing", ["folder", "tar", "tar within a folder"])
def test_the_choice_from_a_folder_and_from_its_archive_is_the_same(tmp_path, packing):
    tree = {f"train/{c}/{i}.jpg": picture(i) for c in "abc" for i in range(6)}
    there = {
        "folder": tree,
        "tar": {"all.tar": packed(tree)},
        "tar within a folder": {"downloads/all.tar": packed(tree, prefix="./")},
    }[packing]
    frame = sample("folder", src=lay(tmp_path / packing, there), n=2, seed="7").frame
    for label in "abc":
        keys = frame["key"][frame["label"] == label].tolist()
        assert keys == trees.first_ranked((f"{label}/{i}" for i in range(6)), "7")
    assert set(frame["split"]) == {"train"}


@settings(max_examples=15, deadline=None)
@given(order=st.lists(st.integers(0, 200), max_size=60))
def test_the_order_of_the_listing_changes_nothing(tmp_path_factory, order):
    source = tmp_path_factory.getbasetemp() / "listed folder"
    if not source.exists():
        lay(source, prefixed("val/", CLASSES) | {"all.tar": packed(prefixed("train/", CLASSES))})
    found = scan(source)
    again = read("folder", found=trees.listed_otherwise(found, order))
    assert again.frame.equals(read("folder", found=found).frame)
    assert again.digests == read("folder", found=found).digests


def test_a_stray_file_beside_the_class_folders_makes_no_class(tmp_path):
    tree = prefixed("train/", CLASSES) | {"train/stray.jpg": b"x", "top.jpg": b"x"}
    assert _offered(lay(tmp_path, tree)) == {("train", *each) for each in EXPECTED}


def test_files_that_are_no_media_and_hidden_ones_are_passed_over(tmp_path):
    more = {"a b/notes.txt": b"x", "a b/._0.jpg": b"x", ".git/1.jpg": b"x", "c/.DS_Store": b"x"}
    assert _offered(lay(tmp_path, CLASSES | more)) == {("train", *each) for each in EXPECTED}


def test_a_folder_without_classes_is_refused(tmp_path):
    with pytest.raises(InputError, match="folders named by their classes"):
        _offered(lay(tmp_path, {"1.jpg": b"x", "2.jpg": b"x"}))


# -- names that cannot be


def test_a_folder_whose_name_cannot_be_a_class_is_named(tmp_path):
    source = lay(tmp_path, CLASSES | {"con/1.jpg": b"x", "a\tb/1.jpg": b"x"})
    with pytest.raises(BadRows, match=r"rename the folder.*1 more") as raised:
        _offered(source)
    assert sorted(Path(row.file).name for row in raised.value.rows) == ["a\tb", "con"]
    assert _offered(source, skip_bad_rows=True) == {("train", *each) for each in EXPECTED}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(b"new\nline.jpg", id="newline"),
        pytest.param(b"tab\there.jpg", id="tab"),
        pytest.param("no\u00a0break.jpg".encode(), id="odd space"),
        pytest.param(b"caf\xe9.jpg", id="not UTF-8"),
        pytest.param(b"/".join([b"d" * 120] * 3) + b".jpg", id="too long as one name"),
    ],
)
def test_a_file_whose_name_cannot_stand_in_a_list_is_named(tmp_path, name):
    source = lay(tmp_path, CLASSES)
    path = os.path.join(os.fsencode(source), b"c", name)  # noqa: PTH118 - bytes
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
    Path(os.fsdecode(path)).write_bytes(b"x")
    with pytest.raises(BadRows) as raised:
        _offered(source)
    (row,) = raised.value.rows
    assert str(row).isprintable()
    assert _offered(source, skip_bad_rows=True) == {("train", *each) for each in EXPECTED}


def test_two_files_that_would_get_one_name_are_refused(tmp_path):
    source = lay(tmp_path, {"c/x y.jpg": b"x", "c/x_y.jpg": b"x"})
    with pytest.raises(InputError, match="would both become 'x_y'"):
        _offered(source)


# -- lists

UCF = {
    f"UCF-101/{label}/v_{label}_g{g:02d}_c01.avi": b"x"
    for label in ("ApplyEyeMakeup", "Archery")
    for g in range(1, 7)
}
LISTS = {
    "classInd.txt": b"1 ApplyEyeMakeup\r\n2 Archery\r\n",
    "trainlist01.txt": b"".join(
        f"{label}/v_{label}_g{g:02d}_c01.avi {number}\r\n".encode()
        for number, label in ((1, "ApplyEyeMakeup"), (2, "Archery"))
        for g in range(3, 7)
    ),
    "testlist01.txt": b"".join(
        f"{label}/v_{label}_g{g:02d}_c01.avi\r\n".encode()
        for label in ("ApplyEyeMakeup", "Archery")
        for g in range(1, 3)
    ),
}


@pytest.mark.parametrize("flat", [False, True], ids=["in class folders", "flat"])
def test_the_lists_of_ucf101_are_read(tmp_path, flat):
    tree = {Path(n).name: d for n, d in UCF.items()} if flat else UCF
    source, lists = lay(tmp_path / "videos", tree), lay(tmp_path / "lists", LISTS)
    found = read(
        "folder",
        found=scan(source),
        listing=[lists / "trainlist01.txt", lists / "testlist01.txt"],
        class_names=lists / "classInd.txt",
    )
    assert Counter(zip(found.frame["split"], found.frame["label"], strict=True)) == {
        ("train", "ApplyEyeMakeup"): 4,
        ("train", "Archery"): 4,
        ("test", "ApplyEyeMakeup"): 2,
        ("test", "Archery"): 2,
    }
    for key, label, path in zip(*(found.frame[c] for c in ("key", "label", "path")), strict=True):
        assert path in tree
        assert Path(path).stem == Path(key).name
        assert label in key


@pytest.mark.parametrize(
    "line",
    [
        "c/1.MP4 drinking tea",
        "c/1.MP4\tdrinking tea",
        "c/1.MP4,drinking tea",
        'c/1.MP4,"drinking tea"',
        'c/1.MP4 "drinking tea"',
        "  c/1.MP4   drinking tea  ",
        "1.MP4 drinking tea",
        "\ufeffc/1.MP4 drinking tea",
    ],
)
def test_a_line_is_a_path_and_a_label(tmp_path, line):
    source = lay(tmp_path / "source", {"c/1.MP4": b"x", "c/2.mp4": b"x"})
    listing = lay(tmp_path, {"list.txt": f"{line}\n".encode()}) / "list.txt"
    found = read("folder", found=scan(source), listing=[listing])
    assert found.frame[["split", "label", "path"]].to_numpy().tolist() == [
        ["train", "drinking tea", "c/1.MP4"]
    ]


def test_a_path_with_blanks_and_a_label_of_its_own(tmp_path):
    source = lay(tmp_path / "source", CLASSES)
    listing = lay(tmp_path, {"val.txt": b"a b/0.jpg 3\na b/1.MP4 3\nc/0.jpg 4\n"}) / "val.txt"
    assert _offered(source, listing) == {
        ("val", "3", "a b/0"),
        ("val", "3", "a b/1"),
        ("val", "4", "c/0"),
    }


def test_a_file_that_a_list_names_and_that_is_not_there_stays_a_candidate(tmp_path):
    source = lay(tmp_path / "source", CLASSES)
    listing = lay(tmp_path, {"train.txt": b"c/0.jpg x\nc/9.jpg x\n"}) / "train.txt"
    assert _offered(source, listing) == {("train", "x", "c/0"), ("train", "x", "c/9")}


@pytest.mark.parametrize(
    "line",
    ["/etc/passwd.jpg x", "../../x.jpg x", "c/../../x.jpg x", "c/0.jpg a/b", "c/0.jpg ..", ", x"],
)
def test_a_line_that_leads_elsewhere_is_named(tmp_path, line):
    source = lay(tmp_path / "source", CLASSES)
    listing = lay(tmp_path, {"train.txt": f"c/0.jpg x\n{line}\n".encode()}) / "train.txt"
    with pytest.raises(BadRows) as raised:
        _offered(source, listing)
    assert [row.line for row in raised.value.rows] == [2]
    assert _offered(source, listing, skip_bad_rows=True) == {("train", "x", "c/0")}


@pytest.mark.real_annotations
def test_the_real_lists_of_ucf101_give_its_101_classes():
    train = real_annotations("ucf101/trainlist01.txt")
    names = ("trainlist01.txt", "testlist01.txt", "classInd.txt")
    _, test, classes = (train.parent / name for name in names)
    numbers = dict(line.split() for line in classes.read_text().splitlines())
    found = read("folder", found=Scan(train.parent, ()), listing=[train, test], class_names=classes)
    frame = found.frame
    assert Counter(frame["split"]) == {"train": 9_537, "test": 3_783}
    assert found.labels == tuple(sorted(numbers.values()))
    for label, key in zip(frame["label"], frame["key"], strict=True):
        assert key.split("/")[-1].startswith(f"v_{label}_") or label == "HandstandPushups"

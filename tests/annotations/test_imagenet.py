"""ImageNet in each of its layouts: one choice, right classes, and nothing believed blindly."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import trees
from helpers import real_annotations
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import (
    CLSLOC,
    KIT,
    META,
    NAMES,
    SOLUTION,
    TRUTH,
    WNIDS,
    by_class,
    lay,
    nested,
    packed,
    prefixed,
)

from nanokinetics import sample
from nanokinetics.annotations import read
from nanokinetics.errors import InputError
from nanokinetics.sources.scan import Scan, scan

TRAIN, VAL = trees.imagenet_train(), trees.imagenet_val()
SYNSETS = "imagenet_2012_validation_synset_labels.txt"
TRAIN_ARCHIVE, VAL_ARCHIVE = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"

LAYOUTS = {
    "folders, the development kit's labels": prefixed("train/", TRAIN)
    | prefixed("val/", VAL)
    | prefixed("ILSVRC2012_devkit_t12/data/", trees.truth()),
    "folders, all next to each other": prefixed("train/", TRAIN) | VAL | trees.truth(),
    "imagenet-mini": prefixed("imagenet-mini/train/", TRAIN)
    | prefixed("imagenet-mini/val/", by_class(VAL)),
    "Kaggle's": prefixed("ILSVRC/Data/CLS-LOC/train/", TRAIN)
    | prefixed("ILSVRC/Data/CLS-LOC/val/", VAL)
    | {"ILSVRC/Data/CLS-LOC/test/ILSVRC2012_test_00000001.JPEG": trees.picture(5000)}
    | trees.solution()
    | trees.class_names(),
    "the archives": {TRAIN_ARCHIVE: nested(TRAIN), VAL_ARCHIVE: packed(VAL)} | trees.truth(),
    "folders, the development kit of 2012": prefixed("train/", TRAIN)
    | prefixed("val/", VAL)
    | trees.devkit(),
    "the archives, the kit unpacked": {TRAIN_ARCHIVE: nested(TRAIN), VAL_ARCHIVE: packed(VAL)}
    | trees.devkit(),
    "the archives, the kit as a tar": {
        TRAIN_ARCHIVE: nested(TRAIN),
        VAL_ARCHIVE: packed(VAL),
        f"{KIT}.tar": packed(trees.devkit()),
    },
    "folders, the wnids of TensorFlow": prefixed("train/", TRAIN)
    | prefixed("val/", VAL)
    | {
        SYNSETS: "".join(f"{trees.validation_wnid(i)}\n" for i in range(1, 13)).encode(),
    },
    "the archives, Kaggle's labels": {
        f"archives/{TRAIN_ARCHIVE}": nested(TRAIN),
        f"archives/{VAL_ARCHIVE}": packed(VAL),
    }
    | trees.solution(),
    "an archive of the folders": {
        "imagenet.tar": packed(prefixed("train/", TRAIN) | prefixed("val/", by_class(VAL)))
    },
}


def _expected() -> set[tuple[str, str, str]]:
    train = {("train", name.split("/")[0], name.removesuffix(".JPEG")) for name in TRAIN}
    val = {("val", trees.validation_wnid(int(n[15:23])), n.removesuffix(".JPEG")) for n in VAL}
    return train | val


def _table(n: int, seed: str = "0") -> list[tuple[str, str, str, int]]:
    """What `selection.csv` says, computed anew from the contract."""
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for split, label, key in _expected():
        groups[split, label].append(key)
    return [
        (key, split, label, rank)
        for (split, label), keys in sorted(groups.items())
        for rank, key in enumerate(trees.first_ranked(keys, seed), 1)
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_choice_is_the_same_however_the_files_are_arranged(tmp_path, layout):
    source = lay(tmp_path / "source", LAYOUTS[layout])
    assert trees.offered(read("imagenet", found=scan(source))) == _expected()
    frame = sample("imagenet", src=source, n=2, seed="s").frame
    columns = (frame[name] for name in ("key", "split", "label", "rank"))
    assert list(zip(*columns, strict=True)) == _table(2, "s")


@pytest.mark.parametrize("folder", ["val", "test", "train", "my images"])
def test_where_a_source_lies_changes_nothing(tmp_path, folder):
    source = lay(tmp_path / folder, LAYOUTS["folders, all next to each other"])
    assert trees.offered(read("imagenet", found=scan(source))) == _expected()


@pytest.mark.parametrize("folder", ["val", "test", "archives"])
def test_where_the_train_archive_lies_changes_nothing(tmp_path, folder):
    lay(tmp_path / folder, {TRAIN_ARCHIVE: nested(TRAIN)})
    train = {each for each in _expected() if each[0] == "train"}
    for source in (tmp_path / folder / TRAIN_ARCHIVE, tmp_path / folder):
        assert trees.offered(read("imagenet", found=scan(source))) == train


def test_the_train_folder_alone_is_a_source_too(tmp_path):
    source = lay(tmp_path / "train", TRAIN)
    train = {each for each in _expected() if each[0] == "train"}
    assert trees.offered(read("imagenet", found=scan(source))) == train


@pytest.mark.parametrize("layout", ["folders, the development kit's labels", "the archives"])
@settings(max_examples=15, deadline=None)
@given(order=st.lists(st.integers(0, 200), max_size=60))
def test_the_order_of_the_listing_changes_nothing(tmp_path_factory, layout, order):
    source = tmp_path_factory.getbasetemp() / f"listed {layout}".replace("'", "")
    if not source.exists():
        lay(source, LAYOUTS[layout])
    found = scan(source)
    again = read("imagenet", found=trees.listed_otherwise(found, order)).frame
    assert again.equals(read("imagenet", found=found).frame)


# -- the labels of the validation images


def test_the_labels_may_lie_elsewhere_and_be_named(tmp_path):
    source = lay(tmp_path / "source", VAL)
    labels = lay(tmp_path / "labels", trees.truth() | trees.solution())
    val = {each for each in _expected() if each[0] == "val"}
    for names in ((TRUTH, CLSLOC), (SOLUTION,)):
        found = read("imagenet", [labels / name for name in names], found=scan(source))
        assert trees.offered(found) == val
        assert set(found.digests) == set(names)


@pytest.mark.parametrize("there", [(), (TRUTH,), (CLSLOC,)])
def test_validation_images_without_labels_are_refused_with_what_is_missing(tmp_path, there):
    files = {name: data for name, data in trees.truth().items() if name in there}
    source = lay(tmp_path, VAL | files)
    with pytest.raises(InputError, match=f"{SOLUTION}.*{TRUTH}.*{CLSLOC}.*--split train") as raised:
        read("imagenet", found=scan(source))
    says = (
        f"of the development kit only {there[0]} is there" if there else "labels are missing; put"
    )
    assert says in str(raised.value)


def test_the_packed_kit_is_read_where_the_user_names_it(tmp_path):
    source = lay(tmp_path / "source", VAL)
    kit = lay(tmp_path, {f"{KIT}.tar.gz": packed(trees.devkit(), "gz")}) / f"{KIT}.tar.gz"
    found = read("imagenet", [kit], found=scan(source))
    assert trees.offered(found) == {each for each in _expected() if each[0] == "val"}
    assert set(found.digests) == {TRUTH, META}
    kit.write_bytes(kit.read_bytes()[:300])
    with pytest.raises(InputError, match=f"{KIT}.tar.gz: is damaged"):
        read("imagenet", [kit], found=scan(source))


def _zipped(tree):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in tree.items():
            archive.writestr(name, data)
    return file.getvalue()


@pytest.mark.parametrize("labels", [trees.truth(), trees.devkit(), trees.solution()])
@pytest.mark.parametrize("pack", [_zipped, packed], ids=["zip", "tar"])
def test_an_archive_of_labels_that_the_user_names_is_read(tmp_path, labels, pack):
    source = lay(tmp_path / "source", VAL)
    archive = lay(tmp_path, {"labels": pack(labels)}) / "labels"
    found = read("imagenet", [archive], found=scan(source))
    assert trees.offered(found) == {each for each in _expected() if each[0] == "val"}


def test_another_file_that_the_user_names_is_refused(tmp_path):
    source = lay(tmp_path / "source", VAL)
    other = lay(tmp_path, {"labels": b"n01440764"}) / "labels"
    with pytest.raises(InputError, match=r"labels: is no archive; name one of LOC_val_solution"):
        read("imagenet", [other], found=scan(source))


def test_train_needs_no_labels_of_val(tmp_path):
    source = lay(tmp_path, prefixed("train/", TRAIN) | prefixed("val/", VAL))
    train = {each for each in _expected() if each[0] == "train"}
    for unlabelled in (["train"], ["train", "test"]):
        found = read("imagenet", found=scan(source), splits=unlabelled)
        assert trees.offered(found) == train
    for labelled in (None, ["val"], ["train", "val"]):
        with pytest.raises(InputError, match="labels are missing"):
            read("imagenet", found=scan(source), splits=labelled)
    for options in ({"n": 1, "split": "train"}, {"n": {"training": 1}}):
        assert len(sample("imagenet", src=source, **options).quotas) == len(WNIDS)


def test_labels_that_are_there_are_used_whatever_is_asked_for(tmp_path):
    source = lay(tmp_path, prefixed("train/", TRAIN) | prefixed("val/", VAL) | trees.truth())
    assert trees.offered(read("imagenet", found=scan(source), splits=["train"])) == _expected()


NETTE = {
    f"{split}/{wnid}/{name}.JPEG": trees.picture(70 + i)
    for i, (split, wnid, name) in enumerate(
        (split, wnid, name)
        for split in ("train", "val")
        for wnid in WNIDS[:2]
        for name in (f"{wnid}_{split}", f"ILSVRC2012_val_0000{len(split)}{wnid[-3:]}")
    )
}
"""Imagenette has images of ImageNet's validation set in both of its folders."""


@pytest.mark.parametrize("above", ["", "imagenette2/", "imagenette2-160/x/"])
@pytest.mark.parametrize("form", ["folder", "tar"])
def test_the_folders_of_imagenette_say_the_split_not_its_names(tmp_path, above, form):
    tree = prefixed(above, NETTE)
    source = lay(tmp_path, tree if form == "folder" else {"imagenette2.tar": packed(tree)})
    splits = [split for split, _, _ in trees.offered(read("imagenet", found=scan(source)))]
    assert Counter(splits) == {"train": 4, "val": 4}


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_source_that_is_one_split_of_imagenette_is_that_split(tmp_path, split):
    lay(tmp_path, NETTE)
    offered = trees.offered(read("imagenet", found=scan(tmp_path / split)))
    assert [each[0] for each in offered] == [split] * 4


def test_without_any_folder_of_a_split_the_name_says_it(tmp_path):
    tree = {name.split("/", 1)[1]: data for name, data in NETTE.items()}
    offered = trees.offered(read("imagenet", found=scan(lay(tmp_path / "images", tree))))
    assert all(split == ("val" if "ILSVRC" in key else "train") for split, _, key in offered)


@pytest.mark.parametrize("labels", [trees.truth(7), trees.solution(7)], ids=["devkit", "Kaggle"])
def test_labels_that_do_not_cover_every_image_are_refused(tmp_path, labels):
    source = lay(tmp_path, VAL | labels)
    with pytest.raises(InputError, match="ILSVRC2012_val_0000000"):
        read("imagenet", found=scan(source))


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        (TRUTH, b"\n450\n", b"\n1001\n", rf"{TRUTH}, line \d+: '1001'"),
        (TRUTH, b"\n450\n", b"\n0\n", rf"{TRUTH}, line \d+: '0'"),
        (TRUTH, b"\n450\n", b"\n-1\n", rf"{TRUTH}, line \d+: '-1'"),
        (TRUTH, b"\n450\n", "\n\u0664\u0665\u0660\n".encode(), rf"{TRUTH}, line \d+"),
        (CLSLOC, b"n01443537 450", b"goldfish 450", rf"{CLSLOC}, line 2"),
        (SYNSETS, b"n01443537", b"goldfish!", rf"{SYNSETS}, line \d+: 'goldfish!' is no wnid"),
        (SOLUTION, b"n01443537 85", b"../../../x 85", rf"{SOLUTION}, line \d+"),
    ],
)
def test_a_bad_line_of_the_labels_is_named(tmp_path, name, old, new, says):
    synsets = "".join(f"{trees.validation_wnid(i)}\n" for i in range(1, 13)).encode()
    labels = {SOLUTION: trees.solution(), SYNSETS: {SYNSETS: synsets}}.get(name, trees.truth())
    assert old in labels[name]
    labels[name] = labels[name].replace(old, new, 1)
    with pytest.raises(InputError, match=says):
        read("imagenet", found=scan(lay(tmp_path, VAL | labels)))


# -- names of classes


@pytest.mark.parametrize("between", [" ", "\t"])
def test_classes_have_names_but_the_wnid_is_the_key(tmp_path, between):
    names = lay(tmp_path, trees.class_names(between)) / NAMES
    source = lay(tmp_path / "source", TRAIN)
    found = read("imagenet", found=scan(source), class_names=names)
    assert found.labels == tuple(sorted(WNIDS))
    assert found.names == {wnid: name for wnid, (_, name) in trees.CLASSES.items()}


def test_a_name_that_two_classes_share_is_not_guessed_at(tmp_path):
    source = lay(tmp_path, TRAIN | trees.class_names())
    assert {g.label for g in sample("imagenet", src=source, n=1, classes="n02012849").quotas} == {
        "n02012849"
    }
    with pytest.raises(InputError, match="crane"):
        sample("imagenet", src=source, n=1, classes=("crane",))


# -- what is no image of ImageNet


def test_what_lies_in_no_wnid_folder_is_no_candidate(tmp_path):
    strangers = {
        "train/n0144076/x.JPEG": b"seven digits",
        "train/n014407640/x.JPEG": b"nine",
        "train/N01440764/x.JPEG": b"a capital",
        "train/n01440764/readme.txt": b"no image",
        "train/n01440764/._n01440764_3.JPEG": b"a twin",
        "train/cats/x.JPEG": b"not of ImageNet",
    }
    more = [
        trees.member("n01440764/../../../escaped.JPEG", b"x"),
        trees.member("/n01440764/absolute.JPEG", b"x"),
        trees.member("n01440764/link.JPEG", kind=tarfile.SYMTYPE, link="/etc/passwd"),
    ]
    source = lay(tmp_path, prefixed("train/", TRAIN) | strangers)
    (source / "hostile.tar").write_bytes(packed({}, more=more))
    offered = trees.offered(read("imagenet", found=scan(source)))
    assert offered == {each for each in _expected() if each[0] == "train"}


def test_a_source_without_any_image_says_what_it_should_hold(tmp_path):
    source = lay(tmp_path, {"cats/x.JPEG": trees.picture(1)})
    with pytest.raises(InputError, match=r"wnid \(n01440764\)"):
        read("imagenet", found=scan(source))


# -- the real labels


def _by_number(path: Path) -> dict[int, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {int(line.split()[1]): line.split()[0] for line in lines}


@pytest.mark.real_annotations
def test_the_real_ground_truth_gives_fifty_images_to_each_of_a_thousand_classes():
    truth, table = real_annotations(f"imagenet/{TRUTH}"), real_annotations(f"imagenet/{CLSLOC}")
    names = real_annotations(f"imagenet/{NAMES}")
    wnids = _by_number(table)
    numbers = [int(line) for line in truth.read_text().split()]
    expected = {
        ("val", wnids[number], f"ILSVRC2012_val_{i:08d}") for i, number in enumerate(numbers, 1)
    }
    images = tuple(f"val/ILSVRC2012_val_{i:08d}.JPEG" for i in range(1, 50_001))
    found = read("imagenet", found=Scan(truth.parent, (TRUTH, CLSLOC, NAMES, *images)))
    assert trees.offered(found) == expected
    counts = Counter(found.frame["label"])
    assert len(counts) == 1000
    assert set(counts.values()) == {50}
    assert sorted(counts) == [line.split()[0] for line in names.read_text().splitlines()]
    in_order = dict(enumerate(sorted(counts), 1))
    assert in_order != wnids, "ILSVRC ids are not places among the sorted wnids"
    assert set(found.names) == set(counts)

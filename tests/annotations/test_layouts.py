"""The layouts in which people have their files: read, or named by what is to be done."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import trees
from trees import lay, packed, prefixed, zipped

from nanokinetics import sample
from nanokinetics.annotations import read
from nanokinetics.annotations.candidates import Annotations
from nanokinetics.errors import BadRows, InputError
from nanokinetics.sources.scan import scan

CLASSES = {"cat/1.jpg": b"x", "cat/2.jpg": b"x", "dog/1.jpg": b"x"}
EXPECTED = {("cat", "cat/1"), ("cat", "cat/2"), ("dog", "dog/1")}


def _read(source: Path, dataset: str = "folder", **more: Any) -> Annotations:
    return read(dataset, found=scan(source, listed=True), **more)


def _in(*splits: str) -> set[tuple[str, str, str]]:
    return {(split, *each) for split in splits for each in EXPECTED}


def _said(folder: Path, dataset: str = "folder", **more: Any) -> list[str]:
    """What a user is told of the source."""
    lines: list[str] = []

    class Reporter:
        def update(self, progress: object) -> None: ...
        def say(self, line: str) -> None:
            lines.append(line)

        def close(self) -> None: ...

    sample(dataset, src=folder, n=9, reporter=Reporter(), **more)
    return [line.removeprefix("warning: ") for line in lines]


# -- splits


@pytest.mark.parametrize(
    ("word", "split"),
    [
        *(("train", "train"), ("Training", "train"), ("TRN", "train"), ("val", "val")),
        *(("valid", "val"), ("Validation", "val"), ("dev", "val"), ("test", "test")),
        *(("testing", "test"), ("tst", "test"), ("eval", "test"), ("Evaluation", "test")),
    ],
)
def test_the_usual_words_for_splits(tmp_path, word, split):
    tree = prefixed("train/", CLASSES) | prefixed(f"{word}/", CLASSES)
    assert trees.offered(_read(lay(tmp_path, tree))) == _in("train", split)


@pytest.mark.parametrize(
    ("train", "val"),
    [
        *(("videos_train", "videos_val"), ("train_images", "val_images")),
        *(("train.X1", "val.X"), ("training_set", "validation_set"), ("k400_train", "k400_val")),
        *(("train_256", "val_256"), ("seg_train", "seg_dev")),
    ],
)
def test_folders_that_differ_in_the_word_for_a_split_alone(tmp_path, train, val):
    tree = prefixed(f"{train}/", CLASSES) | prefixed(f"{val}/", CLASSES)
    assert trees.offered(_read(lay(tmp_path, tree))) == _in("train", "val")


def test_classes_with_the_word_for_a_split_in_their_name_are_classes(tmp_path):
    names = ("train station", "test tube", "dev kit")
    source = lay(tmp_path, {f"{name}/{d}/1.jpg": b"x" for name in names for d in "ab"})
    assert {label for _, label, _ in trees.offered(_read(source))} == set(names)


def test_splits_within_the_classes(tmp_path):
    tree = {
        f"{c}/{s}/{i}.jpg": b"x" for c in ("cat", "dog") for s in ("train", "val") for i in "12"
    }
    assert trees.offered(_read(lay(tmp_path, tree))) == {
        (s, c, f"{c}/{i}") for c in ("cat", "dog") for s in ("train", "val") for i in "12"
    }


def test_what_lies_beside_the_splits_is_no_class_and_is_named(tmp_path):
    tree = prefixed("train/", CLASSES) | {"misc/x/1.jpg": b"x", "test/7.jpg": b"x"}
    source = lay(tmp_path, tree)
    assert trees.offered(_read(source)) == _in("train")
    assert _said(source) == [
        "1 file in 'misc/x' is no clip of these annotations, for instance 'misc/x/1.jpg'",
        "1 file in 'test' is no clip of these annotations, for instance 'test/7.jpg'",
    ]


# -- one level off


@pytest.mark.parametrize(
    ("tree", "named"),
    [
        (prefixed("imagenette2/train/", CLASSES) | prefixed("imagenette2/val/", CLASSES),
         "imagenette2"),
        (prefixed("images/", CLASSES), "images"),
        (prefixed("food-101/images/", CLASSES), "food-101/images"),
        (prefixed("UCF-101/", CLASSES), "UCF-101"),
        (prefixed("data/", {"cat/1.jpg": b"x"}), "data"),
        (prefixed("train/images/", CLASSES) | prefixed("val/images/", CLASSES), "train/images"),
        (prefixed("seg_train/seg_train/", CLASSES) | prefixed("seg_test/seg_test/", CLASSES),
         "seg_train/seg_train"),
    ],
)  # fmt: skip
def test_a_folder_one_level_too_high_is_told_with_the_right_one(tmp_path, tree, named):
    source = lay(tmp_path / "source", tree)
    with pytest.raises(InputError) as raised:
        _read(source)
    assert f"name --src {source / named}" in str(raised.value)
    assert "\n" not in str(raised.value)
    label = named.split("/")[0]
    if "train" not in named and label != "imagenette2":  # and the user may know better
        assert {each[1] for each in trees.offered(_read(source, classes=[label]))} == {label}


@pytest.mark.parametrize("names", [("fold1", "fold2", "fold3"), ("set_a", "set_b")])
def test_folds_are_no_classes(tmp_path, names):
    tree = {f"{name}/{path}": b"x" for name in names for path in CLASSES}
    with pytest.raises(InputError, match=r"hold the same folders.*--classes"):
        _read(lay(tmp_path, tree))


def test_classes_with_the_same_inner_order_are_classes(tmp_path):
    tree = {f"{c}/{d}/1.jpg": b"x" for c in ("cat", "dog") for d in ("rgb", "depth")}
    assert {label for _, label, _ in trees.offered(_read(lay(tmp_path, tree)))} == {"cat", "dog"}


def test_a_folder_one_level_too_low_is_told(tmp_path):
    source = lay(tmp_path / "source", CLASSES)
    with pytest.raises(InputError, match=f"name the folder above it: --src {source}"):
        _read(source / "cat")


def test_splits_without_classes_are_told(tmp_path):
    source = lay(tmp_path, {"train/1.jpg": b"x", "test/2.jpg": b"x"})
    with pytest.raises(InputError, match=r"'test', 'train' hold files.*--list"):
        _read(source)


# -- litter, links and rights


LITTER = {
    "@eaDir/cat1.jpg/SYNOPHOTO_THUMB_XL.jpg": b"x", "cat/@eaDir/x.jpg": b"x",
    "$RECYCLE.BIN/S-1/R1.jpg": b"x", "#recycle/a/1.jpg": b"x", "__MACOSX/cat/1.jpg": b"x",
    "lost+found/a/1.jpg": b"x", ".Trash-1000/files/1.jpg": b"x", "@Recycle/b/1.jpg": b"x",
    "System Volume Information/x/1.jpg": b"x", ".snapshot/cat/1.jpg": b"x",
    "cat/.AppleDouble/1.jpg": b"x", "cat/._1.jpg": b"x", "cat/Thumbs.db": b"x",
    "cat/.DS_Store": b"x", "dog/desktop.ini": b"x", "Network Trash Folder/z/1.jpg": b"x",
    "cat/.ipynb_checkpoints/1-checkpoint.jpg": b"x", "~snapshot/hourly.0/1.jpg": b"x",
}  # fmt: skip


@pytest.mark.parametrize("packing", ["folder", "tar", "tgz", "zip"])
def test_litter_is_left_out_without_a_word(tmp_path, packing):
    tree = CLASSES | LITTER
    source = {
        "folder": lambda: lay(tmp_path / "source", tree),
        "tar": lambda: lay(tmp_path / "source", {"all.tar": packed(tree)}),
        "tgz": lambda: lay(tmp_path / "source", {"all.tgz": packed(tree, "gz")}),
        "zip": lambda: lay(tmp_path / "source", {"all.zip": _zip(tree)}),
    }[packing]()
    assert trees.offered(_read(source)) == _in("train")
    assert _said(source) == []


def _zip(tree: trees.Tree) -> bytes:
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in tree.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_classes_that_are_links_are_read(tmp_path):
    full = lay(tmp_path / "full", CLASSES)
    source = lay(tmp_path / "source", {})
    source.mkdir()
    for name in ("cat", "dog"):
        (source / name).symlink_to(full / name)
    assert trees.offered(_read(source)) == _in("train")
    assert _said(source) == []


def test_dead_links_and_loops_are_one_line_each(tmp_path):
    source = lay(tmp_path, CLASSES)
    (source / "cat" / "self.jpg").symlink_to("self.jpg")
    (source / "cat" / "dead.jpg").symlink_to("/nowhere/at all")
    (source / "bird").symlink_to("/nowhere/else")
    (source / "dog" / "loop").symlink_to("..")
    assert trees.offered(_read(source)) == _in("train")
    assert _said(source) == [
        "3 links to nothing passed over: 'bird'",
        "1 folder behind links passed over, as they are read already or hold the link itself: "
        "'dog/loop'",
    ]


def _denied(folder: Path) -> Path:
    folder.mkdir()
    folder.chmod(0)
    if os.access(folder, os.R_OK):
        pytest.skip("this user may read everything")
    return folder


def test_a_denied_folder_is_fatal_only_if_it_may_be_needed(tmp_path):
    source = lay(tmp_path, CLASSES)
    denied = _denied(source / "bird")
    try:
        with pytest.raises(InputError, match=r"bird: cannot be read: Permission denied.*--classes"):
            _read(source)
        found = _read(source, classes=["cat", "dog"])
        assert trees.offered(found) == _in("train")
        (note,) = _said(source, classes=["cat", "dog"])
        assert note == "1 folder cannot be read: 'bird': Permission denied"
    finally:
        denied.chmod(0o700)


@pytest.mark.parametrize("name", ["new\nline", "tab\there", "\x1b[31mred"])
def test_a_name_that_no_line_can_hold_is_one_line(tmp_path, name):
    source = lay(tmp_path, CLASSES | {f"{name}/1.jpg": b"x", f"cat/{name}.jpg": b"x"})
    with pytest.raises(BadRows):
        _read(source)
    (source / "cat" / "self.jpg").symlink_to("self.jpg")
    for line in _said(source, skip_bad_rows=True):
        if not line.startswith("left out"):  # whose path `plain` makes harmless
            assert line.isprintable(), line


# -- thumbnails, and two files with one key


@pytest.mark.parametrize(
    "thumbnail",
    [
        *("cat/1.jpg", "cat/1.webp", "cat/1.PNG", "cat/1.mp4.jpg", "cat/1-thumb.jpg"),
        *("cat/1_poster.jpg", "cat/thumbs/1.jpg", "cat/thumbnails/1.jpg"),
    ],
)
def test_a_video_comes_before_its_thumbnail(tmp_path, thumbnail):
    videos = {"cat/1.mp4": b"x", "cat/2.mp4": b"x"}
    source = lay(tmp_path, videos | {thumbnail: b"x", "dog/1.jpg": b"x", "dog/2-thumb.jpg": b"x"})
    frame = _read(source).frame
    assert set(frame["path"]) == {*videos, "dog/1.jpg", "dog/2-thumb.jpg"}
    assert _said(source) == [
        f"1 image left out as thumbnails of the videos beside, for instance '{thumbnail}'"
    ]


@pytest.mark.parametrize("order", [("png", "jpg"), ("jpg", "png")])
def test_two_files_with_one_key_are_counted_and_named(tmp_path, order):
    for kind in order:
        lay(tmp_path, {f"cat/{i}.{kind}": b"x" for i in (1, 2)})
    found = _read(tmp_path)
    assert sorted(found.frame["path"]) == ["cat/1.jpg", "cat/2.jpg"]
    assert _said(tmp_path) == [
        "2 files have the key of another one and are left out, for instance 'cat/1.png' beside "
        "'cat/1.jpg'; rename them to have both"
    ]


def test_an_archive_and_what_was_unpacked_from_it_are_one(tmp_path):
    source = lay(tmp_path, CLASSES | {"all.zip": _zip(CLASSES)})
    found = _read(source)
    assert trees.offered(found) == _in("train")
    assert set(found.frame["name"]) == {""}, "the plain files are taken"
    (line,) = _said(source)
    assert line.startswith("3 files have the key of another one")


@pytest.mark.parametrize("dataset", ["kinetics", "ssv2"])
def test_two_videos_of_one_clip_are_named(tmp_path, dataset):
    rows = trees.kinetics_rows(("a", "b"), 2)
    if dataset == "kinetics":
        key, more = rows[0].key, {"k.csv": _kinetics(rows)}
    else:
        key, more = trees.ssv2_ids("train", 1)[0][0], trees.ssv2_annotations()
    source = lay(tmp_path, {f"x/{key}.mp4": b"x", f"y/{key}.webm": b"x", **more})
    options: dict[str, Any] = {"source": "local", "annotations": [source / "k.csv"]}
    said = _said(source, dataset, **(options if dataset == "kinetics" else {}))
    assert any(
        line.startswith(f"1 file has the key of another one and is left out, for instance 'y/{key}")
        for line in said
    ), said


def _kinetics(rows: Iterable[Any]) -> bytes:
    header = ("label", "youtube_id", "time_start", "time_end", "split")
    lines = [(r.label, r.youtube_id, r.start, r.end, r.split) for r in rows]
    return trees.csv_of([header, *lines])


# -- archives


@pytest.mark.parametrize("dataset", ["folder", "imagenet"])
@pytest.mark.parametrize("packing", ["tgz", "tar.gz", "tar.bz2", "tar.xz", "tar", "zip"])
def test_every_dataset_is_read_from_every_archive(tmp_path, dataset, packing):
    tree = {
        f"{s}/{w}/{w}_{s}{i}.JPEG": b"x"
        for s in ("train", "val")
        for w in ("n01440764", "n01443537")
        for i in range(2)
    }
    whole = trees.offered(_read(lay(tmp_path / "plain", tree), dataset))
    kind = {"tgz": "gz", "tar": "", "zip": "zip"}.get(packing, packing.removeprefix("tar."))
    data = _zip(tree) if kind == "zip" else packed(tree, kind)
    source = lay(tmp_path / "packed", {f"all.{packing}": data})
    assert trees.offered(_read(source, dataset)) == whole
    assert trees.offered(_read(source / f"all.{packing}", dataset)) == whole
    val = {name.removeprefix("val/"): d for name, d in tree.items() if name.startswith("val/")}
    train = {name: d for name, d in tree.items() if name.startswith("train/")}
    data = _zip(val) if kind == "zip" else packed(val, kind)
    mixed = lay(tmp_path / "mixed", train | {f"val.{packing}": data})
    assert trees.offered(_read(mixed, dataset)) == whole, "the archive says its split"


@pytest.mark.parametrize("packing", ["gz", "", "zip"])
def test_the_folder_that_an_archive_is_packed_in_is_left_out(tmp_path, packing):
    for name, tree in {
        "splits": prefixed("pets-v1/train/", CLASSES) | prefixed("pets-v1/val/", CLASSES),
        "classes": prefixed("pets-v1/", CLASSES),
        "images": prefixed("pets/images/", CLASSES),
    }.items():
        data = _zip(tree) if packing == "zip" else packed(tree, packing)
        file = "pets.zip" if packing == "zip" else "pets.tar"
        source = lay(tmp_path / name, {file: data}) / file
        splits = ("train", "val") if name == "splits" else ("train",)
        assert trees.offered(_read(source)) == _in(*splits)


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        *(("UCF101.rar", "unrar x"), ("a.7z", "7z x"), ("a.tar.zst", "tar --zstd -xf")),
        *(("a.part1.rar", "unrar x"), ("a.z01", "zip -s 0"), ("a.zip.001", "cat ")),
        *(("a.tar.lz4", "lz4 -d"), ("train-00000-of-00001.parquet", "datasets")),
        *(("a.7z.001", "7z x"), ("a.tar.Z", "tar -xzf"), ("a.lmdb", "LMDB")),
    ],
)
def test_other_archives_are_named_with_what_unpacks_them(tmp_path, name, tool):
    source = lay(tmp_path, CLASSES | {name: b"what it holds"})
    (line,) = _said(source)
    assert name in line
    assert tool in line
    with pytest.raises(InputError, match="unpack it"):
        scan(source / name)


def test_a_tar_from_before_posix_is_read(tmp_path):
    import io
    import tarfile

    out = io.BytesIO()
    for name, data in CLASSES.items():
        info = tarfile.TarInfo(name)
        info.size = len(data)
        header = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
        header[257:500] = bytes(243)
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        out.write(header + data.ljust(512, b"\0"))
    (tmp_path / "v7.tar").write_bytes(out.getvalue() + bytes(1024))
    assert trees.offered(_read(tmp_path / "v7.tar")) == _in("train")


@pytest.mark.parametrize(
    "address", ["https://example.org/pets.tgz", "s3://bucket/pets", "hf://datasets/x/y"]
)
def test_an_address_is_no_source_and_is_told_so(tmp_path, address):
    with pytest.raises(InputError, match=r"not an address.*download it first"):
        scan(Path(address))


# -- ImageNet


def test_the_archives_of_hugging_face(tmp_path):
    train = {f"{w}_{i}_{w}.JPEG": b"x" for w in ("n01440764", "n01443537") for i in (1, 2)}
    val = {"ILSVRC2012_val_00000293_n01440764.JPEG": b"x"}
    files = {"train_images_0.tar.gz": packed(dict(list(train.items())[:2]), "gz")}
    files |= {"train_images_1.tar.gz": packed(dict(list(train.items())[2:]), "gz")}
    files |= {"val_images.tar.gz": packed(val, "gz")}
    assert trees.offered(_read(lay(tmp_path, files), "imagenet")) == {
        *(("train", w, f"{w}/{w}_{i}") for w in ("n01440764", "n01443537") for i in (1, 2)),
        ("val", "n01440764", "ILSVRC2012_val_00000293"),
    }


def test_images_in_a_folder_below_the_wnid(tmp_path):
    tree = {"train/n01440764/images/n01440764_0.JPEG": b"x", "val/images/val_0.JPEG": b"x"}
    source = lay(tmp_path, tree)
    assert trees.offered(_read(source, "imagenet")) == {
        ("train", "n01440764", "n01440764/n01440764_0")
    }
    (line,) = _said(source, "imagenet")
    assert line.startswith("1 file in 'val/images' is no clip")


def test_zipped_annotations_and_notes_are_not_taken_for_clips(tmp_path):
    more = {"README.md": b"x", "meta/classes.txt": b"x", "labels.zip": zipped("labels.json", b"{}")}
    assert _said(lay(tmp_path, CLASSES | more)) == []

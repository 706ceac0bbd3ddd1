"""Archives given as annotation files: their tables are read as if they lay unpacked."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trees import lay

from nanokinetics.annotations import read
from nanokinetics.annotations.candidates import Annotations
from nanokinetics.annotations.files import load, load_all
from nanokinetics.annotations.members import choose
from nanokinetics.errors import BadRows, InputError
from nanokinetics.sources.scan import scan

HEADER = "label,youtube_id,time_start,time_end,split"
TRAIN = f"{HEADER}\nyoga,AAAAAAAAAAA,0,10,train\nyoga,BBBBBBBBBBB,5,15,train\n"
VAL = f"{HEADER}\nyoga,CCCCCCCCCCC,0,10,validate\n"
UNLABELLED = "youtube_id,time_start,time_end,split\nDDDDDDDDDDD,0,10,test\n"
JSON = '{"ZZZZZZZZZZZ": {"annotations": {"label": "twin", "segment": [0, 10]}, "subset": "train"}}'

Tree = Mapping[str, str | bytes]
DEEPMIND: Tree = {
    "k700/train.csv": TRAIN,
    "k700/train.json": JSON,
    "k700/validate.csv": VAL,
    "k700/validate.json": JSON,
    "k700/README.txt": "Kinetics",
    "k700/._train.csv": b"\0\5\x16\7",
    "__MACOSX/k700/._train.csv": b"\0\5\x16\7",
    "../escaped/train.csv": TRAIN.replace("yoga", "escaped"),
    "/rooted/train.csv": TRAIN.replace("yoga", "rooted"),
}


def tar(tree: Tree) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        folder = tarfile.TarInfo("k700")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        link = tarfile.TarInfo("k700/linked.csv")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for name, content in tree.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def zipped(tree: Tree) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("k700/", "")
        link = zipfile.ZipInfo("k700/linked.csv")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        for name, content in tree.items():
            archive.writestr(name, content)
    return file.getvalue()


PACKINGS: dict[str, Callable[[Tree], bytes]] = {
    "tar": tar,
    "tar.gz": lambda tree: gzip.compress(tar(tree)),
    "tar.bz2": lambda tree: bz2.compress(tar(tree)),
    "tar.xz": lambda tree: lzma.compress(tar(tree)),
    "zip": zipped,
}
IN_EVERY_PACKING = pytest.mark.parametrize("pack", PACKINGS.values(), ids=PACKINGS)


def kinetics(folder: Path, data: bytes, name: str = "any.thing", **options: Any) -> Annotations:
    """The candidates of an archive. Its name says nothing."""
    file = folder / name
    file.write_bytes(data)
    return read("kinetics", [file], **options)


def ids(found: Annotations) -> dict[str, str]:
    return dict(zip(found.frame["youtube_id"], found.frame["split"], strict=True))


@IN_EVERY_PACKING
def test_the_tables_of_an_archive_are_read_and_nothing_else_in_it(tmp_path, pack) -> None:
    found = kinetics(tmp_path, pack(DEEPMIND))
    assert ids(found) == {"AAAAAAAAAAA": "train", "BBBBBBBBBBB": "train", "CCCCCCCCCCC": "val"}
    assert found.labels == ("yoga",)
    assert found.notes == ()


@IN_EVERY_PACKING
def test_the_digest_is_that_of_the_archive_whatever_is_read_of_it(tmp_path, pack) -> None:
    data = pack(DEEPMIND)
    expected = {"any.thing": hashlib.sha256(data).hexdigest()}
    assert kinetics(tmp_path, data).digests == expected
    assert kinetics(tmp_path, data, splits=["val"]).digests == expected
    named = load_all(tmp_path / "any.thing", ["validate.csv"])
    assert [(each.member, each.digest[2]) for each in named] == [
        ("k700/validate.csv", expected["any.thing"])
    ]


@pytest.mark.parametrize(
    ("pack", "suffix"), [(gzip.compress, "gz"), (bz2.compress, "bz2"), (lzma.compress, "xz")]
)
def test_one_packed_table_is_read(tmp_path, pack, suffix) -> None:
    assert len(kinetics(tmp_path, pack(TRAIN.encode()), f"train.csv.{suffix}").frame) == 2


@IN_EVERY_PACKING
def test_a_member_may_be_packed_itself(tmp_path, pack) -> None:
    found = kinetics(tmp_path, pack({"train.csv.gz": gzip.compress(TRAIN.encode())}))
    assert set(ids(found)) == {"AAAAAAAAAAA", "BBBBBBBBBBB"}


@pytest.mark.parametrize(
    "tree",
    [
        {"train.csv": "yoga,AAAAAAAAAAA,0,10\n", "k/val.csv": "yoga,BBBBBBBBBBB,0,10\n"},
        {"train/clips.csv": "yoga,AAAAAAAAAAA,0,10\n", "val/clips.csv": "yoga,BBBBBBBBBBB,0,10\n"},
    ],
)
def test_the_name_of_a_member_or_its_folder_says_the_split(tmp_path, tree) -> None:
    found = kinetics(tmp_path, zipped(tree))
    assert ids(found) == {"AAAAAAAAAAA": "train", "BBBBBBBBBBB": "val"}


def test_the_name_of_the_archive_says_the_split_of_its_only_table(tmp_path) -> None:
    data = zipped({"clips.csv": "yoga,AAAAAAAAAAA,0,10\n"})
    assert ids(kinetics(tmp_path, data, "k400_val.zip")) == {"AAAAAAAAAAA": "val"}
    with pytest.raises(InputError, match=r"any\.thing:clips\.csv: has no column `split`"):
        kinetics(tmp_path, data)


def test_other_splits_than_those_asked_for_are_not_read(tmp_path) -> None:
    tree = {"train.csv": "spoilt\n", "val.csv": VAL}
    assert set(ids(kinetics(tmp_path, zipped(tree), splits=["val"]))) == {"CCCCCCCCCCC"}
    with pytest.raises(InputError, match=r"holds no table of the split test; it holds train\.csv"):
        kinetics(tmp_path, zipped(tree), splits=["test"])


def test_a_bad_row_is_named_by_archive_member_and_line(tmp_path) -> None:
    data = tar({"k/train.csv": TRAIN + "yoga,short,0,10,train\n"})
    with pytest.raises(BadRows, match=r"any\.thing:k/train\.csv, line 4: youtube_id 'short'"):
        kinetics(tmp_path, data)
    assert len(kinetics(tmp_path, data, skip_bad_rows=True).frame) == 2


def test_what_has_no_labelled_clips_is_left_out_and_named(tmp_path) -> None:
    tree = {
        "train.csv": TRAIN,
        "test.csv": UNLABELLED,
        "test.json": "{}",
        "classes.csv": "id,name\n0,yoga\n",
        "label_map.txt": "yoga\n",
        "categories.json": '["yoga"]',
    }
    found = kinetics(tmp_path, zipped(tree))
    assert set(ids(found)) == {"AAAAAAAAAAA", "BBBBBBBBBBB"}
    assert found.notes == (
        f"{tmp_path / 'any.thing'}: left out test.csv (it has no labels), classes.csv (it names "
        "no clips), label_map.txt (it names no clips), categories.json (it names no clips)",
    )
    with pytest.raises(InputError, match=r"test\.csv: has no column `label`"):
        kinetics(tmp_path, zipped(tree), splits=["test"])


def test_a_delta_adds_to_the_table_it_stands_beside(tmp_path) -> None:
    more = f"{HEADER}\nyoga,BBBBBBBBBBB,5,15,train\nyoga,EEEEEEEEEEE,0,10,train\n"
    found = kinetics(tmp_path, zipped({"k/train.csv": TRAIN, "k_delta/train.csv": more}))
    assert found.frame["youtube_id"].tolist() == [f"{letter}" * 11 for letter in "ABBE"]


def test_two_versions_in_one_archive_are_not_mixed(tmp_path) -> None:
    tree = {"k400/train.csv": TRAIN, "k600/train.csv": TRAIN}
    with pytest.raises(InputError, match=r"holds k400/train.csv and k600/train.csv, which may be"):
        kinetics(tmp_path, zipped(tree))
    assert [each.member for each in load_all(tmp_path / "any.thing", ["k600/*.csv"])] == [
        "k600/train.csv"
    ]


def test_the_three_folds_of_one_archive_are_not_mixed() -> None:
    folds = [f"ucfTrainTestlist/{split}list0{i}.txt" for i in "123" for split in ("train", "test")]
    with pytest.raises(InputError, match=r"trainlist01\.txt and ucf.*trainlist02\.txt, which may"):
        choose(Path("ucf.zip"), ["ucfTrainTestlist/classInd.txt", *folds])


@pytest.mark.parametrize(
    ("names", "patterns", "expected"),
    [
        (["a/train.csv", "a/train.json"], [], ["a/train.csv"]),
        (["a/train.json", "b/train.csv.gz"], ["*.json"], ["a/train.json"]),
        (["train.tsv", "train.txt", "train.json"], [], ["train.tsv"]),
        (["train.csv.gz", "train.csv"], [], ["train.csv"]),
        (["train.csv", "LICENSE.txt", "k/readme.csv", "cat.mp4"], [], ["train.csv"]),
        (["a/train.csv", "val.csv"], ["train.csv"], ["a/train.csv"]),
        (["k/train.dat"], ["train.dat"], ["k/train.dat"]),
    ],
)
def test_names_decide_which_tables_are_read(names, patterns, expected) -> None:
    assert choose(Path("a.zip"), names, patterns) == expected


# -- what cannot be read

WORKBOOKS = {
    "Excel workbook .*xlsx": {"[Content_Types].xml": "", "xl/workbook.xml": "", "a.csv": TRAIN},
    "OpenDocument spreadsheet .*ods": {"mimetype": "application/x", "content.xml": "<a/>"},
    "Numbers spreadsheet": {"Index/Document.iwa": "x", "preview.jpg": "x"},
}
UNUSABLE = {
    **{
        what: (zipped(tree), f"is an? {what}.*save it as CSV UTF-8")
        for what, tree in WORKBOOKS.items()
    },
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), r"Excel workbook \(\.xls\); save it"),
    "empty zip": (zipped({}), "holds no table"),
    "empty tar": (tar({}), "holds no table"),
    "tar of videos": (tar({"a.mp4": "x"}), "holds no table .* unpack it and name the tables"),
    "zip of nothing": (b"PK\5\6" + bytes(18), "holds no table"),
    "cut tar": (tar({"train.csv": TRAIN * 50})[:3000], "is damaged archive .*; download it again"),
    "cut tar, between members": (tar(DEEPMIND)[:2048], "is damaged archive .it ends too early"),
    "cut tar.gz": (gzip.compress(tar(DEEPMIND))[:-9], "is damaged archive"),
    "cut zip": (zipped(DEEPMIND)[:-30], "is damaged zip"),
    "cut bzip2": (bz2.compress(TRAIN.encode())[:-5], "is damaged bzip2"),
    "cut xz": (lzma.compress(TRAIN.encode())[:-5], "is damaged xz"),
    "spoilt xz": (b"\xfd7zXZ" + bytes(50), "is damaged xz"),
    "empty member": (zipped({"train.csv": ""}), r"odd\.zip:train\.csv: is empty"),
    "archive in an archive": (
        zipped({"train.csv": tar({"a.csv": TRAIN})}),
        "train.csv: is an archive in an archive",
    ),
}


def spoilt(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]


UNUSABLE["spoilt header of a tar"] = (
    spoilt(tar({"a/train.csv": TRAIN, "b/val.csv": VAL}), 1024 + 1024, 0xFF),
    "is damaged archive .bad checksum",
)
UNUSABLE["spoilt member of a zip"] = (
    spoilt(zipped({"train.csv": TRAIN}), zipped({"train.csv": TRAIN}).index(b"train.csv") + 12, 7),
    "is damaged zip",
)


@pytest.mark.parametrize(("data", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_archive_that_cannot_be_used_is_refused_in_one_line(tmp_path, data, why) -> None:
    with pytest.raises(InputError, match=why) as error:
        kinetics(tmp_path, data, "odd.zip")
    assert str(error.value).isprintable()
    assert "odd.zip" in str(error.value)


def test_an_encrypted_member_is_named(tmp_path) -> None:
    data = bytearray(zipped({"train.csv": TRAIN}))
    for magic, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = data.rindex(magic) + at
        data[place : place + 2] = struct.pack("<H", 1)
    with pytest.raises(InputError, match=r"any\.thing:train\.csv: is encrypted; unpack it"):
        kinetics(tmp_path, bytes(data))


def test_packed_members_are_bounded_together(tmp_path, monkeypatch) -> None:
    rows = gzip.compress(TRAIN.encode() * 200)
    monkeypatch.setattr("nanokinetics.annotations.streams.LARGEST", 30_000)
    with pytest.raises(InputError, match=r"any\.thing: unpacks to more than 30\.0 kB"):
        kinetics(tmp_path, tar({f"{name}.csv.gz": rows for name in ("train", "val", "test")}))


@pytest.mark.parametrize("pack", [zipped, PACKINGS["tar.gz"]], ids=["zip", "tar.gz"])
def test_an_archive_that_unpacks_to_too_much_is_refused_before_memory_is(
    tmp_path, monkeypatch, pack
) -> None:
    data = pack({f"{name}.csv": b" " * 30_000_000 for name in ("train", "val")})
    monkeypatch.setattr("nanokinetics.annotations.streams.LARGEST", 40_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"any\.thing: unpacks to more than 40\.0 MB"):
            kinetics(tmp_path, data)
        assert tracemalloc.get_traced_memory()[1] < 150_000_000
    finally:
        tracemalloc.stop()


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(sorted(PACKINGS)), st.integers(0, 10**6), st.integers(1, 255), st.booleans())
def test_damage_gives_one_line_or_the_right_rows(tmp_path, packing, at, change, cut) -> None:
    whole = PACKINGS[packing]({"k/train.csv": TRAIN, "k/val.csv": VAL})
    at %= len(whole)
    data = whole[:at] if cut else spoilt(whole, at, whole[at] ^ change)
    try:
        found = kinetics(tmp_path, data, "k_train.csv")
    except InputError as error:
        said = str(error)
    else:
        said = "" if len(found.frame) == 3 or not cut else "rows are lost"
    assert said.isprintable()
    assert said != "rows are lost"


# -- other datasets


def test_the_labels_of_something_something_may_be_packed(tmp_path) -> None:
    source = lay(tmp_path / "videos", {"1.webm": b"x", "2.webm": b"x"})
    archive = tmp_path / "labels.zip"
    archive.write_bytes(
        zipped(
            {
                "labels/train.json": '[{"id": "1", "template": "Holding [something]"}]',
                "labels/validation.json": '[{"id": "2", "template": "Holding [something]"}]',
                "labels/test.json": '[{"id": "3"}]',
                "labels/labels.json": '{"Holding something": "7"}',
            }
        )
    )
    found = read("ssv2", [archive], found=scan(source))
    assert found.class_dirs == {"Holding something": "007_Holding_something"}
    assert dict(zip(found.frame["key"], found.frame["split"], strict=True)) == {
        "1": "train",
        "2": "val",
    }
    assert set(found.digests) == {"labels.zip"}


def test_lists_and_class_names_may_be_packed(tmp_path) -> None:
    source = lay(tmp_path / "images", {"cat/1.jpg": b"x", "dog/2.jpg": b"x"})
    lists, names = tmp_path / "lists.tgz", tmp_path / "names.zip"
    lists.write_bytes(gzip.compress(tar({"train.txt": "cat/1.jpg 0\n", "val.txt": "dog/2.jpg 1"})))
    names.write_bytes(zipped({"classes.txt": "0 cat\n1 dog\n"}))
    found = read("folder", found=scan(source, listed=True), listing=[lists], class_names=names)
    splits = dict(zip(found.frame["label"], found.frame["split"], strict=True))
    assert splits == {"cat": "train", "dog": "val"}


def test_one_table_is_not_guessed_out_of_several(tmp_path) -> None:
    archive = tmp_path / "names.zip"
    archive.write_bytes(zipped({"a.txt": "0 cat\n", "b.txt": "0 dog\n"}))
    with pytest.raises(InputError, match=r"one table is needed; it holds a\.txt, b\.txt; unpack"):
        load(archive)

"""Lists as people have them: each is read rightly, or refused with its file and line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trees
from helpers import real_annotations
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import lay

from nanokinetics.annotations import read
from nanokinetics.annotations.naming import split_of_name, splits_in
from nanokinetics.errors import BadRows, InputError
from nanokinetics.sources.scan import Scan, scan

CLASSES = ("ApplyEyeMakeup", "ApplyLipstick", "Archery")
UCF = {f"{label}/v_{label}_g0{i}.avi": b"x" for label in CLASSES for i in range(3)}
NAMES = "1 ApplyEyeMakeup\n2 ApplyLipstick\n3 Archery\n"

Offered = set[tuple[str, str, str]]


def _read(folder: Path, tree: Mapping[str, bytes], lists: Mapping[str, str], **more: Any) -> Any:
    source = lay(folder / "source", tree)
    lay(folder, {name: text.encode() for name, text in lists.items()})
    return read("folder", found=scan(source), listing=[folder / name for name in lists], **more)


def _offered(
    folder: Path, tree: Mapping[str, bytes], lists: Mapping[str, str], names: str = "", **more: Any
) -> Offered:
    if names:
        more["class_names"] = lay(folder, {"names.txt": names.encode()}) / "names.txt"
    return trees.offered(_read(folder, tree, lists, **more))


def _places(
    folder: Path, tree: Mapping[str, bytes], lists: Mapping[str, str], **more: Any
) -> dict[str, str]:
    """The file of each key; empty if it is missing."""
    frame = _read(folder, tree, lists, **more).frame
    return dict(zip(frame["key"], frame["path"], strict=True))


def _bad(folder: Path, tree: Mapping[str, bytes], lists: Mapping[str, str], **more: Any) -> Any:
    with pytest.raises(BadRows) as raised:
        _read(folder, tree, lists, **more)
    return raised.value.rows


# -- which file a path means

SAME = {f"{c}/image_000{i}.jpg": b"x" for c in ("accordion", "airplanes", "anchor") for i in (1, 2)}
OF_SAME = {"train.txt": "".join(f"{path} {path.split('/')[0]}\n" for path in SAME)}


@pytest.mark.parametrize("above", ["", "101_ObjectCategories/", "a/b/c/"])
def test_a_path_means_the_file_that_ends_like_it_whatever_lies_above(tmp_path, above):
    tree = trees.prefixed(above, SAME)
    assert _places(tmp_path, tree, OF_SAME) == {path[:-4]: above + path for path in SAME}


def test_a_source_below_the_folder_of_the_list_is_recognised(tmp_path):
    lists = {"train.txt": "".join(f"data/Caltech/{path} x\n" for path in SAME)}
    assert _places(tmp_path, SAME, lists) == {f"data/Caltech/{path[:-4]}": path for path in SAME}


def test_folders_of_another_name_above_the_classes_do_not_matter(tmp_path):
    tree = trees.prefixed("videos/", UCF)
    lists = {"list.txt": "".join(f"UCF-101/{path}\n" for path in UCF)}
    assert set(_places(tmp_path, tree, lists).values()) == set(tree)


@pytest.mark.parametrize("flat", ["", "videos/"])
def test_unique_names_need_no_folders(tmp_path, flat):
    tree = {flat + path.split("/")[1]: b"x" for path in UCF}
    found = _places(tmp_path, tree, {"list.txt": "".join(f"{path}\n" for path in UCF)})
    assert found == {path[:-4]: flat + path.split("/")[1] for path in UCF}


@pytest.mark.parametrize("gone", [1, 2], ids=["one file of a class", "the whole class"])
@pytest.mark.parametrize("others", [("airplanes", "anchor"), ("airplanes",)])
def test_a_missing_file_is_missing_and_never_that_of_another_class(tmp_path, gone, others):
    tree = {path: data for path, data in SAME.items() if path.split("/")[0] in others}
    if gone == 1:
        tree["accordion/image_0002.jpg"] = b"x"
    found = _places(tmp_path, tree, OF_SAME)
    assert found["accordion/image_0001"] == ""
    assert {path for path in found.values() if path} == set(tree)


def test_a_file_deeper_in_another_class_is_not_taken_either(tmp_path):
    tree = {"B/images/1.jpg": b"x", "A/images/2.jpg": b"x"}
    lists = {"list.txt": "A/images/1.jpg A\nA/images/2.jpg A\n"}
    assert _places(tmp_path, tree, lists) == {"A/images/1": "", "A/images/2": "A/images/2.jpg"}


def test_a_file_of_another_split_is_not_taken(tmp_path):
    tree = {"val/cats/1.jpg": b"x", "val/cats/2.jpg": b"x"}
    lists = {"list.txt": "train/cats/1.jpg cats\nval/cats/2.jpg cats\n"}
    assert _places(tmp_path, tree, lists) == {"train/cats/1": "", "val/cats/2": "val/cats/2.jpg"}


def test_the_split_of_the_list_decides_between_two_splits(tmp_path):
    tree = {f"videos_{split}/cats/1.mp4": b"x" for split in ("train", "val")}
    lists = {"kinetics400_val_list_videos.txt": "cats/1.mp4 0\n"}
    assert _places(tmp_path, tree, lists) == {"cats/1": "videos_val/cats/1.mp4"}


def test_a_bare_name_that_several_files_have_is_refused_with_them(tmp_path):
    (row,) = _bad(tmp_path, SAME, {"train.txt": "image_0001.jpg x\n"})
    assert row.line == 1
    assert "'accordion/image_0001.jpg' or 'airplanes/image_0001.jpg'" in row.why


def test_two_paths_are_not_one_file(tmp_path):
    lists = {"list.txt": "a/1.jpg a\nb/1.jpg b\nb/2.jpg b\n"}
    rows = _bad(tmp_path, {"1.jpg": b"x", "2.jpg": b"x"}, lists)
    assert [row.line for row in rows] == [1, 2]
    assert "would be one file" in rows[0].why


def test_the_same_file_with_more_and_with_fewer_folders_is_one(tmp_path):
    lists = {"train.txt": "c/1.jpg c\n", "val.txt": "data/c/1.jpg c\n"}
    found = _places(tmp_path, {"c/1.jpg": b"x"}, lists)
    assert found == {"c/1": "c/1.jpg", "data/c/1": "c/1.jpg"}


def test_case_and_accents_of_folders_may_differ_but_an_equal_path_comes_first(tmp_path):
    tree = {"HandstandPushups/v_HandStandPushups_g01.avi": b"x", "cafe\u0301/1.jpg": b"x"}
    tree |= {"A/1.jpg": b"x", "a/1.jpg": b"x"}
    paths = ("HandStandPushups/v_HandStandPushups_g01.avi", "caf\u00e9/1.jpg", "x/a/1.jpg")
    found = _places(tmp_path, tree, {"list.txt": "".join(f"{path} x\n" for path in paths)})
    assert list(found.values()) == [
        paths[0].replace("HandSt", "Handst", 1),
        "cafe\u0301/1.jpg",
        "a/1.jpg",
    ]


@pytest.mark.parametrize("through", ["the path", "a link", "two steps"])
def test_absolute_paths_below_the_source_are_relative_to_it(tmp_path, through):
    source = lay(tmp_path / "source", UCF)
    (tmp_path / "link").symlink_to(source)
    top = {"the path": source, "a link": tmp_path / "link", "two steps": f"{tmp_path}/x/../source"}
    text = "".join(f"{top[through]}/{path} 2\n" for path in UCF)
    if through == "two steps":
        assert all("no path within" in row.why for row in _bad(tmp_path, UCF, {"list.txt": text}))
    else:
        found = _places(tmp_path, UCF, {"list.txt": text})
        assert found == {path[:-4]: path for path in UCF}


def test_a_source_that_is_a_link_holds_the_files_behind_it(tmp_path):
    real = lay(tmp_path / "real", UCF)
    (tmp_path / "source").symlink_to(real)
    listing = lay(tmp_path, {"list.txt": f"{real}/Archery/v_Archery_g00.avi 1\n".encode()})
    found = read("folder", found=scan(tmp_path / "source"), listing=[listing / "list.txt"])
    assert found.frame["path"].tolist() == ["Archery/v_Archery_g00.avi"]


def test_a_path_from_the_root_of_the_dataset_is_relative(tmp_path):
    lists = {"train.csv": "clip_name,clip_path,label\nx,/train/Archery/1.avi,Archery\n"}
    found = _places(tmp_path, {"train/Archery/1.avi": b"x"}, lists)
    assert found == {"train/Archery/1": "train/Archery/1.avi"}


@pytest.mark.parametrize(
    "path",
    [
        "/elsewhere/Archery/v_Archery_g00.avi",
        "/v_Archery_g00.avi",
        "C:\\data\\Archery\\v_Archery_g00.avi",
        "https://example.org/Archery/v_Archery_g00.avi",
        "s3://bucket/Archery/v_Archery_g00.avi",
        "../Archery/v_Archery_g00.avi",
    ],
)
def test_a_path_elsewhere_is_refused(tmp_path, path):
    (row,) = _bad(tmp_path, UCF, {"list.txt": f"{path} x\nArchery/v_Archery_g01.avi x\n"})
    assert (row.line, "write it relative to --src" in row.why) == (1, True)


def test_backslashes_of_windows_are_slashes(tmp_path):
    found = _places(tmp_path, UCF, {"list.txt": "Archery\\v_Archery_g00.avi 3\n"})
    assert found == {"Archery/v_Archery_g00": "Archery/v_Archery_g00.avi"}


def test_paths_without_extension_mean_the_file_of_this_name_and_rather_its_video(tmp_path):
    tree = UCF | {"Archery/v_Archery_g00.jpg": b"a thumbnail"}
    found = _places(tmp_path, tree, {"list.txt": "".join(f"{path[:-4]} 7\n" for path in UCF)})
    assert found == {path[:-4]: path for path in UCF}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_in_the_source_a_row_gets_its_own_file_or_none(tmp_path_factory, data):
    classes, names = ("a", "b", "c"), ("1.jpg", "2.jpg")
    above = data.draw(st.sampled_from(["", "top/", "x/y/"]))
    asked = [f"{label}/{name}" for label in classes for name in names]
    there = data.draw(st.sets(st.sampled_from(asked)))
    root = tmp_path_factory.mktemp("any")
    lay(root, {"list.txt": "".join(f"{path} {path[0]}\n" for path in asked).encode()})
    found = Scan(root, tuple(sorted(above + path for path in there)))
    frame = read("folder", found=found, listing=[root / "list.txt"]).frame
    for key, path in zip(frame["key"], frame["path"], strict=True):
        assert path == (f"{above}{key}.jpg" if f"{key}.jpg" in there else "")


# -- the split

SPLIT_NAMES = {
    "ucf101_val_split_1_videos.txt": {"val"},
    "testlist01.txt": {"test"},
    "trainlist01.txt": {"train"},
    "clap_test_split1.txt": {"test"},
    "k400_val_list": {"val"},
    "kinetics400_train_list_videos.txt": {"train"},
    "diving48_V2_test.json": {"test"},
    "validlist.csv": {"val"},
    "dev.txt": {"val"},
    "TestSet.csv": {"test"},
    "val.csv.gz": {"val"},
    "latest.txt": set(),
    "valley_contest.txt": set(),
    "pretrain_values.txt": set(),
    "cross_validation_fold1.txt": set(),
    "list.txt": set(),
    "trainval.txt": {"train", "val"},
    "training_val.txt": {"train", "val"},
    "train_test_split.txt": {"train", "test"},
    "evallist.txt": {"test"},
}


@pytest.mark.parametrize("name", SPLIT_NAMES)
def test_whole_words_of_a_name_say_the_split(name):
    splits = SPLIT_NAMES[name]
    assert splits_in(name) == splits
    if len(splits) > 1:
        with pytest.raises(InputError, match=f"{name}: its name may mean {' or '.join(splits)}|or"):
            split_of_name(Path(name))
    else:
        assert split_of_name(Path(name)) == next(iter(splits), None)


def test_lists_of_two_splits_stay_apart(tmp_path):
    lists = {
        "ucf101_train_split_1_videos.txt": "Archery/v_Archery_g00.avi 0\n",
        "ucf101_val_split_1_videos.txt": "Archery/v_Archery_g01.avi 0\n",
    }
    assert _offered(tmp_path, UCF, lists) == {
        ("train", "0", "Archery/v_Archery_g00"),
        ("val", "0", "Archery/v_Archery_g01"),
    }


def test_a_name_of_two_splits_is_refused_unless_the_rows_say_theirs(tmp_path):
    tree = {f"{split}/c/{split}.jpg": b"x" for split in ("train", "val")}
    plain = {"trainval.txt": "c/train.jpg c\nc/val.jpg c\n"}
    with pytest.raises(InputError, match=r"trainval\.txt.*train or val.*column split"):
        _read(tmp_path, tree, plain)
    said = {("train", "c", "train/c/train"), ("val", "c", "val/c/val")}
    assert _offered(tmp_path, tree, {"trainval.txt": "train/c/train.jpg\nval/c/val.jpg\n"}) == said
    table = "path,label,split\ntrain/c/train.jpg,c,train\nval/c/val.jpg,c,validation\n"
    assert _offered(tmp_path, tree, {"trainval.txt": table}) == said


def test_where_the_name_says_nothing_the_folders_of_the_paths_do(tmp_path):
    tree = {"train/c/1.jpg": b"x", "val/c/2.jpg": b"x", "c/3.jpg": b"x"}
    lists = {"labels.txt": "train/c/1.jpg c\nval/c/2.jpg c\nc/3.jpg c\n"}
    splits = {(split, key) for split, _, key in _offered(tmp_path, tree, lists)}
    assert splits == {("train", "train/c/1"), ("val", "val/c/2"), ("train", "c/3")}


def test_a_class_called_like_a_split_is_still_a_class(tmp_path):
    assert _offered(tmp_path, {"test/1.jpg": b"x"}, {"list.txt": "test/1.jpg\n"}) == {
        ("train", "test", "test/1")
    }


# -- headers

IMAGES = {f"{split}/{c}/{c}{i}.jpg": b"x" for i, split in enumerate(("train", "val")) for c in "ab"}
HEADERS = {
    "filename,label": "filename,label\ntrain/a/a0.jpg,a\nval/a/a1.jpg,a\n",
    "the label first": "label\tpath\na\ttrain/a/a0.jpg\na\tval/a/a1.jpg\n",
    "semicolons": "Image Path;Class\ntrain/a/a0.jpg;a\nval/a/a1.jpg;a\n",
    "blanks": "path label\ntrain/a/a0.jpg a\nval/a/a1.jpg a\n",
    "an index of pandas": ",image_path,class_name\n0,train/a/a0.jpg,a\n1,val/a/a1.jpg,a\n",
    "a number and a name": "path,class_id,class_name,width\ntrain/a/a0.jpg,7,a,5\n"
    "val/a/a1.jpg,7,a,5\n",
    "without extensions": "id,label\ntrain/a/a0,a\nval/a/a1,a\n",
    "without labels": "path\ntrain/a/a0.jpg\nval/a/a1.jpg\n",
    "Food-101N": "class_name/key\tverification_label\na/a0.jpg\t0\na/a1.jpg\t1\n",
    "quoted, BOM, CRLF": '\ufeff"filename","label"\r\n"train/a/a0.jpg","a"\r\n"val/a/a1.jpg",a\r\n',
    "Excel's first line": "sep=;\nfilename;label\ntrain/a/a0.jpg;a\nval/a/a1.jpg;a\n",
    "a comment, blank lines": "# mine\n\nfilename,label\n\ntrain/a/a0.jpg,a\nval/a/a1.jpg,a",
}


@pytest.mark.parametrize("shape", HEADERS)
def test_a_header_names_the_columns_and_is_no_row(tmp_path, shape):
    frame = _read(tmp_path, IMAGES, {"list.csv": HEADERS[shape]}).frame
    assert set(frame["label"]) == {"a"}
    assert set(frame["path"]) == {"train/a/a0.jpg", "val/a/a1.jpg"}


@pytest.mark.parametrize(
    ("column", "values", "splits"),
    [
        ("is_valid", ("False", "True"), ("train", "val")),
        ("is_valid", ("0", "1"), ("train", "val")),
        ("is_train", ("True", "False"), ("train", "val")),
        ("is_test", ("FALSE", "TRUE"), ("train", "test")),
        ("split", ("training", "dev"), ("train", "val")),
        ("data set", ("train", "test"), ("train", "test")),
    ],
)
def test_a_column_says_the_split_whatever_the_name_says(tmp_path, column, values, splits):
    text = (
        f"path,noisy_labels_0,noisy_labels_1,{column}\n"
        f"train/a/a0.jpg,a,b,{values[0]}\nval/b/b1.jpg,b,b,{values[1]}\n"
    )
    assert _offered(tmp_path, IMAGES, {"train.csv": text}) == {
        (splits[0], "a", "train/a/a0"),
        (splits[1], "b", "val/b/b1"),
    }


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("path,label,is_valid\nval/a/a1.jpg,a,maybe\n", 2, "neither True nor False"),
        ("path,label,split\nval/a/a1.jpg,a,fold3\n", 2, "none of train, val and test"),
        ("path,label\nval/a/a1.jpg,\n", 2, "the label is empty"),
        ("path,label\nval/a/a1.jpg\n", 2, "1 fields where the header has 2"),
        ("path,label\n,a\n", 2, "the path is empty"),
        ("val/a/a1.jpg,\nval/b/b1.jpg,b\n", 1, "the label is empty"),
        ("val/a/a1.jpg a\nval/b/b1.jpg\n", 2, "0 fields after the path where other lines have 1"),
        ("val/a/a1.jpg a\nhello world\n", 2, "names no image or video"),
        ("a,val/a/a1.jpg\nb,val/b/b1.jpg\n", 1, "names no image or video|path does not come first"),
        ("1 val/a/a1.jpg\n2 val/b/b1.jpg\n", 1, "the path does not come first"),
        ("number kind\na/a0 a\na/a1 a\n", 1, "may be a header"),
        ("a0.jpg\na1.jpg\n", 1, "no label, and its path no folder"),
        ("val/a/a1.jpg -1\n", 1, "no number of a class"),
    ],
)
def test_a_row_that_is_not_understood_is_named(tmp_path, text, line, why):
    rows = _bad(tmp_path, IMAGES, {"list.csv": text})
    assert rows[0].line == line
    assert any(each in rows[0].why for each in why.split("|"))
    assert rows[0].file.endswith("list.csv")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("foo,bar\nval/a/a1.jpg,a\n", r"line 1: 'foo,bar' is neither a row nor a header"),
        ("path,breed\nval/a/a1.jpg,a\n", r"line 1: .*'breed' is not known; call .* label"),
        ("id,breed\na/a0,pug\n", r"line 1: .*'breed' is not known; call .* label"),
        ("path,label\n", r"not one row can be used"),
        ("val/a/a1.jpg,3,4,5\n", r"line 1: 3 fields follow the path"),
        ("val/a/a1.jpg 0 10 2\n", r"line 1: 3 fields follow the path"),
        ("val/a/a1.jpg 0 -1\nval/b/b1.jpg 0 -1\n", r"line 1: .*no number of frames"),
        ("val/a/a1.jpg,a,3\n", r"line 1: two fields follow the path"),
        ("1 ApplyEyeMakeup\n2 ApplyLipstick\n", r"names no file of --src"),
        ("air drumming\nyoga\n", r"names no file of --src"),
        ("# nothing\n", r"names no file"),
        ('{"cats": {"a": 1}}', r"JSON of a form that is not understood"),
        ('[{"path": "a.jpg"', r"not valid JSON"),
    ],
)
def test_a_list_that_is_not_understood_is_refused(tmp_path, text, says):
    with pytest.raises(InputError, match=says) as raised:
        _read(tmp_path, IMAGES, {"list.txt": text})
    assert "list.txt" in str(raised.value)


# -- rows without a header


@pytest.mark.parametrize("between", [" ", "\t", ",", ", "])
def test_a_number_of_frames_is_no_label(tmp_path, between):
    rows = ("Archery/v_Archery_g00.avi", "163", "2"), ("Archery/v_Archery_g01.avi", "120", "2")
    text = "".join(between.join(row) + "\n" for row in rows)
    assert {label for _, label, _ in _offered(tmp_path, UCF, {"list.txt": text})} == {"2"}


def test_a_label_before_the_number_of_frames_is_not_taken_for_it(tmp_path):
    text = "".join(
        f"{path} {CLASSES.index(path.split('/')[0]) + 5} {90 + i}\n" for i, path in enumerate(UCF)
    )
    with pytest.raises(InputError, match="label seems to come before the number of frames"):
        _read(tmp_path, UCF, {"list.txt": text})


@pytest.mark.parametrize(
    "line",
    [
        "a b,c/1 2.jpg x y",
        "a b,c/1 2.jpg\tx y",
        '"a b,c/1 2.jpg",x y',
        '"a b,c/1 2.jpg" "x y"',
        "'a b,c/1 2.jpg' x y",
        '"a b,c/1 2.jpg";"x y"',
        "a b,c/1 2.jpg|x y",
    ],
)
def test_names_with_blanks_and_commas_are_read_whole(tmp_path, line):
    found = _offered(tmp_path, {"a b,c/1 2.jpg": b"x"}, {"list.txt": line})
    assert found == {("train", "x y", "a b,c/1 2")}


@pytest.mark.parametrize(
    "text",
    [
        '[{"path": "val/a/a1.jpg", "label": "a"}, {"path": "val/b/b1.jpg", "label": "b"}]',
        '{"path": "val/a/a1.jpg", "label": "a"}\n{"path": "val/b/b1.jpg", "label": "b"}\n',
        '{"a": ["val/a/a1"], "b": ["val/b/b1"]}',
        '{"val": ["val/a/a1.jpg", "val/b/b1.jpg"]}',
        '{"val": [["val/a/a1.jpg", 0, "a"], ["val/b/b1.jpg", 1, "b"]], "train": []}',
        '{"val/a/a1.jpg": "a", "val/b/b1.jpg": "b"}',
    ],
)
def test_lists_may_be_json(tmp_path, text):
    assert _offered(tmp_path, IMAGES, {"list.json": text}) == {
        ("val", "a", "val/a/a1"),
        ("val", "b", "val/b/b1"),
    }


# -- HMDB51

CLAPS = {f"{c}/#{i}_{c}_u_nm_np1_fr_goo_{i}.avi": b"x" for c in ("clap", "hug") for i in range(3)}


def _hmdb51(label: str, numbers: str = "012") -> str:
    return "".join(f"#{i}_{label}_u_nm_np1_fr_goo_{i}.avi {numbers[i]} \n" for i in range(3))


def test_the_numbers_of_hmdb51_are_splits(tmp_path):
    lists = {f"{label}_test_split1.txt": _hmdb51(label) for label in ("clap", "hug")}
    found = _read(tmp_path, CLAPS, lists)
    assert trees.offered(found) == {
        (split, label, f"{label}/#{i}_{label}_u_nm_np1_fr_goo_{i}")
        for label in ("clap", "hug")
        for i, split in ((1, "train"), (2, "test"))
    }
    assert set(found.frame["path"]) == {path for path in CLAPS if "#0" not in path}


def test_a_list_of_hmdb51_that_uses_no_file_adds_none(tmp_path):
    lists = {"clap_test_split1.txt": _hmdb51("clap"), "hug_test_split1.txt": _hmdb51("hug", "000")}
    assert {label for _, label, _ in _offered(tmp_path, CLAPS, lists)} == {"clap"}


def test_the_splits_of_hmdb51_are_not_mixed(tmp_path):
    lists = {f"clap_test_split{i}.txt": _hmdb51("clap") for i in (1, 2)}
    with pytest.raises(InputError, match=r"split1\.txt and .*split2.txt are of two splits"):
        _read(tmp_path, CLAPS, lists)


def test_a_list_of_three_classes_is_not_taken_for_one_of_hmdb51(tmp_path):
    files = {"x.avi": b"x", "y.avi": b"x"}
    with pytest.raises(InputError, match="called like a list of HMDB51"):
        _read(tmp_path, files, {"mini_test_split1.txt": "x.avi 1\ny.avi 2\n"})
    lists = {"ucf_test_split1.txt": "Archery/v_Archery_g00.avi 2\n"}
    assert _offered(tmp_path, UCF, lists) == {("test", "2", "Archery/v_Archery_g00")}


@pytest.mark.real_annotations
def test_the_real_lists_of_hmdb51_give_its_51_classes():
    folder = real_annotations("hmdb51/clap_test_split1.txt").parent
    found = read("folder", found=Scan(folder, ()), listing=sorted(folder.glob("*_split1.txt")))
    assert len(found.labels) == 51
    assert found.frame["split"].value_counts().to_dict() == {"train": 3570, "test": 1530}


# -- numbers and names


def _numbered(first: int, classes: tuple[str, ...] = CLASSES) -> str:
    return "".join(
        f"{path} {CLASSES.index(label) + first}\n"
        for path in UCF
        if (label := path.split("/")[0]) in classes
    )


NAME_FILES = {
    "number and name, from 1": NAMES,
    "from 0": "0 ApplyEyeMakeup\n1 ApplyLipstick\n2 Archery\n",
    "names alone": "ApplyEyeMakeup\nApplyLipstick\nArchery\n",
    "a table": "id,name\n0,ApplyEyeMakeup\n1,ApplyLipstick\n2,Archery\n",
    "a table of more columns": "label_id,source_id,label,class_dir\n"
    + "".join(f"{i},9,{name},dir{i}\n" for i, name in enumerate(CLASSES)),
    "name, number": "ApplyEyeMakeup,0\nApplyLipstick,1\nArchery,2\n",
    "quoted, with tabs": '0\t"ApplyEyeMakeup"\r\n1\t"ApplyLipstick"\r\n2\t"Archery"\r\n',
    "name and number": "ApplyEyeMakeup 0\nApplyLipstick 1\nArchery 2\n",
    "JSON by number": json.dumps(dict(enumerate(CLASSES))),
    "JSON by name": json.dumps({f'"{name}"': i for i, name in enumerate(CLASSES)}),
    "JSON list": json.dumps(CLASSES),
}


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("names", NAME_FILES)
@pytest.mark.parametrize("classes", [CLASSES, CLASSES[1:]], ids=["all", "without the first"])
def test_numbers_get_their_own_names_whichever_number_comes_first(tmp_path, names, first, classes):
    text = NAME_FILES[names]
    found = _offered(tmp_path, UCF, {"list.txt": _numbered(first, classes)}, text)
    assert found == {
        ("train", path.split("/")[0], path[:-4]) for path in UCF if path.split("/")[0] in classes
    }


FLAT = {path.split("/")[1]: b"x" for path in UCF}


@pytest.mark.parametrize(("first", "names"), [(0, NAMES), (1, "\n".join(CLASSES))])
def test_without_folders_a_number_without_a_name_is_refused(tmp_path, first, names):
    text = "".join(f"{path} {first + i // 3}\n" for i, path in enumerate(sorted(FLAT)))
    with pytest.raises((BadRows, InputError), match=r"has no name in names.txt|has no numbers"):
        _offered(tmp_path, FLAT, {"list.txt": text}, names)


def test_names_of_another_dataset_are_refused(tmp_path):
    names = "1 Archery\n2 ApplyEyeMakeup\n3 ApplyLipstick\n"
    with pytest.raises(InputError, match=r"names.txt: calls class 1 'Archery', but .*of another"):
        _offered(tmp_path, UCF, {"list.txt": _numbered(1)}, names)


def test_a_few_wrong_labels_are_noise_and_no_other_count(tmp_path):
    text = _numbered(1).replace("v_Archery_g02.avi 3", "v_Archery_g02.avi 1")
    found = _offered(tmp_path, UCF, {"list.txt": text}, NAMES)
    assert ("train", "ApplyEyeMakeup", "Archery/v_Archery_g02") in found
    assert ("train", "Archery", "Archery/v_Archery_g01") in found


@pytest.mark.parametrize("label", ["9", "Swing", "n01440764"])
def test_a_label_without_a_name_is_refused(tmp_path, label):
    text = _numbered(1) + f"Swing/v_Swing_g00.avi {label}\n"
    with pytest.raises(BadRows, match=rf"line 10: the label '{label}' has no name in names.txt"):
        _offered(tmp_path, UCF, {"list.txt": text}, NAMES)


def test_numbers_and_names_are_not_mixed_without_the_names_of_the_numbers(tmp_path):
    lists = {"trainlist01.txt": _numbered(1), "testlist01.txt": "Archery/v_Archery_g00.avi\n"}
    with pytest.raises(InputError, match=r"'Archery' in .*testlist01\.txt.*--class-names FILE"):
        _offered(tmp_path, UCF, lists)
    assert {label for _, label, _ in _offered(tmp_path, UCF, lists, NAMES)} == set(CLASSES)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("1 crane\n2 crane\n", "1 and 2 have one name, 'crane'"),
        ("1 a\n1 b\n", "line 2: 1 stands there twice"),
        ("1,a\n2,b,c\n", "line 2: no '1,ApplyEyeMakeup'"),
        ("1 a\nb\n", "line 2: no '1 ApplyEyeMakeup'"),
        ('{"a": [1]}', "no JSON of classes"),
    ],
)
def test_a_file_of_names_that_cannot_be_right_is_refused(tmp_path, names, says):
    with pytest.raises(InputError, match=says):
        _offered(tmp_path, UCF, {"list.txt": _numbered(1)}, names)


def test_codes_that_are_words_have_names_too(tmp_path):
    tree = {"n01440764/1.jpg": b"x"}
    found = _offered(tmp_path, tree, {"list.txt": "n01440764/1.jpg\n"}, "n01440764 tench\n")
    assert found == {("train", "tench", "n01440764/1")}


def test_numbers_that_pandas_made_fractions_are_whole(tmp_path):
    table = "path,label\nArchery/v_Archery_g00.avi,2.0\n"
    assert {label for _, label, _ in _offered(tmp_path, UCF, {"list.csv": table})} == {"2"}

"""Something-Something v2: both generations of its files, and its videos wherever they lie."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import trees
from helpers import real_annotations
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import TEMPLATES, label_of, lay, packed, parts, prefixed, ssv2_annotations, ssv2_ids

from nanokinetics import sample
from nanokinetics.annotations import read
from nanokinetics.errors import BadRows, InputError
from nanokinetics.layout import Layout
from nanokinetics.sources.scan import scan

IDS = {split: ssv2_ids(split, 4) for split in ("train", "validation", "test")}
VIDEOS = {f"{i}.webm": f"video {i}".encode() for ids in IDS.values() for i, _ in ids}


def _expected(*splits: str) -> set[tuple[str, str, str]]:
    short = {"validation": "val"}
    return {(short.get(s, s), label_of(t), i) for s in splits for i, t in IDS[s]}


@pytest.mark.parametrize("generation", [1, 2])
def test_both_generations_of_the_files_are_read(tmp_path, generation):
    source = lay(tmp_path, ssv2_annotations(generation) | prefixed("videos/", VIDEOS))
    found = read("ssv2", found=scan(source))
    splits = ("train", "validation", "test") if generation == 2 else ("train", "validation")
    assert trees.offered(found) == _expected(*splits)
    places = dict(zip(found.frame["key"], found.frame["path"], strict=True))
    assert places == {key: f"videos/{key}.webm" for _, _, key in _expected(*splits)}


def test_a_class_folder_bears_the_number_of_the_labels_file(tmp_path):
    labels = [label_of(t) for t in TEMPLATES]
    tree = ssv2_annotations()
    tree["labels/labels.json"] = json.dumps({x: str(11 * i) for i, x in enumerate(labels)}).encode()
    layout = Layout(read("ssv2", found=scan(lay(tmp_path, tree))).class_dirs)
    for i, label in enumerate(labels):
        assert layout.class_dir(label) == f"{11 * i:03d}_{label.replace(' ', '_')}"


def _arranged(how: str) -> dict[str, bytes]:
    archive = packed(VIDEOS, "gz", prefix="20bn-something-something-v2/")
    pieces = parts(archive, "20bn-something-something-v2-", 2)
    return {
        "a folder": prefixed("20bn-something-something-v2/", VIDEOS),
        "among the labels": VIDEOS,
        "a tar": {"v2.tar": packed(VIDEOS)},
        "the joined archive": {"20bn-something-something-v2.tar.gz": archive},
        "parts": pieces,
        "parts called zip": {f"{n}.zip": d for n, d in pieces.items()},
        "zips": {f"{n}.zip": trees.zipped(n, d) for n, d in pieces.items()},
    }[how]


@pytest.mark.parametrize(
    "how",
    [
        *("a folder", "among the labels", "a tar", "the joined archive"),
        *("parts", "parts called zip", "zips"),
    ],
)
def test_the_choice_is_the_same_wherever_the_videos_lie(tmp_path, how):
    source = lay(tmp_path / "in", ssv2_annotations() | _arranged(how))
    selection = sample("ssv2", src=source, n={"train": 2}, seed="x")
    for template in TEMPLATES:
        label = label_of(template)
        keys = trees.first_ranked((i for i, t in IDS["train"] if t == template), "x")
        (group,) = (g for g in selection.groups() if g.label == label)
        assert selection.candidates(group)["key"].tolist() == keys


@settings(max_examples=15, deadline=None)
@given(order=st.lists(st.integers(0, 200), max_size=60))
def test_the_order_of_the_listing_changes_nothing(tmp_path_factory, order):
    source = tmp_path_factory.getbasetemp() / "listed ssv2"
    if not source.exists():
        lay(source, ssv2_annotations() | VIDEOS)
    found = scan(source)
    again = read("ssv2", found=trees.listed_otherwise(found, order)).frame
    assert again.equals(read("ssv2", found=found).frame)


def test_a_clip_whose_video_is_not_there_stays_a_candidate(tmp_path):
    few = dict(list(VIDEOS.items())[:3])
    source = lay(tmp_path, ssv2_annotations() | few | {"1000.jpg": b"a thumbnail"})
    found = read("ssv2", found=scan(source))
    assert trees.offered(found) == _expected("train", "validation", "test")
    there = {key for key, path in zip(found.frame["key"], found.frame["path"], strict=True) if path}
    assert there == {name.removesuffix(".webm") for name in few}


def test_the_answers_are_read_though_labels_hold_commas(tmp_path):
    tree = ssv2_annotations()
    for name in ("labels/train.json", "labels/validation.json"):
        del tree[name]
    assert trees.offered(read("ssv2", found=scan(lay(tmp_path, tree)))) == _expected("test")


def test_files_named_one_by_one_stand_beside_a_source_of_videos(tmp_path):
    source, labels = lay(tmp_path / "videos", VIDEOS), lay(tmp_path, ssv2_annotations(1))
    names = [f"something-something-v2-{name}.json" for name in ("train", "labels")]
    found = read("ssv2", [labels / name for name in names], found=scan(source))
    assert trees.offered(found) == _expected("train")
    assert set(found.digests) == set(names)
    with pytest.raises(InputError, match=r"other\.json"):
        read("ssv2", [tmp_path / "other.json"], found=scan(source))


# -- files that cannot be right


def test_labels_of_another_release_are_refused(tmp_path):
    tree = ssv2_annotations()
    tree["labels/labels.json"] = b'{"Approaching something with your camera": "0"}'
    with pytest.raises(InputError, match=r"labels\.json.*two releases"):
        read("ssv2", found=scan(lay(tmp_path, tree)))


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("labels", b"[1, 2]", r"labels\.json"),
        ("labels", b'{"a": "x"}', r"labels\.json"),
        ("labels", b'{"a": null}', r"labels\.json"),
        ("labels", b'{"a": "1", "b": "1"}', r"labels\.json.*one number"),
        ("labels", b'{"a": "-1"}', r"labels\.json"),
        ("train", b'{"id": "1"}', r"train\.json"),
        ("train", b'[{"id": "1", "template"', r"train\.json.*not valid JSON"),
        ("train", b"[" * 100_000, r"train\.json"),
        ("train", b"", r"train\.json.*empty"),
        ("train", b"\xff\xfe[]", r"train\.json"),
    ],
)
def test_a_file_of_another_shape_is_refused_by_name(tmp_path, name, data, says):
    tree = ssv2_annotations() | {f"labels/{name}.json": data}
    with pytest.raises(InputError, match=says):
        read("ssv2", found=scan(lay(tmp_path, tree)))


def _spoil(**fields: object) -> Callable[[list[Any]], None]:
    return lambda items: items[2].update(fields)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_spoil(id="../../etc/passwd"), "no id of a video"),
        (_spoil(id="12 34"), "no id of a video"),
        (_spoil(id="١٢٣"), "no id of a video"),
        (_spoil(id=True), "no id of a video"),
        (_spoil(id=None), "no id of a video"),
        (_spoil(template=None), "empty"),
        (_spoil(template="../[something]"), "/"),
        (_spoil(template="Holding\n[something]"), "U\\+000A"),
        (lambda items: items.__setitem__(2, "no item"), "no id of a video"),
    ],
)
def test_an_item_that_cannot_be_used_is_named(tmp_path, spoil, says):
    tree = ssv2_annotations()
    items = json.loads(tree["labels/train.json"])
    lost = items[2]["id"]
    spoil(items)
    tree["labels/train.json"] = json.dumps(items).encode()
    del tree["labels/labels.json"]
    found = scan(lay(tmp_path, tree))
    with pytest.raises(BadRows, match=says) as raised:
        read("ssv2", found=found)
    (row,) = raised.value.rows
    assert (row.line, row.file) == (3, str(tmp_path / "labels/train.json"))
    rest = read("ssv2", found=found, skip_bad_rows=True)
    assert lost not in set(rest.frame["key"])
    assert len(rest.frame) == 3 * 16 - 1
    assert rest.bad_rows == (row,)


def test_an_id_may_be_a_number(tmp_path):
    tree = ssv2_annotations()
    items = [each | {"id": int(each["id"])} for each in json.loads(tree["labels/train.json"])]
    tree["labels/train.json"] = json.dumps(items).encode()
    found = trees.offered(read("ssv2", found=scan(lay(tmp_path, tree))))
    assert found >= _expected("train")


# -- the real labels


@pytest.mark.real_annotations
def test_the_174_real_labels_become_174_folders_in_their_order(tmp_path):
    labels = real_annotations("ssv2/label_map.txt").read_text(encoding="utf-8").splitlines()
    assert len(labels) == 174
    assert any("," in label for label in labels)
    templates = [re.sub(r"\bsomething\b", "[something]", label) for label in labels]
    source = lay(tmp_path, ssv2_annotations(2, 2, templates))
    found = read("ssv2", found=scan(source))
    assert found.labels == tuple(sorted(labels))
    layout = Layout(found.class_dirs)
    folders = [layout.class_dir(label) for label in sorted(labels)]
    assert folders == sorted(folders)
    assert [int(folder[:3]) for folder in folders] == list(range(174))
    assert not any(re.search(r"\s", folder) for folder in folders)
    assert len(found.frame) == 3 * 2 * 174


@pytest.mark.real_annotations
def test_the_168913_real_train_clips_are_chosen_from(tmp_path):
    lines = real_annotations("ssv2/train_id_nframes_label.txt").read_text().splitlines()
    labels = real_annotations("ssv2/label_map.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines]
    items = [{"id": i, "template": labels[int(number)]} for i, _, number in rows]
    numbers = {label: str(i) for i, label in enumerate(labels)}
    tree = {"train.json": json.dumps(items).encode(), "labels.json": json.dumps(numbers).encode()}
    selection = sample("ssv2", src=lay(tmp_path, tree), n=5)
    counts = [len(selection.rows(group)) for group in selection.groups()]
    assert (len(counts), sum(counts), min(counts), max(counts)) == (174, 168_913, 91, 3_284)
    group = selection.groups()[0]
    keys = trees.first_ranked(i for i, _, number in rows if labels[int(number)] == group.label)
    assert selection.candidates(group)["key"].tolist() == keys

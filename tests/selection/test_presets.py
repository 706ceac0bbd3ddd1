"""The class lists that come along are what they say, and choose what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import Row, read_table, real_annotations, write_csv, youtube_id

from nanokinetics import sample
from nanokinetics.cli import main
from nanokinetics.errors import InputError
from nanokinetics.selection import presets


@pytest.mark.parametrize("name", presets.names())
def test_each_names_its_source_and_its_classes_once(name: str) -> None:
    preset = presets.read(name)
    assert preset.source
    assert preset.about
    assert preset.size
    assert len(set(preset.classes or ())) == len(preset.classes or ())


def test_their_sizes_are_those_of_their_names() -> None:
    sizes = {name: presets.read(name).size for name in presets.names()}
    assert sizes["mini-kinetics-200"] == 200
    assert sizes["kinetics-100"] == sizes["imagenet-100"] == 100
    assert sizes["imagenette"] == 10
    parts = presets.read("kinetics-100").parts
    assert {part: len(labels) for part, labels in parts.items()} == {
        "train": 64,
        "val": 12,
        "test": 24,
    }


@pytest.mark.real_annotations
@pytest.mark.parametrize("name", ["mini-kinetics-200", "kinetics-100"])
def test_the_classes_of_kinetics_are_in_its_annotations(name: str) -> None:
    table = read_table(real_annotations("k400/val_with_is_cc.csv"))
    assert set(presets.read(name).classes or ()) <= {row["label"] for row in table}


@pytest.mark.real_annotations
@pytest.mark.parametrize("name", ["imagenet-100", "imagenette"])
def test_the_classes_of_imagenet_are_among_its_thousand(name: str) -> None:
    with real_annotations("imagenet/LOC_synset_mapping.txt").open() as file:
        known = {line.split()[0] for line in file}
    assert set(presets.read(name).classes or ()) <= known


@pytest.fixture(name="annotations")
def _annotations(tmp_path: Path) -> Path:
    labels = [*(presets.read("kinetics-100:val").classes or ()), "yoga"]
    rows = [
        Row(label, youtube_id(100 * i + j), 1, 2)
        for i, label in enumerate(labels)
        for j in range(6)
    ]
    return write_csv(tmp_path / "a.csv", rows)


def test_a_part_of_a_preset_chooses_its_classes(annotations: Path) -> None:
    chosen = sample("kinetics", annotations=annotations, preset="kinetics-100:val", n=2)
    assert {group.label for group in chosen.quotas} == set(
        presets.read("kinetics-100:val").classes or ()
    )
    assert set(chosen.quotas.values()) == {2}


def test_a_size_of_our_own_has_its_counts_and_n_overrules_them(annotations: Path) -> None:
    tiny = sample("kinetics", annotations=annotations, preset="tiny")
    assert (len(tiny.quotas), set(tiny.quotas.values())) == (5, {5})
    assert set(sample("kinetics", annotations=annotations, preset="tiny", n=1).quotas.values()) == {
        1
    }


def test_class_names_are_matched_without_regard_to_case_blanks_and_underscores(annotations) -> None:
    chosen = sample("kinetics", annotations=annotations, classes=["Baking_Cookies", "YOGA"], n=1)
    assert {group.label for group in chosen.quotas} == {"baking cookies", "yoga"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"preset": "kinetics-10"}, "did you mean kinetics-100"),
        ({"preset": "kinetics-100:vall"}, "its parts are train, val, test"),
        ({"preset": "kinetics-100:val"}, "add --n"),
        ({"preset": "imagenette", "n": 1}, "is for imagenet, not kinetics"),
        ({"preset": "tiny", "classes": ["yoga"]}, "--preset chooses the classes"),
        ({"preset": "../tiny"}, "no preset"),
        ({"classes": ["baking cooky"], "n": 1}, "nearest: 'baking cookies'"),
        (
            {"preset": "mini-kinetics-200", "n": 1},
            "187 classes are not in the .*: 'abseiling'",
        ),
    ],
)
def test_what_cannot_be_chosen_is_refused_with_the_remedy(annotations, options, said) -> None:
    with pytest.raises(InputError, match=said):
        sample("kinetics", annotations=annotations, **options)


def test_they_are_listed_and_printed(capsys) -> None:
    assert main(["presets"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed[1:]] == list(presets.names())
    assert main(["presets", "imagenette"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "n01440764"

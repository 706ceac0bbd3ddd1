"""Classes that the annotations name otherwise, or do not have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import trees
from helpers import (
    FAST,
    SMALL,
    WHEEL,
    Bench,
    Row,
    read_table,
    real_annotations,
    write_csv,
    youtube_id,
)

from nanokinetics import sample
from nanokinetics.cli import main
from nanokinetics.demo.scenario import Scenario, Video
from nanokinetics.errors import InputError
from nanokinetics.selection import presets
from nanokinetics.selection.naming import Table
from nanokinetics.selection.renamed import renamed, successors


def labels_of(name: str) -> set[str]:
    return {row["label"] for row in read_table(real_annotations(name))}


@pytest.mark.real_annotations
def test_a_renamed_class_has_its_new_name_in_every_later_version() -> None:
    k400 = labels_of("k400/val_with_is_cc.csv")
    for later in ("k600/validate.csv", "k700/validate.csv"):
        labels = labels_of(later)
        for was, now in renamed().items():
            assert was in k400 - labels
            assert now in labels - k400
    for was, became in successors().items():
        assert was in k400 | labels_of("k600/validate.csv")
        assert set(became) <= labels_of("k600/validate.csv") | labels_of("k700/validate.csv") | k400


@pytest.mark.real_annotations
def test_windows_in_both_versions_bear_the_new_names() -> None:
    """Nothing else is called by the new name, and nothing of the old class by another one."""
    before = [*read_table(real_annotations("k400/val_with_is_cc.csv"))]
    before += read_table(real_annotations("k400/test_labelled.csv"))
    after = {
        (row["youtube_id"], float(row["time_start"])): row["label"]
        for row in read_table(real_annotations("k600/validate.csv"))
    }
    pairs = {
        (row["label"], after[window])
        for row in before
        if (window := (row["youtube_id"], float(row["time_start"]))) in after
    }
    old, new = set(renamed()), set(renamed().values())
    assert {pair for pair in pairs if pair[0] in old or pair[1] in new} == set(renamed().items())


@pytest.mark.real_annotations
@pytest.mark.parametrize(
    ("preset", "version", "missing"),
    [
        ("mini-kinetics-200", "k400/val_with_is_cc.csv", ()),
        (
            *("mini-kinetics-200", "k600/validate.csv"),
            (
                *("cleaning floor", "cooking chicken", "filling eyebrows"),
                *("skiing (not slalom or crosscountry)", "using computer"),
            ),
        ),
        (
            *("mini-kinetics-200", "k700/validate.csv"),
            (
                *("cleaning floor", "picking fruit", "skiing (not slalom or crosscountry)"),
                "using computer",
            ),
        ),
        (
            *("kinetics-100", "k700/validate.csv"),
            ("cleaning floor", "opening bottle", "using computer"),
        ),
    ],
)
def test_what_a_preset_finds_in_each_version(
    preset: str, version: str, missing: tuple[str, ...]
) -> None:
    classes = presets.read(preset).classes or ()
    found = Table(sorted(labels_of(version)), renamed=renamed()).named(classes, skip_missing=True)
    assert sorted(found.missing) == sorted(missing)
    assert len(found.labels) == len(classes) - len(missing)


def test_each_change_of_a_class_names_its_source() -> None:
    for each in (*renamed().items(), *successors().items()):
        assert each[0]
        assert each[1]
    assert not set(renamed()) & set(renamed().values())


# -- the names


TABLE = Table(
    ("dyeing hair", "hugging (not baby)", "hugging baby", "yoga", "Yoga", "tying, then untying"),
    {"yoga": "stretching,asana"},
    {"dying hair": "dyeing hair"},
    successors(),
)


def test_labels_are_found_by_other_names_and_by_those_of_another_version() -> None:
    found = TABLE.named(["asana", "dying hair", "HUGGING_baby", "yoga", "yoga"])
    assert found.labels == ("dyeing hair", "hugging baby", "yoga")
    assert found.renamed == {"dying hair": "dyeing hair"}
    assert found.missing == ()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["hugging"], "no class 'hugging' in the annotations (here 'hugging (not baby)' and 'hug"),
        (["Y O G A"], "class 'Y O G A' may mean 'yoga' and 'Yoga'; spell it exactly"),
        (["yoga", "x", "dyeing hare"], "2 classes are not in the annotations: 'x', 'dyeing hare' "),
        (["yoga", "x", "y"], "'x', 'y'; --skip-missing-classes leaves out what is not there"),
        (["hugging", "baby"], "no classes 'hugging', 'baby' in the annotations; did you mean 'hug"),
        (
            ["tying", "then untying"],
            "did you mean 'tying, then untying', in a file of a label a line",
        ),
        ([f"{n}§" for n in range(30)], "'9§' and 20 more"),
    ],
)
def test_what_has_no_meaning_is_said_at_once(names: list[str], said: str) -> None:
    with pytest.raises(InputError) as refused:
        TABLE.named(names)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_missing_is_left_out_only_while_something_is_left() -> None:
    assert TABLE.named(["x", "yoga"], skip_missing=True).missing == ("x",)
    with pytest.raises(InputError, match="2 classes are not in the annotations"):
        TABLE.named(["x", "y"], skip_missing=True)


# -- in a choice


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """Annotations that have the preset as a later version names its classes."""
    names = [
        renamed().get(label, label)
        for label in presets.read("kinetics-100").classes or ()
        if label not in ("cleaning floor", "opening bottle", "using computer")
    ]
    rows = [
        Row(label, youtube_id(10 * place + number), 1, 2, split)
        for place, label in enumerate(names)
        for number, split in enumerate(("train", "train", "val"))
        if (split, label) != ("val", "bowling")
    ]
    return write_csv(tmp_path / "later.csv", rows)


def test_a_preset_of_an_earlier_version_takes_the_renamed_class(later: Path) -> None:
    chosen = sample(
        "kinetics",
        annotations=later,
        preset="kinetics-100",
        n=1,
        split="train",
        skip_missing_classes=True,
    )
    labels = {group.label for group in chosen.quotas}
    assert "dyeing hair" in labels
    assert len(labels) == 97


def test_a_class_of_ones_own_is_not_renamed_but_its_other_name_is_said(later: Path) -> None:
    with pytest.raises(InputError, match=r"no class 'dying hair' .*\(here 'dyeing hair'\)"):
        sample("kinetics", annotations=later, classes=["dying hair", "bowling"], n=1)


def test_a_class_without_clips_in_one_split_is_left_out_of_that_split(later: Path) -> None:
    asked = {"annotations": later, "classes": ["bowling", "air drumming"], "n": 1}
    with pytest.raises(InputError, match="class 'bowling' has no clips in split val; leave out"):
        sample("kinetics", **asked)  # type: ignore[arg-type]
    chosen = sample("kinetics", **asked, skip_missing_classes=True)  # type: ignore[arg-type]
    assert sorted(chosen.quotas) == [
        ("train", "air drumming"),
        ("train", "bowling"),
        ("val", "air drumming"),
    ]


# -- in a folder


@pytest.fixture
def build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Build a folder of pictures; gives the exit code and what is said to people."""
    monkeypatch.chdir(tmp_path)

    def build(*more: str) -> tuple[int, str]:
        command = ("build", "folder", "--src", "src", "--dest", "nano", "--n", "1", "--workers")
        code = main([*command, "1", "--ffmpeg", WHEEL, *more])
        return code, capsys.readouterr().err

    return build


def test_what_was_left_out_is_recorded_and_said_and_comes_once_it_is_there(
    tmp_path: Path, build: Callable[..., tuple[int, str]]
) -> None:
    for number, label in enumerate(("yoga", "zumba", "bowling")):
        trees.lay(tmp_path, {f"src/train/{label}/1.jpg": trees.picture(number)})
    trees.lay(tmp_path, {"src/val/yoga/1.jpg": trees.picture(7)})
    some = ("--classes", "yoga", "zumba", "jogging", "skating")
    code, said = build(*some)
    assert code == 2
    assert "2 classes are not in the annotations: 'jogging', 'skating'; --skip-missing" in said
    assert not (tmp_path / "nano").exists()

    def recorded() -> dict[str, list[str]]:
        found = json.loads((tmp_path / "nano" / "run.json").read_text())
        left_out: dict[str, list[str]] = found.get("missing_classes", {})
        return left_out

    code, said = build(*some, "--skip-missing-classes")
    assert code == 0
    assert "left out of train, which has no clips of them: 'jogging', 'skating'" in said
    assert "left out of val, which has no clips of them: 'jogging', 'skating', 'zumba'" in said
    assert recorded() == {
        "train": ["jogging", "skating"],
        "val": ["jogging", "skating", "zumba"],
    }
    assert build(*some)[0] == 2, "without the option they are asked for"

    trees.lay(tmp_path, {"src/train/jogging/1.jpg": trees.picture(8)})
    code, said = build(*some, "--skip-missing-classes", "--split", "train")
    assert code == 0
    assert "left out of train, which has no clips of them: 'skating'" in said
    assert recorded() == {"train": ["skating"], "val": ["jogging", "skating", "zumba"]}
    made = {(row["split"], row["label"]) for row in read_table(tmp_path / "nano" / "stats.csv")}
    assert made == {("train", "yoga"), ("train", "zumba"), ("train", "jogging"), ("val", "yoga")}


def test_a_record_without_these_entries_or_with_strange_ones_goes_on(
    tmp_path: Path, build: Callable[..., tuple[int, str]]
) -> None:
    trees.lay(tmp_path, {"src/yoga/1.jpg": trees.picture(1), "src/zumba/1.jpg": trees.picture(2)})
    assert build("--classes", "yoga")[0] == 0
    record = tmp_path / "nano" / "run.json"
    told = json.loads(record.read_text())
    assert "missing_classes" not in told
    record.write_text(json.dumps(told | {"missing_classes": 7, "renamed_classes": ["x"]}))
    assert build("--classes", "yoga")[0] == 0
    assert build("--classes", "yoga", "zumba")[0] == 0


@pytest.mark.slow
def test_a_build_takes_a_renamed_class_and_says_so_each_time(
    bench: Callable[..., Bench],
) -> None:
    rows = [Row("dyeing hair", "aaaaaaaaaaa", 1, 3)]
    options = ("--preset", "Kinetics_100:Train", "--skip-missing-classes", *FAST)
    made = bench(Scenario({"aaaaaaaaaaa": Video(SMALL)}), rows, 1, *options)
    for _ in range(2):
        done = made.run()
        assert done.code == 0
        assert "renamed in these annotations: 'dying hair' is 'dyeing hair'" in done.stderr
        assert "left out of train, which has no clips of them: 'air drumming', 'arm " in done.stderr
    record = json.loads((made.dest / "run.json").read_text())
    assert record["renamed_classes"] == {"dying hair": "dyeing hair"}
    assert record["classes"] == {"train": ["dyeing hair"]}
    assert len(record["missing_classes"]["train"]) == 63
    made.holds(rows)

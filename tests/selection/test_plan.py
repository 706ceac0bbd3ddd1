"""A folder may grow; what would contradict it is refused, named, and changes nothing."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from nanokinetics.annotations import read
from nanokinetics.clip import Group
from nanokinetics.common.folder import Folder
from nanokinetics.config import BuildConfig
from nanokinetics.dataset.record import quotas_of
from nanokinetics.errors import InputError
from nanokinetics.layout import LOCK
from nanokinetics.selection import made_alike, settle, source_of
from nanokinetics.selection.frame import Selection
from nanokinetics.selection.growth import make_plan
from nanokinetics.selection.plan import Plan, request_of, same_again
from nanokinetics.selection.sampling import select

LABELS = ("abseiling", "hurling (sport)", "massaging person's head", "yoga")
VERSIONS = {"nanokinetics": "0"}

Planner = Callable[..., Plan]


def annotate(path: Path, split: str, candidates: int = 6, start: float = 10) -> Path:
    """A file of four classes with windows of ten seconds."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("label", "youtube_id", "time_start", "time_end", "split"))
        for place, label in enumerate(LABELS):
            for number in range(candidates):
                video = f"{split[:2]}-{place}-{number:06d}"
                table.writerow((label, video, start, start + 10, split))
    return path


@pytest.fixture
def dest(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "nano")


@pytest.fixture
def plan(tmp_path: Path, dest: Folder) -> Planner:
    """Plan a build, as `build` does, and keep the plan."""
    files = [annotate(tmp_path / f"{split}.csv", split) for split in ("train", "val")]

    def make(**options: Any) -> Plan:
        asked = {"dataset": "kinetics", "annotations": files, "splits": ["train"], "n": 2}
        config = settle(BuildConfig(**{**asked, "dest": dest.path, **options}))
        found = read(config.dataset, config.files)
        chosen = select(
            found.frame,
            splits=config.splits,
            n=config.n or 0,
            classes=config.classes,
            num_classes=config.num_classes,
            seed=config.seed or "",
        )
        request = request_of(config, version("nanokinetics"))
        made = make_plan(config, source_of(config), found, chosen, dest, request=request)
        made.save(dest, VERSIONS)
        return made

    return make


def chosen_by(plan: Plan) -> Selection:
    """What a plan was made of."""
    assert isinstance(plan.selection, Selection)
    return plan.selection


def kept(plan: Plan) -> dict[Group, list[str]]:
    """The keys of the picks of each class."""
    selection = chosen_by(plan)
    return {
        group: selection.candidates(group)["key"].tolist()[:n]
        for group, n in selection.quotas.items()
    }


def contains(larger: Mapping[Group, list[str]], smaller: Mapping[Group, list[str]]) -> bool:
    return all(larger[group][: len(keys)] == keys for group, keys in smaller.items())


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_new_folder_records_what_was_asked(plan: Planner, dest: Folder) -> None:
    made = plan(n=2, classes=["yoga", "abseiling"], seed="ä")
    record = json.loads(dest.place("run.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256(dest.place("selection.csv").read_bytes()).hexdigest()
    assert record == {**made.record, "versions": VERSIONS, "selection_sha256": digest}
    assert record["seed"] == "ä"
    assert record["n"] == {"train": 2}
    assert record["split"] == ["train"]
    assert record["classes"] == {"train": ["abseiling", "yoga"]}
    assert record["resolution"] == 360
    assert record["labels"] == list(LABELS)
    assert {len(digest) for digest in record["annotations"].values()} == {64}
    assert set(record["annotations"]) == {"train.csv", "val.csv"}
    assert record["versions"] == VERSIONS
    assert dest.place("selection.csv").read_bytes() == chosen_by(made).to_csv()


def test_the_same_command_changes_nothing(plan: Planner, dest: Folder) -> None:
    plan()
    before = everything(dest.path)
    plan()
    assert everything(dest.path) == before


GROWTH: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("more clips", {"n": 2}, {"n": 3}),
    (
        "more clips of one split",
        {"n": 2, "splits": None},
        {"n": {"train": 4, "val": 2}, "splits": None},
    ),
    ("more classes", {"classes": ["yoga"]}, {"classes": ["yoga", "abseiling"]}),
    ("more drawn classes", {"num_classes": 2}, {"num_classes": 3}),
    ("all classes", {"num_classes": 2}, {}),
    ("another split as well", {}, {"splits": ["train", "val"]}),
    ("everything", {"n": 1, "num_classes": 1}, {"n": 6, "splits": None}),
]


@pytest.mark.parametrize(
    ("first", "second"), [g[1:] for g in GROWTH], ids=[name for name, *_ in GROWTH]
)
def test_a_folder_may_grow(plan: Planner, first: dict[str, Any], second: dict[str, Any]) -> None:
    before = kept(plan(**first))
    after = kept(plan(**second))
    assert contains(after, before)
    assert after != before


def test_another_split_alone_leaves_the_first_in_place(plan: Planner, dest: Folder) -> None:
    train = kept(plan(splits=["train"], n=2))
    both = plan(splits=["val"], n=1, classes=["yoga"])
    assert contains(kept(both), train)
    assert both.selection.quotas[Group("val", "yoga")] == 1
    assert both.selection.quotas == quotas_of(both.record)
    assert both.record["n"] == {"train": 2, "val": 1}
    assert dest.place("selection.csv").read_bytes() == chosen_by(both).to_csv()
    ranks = chosen_by(both).frame.groupby(["split", "label"], sort=False)["rank"]
    assert all(list(group) == list(range(1, 7)) for _, group in ranks)


def test_growth_in_any_steps_ends_in_the_same_selection(plan: Planner, dest: Folder) -> None:
    plan(splits=["val"], n=1, classes=["yoga"])
    plan(splits=["train"], n=2)
    plan(splits=["val"], n=3)
    stepwise = dest.place("selection.csv").read_bytes()
    dest.place("selection.csv").unlink()
    dest.place("run.json").unlink()
    plan(splits=["train", "val"], n={"train": 2, "val": 3})
    assert dest.place("selection.csv").read_bytes() == stepwise


def test_annotations_under_other_names_are_the_same_annotations(
    plan: Planner, tmp_path: Path
) -> None:
    plan()
    copy = annotate(tmp_path / "copy.csv", "train")
    made = plan(annotations=[copy])
    assert set(made.record["annotations"]) == {"train.csv", "val.csv", "copy.csv"}


@pytest.mark.parametrize(
    ("second", "named"),
    [
        ({"n": 1}, "n of train 2"),
        ({"seed": "1"}, "seed 0"),
        ({"resolution": 240}, "resolution 360"),
        ({"fps": 15}, "fps None"),
        ({"audio": False}, "audio True"),
        ({"crf": 30}, "crf 23"),
        ({"x264_preset": "slow"}, "x264_preset veryfast"),
        ({"gop": "0.5"}, "gop None"),
        ({"classes": ["yoga"]}, "'abseiling'"),
        ({"num_classes": 3}, "classes"),
    ],
)
def test_what_contradicts_is_refused_by_name_and_changes_nothing(
    plan: Planner, dest: Folder, second: dict[str, Any], named: str
) -> None:
    plan(n=2)
    before = everything(dest.path)
    with pytest.raises(InputError, match="was built with") as caught:
        plan(**second)
    assert named in str(caught.value)
    assert str(dest.path) in str(caught.value)
    assert everything(dest.path) == before


def test_the_distance_of_keyframes_is_recorded_if_there_is_one(plan: Planner) -> None:
    """Without it `run.json` is as earlier versions wrote it; so their folders go on."""
    assert "gop" not in plan().record
    assert "gop" not in plan(gop="none").record


def test_another_subset_hands_its_distance_of_keyframes_on(plan: Planner, dest: Folder) -> None:
    record = dict(plan(gop="0.5").record)
    assert record["gop"] == 0.5
    config = BuildConfig(dataset="kinetics", from_=dest.path, dest=dest.path / "again")
    assert made_alike(config, record).video.gop == 0.5
    assert made_alike(replace(config, gop="none"), record).video.gop is None
    assert made_alike(replace(config, gop=2), record).video.gop == 2
    del record["gop"]
    assert made_alike(config, record).video.gop is None


@pytest.mark.parametrize(
    ("candidates", "start"),
    [(5, 10), (7, 10), (6, 11), (6, 10.25)],
    ids=["fewer", "more", "other windows", "other fractions under the same keys"],
)
def test_other_annotations_are_refused_and_change_nothing(
    plan: Planner, dest: Folder, tmp_path: Path, candidates: int, start: float
) -> None:
    plan()
    before = everything(dest.path)
    other = annotate(tmp_path / "other.csv", "train", candidates, start)
    with pytest.raises(InputError, match=r"other annotations: 'abseiling' \(train\)"):
        plan(annotations=[other])
    assert everything(dest.path) == before


def test_a_folder_that_holds_something_else_is_refused(plan: Planner, dest: Folder) -> None:
    dest.path.mkdir()
    (dest.path / "thesis.tex").write_text("important")
    with pytest.raises(InputError, match=r"thesis\.tex.*no run\.json"):
        plan()
    assert everything(dest.path) == {"thesis.tex": b"important"}


def test_an_empty_folder_or_one_with_hidden_files_will_do(plan: Planner, dest: Folder) -> None:
    dest.path.mkdir()
    dest.place(LOCK).touch()
    plan()
    assert dest.place("run.json").exists()


def test_a_file_in_the_place_of_the_folder_is_refused(plan: Planner, dest: Folder) -> None:
    dest.path.write_text("important")
    with pytest.raises(InputError, match="nano"):
        plan()
    assert dest.path.read_text() == "important"


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b"7",
        b'"text"',
        b"\xff\xfe",
        b'{"seed": "0"}',
    ],
)
def test_a_damaged_record_is_refused_and_left_as_it_is(
    plan: Planner, dest: Folder, damage: bytes
) -> None:
    plan()
    dest.place("run.json").write_bytes(damage)
    before = everything(dest.path)
    with pytest.raises(InputError, match=r"run\.json is damaged"):
        plan()
    assert everything(dest.path) == before


@pytest.mark.parametrize("field", ["n", "classes", "labels", "annotations", "split"])
def test_a_record_whose_fields_are_of_another_type_is_damaged(
    plan: Planner, dest: Folder, field: str
) -> None:
    plan()
    record = json.loads(dest.place("run.json").read_text(encoding="utf-8"))
    dest.place("run.json").write_text(json.dumps(record | {field: None}), encoding="utf-8")
    with pytest.raises(InputError, match=r"run\.json"):
        plan()


def test_a_damaged_selection_is_written_anew_from_the_same_annotations(
    plan: Planner, dest: Folder
) -> None:
    plan()
    whole = dest.place("selection.csv").read_bytes()
    dest.place("selection.csv").write_bytes(b"key,label\n")
    plan()
    assert dest.place("selection.csv").read_bytes() == whole


def test_a_damaged_selection_is_refused_where_not_all_of_it_is_asked(
    plan: Planner, dest: Folder
) -> None:
    plan()
    dest.place("selection.csv").write_bytes(b"key,label\n")
    with pytest.raises(InputError, match=r"selection\.csv"):
        plan(splits=["val"])
    assert dest.place("selection.csv").read_bytes() == b"key,label\n"


def test_a_run_that_ended_between_its_two_files_goes_on(plan: Planner, dest: Folder) -> None:
    plan()
    whole = everything(dest.path)
    dest.place("selection.csv").unlink()
    plan()
    assert everything(dest.path) == whole


# -- the same command again


def test_the_same_command_takes_its_plan_from_the_folder(plan: Planner, dest: Folder) -> None:
    first = plan(n=2, classes=["yoga", "abseiling"])
    again = same_again(first.record["request"], dest)
    assert again is not None
    assert again.table == first.table
    assert again.selection.quotas == first.selection.quotas
    for group in first.selection.groups():
        rows = first.selection.rows(group)
        assert again.selection.rows(group) == rows
        assert list(again.selection.ids(group)) == list(first.selection.ids(group))
        assert [*map(again.selection.clip, rows)] == [*map(first.selection.clip, rows)]
        assert [*again.selection.videos(group)] == [*first.selection.videos(group)]
    assert again.selection.quotas == first.selection.quotas
    assert again.selection.labels == first.selection.labels


def test_to_go_on_takes_no_pandas() -> None:
    """Its import takes longer than all else that a run with nothing to do has to do."""
    script = "import sys, nanokinetics.api; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    "other",
    [
        {"n": 3},
        {"splits": ["train", "val"]},
        {"classes": ["yoga"]},
        {"num_classes": 2},
        {"seed": "1"},
        {"resolution": 240},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_command_reads_the_annotations(
    plan: Planner, dest: Folder, other: dict[str, Any], tmp_path: Path
) -> None:
    asked: dict[str, Any] = {"dataset": "kinetics", "dest": dest.path, "n": 2, "splits": ["train"]}
    asked["annotations"] = [tmp_path / "train.csv", tmp_path / "val.csv"]
    plan()
    assert (
        same_again(request_of(settle(BuildConfig(**asked)), "1"), dest) is None
    )  # another version
    same = request_of(settle(BuildConfig(**asked)), version("nanokinetics"))
    assert same_again(same, dest) is not None
    request = request_of(settle(BuildConfig(**{**asked, **other})), version("nanokinetics"))
    assert same_again(request, dest) is None
    annotate(tmp_path / "val.csv", "val", start=11)
    assert (
        same_again(request_of(settle(BuildConfig(**asked)), version("nanokinetics")), dest) is None
    )


def test_a_selection_that_was_edited_is_not_taken_for_the_plan(plan: Planner, dest: Folder) -> None:
    request, selection = plan().record["request"], dest.place("selection.csv")
    selection.write_bytes(selection.read_bytes().replace(b"yoga", b"yogi"))
    assert same_again(request, dest) is None
    selection.unlink()
    assert same_again(request, dest) is None

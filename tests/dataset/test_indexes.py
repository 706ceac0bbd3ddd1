"""Every file that a loader reads, to the letter."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest

from nanokinetics.clip import ClipId, Group
from nanokinetics.common.folder import Folder
from nanokinetics.common.names import class_dir
from nanokinetics.dataset import indexes
from nanokinetics.dataset.indexes.contents import contents
from nanokinetics.dataset.ranking import COLUMNS
from nanokinetics.layout import Layout
from nanokinetics.selection.frame import Selection

HEAD = "massaging person's head"
QUOTED = 'playing "it", badly'
LABELS = (HEAD, "hurling (sport)", QUOTED, "yoga")
ALL_LABELS = tuple(sorted([*LABELS, "abseiling", "zumba"]))


def key(video: str, start: int) -> str:
    return f"{video}_{start:06d}_{start + 10:06d}"


def selection_of(
    quotas: dict[Group, int], candidates: int = 4, labels: tuple[str, ...] = LABELS
) -> Selection:
    """Each class has as many candidates; the video's name holds its split, class and rank."""
    rows = []
    for group in quotas:
        for rank in range(1, candidates + 1):
            video = f"{group.split[0]}-{labels.index(group.label)}-{rank:07d}"
            start = 10 * rank
            rows.append((key(video, start), *group, video, float(start), start + 10.0, rank))
    return Selection(pd.DataFrame(rows, columns=list(COLUMNS)), quotas, ALL_LABELS)


def ids(selection: Selection, group: Group, *ranks: int) -> set[ClipId]:
    rows = selection.rows(group)
    return {selection.clip(rows[rank - 1]).id for rank in ranks}


def write(selection: Selection, done: set[ClipId], root: Path) -> dict[str, str]:
    """All indexes: their texts by their relative paths."""
    layout = Layout()
    clips = (selection.clip(row) for group in selection.groups() for row in selection.rows(group))
    paths = {clip.id: layout.clip_path(clip) for clip in clips if clip.id in done}
    indexes.write_all(contents(selection, paths, layout), Folder(root))
    return {
        str(path.relative_to(root)): path.read_bytes().decode()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Four classes of two, in two splits; rank 1 is gone in one class, another has one only."""
    train = {Group("train", label): 2 for label in sorted(LABELS)}
    selection = selection_of(train | {Group("val", "yoga"): 1})
    done = (
        ids(selection, Group("train", HEAD), 1, 2)
        | ids(selection, Group("train", "hurling (sport)"), 2, 3)
        | ids(selection, Group("train", QUOTED), 1)
        | ids(selection, Group("train", "yoga"), 1, 2, 3, 4)
        | ids(selection, Group("val", "yoga"), 1)
    )
    return write(selection, done, tmp_path)


def test_there_are_these_files_and_no_others(files: dict[str, str]) -> None:
    assert set(files) == {
        ".indexes.sha256",
        "classes.csv",
        "train.csv",
        "val.csv",
        "train/metadata.csv",
        "val/metadata.csv",
        "annotations/train.csv",
        "annotations/val.csv",
    }


def test_classes(files: dict[str, str]) -> None:
    assert files["classes.csv"] == (
        "label_id,source_id,label,class_dir,wanted,got\n"
        "0,1,hurling (sport),hurling_(sport),2,2\n"
        "1,2,massaging person's head,massaging_person's_head,2,2\n"
        '2,3,"playing ""it"", badly","playing_""it"",_badly",2,1\n'
        "3,4,yoga,yoga,3,3\n"
    )


def test_lists(files: dict[str, str]) -> None:
    assert files["train.csv"] == (
        "train/hurling_(sport)/t-1-0000002_000020_000030.mp4 0\n"
        "train/hurling_(sport)/t-1-0000003_000030_000040.mp4 0\n"
        "train/massaging_person's_head/t-0-0000001_000010_000020.mp4 1\n"
        "train/massaging_person's_head/t-0-0000002_000020_000030.mp4 1\n"
        'train/playing_"it",_badly/t-2-0000001_000010_000020.mp4 2\n'
        "train/yoga/t-3-0000001_000010_000020.mp4 3\n"
        "train/yoga/t-3-0000002_000020_000030.mp4 3\n"
    )
    assert files["val.csv"] == "val/yoga/v-3-0000001_000010_000020.mp4 3\n"


def test_hugging_face(files: dict[str, str]) -> None:
    assert files["train/metadata.csv"] == (
        "file_name,label,label_id,youtube_id,time_start,time_end\n"
        "hurling_(sport)/t-1-0000002_000020_000030.mp4,hurling (sport),0,t-1-0000002,20,30\n"
        "hurling_(sport)/t-1-0000003_000030_000040.mp4,hurling (sport),0,t-1-0000003,30,40\n"
        "massaging_person's_head/t-0-0000001_000010_000020.mp4,massaging person's head,1,"
        "t-0-0000001,10,20\n"
        "massaging_person's_head/t-0-0000002_000020_000030.mp4,massaging person's head,1,"
        "t-0-0000002,20,30\n"
        '"playing_""it"",_badly/t-2-0000001_000010_000020.mp4","playing ""it"", badly",2,'
        "t-2-0000001,10,20\n"
        "yoga/t-3-0000001_000010_000020.mp4,yoga,3,t-3-0000001,10,20\n"
        "yoga/t-3-0000002_000020_000030.mp4,yoga,3,t-3-0000002,20,30\n"
    )


def test_deepmind(files: dict[str, str]) -> None:
    assert files["annotations/val.csv"] == (
        "label,youtube_id,time_start,time_end,split\nyoga,v-3-0000001,10,20,val\n"
    )
    assert files["annotations/train.csv"].splitlines()[5] == (
        '"playing ""it"", badly",t-2-0000001,10,20,train'
    )


def test_clips_beyond_the_quota_are_in_no_list(files: dict[str, str]) -> None:
    assert not any("t-3-0000003" in text or "t-3-0000004" in text for text in files.values())


def test_all_lists_name_the_same_clips_in_the_same_order(files: dict[str, str]) -> None:
    for split in ("train", "val"):
        paths = [line.rpartition(" ")[0] for line in files[f"{split}.csv"].splitlines()]
        metadata = list(csv.DictReader(io.StringIO(files[f"{split}/metadata.csv"])))
        assert [f"{split}/{row['file_name']}" for row in metadata] == paths
        rows = list(csv.DictReader(io.StringIO(files[f"annotations/{split}.csv"])))
        assert [r["youtube_id"] for r in rows] == [r["youtube_id"] for r in metadata]


def test_no_path_holds_a_space(files: dict[str, str]) -> None:
    assert all(line.count(" ") == 1 for line in files["train.csv"].splitlines())


def test_label_ids_are_those_of_a_reader_of_folders(tmp_path: Path) -> None:
    """In the order of the folders, not of the labels: a blank sorts before a dash, `_` after it."""
    labels = ("pull ups", "pull-ups", "Pull")
    made = selection_of({Group("train", label): 1 for label in labels}, labels=labels)
    selection = Selection(made.frame, made.quotas, tuple(sorted(labels)))
    done = {clip for group in selection.quotas for clip in ids(selection, group, 1)}
    files = write(selection, done, tmp_path)
    rows = list(csv.DictReader(io.StringIO(files["classes.csv"])))
    folders = sorted({class_dir(label) for label in labels})
    assert [row["class_dir"] for row in rows] == folders == ["Pull", "pull-ups", "pull_ups"]
    assert [row["label_id"] for row in rows] == ["0", "1", "2"]
    assert [row["source_id"] for row in rows] == ["0", "2", "1"], "a blank sorts before a dash"


def test_fractions_of_seconds_are_kept(tmp_path: Path) -> None:
    selection = selection_of({Group("train", "yoga"): 1}, candidates=1)
    frame = selection.frame.assign(time_start=[10.25], time_end=[20.5])
    selection = Selection(frame, selection.quotas, selection.labels)
    files = write(selection, ids(selection, Group("train", "yoga"), 1), tmp_path)
    assert files["annotations/train.csv"].splitlines()[1] == "yoga,t-3-0000001,10.25,20.5,train"


def test_a_dataset_without_a_clip_yet_has_all_its_files(tmp_path: Path) -> None:
    selection = selection_of({Group("train", "yoga"): 2})
    files = write(selection, set(), tmp_path)
    assert files["train.csv"] == ""
    assert files["train/metadata.csv"].count("\n") == 1
    assert files["annotations/train.csv"].count("\n") == 1
    assert files["classes.csv"].splitlines()[1] == "0,4,yoga,yoga,2,0"


def test_indexes_are_written_anew_not_appended_to(tmp_path: Path) -> None:
    selection = selection_of({Group("train", "yoga"): 2})
    group = Group("train", "yoga")
    write(selection, ids(selection, group, 1), tmp_path)
    once = write(selection, ids(selection, group, 1, 2), tmp_path)
    assert write(selection, ids(selection, group, 1, 2), tmp_path) == once
    assert once["train.csv"].count("\n") == 2


@pytest.mark.parametrize(
    ("label", "folder"),
    [
        ("yoga", "yoga"),
        ("hurling (sport)", "hurling_(sport)"),
        ("massaging person's head", "massaging_person's_head"),
        ("a  b", "a__b"),
        ("Straße fegen", "Straße_fegen"),
    ],
)
def test_a_class_folder_is_the_label_with_each_space_turned(label: str, folder: str) -> None:
    assert class_dir(label) == folder


@pytest.mark.parametrize("name", ["train.csv", "train/metadata.csv", "classes.csv", "run.json"])
@pytest.mark.parametrize("how", ["edited", "gone"])
def test_indexes_are_fresh_until_a_table_changes(tmp_path: Path, name: str, how: str) -> None:
    train = {Group("train", label): 1 for label in sorted(LABELS)}
    (tmp_path / "run.json").write_text("{}")
    home = Folder(tmp_path)
    assert not indexes.are_fresh(home)
    write(selection_of(train), set(), tmp_path)
    assert indexes.are_fresh(home)
    if how == "edited":
        (tmp_path / name).write_bytes(b"x" + (tmp_path / name).read_bytes())
    else:
        (tmp_path / name).unlink()
    assert not indexes.are_fresh(home)

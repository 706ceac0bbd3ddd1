"""The scripts of the nano-datasets paper, run as their users run them."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
import trees
from helpers import (
    ONE_CLIENT,
    SMALL,
    WHEEL,
    Done,
    Row,
    Running,
    kept,
    read_table,
    snapshot,
    write_csv,
    youtube_id,
)
from trees import WNIDS, by_class, first_ranked, label_of, lay, prefixed

from nanokinetics.demo.scenario import Scenario, Video

SCRIPTS = Path(__file__).parents[1] / "scripts"
TRAIN, VAL = trees.imagenet_train(4), trees.imagenet_val()


def _run(script: str, *arguments: object, cwd: Path) -> Done:
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    running = Running([sys.executable, str(SCRIPTS / script), *map(str, arguments)], cwd, env)
    try:
        done = running.wait()
    finally:
        running.kill_group()
    assert "Traceback" not in done.stderr
    return done


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _picks(n: int, wnid: str) -> list[str]:
    """The first n training images of a class, by the contract."""
    keys = [name.removesuffix(".JPEG") for name in TRAIN if name.startswith(wnid)]
    return [f"{key}.JPEG" for key in first_ranked(keys)[:n]]


# -- gen_nano_imagenet.py


@pytest.fixture
def mini(tmp_path) -> Path:
    lay(tmp_path / "imagenet-mini", prefixed("train/", TRAIN) | prefixed("val/", by_class(VAL)))
    return tmp_path


def _gen(cwd: Path, *arguments: object, src: str = "imagenet-mini/train") -> Done:
    return _run("gen_nano_imagenet.py", "--src", src, "--dest", ".", *arguments, cwd=cwd)


def test_imagenet_is_copied_and_listed_with_its_wnids(mini):
    before = snapshot(mini / "imagenet-mini")
    done = _gen(mini, "--n", 2)
    assert done.code == 0, done.stderr
    picks = [name for wnid in WNIDS for name in _picks(2, wnid)]
    paths = [mini / "imagenetmini" / "train" / name for name in picks]
    wnids = [name.split("/")[0] for name in picks]
    expected = [f"{path} {wnid}" for path, wnid in zip(paths, wnids, strict=True)]
    assert _lines(mini / "imagenetmini-classes.txt") == expected
    assert [path.read_bytes() for path in paths] == [TRAIN[name] for name in picks]
    assert len(list((mini / "imagenetmini").rglob("*.JPEG"))) == len(picks)
    assert _lines(mini / "image_paths.csv") == [
        "Image Path,Class",
        *(line.replace(" ", ",") for line in expected),
    ]
    numbered = [f"{number},{wnid}" for number, wnid in enumerate(WNIDS)]
    assert _lines(mini / "class_mapping.csv") == ["Class ID,Class Name", *numbered]
    assert snapshot(mini / "imagenet-mini") == before


@pytest.mark.slow
def test_the_same_command_again_lists_nothing_twice_and_a_larger_n_goes_on(mini):
    _gen(mini, "--n", 1)
    first = snapshot(mini)
    assert _gen(mini, "--n", 1).code == 0
    assert snapshot(mini) == first
    assert _gen(mini, "--n", 3).code == 0
    lines = _lines(mini / "imagenetmini-classes.txt")
    assert len(set(lines)) == len(lines) == 3 * len(WNIDS)
    assert all(Path(line.split(" ")[0]).is_file() for line in lines)


def test_the_numbers_of_a_class_file_stand_in_the_list_the_last_one_whole(mini):
    numbers = {wnid: str(110 + place) for place, wnid in enumerate(WNIDS)}
    text = "\n".join(f"{wnid}\t{number}" for wnid, number in numbers.items())  # no line end
    (mini / "classes.txt").write_text(text)
    done = _gen(mini, "--n", 2, "--class_fp", "classes.txt", src="imagenet-mini")
    assert done.code == 0, done.stderr
    found: Counter[tuple[str, str]] = Counter()
    for line in _lines(mini / "imagenetmini-classes.txt"):
        path, number = line.split(" ")
        assert number == numbers[Path(path).parent.name]
        found[path.split("/")[-3], number] += 1
    assert found == {(split, n): 2 for split in ("train", "val") for n in numbers.values()}
    mapping = [f"{number},{wnid}" for wnid, number in numbers.items()]
    assert _lines(mini / "class_mapping.csv")[1:] == mapping


def test_a_class_without_a_number_is_named_and_no_list_is_made(mini):
    (mini / "classes.txt").write_text("".join(f"{wnid}\t0\n" for wnid in WNIDS[:-1]))
    done = _gen(mini, "--n", 1, "--class_fp", "classes.txt", "--quiet")
    assert done.code == 2
    assert WNIDS[-1] in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (mini / "imagenetmini-classes.txt").exists()


def test_images_of_every_extension_are_listed_and_a_small_class_ends_with_3(tmp_path):
    lay(
        tmp_path / "imagenet-mini/train",
        {
            f"{WNIDS[0]}/a.jpg": trees.picture(1),
            f"{WNIDS[0]}/b.png": trees.picture(2, "PNG"),
            f"{WNIDS[1]}/c.JPEG": trees.picture(3),
            f"{WNIDS[1]}/broken.JPEG": trees.picture(4)[:40],
        },
    )
    done = _gen(tmp_path, "--n", 2)
    assert done.code == 3
    assert f"short:     {WNIDS[1]} (train) has 1 of 2" in done.stdout
    listed = [Path(li.split(" ")[0]).name for li in _lines(tmp_path / "imagenetmini-classes.txt")]
    assert sorted(listed) == ["a.jpg", "b.png", "c.JPEG"]


def test_without_a_number_all_images_are_taken_and_no_class_is_short(mini):
    (mini / "imagenet-mini" / "train" / WNIDS[1] / Path(_picks(1, WNIDS[1])[0]).name).unlink()
    done = _gen(mini, "--classes", len(WNIDS))
    assert done.code == 0, done.stderr
    assert "all images of each class are taken" in done.stdout
    assert "short:     no class" in done.stdout
    there = sorted(path.name for path in (mini / "imagenet-mini" / "train").rglob("*.JPEG"))
    listed = [line.split(" ")[0] for line in _lines(mini / "imagenetmini-classes.txt")]
    assert sorted(Path(path).name for path in listed) == there


def test_without_a_number_a_broken_image_is_still_a_shortage(mini):
    (mini / "imagenet-mini" / "train" / _picks(1, WNIDS[0])[0]).write_bytes(b"no image")
    done = _gen(mini)
    assert done.code == 3
    assert f"{WNIDS[0]} (train) has 3 of" in done.stdout


# -- refer_by_classes.py

EACH = 4
ANSWERS = trees.ssv2_ids("test", EACH)
NUMBERS = {
    label: str(number)
    for number, label in enumerate(sorted(label_of(template) for template in trees.TEMPLATES))
}


@pytest.fixture
def ssv2(tmp_path) -> Path:
    """Its annotations, in which every answer stands twice."""
    lay(tmp_path, trees.ssv2_annotations(each=EACH))
    answers = tmp_path / "labels" / "test-answers.csv"
    answers.write_text(answers.read_text() * 2)
    return tmp_path


def _refer(cwd: Path, *arguments: object) -> Done:
    given = ("--src", "labels/test-answers.csv", "--labels_src", "labels/labels.json")
    return _run("refer_by_classes.py", *given, *arguments, cwd=cwd)


def _answers() -> dict[str, list[str]]:
    """The ids of each class in the order of the contract."""
    labels = sorted(NUMBERS)
    return {
        label: first_ranked(i for i, template in ANSWERS if label_of(template) == label)
        for label in labels
    }


def test_videos_are_listed_by_class_with_the_numbers_of_the_labels(ssv2):
    done = _refer(ssv2, "--n", 2)
    assert done.code == 0, done.stderr
    expected = [f"{i}.webm {NUMBERS[label]}" for label, ids in _answers().items() for i in ids[:2]]
    assert _lines(ssv2 / "class_dict.csv") == expected
    assert done.stdout.splitlines() == expected
    assert json.loads((ssv2 / "videos_sorted_by_class.json").read_bytes()) == _answers()


def test_with_the_videos_at_hand_only_those_that_are_there_are_listed_by_their_paths(ssv2):
    videos, lost = ssv2 / "the videos", {ids[0] for ids in _answers().values()}
    lay(videos, {f"{i}.webm": b"not looked into" for i, _ in ANSWERS if i not in lost})
    done = _refer(ssv2, "--n", 2, "--videos_src", videos, "--dest", "lists")
    assert done.code == 0, done.stderr
    assert _lines(ssv2 / "lists" / "class_dict.csv") == [
        f'"{videos}/{i}.webm" {NUMBERS[label]}'
        for label, ids in _answers().items()
        for i in ids[1:3]
    ]
    done = _refer(ssv2, "--n", EACH, "--videos_src", videos, "--quiet")
    assert done.code == 3
    assert len(_lines(ssv2 / "class_dict.csv")) == (EACH - 1) * len(NUMBERS)


# -- create_nano.py


def _headerless(path: Path, rows: list[Row]) -> Path:
    """The annotations as nano-datasets has them: sorted with their header, which is no class."""
    split = {"val": "validate"}
    lines = [
        f"{r.label},{r.youtube_id},{r.start},{r.end},{split.get(r.split, r.split)}" for r in rows
    ]
    lines = sorted([*lines, "label,youtube_id,time_start,time_end,split"])
    assert 0 < lines.index("label,youtube_id,time_start,time_end,split") < len(lines) - 1
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\r\n" for line in lines), newline="")
    return path


@pytest.mark.slow
def test_kinetics_is_fetched_and_listed_and_a_class_that_runs_dry_ends(bench, tmp_path):
    labels = ("krumping", "laughing", "air drumming")
    rows = [
        Row(label, youtube_id(3 * i + place), 2 + i, 3 + i, "val")
        for i in range(3)
        for place, label in enumerate(labels)
    ]
    dead = {row.youtube_id for row in rows if row.label == "laughing"} - {rows[1].youtube_id}
    videos = {
        row.youtube_id: Video(SMALL, failure="private" if row.youtube_id in dead else None)
        for row in rows
    }
    site = bench(Scenario(videos), rows, 2).site
    _headerless(tmp_path / "k400" / "val.csv", rows)
    done = _run(
        *("create_nano.py", "--save_dir", "nano", "--dataset", "k400", "--video_type", "val"),
        *("--num_classes", 3, "--videos_per_class", 2, "--proxy", site.proxy_url),
        *(f"--yt_dlp_args={ONE_CLIENT}", "--ffmpeg", WHEEL),
        cwd=tmp_path,
    )
    assert done.code == 3, done.stderr
    assert "short:     laughing (val) has 1 of 2" in done.stdout
    nano = tmp_path / "nano"
    numbers = {label: number for number, label in enumerate(sorted(labels))}
    expected = {f"{nano / row.path} {numbers[row.label]}" for row in kept(rows, 2, dead)}
    lines = _lines(nano / "nano-val.csv")
    assert len(lines) == 5
    assert set(lines) == expected
    assert {str(p) for p in nano.rglob("*.mp4")} == {line.split(" ")[0] for line in lines}
    assert _lines(nano / "map-k400-class.csv") == [
        "#0 air drumming",
        "#1 krumping",
        "#2 laughing",
    ]
    failed = read_table(nano / "failed.csv")
    assert {(row["youtube_id"], row["reason"]) for row in failed} == {(i, "private") for i in dead}
    assert "left out: k400/val.csv, line 7: youtube_id 'youtube_id' is not" in done.stderr


def test_kinetics_is_taken_from_a_folder_of_videos_and_a_csv(films, tmp_path):
    rows = trees.kinetics_rows(("ice skating", "yoga"), 3)
    clips = trees.kinetics_clips(films, rows)
    lost = kept(rows, 1)
    source = lay(
        tmp_path / "videos", {k: v for k, v in clips.items() if k[:-4] not in {r.key for r in lost}}
    )
    before = snapshot(source)
    done = _run(
        *("create_nano.py", "--save_dir", "my nano", "--videos_per_class", 2),
        *("--src", "videos", "--annotations", write_csv(tmp_path / "mine.csv", rows)),
        *("--ffmpeg", WHEEL),
        cwd=tmp_path,
    )
    assert done.code == 0, done.stderr
    nano = tmp_path / "my nano"
    there = kept(rows, 2, {row.youtube_id for row in lost})
    numbers = {"ice skating": 0, "yoga": 1}
    lines = _lines(nano / "nano-train.csv")
    # A path with a space is quoted, as pandas does; one without never is.
    assert set(lines) == {f'"{nano / row.path}" {numbers[row.label]}' for row in there}
    assert len(lines) == 4
    for row in there:
        assert (nano / row.path).read_bytes() == clips[f"{row.key}.mp4"]
    assert snapshot(source) == before


# -- what is said of them


@pytest.mark.parametrize(
    "script", ["gen_nano_imagenet.py", "create_nano.py", "refer_by_classes.py"]
)
def test_help_names_every_argument_that_the_page_shows(script, tmp_path):
    page = (SCRIPTS.parent / "docs" / "paper.md").read_text(encoding="utf-8")
    shown = page.replace("\\\n", " ").split("```")[1]
    (command,) = [line for line in shown.splitlines() if f"scripts/{script} " in line]
    done = _run(script, "--help", cwd=tmp_path)
    assert done.code == 0
    assert set(re.findall(r"--\w+", command)) <= set(re.findall(r"--\w+", done.stdout))


# -- how they end


WRONG = {
    "no argument at all": ("gen_nano_imagenet.py",),
    "a source that is not there": ("gen_nano_imagenet.py", "--src", "none", "--n", "1"),
    "n of nothing": ("gen_nano_imagenet.py", "--src", ".", "--n", "0"),
    "no annotations": ("create_nano.py", "--dataset", "k400", "--video_type", "train"),
    "no dataset": ("create_nano.py", "--videos_per_class", "1"),
    "no answers": ("refer_by_classes.py", "--src", "a.csv", "--n", "1", "--labels_src", "l.json"),
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_wrong_use_is_told_in_one_line_and_changes_nothing(arguments, tmp_path):
    done = _run(*arguments, cwd=tmp_path)
    assert done.code == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{arguments[0]}: ")
    assert list(tmp_path.iterdir()) == []


def test_where_annotations_are_missing_it_says_which_and_where_they_are_to_be_had(tmp_path):
    done = _run("create_nano.py", "--dataset", "k600", "--video_type", "val", cwd=tmp_path)
    for part in ("k600/val.csv", "--annotations", "kinetics/600/annotations/val.txt"):
        assert part in done.stderr


ENDS = {
    "Blocked('come back later')": (75, "come back later"),
    "EnvironmentFault('no ffmpeg')": (1, "no ffmpeg"),
    "OSError(28, 'No space left', 'list.csv')": (1, "list.csv: No space left"),
    "KeyboardInterrupt()": (130, "interrupted"),
    "KeyError('what')": (1, "this should not have happened: KeyError: 'what'"),
}


@pytest.mark.parametrize("error", ENDS)
def test_an_error_becomes_one_line_and_an_exit_code(error, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(SCRIPTS)!r})\nimport paper\n"
        "from nanokinetics.errors import *\n"
        f"def main():\n    raise {error}\npaper.run(main)\n"
    )
    done = _run(str(script), cwd=tmp_path)
    code, said = ENDS[error]
    assert done.code == code
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"script.py: {said}")

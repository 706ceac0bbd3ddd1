"""A smaller dataset out of a larger one is the one that a build of that size would have made."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import (
    FAST,
    WHEEL,
    Row,
    left_over,
    ranked,
    read_table,
    snapshot,
    youtube_id,
)
from made_before import FIXTURES, NAMES

from nanokinetics import build, subset
from nanokinetics.cli import main
from nanokinetics.clip import Group
from nanokinetics.dataset import placing
from nanokinetics.demo.scenario import Film, Scenario, Video
from nanokinetics.errors import EnvironmentFault, InputError
from nanokinetics.verify import VerifyOptions, verify

pytestmark = pytest.mark.slow

TINY = Film(duration=6, width=64, height=64, fps=5, gop_seconds=1)
VARYING = {
    *("downloaded_bytes", "download_seconds", "trim_seconds", "total_seconds", "attempts"),
    *("finished_at", "failed_at", "log"),
}
"""Columns that no two builds share."""


def _is_sound(dest: Path) -> None:
    assert verify(dest, VerifyOptions(ffmpeg=WHEEL)).problems == ()
    assert left_over(dest) == []


def _as_compared(dest: Path) -> dict[str, object]:
    """All of a dataset but what differs between any two builds."""
    found: dict[str, object] = {}
    for path in sorted(dest.rglob("*")):
        name = path.relative_to(dest).as_posix()
        if name in ("stats.csv", "failed.csv"):
            rows = [{k: v for k, v in r.items() if k not in VARYING} for r in read_table(path)]
            found[name] = sorted(rows, key=lambda row: row["key"])
        elif name == "run.json":
            found[name] = json.loads(path.read_text()) | {"request": None}
        elif path.is_file() and not name.startswith("."):
            found[name] = path.read_bytes()
    return found


@pytest.fixture
def larger(nano_k400: Path, tmp_path: Path) -> Path:
    """A dataset with three clips of each class for training, and two for validation."""
    return shutil.copytree(nano_k400, tmp_path / "larger")


@pytest.fixture
def smaller(tmp_path: Path) -> Path:
    return tmp_path / "smaller"


# -- equal


def test_it_equals_the_smaller_build_and_goes_on_by_it(bench, tmp_path: Path) -> None:
    rows = [Row(f"class {i % 2}", youtube_id(i), 3, 4) for i in range(20)]
    order = ranked(rows)
    dead = {
        order["train", "class 0"][0].youtube_id: "private",
        order["train", "class 0"][3].youtube_id: "copyright",
        order["train", "class 1"][4].youtube_id: "private",
    }
    films = {video: Video(TINY, failure=why) for video, why in dead.items()}
    made = bench(Scenario(films, default=Video(TINY, ("progressive",))), rows, 5, *FAST)
    assert made.run().code == 0
    asked = made.site.extractions()
    smaller, direct = tmp_path / "smaller", tmp_path / "direct"
    result = subset(made.dest, dest=smaller, n=2)
    assert (result.made, result.wanted, result.new, result.copied) == (4, 4, 4, 0)
    assert made.site.extractions() == asked
    made.n = 2
    assert made.start(dest=direct).wait().code == 0
    assert _as_compared(smaller) == _as_compared(direct)
    _is_sound(smaller)
    asked = made.site.extractions()
    done = made.start(dest=smaller).wait()
    assert (done.code, made.site.extractions()) == (0, asked), done.stderr
    made.n = 3
    assert made.start(dest=smaller).wait().code == 0
    _is_sound(smaller)


def test_classes_are_drawn_as_a_build_draws_them(nano_k400: Path, tmp_path: Path) -> None:
    folder = nano_k400.parent
    direct, smaller = tmp_path / "direct", tmp_path / "smaller"
    labels = json.loads((nano_k400 / "run.json").read_text())["classes"]["train"]
    build(
        "kinetics",
        source="local",
        src=folder / "source",
        annotations=[folder / "annotations.csv"],
        splits=["train"],
        classes=labels[1:3],
        n=1,
        workers=1,
        ffmpeg=WHEEL,
        dest=direct,
    )
    subset(nano_k400, dest=smaller, n=1, splits="train", classes=labels[1:3])
    assert _as_compared(smaller) == _as_compared(direct)
    drawn = tmp_path / "drawn"
    subset(nano_k400, dest=drawn, num_classes=2)
    wanted = read_table(drawn / "classes.csv")
    assert len(wanted) == 2
    assert {row["wanted"] for row in wanted} == {"5"}
    _is_sound(drawn)


@pytest.mark.parametrize("name", NAMES)
def test_any_dataset_has_subsets_also_one_of_an_earlier_version(
    name: str, tmp_path: Path, smaller: Path
) -> None:
    parent = shutil.copytree(FIXTURES / name, tmp_path / name)
    before = snapshot(parent)
    subset(parent, dest=smaller, n=1)
    found = verify(smaller, VerifyOptions(ffmpeg=WHEEL))
    assert {problem.kind.name for problem in found.problems} <= {"SHORT"}
    assert snapshot(parent) == before
    paths = {row["path"] for row in read_table(parent / "stats.csv")}
    assert {row["path"] for row in read_table(smaller / "stats.csv")} <= paths


# -- files


def test_clips_are_hard_links_and_nothing_of_the_larger_one_changes(
    larger: Path, smaller: Path
) -> None:
    before = snapshot(larger)
    subset(larger, dest=smaller, n={"train": 1})
    assert snapshot(larger) == before
    for row in read_table(smaller / "stats.csv"):
        assert (smaller / row["path"]).samefile(larger / row["path"])
    assert not (smaller / "val").exists()


def test_where_no_link_can_be_made_clips_are_copied(
    larger: Path, smaller: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "_linked", lambda *_: False)
    result = subset(larger, dest=smaller, n=1)
    assert result.copied == result.new == 8
    for row in read_table(smaller / "stats.csv"):
        assert not (smaller / row["path"]).samefile(larger / row["path"])
    _is_sound(smaller)


def test_on_another_disk_clips_are_copied(larger: Path) -> None:
    memory = Path("/dev/shm")  # noqa: S108 - a second file system, and not for secrets
    if not memory.is_dir() or memory.stat().st_dev == larger.stat().st_dev:
        pytest.skip("this machine has no second disk")
    folder = memory / f"nanokinetics-{os.getpid()}"
    try:
        assert subset(larger, dest=folder, n=1).copied == 8
        _is_sound(folder)
    finally:
        shutil.rmtree(folder)


def test_links_to_local_files_stay_links(nano_k400: Path, tmp_path: Path, smaller: Path) -> None:
    folder, larger = nano_k400.parent, tmp_path / "linked"
    build(
        "kinetics",
        source="local",
        src=folder / "source",
        annotations=[folder / "annotations.csv"],
        splits=["train"],
        classes=["yoga"],
        n=2,
        place="symlink",
        workers=1,
        ffmpeg=WHEEL,
        dest=larger,
    )
    subset(larger, dest=smaller, n=1)
    (row,) = read_table(smaller / "stats.csv")
    assert (smaller / row["path"]).readlink() == (larger / row["path"]).readlink()
    _is_sound(smaller)


# -- going on


CUT_OFF = """
import os, sys
from nanokinetics import subset
left = iter(range(3))
subset(sys.argv[1], dest=sys.argv[2], n=2, tick=lambda: next(left, None) is None and os._exit(9))
"""


def test_killed_midway_the_same_command_goes_on(larger: Path, smaller: Path) -> None:
    argv = [sys.executable, "-c", CUT_OFF, str(larger), str(smaller)]
    assert subprocess.run(argv, check=False).returncode == 9
    assert len(read_table(smaller / "stats.csv")) == 4
    unlisted = smaller / read_table(smaller / "stats.csv")[-1]["path"]
    (larger / unlisted.relative_to(smaller)).touch()
    result = subset(larger, dest=smaller, n=2)
    assert (result.made, result.new) == (16, 12)
    _is_sound(smaller)
    before = snapshot(smaller)
    assert subset(larger, dest=smaller, n=2).new == 0
    assert snapshot(smaller) == before


def test_a_file_whose_row_was_not_written_is_taken_again(larger: Path, smaller: Path) -> None:
    subset(larger, dest=smaller, n=1)
    stats = smaller / "stats.csv"
    lines = stats.read_text().splitlines(keepends=True)
    stats.write_text("".join(lines[:-1]))
    assert subset(larger, dest=smaller, n=1).new == 1
    _is_sound(smaller)


def test_a_larger_n_lets_it_grow(larger: Path, smaller: Path) -> None:
    subset(larger, dest=smaller, n=1, classes="yoga")
    assert subset(larger, dest=smaller, n=2).new == 14
    _is_sound(smaller)
    with pytest.raises(InputError, match="ask for what is there or more"):
        subset(larger, dest=smaller, n=1)


def test_what_is_not_judged_yet_keeps_its_place(larger: Path, smaller: Path) -> None:
    ranks = read_table(larger / "selection.csv")
    first = next(r for r in ranks if r["label"] == "yoga" and r["split"] == "train")
    stats = larger / "stats.csv"
    kept = [line for line in stats.read_text().splitlines(True) if first["key"] not in line]
    (gone,) = [row for row in read_table(stats) if row["key"] == first["key"]]
    whole = stats.read_text()
    stats.write_text("".join(kept))
    result = subset(larger, dest=smaller, n={"train": 2})
    assert result.short == {Group("train", "yoga"): (1, 2)}
    assert result.exit_code == 3
    stats.write_text(whole)
    assert subset(larger, dest=smaller, n={"train": 2}).new == 1
    assert (smaller / gone["path"]).exists()
    _is_sound(smaller)


# -- refused


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n": 3}, "was built with n 2 of val, and --n asks for 3"),
        ({"n": {"train": 4}}, "was built with n 3 of train"),
        ({"n": {"test": 1}}, "has no split 'test'; it has train, val"),
        ({"splits": ["test"]}, "has no split 'test'"),
        ({"splits": ["train,test"]}, "has no split 'test'"),
        ({"classes": ["yogaa"]}, "no class 'yogaa'.*nearest: 'yoga'"),
        ({"num_classes": 5}, "--num-classes 5"),
        ({"n": 0}, "at least 1"),
    ],
)
def test_what_the_larger_one_does_not_hold_is_refused(
    larger: Path, smaller: Path, options: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        subset(larger, dest=smaller, **options)  # type: ignore[arg-type]
    assert not smaller.exists()


@pytest.mark.parametrize("where", ["", "train/yoga", ".."])
def test_it_lies_beside_the_larger_one(larger: Path, where: str) -> None:
    with pytest.raises(InputError, match="a folder of its own"):
        subset(larger, dest=larger / where, n=1)


def test_a_folder_of_something_else_is_refused(larger: Path, smaller: Path) -> None:
    smaller.mkdir()
    (smaller / "mine.txt").touch()
    with pytest.raises(InputError, match=r"mine\.txt"):
        subset(larger, dest=smaller, n=1)
    other = shutil.copytree(FIXTURES / "imagenet", smaller.parent / "other")
    with pytest.raises(InputError, match="holds another dataset: its dataset"):
        subset(larger, dest=other, n=1)


@pytest.mark.parametrize("by", [b"", b"x"])
def test_a_clip_that_was_altered_is_refused(larger: Path, smaller: Path, by: bytes) -> None:
    path = larger / read_table(larger / "stats.csv")[0]["path"]
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-1] + (by and bytes([data[-1] ^ 1])))
    with pytest.raises(InputError, match=re.escape(str(path))):
        subset(larger, dest=smaller, n={"train": 3, "val": 2})
    if smaller.exists():
        _only_short(smaller)


def _only_short(dest: Path) -> None:
    found = verify(dest, VerifyOptions(ffmpeg=WHEEL))
    assert {problem.kind.name for problem in found.problems} <= {"SHORT"}


def test_a_table_that_leads_elsewhere_is_refused(larger: Path, smaller: Path) -> None:
    stats = larger / "stats.csv"
    path = read_table(stats)[0]["path"]
    name = path.rpartition("/")[2]
    shutil.copy(larger / path, larger / name)
    stats.write_text(stats.read_text().replace(path, name))
    with pytest.raises(InputError, match="does not lie in"):
        subset(larger, dest=smaller, n={"train": 3, "val": 2})


def test_a_folder_that_cannot_be_made_is_an_error_in_one_line(larger: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((EnvironmentFault, InputError)):
        subset(larger, dest=tmp_path / "file" / "smaller", n=1)


# -- the command


def test_the_command_says_what_it_did(
    larger: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(larger.parent)
    assert main(["subset", "larger", "--n", "train=2,val=1", "--dest", "smaller"]) == 0
    said = capsys.readouterr().out
    assert said == "12 of 12 clips are in smaller, 12 new (12 linked, 0 copied)\n"
    assert main(["subset", "larger", "--n", "2", "--dest", "smaller", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["subset", "nothing", "--n", "2", "--dest", "smaller"]) == 2

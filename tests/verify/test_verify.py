"""`verify` finds every kind of damage, changes nothing by looking, and repairs when told to."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import trees
from filelock import FileLock
from helpers import FAST, WHEEL, Done, read_table, snapshot

from nanokinetics.cli import main

DOGS, HEADS = "training dog", "massaging person's head"
Run = Callable[..., Done]


@pytest.fixture(scope="module")
def built(films, tmp_path_factory) -> Path:
    """A folder with the source `src` and, made of it, `nano`: three clips and three pictures."""
    folder = tmp_path_factory.mktemp("verify")
    tree = {f"{DOGS}/{i}.mp4": trees.clip(films, i) for i in range(5)}
    tree |= {f"{HEADS}/{i}.jpg": trees.picture(i) for i in range(5)}
    trees.lay(folder / "src", tree)
    command = ("folder", "--src", folder / "src", "--n", "3", "--dest", folder / "nano")
    assert main(["build", *map(str, command), *FAST, "--quiet", "--workers", "1"]) == 0
    return folder


@pytest.fixture
def nano(built, tmp_path) -> Path:
    """A copy to damage."""
    return shutil.copytree(built / "nano", tmp_path / "nano")


@pytest.fixture
def run(built, nano, capsys, tmp_path, monkeypatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(command: str, *more: str) -> Done:
        usual = {
            "verify": [str(nano), "--ffmpeg", WHEEL, "--workers", "1"],
            "build": [
                "folder",
                "--src",
                str(built / "src"),
                "--n",
                "3",
                "--dest",
                str(nano),
                *FAST,
            ],
        }
        capsys.readouterr()
        code = main([command, *usual[command], "--quiet", *more])
        said = capsys.readouterr()
        assert "this should not have happened" not in said.err
        return Done(code, said.out, said.err)

    return run


def _clip(nano: Path, number: int = 0, kind: str = "mp4") -> Path:
    """Each damage takes a clip of its own, so that all may be done to one folder."""
    rows = read_table(nano / "stats.csv")
    return nano / sorted(row["path"] for row in rows if row["path"].endswith(kind))[number]


def _flip_a_byte(nano: Path) -> str:
    path = _clip(nano)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return path.relative_to(nano).as_posix()


def _flip_a_byte_of_a_picture(nano: Path) -> str:
    path = _clip(nano, 0, "jpg")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return path.relative_to(nano).as_posix()


def _truncate(nano: Path) -> str:
    path = _clip(nano, 1)
    path.write_bytes(path.read_bytes()[:-100])
    return path.relative_to(nano).as_posix()


def _remove(nano: Path) -> str:
    path = _clip(nano, 2)
    path.unlink()
    return path.relative_to(nano).as_posix()


def _add_a_file(nano: Path) -> str:
    path = _clip(nano).with_name("one more.mp4")
    path.write_bytes(b"mine")
    return path.relative_to(nano).as_posix()


def _change_a_label_id(nano: Path) -> str:
    lines = (nano / "train.csv").read_text().splitlines()
    lines[1] = lines[1][:-1] + "7"
    (nano / "train.csv").write_text("\n".join([*lines, ""]))
    return "train.csv: does not agree with stats.csv, first in line 2"


def _repeat_a_row(nano: Path) -> str:
    table = nano / "stats.csv"
    table.write_text(table.read_text() + table.read_text().splitlines(keepends=True)[1])
    return "stands 2 times in stats.csv"


def _lead_a_row_astray(nano: Path) -> str:
    table, path = nano / "stats.csv", _clip(nano, 1, "jpg").relative_to(nano).as_posix()
    table.write_text(table.read_text().replace(path, "../src/train.mp4"))
    return "../src/train.mp4: is not the place of its row's clip"


def _claim_other_frames(nano: Path) -> str:
    table = nano / "stats.csv"
    table.write_text(table.read_text().replace(",10,1.000,", ",11,1.000,", 1))
    return "has 10 frames, and 11 are recorded"


def _put_into_another_class(nano: Path) -> str:
    old = _clip(nano, 2, "jpg")
    new = nano / "train" / "training_dog" / old.name
    old.rename(new)
    table = nano / "stats.csv"
    before, after = (path.relative_to(nano).as_posix() for path in (old, new))
    table.write_text(table.read_text().replace(before, after))
    return f"{after}: is not the place of its row's clip, which is {before}"


def _leave_an_empty_class(nano: Path) -> str:
    (nano / "train" / "nobody").mkdir()
    return "train/nobody: has no row"


def _link_a_folder(nano: Path) -> str:
    (nano / "train" / "linked").symlink_to(nano.parent)
    return "train/linked: has no row"


def _leave_a_video_beside(nano: Path) -> str:
    (nano / "holdout").mkdir()
    (nano / "holdout" / "y.mp4").write_bytes(b"mine")
    return "holdout/y.mp4: has no row"


DAMAGES = [
    _put_into_another_class,
    _leave_an_empty_class,
    _link_a_folder,
    _leave_a_video_beside,
    _flip_a_byte,
    _flip_a_byte_of_a_picture,
    _truncate,
    _remove,
    _add_a_file,
    _change_a_label_id,
    _repeat_a_row,
    _lead_a_row_astray,
    _claim_other_frames,
]


def test_a_built_dataset_is_as_recorded_and_looking_changes_nothing(run, nano):
    before = snapshot(nano)
    assert run("verify") == Done(0, "", "")
    assert run("verify", "--fast") == Done(0, "", "")
    assert run("verify", "--workers", "2") == Done(0, "", ""), "in processes of their own"
    assert snapshot(nano) == before


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_and_looking_changes_nothing(run, nano, damage):
    what = damage(nano)
    before = snapshot(nano)
    found = run("verify")
    assert (found.code, what in found.stdout) == (3, True), found
    assert snapshot(nano) == before


def test_what_was_repaired_is_whole_after_the_next_build(run, nano):
    files = {path for path in snapshot(nano) if not path.endswith(".csv")}
    damaged = [damage(nano) for damage in DAMAGES if damage is not _claim_other_frames]
    repaired = run("verify", "--repair")
    assert repaired.code == 3
    assert [what for what in damaged if what.split(":")[0] not in repaired.stdout] == []
    assert run("build").code == 0
    assert run("verify") == Done(0, "", "")
    assert {p for p in snapshot(nano) if not p.startswith("strays/")} >= files


@pytest.mark.parametrize("damage", [_truncate, _remove, _add_a_file, _change_a_label_id])
def test_a_fast_look_finds_what_sizes_and_tables_tell(run, nano, damage):
    what = damage(nano)
    found = run("verify", "--fast")
    assert (found.code, what in found.stdout) == (3, True)


def test_repair_moves_a_strangers_file_aside_and_leaves_what_failed(run, nano):
    stray = _add_a_file(nano)
    failed = (nano / "failed.csv").read_bytes()
    run("verify", "--repair")
    assert (nano / "strays" / stray).read_bytes() == b"mine"
    assert (nano / "failed.csv").read_bytes() == failed


def test_what_was_put_aside_before_stays(run, nano):
    for content in (b"one", b"two", b"three"):
        (nano / "train" / "training_dog" / "x.mp4").write_bytes(content)
        run("verify", "--repair")
    aside = nano / "strays" / "train" / "training_dog"
    assert {path.read_bytes() for path in aside.iterdir()} == {b"one", b"two", b"three"}


def test_without_the_selection_as_it_was_nothing_is_judged_and_a_build_restores_it(run, nano):
    selection, list_ = nano / "selection.csv", nano / "train.csv"
    whole, listed = selection.read_bytes(), list_.read_bytes()
    selection.write_bytes(b"".join(whole.splitlines(keepends=True)[:4]))
    for more in ((), ("--repair",)):
        found = run("verify", *more)
        assert (found.code, found.stderr.count("\n")) == (2, 1)
        assert "selection.csv is not the one" in found.stderr
    assert list_.read_bytes() == listed
    assert run("build").code == 0
    assert (selection.read_bytes(), list_.read_bytes()) == (whole, listed)
    assert run("verify") == Done(0, "", "")


def test_exports_and_other_files_beside_the_splits_are_no_strangers(run, nano):
    (nano / "exports").mkdir()
    (nano / "exports" / "list.txt").write_text("")
    (nano / "README.txt").write_text("")
    assert run("verify").code == 0


def test_a_class_that_is_short_is_told(run, nano):
    _remove(nano)
    run("verify", "--repair")
    found = run("verify")
    assert found.code == 3
    assert "train/training_dog: has 2 of 3 clips" in found.stdout


def test_while_a_build_is_at_work_it_may_be_looked_at_and_not_repaired(run, nano):
    _add_a_file(nano)  # which a build makes before its row
    with FileLock(nano / ".nanokinetics.lock"):
        assert run("verify").code == 0
        refused = run("verify", "--repair")
    assert refused.code == 75
    assert "another run is at work" in refused.stderr


def test_json_counts_and_names_every_problem(run, nano):
    assert json.loads(run("verify", "--json").stdout) == {
        "clips": 6, "problems": 0, "bad": 0, "strays": 0, "at_work": False, "repaired": False,
        "findings": [],
    }  # fmt: skip
    lost, stray = _remove(nano), _add_a_file(nano)
    for more in ((), ("--repair",)):
        found = run("verify", "--json", *more)
        counts = json.loads(found.stdout)
        findings = counts.pop("findings")
        assert (found.code, found.stdout.count("\n")) == (3, 1)
        assert counts == {"clips": 6, "problems": 2, "bad": 1, "strays": 1, "at_work": False,
                          "repaired": bool(more)}  # fmt: skip
        assert [(each["kind"], each["path"], each["found"]) for each in findings] == [
            ("clip", lost, "is missing"), ("stray", stray, "has no row in stats.csv"),
        ]  # fmt: skip
        assert all("--repair" in each["remedy"] for each in findings)


def test_a_name_that_is_no_text_or_acts_upon_a_terminal_is_told_in_a_line(run, nano):
    (nano / "train" / os.fsdecode(b"\xff\x1b[31m\n.mp4")).write_bytes(b"mine")
    _, line = run("verify").stdout.splitlines()
    assert line.startswith(r"  train/\udcff\u001b[31m\u000a.mp4: has no row in stats.csv")


def test_many_problems_are_counted_and_not_all_listed(run, nano):
    for number in range(30):
        (nano / "train" / f"{number}.txt").write_text("")
    text = run("verify").stdout
    assert text.startswith(f"{nano}: 6 clips, 30 problems\n")
    assert "and 10 more like this" in text
    assert text.count("\n") == 22


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("run.json", "{", "run.json is damaged"),
        ("run.json", None, "no built dataset"),
        ("selection.csv", "key\n", "selection.csv"),
        ("stats.csv", "key\n", "stats.csv: its header"),
    ],
)
def test_a_folder_whose_tables_cannot_be_read_is_refused_in_a_line(run, nano, name, content, said):
    if content is None:
        (nano / name).unlink()
    else:
        (nano / name).write_text(content)
    for more in ((), ("--repair",)):
        done = run("verify", *more)
        assert (done.code, done.stderr.count("\n"), said in done.stderr) == (2, 1, True)


def test_a_dataset_without_its_ledger_is_not_taken_apart(run, nano):
    (nano / "stats.csv").unlink()
    before = set(snapshot(nano))
    assert run("verify", "--repair").code == 2
    assert set(snapshot(nano)) - {".nanokinetics.lock"} == before - {".nanokinetics.lock"}


def test_a_dataset_called_like_a_split_is_repaired_in_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trees.lay(tmp_path / "source", {f"cat/{n}.jpg": trees.picture(n) for n in range(3)})
    command = ["build", "folder", "--src", "source", "--n", "2", "--dest", "train", "--quiet"]
    assert main(command) == 0
    damaged, whole = sorted(Path("train/train/cat").iterdir())
    damaged.write_bytes(damaged.read_bytes() + b"more")
    Path("train/cat").mkdir()
    (Path("train/cat") / damaged.name).write_bytes(b"mine")
    assert main(["verify", "train", "--repair", "--quiet"]) == 3
    assert not damaged.exists()
    assert whole.exists()
    assert main(command) == 0
    assert damaged.exists()

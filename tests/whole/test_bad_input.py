"""What cannot be used is refused in one line, with the right code, and nothing is changed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trees
from helpers import FAST, SMALL, Done, Row, ended_at_last, kept, nanokinetics, snapshot, wait_until

from nanokinetics.cli import main
from nanokinetics.demo.scenario import Fault, Scenario, Throttle, Video

pytestmark = pytest.mark.slow

HEADER = "label,youtube_id,time_start,time_end,split\n"
GOOD = "yoga,abcdefghijk,3,4,train\n"


NOBODY = ("--proxy", "http://127.0.0.1:9")
"""Whatever asks the network all the same does not reach it."""


def _build(folder: Path, *arguments: str | Path) -> Done:
    with ended_at_last(
        nanokinetics("build", "kinetics", *arguments, *NOBODY, cwd=folder)
    ) as running:
        return running.wait()


@pytest.fixture
def build_here(tmp_path, monkeypatch, capfd) -> Callable[..., Done]:
    """The same as `_build`, but that the command line is read by this process."""
    monkeypatch.chdir(tmp_path)

    def build(*arguments: str) -> Done:
        code = main(["build", "kinetics", *arguments, *NOBODY])
        return Done(code, *capfd.readouterr())

    return build


def _is_refused(done: Done, code: int, *words: str) -> None:
    assert done.code == code, done.stderr
    assert done.stdout == ""
    said, *more = done.stderr.splitlines()
    assert said.startswith("nanokinetics: ")
    if more:  # of a build that began: when it ended, and what is next
        assert code == 1
        assert more[0].startswith("  ended: ")
        assert more[-1].startswith("next: ")
    for word in words:
        assert word in said


BAD_ROWS = {
    "NaN for a time": ("yoga,abcdefghijk,nan,4,train", "time_start"),
    "no time": ("yoga,abcdefghijk,,4,train", "time_start is missing"),
    "infinite time": ("yoga,abcdefghijk,3,inf,train", "time_end"),
    "negative time": ("yoga,abcdefghijk,-3,4,train", "negative"),
    "reversed times": ("yoga,abcdefghijk,14,4,train", "not before"),
    "no length": ("yoga,abcdefghijk,4,4,train", "not before"),
    "10 characters": ("yoga,abcdefghij,3,4,train", "11 characters"),
    "12 characters": ("yoga,abcdefghijkl,3,4,train", "11 characters"),
    "an option as id": ("yoga,--exec=rm x,3,4,train", "11 characters"),
    "a label that climbs": ("../../etc,abcdefghijk,3,4,train", "../../etc"),
    "a label that is a root": ("/etc,abcdefghijk,3,4,train", "/etc"),
    "two dots": ("..,abcdefghijk,3,4,train", "'..'"),
    "an empty label": (",abcdefghijk,3,4,train", "label is empty"),
    "no such split": ("yoga,abcdefghijk,3,4,holdout", "holdout"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_named_by_file_and_line(tmp_path, build_here, name):
    row, word = BAD_ROWS[name]
    (tmp_path / "a.csv").write_text(f"{HEADER}{GOOD}{row}\n")
    done = build_here("--annotations", "a.csv", "--n", "1", "--dest", "dest")
    _is_refused(done, 2, "a.csv, line 3", word)
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


BAD_CALLS = {
    "missing file": (["--annotations", "none.csv", "--n", "1"], "none.csv"),
    "a folder as file": (["--annotations", ".", "--n", "1"], "is a folder"),
    "n of 0": (["--annotations", "a.csv", "--n", "0"], "--n"),
    "n below 0": (["--annotations", "a.csv", "--n", "-3"], "--n"),
    "n no number": (["--annotations", "a.csv", "--n", "many"], "'many'"),
    "no n": (["--annotations", "a.csv"], "--n"),
    "an unknown class": (["--annotations", "a.csv", "--n", "1", "--classes", "yogo"], "yoga"),
    "an empty class": (
        ["--annotations", "a.csv", "b.csv", "--n", "1", "--split", "train", "--classes", "zumba"],
        "zumba",
    ),
    "too many classes": (["--annotations", "a.csv", "--n", "1", "--num-classes", "9"], "9"),
    "an unknown split": (["--annotations", "a.csv", "--n", "1", "--split", "tran"], "tran"),
    "a split without rows": (["--annotations", "a.csv", "--n", "1", "--split", "test"], "test"),
    "odd resolution": (["--annotations", "a.csv", "--n", "1", "--resolution", "3"], "resolution"),
    "no duration": (["--annotations", "a.csv", "--n", "1", "--max-wait", "soon"], "soon"),
    "no workers": (["--annotations", "a.csv", "--n", "1", "--workers", "0"], "--workers"),
    "missing cookies": (["--annotations", "a.csv", "--n", "1", "--cookies", "jar"], "jar"),
    "a URL of annotations": (
        ["--annotations", "s3://b/k700/train.csv", "--n", "1"],
        "--annotations s3://b/k700/train.csv: is a URL",
    ),
    "a URL of another subset": (["--from", "s3://b/nano", "--n", "1"], "--from s3://b/nano: is a"),
    "a URL of a file here": (
        ["--annotations", "file:///a.csv", "--n", "1"],
        "--annotations file:///a.csv: is a URL, and files are read here; take its path",
    ),
    "an archive without annotations": (
        ["--annotations", "k.tar.gz", "--n", "1"],
        "k.tar.gz: holds no table (.csv, .tsv, .txt or .json)",
    ),
    "cookies in small letters": (
        ["--annotations", "a.csv", "--n", "1", "--cookies", "c.txt"],
        "--cookies c.txt, line 2: field 2 (subdomains) is 'true'",
    ),
    "a password among options": (
        ["--annotations", "a.csv", "--n", "1", "--yt-dlp-args=--password S3cr3t --no-such"],
        "--password ***",
    ),
    "unknown yt-dlp option": (
        ["--annotations", "a.csv", "--n", "1", "--yt-dlp-args=--no-such"],
        "--no-such",
    ),
    "missing column": (["--annotations", "c.csv", "--n", "1"], "time_end"),
    "an empty file": (["--annotations", "d.csv", "--n", "1"], "d.csv"),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_a_bad_call_is_refused_before_anything_is_made(tmp_path, build_here, name):
    (tmp_path / "a.csv").write_text(HEADER + GOOD)
    (tmp_path / "b.csv").write_text(f"{HEADER}zumba,abcdefghijk,3,4,val\n")
    (tmp_path / "c.csv").write_text("label,youtube_id,time_start,split\nyoga,abcdefghijk,3,train\n")
    (tmp_path / "d.csv").write_text("")
    jar = "# Netscape HTTP Cookie File\n.youtube.com\ttrue\t/\tTRUE\t0\tSID\tS3cr3t\n"
    (tmp_path / "c.txt").write_text(jar)
    with tarfile.open(tmp_path / "k.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "c.txt", "k700/readme.txt")
    before = snapshot(tmp_path)
    arguments, word = BAD_CALLS[name]
    done = build_here(*arguments, "--dest", "dest")
    _is_refused(done, 2, word)
    assert "S3cr3t" not in done.stderr
    assert snapshot(tmp_path) == before
    assert not (tmp_path / "dest").exists()


def test_an_ffmpeg_that_is_none_is_the_machines_fault(tmp_path):
    (tmp_path / "a.csv").write_text(HEADER + GOOD)
    arguments = ("--annotations", "a.csv", "--n", "1", "--dest", "dest", "--ffmpeg", "/bin/true")
    _is_refused(_build(tmp_path, *arguments), 1, "/bin/true", "--ffmpeg")
    assert not (tmp_path / "dest").exists()


# -- destinations


def _rows(count: int = 4) -> list[Row]:
    return [Row("yoga", f"yoga-{i:06d}", 3, 4) for i in range(count)]


@pytest.fixture
def made(bench):
    """A finished build of two clips."""
    scenario = Scenario(default=Video(SMALL, ("progressive",)))
    built = bench(scenario, _rows(), 2, *FAST, "--quiet")
    assert built.run().code == 0
    return built


@pytest.mark.parametrize("where", ["a file", "below a file"])
def test_a_destination_that_is_a_file(tmp_path, where):
    (tmp_path / "a.csv").write_text(HEADER + GOOD)
    (tmp_path / "file").write_text("mine")
    dest = "file" if where == "a file" else "file/dest"
    done = _build(tmp_path, "--annotations", "a.csv", "--n", "1", "--dest", dest)
    _is_refused(done, done.code, "file")
    assert done.code in (1, 2)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "a.csv").write_text(HEADER + GOOD)
    (tmp_path / "dest").mkdir()
    (tmp_path / "dest" / "thesis.tex").write_text("years of work")
    done = _build(tmp_path, "--annotations", "a.csv", "--n", "1", "--dest", "dest")
    _is_refused(done, 2, "thesis.tex")
    assert [p.name for p in (tmp_path / "dest").iterdir()] == ["thesis.tex"]


CONTRADICTIONS = {
    "another seed": (["--seed", "1"], "seed"),
    "another resolution": (["--resolution", "120"], "resolution"),
    "without sound": (["--no-audio"], "audio"),
    "another rate": (["--fps", "5"], "fps"),
}


def test_a_destination_of_another_build_is_refused_with_the_difference_named(made):
    before = snapshot(made.dest)
    for options, word in CONTRADICTIONS.values():
        _is_refused(made.run(*options), 2, "was built with", word)
    made.n = 1
    _is_refused(made.run(), 2, "n of train 2")
    made.n = 2
    made.csv.write_text(made.csv.read_text().replace("000001,3,4", "000001,5,6"))
    _is_refused(made.run(), 2, "other annotations", "yoga")
    assert snapshot(made.dest) == before


def test_of_two_runs_at_once_the_second_is_refused(bench):
    video = Video(SMALL, ("progressive",))
    refusing = Scenario(default=video, throttle=Throttle(after=2))
    both = bench(refusing, _rows(), 2, *FAST, "--quiet", "--block-wait", "0.3s")
    with ended_at_last(both.start()) as first:
        wait_until(lambda: both.site.refused)
        _is_refused(
            both.run(), 75, f"another run is at work in {both.dest} (process {first.pid} on"
        )
        assert not first.over, "it waits for as long as the site refuses"
        both.site.replace(Scenario(default=video))
        assert first.wait().code == 0
    both.holds(kept(both.rows, 2))


@contextlib.contextmanager
def _mounted(folder: Path, *options: str) -> Iterator[Path]:
    """A file system of its own at a folder. Skips the test where that is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)]
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting takes root")
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("state", ["new", "begun"])
def test_a_destination_that_cannot_be_written_to(made, tmp_path, state):
    with _mounted(tmp_path / "mount") as mount:
        if state == "begun":
            shutil.copytree(made.dest, mount / "dest")
            made.n = 4
        before = snapshot(mount)
        remount = ["mount", "-o", "remount,ro", str(mount)]
        if subprocess.run(remount, capture_output=True, check=False).returncode:
            pytest.skip("this machine does not remount")
        asked = len(made.site.log)
        made.dest = mount / "dest"
        _is_refused(made.run(), 1, "ead-only")
        assert snapshot(mount) == before
        assert len(made.site.log) == asked


def test_a_working_folder_need_not_be_writable(bench, tmp_path):
    """As for services of systemd and for cron. A clip fails, so a log has to be written."""
    scenario = Scenario(
        default=Video(SMALL, ("progressive",)),
        videos={_rows()[0].youtube_id: Video(SMALL, failure="private")},
    )
    made = bench(scenario, _rows(3), 3, *FAST, "--quiet", "--workers", "1")
    with _mounted(tmp_path / "mount") as mount:
        remount = ["mount", "-o", "remount,ro", str(mount)]
        if subprocess.run(remount, capture_output=True, check=False).returncode:
            pytest.skip("this machine does not remount")
        argv = [
            *(sys.executable, "-m", "nanokinetics", "build", "kinetics", "--n", "3"),
            *("--annotations", made.csv, "--dest", made.dest, "--proxy", made.site.proxy_url),
            *(f"--yt-dlp-args={made.yt_dlp}", *made.options),
        ]
        assert subprocess.run(argv, cwd=mount, check=False).returncode == 3
    (row,) = made.failed()
    assert row["log"] == f"../dest-failed_logs/{row['key']}.log"
    assert (made.dest / row["log"]).is_file()


@pytest.mark.parametrize("full", ["from the start", "on the way"])
def test_a_full_disk_ends_the_run_and_costs_no_clip(bench, tmp_path, full):
    scenario = Scenario(default=Video(SMALL, ("progressive",)))
    rows = _rows(12)
    made = bench(scenario, rows, 8, *FAST, "--quiet", "--workers", "2")
    with _mounted(tmp_path / "mount", "-o", "size=400k") as mount:
        made.dest = mount / "dest"
        ballast = mount / "ballast"
        if full == "from the start":
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
                while file.write(b"x" * 4096):
                    pass
        began = time.monotonic()
        _is_refused(made.run(), 1, "pace")  # "No space left on device", "make room"
        assert time.monotonic() - began < 60
        if (made.dest / "failed.csv").exists():
            assert made.failed() == []
        if (made.dest / "stats.csv").exists():
            for row in made.stats():
                assert (made.dest / row["path"]).stat().st_size == int(row["bytes"])
        ballast.unlink(missing_ok=True)
        remount = ["mount", "-o", "remount,size=40m", str(mount)]
        subprocess.run(remount, check=True, capture_output=True)
        done = made.run()
        assert (done.code, done.stderr) == (0, "")
        made.holds(kept(rows, 8))


def test_a_log_within_the_dataset_is_refused_and_nothing_is_made(tmp_path, capfd):
    (tmp_path / "a.csv").write_text("")
    command = ["build", "kinetics", "--annotations", str(tmp_path / "a.csv"), "--n", "1"]
    assert main([*command, "--dest", str(tmp_path / "nano"), "--log", str(tmp_path / "nano/l"),
                 "--quiet"]) == 2  # fmt: skip
    assert "lies within --dest" in capfd.readouterr().err
    assert not (tmp_path / "nano").exists()


def test_a_patience_that_cannot_be_read_is_refused(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("NANOKINETICS_PATIENCE", "much")
    trees.lay(tmp_path / "source", {"cat/1.jpg": trees.picture(1)})
    command = ["build", "folder", "--src", str(tmp_path / "source"), "--n", "1", "--quiet"]
    assert main([*command, "--dest", str(tmp_path / "nano")]) == 2
    assert "NANOKINETICS_PATIENCE is 'much'" in capfd.readouterr().err
    assert not (tmp_path / "nano").exists()


@pytest.mark.slow
def test_bad_options_for_yt_dlp_change_nothing_of_an_unfinished_folder(bench):
    broken = Video(SMALL, faults=(Fault("media", "status", 503),))
    b = bench(Scenario({"aaaaaaaaaaa": broken}), [Row("yoga", "aaaaaaaaaaa", 1, 3)], 1, *FAST)
    assert b.run().code == 3
    for name in ("classes.csv", "annotations/train.csv"):
        (b.dest / name).unlink()
    before = {path: path.read_bytes() for path in b.dest.rglob("*") if path.is_file()}
    b.yt_dlp = "--no-such-option"
    done = b.run()
    assert (done.code, done.stderr.count("\n")) == (2, 1)
    assert {path: path.read_bytes() for path in b.dest.rglob("*") if path.is_file()} == before


@pytest.mark.slow
def test_a_class_folder_that_became_a_link_is_refused_by_the_same_command(bench, tmp_path):
    b = bench(Scenario({"aaaaaaaaaaa": Video(SMALL)}), [Row("yoga", "aaaaaaaaaaa", 1, 3)], 1, *FAST)
    assert b.run().code == 0
    (b.dest / "train" / "yoga").rename(tmp_path / "elsewhere")
    (b.dest / "train" / "yoga").symlink_to(tmp_path / "elsewhere")
    before = snapshot(tmp_path / "elsewhere")
    done = b.run()
    assert done.code == 1
    assert "train/yoga: a link stands here" in done.stderr
    assert snapshot(tmp_path / "elsewhere") == before

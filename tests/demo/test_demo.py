"""`nanokinetics demo`: it works in an empty folder, and every sentence of its account is true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from helpers import Done, Row, kept, left_over, nanokinetics, read_table

from nanokinetics.cli import main
from nanokinetics.demo import programme
from nanokinetics.demo.films import read_frame_numbers


def _demo(folder, *arguments: str) -> Done:
    running = nanokinetics("demo", *arguments, cwd=folder)
    try:
        return running.wait(200)
    finally:
        running.kill_group()


def test_the_films_of_each_class_have_a_colour_of_their_own():
    classes = (*programme.CLASSES, *programme.MORE_CLASSES)
    rows = programme.rows(classes, 2)
    videos = programme.scenario(rows).videos
    colours = {(row.label, videos[row.youtube_id].film.hue) for row in rows}
    assert len(colours) == len({hue for _, hue in colours}) == len(classes)


@pytest.mark.slow
def test_the_demo_does_what_it_says(tmp_path):
    done = _demo(tmp_path)
    assert done.code == 0, done.stderr
    assert "Traceback" not in done.stderr
    folder = tmp_path / "nanokinetics-demo"
    assert [p.name for p in tmp_path.iterdir()] == ["nanokinetics-demo"]
    dest = folder / "nano-kinetics"
    said = done.stdout
    stats, failed = read_table(dest / "stats.csv"), read_table(dest / "failed.csv")

    assert (
        f"$ nanokinetics build kinetics --annotations nanokinetics-demo/{'annotations.csv'}" in said
    )
    assert "made 12 of 12 clips in 4 classes:" in said
    assert len(stats) == len({row["key"] for row in stats}) == 12
    assert set(Counter(row["label"] for row in stats).items()) == {
        (label, 3) for label in programme.CLASSES
    }

    lines = re.findall(
        r"^  (train/\S+) +(\d+)x(\d+) ([\d.]+) s, frames (\d+) to (\d+)$", said, re.MULTILINE
    )
    assert len(lines) == 12
    for path, width, height, seconds, first, last in lines:
        (row,) = [row for row in stats if row["path"] == path]
        numbers = read_frame_numbers(dest / path)
        assert numbers == list(range(int(first), int(last) + 1))
        assert int(first) == float(row["time_start"]) * programme.FILM.fps
        assert (width, height, seconds) == (row["width"], row["height"], row["duration"])
        assert abs(float(seconds) - 10) <= 1 / programme.FILM.fps
    assert "12 of 12 hold exactly the frames of their windows" in said

    annotations = read_table(folder / "annotations.csv")
    rows = [
        Row(r["label"], r["youtube_id"], int(r["time_start"]), int(r["time_end"]))
        for r in annotations
    ]
    dead = {
        name
        for name, video in programme.scenario(programme.rows()).videos.items()
        if video.failure is not None
    }
    assert {row["path"] for row in stats} == {row.path for row in kept(rows, 3, dead)}
    found = re.search(r"^(\d+) were gone and replaced, and why", said, re.MULTILINE)
    assert found
    assert int(found[1]) == len(failed) > 0
    assert {row["youtube_id"] for row in failed} <= dead
    for row in failed:
        (line,) = [line for line in said.splitlines() if line.startswith(f"  {row['key']} ")]
        assert row["reason"] in line
        assert row["message"][:70] in line

    found = re.search(r"the site refused (\d+) requests for a while", said)
    assert found
    assert int(found[1]) > 0
    found = re.search(r"^([\d.]+) MB were fetched for ([\d.]+) MB of clips", said, re.MULTILINE)
    assert found
    assert abs(float(found[2]) - sum(int(row["bytes"]) for row in stats) / 1e6) < 0.06
    megabytes = sum(int(row["downloaded_bytes"]) for row in stats) / 1e6
    assert megabytes <= float(found[1]) + 0.06 < 2 * megabytes
    assert re.search(r"^done in \d+ s$", said, re.MULTILINE)
    assert left_over(dest) == []

    lines = [line for line in said.splitlines() if line.startswith("  nanokinetics ")]
    *pasted, real = (line.strip() for line in lines)
    assert real.endswith("--annotations k400 --split val --preset tiny --dest nano-k400")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shell = subprocess.run(
        ["/bin/sh", "-e"], input="\n".join(pasted), cwd=tmp_path, env=os.environ | {"PATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shell.returncode == 0, shell.stderr
    assert "12 clips of 12 wanted" in shell.stdout
    assert (folder / "nano-kinetics-exports" / "torchvision").is_dir()

    again = _demo(tmp_path, "--quiet")
    assert (again.code, again.stdout) == (0, "")
    assert read_table(dest / "stats.csv") == stats, "the same command has nothing left to do"


def test_without_trustme_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "trustme", None)
    assert main(["demo", str(tmp_path / "demo"), "--quiet"]) == 1
    assert capsys.readouterr().err == (
        "nanokinetics: this needs trustme, which is not here; pip install 'nanokinetics[demo]'\n"
    )


def test_the_demo_leaves_a_folder_of_other_things_alone(tmp_path):
    folder = tmp_path / "nano"
    (folder / "nano-kinetics").mkdir(parents=True)
    (folder / "nano-kinetics" / "thesis.tex").write_text("years of work")
    (folder / "annotations.csv").write_text("mine")
    done = _demo(tmp_path, "nano")
    assert done.code == 2
    assert len(done.stderr.splitlines()) == 1
    assert (folder / "annotations.csv").read_text() == "mine"
    assert [p.name for p in (folder / "nano-kinetics").iterdir()] == ["thesis.tex"]

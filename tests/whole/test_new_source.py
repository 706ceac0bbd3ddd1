"""A new source is one file and one line: everything else asks it, and none knows it by name."""

from __future__ import annotations

import json

import pytest
import trees
from helpers import FAST, Row, kept, ranked, read_table, write_csv
from toy_source import REGISTERED

from nanokinetics.cli import main
from nanokinetics.demo.films import read_frame_numbers
from nanokinetics.sources import SOURCES

FILM = trees.LONG
ROWS = [
    *(Row("yoga", f"yoga{n:07d}", 1 + n, 4 + n) for n in range(4)),
    *(Row("hurling (sport)", f"hurl{n:07d}", 2.5, 5) for n in range(4)),
]
GONE = tuple(rows[0].youtube_id for rows in ranked(ROWS).values())


@pytest.fixture
def toy(tmp_path, monkeypatch, films):
    monkeypatch.setitem(SOURCES, *REGISTERED)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "films").mkdir()
    for row in ROWS:
        if row.youtube_id not in GONE:
            path = tmp_path / "films" / f"{row.youtube_id}.mp4"
            path.write_bytes(trees.film(films, shown=FILM).read_bytes())
    write_csv(tmp_path / "train.csv", ROWS)
    return tmp_path


@pytest.mark.slow
def test_a_source_that_only_a_test_knows_makes_a_whole_dataset(toy):
    command = ["build", "kinetics", "--annotations", "train.csv", "--source", "toy", "--n", "3"]
    command += ["--dest", "nano", "--workers", "2", "--quiet", *FAST]
    assert main(command) == 0
    stats = read_table(toy / "nano" / "stats.csv")
    expected = kept(ROWS, 3, GONE)
    assert {row["path"] for row in stats} == {row.path for row in expected}
    assert {row["source"] for row in stats} == {"toy"}
    for row in expected:
        numbers = read_frame_numbers(toy / "nano" / row.path)
        first = round(row.start * FILM.fps)
        assert numbers == list(range(first, first + round((row.end - row.start) * FILM.fps)))
    failed = {row["youtube_id"]: row["reason"] for row in read_table(toy / "nano" / "failed.csv")}
    assert failed == dict.fromkeys(GONE, "not_found")
    before = (toy / "nano" / "stats.csv").read_bytes()
    assert main(command) == 0
    assert (toy / "nano" / "stats.csv").read_bytes() == before
    assert main(["verify", "nano", "--quiet"]) == 0
    assert main(["report", "nano", "--quiet"]) == 0
    assert main(["export", "nano", "--format", "slowfast", "--quiet"]) == 0
    assert main([*command, "--source", "local", "--src", "films"]) == 2, (
        "another source contradicts"
    )


def test_a_dataset_of_files_takes_no_source_of_ids(toy, capsys):
    assert main(["sample", "imagenet", "--source", "toy", "--n", "1"]) == 2
    assert "imagenet is read from files, not from toy" in capsys.readouterr().err


def test_its_estimate_says_what_is_not_known(toy, capsys):
    asked = ["--annotations", "train.csv", "--source", "toy", "--n", "1", "--json"]
    assert main(["sample", "kinetics", *asked]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["clips"], found["disk_bytes"], found["seconds"]) == (2, None, None)

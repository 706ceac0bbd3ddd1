"""Builds of annotations by name: they go on with builds of files, and without network."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import SMALL, Bench, Row, kept, snapshot, write_csv, youtube_id

from nanokinetics.common.user_folders import cache
from nanokinetics.demo.answers import FILES_HOST
from nanokinetics.demo.scenario import Scenario, Video
from nanokinetics.demo.site import DemoSite

ROWS = [
    Row(label, youtube_id(n, label[0]), 1 + n, 5 + n, split)
    for split in ("train", "val")
    for label in ("running", "yoga")
    for n in range(4)
]
NOBODY = "http://127.0.0.1:9"
"""A proxy that nobody answers at."""


@pytest.fixture
def named(films, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A build of the name `lab`. The site has its two files, over its proxy and certificate."""
    files = {}
    for split in ("train", "val"):
        path = write_csv(tmp_path / "own.csv", [row for row in ROWS if row.split == split])
        files[f"/{split}.csv"] = path.read_bytes()
        path.unlink()
    (tmp_path / "lab.toml").write_text(
        "[lab]\n"
        + "".join(
            f'[[lab.files]]\nsplits = ["{split}"]\nurls = ["https://{FILES_HOST}/{split}.csv"]\n'
            for split in ("train", "val")
        )
    )
    monkeypatch.setenv("NANOKINETICS_CATALOG", str(tmp_path / "lab.toml"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    scenario = Scenario({row.youtube_id: Video(SMALL, ("progressive",)) for row in ROWS})
    with DemoSite(scenario, cache=films, files=files) as site:
        yield Bench(tmp_path, site, ROWS, 1, "--split", "train", "--x264-preset", "ultrafast")


def by_name(bench: Bench, n: int) -> Bench:
    bench.csv, bench.n = "lab", n  # type: ignore[assignment]
    return bench


def fetched() -> Path:
    (path,) = (cache() / "annotations").glob("*/train.csv")
    return path


@pytest.mark.slow
def test_a_build_by_name_and_one_by_path_go_on_with_each_other(named: Bench) -> None:
    done = by_name(named, 1).run()
    assert done.code == 0, done.stderr
    train = [row for row in ROWS if row.split == "train"]
    named.holds(kept(train, 1))
    assert [path.name for path in (cache() / "annotations").glob("*/*.csv")] == ["train.csv"]
    first = named.tree()
    text = (named.dest / "run.json").read_text()
    digest = hashlib.sha256(fetched().read_bytes()).hexdigest()
    assert json.loads(text)["annotations"] == {"train.csv": digest}
    assert str(cache()) not in text

    named.csv, named.n = write_csv(named.folder / "train.csv", train), 2
    done = named.run()
    assert done.code == 0, done.stderr
    named.holds(kept(train, 2))
    assert first.items() <= named.tree().items()

    done = by_name(named, 3).run()
    assert done.code == 0, done.stderr
    named.holds(kept(train, 3))
    assert json.loads((named.dest / "run.json").read_text())["annotations"] == {"train.csv": digest}


@pytest.mark.slow
def test_a_finished_folder_needs_no_network(named: Bench) -> None:
    assert by_name(named, 1).run().code == 0
    before = snapshot(named.dest)
    named.proxy = ("--proxy", NOBODY)
    assert named.run().code == 0
    assert snapshot(named.dest) == before

    place = fetched()
    shutil.move(place, named.folder / "kept.csv")
    done = named.run()
    assert done.code == 1
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("nanokinetics: "))
    assert f"https://{FILES_HOST}/train.csv: the proxy: cannot be reached" in line
    assert f"put the file at {place} yourself" in line
    assert snapshot(named.dest) == before

    shutil.move(named.folder / "kept.csv", place)
    assert named.run().code == 0
    assert snapshot(named.dest) == before

"""Fixtures of the tests that run whole builds against the demo site."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nanokinetics import build
from nanokinetics.cli import main
from nanokinetics.demo.scenario import Scenario
from nanokinetics.demo.site import DemoSite

pytest.register_assert_rewrite("helpers")

import trees  # noqa: E402 - asserts of what is imported from here on are to be explained too
from helpers import FAST, HASTE, WHEEL, Bench, Done, Row, write_csv  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def haste() -> Iterator[None]:
    """Builds in this process and commands started from it sit no wait out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NANOKINETICS_PATIENCE", HASTE)
        yield


@pytest.fixture(scope="session", autouse=True)
def own_user_folders(tmp_path_factory) -> Iterator[None]:
    """The tests neither read nor change what the user's own runs remember."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        yield


@pytest.fixture(autouse=True)
def own_state(tmp_path_factory, monkeypatch) -> None:
    """Or the tests of one session would share an hourly budget."""
    folder = tmp_path_factory.getbasetemp() / "states" / secrets.token_hex(8)
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))


@pytest.fixture
def zone() -> Iterator[Callable[[str], None]]:
    """Move this process to a time zone, until the test ends."""
    with pytest.MonkeyPatch.context() as patch:

        def move(name: str) -> None:
            patch.setenv("TZ", name)
            time.tzset()

        yield move
    time.tzset()


@pytest.fixture(scope="session")
def films(tmp_path_factory) -> Path:
    """Shared by the workers of pytest-xdist, so that each film is made once a run."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "films"


@pytest.fixture
def bench(films, tmp_path) -> Iterator[Callable[..., Bench]]:
    """Start a site that plays a scenario, and set up a build of rows against it."""
    with contextlib.ExitStack() as stack:

        def make(scenario: Scenario, rows: list[Row], n: int, *options: str, **more: str) -> Bench:
            site = stack.enter_context(DemoSite(scenario, cache=films))
            return Bench(tmp_path, site, rows, n, *options, **more)

        yield make


@pytest.fixture(scope="module")
def nano_k400(films, tmp_path_factory) -> Path:
    """A small dataset of awkward labels and ids in two splits, made from clips on this disk."""
    folder = tmp_path_factory.mktemp("export").resolve()
    labels = ("training dog", "massaging person's head", "hurling (sport)", "yoga")
    rows = [
        replace(row, split="val" if number % 5 > 2 else "train")
        for number, row in enumerate(trees.kinetics_rows(labels, 5))
    ]
    others = [Row("abseiling", "other000001", 1, 2), Row("running", "other000002", 1, 2)]
    build(
        "kinetics",
        source="local",
        src=trees.lay(folder / "source", trees.kinetics_clips(films, rows)),
        annotations=[write_csv(folder / "annotations.csv", [*rows, *others])],
        classes=labels,
        n={"train": 3, "val": 2},
        workers=1,
        ffmpeg=WHEEL,
        dest=folder / "nano-k400",
    )
    return folder / "nano-k400"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys) -> Callable[..., Done]:
    """The command line within this process, which spares the start of another; in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Done:
        command, *rest = arguments
        usual = (*FAST, "--quiet", "--dest", "dest", "--workers", "1")  # what follows overrules it
        capsys.readouterr()
        code = main([str(each) for each in (command, *usual, *rest)])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return run

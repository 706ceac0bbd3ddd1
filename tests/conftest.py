"""Fixtures of the tests that run whole builds against the demo site."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nanokinetics.demo.scenario import Scenario
from nanokinetics.demo.site import DemoSite

pytest.register_assert_rewrite("helpers")

from helpers import Bench, Row  # noqa: E402 - its asserts are to be explained too


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

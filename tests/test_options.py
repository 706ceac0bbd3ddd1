"""The typed options of the library are the fields of its configurations."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

import nanokinetics
from nanokinetics.config import BuildConfig, SampleConfig
from nanokinetics.errors import InputError
from nanokinetics.export.options import Options
from nanokinetics.options import BuildOptions, ExportOptions, SampleOptions


@pytest.mark.parametrize(
    ("typed", "config", "beside"),
    [
        (SampleOptions, SampleConfig, {"split"}),
        (BuildOptions, BuildConfig, {"split"}),
        (ExportOptions, Options, set()),
    ],
)
def test_what_an_editor_completes_is_what_there_is(typed, config: type, beside: set[str]) -> None:
    names = {field.name for field in fields(config)} - {"dataset"}
    assert set(typed.__annotations__) == names | beside


def test_split_and_splits_are_the_same(tmp_path: Path) -> None:
    asked = {"annotations": "train.csv", "n": 1}
    one = SampleConfig.of("kinetics", {**asked, "split": "train"})
    assert one == SampleConfig.of("kinetics", {**asked, "splits": ["train"]})
    with pytest.raises(InputError, match="split and splits are the same"):
        SampleConfig.of("kinetics", {**asked, "split": "train", "splits": "val"})


def test_a_misspelt_option_is_named() -> None:
    with pytest.raises(TypeError, match="num_clases"):
        nanokinetics.sample("kinetics", annotations="train.csv", n=1, num_clases=3)  # type: ignore[call-arg]


def test_public_names_are_there() -> None:
    for name in nanokinetics.__all__:
        assert getattr(nanokinetics, name).__name__ == name
    assert nanokinetics.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = nanokinetics.nothing

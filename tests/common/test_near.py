"""What a mistyped word means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nanokinetics.annotations import DATASETS, dialect
from nanokinetics.annotations.called import CALLED
from nanokinetics.common.near import bare, hint, nearest
from nanokinetics.errors import InputError
from nanokinetics.export import FORMATS
from nanokinetics.export.called import CALLED as FORMATS_CALLED

KNOWN = ("kinetics", "imagenet", "ssv2", "mini-kinetics-200")


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("kinetcs", ["kinetics"]),
        ("ImageNets", ["imagenet"]),
        ("mini_kinetics_20", ["mini-kinetics-200"]),
        ("ssv", ["ssv2"]),
        ("charades", []),
        ("", []),
    ],
)
def test_the_nearest_word(word: str, found: list[str]) -> None:
    assert nearest(word, KNOWN) == found


def test_another_name_comes_before_a_similar_one() -> None:
    assert hint("sv2", KNOWN, {"sv2": "imagenet"}) == "; did you mean imagenet?"
    assert hint("sv2", KNOWN) == "; did you mean ssv2?"
    assert hint("charades", KNOWN) == ""


@given(st.text(), st.lists(st.text()))
def test_any_text_has_a_hint_or_none(word: str, known: list[str]) -> None:
    assert set(nearest(word, known)) <= set(known)
    assert bare(bare(word)) == bare(word)


def test_other_names_are_written_as_they_are_looked_up_and_lead_to_what_is_there() -> None:
    for called, known in ((CALLED, DATASETS), (FORMATS_CALLED, FORMATS)):
        assert set(called) == {bare(name) for name in called}
        assert {text.split()[0] for text in called.values()} <= set(known)
        assert not set(called) & set(known)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("k400", "kinetics --annotations k400"),
        ("Kinetics 600", "kinetics --annotations k600"),
        ("k700", "kinetics --annotations k700-2020"),
        ("kinetics-700-2020", "kinetics --annotations k700-2020"),
        ("something-something-v2", "ssv2"),
        ("HMDB51", "folder"),
        ("youtube", "kinetics --source youtube"),
        ("imagenette", "imagenet --preset imagenette"),
        ("imagnet", "imagenet"),
    ],
)
def test_the_library_says_which_dataset_is_meant(name: str, meant: str) -> None:
    with pytest.raises(InputError) as refused:
        dialect(name)
    assert str(refused.value).endswith(f"; did you mean {meant}?")

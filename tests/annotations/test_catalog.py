"""The catalogue: what is known by name, and a catalogue of one's own with its faults named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nanokinetics.annotations import DATASETS, catalog, catalog_file
from nanokinetics.annotations.candidates import digests_by_name
from nanokinetics.annotations.catalog import Catalog, Listed
from nanokinetics.annotations.catalog_file import VARIABLE
from nanokinetics.common.user_folders import cache
from nanokinetics.errors import InputError

OWN = """
[lab]
[[lab.files]]
splits = ["train"]
urls = ["https://lab.test/train.csv"]
"""


def known() -> Catalog:
    return catalog_file.read({})


def own(path: Path, text: str) -> Catalog:
    path.write_text(text, encoding="utf-8")
    return catalog_file.read({VARIABLE: str(path)})


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("k400", "k400"),
        ("K400", "k400"),
        ("k400@CVDF", "k400"),
        ("Kinetics400", "k400"),
        ("kinetics-600", "k600"),
        ("k600@github", "k600"),
        ("K700-2020@DeepMind", "k700-2020@deepmind"),
        ("k700@deepmind", "k700"),
        ("k700_2020", "k700-2020"),
    ],
)
def test_names_are_known_in_any_case_and_spelling(typed: str, name: str) -> None:
    assert known().get(typed).name == name


def test_the_two_kinetics_400_are_told_apart() -> None:
    full, pruned = known().get("k400"), known().get("k400@deepmind")
    assert full.rows["train"] - pruned.rows["train"] == 246_534 - 219_782
    assert full.files != pruned.files
    assert any("27,000" in note for note in full.notes)


def test_the_default_of_kinetics_600_is_none_of_the_incomplete_files() -> None:
    entry = known().get("k600")
    assert entry.source == "GitHub"
    assert entry.rows["val"] == 30_000
    assert any("complete" in note for note in entry.notes)
    urls = [url for each in known().get("k600@cvdf").files for url in each.urls]
    assert not {url for url in urls if url.endswith(("/train.csv", "/val.csv"))}


def test_a_record_does_not_depend_on_where_the_cache_lies() -> None:
    one, two = known().get("k400").files[0].place, known().get("k600@cvdf").files[2].place
    other = two.with_name("train.csv")
    found = digests_by_name([(p.name, str(p), p.parent.name) for p in (one, other, two)])
    assert found == {
        "k400/train.csv": "k400",
        "k600@cvdf/train.csv": "k600@cvdf",
        "test.csv": "k600@cvdf",
    }


def test_what_comes_along_is_whole() -> None:
    entries = known().listed()
    assert len(entries) == 12
    places = [each.place for entry in entries for each in entry.files]
    assert len(set(places)) == len(places)
    for entry in entries:
        assert entry.dataset in DATASETS
        assert entry.about
        assert entry.source
        for each in entry.files:
            assert each.place.is_relative_to(cache() / "annotations" / entry.name)
            assert {*each.members, *each.rows} <= {*each.splits}
            assert all(url.startswith("https://") for url in each.urls)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no annotations are called 'k40'; did you mean k400\?"):
        known().get("k40")
    with pytest.raises(InputError, match="'nanokinetics annotations' lists them"):
        known().get("something-else-entirely")


def test_only_files_with_the_asked_splits_are_meant() -> None:
    entry = known().get("k400")
    assert [each.splits for each in entry.of({"val"})] == [("val",)]
    assert entry.of(None) == entry.files
    (archive,) = known().get("k400@deepmind").of({"val"})
    assert archive.splits == ("train", "val", "test")


def test_a_catalogue_of_ones_own_adds_names_and_wins(tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    found = own(path, OWN + OWN.replace("lab", "k400", 2).replace("lab.test", "other.test"))
    assert found.get("LAB").source == "own"
    assert found.get("lab").dataset == "kinetics"
    assert found.get("k400").files[0].urls != known().get("k400").files[0].urls
    assert found.get("k600") == known().get("k600")
    # The cached file of the same name elsewhere is not taken for it.
    assert found.get("k400").files[0].place != known().get("k400").files[0].place


def test_a_path_of_ones_own_lies_beside_the_catalogue(tmp_path: Path) -> None:
    text = OWN.replace("https://lab.test/train.csv", "data/train.csv")
    (each,) = own(tmp_path / "lab.toml", text).get("lab").files
    assert each.here is None
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("rows")
    assert each.here == tmp_path / "data" / "train.csv"


def test_a_name_outlives_a_file_that_was_put_in_its_place() -> None:
    (each,) = known().get("k400").of({"test"})
    assert each.here is None
    each.place.parent.mkdir(parents=True, exist_ok=True)
    each.place.write_text("rows")
    assert each.here == each.place
    each.place.unlink()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[lab", r"lab\.toml: is not TOML: "),
        ("lab = 3", r"\[lab\] is not a table"),
        ("[lab]", r"\[lab\] files: is not an array of tables"),
        ("[lab]\nfiles = []", r"\[lab\] files: names no file"),
        (OWN.replace("urls", "url"), r"\[lab\] files\[0\] url: is no key; did you mean urls\?"),
        (OWN.replace('["https://lab.test/train.csv"]', "3"), r"files\[0\] urls: is not an array"),
        (OWN.replace('["https://lab.test/train.csv"]', "[]"), r"files\[0\] urls: names no address"),
        (OWN.replace('"train"]', '"day"]'), r"files\[0\] splits: are some of train, val, test"),
        (OWN + 'sha256 = "abc"', r"files\[0\] sha256: is not 64 hexadecimal digits"),
        (OWN + "bytes = true", r"files\[0\] bytes: is not a whole number"),
        (OWN + "rows = { night = 3 }", r"files\[0\] rows: is not a table with a key for each"),
        (OWN + 'rows = { train = "3" }', r"files\[0\] rows: has a value of another type than int"),
        (OWN.replace("lab", "a/b").replace("[a/b]", '["a/b"]').replace(
            "[[a/b.files]]", '[["a/b".files]]'), r"'a/b' is no name"),
        (OWN.replace("[lab]\n", '[lab]\nalso = ["night"]\n[night]\n' + OWN.replace(
            "[lab]\n", "").replace("lab", "night"), 1), "the name night stands there twice"),
        (OWN + OWN.replace("[lab]\n", ""), r"\[lab\] files: two of them have one file name"),
    ],
)  # fmt: skip
def test_a_fault_of_a_catalogue_names_file_and_key(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "lab.toml"
    with pytest.raises(InputError, match=why) as refused:
        own(path, text)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


def test_a_catalogue_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(f"{VARIABLE}: {tmp_path / 'none'} cannot be")):
        catalog_file.read({VARIABLE: str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://a.test/k400/train.csv?download=true", "train.csv"),
        ("https://a.test/kinetics%20400.csv", "kinetics 400.csv"),
        ("https://a.test/", "annotations"),
        ("https://a.test/%2e%2e%2f%2e%2e%2fpasswd", "passwd"),
        ("https://a.test/.bashrc", "bashrc"),
        ("https://a.test/a%00b%0a.csv", "a_b_.csv"),
    ],
)
def test_the_file_of_an_address_stays_in_the_cache(url: str, name: str) -> None:
    place = catalog.of_url(url).place
    assert place.name == name
    assert place.parent.parent == cache() / "annotations" / "urls"


def test_two_addresses_share_no_file() -> None:
    one: Listed = catalog.of_url("https://a.test/train.csv")
    assert one.place == catalog.of_url("https://a.test/train.csv").place
    assert one.place != catalog.of_url("https://b.test/train.csv").place

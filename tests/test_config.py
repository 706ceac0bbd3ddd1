"""What may be asked: durations, quotas, classes, and values that are refused by their option."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nanokinetics.cli.options import parse_classes, parse_n, parse_resolution
from nanokinetics.config import (
    BuildConfig,
    NetworkConfig,
    SampleConfig,
    VideoConfig,
    parse_duration,
)
from nanokinetics.errors import InputError
from nanokinetics.selection import settle


def config(**options: Any) -> BuildConfig:
    least: dict[str, Any] = {
        "dataset": "kinetics",
        "annotations": ["train.csv"],
        "n": 10,
        "dest": "nano",
    }
    return settle(BuildConfig(**(least | options)))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("6h", 21_600),
        ("2d", 172_800),
        ("1.5h", 5_400),
        ("0", 0),
        (" 90s ", 90),
        ("90 s", 90),
        ("1h30m", 5_400),
        ("1h 30min", 5_400),
        ("2 days 6 hours", 194_400),
        ("1d2h3m4s", 93_784),
        ("6H", 21_600),
        ("10 secs", 10),
        (90, 90),
        (0.5, 0.5),
    ],
)
def test_a_duration(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "s", "-1", "1w", "1h30", "30m1h", "1h1h", "1m30", "1e3", "inf", "nan", "six hours", "h"],
)
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(InputError, match=r"not a duration; write 90, 90s, 15m, 1h30m or 2d"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["3653d", "999999999999", float("inf"), float("nan"), -1.0])
def test_what_no_clock_can_show_is_no_duration(text: str | float) -> None:
    with pytest.raises(InputError, match="at most ten years"):
        parse_duration(text)


@given(n=st.integers(0, 3652), unit=st.sampled_from("smhd"))
def test_durations_in_whole_units_are_exact(n: int, unit: str) -> None:
    assert parse_duration(f"{n}{unit}") == n * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("10", 10),
        ("train=10,val=2", {"train": 10, "val": 2}),
        (" train = 10 , val = 2 ", {"train": 10, "val": 2}),
        ("test=1", {"test": 1}),
    ],
)
def test_n(text: str, n: int | dict[str, int]) -> None:
    assert parse_n(text) == n


@pytest.mark.parametrize(
    "text",
    ["", "ten", "1.5", "train=", "train=ten", "train=1,", "train=1;val=2", "train=1,train=2"],
)
def test_what_is_no_n_is_named(text: str) -> None:
    with pytest.raises(InputError, match=r"--n"):
        parse_n(text)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("yoga", ("yoga",)),
        ("yoga, hurling (sport) ,", ("yoga", "hurling (sport)")),
        ("massaging person's head", ("massaging person's head",)),
        ("", ()),
        ("a class that may be called.anything", ("a class that may be called.anything",)),
        ("x" * 5000, ("x" * 5000,)),
        ("\0", ("\0",)),
    ],
)
def test_classes_stand_between_commas(text: str, labels: tuple[str, ...]) -> None:
    assert parse_classes(text) == labels


@pytest.mark.parametrize(
    "data",
    [
        b"yoga\ntying, then untying\n\n  zumba  \n",
        b"yoga\r\ntying, then untying\r\nzumba",
        b"\xef\xbb\xbfyoga\ntying, then untying\nzumba\n",
    ],
    ids=["unix", "windows", "byte order mark"],
)
def test_a_file_names_a_class_a_line_commas_and_all(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "classes.txt").write_bytes(data)
    for mark in ("@", ""):
        labels = parse_classes(f"{mark}{tmp_path / 'classes.txt'}")
        assert labels == ("yoga", "tying, then untying", "zumba")


def test_the_name_of_a_file_that_is_not_there_is_no_class(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*missing\.txt"):
        parse_classes(str(tmp_path / "missing.txt"))


@pytest.mark.parametrize(("text", "pixels"), [("360", 360), ("480p", 480), (" 720P ", 720)])
def test_a_resolution(text: str, pixels: int) -> None:
    assert parse_resolution(text) == pixels


@pytest.mark.parametrize("text", ["", "p", "640x360", "4k", "-360", "36.5", "hd"])
def test_what_is_no_resolution_is_named(text: str) -> None:
    with pytest.raises(InputError, match=r"write 360 or 360p"):
        parse_resolution(text)


@pytest.mark.parametrize("name", ["missing.txt", "folder", "latin1.txt"])
def test_a_classes_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin1.txt").write_bytes(b"Stra\xdfe")
    with pytest.raises(InputError, match=rf"--classes: .*{name} cannot be read"):
        parse_classes(f"@{tmp_path / name}")


BAD_VALUES = [
    ("n", 0, "--n"),
    ("n", -1, "--n"),
    ("n", 2.5, "--n"),
    ("n", "10", "--n"),
    ("n", {"train": 0}, "--n"),
    ("num_classes", 0, "--num-classes"),
    ("num_classes", -3, "--num-classes"),
    ("annotations", [], "--annotations"),
    ("classes", [], "--classes"),
    ("seed", "a\nb", "--seed"),
    ("workers", 0, "--workers"),
    ("workers", 257, "--workers"),
    ("max_per_hour", -1, "--max-per-hour"),
    ("max_wait", "soon", "--max-wait"),
    ("max_wait", -1, "--max-wait"),
    ("block_wait", 0, "--block-wait"),
    ("block_wait", "soon", "--block-wait"),
    ("resolution", 0, "--resolution"),
    ("resolution", -360, "--resolution"),
    ("resolution", 15, "--resolution"),
    ("resolution", 361, "--resolution"),
    ("fps", 0, "--fps"),
    ("fps", -1, "--fps"),
    ("fps", float("nan"), "--fps"),
    ("fps", float("inf"), "--fps"),
    ("crf", -1, "--crf"),
    ("crf", 52, "--crf"),
    ("x264_preset", "warp", "--x264-preset"),
    *(("gop", value, "--gop") for value in (0, -1, "0", "fast", "1s", True, float("nan"), 1e9)),
    ("cookies", "no-such-file.txt", "--cookies"),
]


@pytest.mark.parametrize(("name", "value", "option"), BAD_VALUES)
def test_a_bad_value_is_refused_by_the_name_of_its_option(
    name: str, value: object, option: str
) -> None:
    with pytest.raises(InputError, match=option) as caught:
        config(**{name: value})
    assert "\n" not in str(caught.value)


def test_an_unknown_dataset_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"'kinetic'.*kinetics"):
        config(dataset="kinetic")


def test_a_folder_is_no_cookie_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--cookies"):
        config(cookies=tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 1),
        ("n", {"train": 10, "val": 2}),
        ("seed", ""),
        ("seed", "ä b\t"),
        ("max_per_hour", 0),
        ("max_wait", 0),
        ("workers", 1),
        ("resolution", 16),
        ("fps", 0.5),
        ("crf", 0),
        ("crf", 51),
        ("x264_preset", "placebo"),
        ("gop", 0.5),
        ("gop", "none"),
    ],
)
def test_values_at_the_edge_are_taken(name: str, value: object) -> None:
    assert getattr(config(**{name: value}), name) == value


def test_one_value_or_several_may_be_given() -> None:
    one = config(annotations="train.csv", splits="train", classes="yoga")
    assert one.annotations == (Path("train.csv"),)
    assert (one.splits, one.classes) == (("train",), ("yoga",))
    several = config(annotations=[Path("a.csv"), "b.csv"], splits=["train", "val"])
    assert several.annotations == (Path("a.csv"), Path("b.csv"))
    assert several.splits == ("train", "val")


def test_a_seed_may_be_given_as_a_number() -> None:
    assert config(seed=7) == config(seed="7")


def test_durations_may_be_given_as_text_or_seconds() -> None:
    assert config(max_wait="2h", block_wait="90s") == config(max_wait=7200, block_wait=90.0)


def test_paths_may_begin_with_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert config(dest="~/nano").dest == Path("/home/somebody/nano")


def test_the_defaults_are_those_of_the_contract() -> None:
    default = config()
    assert (default.seed, default.video.resolution, default.max_wait) == ("0", 360, 6 * 3600)
    assert default.failed_logs is None
    assert default.video == VideoConfig(resolution=360)
    assert default.network == NetworkConfig()


def test_an_account_is_told_from_a_guest(tmp_path: Path) -> None:
    cookies = tmp_path / "cookies.txt"
    cookies.touch()
    assert not config().pace.has_account
    assert config(cookies=cookies).pace.has_account
    assert config(cookies=cookies, max_per_hour=50).pace.per_hour == 50
    assert config(max_per_hour=0).pace.per_hour == 0


@pytest.mark.parametrize("max_wait", ["0", "6h", 90])
def test_the_patient_wait_for_ever_whatever_max_wait_says(max_wait: str | float) -> None:
    assert config(max_wait=max_wait, wait_forever=True).pace.max_wait == math.inf
    assert config(max_wait=max_wait).pace.max_wait == parse_duration(max_wait)


def test_by_default_nobody_waits_for_ever_and_nothing_stands_in_for_what_fails_for_now() -> None:
    default = config()
    assert (default.wait_forever, default.replace_transient) == (False, False)
    assert default.pace.max_wait == default.max_wait == 6 * 3600
    assert config(replace_transient=True) != default


def test_workers_are_at_least_one_and_by_default_at_most_eight() -> None:
    assert 1 <= config().processes <= 8
    assert config(workers=1).processes == 1
    assert config(workers=40).processes == 40


def test_a_config_never_changes() -> None:
    with pytest.raises(FrozenInstanceError):
        config().n = 5  # type: ignore[misc]


def test_sampling_asks_for_less_than_building() -> None:
    asked = SampleConfig(dataset="kinetics", annotations=("train.csv",), n=10)
    assert asked.annotations == (Path("train.csv"),)
    assert not hasattr(asked, "dest")

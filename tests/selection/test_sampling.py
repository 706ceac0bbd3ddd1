"""The sampler: the ranking contract to the letter, nestedness, and every choice it refuses.

The hashes below were computed with `printf '%s' TEXT | sha256sum`, not with this code.
"""

from __future__ import annotations

import hashlib
import random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import real_annotations
from hypothesis import given, settings
from hypothesis import strategies as st

from nanokinetics.annotations import read
from nanokinetics.clip import Clip, Group
from nanokinetics.dataset.ranking import COLUMNS, warnings
from nanokinetics.errors import InputError
from nanokinetics.selection.frame import Selection
from nanokinetics.selection.sampling import select

settings.register_profile("unhurried", deadline=None, max_examples=60)
settings.load_profile("unhurried")  # a busy machine is no failure

KEYS = [
    "AAAAAAAAAA0_000010_000020",
    "AAAAAAAAAA1_000010_000020",
    "AAAAAAAAAA2_000010_000020",
    "-BBBBBBBBB3_000000_000010",
    "_CCCCCCCCC4_123456_123466",
]
RANKED_WITH_SEED_0 = [
    "AAAAAAAAAA1_000010_000020",  # 4233375e…
    "_CCCCCCCCC4_123456_123466",  # 6c30c1f6…
    "AAAAAAAAAA2_000010_000020",  # 6e1fbf58…
    "AAAAAAAAAA0_000010_000020",  # f034c07e…
    "-BBBBBBBBB3_000000_000010",  # f30ef086…
]
RANKED_WITH_SEED_A_UMLAUT_7 = [
    "-BBBBBBBBB3_000000_000010",  # 075889a3…
    "_CCCCCCCCC4_123456_123466",  # 13b9c864…
    "AAAAAAAAAA2_000010_000020",  # 3135d453…
    "AAAAAAAAAA0_000010_000020",  # 7b818823…
    "AAAAAAAAAA1_000010_000020",  # 7f7ce7eb…
]
CLASSES_WITH_SEED_0 = ["yoga", "zumba", "air drumming", "abseiling"]  # 6e1e… 7031… 8473… e5e6…


def frame_of(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    """Candidates from (key, split, label), windows as the keys say."""
    return pd.DataFrame(
        [
            (key, split, label, key[:11], float(key[12:18]), float(key[19:25]))
            for key, split, label in rows
        ],
        columns=list(COLUMNS[:6]),
    ).astype({"time_start": np.float64, "time_end": np.float64})


def key_of(i: int, start: int = 0) -> str:
    return f"video{i:06d}_{start:06d}_{start + 10:06d}"


def picks(selection: Selection) -> dict[Group, list[str]]:
    return {
        group: [selection.clip(row).key for row in selection.rows(group)][:wanted]
        for group, wanted in selection.quotas.items()
    }


@pytest.mark.parametrize(
    ("seed", "ranked"), [("0", RANKED_WITH_SEED_0), ("ä 7", RANKED_WITH_SEED_A_UMLAUT_7)]
)
def test_clips_rank_by_the_sha256_of_seed_and_key(seed: str, ranked: list[str]) -> None:
    selection = select(frame_of([(k, "val", "yoga") for k in KEYS]), splits=None, n=2, seed=seed)
    assert selection.frame["key"].tolist() == ranked
    assert selection.frame["rank"].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_classes_are_drawn_by_the_sha256_of_seed_and_label(count: int) -> None:
    frame = frame_of([(key_of(i), "val", c) for i, c in enumerate(sorted(CLASSES_WITH_SEED_0))])
    selection = select(frame, splits=None, n=1, num_classes=count)
    assert [g.label for g in selection.groups()] == sorted(CLASSES_WITH_SEED_0[:count])


def test_splits_and_labels_stand_in_order_and_ranks_begin_anew() -> None:
    rows = [
        (key_of(i), split, label)
        for i, (split, label) in enumerate(
            [("test", "b"), ("val", "b"), ("train", "b"), ("train", "a"), ("train", "b")]
        )
    ]
    selection = select(frame_of(rows), splits=["val", "test", "train"], n=1)
    groups = [("train", "a"), ("train", "b"), ("val", "b"), ("test", "b")]
    assert (
        list(dict.fromkeys(zip(*(selection.frame[c] for c in ("split", "label")), strict=True)))
        == groups
    )
    assert selection.frame["rank"].tolist() == [1, 1, 2, 1, 1]
    assert [len(selection.rows(Group(*group))) for group in groups] == [1, 2, 1, 1]
    assert list(selection.candidates(Group("train", "b"))["rank"]) == [1, 2]
    assert selection.labels == ("a", "b")


def test_a_clip_is_made_of_plain_python_values() -> None:
    clip = select(frame_of([(KEYS[3], "val", "yoga")]), splits=None, n=1).clip(0)
    assert clip == Clip(KEYS[3], "val", "yoga", "-BBBBBBBBB3", 0.0, 10.0)
    assert [type(value) for value in (clip.key, clip.label, clip.time_start)] == [str, str, float]


def test_a_file_taken_whole_has_no_times() -> None:
    frame = frame_of([(key_of(0), "train", "n01440764")]).assign(
        key='train/a,"b"', youtube_id="", time_start=np.nan, time_end=np.nan
    )
    selection = select(frame, splits=None, n=1)
    assert selection.clip(0) == Clip('train/a,"b"', "train", "n01440764")
    assert selection.to_csv().splitlines()[1] == b'"train/a,""b""",train,n01440764,,,,1'
    assert not warnings(selection)


def test_repeated_candidates_are_one_and_the_earliest_window_stays() -> None:
    one, other = (key_of(1), "val", "a"), (key_of(2), "val", "a")
    frame = frame_of([one, other, one, one, (*one[:2], "b")])
    frame["time_start"] = [0.5, 0.0, 0.25, 0.5, 0.75]
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 1, 4, 3]):
        found = select(frame.iloc[order], splits=None, n=1).frame
        kept = set(zip(found["key"], found["label"], found["time_start"], strict=True))
        assert kept == {(one[0], "a", 0.25), (other[0], "a", 0.0), (one[0], "b", 0.75)}
        assert len(found) == 3


def test_equal_digests_rank_by_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nanokinetics.selection.sampling._hex", lambda text: "same")
    monkeypatch.setattr(
        "nanokinetics.selection.sampling._digest_heads",
        lambda keys, seed: np.zeros(len(keys), np.uint64),
    )
    found = select(frame_of([(k, "val", "yoga") for k in KEYS]), splits=None, n=1).frame
    assert found["key"].tolist() == sorted(KEYS)


def test_heads_that_clash_are_told_apart_by_the_whole_digest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "nanokinetics.selection.sampling._digest_heads",
        lambda keys, seed: np.zeros(len(keys), np.uint64),
    )
    found = select(frame_of([(k, "val", "yoga") for k in KEYS]), splits=None, n=1).frame
    assert found["key"].tolist() == RANKED_WITH_SEED_0


ROWS = st.lists(
    st.tuples(
        st.builds(key_of, st.integers(0, 12), st.sampled_from([0, 5])),
        st.sampled_from(["train", "val", "test"]),
        st.sampled_from(["a", "b c", "d"]),
    ),
    min_size=1,
    max_size=60,
)


@given(
    rows=ROWS,
    shuffle=st.randoms(),
    seed=st.text(st.characters(exclude_characters="\n", codec="utf-8")),
)
def test_row_order_changes_nothing(rows: list[Any], shuffle: random.Random, seed: str) -> None:
    once = select(frame_of(rows), splits=None, n=2, seed=seed)
    shuffle.shuffle(rows)
    assert select(frame_of(rows), splits=None, n=2, seed=seed).to_csv() == once.to_csv()


@given(rows=ROWS, n=st.integers(1, 5), more=st.integers(0, 5), classes=st.integers(1, 3))
def test_fewer_clips_and_classes_are_part_of_more(
    rows: list[Any], n: int, more: int, classes: int
) -> None:
    frame = frame_of(rows)
    classes = min(classes, frame["label"].nunique())
    small = picks(select(frame, splits=None, n=n, num_classes=classes))
    for large in (
        picks(select(frame, splits=None, n=n + more, num_classes=classes)),
        picks(select(frame, splits=None, n=n + more)),
    ):
        assert all(large[group][: len(keys)] == keys for group, keys in small.items())


@given(rows=ROWS)
def test_the_selection_agrees_with_a_plain_sort(rows: list[Any]) -> None:
    frame = frame_of(rows)
    selection = select(frame, splits=None, n=3, seed="s")
    for group in selection.groups():
        keys = {key for key, *rest in rows if tuple(rest) == group}
        by_contract = sorted(
            keys, key=lambda key: (hashlib.sha256(f"s:{key}".encode()).hexdigest(), key)
        )
        assert [selection.clip(row).key for row in selection.rows(group)] == by_contract


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)


@given(
    st.lists(
        st.tuples(
            TEXTS,
            TEXTS,
            st.floats(0, 999_999) | st.integers(0, 999_999).map(float) | st.just(np.nan),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_selection_csv_reads_back_the_same(rows: list[Any]) -> None:
    frame = pd.DataFrame(
        [(key, "train", label, "", time, time) for key, label, time in rows],
        columns=list(COLUMNS[:6]),
    )
    selection = select(frame, splits=None, n=1)
    data = selection.to_csv()
    again = Selection.from_csv(data, quotas=selection.quotas, labels=selection.labels)
    pd.testing.assert_frame_equal(again.frame, selection.frame, check_exact=True)
    assert again.to_csv() == data
    assert [again.rows(g) for g in again.groups()] == [selection.rows(g) for g in again.groups()]


def test_selection_csv_shows_whole_seconds_without_a_fraction() -> None:
    frame = frame_of([(KEYS[0], "val", "a, b")]).assign(time_start=17.0, time_end=27.1)
    assert select(frame, splits=None, n=1).to_csv() == (
        b"key,split,label,youtube_id,time_start,time_end,rank\n"
        b'AAAAAAAAAA0_000010_000020,val,"a, b",AAAAAAAAAA0,17,27.1,1\n'
    )


@pytest.mark.parametrize("data", [b"", b"\n", b"a,b\n1,2\n", b"\xff\xfe", b"key,split\n\0"])
def test_what_is_no_selection_csv_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"selection\.csv"):
        Selection.from_csv(data, quotas={}, labels=())


PAIR = ("passing American football (not in game)", "passing american football (not in game)")
TWO_SPLITS = frame_of(
    [
        (key_of(1), "train", "air drumming"),
        (key_of(2), "train", PAIR[0]),
        (key_of(3), "val", PAIR[1]),
        (key_of(4), "val", "air drumming"),
        (key_of(5), "train", "zumba"),
        (key_of(5), "val", PAIR[0]),
        (key_of(6), "train", PAIR[1]),
    ]
)


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["air drumming"], ["air drumming"]),
        (["Air_Drumming", "airdrumming"], ["air drumming"]),
        ([PAIR[1]], [PAIR[1]]),
        ([PAIR[0]], [PAIR[0]]),
        ([*PAIR, "AIR DRUMMING"], ["air drumming", *PAIR]),
    ],
)
def test_classes_are_named_exactly_or_else_loosely(names: list[str], labels: list[str]) -> None:
    selection = select(TWO_SPLITS, splits=None, n=1, classes=names)
    assert [g.label for g in selection.groups() if g.split == "val"] == labels


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"classes": ["air druming"]}, r"no class 'air druming'.*nearest: 'air drumming'"),
        ({"classes": ["§"]}, "no class '§' in the annotations$"),
        ({"classes": []}, "names no class"),
        ({"classes": ["Passing_American_Football_(not in game)"]}, "American.*american.*exactly"),
        ({"classes": ["zumba"]}, "'zumba' has no clips in split val"),
        ({"classes": ["zumba"], "num_classes": 1}, "exclude each other"),
        ({"num_classes": 0}, "--num-classes 0"),
        ({"num_classes": 5}, "--num-classes 5.*1 to 4"),
        ({"splits": ["val"], "num_classes": 4}, "1 to 3"),
        ({"n": 0}, "at least 1"),
        ({"n": {"train": 1, "val": -1}}, "--n -1 for split val"),
        ({"n": {}}, "no split is chosen"),
        ({"splits": []}, "no split is chosen"),
        ({"splits": ["test"]}, "no split 'test'.*train, val"),
        ({"n": {"test": 1}}, "no split 'test'.*train, val"),
        ({"n": {"train": 1}, "splits": ["train", "val"]}, "names the splits train, but"),
        ({"seed": "a\nb"}, "newline"),
        ({"seed": "\udcff"}, "UTF-8"),
    ],
)
def test_a_choice_that_cannot_be_met_is_refused_in_one_line(
    choice: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as error:
        select(TWO_SPLITS, **{"splits": None, "n": 1, **choice})
    assert "\n" not in str(error.value)


def test_quotas_differ_by_split_and_name_the_splits() -> None:
    selection = select(TWO_SPLITS, splits=None, n={"val": 2, "train": 7}, classes=["air drumming"])
    assert list(selection.quotas.items()) == [
        (Group("train", "air drumming"), 7),
        (Group("val", "air drumming"), 2),
    ]
    assert set(select(TWO_SPLITS, splits=None, n={"val": 2}).frame["split"]) == {"val"}
    assert select(TWO_SPLITS, splits=["val"], n=1).labels == tuple(sorted({*TWO_SPLITS["label"]}))


def test_a_class_that_one_split_lacks_is_wanted_there_all_the_same_and_warned_of() -> None:
    selection = select(TWO_SPLITS, splits=None, n=1)
    group = Group("val", "zumba")
    assert selection.quotas[group] == 1
    assert not selection.rows(group)
    leak, lacking = warnings(selection)
    assert leak.startswith("1 video is in more than one split (train, val), such as video000005")
    assert lacking.startswith("split val has no clips of 'zumba'")
    assert not warnings(select(TWO_SPLITS, splits=["train"], n=1))


@pytest.mark.real_annotations
def test_real_windows_are_picked_alike_from_both_dialects_and_in_any_order() -> None:
    headed = read("kinetics", [real_annotations("k400/val_with_is_cc.csv")]).frame
    headerless = read("kinetics", [real_annotations("k400/val_headerless.csv")]).frame
    rows = ["key", "label"]
    common = headed[rows].merge(headerless[rows])["key"]
    assert len(common) > 15_000
    first, second = (
        select(frame[frame["key"].isin(common)], splits=None, n=5).to_csv()
        for frame in (headed, headerless)
    )
    assert first == second
    shuffled = headed.sample(frac=1, random_state=1)
    assert select(shuffled, splits=None, n=5).to_csv() == select(headed, splits=None, n=5).to_csv()


@pytest.mark.real_annotations
def test_real_versions_mixed_across_splits_are_warned_of() -> None:
    k600 = read("kinetics", [real_annotations("k600/validate.csv")]).frame.assign(split="train")
    k400 = read("kinetics", [real_annotations("k400/val_headerless.csv")]).frame
    both = select(pd.concat([k600, k400]), splits=None, n=1)
    assert warnings(both)[0].startswith("12900 videos are in more than one split (train, val)")

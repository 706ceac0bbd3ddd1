"""No living clip is written off: any dead share, any outage, any number of workers."""

from __future__ import annotations

import random

from hypothesis import given, note, settings
from hypothesis import strategies as st
from simulated import Outage, Site, key_of, night

from nanokinetics.errors import Kind, Reason

SAID = [
    *(r for r in Reason if r.kind in (Kind.PERMANENT, Kind.CONDITIONAL)),
    *(Reason.SERVER_ERROR, Reason.UNDECODABLE, Reason.TOO_SHORT),
]
"""The answers that an outage may give to every video."""

GONE = [r for r in SAID if r is not Reason.SERVER_ERROR]


def outages(first: int) -> st.SearchStrategy[Outage]:
    """An outage after at least so many answers of a site that is well."""
    return st.builds(
        Outage,
        after=st.integers(first, first + 60),
        reason=st.sampled_from(SAID),
        answers=st.integers(5, 8),
        seconds=st.sampled_from([0.0, 0.0, 2.0, 8.0]),
    )


def play(
    seed: int,
    share: float,
    count: int,
    n: int,
    workers: int,
    outages: tuple[Outage, ...],
    *,
    windows: int = 1,
    canaries: bool = True,
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a simulation
    most = 4 * n + 10
    classes = {
        f"class {c}": [f"{c:03d}{i // windows:08d}@{i % windows}" for i in range(most)]
        for c in range(count)
    }
    for clips in classes.values():
        chance.shuffle(clips)
    videos = sorted({clip.split("@")[0] for clips in classes.values() for clip in clips})
    dead = {video: chance.choice(GONE) for video in videos if chance.random() < share}
    done = night(classes, n, Site(dead, outages), workers=workers, chance=chance)
    there = {
        key_of(clip)
        for clips in classes.values()
        for clip in [clip for clip in clips if clip.split("@")[0] not in dead][:n]
    }
    note(f"{done.asked} asked, {done.canaries} canaries, {done.runs} runs")
    wrong = {
        id_.key for id_, f in done.books.reasons.items()
        if f.kind is Kind.PERMANENT and id_.key[:11] not in dead
    }  # fmt: skip
    assert not wrong, "a living clip is written off"
    assert {id_.key for id_ in done.books.done} == there
    # A canary that ends a wait takes the place of a clip that would be requested then anyway.
    assert not canaries or done.canaries - done.waits <= 0.03 * done.asked + 10


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    share=st.floats(0, 0.4),
    count=st.integers(1, 5),
    n=st.integers(1, 10),
    workers=st.integers(1, 8),
    outages=st.lists(outages(0), min_size=2, max_size=3).map(tuple),
)
def test_outages_one_after_another_write_nothing_living_off(
    seed: int, share: float, count: int, n: int, workers: int, outages: tuple[Outage, ...]
) -> None:
    """Each costs canaries, so only what is kept is compared here."""
    play(seed, share, count, n, workers, outages, canaries=False)


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    share=st.floats(0, 0.7),
    count=st.integers(1, 5),
    n=st.integers(1, 10),
    workers=st.integers(1, 8),
    windows=st.sampled_from([1, 1, 4, 20]),
    outages=st.tuples() | st.tuples(outages(0)) | st.tuples(outages(0), outages(40)),
)
def test_what_is_kept_is_the_first_n_available(
    seed: int,
    share: float,
    count: int,
    n: int,
    workers: int,
    windows: int,
    outages: tuple[Outage, ...],
) -> None:
    play(seed, share, count, n, workers, outages, windows=windows)

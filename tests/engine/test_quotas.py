"""What is kept of a class: the first n available clips of its ranked order, and nothing else.

A site is a verdict for each clip. A run is played against it with any number of jobs in flight,
any order of completion, and an end at any moment.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nanokinetics.clip import Clip, ClipId, Group
from nanokinetics.dataset.ledger import LedgerState
from nanokinetics.dataset.ranking import COLUMNS
from nanokinetics.engine.quotas import Quotas
from nanokinetics.errors import Reason
from nanokinetics.selection.frame import Selection

OK, GONE, LATER, GEO = "ok", "gone", "later", "geo"
"""There; gone for good; fails for now; refused to this country, so asked again when told to."""
BLOCKED, KILLS, KILLS_TWICE = "blocked", "kills", "kills twice"
"""Refused once and then there; ends its worker once and then there; ends it every time."""

REASONS = {
    GONE: Reason.PRIVATE,
    LATER: Reason.TIMEOUT,
    GEO: Reason.GEO_BLOCKED,
    KILLS_TWICE: Reason.WORKER_DIED,
}
OUT = (GONE, GEO, KILLS_TWICE)


def standing_of(
    done: Collection[ClipId] = (), failed: Mapping[ClipId, Reason] | None = None
) -> LedgerState:
    """What earlier runs have left, wherever their files lie."""
    return LedgerState(dict.fromkeys(done, ""), {}, failed or {}, ())


NOTHING = standing_of()


def selection_of(groups: Mapping[Group, list[str]], wanted: Mapping[Group, int]) -> Selection:
    """Classes with the videos of their candidates in ranked order, a window of ten seconds each."""
    rows = [
        (
            f"{video}_{10 * rank:06d}_{10 * rank + 10:06d}",
            *group,
            video,
            10.0 * rank,
            10.0 * rank + 10,
            rank,
        )
        for group, videos in groups.items()
        for rank, video in enumerate(videos, 1)
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return Selection(frame, dict(wanted), tuple(sorted({g.label for g in groups})))


def rank_of(id_: ClipId) -> int:
    """The rank that `selection_of` wrote into the window of a key."""
    return int(id_.key.split("_")[1])


def ranked(selection: Selection, group: Group) -> list[Clip]:
    return [selection.clip(row) for row in selection.rows(group)]


def first_available(selection: Selection, site: Mapping[ClipId, str]) -> frozenset[ClipId]:
    """The contract: of each class the first n that are not out; one that fails for now stays."""
    kept: set[ClipId] = set()
    for group, n in selection.quotas.items():
        in_play = [c.id for c in ranked(selection, group) if site[c.id] not in OUT][:n]
        kept.update(id_ for id_ in in_play if site[id_] != LATER)
    return frozenset(kept)


def first_there(selection: Selection, site: Mapping[ClipId, str]) -> frozenset[ClipId]:
    """What --replace-transient makes: one that fails for now is passed over like one that is out,
    so of each class the first n that are there today."""
    return frozenset(
        id_
        for group, n in selection.quotas.items()
        for id_ in [c.id for c in ranked(selection, group) if site[c.id] not in (*OUT, LATER)][:n]
    )


@dataclass
class Run:
    """A driver as small as an engine can be: jobs in flight, outcomes in any order, two tables."""

    site: Mapping[ClipId, str]
    chance: random.Random
    at_once: int = 1
    done: set[ClipId] = field(default_factory=set)
    failed: dict[ClipId, Reason] = field(default_factory=dict)
    asked: Counter[ClipId] = field(default_factory=Counter)

    def play(self, quotas: Quotas, steps: float = float("inf")) -> Quotas:
        """Go on until nothing is left to do, or end in the middle, with jobs still in flight."""
        flight: list[Clip] = []
        seen: Counter[ClipId] = Counter()
        while steps > 0:
            while len(flight) < self.at_once and (job := quotas.next()):
                flying = {clip.id for clip in flight}
                assert flying.isdisjoint(clip.id for clip in job), "a clip is in hand twice"
                assert len({clip.youtube_id for clip in job}) == 1
                flight += job
            if not flight:
                break
            clip = flight.pop(self.chance.randrange(len(flight)))
            seen[clip.id] += 1
            self.asked[clip.id] += 1
            self._outcome(quotas, clip, first=seen[clip.id] == 1)
            steps -= 1
        return quotas

    def _outcome(self, quotas: Quotas, clip: Clip, *, first: bool) -> None:
        verdict = self.site[clip.id]
        if verdict in (BLOCKED, KILLS, KILLS_TWICE) and first:
            quotas.put_back(clip)
        elif verdict in OUT:
            self.failed[clip.id] = REASONS[verdict]
            quotas.out(clip)
        elif verdict == LATER:
            self.failed[clip.id] = REASONS[verdict]
            quotas.hold(clip)
        else:
            assert clip.id not in self.done, "a clip was made twice"
            self.done.add(clip.id)
            quotas.finished(clip)

    def state(self) -> LedgerState:
        """What a later run reads from the tables."""
        return standing_of(self.done, dict(self.failed))


@st.composite
def worlds(
    draw: st.DrawFn, verdicts: tuple[str, ...] = (OK, GONE, LATER, GEO, BLOCKED, KILLS, KILLS_TWICE)
) -> tuple[Selection, dict[ClipId, str]]:
    """Classes that share some videos, and what becomes of each clip."""
    videos = st.integers(0, 9).map(lambda n: f"video-{n:05d}")
    groups = {
        Group(split, label): draw(st.lists(videos, max_size=7))
        for split in ("train", "val")
        for label in ("abseiling", "hurling (sport)")
    }
    wanted = {group: draw(st.integers(1, 4)) for group in groups}
    selection = selection_of(groups, wanted)
    clips = [clip for group in groups for clip in ranked(selection, group)]
    return selection, {clip.id: draw(st.sampled_from(verdicts)) for clip in clips}


chances = st.randoms(use_true_random=False)
at_once = st.integers(1, 12)
unhurried = settings(deadline=None, max_examples=40)


@unhurried
@given(world=worlds(), chance=chances, workers=at_once)
def test_the_first_n_available_are_kept_in_any_order_of_completion(
    world: tuple[Selection, dict[ClipId, str]], chance: random.Random, workers: int
) -> None:
    selection, site = world
    run = Run(site, chance, workers)
    quotas = run.play(Quotas(selection, NOTHING))

    assert run.done == first_available(selection, site)
    got = Counter(Group(id_.split, id_.label) for id_ in run.done)
    assert all(got[group] <= n for group, n in selection.quotas.items())
    assert quotas.made == len(run.done)
    assert quotas.wanted == sum(selection.quotas.values())
    assert quotas.short() == {g: (got[g], n) for g, n in selection.quotas.items() if got[g] < n}
    assert quotas.held == sum(site[id_] == LATER for id_ in run.asked)
    assert quotas.replaced == sum(site[id_] in OUT for id_ in run.asked)
    assert (quotas.waiting, quotas.next(), quotas.surplus()) == (0, (), frozenset())


@unhurried
@given(world=worlds(), chance=chances, workers=at_once)
def test_no_reserve_is_asked_for_before_it_is_needed(
    world: tuple[Selection, dict[ClipId, str]], chance: random.Random, workers: int
) -> None:
    selection, site = world
    run = Run(site, chance, workers)
    run.play(Quotas(selection, NOTHING))

    for group, n in selection.quotas.items():
        needed: list[ClipId] = []
        for clip in ranked(selection, group):
            if sum(site[id_] not in OUT for id_ in needed) == n:
                break
            needed.append(clip.id)
        assert {id_ for id_ in run.asked if id_[:2] == group} == set(needed)


@unhurried
@given(
    world=worlds(),
    chance=chances,
    workers=at_once,
    ends=st.lists(st.integers(0, 12), max_size=5),
)
def test_a_run_ended_at_any_moment_and_gone_on_with_comes_to_the_same(
    world: tuple[Selection, dict[ClipId, str]],
    chance: random.Random,
    workers: int,
    ends: list[int],
) -> None:
    selection, site = world
    run = Run(site, chance, workers)
    for steps in ends:
        run.play(Quotas(selection, run.state()), steps)
    run.play(Quotas(selection, run.state()))
    assert run.done == first_available(selection, site)


@unhurried
@given(world=worlds(), chance=chances, more=st.integers(1, 3))
def test_a_quota_that_grows_keeps_what_is_there(
    world: tuple[Selection, dict[ClipId, str]], chance: random.Random, more: int
) -> None:
    selection, site = world
    run = Run(site, chance)
    run.play(Quotas(selection, NOTHING))
    before = set(run.done)
    larger = Selection(
        selection.frame, {g: n + more for g, n in selection.quotas.items()}, selection.labels
    )
    run.play(Quotas(larger, run.state()))
    assert before <= run.done == first_available(larger, site)


@unhurried
@given(world=worlds((OK, GONE, GEO)), data=st.data(), chance=chances, workers=at_once)
def test_with_retry_failed_what_came_back_displaces_its_stand_ins(
    world: tuple[Selection, dict[ClipId, str]],
    data: st.DataObject,
    chance: random.Random,
    workers: int,
) -> None:
    selection, before = world
    run = Run(before, chance, workers)
    run.play(Quotas(selection, NOTHING))
    made_before, failed_before = set(run.done), dict(run.failed)

    run.site = {
        id_: data.draw(st.sampled_from([GEO, OK])) if verdict == GEO else verdict
        for id_, verdict in before.items()
    }
    run.asked.clear()
    quotas = run.play(Quotas(selection, run.state(), retry_failed=True))

    assert run.done - quotas.surplus() == first_available(selection, run.site)
    assert quotas.surplus() <= made_before
    gone_before = {id_ for id_, reason in failed_before.items() if reason is REASONS[GONE]}
    assert gone_before.isdisjoint(run.asked), "what is permanent is never asked again"


@unhurried
@given(world=worlds((OK, GONE, GEO, KILLS_TWICE)), chance=chances)
def test_without_retry_failed_nothing_that_is_out_is_asked_again(
    world: tuple[Selection, dict[ClipId, str]], chance: random.Random
) -> None:
    selection, site = world
    run = Run(site, chance)
    run.play(Quotas(selection, NOTHING))
    assert Quotas(selection, run.state()).next() == ()


@unhurried
@given(world=worlds(), chance=chances, workers=at_once)
def test_with_replace_transient_the_first_n_that_are_there_today_are_kept(
    world: tuple[Selection, dict[ClipId, str]], chance: random.Random, workers: int
) -> None:
    selection, site = world
    run = Run(site, chance, workers)
    quotas = run.play(Quotas(selection, NOTHING, replace_transient=True))

    assert run.done == first_there(selection, site)
    got = Counter(Group(id_.split, id_.label) for id_ in run.done)
    assert quotas.short() == {g: (got[g], n) for g, n in selection.quotas.items() if got[g] < n}
    assert quotas.held == sum(site[id_] == LATER for id_ in run.asked)
    assert quotas.replaced == sum(site[id_] in OUT for id_ in run.asked)
    assert (quotas.made, quotas.waiting, quotas.surplus()) == (len(run.done), 0, frozenset())
    for group, n in selection.quotas.items():
        last = max((id_ for id_ in run.asked if id_.group == group), key=rank_of, default=None)
        better = [c.id for c in ranked(selection, group) if last and rank_of(c.id) < rank_of(last)]
        assert sum(site[id_] not in (*OUT, LATER) for id_ in better) < n, "a reserve too many"


@unhurried
@given(
    world=worlds((OK, GONE, LATER, BLOCKED)),
    chance=chances,
    workers=at_once,
    ends=st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=5),
    data=st.data(),
)
def test_the_end_of_runs_with_and_without_replace_transient_is_that_of_a_run_without(
    world: tuple[Selection, dict[ClipId, str]],
    chance: random.Random,
    workers: int,
    ends: list[tuple[int, bool]],
    data: st.DataObject,
) -> None:
    selection, before = world
    run = Run(before, chance, workers)
    for steps, replace_transient in ends:
        quotas = Quotas(selection, run.state(), replace_transient=replace_transient)
        run.play(quotas, steps)
        run.done -= quotas.surplus()
    run.site = {
        id_: data.draw(st.sampled_from([LATER, OK])) if verdict == LATER else verdict
        for id_, verdict in before.items()
    }
    quotas = run.play(Quotas(selection, run.state()))
    left = run.done - quotas.surplus()

    assert left >= first_available(selection, run.site)
    for group, n in selection.quotas.items():
        there = {id_ for id_ in left if id_.group == group}
        wanted = {id_ for id_ in first_available(selection, run.site) if id_.group == group}
        assert len(wanted) < n or there == wanted, "a replacement beside a full class"


@unhurried
@given(world=worlds((OK, GONE, LATER)), chance=chances, data=st.data())
def test_a_second_run_with_replace_transient_asks_first_for_what_never_failed(
    world: tuple[Selection, dict[ClipId, str]], chance: random.Random, data: st.DataObject
) -> None:
    selection, site = world
    run = Run(site, chance)
    run.play(Quotas(selection, NOTHING), data.draw(st.integers(0, 12)))
    failed_before = {id_ for id_, reason in run.failed.items() if reason is REASONS[LATER]}
    run.asked.clear()
    run.play(Quotas(selection, run.state(), replace_transient=True))
    for group in selection.quotas:
        fresh_left = {c.id for c in ranked(selection, group)} - run.done - set(run.failed)
        asked_again = {id_ for id_ in failed_before & set(run.asked) if id_.group == group}
        assert not (fresh_left and asked_again)


TRAIN = Group("train", "yoga")
VAL = Group("val", "yoga")


def one_class(videos: str, n: int) -> Selection:
    """A class whose candidates are the videos `a`, `b`, …"""
    return selection_of({TRAIN: list(videos)}, {TRAIN: n})


def videos_of(job: tuple[Clip, ...]) -> str:
    return "".join(clip.youtube_id for clip in job)


@pytest.mark.parametrize(
    ("reason", "asked_again", "asked_when_told_to"),
    [
        (Reason.PRIVATE, False, False),
        (Reason.NOT_FOUND, False, False),
        (Reason.GEO_BLOCKED, False, True),
        (Reason.MEMBERS_ONLY, False, True),
        (Reason.TOO_SHORT, False, True),
        (Reason.WORKER_DIED, False, True),
        (Reason.NO_FORMATS, False, True),
        (Reason.TIMEOUT, True, True),
        (Reason.TRUNCATED, True, True),
        (Reason.RATE_LIMITED, True, True),
    ],
)
def test_a_later_run_asks_again_for_what_may_have_passed(
    reason: Reason, asked_again: bool, asked_when_told_to: bool
) -> None:
    selection = one_class("ab", 1)
    failed_id = ranked(selection, TRAIN)[0].id
    state = standing_of(failed={failed_id: reason})
    assert videos_of(Quotas(selection, state).next()) == ("a" if asked_again else "b")
    quotas = Quotas(selection, state, retry_failed=True)
    assert videos_of(quotas.next()) == ("a" if asked_when_told_to else "b")


def test_a_stand_in_stays_while_the_class_is_not_full_without_it() -> None:
    selection = one_class("abc", 2)
    a, b, c = (clip.id for clip in ranked(selection, TRAIN))
    state = standing_of({b, c}, {a: Reason.GEO_BLOCKED})
    quotas = Quotas(selection, state, retry_failed=True)
    assert quotas.surplus() == frozenset(), "before it is known whether a can be had"
    (clip,) = quotas.next()
    quotas.finished(clip)
    assert quotas.surplus() == {c}


def test_a_stand_in_counts_again_when_the_better_one_is_still_out() -> None:
    selection = one_class("abc", 2)
    a, b, c = (clip.id for clip in ranked(selection, TRAIN))
    state = standing_of({b, c}, {a: Reason.GEO_BLOCKED})
    quotas = Quotas(selection, state, retry_failed=True)
    quotas.out(*quotas.next())
    assert (quotas.made, quotas.surplus(), quotas.short()) == (2, frozenset(), {})


def test_a_clip_that_fails_for_now_keeps_its_place_unless_told_otherwise() -> None:
    quotas = Quotas(one_class("ab", 1), NOTHING)
    quotas.hold(*quotas.next())
    assert quotas.next() == ()
    assert (quotas.held, quotas.replaced, quotas.short()) == (1, 0, {TRAIN: (0, 1)})


def test_with_replace_transient_the_next_one_stands_in() -> None:
    quotas = Quotas(one_class("abc", 1), NOTHING, replace_transient=True)
    quotas.hold(*quotas.next())
    (b,) = quotas.next()
    assert b.youtube_id == "b"
    quotas.finished(b)
    assert quotas.next() == ()
    assert (quotas.held, quotas.replaced, quotas.short()) == (1, 0, {})


def test_with_replace_transient_none_is_asked_twice_in_one_run() -> None:
    quotas = Quotas(one_class("ab", 2), NOTHING, replace_transient=True)
    for _ in range(2):
        quotas.hold(*quotas.next())
    assert quotas.next() == ()
    assert quotas.short() == {TRAIN: (0, 2)}


def test_with_replace_transient_what_failed_before_is_the_last_to_be_asked() -> None:
    selection = one_class("abcde", 3)
    a, b, c, *_ = (clip.id for clip in ranked(selection, TRAIN))
    failed = {a: Reason.TIMEOUT, b: Reason.PRIVATE, c: Reason.NETWORK}
    quotas = Quotas(selection, standing_of(failed=failed), replace_transient=True)
    asked = [quotas.next() for _ in range(3)]
    assert sorted(map(videos_of, asked)) == ["a", "d", "e"], "of those that failed the best first"
    quotas.hold(*next(job for job in asked if videos_of(job) == "d"))
    assert videos_of(quotas.next()) == "c"
    assert quotas.next() == ()


def test_with_replace_transient_a_class_that_is_full_of_stand_ins_asks_for_nothing() -> None:
    selection = one_class("abc", 2)
    a, b, c = (clip.id for clip in ranked(selection, TRAIN))
    state = standing_of({b, c}, {a: Reason.TIMEOUT})
    quotas = Quotas(selection, state, replace_transient=True)
    assert (quotas.next(), quotas.made, quotas.surplus()) == ((), 2, frozenset())


def test_a_later_run_without_it_makes_the_better_one_and_the_stand_in_is_surplus() -> None:
    selection = one_class("abc", 2)
    a, b, c = (clip.id for clip in ranked(selection, TRAIN))
    state = standing_of({b, c}, {a: Reason.TIMEOUT})
    quotas = Quotas(selection, state)
    (clip,) = quotas.next()
    assert clip.id == a
    assert quotas.surplus() == frozenset(), "before it is known whether a can be had"
    quotas.finished(clip)
    assert (quotas.surplus(), quotas.made) == (frozenset({c}), 2)


def test_a_stand_in_stays_while_the_better_one_still_fails() -> None:
    selection = one_class("abc", 2)
    a, b, c = (clip.id for clip in ranked(selection, TRAIN))
    state = standing_of({b, c}, {a: Reason.TIMEOUT})
    quotas = Quotas(selection, state)
    quotas.hold(*quotas.next())
    assert (quotas.made, quotas.surplus(), quotas.short()) == (2, frozenset(), {})


def test_what_earlier_runs_have_made_is_at_hand() -> None:
    selection = selection_of({TRAIN: ["a", "b", "c"], VAL: ["d"]}, {TRAIN: 3, VAL: 1})
    a, _, c = ranked(selection, TRAIN)
    (d,) = ranked(selection, VAL)
    quotas = Quotas(selection, standing_of({d.id, c.id, a.id}))
    assert list(quotas.made_before()) == [a, c, d]


def test_windows_of_one_video_go_out_together_in_the_order_of_time() -> None:
    selection = selection_of({TRAIN: ["a", "b", "a"], VAL: ["c", "a"]}, {TRAIN: 3, VAL: 2})
    quotas = Quotas(selection, NOTHING)
    jobs = list(iter(quotas.next, ()))
    assert sorted(map(videos_of, jobs)) == ["aaa", "b", "c"]
    together = next(job for job in jobs if len(job) == 3)
    assert [clip.time_start for clip in together] == [10, 20, 30]
    assert {clip.group for clip in together} == {TRAIN, VAL}


def test_a_window_that_is_only_a_reserve_does_not_go_out_with_the_pick() -> None:
    quotas = Quotas(one_class("aab", 1), NOTHING)
    assert [len(job) for job in iter(quotas.next, ())] == [1]


def test_windows_put_back_go_out_together_again() -> None:
    quotas = Quotas(one_class("aba", 3), NOTHING)
    job = quotas.next()
    for clip in reversed(job):
        quotas.put_back(clip)
    quotas.put_back(job[0])  # once more does no harm
    assert quotas.next() == job
    assert videos_of(quotas.next()) == "b"
    assert quotas.next() == ()


def test_classes_take_turns() -> None:
    selection = selection_of({TRAIN: list("abc"), VAL: list("xyz")}, {TRAIN: 3, VAL: 3})
    quotas = Quotas(selection, NOTHING)
    assert "".join(map(videos_of, iter(quotas.next, ()))) == "axbycz"


def test_what_was_put_back_comes_before_what_is_ranked_lower() -> None:
    quotas = Quotas(one_class("abcd", 4), NOTHING)
    first = quotas.next()
    quotas.next()
    quotas.put_back(*first)
    assert "".join(map(videos_of, iter(quotas.next, ()))) == "acd"

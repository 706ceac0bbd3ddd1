"""Decides which clip comes next. Every class keeps the first n available clips of its ranking.

Pure bookkeeping: no processes, no files, no clock. A class always has n clips in play: finished,
waiting, or in progress. The next candidate is drawn only when a clip in play has failed for good.
So the result does not depend on the order in which clips finish.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter

from nanokinetics.clip import Clip, ClipId, Group
from nanokinetics.config import ALL_FAILED, RetryFailed
from nanokinetics.dataset.ledger import LedgerState
from nanokinetics.dataset.ranking import Ranking
from nanokinetics.errors import Kind, Reason


@dataclass(slots=True)
class _Class:
    """The state of one class in one split."""

    group: Group
    candidates: Iterator[tuple[int, ClipId]]
    wanted: int
    later: deque[int] = field(default_factory=deque)
    """Candidates with a transient failure. They are drawn again only if no other is left."""
    returned: list[int] = field(default_factory=list)
    """A heap of candidates that were drawn for clips which have come back."""
    waiting: dict[int, Clip] = field(default_factory=dict)
    """The waiting clips by rank."""
    in_play: set[int] = field(default_factory=set)
    """The ranks of the clips that are finished, waiting, requested or held."""
    kept: int = 0
    """Finished clips among the first n available ones."""
    there: int = 0
    """Clips with a file. It includes replacements that a better-ranked clip may supersede."""

    @property
    def made(self) -> int:
        return min(self.there, self.wanted)

    def has_better(self, rank: int) -> bool:
        """Whether enough better-ranked clips are in play, so that this one is not needed."""
        return sum(better < rank for better in self.in_play) >= self.wanted


class Quotas:
    """The state of every class. It starts from the tables and follows the events of the run.

    retry_failed: draw failed clips again if their failure may have passed, or all of them.
    replace_transient: let reserves replace clips with a transient failure, until a run without this
    option makes those.
    """

    def __init__(
        self,
        selection: Ranking,
        state: LedgerState,
        *,
        retry_failed: RetryFailed = False,
        replace_transient: bool = False,
    ) -> None:
        self._selection = selection
        self._state = state
        self._retry_failed = retry_failed
        self._replace_transient = replace_transient
        self._classes = {
            group: _Class(group, selection.ids(group), wanted)
            for group, wanted in selection.quotas.items()
        }
        self._order = {group: place for place, group in enumerate(self._classes)}
        self._waiting: dict[ClipId, Clip] = {}
        self._by_video: defaultdict[str, list[Clip]] = defaultdict(list)
        self._heap: list[tuple[int, int, ClipId]] = []
        self._ranks: dict[ClipId, int] = {}
        self._kept: set[ClipId] = set()
        self._held: set[ClipId] = set()
        self._doubted: set[ClipId] = set()
        self.replaced = 0
        """Number of candidates that failed for good and were passed over."""
        for group, there in Counter(map(itemgetter(0, 1), state.done)).items():
            if each := self._classes.get(Group._make(group)):
                each.there = there
        self.wanted = sum(each.wanted for each in self._classes.values())
        self.made = sum(each.made for each in self._classes.values())
        for each in self._classes.values():
            self._fill(each)

    @property
    def held(self) -> int:
        """Number of clips with a transient failure. They keep their place for a later run."""
        return len(self._held)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def left(self) -> dict[Group, int]:
        """How many clips of each class wait."""
        return {group: len(each.waiting) for group, each in self._classes.items()}

    def stays_out(self, id_: ClipId) -> bool:
        """Whether the clip is made, or failed for good, so that it is not asked for."""
        failed = self._state.failed.get(id_)
        return id_ in self._state.done or (failed is not None and self._stays_out(failed))

    def next(self, videos: int = 1) -> tuple[Clip, ...]:
        """Take the waiting clips of the best-ranked videos; empty if no clip waits.

        videos: how many videos; all waiting clips of each are returned together. Classes take
        turns, so that a run that ends early has filled them about equally.
        """
        return tuple(clip for _ in range(videos) for clip in self._next())

    def _next(self) -> tuple[Clip, ...]:
        while self._heap:
            _, _, id_ = heapq.heappop(self._heap)
            clip = self._waiting.get(id_)
            if clip is None:  # it was taken with another clip of its video
                continue
            together = self._by_video.pop(_video(clip))
            for each in together:
                self._take(each)
            return tuple(sorted(together, key=lambda c: (c.time_start or 0, c.id)))
        return ()

    def doubt(self, clip: Clip) -> None:
        """The clip failed, and perhaps for good: the next candidate stands in for it until then."""
        self._doubted.add(clip.id)
        self._leave(clip)

    def put_back(self, clip: Clip) -> None:
        """Let a clip wait again: it was not made, but it did not cause that."""
        each = self._classes[clip.group]
        if clip.id in self._doubted:
            self._doubted.discard(clip.id)
            each.in_play.add(self._ranks[clip.id])
        if clip.id not in self._waiting:
            self._wait(clip)
        while len(each.in_play) > each.wanted and each.waiting:
            worst = max(each.waiting)
            if not each.has_better(worst):
                break
            self._withdraw(each, worst)

    def finished(self, clip: Clip) -> None:
        each = self._classes[clip.group]
        each.kept += 1
        each.there += 1
        self.made += each.there <= each.wanted
        self._kept.add(clip.id)

    def out(self, clip: Clip) -> None:
        """The clip failed for good: draw the next candidate of its class."""
        self.replaced += 1
        if clip.id in self._doubted:  # a candidate stands in for it already
            self._doubted.discard(clip.id)
        else:
            self._leave(clip)

    def hold(self, clip: Clip) -> None:
        """The clip has a transient failure: it keeps its place, and a later run tries again."""
        self._held.add(clip.id)
        if self._replace_transient:
            self._leave(clip)

    def made_before(self) -> Iterator[Clip]:
        """The clips that earlier runs made, class by class."""
        for group in self._classes:
            for row, id_ in self._selection.ids(group):
                if id_ in self._state.done:
                    yield self._selection.clip(row)

    def surplus(self) -> frozenset[ClipId]:
        """The replacements in full classes: better-ranked clips have superseded them."""
        full = {g for g, each in self._classes.items() if each.kept >= each.wanted}
        done = self._state.done
        older = {id_ for id_ in done if id_ not in self._kept and id_.group in full}
        return frozenset(older.union(*map(self._beyond, full)))

    def _beyond(self, group: Group) -> list[ClipId]:
        """Kept clips beyond the quota: a stand-in was under way when its clip came back."""
        each = self._classes[group]
        if each.kept == each.wanted:
            return []
        kept = sorted(
            (id_ for id_ in self._kept if id_.group == group), key=self._ranks.__getitem__
        )
        return kept[each.wanted :]

    def short(self) -> dict[Group, tuple[int, int]]:
        """The classes with fewer clips than wanted, as (made, wanted)."""
        return {g: (c.made, c.wanted) for g, c in self._classes.items() if c.made < c.wanted}

    def _fill(self, each: _Class) -> None:
        while each.returned and not each.has_better(self._rank_of(each, each.returned[0])):
            self._draw(each, heapq.heappop(each.returned))
        while len(each.in_play) < each.wanted:
            row, id_ = next(each.candidates, (None, None))
            if row is None or id_ is None:
                if not each.later:
                    return
                self._draw(each, each.later.popleft())
                continue
            rank = self._ranks[id_] = self._rank_of(each, row)
            if id_ in self._state.done:
                each.in_play.add(rank)
                each.kept += 1
                self._kept.add(id_)
                continue
            failed = self._state.failed.get(id_)
            if failed is not None and self._stays_out(failed):
                self.replaced += 1
            elif failed is not None and failed.kind is Kind.TRANSIENT and self._replace_transient:
                each.later.append(row)
            else:
                self._draw(each, row)

    def _draw(self, each: _Class, row: int) -> None:
        clip = self._selection.clip(row)
        each.in_play.add(self._ranks[clip.id])
        self._wait(clip)

    def _leave(self, clip: Clip) -> None:
        """The clip gives its place to the next candidate of its class."""
        each = self._classes[clip.group]
        each.in_play.discard(self._ranks[clip.id])
        self._fill(each)

    def _take(self, clip: Clip) -> None:
        del self._waiting[clip.id]
        del self._classes[clip.group].waiting[self._ranks[clip.id]]

    def _rank_of(self, each: _Class, row: int) -> int:
        return row - self._selection.rows(each.group).start

    def _withdraw(self, each: _Class, rank: int) -> None:
        """Take back a clip that was drawn but not requested; it is the next one to be drawn."""
        clip = each.waiting[rank]
        self._take(clip)
        self._by_video[_video(clip)].remove(clip)
        each.in_play.discard(rank)
        row = self._selection.rows(each.group).start + rank
        heapq.heappush(each.returned, row)

    def _stays_out(self, failed: Reason) -> bool:
        again = self._retry_failed == ALL_FAILED or (self._retry_failed and failed.asked_again)
        return failed.replaced and not again

    def _wait(self, clip: Clip) -> None:
        id_ = clip.id
        self._waiting[id_] = clip
        self._classes[id_.group].waiting[self._ranks[id_]] = clip
        self._by_video[_video(clip)].append(clip)
        heapq.heappush(self._heap, (self._ranks[id_], self._order[id_.group], id_))


def _video(clip: Clip) -> str:
    return clip.youtube_id or clip.key

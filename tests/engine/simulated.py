"""A simulated YouTube for the engine: real quotas, pacing and blame, but no processes and no files.

Videos are there or gone. Outages come at any time, and then every answer is the same refusal. A
pool of simulated workers gives the events of real ones, in simulated time.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nanokinetics.clip import Clip, ClipId, Failed, Group, Job, Made, Media, PacingPolicy
from nanokinetics.config import NetworkConfig, VideoConfig
from nanokinetics.dataset.ledger import LedgerState
from nanokinetics.dataset.ranking import SelectionTable
from nanokinetics.engine.books import Clock
from nanokinetics.engine.engine import Engine
from nanokinetics.engine.pacing import Pacer
from nanokinetics.engine.quotas import Quotas
from nanokinetics.engine.shared_hour import Alone
from nanokinetics.errors import Blocked, Failure, Reason
from nanokinetics.progress import Silent
from nanokinetics.sources.youtube import YouTube
from nanokinetics.workers.pool import Event, Idle, Result, Word

MEDIA = Media(16, 16, 10, 1.0, 0.1, has_audio=False)
POLICY = PacingPolicy(first_wait=1.0, max_wait=60.0, spacing=0.1, abreast=2)
HEAD = "key,split,label,youtube_id,time_start,time_end,rank\n"


@dataclass(frozen=True)
class Outage:
    """After `after` further answers every answer is `reason`, for `seconds` and `answers`."""

    after: int
    reason: Reason
    answers: int = 5
    seconds: float = 0.0


@dataclass
class Site:
    """What becomes of each request: the video is there, gone, or there is an outage."""

    dead: Mapping[str, Reason]
    outages: Sequence[Outage] = ()
    answers: int = 0
    _next: int = 0
    _given: int = 0
    _since: float | None = None
    _well: int = 0

    def answer(self, video: str, now: float) -> Reason | None:
        """The reason for a failure; None for a video that is found."""
        self.answers += 1
        if self._next < len(self.outages):
            outage = self.outages[self._next]
            if self._since is None and self._well >= outage.after:
                self._since, self._given = now, 0
            if self._since is not None:
                if self._given < outage.answers or now < self._since + outage.seconds:
                    self._given += 1
                    return outage.reason
                self._next, self._since, self._well = self._next + 1, None, 0
        self._well += 1
        return self.dead.get(video)


@dataclass
class Books:
    """The tables of a dataset, in memory. It has the methods that the engine calls."""

    done: set[ClipId] = field(default_factory=set)
    reasons: dict[ClipId, Failure] = field(default_factory=dict)
    are_there = True

    @property
    def state(self) -> LedgerState:
        failed = {id_: failure.reason for id_, failure in self.reasons.items()}
        return LedgerState(dict.fromkeys(self.done, ""), {}, failed, ())

    @property
    def paths(self) -> set[ClipId]:
        return self.done

    def keep(self, batch: Sequence[Made]) -> None:
        for made in batch:
            self.done.add(made.clip.id)

    def failed(self, failed: Failed) -> None:
        self.reasons[failed.clip.id] = failed.failure

    def drop(self, surplus: Sequence[ClipId]) -> None:
        self.done -= set(surplus)

    def discard(self, clip: Clip) -> None:
        assert clip.id not in self.done

    def throw_away(self, batch: object) -> None: ...
    def waited(self, since: float, until: float, why: str) -> None: ...
    def check(self) -> None: ...
    def log(self, shown: object) -> str:
        return ""


class Workers:
    """A pool whose workers take simulated time to find a video and to make a clip."""

    def __init__(self, site: Site, size: int, chance: random.Random) -> None:
        self.size = size
        self.now = 0.0
        self.asked = 0
        self.canaries = 0
        self._site = site
        self._chance = chance
        self._order = itertools.count()
        self._events: list[tuple[float, int, str, Job]] = []

    def warm_up(self, jobs: int) -> None: ...

    def give(self, job: Job) -> None:
        self.asked += 1
        self.canaries += job.anew
        self._later("answer", job, self._chance.uniform(0.1, 0.5))

    def wait(self, timeout: float) -> Iterator[Event]:
        until = self.now + timeout
        if not self._events or self._events[0][0] > until:
            self.now = until
            return
        self.now, _, what, job = heapq.heappop(self._events)
        if what == "answer":
            reason = self._site.answer(job.clips[0].youtube_id, self.now)
            if reason:
                failure = Failure(reason, "what the site said")
                yield Result(tuple(Failed(clip, failure) for clip in job.clips))
                yield Idle(job)
            else:
                yield Word(job)
                self._later("made", job, self._chance.uniform(0.0, 2.0))
        else:
            clips = job.clips
            yield Result(tuple(Made(c, None, "youtube", MEDIA, 6, "0" * 64) for c in clips))
            yield Idle(job)

    def close(self) -> None: ...

    def _later(self, what: str, job: Job, seconds: float) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), what, job))


@dataclass
class Night:
    """Runs of the same command, one after another, until one is complete."""

    books: Books
    asked: int = 0
    canaries: int = 0
    waits: int = 0
    runs: int = 0


def night(
    classes: Mapping[str, Sequence[str]],
    n: int,
    site: Site,
    *,
    workers: int,
    chance: random.Random,
    **options: Any,
) -> Night:
    """Run the engine until it is complete.

    classes: the clips of each label, best rank first, each a video with its window, such as `v@3`.
    """
    found = Night(Books())
    now = 0.0
    while True:
        found.runs += 1
        pool = Workers(site, workers, chance)
        pool.now = now
        clock = Clock(steady=lambda: pool.now, wall=lambda: pool.now)  # noqa: B023 - used here only
        quotas = Quotas(_table(classes, n), found.books.state, **options)
        engine = Engine(
            source=YouTube(NetworkConfig(), VideoConfig()),
            quotas=quotas,
            books=found.books,  # type: ignore[arg-type]
            pool=pool,  # type: ignore[arg-type]
            pacer=Pacer(POLICY),
            shared=Alone(),
            reporter=Silent(),
            clock=clock,
        )
        try:
            engine.run()
        except Blocked:
            complete = False
        else:
            complete = True
        found.books.drop(list(quotas.surplus()))
        found.asked += pool.asked
        found.canaries += pool.canaries
        found.waits += engine.refusals
        now = pool.now + 10
        if complete:
            return found


def key_of(clip: str) -> str:
    video, start = clip.split("@")
    return f"{video}_{int(start):06d}_{int(start) + 1:06d}"


def _table(classes: Mapping[str, Sequence[str]], n: int) -> SelectionTable:
    rows = [
        f"{key_of(clip)},train,{label},{video},{start},{int(start) + 1},{rank}\n"
        for label, clips in sorted(classes.items())
        for rank, clip in enumerate(clips, 1)
        for video, start in [clip.split("@")]
    ]
    quotas = {Group("train", label): n for label in sorted(classes)}
    return SelectionTable((HEAD + "".join(rows)).encode(), quotas=quotas, labels=tuple(classes))

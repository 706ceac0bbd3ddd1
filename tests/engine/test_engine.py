"""The loop against a pool that plays a script: what no real worker does on demand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from nanokinetics.clip import Group, Job, Made, Media, PacingPolicy
from nanokinetics.config import NetworkConfig, VideoConfig
from nanokinetics.dataset.home import Home
from nanokinetics.dataset.ranking import SelectionTable
from nanokinetics.engine.books import Books, Clock
from nanokinetics.engine.engine import Engine
from nanokinetics.engine.pacing import Pacer
from nanokinetics.engine.quotas import Quotas
from nanokinetics.engine.shared_hour import Alone
from nanokinetics.layout import Layout
from nanokinetics.progress import Silent
from nanokinetics.sources.youtube import YouTube
from nanokinetics.workers.pool import Died, Event, Result

TABLE = b"""key,split,label,youtube_id,time_start,time_end,rank
aaaaaaaaaaa_000001_000002,train,yoga,aaaaaaaaaaa,1,2,1
bbbbbbbbbbb_000001_000002,train,yoga,bbbbbbbbbbb,1,2,2
"""


class DyingPool:
    """Its one worker dies after each last outcome, before it can ask for the next job."""

    size = 1

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: list[Job] = []
        self._count = 0

    def warm_up(self, jobs: int) -> None: ...

    def give(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self, timeout: float) -> Iterator[Event]:
        for job in self._jobs:
            (clip,) = job.clips
            self._count += 1
            path = self._folder / f"{self._count}.mp4"
            path.write_bytes(b"a clip")
            media = Media(16, 16, 10, 1.0, 0.1, has_audio=False)
            yield Result((Made(clip, str(path), "youtube", media, 6, "0" * 64),))
            yield Died(job, "the worker process was ended by SIGKILL", "")
        self._jobs.clear()

    def close(self) -> None: ...


def test_a_worker_that_dies_after_its_last_outcome_costs_nothing(tmp_path: Path) -> None:
    clock, home = Clock(), Home(tmp_path / "nano")
    home.hold()
    with closing(home), closing(Books(home, Layout(), tmp_path / "logs", clock)) as books:
        books.make_room()
        quotas = Quotas(
            SelectionTable(TABLE, quotas={Group("train", "yoga"): 2}, labels=("yoga",)), books.state
        )
        engine = Engine(
            source=YouTube(NetworkConfig(), VideoConfig()),
            quotas=quotas,
            books=books,
            pool=DyingPool(tmp_path / "nano" / ".tmp"),  # type: ignore[arg-type]
            pacer=Pacer(PacingPolicy(abreast=0)),
            shared=Alone(),
            reporter=Silent(),
            clock=clock,
        )
        engine.run()
        assert (quotas.made, dict(engine.reasons)) == (2, {})
    assert len(list((tmp_path / "nano" / "train" / "yoga").iterdir())) == 2

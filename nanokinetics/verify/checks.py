"""Is a built dataset still what its tables say?

Nothing is changed by looking, so that it may be done while a build is at work, of a folder that
cannot be written to as well.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from nanokinetics.clip import Clip, ClipId
from nanokinetics.clips.ffmpeg import find_ffmpeg
from nanokinetics.common.extras import needed
from nanokinetics.dataset.home import Home
from nanokinetics.errors import EnvironmentFault
from nanokinetics.verify.files import Recorded, in_child, inspect
from nanokinetics.verify.lists import short_classes, strays, wrong_lists
from nanokinetics.verify.tables import Tables, read
from nanokinetics.verify.verdict import Kind, Look, Problem, Verdict

FILES_AT_ONCE: Final = 16
"""Files handed to a process at a time, where there are many."""


def verify(dest: Path, how: Look) -> Verdict:
    """Hold a built dataset against its tables. Raises InputError for what is none."""
    tables = read(dest)
    return judged(tables, Home(dest).is_busy, how)


def judged(tables: Tables, at_work: bool, how: Look) -> Verdict:
    problems = list(_clips(tables, how))
    bad = {id_: problem.path for id_, problem in problems}
    told = [problem for _, problem in problems]
    told += [Problem(Kind.LINK, path, "is a link to elsewhere") for path in sorted(tables.links)]
    for id_, times in tables.repeated.items():
        if times > 1:
            path = tables.rows[id_]["path"]
            told.append(Problem(Kind.ROW, path, f"stands {times} times in stats.csv"))
    unlisted: tuple[str, ...] = ()
    if not at_work:  # else files are ahead of their rows, and rows of the lists
        unlisted = tuple(strays(tables))
        told += [Problem(Kind.STRAY, path, "has no row in stats.csv") for path in unlisted]
        told += wrong_lists(tables)
        told += short_classes(tables)
    return Verdict(len(tables.rows), at_work, tuple(told), bad, unlisted)


def _clips(tables: Tables, how: Look) -> Iterator[tuple[ClipId, Problem]]:
    """The clips whose rows or files are not right."""
    sharing = Counter(tables.paths.values())
    recorded: list[Recorded] = []
    for id_, row in tables.rows.items():
        path = row["path"]
        if tables.links and tables.is_behind_a_link(path):
            continue  # whatever is there is not the dataset's
        file = tables.home.within(path)
        suffix = PurePosixPath(path).suffix
        right = tables.layout.clip_path(Clip(id_.key, id_.split, id_.label), suffix)
        if file is None or path != right:
            what = f"is not the place of its row's clip, which is {right}"
            yield id_, Problem(Kind.CLIP, path, what)
        elif sharing[path] > 1:
            yield id_, Problem(Kind.CLIP, path, f"is the file of {sharing[path]} rows")
        else:
            recorded.append(Recorded(id_, path, file, row["bytes"], row["frames"], row["sha256"]))
    if not how.fast and any(each.is_image for each in recorded):
        needed("PIL", "images")
    looks_into_videos = not how.fast and not all(each.is_image for each in recorded)
    program = find_ffmpeg(how.ffmpeg) if looks_into_videos else None
    look = partial(inspect, ffmpeg=program, fast=how.fast)
    processes = 1 if how.fast else how.workers or os.cpu_count() or 1
    for number, (each, what) in enumerate(_looked(look, recorded, processes), start=1):
        how.progress(number, len(recorded))
        if what:
            yield each.id, Problem(Kind.CLIP, each.path, what)


def _looked(
    look: Callable[[Recorded], str], recorded: Sequence[Recorded], workers: int
) -> Iterator[tuple[Recorded, str]]:
    if workers == 1:
        yield from ((each, look(each)) for each in recorded)
        return
    together = max(1, min(FILES_AT_ONCE, len(recorded) // (4 * workers)))
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), in_child)
    try:
        yield from zip(recorded, pool.map(look, recorded, chunksize=together), strict=True)
    except BrokenProcessPool:
        raise EnvironmentFault(
            "a process that looked at the clips was ended from outside, perhaps for want of "
            "memory; try fewer --workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)

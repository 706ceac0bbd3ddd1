"""Check a built dataset against its tables.

The check changes nothing. It works during a build, and on a read-only folder.
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
from nanokinetics.verify.files import Recorded, inspect, prepare_process
from nanokinetics.verify.lists import short_classes, strays, wrong_lists
from nanokinetics.verify.tables import Tables, read
from nanokinetics.verify.verdict import Problem, ProblemKind, Verdict, VerifyOptions
from nanokinetics.workers.processes import importable_main

FILES_AT_ONCE: Final = 16
"""Files that a process gets at a time, if there are many."""


def verify(dest: Path, options: VerifyOptions) -> Verdict:
    """Check a built dataset against its tables. Raises InputError if `dest` is not one."""
    tables = read(dest)
    return judge(tables, Home(dest).is_busy, options)


def judge(tables: Tables, at_work: bool, options: VerifyOptions) -> Verdict:
    """Find all problems. at_work: a build is running, so only its finished clips are checked."""
    bad_clips = list(_bad_clips(tables, options))
    bad = {id_: problem.path for id_, problem in bad_clips}
    problems = [problem for _, problem in bad_clips]
    problems += [
        Problem(ProblemKind.LINK, path, "is a link to elsewhere") for path in sorted(tables.links)
    ]
    for id_, times in tables.repeated.items():
        if times > 1:
            path = tables.rows[id_]["path"]
            problems.append(Problem(ProblemKind.ROW, path, f"stands {times} times in stats.csv"))
    unlisted: tuple[str, ...] = ()
    if not at_work:  # a build writes files before their rows, and rows before the lists
        unlisted = tuple(strays(tables))
        problems += [
            Problem(ProblemKind.STRAY, path, "has no row in stats.csv") for path in unlisted
        ]
        problems += wrong_lists(tables)
        problems += short_classes(tables)
    return Verdict(len(tables.rows), at_work, tuple(problems), bad, unlisted)


def _bad_clips(tables: Tables, options: VerifyOptions) -> Iterator[tuple[ClipId, Problem]]:
    """The clips with a wrong row or a wrong file."""
    sharing = Counter(tables.paths.values())
    recorded: list[Recorded] = []
    for id_, row in tables.rows.items():
        path = row["path"]
        if tables.links and tables.is_behind_a_link(path):
            continue  # a file behind a link does not belong to the dataset
        file = tables.home.within(path)
        suffix = PurePosixPath(path).suffix
        expected = tables.layout.clip_path(Clip(id_.key, id_.split, id_.label), suffix)
        if file is None or path != expected:
            what = f"is not the place of its row's clip, which is {expected}"
            yield id_, Problem(ProblemKind.CLIP, path, what)
        elif sharing[path] > 1:
            yield id_, Problem(ProblemKind.CLIP, path, f"is the file of {sharing[path]} rows")
        else:
            recorded.append(Recorded(id_, path, file, row["bytes"], row["frames"], row["sha256"]))
    if not options.fast and any(each.is_image for each in recorded):
        needed("PIL", "images")
    decodes_videos = not options.fast and not all(each.is_image for each in recorded)
    program = find_ffmpeg(options.ffmpeg) if decodes_videos else None
    check = partial(inspect, ffmpeg=program, fast=options.fast)
    processes = 1 if options.fast else options.workers or os.cpu_count() or 1
    for number, (each, what) in enumerate(_checked(check, recorded, processes), start=1):
        options.progress(number, len(recorded))
        if what:
            yield each.id, Problem(ProblemKind.CLIP, each.path, what)


def _checked(
    check: Callable[[Recorded], str], recorded: Sequence[Recorded], workers: int
) -> Iterator[tuple[Recorded, str]]:
    """Each file with its fault, in order. Raises EnvironmentFault if a process was killed."""
    if workers == 1:
        yield from ((each, check(each)) for each in recorded)
        return
    batch = max(1, min(FILES_AT_ONCE, len(recorded) // (4 * workers)))
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), prepare_process)
    try:
        with importable_main():
            found = pool.map(check, recorded, chunksize=batch)
        yield from zip(recorded, found, strict=True)
    except BrokenProcessPool:
        raise EnvironmentFault(
            "a process that looked at the clips was ended from outside, perhaps for want of "
            "memory; try fewer --workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)

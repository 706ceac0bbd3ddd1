"""Make thumbnails of many clips in parallel. `frames` makes a single one."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Final

import numpy as np
import pandas as pd
from tqdm import tqdm

from nanokinetics.clips.ffmpeg import find_ffmpeg
from nanokinetics.common.system import die_with_parent
from nanokinetics.report.frames import is_image, thumbnail
from nanokinetics.report.tables import Tables
from nanokinetics.workers.processes import deferred, importable_main

SHOWN: Final = 1000
"""Clips shown by default, at most. A page of more clips is too large to open or to send."""

Thumbnails = Mapping[int, bytes]
"""JPEGs by the row of the clip in `Tables.stats`. Empty bytes if a thumbnail failed."""


def of(
    tables: Tables, most: int | None = None, program: str | None = None, *, quiet: bool = True
) -> Thumbnails:
    """Make thumbnails of the clips whose files exist, in worker processes.

    most: clips of each class, at most. By default all clips up to SHOWN; if there are more, an
    equal number of each class that gives about SHOWN in all. program: the ffmpeg to use.

    Paths of `stats.csv` that leave the dataset's folder are ignored. Raises EnvironmentFault if
    there are videos and no ffmpeg.
    """
    rows = _rows(tables, most)
    if not len(rows):
        return {}
    jobs = [
        (tables.root / path, duration / 2)
        for path, duration in zip(rows["path"], rows["duration"].fillna(0), strict=True)
    ]
    ffmpeg = find_ffmpeg(program) if not all(is_image(path) for path, _ in jobs) else None
    processes = min(os.cpu_count() or 1, len(jobs))
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=die_with_parent)
    try:
        with (
            deferred(signal.SIGINT, signal.SIGTERM),
            importable_main(),
        ):  # only this process handles them
            found = pool.map(partial(thumbnail, ffmpeg), jobs)
        made = tqdm(
            found,
            total=len(jobs),
            desc="thumbnails",
            disable=quiet or None,  # None: only on a terminal
            leave=False,
        )
        return dict(zip(rows.index.tolist(), made, strict=True))
    finally:
        pool.shutdown(cancel_futures=True)


def _rows(tables: Tables, most: int | None) -> pd.DataFrame:
    there: pd.DataFrame = tables.stats[~np.isnan(tables.sizes)]
    groups = there.groupby(["split", "label"])
    if most is None:
        if len(there) <= SHOWN:
            return there
        most = max(1, SHOWN // groups.ngroups)
    return there[groups.cumcount() < most]

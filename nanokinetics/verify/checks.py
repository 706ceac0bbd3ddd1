"""Is a built dataset still what its tables say? And taking out what is not, for the next build.

Nothing is changed by looking, so that it may be done while a build is at work, of a folder that
cannot be written to as well.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import Final

from filelock import FileLock, Timeout

from nanokinetics.clip import Clip, ClipId, Group
from nanokinetics.clips.ffmpeg import find_ffmpeg
from nanokinetics.common.extras import needed
from nanokinetics.common.names import class_dir, is_inside
from nanokinetics.dataset import indexes
from nanokinetics.dataset.indexes.contents import Contents, Label, contents
from nanokinetics.dataset.ledger import STATS_COLUMNS, id_of
from nanokinetics.dataset.record import is_as_written, quotas_of, record_of
from nanokinetics.dataset.tables import Row, opened
from nanokinetics.errors import EnvironmentFault, ExitCode, InputError
from nanokinetics.layout import METADATA, OWN, SPLITS, STRAYS, Layout
from nanokinetics.selection.frame import Selection
from nanokinetics.sources.scan import IMAGES, VIDEOS
from nanokinetics.verify.files import Recorded, in_child, inspect

FILES_AT_ONCE: Final = 16
"""Files handed to a process at a time, where there are many."""

Progress = Callable[[int, int], None]
"""Told how many clips have been looked at, and how many there are."""


class Kind(StrEnum):
    """What a problem is about, and what helps."""

    CLIP = "--repair takes it out, and the next build makes it again"
    ROW = "--repair keeps the last of the rows"
    STRAY = "move it away, or let the next build take it up; --repair moves it to strays/"
    LIST = "--repair, or the next build, writes it anew"
    LINK = "put what it points to in its place; nothing is repaired through it"
    SHORT = "run the build again; failed.csv tells why"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be. `path` is relative to the dataset's folder."""

    kind: Kind
    path: str
    what: str


@dataclass(frozen=True)
class Verdict:
    """What `verify` finds.

    clips: rows of `stats.csv`, each clip once. at_work: a build is; then only the clips that it
    has recorded were looked at. bad: the clips to make again, and their paths. strays: files of no
    row, relative to the folder. repaired: whether all that was mended, as far as it can be here.
    """

    clips: int
    at_work: bool
    problems: tuple[Problem, ...]
    bad: Mapping[ClipId, str]
    strays: tuple[str, ...]
    repaired: bool = False

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.SHORT if self.problems else ExitCode.OK


@dataclass(frozen=True, slots=True)
class Look:
    """How the clips are looked at.

    fast: only whether each file is there, and at its size. workers: processes at once; None is one
    a processor. ffmpeg: the program to decode with; None is the usual one.
    """

    fast: bool = False
    workers: int | None = None
    ffmpeg: str | None = None
    progress: Progress = lambda _done, _of: None


def verify(dest: Path, how: Look) -> Verdict:
    """Hold a built dataset against its tables. Raises InputError for what is none."""
    dataset = read(Layout(dest))
    return judged(dataset, _is_locked(dataset.layout), how)


@dataclass(frozen=True)
class Tables:
    """The tables of one folder, as far as its clips hang on them."""

    layout: Layout
    rows: Mapping[ClipId, Row]
    repeated: Counter[ClipId]
    selection: Selection
    names: Mapping[str, str]

    @property
    def paths(self) -> dict[ClipId, str]:
        return {id_: row["path"] for id_, row in self.rows.items()}

    @cached_property
    def links(self) -> frozenset[str]:
        """The dataset's own files, splits and class folders that are links to elsewhere."""
        folders = {path.rpartition("/")[0] for path in self.paths.values() if is_inside(path)}
        folders |= {
            f"{group.split}/{self.layout.class_dir(group.label)}" for group in self.selection.quotas
        }
        above = {part for folder in folders for part in _with_parents(folder)}
        return frozenset(p for p in (*OWN, *above) if (self.layout.root / p).is_symlink())

    def is_behind_a_link(self, path: str) -> bool:
        return any(folder in self.links for folder in _with_parents(path.rpartition("/")[0]))

    def contents(self, without: Iterable[ClipId] = ()) -> Contents:
        done = self.paths
        for id_ in without:
            del done[id_]
        return contents(self.selection, done, self.layout, self.names)


def _with_parents(folder: str) -> list[str]:
    """`train`, `train/a_class`."""
    parts = folder.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


def read(layout: Layout) -> Tables:
    record = record_of(layout)
    table = [row for _, row in opened(layout.stats, STATS_COLUMNS).rows()]
    rows = {id_of(row): row for row in table}
    ranked = layout.selection.read_bytes()
    if not is_as_written(ranked, record):
        raise InputError(
            f"{layout.selection} is not the one that the build has written, and nothing can be "
            "judged without it; restore it, or run the build again, which writes it anew"
        )
    selection = Selection.from_csv(ranked, quotas=quotas_of(record), labels=record["labels"])
    return Tables(
        Layout(layout.root, _class_dirs(layout, rows)),
        rows,
        Counter(map(id_of, table)),
        selection,
        record.get("names", {}),
    )


def _class_dirs(layout: Layout, rows: Mapping[ClipId, Row]) -> dict[str, str]:
    """The class folders that are numbered: `003_` before the usual name. As most rows of a class
    have them, or `classes.csv` where it has none."""
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for id_, row in rows.items():
        seen[id_.label][PurePosixPath(row["path"]).parent.name] += len(rows)
    try:
        for _, listed in opened(layout.classes, tuple(Label.__dataclass_fields__)).rows():
            seen[listed["label"]][listed["class_dir"]] += 1
    except InputError:
        pass  # damage of a list is told with the lists
    found: dict[str, str] = {}
    for label, folders in seen.items():
        usual = re.escape(class_dir(label))
        numbered = [f for f, _ in folders.most_common() if re.fullmatch(rf"\d{{3}}_{usual}", f)]
        if numbered:
            found[label] = numbered[0]
    return found


def _is_locked(layout: Layout) -> bool:
    if not layout.lock.exists():
        return False
    try:
        with FileLock(layout.lock, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a folder that nobody can write to: no build either
        return False


def judged(dataset: Tables, at_work: bool, how: Look) -> Verdict:
    problems = list(_clips(dataset, how))
    bad = {id_: problem.path for id_, problem in problems}
    told = [problem for _, problem in problems]
    told += [Problem(Kind.LINK, path, "is a link to elsewhere") for path in sorted(dataset.links)]
    for id_, times in dataset.repeated.items():
        if times > 1:
            path = dataset.rows[id_]["path"]
            told.append(Problem(Kind.ROW, path, f"stands {times} times in stats.csv"))
    strays: tuple[str, ...] = ()
    if not at_work:  # else files are ahead of their rows, and rows of the lists
        strays = tuple(_strays(dataset))
        told += [Problem(Kind.STRAY, path, "has no row in stats.csv") for path in strays]
        told += _lists(dataset)
        told += _short(dataset)
    return Verdict(len(dataset.rows), at_work, tuple(told), bad, strays)


def _clips(dataset: Tables, how: Look) -> Iterator[tuple[ClipId, Problem]]:
    """The clips whose rows or files are not right."""
    sharing = Counter(dataset.paths.values())
    recorded: list[Recorded] = []
    for id_, row in dataset.rows.items():
        path = row["path"]
        if dataset.links and dataset.is_behind_a_link(path):
            continue  # whatever is there is not the dataset's
        file = dataset.layout.within(path)
        suffix = PurePosixPath(path).suffix
        right = dataset.layout.clip_path(Clip(id_.key, id_.split, id_.label), suffix)
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


def _strays(dataset: Tables) -> Iterator[str]:
    """What loaders would take for clips, or for classes: files below the splits that have no row,
    pictures and videos elsewhere, links to folders, and folders that hold nothing."""
    root, known = dataset.layout.root, set(dataset.paths.values())
    known |= {f"{split}/{METADATA}" for split in SPLITS} | dataset.links
    for folder, folders, names in os.walk(root):
        inside = Path(folder).relative_to(root).as_posix()
        if inside == ".":
            folders[:] = [name for name in folders if name != STRAYS and not name.startswith(".")]
        is_split = inside.split("/")[0] in SPLITS
        for name in sorted((*names, *folders)):
            path = f"{inside}/{name}".removeprefix("./")
            place = root / path
            if name in folders:
                is_stray = is_split and (place.is_symlink() or not any(place.iterdir()))
            else:
                is_stray = is_split or place.suffix.lower() in IMAGES | VIDEOS
            if is_stray and path not in known:
                yield path


def _lists(dataset: Tables) -> Iterator[Problem]:
    """The lists that are not what they would be if they were written now."""
    with tempfile.TemporaryDirectory(prefix="nanokinetics-") as folder:
        fresh = Layout(Path(folder), dataset.layout.class_dirs)
        indexes.write_all(dataset.contents(), fresh)
        for right in sorted(fresh.root.rglob("*.csv")):
            path = right.relative_to(fresh.root).as_posix()
            try:
                there = (dataset.layout.root / path).read_bytes()
            except OSError as error:
                yield Problem(Kind.LIST, path, f"cannot be read: {error.strerror}")
                continue
            wanted = right.read_bytes()
            if there != wanted:
                pairs = zip_longest(there.split(b"\n"), wanted.split(b"\n"))
                line = next(i for i, (a, b) in enumerate(pairs, start=1) if a != b)
                what = f"does not agree with stats.csv, first in line {line}"
                yield Problem(Kind.LIST, path, what)


def _short(dataset: Tables) -> Iterator[Problem]:
    kept = dataset.contents().splits
    got = Counter(Group(split, each.clip.label) for split in kept for each in kept[split])
    for group, wanted in dataset.selection.quotas.items():
        if got[group] < wanted:
            folder = f"{group.split}/{dataset.layout.class_dir(group.label)}"
            yield Problem(Kind.SHORT, folder, f"has {got[group]} of {wanted} clips")

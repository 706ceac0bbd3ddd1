"""The ledger: `stats.csv` and `failed.csv`. One process appends to them, many may read them.

A row is written in one piece, after its file has its final name. If several rows have one key, the
last row counts. If a crash tore the last line, opening the ledger cuts it off.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from nanokinetics.clip import ADOPTED, Clip, ClipId, Failed, Made, seconds
from nanokinetics.common.folder import Folder
from nanokinetics.dataset.tables import ABOUT, Damaged, Row, Table, opened
from nanokinetics.errors import InputError, Reason
from nanokinetics.layout import FAILED, STATS, WAITS, Layout

# fmt: off
STATS_COLUMNS: Final = (
    *ABOUT, "path", "source", "width", "height", "fps", "frames", "duration", "has_audio", "bytes",
    "sha256", "downloaded_bytes", "download_seconds", "trim_seconds", "total_seconds", "attempts",
    "format_id", "finished_at",
)
FAILED_COLUMNS: Final = (
    *ABOUT, "reason", "kind", "http_status", "attempts", "message", "log", "failed_at",
)
# fmt: on
WAITS_COLUMNS: Final = ("since", "until", "why")

HOURLY_BUDGET: Final = "hourly_budget"
NO_RUN: Final = "no_run"
"""Values of `why` in `waits.csv`. The other values are reasons of failures. `no_run` is the time
between two runs: from the last row of any table to the beginning of the next run."""

SHORTEST_IDLE: Final = 60.0
"""Seconds between two runs that are worth a row."""

_REASONS: Final = {str(reason): reason for reason in Reason}

_OF_STATS: Final = (*ABOUT[:4], "path", "source", "bytes", "finished_at")
_OF_FAILED: Final = (*ABOUT[:4], "reason", "message", "failed_at")
"""The columns that the state of a clip follows from."""

_Columns = Sequence[Sequence[str]]
"""Those columns, each with its value in every row."""


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The state of every clip of a dataset, as the ledger has it.

    done: the path of each clip whose file exists with the recorded size. stale: the path of each
    clip with a row but without such a file. failed: the last reason why a clip failed; it may have
    been made since. asked: the last request for each video, in seconds since the epoch. said: the
    message of each clip whose last failure was a `server_error`. not_found: the same of
    `not_found`.
    """

    done: Mapping[ClipId, str]
    stale: Mapping[ClipId, str]
    failed: Mapping[ClipId, Reason]
    asked: tuple[float, ...]
    said: Mapping[ClipId, str] = field(default_factory=dict)
    not_found: Mapping[ClipId, str] = field(default_factory=dict)


def utc(at: float) -> str:
    """Format seconds since the epoch as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch(text: str) -> float:
    """Parse a text that `utc` wrote, to seconds since the epoch. Any other text gives 0."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


class Ledger:
    """Both tables of one dataset, open for appending. Only one process may have them open."""

    def __init__(self, home: Folder, layout: Layout) -> None:
        self._layout = layout
        self._home = home
        self._stats = Table(home, STATS, STATS_COLUMNS)
        try:
            self._failed = Table(home, FAILED, FAILED_COLUMNS)
        except BaseException:
            self._stats.close()
            raise

    def made(self, made: Iterable[Made], at: float) -> None:
        """Append the rows of finished clips in one piece. Their files have final names by now."""
        finished_at = utc(at)
        self._stats.append(
            {
                **_about(each.clip),
                "path": self._layout.clip_path(each.clip, each.suffix),
                "source": each.source,
                "width": str(each.media.width),
                "height": str(each.media.height),
                "fps": f"{each.media.fps:g}",
                "frames": str(each.media.frames),
                "duration": f"{each.media.duration:.3f}",
                "has_audio": str(each.media.has_audio),
                "bytes": str(each.bytes),
                "sha256": each.sha256,
                "downloaded_bytes": str(each.downloaded_bytes),
                "download_seconds": f"{each.download_seconds:.3f}",
                "trim_seconds": f"{each.trim_seconds:.3f}",
                "total_seconds": f"{each.total_seconds:.3f}",
                "attempts": str(each.attempts),
                "format_id": each.format_id,
                "finished_at": finished_at,
            }
            for each in made
        )

    def failed(self, failed: Failed, log: str, at: float) -> None:
        """Append the row of a failed clip. `log` is the path of its complete output."""
        failure = failed.failure
        row = _about(failed.clip) | {
            "reason": failure.reason,
            "kind": failure.kind,
            "http_status": "" if failure.http_status is None else str(failure.http_status),
            "attempts": str(failed.attempts),
            "message": failure.message,
            "log": log,
            "failed_at": utc(at),
        }
        self._failed.append([row])

    def copy_made(self, rows: Iterable[Row]) -> None:
        """Append rows of the `stats.csv` of another dataset, after their files."""
        self._stats.append(rows)

    def copy_failed(self, rows: Iterable[Row]) -> None:
        """Append rows of the `failed.csv` of another dataset."""
        self._failed.append(rows)

    def waited(self, since: float, until: float, why: str) -> None:
        """Append a wait: a time without any request. The first wait creates `waits.csv`.

        No run needs this table to continue. It tells the user why a build took long.
        """
        with closing(Table(self._home, WAITS, WAITS_COLUMNS)) as table:
            table.append([{"since": utc(since), "until": utc(until), "why": why}])

    def resumed(self, at: float) -> None:
        """Append the time since the last row, in which no run was at work, if it was long.

        Without that row the time would count as work in a report.
        """
        ends = [
            *self._stats.columns("source", "finished_at")[1],
            *self._failed.columns("log", "failed_at")[1],
        ]
        with suppress(InputError):  # of a foreign `waits.csv`, on which nothing depends
            if self._home.size(WAITS):
                with closing(Table(self._home, WAITS, WAITS_COLUMNS)) as table:
                    ends += table.columns("since", "until")[1]
            last = epoch(max(ends, default=""))  # as text they sort in order of time
            if last and at - last >= SHORTEST_IDLE:
                self.waited(last, at, NO_RUN)

    def state(self, since: float = 0.0) -> LedgerState:
        """Read the state of every clip from the tables and from the files on the disk.

        since: requests before this time are left out of `asked`; seconds since the epoch.
        """
        stats, failed = self._stats.columns(*_OF_STATS), self._failed.columns(*_OF_FAILED)
        if unknown := set(failed[4]) - _REASONS.keys():
            rows = self._failed.rows("key", "reason")
            raise _no_reason(self._home, rows, unknown)
        return _state(self._home, stats, failed, since)

    def drop(self, ids: Collection[ClipId]) -> None:
        """Remove clips from `stats.csv`. The new table is written beside the old one, then renamed.

        If a clip has several rows, only the last one stays.
        """
        rows = {ClipId(row[1], row[2], row[0]): row for _, row in self._stats.rows(*STATS_COLUMNS)}
        self._stats.rewrite(row for id_, row in rows.items() if id_ not in ids)

    def close(self) -> None:
        self._stats.close()
        self._failed.close()


def state_of(home: Folder) -> LedgerState:
    """The state of every clip, by tables that are only read: a run may be at work on them.

    Raises InputError for a damaged table.
    """
    stats = list(opened(home.place(STATS), STATS_COLUMNS).named(*_OF_STATS))
    failed = list(opened(home.place(FAILED), FAILED_COLUMNS).named(*_OF_FAILED))
    if unknown := {row[4] for _, row in failed} - _REASONS.keys():
        raise _no_reason(home, ((line, (row[0], row[4])) for line, row in failed), unknown)
    return _state(home, _turned(stats, _OF_STATS), _turned(failed, _OF_FAILED), 0.0)


def id_of(row: Row) -> ClipId:
    """The id of the clip of a row of `stats.csv` or `failed.csv`."""
    return ClipId(row["split"], row["label"], row["key"])


def _about(clip: Clip) -> dict[str, str]:
    return {
        "key": clip.key,
        "split": clip.split,
        "label": clip.label,
        "youtube_id": clip.youtube_id,
        "time_start": seconds(clip.time_start),
        "time_end": seconds(clip.time_end),
    }


def _ids(splits: Iterable[str], labels: Iterable[str], keys: Iterable[str]) -> Iterator[ClipId]:
    return map(ClipId._make, zip(splits, labels, keys, strict=True))


def _turned(rows: Iterable[tuple[int, tuple[str, ...]]], names: Sequence[str]) -> _Columns:
    """Rows with their lines as columns."""
    return list(zip(*(row for _, row in rows), strict=True)) or [()] * len(names)


def _no_reason(
    home: Folder, rows: Iterable[tuple[int, tuple[str, ...]]], unknown: Collection[str]
) -> Damaged:
    """The fault of `failed.csv`; rows: the line, the key and the reason of each."""
    line = next(line for line, (_, reason) in rows if reason in unknown)
    return Damaged(home.place(FAILED), line, f"'{min(unknown)}' is no reason")


def _state(home: Folder, stats: _Columns, failures: _Columns, since: float) -> LedgerState:
    """What the columns of both tables, and the sizes of the files, say of every clip."""
    keys, splits, labels, videos, paths, sources, sizes, ats = stats
    after = utc(since)  # as text it sorts in order of time
    asked = [
        (at, video)
        for at, video, source in zip(ats, videos, sources, strict=True)
        if at >= after and source != ADOPTED
    ]
    last = dict(zip(_ids(splits, labels, keys), range(len(keys)), strict=True))
    stale = {
        clip_id: paths[row]
        for clip_id, row in last.items()
        if (size := home.size(paths[row])) is None or str(size) != sizes[row]
    }
    done = {clip_id: paths[row] for clip_id, row in last.items() if clip_id not in stale}
    keys, splits, labels, videos, reasons, messages, ats = failures
    asked += [(at, video) for at, video in zip(ats, videos, strict=True) if at >= after]
    ids = list(_ids(splits, labels, keys))
    failed = dict(zip(ids, map(_REASONS.__getitem__, reasons), strict=True))
    latest = {video: epoch(at) for at, video in sorted(asked)}
    said, not_found = (
        {id_: message for id_, message in zip(ids, messages, strict=True) if failed[id_] is reason}
        for reason in (Reason.SERVER_ERROR, Reason.NOT_FOUND)
    )
    return LedgerState(done, stale, failed, tuple(latest.values()), said, not_found)

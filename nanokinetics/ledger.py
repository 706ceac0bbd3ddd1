"""The ledger: `stats.csv` and `failed.csv`, appended to by one process, read by many.

Rows are written in one piece, after the files they speak of have their names. Of several rows with
one key the last counts. A last line that was torn by a crash is cut off when the ledger is opened.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Final

from nanokinetics.clip import ADOPTED, Clip, ClipId, Failed, Made, seconds
from nanokinetics.common.files import replace_file
from nanokinetics.common.folder import Home
from nanokinetics.errors import InputError, Reason
from nanokinetics.layout import Layout

ABOUT: Final = ("key", "split", "label", "youtube_id", "time_start", "time_end")
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

Row = Mapping[str, str]

_APPEND: Final = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
_REASONS: Final = {str(reason): reason for reason in Reason}


@dataclass(frozen=True, slots=True)
class Standing:
    """What has become of every clip of a dataset so far.

    done: rows whose file is there with the recorded size, and where; stale: rows whose file is not.
    failed: why a clip failed last; it may have been made since.
    asked: when each video was last asked for, in seconds since the epoch.
    """

    done: Mapping[ClipId, str]
    stale: Mapping[ClipId, str]
    failed: Mapping[ClipId, Reason]
    asked: tuple[float, ...]


def utc(at: float) -> str:
    """ISO 8601 in UTC, to the second, of seconds since the epoch."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch(text: str) -> float:
    """Seconds since the epoch of what `utc` wrote; 0 for anything else."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


class Ledger:
    """Both tables of one dataset, open for appending. Only one process may hold it."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._home = Home(layout.root)
        self._stats = _Table(self._home, layout.stats, STATS_COLUMNS)
        self._failed = _Table(self._home, layout.failed, FAILED_COLUMNS)

    def made(self, made: Iterable[Made], at: float) -> None:
        """Append the rows of finished clips, whose files have their names by now, in one piece."""
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
        """Append the row of a clip that was not made. `log` is the path of its complete output."""
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

    def waited(self, since: float, until: float, why: str) -> None:
        """Append a time in which nobody was asked for anything; `waits.csv` begins with the first.

        Not needed to go on; it is kept for people, who cannot tell a refusal from a slow night.
        """
        with closing(_Table(self._home, self._layout.waits, WAITS_COLUMNS)) as table:
            table.append([{"since": utc(since), "until": utc(until), "why": why}])

    def standing(self, since: float = 0.0) -> Standing:
        """What the tables and the files on the disk say has become of every clip so far.

        since: from when on it is of interest which videos were asked for, in seconds since the
        epoch.
        """
        keys, splits, labels, videos, paths, sources, sizes, ats = self._stats.columns(
            *ABOUT[:4], "path", "source", "bytes", "finished_at"
        )
        after = utc(since)  # as text it compares like the time it stands for
        asked = [
            (at, video)
            for at, video, source in zip(ats, videos, sources, strict=True)
            if at >= after and source != ADOPTED
        ]
        last = dict(zip(_ids(splits, labels, keys), range(len(keys)), strict=True))
        root = str(self._layout.root)
        stale = {
            clip_id: paths[row]
            for clip_id, row in last.items()
            if _size_of(f"{root}/{paths[row]}") != sizes[row]
        }
        done = {clip_id: paths[row] for clip_id, row in last.items() if clip_id not in stale}
        keys, splits, labels, videos, reasons, ats = self._failed.columns(
            *ABOUT[:4], "reason", "failed_at"
        )
        asked += [(at, video) for at, video in zip(ats, videos, strict=True) if at >= after]
        self._check_reasons(reasons)
        failed = zip(_ids(splits, labels, keys), map(_REASONS.__getitem__, reasons), strict=True)
        latest = {video: epoch(at) for at, video in sorted(asked)}
        return Standing(done, stale, dict(failed), tuple(latest.values()))

    def _check_reasons(self, reasons: Collection[str]) -> None:
        if unknown := set(reasons) - _REASONS.keys():
            rows = self._failed.rows("key", "reason")
            line = next(line for line, (_, reason) in rows if reason in unknown)
            raise self._failed.damage(line, f"'{min(unknown)}' is no reason")

    def drop(self, ids: Collection[ClipId]) -> None:
        """Take clips out of `stats.csv`: the table is written anew beside itself and renamed.

        Of several rows of one clip the last stays.
        """
        rows = {ClipId(row[1], row[2], row[0]): row for _, row in self._stats.rows(*STATS_COLUMNS)}
        self._stats.rewrite(row for id_, row in rows.items() if id_ not in ids)

    def close(self) -> None:
        self._stats.close()
        self._failed.close()


def _about(clip: Clip) -> dict[str, str]:
    return {
        "key": clip.key,
        "split": clip.split,
        "label": clip.label,
        "youtube_id": clip.youtube_id,
        "time_start": seconds(clip.time_start),
        "time_end": seconds(clip.time_end),
    }


class _Table:
    """One append-only CSV file: RFC 4180 but for LF line ends, UTF-8, with a header."""

    def __init__(self, home: Home, path: Path, columns: Sequence[str]) -> None:
        self._home = home
        self._path = path
        self._columns = tuple(columns)
        self._mend()
        self._file = home.open(path.name, _APPEND)

    def _mend(self) -> None:
        """Make the table if there is none, and cut off a last line that a crash has torn."""
        header = _line(self._columns)
        data = self._path.read_bytes() if self._path.exists() else b""
        if header.startswith(data):  # nothing yet, or a header that was torn
            replace_file(self._path, header)
            return
        whole = data[: data.rfind(b"\n") + 1]
        if not whole.startswith(header):
            raise InputError(
                f"{self._path}: its header is not that of a nanokinetics table; "
                "name another --dest, or move the file away"
            )
        try:
            whole.decode()
        except UnicodeDecodeError as error:
            raise self.damage(whole.count(b"\n", 0, error.start) + 1, "not UTF-8") from None
        if whole != data:
            file = self._home.open(self._path.name, os.O_RDWR)
            try:
                os.ftruncate(file, len(whole))
            finally:
                os.close(file)

    def append(self, rows: Iterable[Row]) -> None:
        """Write rows in one piece, all of them or none. Raises OSError."""
        data = _lines([row[name] for name in self._columns] for row in rows)
        before = os.fstat(self._file).st_size
        try:
            while data:  # a disk that is all but full takes a part; the next write says why
                data = data[os.write(self._file, data) :]
        except OSError:
            os.ftruncate(self._file, before)
            raise

    def columns(self, *names: str) -> list[Sequence[str]]:
        """The named columns, two or more in the table's order, of all rows.

        Raises InputError for damage.
        Where nothing is quoted, as in most tables, one pattern takes them out of the text, in half
        the time of `rows`.
        """
        text = self._path.read_bytes().decode()
        pattern = ",".join("([^,\n]*+)" if c in names else "[^,\n]*+" for c in self._columns)
        rows = [] if '"' in text or "\r" in text else re.findall(rf"\n{pattern}(?=\n)", text)
        if len(rows) != text.count("\n") - 1:
            rows = [row for _, row in self.rows(*names)]
        return [[row[place] for row in rows] for place in range(len(names))]

    def rows(self, *names: str) -> Iterator[tuple[int, tuple[str, ...]]]:
        """The line number and the named columns of every row. Raises InputError for damage."""
        width = len(self._columns)
        named = itemgetter(*map(self._columns.index, names))
        with self._path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            try:
                next(reader)  # the header, which was looked at before
                for row in reader:
                    if len(row) != width:
                        raise self.damage(reader.line_num, "not a row of this table")
                    yield reader.line_num, named(row)
            except csv.Error as error:
                raise self.damage(reader.line_num, str(error)) from None

    def damage(self, line: int, why: str) -> InputError:
        return InputError(f"{self._path}, line {line}: {why}; mend or remove the line")

    def rewrite(self, rows: Iterable[Sequence[str]]) -> None:
        replace_file(self._path, _lines([self._columns, *rows]))
        os.close(self._file)
        self._file = self._home.open(self._path.name, _APPEND)

    def close(self) -> None:
        os.fsync(self._file)
        os.close(self._file)


def _ids(splits: Iterable[str], labels: Iterable[str], keys: Iterable[str]) -> Iterator[ClipId]:
    return map(ClipId._make, zip(splits, labels, keys, strict=True))


def _line(values: Sequence[str]) -> bytes:
    return _lines([values])


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(errors="replace")  # a server may send half a surrogate pair


def _size_of(path: str) -> str | None:
    try:
        return str(os.stat(path).st_size)  # noqa: PTH116 - a hundred thousand times
    except (OSError, ValueError):  # a path of an edited table may hold anything
        return None

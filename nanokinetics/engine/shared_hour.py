"""The requests that all runs of one user send to one address, in a file that the runs share.

A site counts the requests of an address, and not those of a folder. So each run takes its starts
from this file, under a lock: two runs never take the same place in the hour. A line is one start,
as JSON: its time in seconds since the epoch, and the folder of the dataset.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import platform
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from filelock import FileLock

from nanokinetics.clip import HOUR
from nanokinetics.common.files import replace_file
from nanokinetics.engine.books import Clock

SUFFIX: Final = ".starts"

LONGEST_LOCK: Final = 10.0
"""Seconds to wait for the lock. Other runs hold it for some milliseconds."""


class Start(NamedTuple):
    """One request. at: seconds since the epoch. by: the folder of the dataset."""

    at: float
    by: str


class Alone:
    """The hour of a run that shares it with nobody. It keeps no file."""

    @property
    def is_shared(self) -> bool:
        """Whether the run of another dataset made some of the starts of the last hour."""
        return False

    @contextlib.contextmanager
    def turn(self) -> Iterator[tuple[float, ...] | None]:
        """Keep other runs from starting.

        Gives all starts of the last hour, as times of the steady clock, if other runs made some
        since the last turn; None if there is nothing new.
        """
        yield None

    def take(self) -> None:
        """Record a start now. Only within a turn."""


class SharedHour(Alone):
    """The last hour of one address. If its file fails, the run says so once and goes on alone."""

    def __init__(self, path: Path, dest: Path, clock: Clock, say: Callable[[str], None]) -> None:
        self._path = path
        self._by = str(dest.resolve())
        self._clock = clock
        self._say = say
        self._lock = FileLock(path.with_suffix(".lock"), timeout=LONGEST_LOCK)
        self._starts: list[Start] = []
        """The starts that were read, or made by this run."""
        self._read_to = 0
        """Bytes of the file that were read."""
        self._inode = 0
        self._works = True

    def begin(self, asked: Iterable[float]) -> tuple[float, ...]:
        """Tidy the file; returns the starts of the last hour, as times of the steady clock.

        asked: the requests in the tables of the dataset, in seconds since the epoch. An earlier
        version made those that no file has, and they are added.
        """
        own = sorted(asked)
        with self._guarded():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock:
                now = self._clock.wall()
                self._read()
                missing = own[: max(0, len(own) - self._known(now - HOUR))]
                # A start lies in the future if the clock was set back: it counts as made now.
                found = [*self._starts, *(Start(at, self._by) for at in missing)]
                kept = sorted(Start(min(at, now), by) for at, by in found if at > now - HOUR)
                replace_file(self._path, b"".join(map(_line, kept)))
                self._read()
        return self._steady() if self._works else self._steady(own)

    @property
    def is_shared(self) -> bool:
        since = self._clock.wall() - HOUR
        return self._works and any(at > since and by != self._by for at, by in self._starts)

    @contextlib.contextmanager
    def turn(self) -> Iterator[tuple[float, ...] | None]:
        with contextlib.ExitStack() as stack:
            news = None
            if self._works:
                with self._guarded():
                    stack.enter_context(self._lock)
                    news = self._steady() if self._read() else None
            yield news

    def take(self) -> None:
        if not self._works:
            return
        start = Start(self._clock.wall(), self._by)
        with self._guarded(), self._path.open("ab", buffering=0) as file:
            torn = file.tell() > self._read_to  # a full disk cut the last line off
            line = b"\n" * torn + _line(start)
            if file.write(line) != len(line):
                raise OSError(f"{self._path}: no space is left")
            self._read_to = file.tell()
            self._starts.append(start)

    def _read(self) -> bool:
        """Read what is new in the file; whether there was something."""
        try:
            with self._path.open("rb") as file:
                inode = self._path.stat().st_ino
                if inode != self._inode:  # another run has tidied it
                    self._starts, self._read_to, self._inode = [], 0, inode
                file.seek(self._read_to)
                data = file.read()
        except FileNotFoundError:
            return False
        whole = data[: data.rfind(b"\n") + 1]
        self._read_to += len(whole)
        since = self._clock.wall() - HOUR
        self._starts = [start for start in (*self._starts, *_starts(whole)) if start.at > since]
        return bool(whole)

    def _known(self, since: float) -> int:
        """The number of starts of this dataset, also by other addresses and machines."""
        files = self._path.parent.glob(f"*{SUFFIX}")
        starts = (start for path in files for start in _starts(path.read_bytes()))
        return sum(at > since and by == self._by for at, by in starts)

    def _steady(self, times: Iterable[float] | None = None) -> tuple[float, ...]:
        now, wall = self._clock.steady(), self._clock.wall()
        found = [start.at for start in self._starts] if times is None else times
        return tuple(now - max(0.0, wall - at) for at in found)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (OSError, NotImplementedError) as error:  # some file systems know no locks
            self._works = False
            self._say(
                f"warning: {self._path}: {getattr(error, 'strerror', None) or error}; this run "
                "does not share the hourly budget with other runs; --state DIR names another folder"
            )


def recent(path: Path, now: float) -> list[Start]:
    """The starts of the hour before `now` in a file, which is only read. Raises OSError."""
    data = path.read_bytes() if path.exists() else b""
    return [start for start in _starts(data) if start.at > now - HOUR]


def path_of(folder: Path, address: str) -> Path:
    """The file of an address in the folder of the state.

    address: whom the requests go to and by which way, `HOST by PROXY`. The name has only the host,
    this machine and a digest, since a proxy may name a user.
    """
    host, machine = (
        re.sub(r"[^\w.-]", "_", each) for each in (address.partition(" ")[0], platform.node())
    )
    digest = hashlib.sha256(address.encode()).hexdigest()[:12]
    return folder / f"{host}-{machine}-{digest}{SUFFIX}"


def _line(start: Start) -> bytes:
    return f"{json.dumps(start._asdict())}\n".encode()


def _starts(data: bytes) -> Iterator[Start]:
    """The starts in whole lines. A line that is none is left out: it was cut off."""
    for line in data.splitlines():
        try:
            found = Start(**json.loads(line))
            if math.isfinite(found.at) and isinstance(found.by, str):
                yield Start(float(found.at), found.by)
        except (ValueError, TypeError, RecursionError, OverflowError):
            continue

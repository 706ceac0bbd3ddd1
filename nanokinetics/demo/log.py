"""The log of the requests to the site, and of the bytes that clients took."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nanokinetics.demo.script import Kind


@dataclass(frozen=True)
class Request:
    """One request to the site."""

    time: float
    """Seconds on the site's clock, by default since the epoch."""
    kind: Kind
    youtube_id: str | None
    itag: int | None
    status: int
    """0 if the connection ended without an answer."""
    bytes: int
    """Bytes of the body that were sent so far."""
    client: str
    """InnerTube's client name (VISIONOS, WEB …) of a player request; otherwise the User-Agent."""
    range: str | None
    """The Range header."""
    refused: bool
    """Whether the throttle refused it."""
    language: str
    """The language that a player request asks for (`hl`); otherwise empty."""


@dataclass
class Entry:
    """A request in progress."""

    time: float
    kind: Kind
    youtube_id: str | None
    itag: int | None
    client: str
    range: str | None
    status: int = 0
    bytes: int = 0
    refused: bool = False
    language: str = ""

    def add(self, count: int) -> None:
        self.bytes += count

    def frozen(self) -> Request:
        return Request(**vars(self))


class Log:
    """An append-only log. Threads may read it during requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._by_id: defaultdict[str, list[Entry]] = defaultdict(list)

    def append(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)
            if entry.youtube_id is not None:
                self._by_id[entry.youtube_id].append(entry)

    def requests(self, youtube_id: str | None = None, *kinds: Kind) -> list[Request]:
        """The requests in order of arrival, by default all; of one video, or of some kinds."""
        with self._lock:
            entries = self._entries if youtube_id is None else self._by_id.get(youtube_id, [])
            chosen = list(entries)
        frozen = [entry.frozen() for entry in chosen]
        return [request for request in frozen if not kinds or request.kind in kinds]

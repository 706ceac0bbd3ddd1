"""What the site was asked, and how much of it was taken."""

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
    """0 when the connection ended without an answer."""
    bytes: int
    """Of the body, handed to the connection so far."""
    client: str
    """Of a player request InnerTube's name of the client (VISIONOS, WEB …), else the User-Agent."""
    range: str | None
    """The Range header."""
    refused: bool
    """By the throttle."""


@dataclass
class Entry:
    """A request while it is being answered."""

    time: float
    kind: Kind
    youtube_id: str | None
    itag: int | None
    client: str
    range: str | None
    status: int = 0
    bytes: int = 0
    refused: bool = False

    def add(self, count: int) -> None:
        self.bytes += count

    def frozen(self) -> Request:
        return Request(**vars(self))


class Log:
    """Append-only; safe to read while requests are being answered."""

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
        """In the order in which they came; of one video, of the given kinds."""
        with self._lock:
            entries = self._entries if youtube_id is None else self._by_id.get(youtube_id, [])
            chosen = list(entries)
        frozen = [entry.frozen() for entry in chosen]
        return [request for request in frozen if not kinds or request.kind in kinds]

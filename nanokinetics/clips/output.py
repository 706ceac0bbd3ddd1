"""What a program writes, read while it runs and kept within bounds.

A media file may make ffmpeg write gigabytes of complaints. What matters stands at the beginning,
where ffmpeg describes its inputs, and at the end, where it counts what it read.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import IO, Final, Protocol

KEPT: Final = 512 * 1024
"""Bytes that are kept of the beginning, and as many of the end. A usual run writes 20,000."""

_PIECE: Final = 64 * 1024


class Sink(Protocol):
    """Takes the bytes of a stream, piece by piece."""

    def feed(self, data: bytes) -> None: ...


class HeadAndTail:
    """The beginning and the end of a stream, with a word on how much is left out between."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def feed(self, data: bytes) -> None:
        room = self._kept - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * self._kept:  # seldom, since it moves all that is kept
            self._trim()

    def _trim(self) -> None:
        over = max(0, len(self._tail) - self._kept)
        del self._tail[:over]
        self._dropped += over

    def text(self) -> str:
        """The text, with line ends of every kind as newlines."""
        self._trim()
        gap = f"\n[... {self._dropped} bytes are left out ...]\n" if self._dropped else ""
        text = gap.join(part.decode(errors="replace") for part in (self._head, self._tail))
        return text.replace("\r\n", "\n").replace("\r", "\n")


class Watched(HeadAndTail):
    """A stream whose lines are looked at as they come. `finished`: whether one was enough."""

    def __init__(self, enough: Callable[[str], bool], finish: Callable[[], object]) -> None:
        super().__init__()
        self.finished = False
        self._enough, self._finish = enough, finish
        self._rest = b""

    def feed(self, data: bytes) -> None:
        super().feed(data)
        if self.finished:
            return
        *lines, self._rest = (self._rest + data).splitlines(keepends=True) or [b""]
        if self._rest.endswith((b"\n", b"\r")):
            lines, self._rest = [*lines, self._rest], b""
        self._rest = self._rest[-_LONGEST_LINE:]
        if any(self._enough(line.decode(errors="replace")) for line in lines):
            self.finished = True
            self._finish()


_LONGEST_LINE: Final = 100_000
"""Bytes of a line without an end that are kept."""


def drain(process: subprocess.Popen[bytes], sinks: Mapping[IO[bytes], Sink], until: float) -> bool:
    """Read a program's streams to their ends, and wait for its own.

    until: a time of the monotonic clock, in seconds. Returns whether the program ended by then.
    """
    with selectors.DefaultSelector() as selector:
        for stream in sinks:
            if not stream.closed:
                selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            left = until - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            if not ready:
                return False
            for key, _ in ready:
                stream = next(each for each in sinks if each is key.fileobj)
                data = os.read(key.fd, _PIECE)
                if data:
                    sinks[stream].feed(data)
                else:
                    selector.unregister(stream)
                    stream.close()
    try:
        process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:  # it closed its streams, and lives on
        return False
    return True

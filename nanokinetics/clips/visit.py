"""The state of work on one video: its streams, its log, and its cost."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from nanokinetics.clip import Patience
from nanokinetics.common.kin import OutOfTimeError, time_limit
from nanokinetics.errors import Failure, Kind, Reason
from nanokinetics.sources import Fetcher
from nanokinetics.sources.stream import OpenedVideo

T = TypeVar("T")


class Visit:
    """The state of work on one video: its streams once found, its log, and its cost."""

    def __init__(
        self,
        fetcher: Fetcher,
        name: str,
        folder: Path,
        on_found: Callable[[], None],
        patience: Patience,
    ) -> None:
        self.source_name = fetcher.name
        self.found = False
        self.refused: Failure | None = None
        """Why the video could not be opened. It holds for every clip of the video."""
        self._fetcher = fetcher
        self._name = name
        self._folder = folder
        self._on_found = on_found
        self._patience = patience
        self._source: OpenedVideo | None = None
        self._no_more = False
        self._notes: list[str] = []
        self._seconds = 0.0
        self.downloaded = 0
        """Downloaded media bytes that are not yet counted to a clip, with those of failed tries."""
        self.downloaded_before = 0
        """The value of `downloaded` at the beginning of the last try."""

    def open(self) -> OpenedVideo | Failure:
        if self._source is None:
            began = time.monotonic()
            found = self._in_time(
                lambda: self._fetcher.open(self._name),
                self._patience.opening,
                "the video could not be found",
            )
            self._seconds += time.monotonic() - began
            self.note(self._fetcher.log())
            if isinstance(found, Failure):
                self.refused = found
                return found
            self.refused = None
            self.found = True
            self._source = found
            self._on_found()
        return self._source

    def download(self) -> OpenedVideo | Failure:
        """Download the whole video. From then on every clip is cut from the local copy."""
        self._folder.mkdir(exist_ok=True)
        patience = self._patience
        length = (self._source and self._source.duration) or math.inf
        limit = min(patience.start_up + length / patience.slowest, patience.longest_download)
        got = self._in_time(
            lambda: self._fetcher.download(self._folder), limit, "the video could not be downloaded"
        )
        self.note(self._fetcher.log())
        if isinstance(got, OpenedVideo):
            self.settle(got)
            self.downloaded += got.downloaded_bytes
        return got

    def other(self, refused: int | None) -> OpenedVideo | None:
        """Open the next best formats of the video; None if there are none.

        refused: the index of the stream that the server refused; None if it is not known.
        """
        ask = self._source and self._source.other
        if self._no_more or not ask:
            return None
        other = self._in_time(lambda: ask(refused), self._patience.opening, "no more formats")
        self.note(self._fetcher.log())
        if other is None or isinstance(other, Failure):
            self._no_more = True  # for all clips of the video: each format was refused once
            return None
        return self.settle(other)

    def _in_time(self, call: Callable[[], T], seconds: float, what: str) -> T | Failure:
        """Call the fetcher. A server may send a byte now and then, and never end."""
        try:
            with time_limit(seconds):
                return call()
        except OutOfTimeError:
            return Failure(Reason.TIMEOUT, f"{what} within {seconds:.0f} s")

    def settle(self, source: OpenedVideo) -> OpenedVideo:
        """Cut all further clips from this video."""
        self._source = source
        return source

    def consider(self, failure: Failure) -> None:
        """Take note of a clip's failure, for the other clips and for its own next try."""
        if failure.kind is Kind.BLOCKED:
            self.refused = failure
        if failure.reason in OF_THE_LINK:
            self._source = None  # URLs expire: the next try gets new ones

    def note(self, text: str) -> None:
        self._notes.append(text)

    def log(self) -> str:
        return "\n".join(self._notes)

    def take_downloaded(self) -> int:
        """Take the downloaded bytes, to count them to the clip that was just made."""
        taken, self.downloaded = self.downloaded, 0
        return taken

    def take_opening_seconds(self) -> float:
        """Take the seconds of finding the video, to count them to its first finished clip."""
        taken, self._seconds = self._seconds, 0.0
        return taken

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


OF_THE_LINK: Final = frozenset({Reason.FORBIDDEN_MEDIA, Reason.SERVER_ERROR, Reason.TRUNCATED})
"""Failures of the connection or the URL, not of the clip: new URLs or a download may help."""

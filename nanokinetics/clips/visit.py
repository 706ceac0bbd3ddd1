"""The state of work on one video: its streams, its log, and its cost."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from nanokinetics.errors import Failure, Kind, Reason
from nanokinetics.sources import Fetcher
from nanokinetics.sources.stream import OpenedVideo


class Visit:
    """The state of work on one video: its streams once found, its log, and its cost."""

    def __init__(
        self, fetcher: Fetcher, name: str, folder: Path, on_found: Callable[[], None]
    ) -> None:
        self.source_name = fetcher.name
        self.found = False
        self.refused: Failure | None = None
        """Why the video could not be opened. It holds for every clip of the video."""
        self._fetcher = fetcher
        self._name = name
        self._folder = folder
        self._on_found = on_found
        self._source: OpenedVideo | None = None
        self._notes: list[str] = []
        self._seconds = 0.0
        self.downloaded = 0
        """Downloaded media bytes that are not yet counted to a clip, with those of failed tries."""
        self.downloaded_before = 0
        """The value of `downloaded` at the beginning of the last try."""

    def open(self) -> OpenedVideo | Failure:
        if self._source is None:
            began = time.monotonic()
            found = self._fetcher.open(self._name)
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
        got = self._fetcher.download(self._folder)
        self.note(self._fetcher.log())
        if isinstance(got, OpenedVideo):
            self.settle(got)
            self.downloaded += got.downloaded_bytes
        return got

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

"""Shows how a file of annotations is fetched: a bar on a terminal, lines in a log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TextIO

from tqdm import tqdm

from nanokinetics.common.text import plain, size
from nanokinetics.progress import Fetching

REDRAW_EVERY: Final = 0.25
"""Seconds between two redraws of the bar."""


class TransferBar:
    """A tqdm bar of bytes. It goes when the file is there."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: tqdm[Any] | None = None
        self._url = ""

    def show(self, fetching: Fetching, columns: int) -> None:
        if fetching.is_over:
            self.close()
            if not fetching.failed:  # the message of a failure comes next
                tqdm.write(plain(_over(fetching)), file=self._stream)
            return
        if self._bar is None or fetching.url != self._url:
            self.close()
            self._url = fetching.url
            self._bar = tqdm(
                desc=plain(fetching.name),
                initial=fetching.done,
                unit="B",
                unit_scale=True,
                leave=False,
                file=self._stream,
                ncols=columns,
                mininterval=REDRAW_EVERY,
            )
        self._bar.total = fetching.total
        self._bar.update(fetching.done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class TransferLines:
    """A line at the beginning and at the end, and one every `every` seconds between them."""

    def __init__(
        self, say: Callable[[str], None], clock: Callable[[], float], every: float
    ) -> None:
        self._say, self._clock, self._every = say, clock, every
        self._url = ""
        self._next = 0.0

    def show(self, fetching: Fetching) -> None:
        now = self._clock()
        if fetching.is_over:
            self._url = ""
            if not fetching.failed:
                self._say(_over(fetching))
        elif fetching.url != self._url:
            self._url, self._next = fetching.url, now + self._every
            about = f" at {size(fetching.done)}" if fetching.done else ""
            self._say(f"fetching {fetching.name}{_of(fetching)} from {fetching.url}{about}")
        elif now >= self._next:
            self._next = now + self._every
            self._say(f"fetching {fetching.name}: {size(fetching.done)}{_of(fetching)}")


def _of(fetching: Fetching) -> str:
    return "" if fetching.total is None else f" of {size(fetching.total)}"


def _over(fetching: Fetching) -> str:
    return f"fetched {fetching.name} ({size(fetching.done)}) from {fetching.url}"

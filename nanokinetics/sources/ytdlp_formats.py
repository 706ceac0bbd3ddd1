"""Which formats of a video are left, after the server refused some of them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

Format = dict[str, Any]
"""A format as yt-dlp describes it."""

MOST: Final = 8
"""Formats of one video that may be refused before it is left for later."""

OF_A_KIND: Final = 2
"""Refused formats of one kind, after which other kinds come first. A server often refuses a kind:
for instance all files of sound."""


class Choice:
    """The formats of one video. audio: whether a clip is to have sound."""

    def __init__(self, formats: Sequence[Format], *, audio: bool) -> None:
        self.audio = audio
        self._formats = formats
        self._refused: dict[str, Format] = {}

    def refuse(self, formats: Iterable[Format]) -> None:
        """Take formats for refused."""
        self._refused.update((each["format_id"], each) for each in formats)

    def left(self) -> Iterator[list[Format]]:
        """Formats to choose from; the second list, if yt-dlp finds nothing in the first."""
        if len(self._refused) > MOST:
            return
        kinds = Counter(map(_kind, self._refused.values()))
        left = [each for each in self._formats if each["format_id"] not in self._refused]
        yield [each for each in left if kinds[_kind(each)] < OF_A_KIND]
        yield left

    def accepts(self, chosen: Sequence[Format]) -> bool:
        """Whether a choice has picture, and sound if the video has any.

        A silent clip would be another clip.
        """
        wanted = self.audio and any(kinds_of(each).has_audio for each in self._formats)
        has_picture = any(kinds_of(each).has_video for each in chosen)
        return has_picture and (not wanted or any(kinds_of(each).has_audio for each in chosen))


def is_plain(part: Format) -> bool:
    """Whether a format is one file over HTTP, not a list of segments."""
    return part.get("protocol") in ("http", "https")


class Kinds(NamedTuple):
    """What a format has."""

    has_video: bool
    has_audio: bool


def kinds_of(part: Format) -> Kinds:
    """What a format has: yt-dlp says `none` only if it knows."""
    return Kinds(part.get("vcodec") != "none", part.get("acodec") != "none")


def _kind(part: Format) -> tuple[bool, ...]:
    return is_plain(part), *kinds_of(part)

"""An opened video and its streams, as ffmpeg can read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """The answer of a server to a request for a range of bytes.

    status: the HTTP status. total: bytes of the whole file; None if the server does not say.
    blocks: the bytes, as they arrive; reading them raises OSError if the connection breaks.
    """

    status: int
    total: int | None
    blocks: Iterator[bytes]


ReadRange = Callable[[int, int], Range]
"""Asks for the bytes from the first to the last position, both included. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Stream:
    """An input for ffmpeg: a URL with its headers and proxy, or the path of a file.

    read: how to read the URL, if ffmpeg cannot go the same way or would show secrets. proxy: an
    HTTP proxy for ffmpeg. verify, ca_file: how to check the server's certificate. timeout: seconds
    of silence after which a connection is given up. bit_rate: bits per second, as the host states
    it; 0 if it does not. transfer: the curve of an HDR picture, one of `clips.filters.HDR`, as far
    as the host states it. begins: seconds from the start of the file to that of its picture, from
    which windows count.
    """

    url: str
    has_video: bool = True
    has_audio: bool = True
    headers: tuple[tuple[str, str], ...] = ()
    proxy: str = ""
    verify: bool = True
    ca_file: str = ""
    timeout: float = 15.0
    bit_rate: float = 0.0
    transfer: str = ""
    begins: float = 0.0
    read: ReadRange | None = None

    @property
    def is_remote(self) -> bool:
        return self.url.startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class OpenedVideo:
    """A video that was found and can be read.

    duration: seconds, as the host states it, often rounded; None if it does not. seekable: whether
    a window alone can be read; HLS has no index, so there it is False. downloaded_bytes,
    download_seconds: the cost of the download; 0 for a remote video. other: called with the index
    of a refused stream, or None if it is not known, gives the next best formats of the video, or
    None if there are none.
    """

    streams: tuple[Stream, ...]
    duration: float | None
    format_id: str
    seekable: bool = True
    downloaded_bytes: int = 0
    download_seconds: float = 0.0
    other: Callable[[int | None], OpenedVideo | None] | None = None

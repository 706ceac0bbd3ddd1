"""A video that was found, and its streams: what ffmpeg can open."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stream:
    """Something ffmpeg can open: a URL with what is needed to be let in, or the path of a file.

    `verify` and `ca_file` say how a server's certificate is checked; `timeout` is the silence, in
    seconds, after which a connection is given up. `bit_rate` is in bits a second, as its host
    states it; 0 if it does not.
    """

    url: str
    has_video: bool = True
    has_audio: bool = True
    headers: tuple[tuple[str, str], ...] = ()
    cookies: str = ""
    proxy: str = ""
    verify: bool = True
    ca_file: str = ""
    timeout: float = 15.0
    bit_rate: float = 0.0

    @property
    def is_remote(self) -> bool:
        return self.url.startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class OpenedVideo:
    """One video, found and ready to be read.

    `duration` is in seconds as its host states it, often rounded; None when it does not say.
    `seekable` is False when a window alone cannot be read from it (HLS, which has no index).
    `downloaded_bytes` and `download_seconds` are what it took to bring it here, 0 if it is remote.
    """

    streams: tuple[Stream, ...]
    duration: float | None
    format_id: str
    seekable: bool = True
    downloaded_bytes: int = 0
    download_seconds: float = 0.0

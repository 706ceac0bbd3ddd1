"""The way to a media file: ffmpeg goes it itself if it can go the same way as yt-dlp.

ffmpeg knows HTTP proxies, and no way to bind an address, to choose between IPv4 and IPv6, or to
keep a secret out of its arguments. For everything else yt-dlp's own networking reads the ranges
that ffmpeg wants.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import yt_dlp
from yt_dlp.networking import Request, Response
from yt_dlp.networking.exceptions import HTTPError, RequestError
from yt_dlp.utils.networking import HTTPHeaderDict, clean_proxies, select_proxy

from nanokinetics.sources.route import ca_file
from nanokinetics.sources.stream import Range, ReadRange, Stream
from nanokinetics.sources.ytdlp_formats import Format, kinds_of
from nanokinetics.sources.ytdlp_options import transfer_of

BLOCK: Final = 8 * 1024
"""Bytes that are read at once."""

_OPEN_HEADERS: Final = frozenset(
    {"user-agent", "accept", "accept-language", "accept-encoding", "accept-charset"}
    | {"sec-fetch-mode"}
)
"""Headers of every request of yt-dlp. Any other may be a secret, which arguments would show."""

_ONLY_YT_DLP: Final = (
    *("source_address", "impersonate", "legacyserverconnect"),
    *("client_certificate", "client_certificate_key", "client_certificate_password"),
)
"""Parameters of yt-dlp's networking that ffmpeg cannot obey. -4 and -6 set a `source_address`."""


class Ways:
    """The ways to media files that yt-dlp's parameters allow."""

    def __init__(self, params: dict[str, Any]) -> None:
        self._params = params
        self._is_open = not any(params.get(name) for name in _ONLY_YT_DLP)

    def streams(self, ydl: yt_dlp.YoutubeDL, parts: Sequence[Format]) -> tuple[Stream, ...]:
        """The formats as streams for ffmpeg. All of them go the same way."""
        proxies = [_proxy(ydl, part) for part in parts]
        direct = (
            self._is_open
            and len(set(proxies)) == 1
            and (not proxies[0] or proxies[0].startswith("http://"))
            and not any(_has_secrets(ydl, part) for part in parts)
        )
        return tuple(
            self._stream(part, proxy if direct else "", None if direct else _reader(ydl, part))
            for part, proxy in zip(parts, proxies, strict=True)
        )

    def _stream(self, part: Format, proxy: str, read: ReadRange | None) -> Stream:
        return Stream(
            part["url"],
            *kinds_of(part),
            headers=tuple((part.get("http_headers") or {}).items()),
            proxy=proxy,
            verify=not self._params.get("nocheckcertificate"),
            ca_file=ca_file(self._params, os.environ),
            timeout=float(self._params["socket_timeout"]),
            bit_rate=1000 * float(part.get("tbr") or 0),
            transfer=transfer_of(part.get("dynamic_range")),
            read=read,
        )


def _proxy(ydl: yt_dlp.YoutubeDL, part: Format) -> str:
    """The proxy that yt-dlp would use for a format; '' for none."""
    proxies = {**ydl.proxies, **({"all": part["proxy"]} if part.get("proxy") else {})}
    clean_proxies(proxies, HTTPHeaderDict())
    return select_proxy(part["url"], proxies) or ""


def _has_secrets(ydl: yt_dlp.YoutubeDL, part: Format) -> bool:
    names = {name.lower() for name in part.get("http_headers") or ()}
    return bool(
        names - _OPEN_HEADERS
        or part.get("impersonate")
        or ydl.cookiejar.get_cookies_for_url(part["url"])
    )


def _reader(ydl: yt_dlp.YoutubeDL, part: Format) -> ReadRange:
    headers = part.get("http_headers") or {}
    proxies = {"all": part["proxy"]} if part.get("proxy") else None

    def read(first: int, last: int) -> Range:
        wanted = {**headers, "Range": f"bytes={first}-{last}", "Accept-Encoding": "identity"}
        try:
            response = ydl.urlopen(Request(part["url"], headers=wanted, proxies=proxies))
        except HTTPError as error:
            error.close()
            return Range(error.status, None, iter(()))
        except RequestError as error:
            raise OSError(str(error)) from None
        return Range(response.status, _total(response), _blocks(response))

    return read


def _blocks(response: Response) -> Iterator[bytes]:
    try:
        while block := response.read(BLOCK):
            yield block
    except RequestError as error:
        raise OSError(str(error)) from None
    finally:
        response.close()


def _total(response: Response) -> int | None:
    """Bytes of the whole file (RFC 9110, 14.4)."""
    stated = re.search(r"/(\d+)$", response.headers.get("Content-Range") or "")
    if stated:
        return int(stated[1])
    length = response.headers.get("Content-Length") or ""
    return int(length) if response.status == 200 and length.isdecimal() else None

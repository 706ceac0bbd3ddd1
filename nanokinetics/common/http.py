"""Reads files over HTTP, for everything but YouTube: proxies, certificates, redirects, retries.

A request is tried again while its failure may pass. A body that breaks off is the caller's matter:
only it knows how to go on (`Range`). No automatic decoding: the bytes are those that were sent.
"""

from __future__ import annotations

import contextlib
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import urllib3
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from urllib3.exceptions import HTTPError, LocationValueError

from nanokinetics.common.fetch_errors import (
    BrokenOffError,
    FetchError,
    is_about_trust,
    passes,
    why_of,
)
from nanokinetics.common.route import Route, connections

CONNECT: Final = 15.0
"""Seconds to connect."""

SILENCE: Final = 30.0
"""Seconds without a byte after which a connection is given up."""

REDIRECTS: Final = 5
PIECE: Final = 1 << 16

_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_PASSES: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that may pass."""


@dataclass(frozen=True, slots=True)
class Retries:
    """attempts: tries for each request. first_wait, longest_wait: seconds between them, growing."""

    attempts: int = 3
    first_wait: float = 1.0
    longest_wait: float = 15.0
    sleep: Callable[[float], None] = time.sleep

    def retrying(self, passes: Callable[[BaseException], bool]) -> Retrying:
        """Tries again after exceptions that pass."""
        return Retrying(
            retry=retry_if_exception(passes),
            wait=wait_random_exponential(multiplier=self.first_wait, max=self.longest_wait),
            stop=stop_after_attempt(self.attempts),
            sleep=self.sleep,
            reraise=True,
        )


class Answer:
    """An answer with status 200 or 206. Its body is read once."""

    def __init__(self, url: str, answer: Any) -> None:
        self.url = url
        """The address after all redirects."""
        self.status: int = answer.status
        self.headers: Mapping[str, str] = answer.headers
        self._answer = answer

    @property
    def length(self) -> int | None:
        """Bytes of the body, if the server says so."""
        text = self.headers.get("Content-Length") or ""
        return int(text) if text.isdecimal() else None

    def pieces(self) -> Iterator[bytes]:
        """The body. Raises BrokenOffError if it is shorter than promised."""
        try:
            yield from self._answer.stream(PIECE, decode_content=False)
        except (HTTPError, OSError) as error:
            raise BrokenOffError(why_of(error, body=True), passes=True) from None


class Client:
    """Asks servers on one route. Use it as a context manager: it keeps connections open."""

    def __init__(
        self,
        route: Route,
        retries: Retries | None = None,
        *,
        connect: float = CONNECT,
        silence: float = SILENCE,
    ) -> None:
        self._route = route
        self.retries = retries or Retries()
        self._timeout = urllib3.Timeout(connect=connect, read=silence)
        self._pools: dict[str, urllib3.PoolManager] = {}

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self._pools.values():
            pool.clear()

    @contextlib.contextmanager
    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[Answer]:
        """Ask for a file, and follow redirects.

        Raises FetchError for any status but 200 and 206.
        """
        retrying = self.retries.retrying(passes)
        answer = retrying(self._follow, url, dict(headers or {}))
        try:
            yield answer
        finally:
            answer._answer.close()  # noqa: SLF001 - the body may be left unread

    def _follow(self, url: str, headers: dict[str, str]) -> Answer:
        began_safe = urllib.parse.urlsplit(url).scheme == "https"
        for _ in range(REDIRECTS + 1):
            scheme = urllib.parse.urlsplit(url).scheme
            if scheme not in ("http", "https"):
                raise FetchError(f"leads to {scheme or 'no'}://, which is not followed")
            if began_safe and scheme != "https":
                raise FetchError("leads from https to http, which is not followed")
            answer = self._ask(url, headers)
            where = answer.headers.get("Location")
            if answer.status in (200, 206):
                return Answer(url, answer)
            answer.close()
            if answer.status not in _MOVED or not where:
                raise _refused(answer)
            url = urllib.parse.urljoin(url, where)
        raise FetchError(f"is redirected more than {REDIRECTS} times")

    def _ask(self, url: str, headers: dict[str, str]) -> Any:
        try:
            return self._pool(self._route.proxy(url)).request(
                "GET",
                url,
                headers={"User-Agent": "nanokinetics", "Accept-Encoding": "identity", **headers},
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=self._timeout,
            )
        except (LocationValueError, UnicodeError) as error:
            raise FetchError(f"is not an address: {error}") from None
        except (HTTPError, OSError) as error:
            raise FetchError(why_of(error), passes=not is_about_trust(error)) from None

    def _pool(self, proxy: str) -> urllib3.PoolManager:
        """The connections by way of a proxy, or without one."""
        if proxy not in self._pools:
            self._pools[proxy] = connections(self._route, proxy)
        return self._pools[proxy]


def _refused(answer: Any) -> FetchError:
    status = int(answer.status)
    return FetchError(
        f"answered {status} {answer.reason or ''}".rstrip(), status, passes=status in _PASSES
    )

"""Reads files over HTTP, for everything but YouTube: proxies, certificates, redirects, retries.

A request is tried again while its failure may pass. A body that breaks off is the caller's matter:
only it knows how to go on (`Range`). No automatic decoding: the bytes are those that were sent.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import urllib3
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from urllib3.exceptions import (
    HTTPError,
    InsecureRequestWarning,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
    TimeoutError,  # noqa: A004 - as urllib3 calls it
)

CONNECT: Final = 15.0
"""Seconds to connect."""

SILENCE: Final = 30.0
"""Seconds without a byte after which a connection is given up."""

REDIRECTS: Final = 5
PIECE: Final = 1 << 16

_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_PASSES: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that may pass."""

_ALIASES: Final = {"socks5": "socks5h", "socks": "socks4"}
"""Schemes of proxies that yt-dlp takes for others: the proxy resolves the names of hosts."""


class FetchError(Exception):
    """A server gave no usable answer. The text is one clause for a message.

    status: that of the answer, if there was one. passes: whether to ask again may help.
    """

    def __init__(self, why: str, status: int | None = None, *, passes: bool = False) -> None:
        super().__init__(why)
        self.status = status
        self.passes = passes


@dataclass(frozen=True, slots=True)
class Route:
    """The way to servers.

    proxies: URLs of proxies by the scheme of a request, or `all`; `no` lists hosts without one, as
    in `no_proxy`. verify: whether certificates are checked. ca_file: the trusted authorities as
    PEM; empty for those of the system.
    """

    proxies: Mapping[str, str] = field(default_factory=dict)
    verify: bool = True
    ca_file: str = ""

    def proxy(self, url: str) -> str:
        """The URL of the proxy for a request; empty for none."""
        parts = urllib.parse.urlsplit(url)
        named = self.proxies.get(parts.scheme) or self.proxies.get("all") or ""
        spared = urllib.request.proxy_bypass_environment(  # type: ignore[attr-defined]
            parts.netloc, {"no": self.proxies.get("no", "")}
        )
        if not named or spared:
            return ""
        scheme, _, rest = named.rpartition("://")
        scheme = scheme.lower() or "http"
        return f"{_ALIASES.get(scheme, scheme)}://{rest}"


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


class BrokenOffError(FetchError):
    """A body ended early. What came of it is good, and the rest may be asked for."""


def passes(error: BaseException) -> bool:
    """Whether to ask again may help."""
    return isinstance(error, FetchError) and error.passes


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
            raise BrokenOffError(_why(error, body=True), passes=True) from None


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
            raise FetchError(_why(error), passes=not _is_about_trust(error)) from None

    def _pool(self, proxy: str) -> urllib3.PoolManager:
        """The connections by way of a proxy, or without one."""
        if proxy not in self._pools:
            self._pools[proxy] = self._open(proxy)
        return self._pools[proxy]

    def _open(self, proxy: str) -> urllib3.PoolManager:
        tls = _tls(self._route)
        options: dict[str, Any] = {"ssl_context": tls}
        if not self._route.verify:
            urllib3.disable_warnings(InsecureRequestWarning)  # the user has asked for it
            options["cert_reqs"] = ssl.CERT_NONE
        if not proxy:
            return urllib3.PoolManager(**options)
        if proxy.startswith("socks"):
            if not importlib.util.find_spec("socks"):
                raise FetchError("a SOCKS proxy needs PySocks; pip install 'urllib3[socks]'")
            from urllib3.contrib.socks import SOCKSProxyManager

            return SOCKSProxyManager(proxy, **options)
        if not proxy.startswith(("http://", "https://")):
            raise FetchError(f"the proxy is {proxy.partition(':')[0]}://; HTTP and SOCKS are known")
        parts = urllib.parse.urlsplit(proxy)
        if parts.username is not None:
            login = ":".join(
                urllib.parse.unquote(part or "") for part in (parts.username, parts.password)
            )
            options["proxy_headers"] = urllib3.make_headers(proxy_basic_auth=login)
        return urllib3.ProxyManager(proxy, proxy_ssl_context=tls, **options)


def _tls(route: Route) -> ssl.SSLContext:
    """Raises FetchError if the file of authorities cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not route.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        if route.ca_file:
            context.load_verify_locations(route.ca_file)
        else:
            context.load_default_certs()
    except OSError as error:
        why = error.strerror or error
        raise FetchError(f"the certificates of {route.ca_file} cannot be read: {why}") from None
    return context


def _refused(answer: Any) -> FetchError:
    status = int(answer.status)
    return FetchError(
        f"answered {status} {answer.reason or ''}".rstrip(), status, passes=status in _PASSES
    )


_WORDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (NameResolutionError, "no network, or no host of that name"),
    (ReadTimeoutError, "no answer in time"),
    (NewConnectionError, "cannot be reached"),
    (TimeoutError, "no answer in time"),
)


def _why(error: BaseException, *, body: bool = False) -> str:
    inner = getattr(error, "original_error", None)
    if isinstance(error, ProxyError):
        what = _why(inner) if isinstance(inner, HTTPError) else f"{inner or error}"
        return f"the proxy: {what}"
    if _is_about_trust(error):
        return f"its certificate is not trusted here ({_innermost(error)})"
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    return f"{'broke off' if body else 'the connection failed'} ({_innermost(error)})"


def _is_about_trust(error: BaseException) -> bool:
    return isinstance(error, SSLError | ssl.SSLError) and "certificate" in str(error).lower()


def _innermost(error: BaseException) -> str:
    text = str(error.args[-1] if error.args else error)
    return re.sub(r"^\[[^]]*\] |\s*\(_ssl\.c:\d+\)", "", text) or type(error).__name__

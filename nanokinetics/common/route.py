"""The way to servers: proxies, and the certificates that are trusted."""

from __future__ import annotations

import importlib.util
import ssl
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import urllib3
from urllib3.exceptions import InsecureRequestWarning

from nanokinetics.common.fetch_errors import FetchError

_ALIASES: Final = {"socks5": "socks5h", "socks": "socks4"}
"""Schemes of proxies that yt-dlp takes for others: the proxy resolves the names of hosts."""


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


def connections(route: Route, proxy: str) -> urllib3.PoolManager:
    """The connections by way of a proxy, or without one if it is empty.

    Raises FetchError for a proxy, or a file of authorities, that cannot be used.
    """
    tls = _tls(route)
    options: dict[str, Any] = {"ssl_context": tls}
    if not route.verify:
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

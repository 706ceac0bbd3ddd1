"""The address by which a site sees the requests of a run: runs with one address share a budget."""

from __future__ import annotations

import contextlib
import shlex
import urllib.request
from argparse import ArgumentError, ArgumentParser
from urllib.parse import urlsplit

from nanokinetics.config import NetworkConfig


def address_of(host: str, network: NetworkConfig) -> str:
    """The host that is asked, and the proxy without its password: `HOST by PROXY`.

    The proxy is that of `--proxy`, of `--yt-dlp-args` or of the environment, in this order.
    """
    given = _given(network.yt_dlp_args)
    proxy = given.get("proxy") if network.proxy is None else network.proxy
    if proxy is None:
        proxy = urllib.request.getproxies().get("https")
    ways = [_without_password(proxy) if proxy else "", given.get("source_address") or ""]
    return " by ".join([host, *filter(None, ways)])


def _given(yt_dlp_args: str) -> dict[str, str | None]:
    """The options of yt-dlp that decide the address. yt-dlp itself would take long to import."""
    parser = ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--proxy")
    parser.add_argument("--source-address")
    with contextlib.suppress(
        ArgumentError, ValueError
    ):  # yt-dlp refuses bad options in its own words
        return vars(parser.parse_known_args(shlex.split(yt_dlp_args))[0])
    return {}


def _without_password(proxy: str) -> str:
    """The user stays: providers give each user another address."""
    with contextlib.suppress(ValueError):
        url = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        return f"{url.username or ''}@{url.hostname}:{url.port}"
    return ""

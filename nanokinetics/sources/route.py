"""The route of a run as yt-dlp would take it: its proxies, and the certificates that it trusts."""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import Mapping
from typing import Any, Final

import certifi

from nanokinetics.common.route import Route
from nanokinetics.config import NetworkConfig

VARIABLE: Final = "SSL_CERT_FILE"
"""The variable of the environment that names a file of trusted authorities, as OpenSSL reads it."""


def route_of(network: NetworkConfig, environment: Mapping[str, str]) -> Route:
    """The route for these options. Raises InputError for options that yt-dlp does not know.

    The proxy is `proxy`, or that of `yt_dlp_args`, or the environment's. An empty text is none.
    """
    params: dict[str, Any] = {}
    if network.yt_dlp_args.strip():  # yt-dlp takes long to import
        from nanokinetics.sources.ytdlp_options import parse_yt_dlp_args

        params = parse_yt_dlp_args(network.yt_dlp_args)
    named = params.get("proxy") if network.proxy is None else network.proxy
    return Route(
        proxies=urllib.request.getproxies() if named is None else {"all": named},
        verify=not params.get("nocheckcertificate"),
        ca_file=ca_file(params, environment),
    )


def ca_file(params: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """The file of authorities that yt-dlp trusts with these parameters; empty for the system's.

    `SSL_CERT_FILE` counts if it is set: see `trusting`. Else it is certifi's file, unless yt-dlp's
    compatibility option `no-certifi` asks for the system's.
    """
    own = environment.get(VARIABLE)
    if own:
        return own
    if "no-certifi" in params.get("compat_opts", ()):
        return ssl.get_default_verify_paths().cafile or ""
    return str(certifi.where())


def trusting(params: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of yt-dlp with which `SSL_CERT_FILE` counts if it is set.

    yt-dlp alone would ignore it, since certifi is installed; most other programs obey it.
    """
    if not environment.get(VARIABLE):
        return dict(params)
    return {**params, "compat_opts": {*params.get("compat_opts", ()), "no-certifi"}}

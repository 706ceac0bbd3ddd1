"""The route of small files is the one that yt-dlp takes with the same options."""

from __future__ import annotations

from pathlib import Path

import certifi
import pytest
import yt_dlp

from nanokinetics.config import NetworkConfig
from nanokinetics.errors import InputError
from nanokinetics.sources.route import ca_file, route_of, trusting

PROXY = "http://127.0.0.1:3128"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("options", "proxy"),
    [
        ({}, "http://of.environment:1"),
        ({"proxy": PROXY}, PROXY),
        ({"proxy": ""}, ""),
        ({"yt_dlp_args": f"--proxy {PROXY}"}, PROXY),
        ({"yt_dlp_args": "--proxy ''"}, ""),
        ({"yt_dlp_args": "--proxy http://other:1", "proxy": PROXY}, PROXY),
        ({"proxy": "socks5://127.0.0.1:9"}, "socks5h://127.0.0.1:9"),
    ],
)
def test_the_proxy_is_the_nearest_that_is_named(options, proxy: str, monkeypatch) -> None:
    monkeypatch.setenv("https_proxy", "of.environment:1")
    assert route_of(NetworkConfig(**options), {}).proxy("https://a.test/x") == proxy


def test_a_host_of_no_proxy_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", PROXY)
    monkeypatch.setenv("no_proxy", ".a.test")
    route = route_of(NetworkConfig(), {})
    assert route.proxy("https://www.a.test/x") == ""
    assert route.proxy("https://b.test/x") == PROXY
    assert route.proxy("http://b.test/x") == ""


@pytest.mark.parametrize(
    ("args", "environment", "verify", "file"),
    [
        ("", {}, True, certifi.where()),
        ("--no-check-certificates", {}, False, certifi.where()),
        ("", {"SSL_CERT_FILE": "/own.pem"}, True, "/own.pem"),
        ("", {"SSL_CERT_FILE": ""}, True, certifi.where()),
        ("--compat-options no-certifi", {"SSL_CERT_FILE": "/own.pem"}, True, "/own.pem"),
    ],
)
def test_the_certificates_are_those_of_the_build(args, environment, verify, file) -> None:
    route = route_of(NetworkConfig(yt_dlp_args=args), environment)
    assert (route.verify, route.ca_file) == (verify, file)


def test_the_file_of_the_environment_counts_for_yt_dlp_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"SSL_CERT_FILE": "/own.pem"}
    params = trusting({"compat_opts": {"no-youtube-channel-redirect"}}, environment)
    assert params["compat_opts"] == {"no-youtube-channel-redirect", "no-certifi"}
    assert ca_file(params, environment) == "/own.pem"
    assert trusting({"a": 1}, {}) == {"a": 1}
    with yt_dlp.YoutubeDL({**params, "quiet": True}) as ydl:
        assert "no-certifi" in ydl.params["compat_opts"]


def test_options_that_yt_dlp_does_not_know_are_refused() -> None:
    with pytest.raises(InputError, match="--yt-dlp-args '--nonsense'"):
        route_of(NetworkConfig(yt_dlp_args="--nonsense"), {})

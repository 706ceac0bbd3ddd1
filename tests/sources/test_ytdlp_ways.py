"""Which way the bytes go: ffmpeg goes it if it can, else yt-dlp reads for it."""

from __future__ import annotations

import os
from typing import Any

import pytest
import yt_dlp
from yt_dlp.utils.networking import std_headers

from nanokinetics.clips.ffmpeg import environment
from nanokinetics.sources.stream import Stream
from nanokinetics.sources.ytdlp_options import parse_yt_dlp_args
from nanokinetics.sources.ytdlp_ways import Ways

PART: dict[str, Any] = {
    "url": "https://rr1.googlevideo.com/videoplayback",
    "http_headers": dict(std_headers),
    "vcodec": "avc1",
    "acodec": "none",
}


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


def _streams(args: str, *parts: dict[str, Any]) -> tuple[Stream, ...]:
    params = {"socket_timeout": 15, "quiet": True, **parse_yt_dlp_args(args)}
    with yt_dlp.YoutubeDL(params) as ydl:
        return Ways(params).streams(ydl, parts or (PART,))


@pytest.mark.parametrize(
    ("args", "proxy"),
    [
        ("", ""),
        ("--proxy http://u:p@h:1", "http://u:p@h:1"),
        ("--proxy h:1", "http://h:1"),
        ('--proxy ""', ""),
        ("--user-agent Other", ""),
        ("--no-check-certificates", ""),
    ],
)
def test_ffmpeg_goes_itself(args, proxy):
    (stream,) = _streams(args)
    assert (stream.proxy, stream.read) == (proxy, None)


@pytest.mark.parametrize(
    "args",
    [
        "--proxy socks5://h:1",
        "--proxy socks4a://h:1",
        "--proxy https://h:1",
        "--source-address 127.0.0.2",
        "-4",
        "--force-ipv6",
        "--client-certificate cert.pem",
        "--legacy-server-connect",
    ],
)
def test_yt_dlp_reads_what_ffmpeg_cannot(args):
    (stream,) = _streams(args)
    assert stream.proxy == ""
    assert stream.read is not None


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-Forwarded-For", "Referer"])
def test_yt_dlp_sends_the_headers_that_arguments_would_show(name):
    part = {**PART, "http_headers": {**PART["http_headers"], name: "a secret"}}
    (stream,) = _streams("", part)
    assert stream.read is not None


@pytest.mark.parametrize(
    ("variables", "proxy", "direct"),
    [
        ({"http_proxy": "http://h:1"}, "http://h:1", True),
        ({"https_proxy": "h:1"}, "http://h:1", True),
        ({"https_proxy": "http://h:1", "no_proxy": "googlevideo.com"}, "", True),
        ({"https_proxy": "http://h:1", "no_proxy": "*"}, "", True),
        ({"ALL_PROXY": "socks5://h:1"}, "", False),
    ],
)
def test_without_an_option_the_environment_counts(monkeypatch, variables, proxy, direct):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (stream,) = _streams("")
    assert (stream.proxy, stream.read is None) == (proxy, direct)
    for option in ("--proxy http://other:2", '--proxy ""'):
        (stream,) = _streams(option)
        assert stream.read is None
        assert stream.proxy == ("http://other:2" if "other" in option else "")


def test_all_inputs_of_one_ffmpeg_go_one_way(monkeypatch):
    """It has one proxy for all of them."""
    monkeypatch.setenv("https_proxy", "http://h:1")
    monkeypatch.setenv("no_proxy", "rr1.googlevideo.com")
    other = {**PART, "url": "https://rr2.googlevideo.com/videoplayback"}
    assert all(stream.read for stream in _streams("", PART, other))
    assert not any(stream.read for stream in _streams("", other, other))


def test_ffmpeg_is_told_of_one_proxy_and_no_other(monkeypatch):
    for name in ("http_proxy", "HTTPS_PROXY", "no_proxy", "ALL_PROXY", "FFREPORT"):
        monkeypatch.setenv(name, "something")
    told = {k: v for k, v in environment("http://h:1").items() if v == "something" or "prox" in k}
    assert told == {"http_proxy": "http://h:1"}
    assert "http_proxy" not in environment()
    assert environment()["PATH"] == os.environ["PATH"]

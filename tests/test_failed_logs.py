"""Logs hold everything but secrets."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nanokinetics.clip import Clip, Failed
from nanokinetics.errors import Failure, Reason
from nanokinetics.failed_logs import FailedLogs, mask

SECRET = "S3cr3t"  # noqa: S105 - a stand-in for one

LEAKS = {
    "signature of a URL": "https://h/videoplayback?expire=1&sig=S3cr3t&itag=18",
    "its long form": "https://h/videoplayback?signature=S3cr3t",
    "lsig": "https://h/videoplayback?a=1&lsig=S3cr3t&b=2",
    "the asker's address": "https://h/videoplayback?ip=S3cr3t&id=1",
    "a token": "https://h/videoplayback?pot=S3cr3t",
    "n": "https://h/videoplayback?n=S3cr3t&itag=18",
    "signature as a part of the path": "https://h/api/manifest/hls/sig/S3cr3t/itag/96/index.m3u8",
    "address as a part of the path": "https://h/api/manifest/hls/ip/S3cr3t/itag/96/index.m3u8",
    "Cookie header": "Cookie: SID=S3cr3t",
    "Cookie header, not the first": "Cookie: a=b; HSID=S3cr3t; c=d",
    "Cookie header in small letters": "cookie: SID=S3cr3t",
    "Set-Cookie header": "Set-Cookie: SID=S3cr3t; Path=/; Secure",
    "Authorization header": "Authorization: Bearer S3cr3t",
    "SAPISIDHASH": "Authorization: SAPISIDHASH 1735689600_S3cr3t",
    "Proxy-Authorization header": "Proxy-Authorization: Basic S3cr3t",
    "a proxy's password": "[debug] Proxy map: {'all': 'http://user:S3cr3t@10.0.0.1:8080'}",
    "a proxy's user": "socks5h://S3cr3t:x@10.0.0.1:1080",
    "a proxy's password with an at sign": "http://user:p@S3cr3t@10.0.0.1:8080",
}


@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS.keys())
def test_a_secret_never_survives(text: str) -> None:
    assert SECRET not in mask(f"before\n{text}\nafter")


@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS.keys())
def test_what_stands_around_a_secret_does(text: str) -> None:
    masked = mask(f"before\n{text}\nafter")
    assert masked.startswith("before\n")
    assert masked.endswith("\nafter")
    assert "***" in masked


@pytest.mark.parametrize(
    "text",
    [
        "ERROR: [youtube] -bcdefghijk: Private video. Sign in if you've been granted access",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://h/videoplayback?expire=1&itag=18&dur=10.0",
        "[AVIOContext @ 0x55] Statistics: 1400429 bytes read, 3 seeks",
        "Duration: 00:04:00.00, start: 0.000000, bitrate: 667 kb/s",
        "frame=  300 fps=0.0 q=-1.0",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask(text) == text


values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)


def logged(option: str, value: str) -> str:
    """A command as `media` writes it down."""
    argv = ["ffmpeg", "-ss", "10", option, value, "-i", "https://h/v?itag=18", "/t/1.mp4"]
    return f"$ {subprocess.list2cmdline(argv)}\nbench: utime=1s\n"


@given(before=values, after=values)
def test_cookies_on_ffmpegs_command_line_never_survive(before: str, after: str) -> None:
    cookies = f"A={before}; path=/; domain=.x;\nSID={before}{SECRET}{after}; path=/; domain=.x;"
    assert SECRET not in mask(logged("-cookies", cookies))


@given(before=values, after=values)
def test_headers_on_ffmpegs_command_line_never_survive(before: str, after: str) -> None:
    headers = f'Accept: */*\r\nSec-CH-UA: "Chromium"\r\nX-Token: {before}{SECRET}{after}\r\n'
    assert SECRET not in mask(logged("-headers", headers))


@pytest.mark.parametrize("option", ["-headers", "-cookies"])
def test_plain_values_on_ffmpegs_command_line_never_survive(option: str) -> None:
    assert SECRET not in mask(logged(option, f"A: b\r\nX-Token: {SECRET}\r\nC: d\r\n"))
    assert SECRET not in mask(logged(option, f"X={SECRET}"))


@pytest.mark.parametrize("proxy", ["http://user:S3cr3t@10.0.0.1:8080", "http://S3cr3t@h:1"])
def test_a_proxy_on_ffmpegs_command_line_never_survives(proxy: str) -> None:
    assert SECRET not in mask(logged("-http_proxy", proxy))


def test_the_rest_of_ffmpegs_command_line_survives() -> None:
    masked = mask(logged("-cookies", "SID=S3cr3t; path=/; domain=.x;"))
    assert masked.startswith("$ ffmpeg -ss 10 -cookies ")
    assert "-i https://h/v?itag=18 /t/1.mp4" in masked
    assert "bench: utime=1s" in masked


CLIP = Clip("-video00000_000010_000020", "train", 'a "b", c', "-video00000", 10.0, 20.0)


def failed(log: str) -> Failed:
    return Failed(CLIP, Failure(Reason.TIMEOUT, "too slow, said http://u:S3cr3t@h"), log=log)


def test_each_attempt_is_appended_to_the_log_of_its_clip(tmp_path: Path) -> None:
    logs = FailedLogs(tmp_path / "new" / "failed_logs")
    logs.write(failed("first\nCookie: SID=S3cr3t"), "2026-01-01T12:00:00Z")
    path = logs.write(failed("second \ud83d half a pair"), "2026-01-01T13:00:00Z")
    assert Path(path) == tmp_path / "new" / "failed_logs" / "-video00000_000010_000020.log"
    text = Path(path).read_text(encoding="utf-8")
    assert text.index("first") < text.index("second")
    assert '=== 2026-01-01T12:00:00Z train/a "b", c: timeout (transient)' in text
    assert SECRET not in text


def test_no_folder_is_made_before_something_fails(tmp_path: Path) -> None:
    FailedLogs(tmp_path / "failed_logs")
    assert list(tmp_path.iterdir()) == []

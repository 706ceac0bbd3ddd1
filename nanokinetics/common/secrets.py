"""Mask secrets: cookies, passwords, and the signed parts of URLs."""

from __future__ import annotations

import re
from typing import Final

_SECRETS: Final = (
    # Signed URLs: anyone can use one, and it holds the IP address of the client.
    (re.compile(r"(?<=[?&/])(sig|lsig|signature|ip|n|pot|spc)([=/])[^&\s/\"']+"), r"\1\2***"),
    # Cookies, headers and proxies on ffmpeg's command line; headers in yt-dlp's output.
    (
        re.compile(r"( -(?:cookies|headers|http_proxy)) (\"(?:[^\"\\]|\\.)*\"|\S+)", re.DOTALL),
        r"\1 ***",
    ),
    (re.compile(r"((?:Set-)?Cookie|Authorization)[\"']?:[^\n]+", re.IGNORECASE), r"\1: ***"),
    # The same in a URL inside a URL, and passwords among the options of yt-dlp.
    (
        re.compile(r"(%26|%3F)(sig|lsig|signature|ip|n|pot|spc)%3D(?:(?!%26)[^&\s\"'])+"),
        r"\1\2%3D***",
    ),
    (re.compile(r"(--(?:\w+-)?password[= ]|po_token=)[^\s\"']+"), r"\1***"),
    # Credentials in a URL, such as that of a proxy.
    (re.compile(r"\b(\w+://)[^/\s]+@"), r"\1***@"),
)


def mask(text: str) -> str:
    """The text without cookies, passwords, and the signed parts of URLs."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text

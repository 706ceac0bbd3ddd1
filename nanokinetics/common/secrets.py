"""What must not be told: cookies, passwords, and the signed parts of addresses."""

from __future__ import annotations

import re
from typing import Final

_SECRETS: Final = (
    # Signed addresses: whoever has one can use it, and it holds the asker's IP address.
    (re.compile(r"(?<=[?&/])(sig|lsig|signature|ip|n|pot|spc)([=/])[^&\s/\"']+"), r"\1\2***"),
    # Cookies, headers and proxies on ffmpeg's command line; headers in yt-dlp's words.
    (
        re.compile(r"( -(?:cookies|headers|http_proxy)) (\"(?:[^\"\\]|\\.)*\"|\S+)", re.DOTALL),
        r"\1 ***",
    ),
    (re.compile(r"((?:Set-)?Cookie|Authorization)[\"']?:[^\n]+", re.IGNORECASE), r"\1: ***"),
    # The same in an address within an address, and what is given to yt-dlp as an option.
    (
        re.compile(r"(%26|%3F)(sig|lsig|signature|ip|n|pot|spc)%3D(?:(?!%26)[^&\s\"'])+"),
        r"\1\2%3D***",
    ),
    (re.compile(r"(--(?:\w+-)?password[= ]|po_token=)[^\s\"']+"), r"\1***"),
    # Credentials within an address, such as a proxy's.
    (re.compile(r"\b(\w+://)[^/\s]+@"), r"\1***@"),
)


def mask(text: str) -> str:
    """The text without cookies, passwords, and the signed parts of addresses."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text

"""The complete output of failed attempts, a file a clip, with secrets masked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from .clip import Failed

_SECRETS: Final = (
    # Signed addresses: whoever has one can use it, and it holds the asker's IP address.
    (re.compile(r"(?<=[?&/])(sig|lsig|signature|ip|n|pot|spc)([=/])[^&\s/\"']+"), r"\1\2***"),
    # Cookies, headers and proxies on ffmpeg's command line; headers in yt-dlp's words.
    (
        re.compile(r"( -(?:cookies|headers|http_proxy)) (\"(?:[^\"\\]|\\.)*\"|\S+)", re.DOTALL),
        r"\1 ***",
    ),
    (re.compile(r"((?:Set-)?Cookie|Authorization):[^\n]+", re.IGNORECASE), r"\1: ***"),
    # Credentials within an address, such as a proxy's.
    (re.compile(r"(\w+://)[^/\s]+@"), r"\1***@"),
)


def mask(text: str) -> str:
    """The text without cookies, passwords, and the signed parts of addresses."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


class FailedLogs:
    """A folder of logs, made when the first is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, failed: Failed, at: str) -> str:
        """Append an attempt's output to the clip's log; its path. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{failed.clip.key}.log"
        failure = failed.failure
        head = (
            f"=== {at} {failed.clip.split}/{failed.clip.label}: {failure.reason} ({failure.kind})"
        )
        text = f"{head}\n{failure.message}\n\n{failed.log.rstrip()}\n\n"
        with path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(mask(text))
        return str(path)

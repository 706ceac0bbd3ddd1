"""The complete output of failed attempts, a file a clip, with secrets masked."""

from __future__ import annotations

import contextlib
import os
import re
import stat
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


LARGEST_FOLDER: Final = 256 * 2**20
"""Bytes that the folder may hold: a failure of three attempts leaves some 20 kB, so about 10,000 of
them. When it is full, the oldest logs make room."""

LARGEST_ENTRY: Final = 2**20
"""Bytes of one failure's output; of more, the beginning and the end are kept."""

_OPENING: Final = "=== "
"""How each log begins; a file that does not is somebody else's, and is left alone."""


class FailedLogs:
    """A folder of logs, made when the first is written, that does not grow beyond its bounds.

    The log that is being written is always kept, and files of others are never removed.
    """

    def __init__(self, folder: Path, largest: int = LARGEST_FOLDER) -> None:
        self._folder = folder
        self._largest = largest
        self._held: int | None = None

    def write(self, failed: Failed, at: str) -> str:
        """Append an attempt's output to the clip's log; its path. Raises OSError that names it."""
        path = self._folder / f"{failed.clip.key.replace('/', '_')}.log"
        try:
            self._append(path, failed, at)
        except OSError as error:  # one of writing does not say where
            raise OSError(error.errno, error.strerror, error.filename or str(path)) from None
        return str(path)

    def _append(self, path: Path, failed: Failed, at: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        failure = failed.failure
        head = (
            f"{_OPENING}{at} {failed.clip.split}/{failed.clip.label}: "
            f"{failure.reason} ({failure.kind})"
        )
        text = mask(f"{head}\n{failure.message}\n\n{failed.log.rstrip()}\n\n")
        data = _shortened(text.encode("utf-8", errors="replace"))
        if self._held is None:
            self._held = sum(status.st_size for status, _ in self._logs())
        if self._held + len(data) > self._largest:
            self._held = self._make_room(len(data), path)
        with path.open("ab") as file:
            file.write(data)
        self._held += len(data)

    def _make_room(self, needed: int, spared: Path) -> int:
        """Remove the oldest logs until a tenth of the room is free; the bytes that are left."""
        found = sorted(self._logs(), key=lambda each: each[0].st_mtime_ns)
        held = sum(status.st_size for status, _ in found)
        for status, entry in found:
            if held + needed <= 0.9 * self._largest:
                break
            if entry != spared and _is_ours(entry):
                entry.unlink(missing_ok=True)
                held -= status.st_size
        return held

    def _logs(self) -> list[tuple[os.stat_result, Path]]:
        """All plain files that may be logs. Another build may remove some at the same time."""
        found = []
        for entry in self._folder.glob("*.log"):
            with contextlib.suppress(OSError):
                status = entry.lstat()
                if stat.S_ISREG(status.st_mode):
                    found.append((status, entry))
        return found


def _shortened(data: bytes) -> bytes:
    if len(data) <= LARGEST_ENTRY:
        return data
    half = LARGEST_ENTRY // 2
    left_out = b"\n[... %d bytes are left out ...]\n" % (len(data) - 2 * half)
    return data[:half] + left_out + data[-half:]


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_OPENING)) == _OPENING.encode()
    except OSError:
        return False

"""Logs of failed attempts: one file for each clip, with the complete output, secrets masked."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

from nanokinetics.clip import Failed
from nanokinetics.common.secrets import mask

LARGEST_FOLDER: Final = 256 * 2**20
"""Largest size of the folder in bytes. Three failed attempts write about 20 kB, so it holds about
10,000 failures. When it is full, the oldest logs are removed."""

LARGEST_ENTRY: Final = 2**20
"""Largest output of one failure in bytes. Of a longer output the beginning and the end are kept."""

_OPENING: Final = "=== "
"""The first bytes of every log. Files with another beginning are not logs of this program; they are
never removed."""


class FailedLogs:
    """A folder of logs with a largest size. The first log makes the folder.

    The log that is being written is always kept, and files of other programs are never removed.
    """

    def __init__(self, folder: Path, largest: int = LARGEST_FOLDER) -> None:
        self._folder = folder
        self._largest = largest
        self._held: int | None = None

    def write(self, failed: Failed, at: str) -> str:
        """Append the output of an attempt to the clip's log; returns the path of the log.

        Raises OSError that names the log.
        """
        path = self._folder / f"{failed.clip.key.replace('/', '_')}.log"
        try:
            self._append(path, failed, at)
        except OSError as error:  # an error of `write` does not name the file
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
        """Remove the oldest logs until a tenth of the folder is free; returns the bytes left.

        needed: bytes of the next log. spared: a log that is kept in any case.
        """
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
        """All plain files that may be logs. Another build may remove some of them at any time."""
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

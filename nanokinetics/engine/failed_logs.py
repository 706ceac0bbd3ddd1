"""Logs of failed attempts: one file for each clip, with the complete output.

Secrets are masked, and what acts on a terminal is escaped.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from nanokinetics.clip import Failed
from nanokinetics.common.folder import Folder
from nanokinetics.common.secrets import mask
from nanokinetics.common.text import plain_lines
from nanokinetics.errors import EnvironmentFault

LARGEST_FOLDER: Final = 256 * 2**20
"""Largest size of the folder in bytes. Three failed attempts write about 20 kB, so it holds about
10,000 failures. When it is full, the oldest logs are removed."""

LARGEST_ENTRY: Final = 2**20
"""Largest output of one failure in bytes. Of a longer output the beginning and the end are kept."""

_OPENING: Final = "=== "
"""The first bytes of every log. Files with another beginning are not logs of this program; they are
never removed."""

_LONGEST: Final = 251
"""Bytes of a name without `.log`: file systems grant 255."""

_APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK
"""Without waiting for a reader, in case that a pipe was planted under the name of a log."""


class FailedLogs:
    """The logs of a dataset, with a largest size in all. The first log makes the folder.

    own: whether the folder belongs to the dataset: `DEST-failed_logs`. A dataset may have been
    handed over, so its folder may not be a link.

    The log that is being written is always kept, and files of other programs are never removed.
    """

    def __init__(self, folder: Path, largest: int = LARGEST_FOLDER, *, own: bool = False) -> None:
        self._folder = folder
        # Paths relative to a `Folder` lead through no link; the folder itself may be one.
        self._home = Folder(folder.parent if own else folder)
        self._below = f"{folder.name}/" if own else ""
        self._largest = largest
        self._held: int | None = None

    def check(self) -> None:
        """Raises EnvironmentFault if no log can be written. Nothing stays behind."""
        folder = self._folder
        lacking = [each for each in (folder, *folder.parents) if not each.exists()]
        try:
            if self._below:
                self._home.refuse_links([folder.name])
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            why = f"logs of failed attempts cannot be written to {folder}: {error.strerror}"
            raise EnvironmentFault(f"{why}; name another folder with --failed-logs DIR") from None
        finally:
            for each in lacking:
                with contextlib.suppress(OSError):  # it was not made, or another run uses it
                    each.rmdir()

    def write(self, failed: Failed, at: str) -> str:
        """Append the output of an attempt to the clip's log; returns the path of the log.

        Raises OSError that names the log.
        """
        path = self._folder / f"{_stem(failed.clip.key)}.log"
        try:
            self._append(path, failed, at)
        except OSError as error:  # an error of `write` does not name the file
            raise OSError(error.errno, error.strerror, error.filename or str(path)) from None
        return str(path)

    def _append(self, path: Path, failed: Failed, at: str) -> None:
        if not self._below:
            self._folder.mkdir(parents=True, exist_ok=True)
        else:
            self._home.make(self._folder.name)
        failure = failed.failure
        head = (
            f"{_OPENING}{at} {failed.clip.split}/{failed.clip.label}: "
            f"{failure.reason} ({failure.kind})"
        )
        text = mask(f"{head}\n{failure.message}\n\n{failed.log.rstrip()}\n\n")
        # A log is read on a terminal, and a site or a file may have written any of it.
        data = _shortened(plain_lines(text.split("\n")).encode("utf-8", errors="replace"))
        if self._held is None:
            self._held = sum(status.st_size for status, _ in self._logs())
        if self._held + len(data) > self._largest:
            self._held = self._make_room(len(data), path)
        with os.fdopen(self._home.open(f"{self._below}{path.name}", _APPEND), "ab") as file:
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
                self._home.remove(f"{self._below}{entry.name}")
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


def _stem(key: str) -> str:
    """The name of a log without its suffix: as long as a file system grants."""
    name = key.replace("/", "_").encode()
    if len(name) <= _LONGEST:
        return name.decode()
    digest = hashlib.sha256(name).hexdigest()[:16]
    return f"{name[: _LONGEST - 17].decode(errors='ignore')}-{digest}"


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

"""What it means that a file of a local source cannot be read: it is gone, or the source is away."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nanokinetics.errors import Failure, Reason
from nanokinetics.sources.walk import identity_of

_MISSING: Final = frozenset({errno.ENOENT, errno.ENOTDIR})

NOT_ALLOWED: Final = frozenset({errno.EACCES, errno.EPERM})
"""Errors that do not pass by themselves."""


@contextlib.contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Name the file in an error of reading it: an error of an open file does not name it."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


@dataclass(frozen=True)
class Root:
    """The folder of a source. identity: its device and inode when it was scanned, if known."""

    path: str
    identity: tuple[int, int] | None = None

    def is_away(self) -> bool:
        """Whether the folder is gone, or another one has its name, such as an empty mount point."""
        try:
            now = identity_of(self.path)
        except OSError:
            return True
        return self.identity is not None and now != self.identity

    def failure(self, path: str, error: OSError) -> Failure:
        """The failure that an error means for the clip of the file at this path.

        A file is gone only if all else is well: the source is there, and so is the folder of the
        file with something in it. Else nothing is known of the clip, and it waits.
        """
        if error.errno in _MISSING and self._lacks(path):
            return Failure(Reason.NOT_FOUND, f"{path} is no longer in the source")
        why = error.strerror or str(error)
        return Failure(Reason.SOURCE_AWAY, f"{path}: {why}")

    def _lacks(self, path: str) -> bool:
        """Whether only this file is gone."""
        if self.is_away() or os.path.lexists(path):  # a link to nothing: its target may be away
            return False
        try:
            with os.scandir(os.path.dirname(path)) as entries:  # noqa: PTH120
                return any(True for _ in entries)
        except OSError:
            return False

"""The folder of a dataset. One run at a time holds it, and checks that it stays the same folder.

All changes of a dataset go through the methods of `Home` and `Folder`.
"""

from __future__ import annotations

import fcntl
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from nanokinetics.common.folder import Folder
from nanokinetics.common.moments import moment
from nanokinetics.errors import Busy, EnvironmentFault, InputError
from nanokinetics.layout import HOLDER, LOCK

_LONGEST: Final = 200
"""Characters of a note that are read, at most: somebody else may have written it."""


class Home(Folder):
    """A dataset's folder. It must not be unmounted, moved or removed while a run holds it.

    If a disk is unmounted from a folder, files would silently go to the disk below. `check` guards
    against this.
    """

    def __init__(self, folder: Path, wall: Callable[[], float] = time.time) -> None:
        super().__init__(folder)
        self._wall = wall
        self._lock = FileLock(self.place(LOCK), timeout=0)
        self._at_first: tuple[int, int] | None = None

    def hold(self) -> None:
        """Make the folder if it is missing, and keep other runs out until `close`.

        Raises InputError if the path is a file, and Busy if another run holds the folder.
        """
        if self._lock.is_locked:
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise InputError(f"{self.path} is a file; name a folder with --dest") from None
        try:
            self._lock.acquire()
        except Timeout:
            raise Busy(
                f"another run is at work in {self.path}{self._holder()}; run the same command when "
                "that has ended"
            ) from None
        self._at_first = self.identity
        who = f"process {os.getpid()} on {platform.node()}, since {moment(self._wall())}"
        with suppress(OSError):  # of a full disk: the note is for people only
            self.write(HOLDER, f"{who}\n".encode())

    def _holder(self) -> str:
        """Who holds the folder and since when, in brackets; empty if that cannot be read."""
        try:
            with self.place(HOLDER).open(encoding="utf-8", errors="replace") as file:
                return f" ({' '.join(file.read(_LONGEST).split())})"
        except OSError:
            return ""

    @property
    def is_busy(self) -> bool:
        """Whether another run holds the folder. The check changes nothing."""
        try:
            # A FileLock would empty the file anew, and what is no file might keep us waiting.
            lock = os.open(self.place(LOCK), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:  # there is none, or no build can run here
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # the file system has no locks
            return False
        finally:
            os.close(lock)
        return False

    @property
    def is_there(self) -> bool:
        """Whether this is still the folder that `hold` found first."""
        return self._at_first is not None and self.identity == self._at_first

    def check(self) -> None:
        """Raises EnvironmentFault unless this is still the folder that `hold` found first."""
        if not self.is_there:
            raise EnvironmentFault(
                f"{self.path} is not the folder it was at the start; was it unmounted or moved? "
                "See to that and run the same command again"
            )

    def close(self) -> None:
        """Let other runs in."""
        if self._lock.is_locked and self.is_there:
            with suppress(OSError):  # of a disk that is away; the next run writes its own note
                self.remove(HOLDER)
        self._lock.release()

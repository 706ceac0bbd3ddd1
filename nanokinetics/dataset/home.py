"""The place of a dataset: held by one run at a time, and the same folder throughout.

What changes a dataset goes through its methods and those of `Folder`.
"""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from nanokinetics.common.folder import Folder
from nanokinetics.errors import EnvironmentFault, InputError
from nanokinetics.layout import LOCK


class Home(Folder):
    """A dataset's folder. It must not be unmounted, moved or removed while it is held.

    Without a look, what is mounted over a folder could vanish and the files go to the disk below.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._lock = FileLock(self.place(LOCK), timeout=0)
        self._at_first: tuple[int, int] | None = None

    def hold(self) -> None:
        """Make the folder if it is not there, and keep other runs out of it until `close`.

        Raises InputError for a file, and while another run is at work in it.
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
            raise InputError(
                f"another run is at work in {self.path}; wait for it, or name another --dest"
            ) from None
        self._at_first = self.identity

    @property
    def is_busy(self) -> bool:
        """Whether another run is at work in it. Nothing is changed by looking."""
        lock = self.place(LOCK)
        if not lock.exists():
            return False
        try:
            with FileLock(lock, timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # a folder that nobody can write to: no build either
            return False

    @property
    def is_there(self) -> bool:
        """Whether it is still the folder that it was when it was first held."""
        return self._at_first is not None and self.identity == self._at_first

    def check(self) -> None:
        """Raises EnvironmentFault if it is another folder than at first."""
        if not self.is_there:
            raise EnvironmentFault(
                f"{self.path} is not the folder it was at the start; was it unmounted or moved? "
                "See to that and run the same command again"
            )

    def close(self) -> None:
        """Let other runs in."""
        self._lock.release()

"""The folder of a dataset, which must be the same one throughout a run."""

from __future__ import annotations

from pathlib import Path

from nanokinetics.common.folder import Folder
from nanokinetics.errors import EnvironmentFault


class Home(Folder):
    """A folder that is to be the same one throughout: not unmounted, moved or removed meanwhile.

    Without a look, what is mounted over a folder could vanish and the files go to the disk below.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._at_first = _identity(folder)

    @property
    def is_there(self) -> bool:
        return self._at_first is not None and _identity(self._folder) == self._at_first

    def check(self) -> None:
        """Raises EnvironmentFault if it is another folder than at first."""
        if not self.is_there:
            raise EnvironmentFault(
                f"{self._folder} is not the folder it was at the start; was it unmounted or moved? "
                "See to that and run the same command again"
            )


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino

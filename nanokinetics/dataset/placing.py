"""Takes a finished clip of one dataset into another: as a hard link, or else as a copy."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Final

from nanokinetics.common.files import digest_of
from nanokinetics.common.folder import Folder, new_file
from nanokinetics.errors import InputError

_CHUNK: Final = 1 << 20

_NO_LINK: Final = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.EOPNOTSUPP)
"""Why there may be no hard link: another disk, another owner, too many links, a simple file system.
"""


def take_in(home: Folder, source: Path, path: str, sha256: str) -> bool:
    """Give a file of another dataset the name `path` here; returns whether it is a link.

    A link stays one: it leads to a file outside of datasets. Raises InputError if the file does not
    have this hex SHA-256, and OSError.
    """
    try:
        with home.instead(path) as (folder, temporary):
            is_link = _placed(source, folder, temporary)
            _check(folder, temporary, sha256, source)
            # A rename between two links to one file does nothing: the old one must go.
            home.remove(path)
    except BaseException:
        home.prune(path)  # some loaders count an empty folder as a class
        raise
    return is_link


def _check(folder: int, name: str, sha256: str, source: Path) -> None:
    with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=folder), "rb") as file:
        if digest_of(file) != sha256:
            raise InputError(
                f"{source} is not the file that was built: its SHA-256 is another one; run "
                "`nanokinetics verify --repair` there, and the same build again"
            )


def _placed(source: Path, folder: int, name: str) -> bool:
    if source.is_symlink():
        os.symlink(source.resolve(), name, dir_fd=folder)
        return True
    if _linked(source, folder, name):
        return True
    with source.open("rb") as data, new_file(folder, name) as copy:
        shutil.copyfileobj(data, copy, _CHUNK)
        copy.flush()
        os.fsync(copy.fileno())
    return False


def _linked(source: Path, folder: int, name: str) -> bool:
    try:
        os.link(source, name, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return False
    return True

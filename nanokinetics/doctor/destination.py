"""Checks of the destination: the folder, its file system, and the free space."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from nanokinetics.common.folder import Folder
from nanokinetics.common.text import size
from nanokinetics.dataset.record import read_record
from nanokinetics.doctor.findings import CheckResult, Level

LITTLE_SPACE: Final = 1_000_000_000
NO_SPACE: Final = 50_000_000
"""Bytes: about 700 and about 35 clips of ten seconds at 360p."""

LONGEST_NAME: Final = 255
"""Longest file name in bytes on most file systems. The names in annotations are checked for it."""


def of_destination(dest: Path | None) -> CheckResult:
    """Whether the folder can be written to. Raises InputError for a folder that is no dataset."""
    place = existing(dest)
    if dest is not None and dest.exists():
        read_record(Folder(dest))  # raises for a file, and for a folder with other contents
    if not place.is_dir():
        return Level.FAULT, f"{place} is a file", "name a folder with --dest"
    try:
        with tempfile.TemporaryDirectory(prefix=".nanokinetics-", dir=place) as folder:
            (Path(folder) / "try").write_bytes(b"x" * 4096)
    except OSError as error:
        why = f"{place} cannot be written to: {error.strerror}"
        return Level.FAULT, why, "name another with --dest, or fix its rights"
    return Level.OK, f"{place} can be written to" + _to_be_made(dest), ""


def _to_be_made(dest: Path | None) -> str:
    return "" if dest is None or dest.exists() else f"; {dest.name} will be made"


def of_file_system(dest: Path | None) -> CheckResult:
    """Whether the file system of a folder has the features that builds use."""
    try:
        with tempfile.TemporaryDirectory(prefix=".nanokinetics-", dir=existing(dest)) as folder:
            lacks = [what for what, attempt in _FEATURES.items() if not attempt(Path(folder))]
    except OSError as error:
        return Level.WARNING, f"could not be looked at ({error.strerror})", ""
    if not lacks:
        return Level.OK, f"has {', '.join(_FEATURES)}", ""
    level = Level.FAULT if {_RENAME, _LOCKS} & {*lacks} else Level.WARNING
    return level, f"lacks {', '.join(lacks)}", "name a --dest on another file system if it matters"


def _renames(folder: Path) -> bool:
    old, new = folder / "old", folder / "new"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    return _succeeds(lambda: new.replace(old)) and old.read_bytes() == b"new"


def _locks(folder: Path) -> bool:
    """Whether a lock would stop a second run."""
    path = folder / "lock"
    with warnings.catch_warnings():
        # filelock warns if it uses another kind of lock, which is good enough.
        warnings.simplefilter("ignore")
        try:
            with FileLock(path, timeout=0), FileLock(path, timeout=0):
                return False
        except Timeout:
            return True
        except (OSError, NotImplementedError):  # filelock without any lock that works here
            return False


def _links(folder: Path) -> bool:
    (folder / "file").touch()
    return _succeeds(lambda: (folder / "hard").hardlink_to(folder / "file"))


def _symlinks(folder: Path) -> bool:
    return _succeeds(lambda: (folder / "soft").symlink_to("file"))


def _long_names(folder: Path) -> bool:
    return _succeeds((folder / ("x" * LONGEST_NAME)).touch)


def _tells_case(folder: Path) -> bool:
    (folder / "case").touch()
    return not (folder / "CASE").exists()


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


_RENAME: Final = "atomic rename"
_LOCKS: Final = "file locks"
_FEATURES: Final[Mapping[str, Callable[[Path], bool]]] = {
    _RENAME: _renames,
    _LOCKS: _locks,
    "hard links": _links,
    "symbolic links": _symlinks,
    "long names": _long_names,
    "upper and lower case": _tells_case,
}


def of_space(free: int) -> CheckResult:
    found = f"{size(free)}, for some {free // 1_400_000:,} clips of ten seconds at 360p"
    if free < NO_SPACE:
        return Level.FAULT, found, "make room, or name another --dest"
    if free < LITTLE_SPACE:
        return Level.WARNING, found, "nanokinetics sample says how much is needed"
    return Level.OK, found, ""


def existing(dest: Path | None) -> Path:
    """The folder itself, or its nearest parent that exists."""
    place = Path(os.path.abspath(dest or Path()))  # noqa: PTH100 - `resolve` would follow links
    while not place.exists() and place != place.parent:
        place = place.parent
    return place

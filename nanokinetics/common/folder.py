"""Changes within one folder that never follow a link out of it."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from nanokinetics.common.names import is_inside

SUFFIX: Final = ".tmp"


_SHORTENED: Final = 50
"""Characters of a file's name that its temporary file repeats. A longer name could be too long."""


_LEFTOVER: Final = re.compile(rf"\.(.+?)(\.[0-9a-f]{{16}})?{re.escape(SUFFIX)}", re.DOTALL)


_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY


LINK: Final = "a link stands here, and none is followed; put what it points to in its place"


def beside(folder: Path, what: str) -> Path:
    """`DEST-what`, the folder beside a dataset for what belongs to it. The root `/` has none."""
    named = folder if folder.name not in ("", "..") else Path(os.path.abspath(folder))  # noqa: PTH100
    return named.with_name(f"{named.name}-{what}")


class Folder:
    """A folder whose methods change nothing outside it.

    Paths are relative to the folder, with `/`. No folder on a path may be a link, since a stranger
    may have put it there: methods that change something raise OSError for one.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._root = os.fspath(folder)

    @property
    def identity(self) -> tuple[int, int] | None:
        """Device and inode; another folder of this name has others. None if it is missing."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def place(self, path: str) -> Path:
        """The full path of something in this folder, for reading."""
        return self.path / path

    def within(self, path: str) -> Path | None:
        """A table's path as a full path. None if it leaves the folder: a table may be edited."""
        return self.path / path if is_inside(path) else None

    def size(self, path: str) -> int | None:
        """The size of a file in bytes. None if it is missing, or if the path is not valid."""
        try:
            return os.stat(f"{self._root}/{path}").st_size  # noqa: PTH116 - 100,000 times
        except (OSError, ValueError):
            return None

    def write(self, path: str, data: bytes) -> None:
        """Replace a file's content in one step: write a temporary file, flush it, rename it.

        A reader sees the old or the new content, never a part. A file that already has the content
        is left alone. The folder is made if it is missing.
        """
        if not self._holds(path, data):
            self.path.mkdir(parents=True, exist_ok=True)
            with self.begun(path) as file:
                file.write(data)

    def _holds(self, path: str, data: bytes) -> bool:
        try:
            return self.size(path) == len(data) and self.place(path).read_bytes() == data
        except OSError:  # writing the file will raise the same error
            return False

    def refuse_links(self, paths: Iterable[str]) -> None:
        """Raises OSError if one of these files and folders is a link; it names the first."""
        for path in paths:
            if os.path.islink(f"{self._root}/{path}"):  # noqa: PTH114 - thousands of class folders
                raise OSError(errno.ELOOP, LINK, f"{self._root}/{path}")

    def commit(self, temporary: str, path: str) -> None:
        """Rename a file of this folder to its final path; replace the old file, make folders."""
        with (
            self._beside(temporary) as (source, name),
            self._beside(path, make=True) as (target, final),
        ):
            try:
                os.replace(name, final, src_dir_fd=source, dst_dir_fd=target)
            except OSError as error:
                raise self._explained(error, path) from None

    def remove(self, path: str) -> None:
        """Remove a file, or a link itself, if it exists."""
        with contextlib.suppress(FileNotFoundError), self._beside(path) as (folder, name):
            try:
                os.unlink(name, dir_fd=folder)
            except OSError as error:
                raise self._explained(error, path) from None

    def prune(self, path: str) -> None:
        """Remove the folders above a path, from the innermost on, as long as they are empty."""
        while path := path.rpartition("/")[0]:
            try:
                with self._beside(path) as (folder, name):
                    os.rmdir(name, dir_fd=folder)
            except OSError:  # it holds something, or is a link
                return

    def make(self, path: str) -> None:
        """Make a folder if it is missing. Its parent must exist."""
        os.close(self.held(path))

    def held(self, path: str) -> int:
        """Make a folder if it is missing, and return its descriptor. Its parent must exist."""
        with self._beside(path) as (folder, name):
            return self._step(folder, name, path, make=True)

    def clear(self, path: str) -> None:
        """Remove a folder and its content. Errors are ignored."""
        with contextlib.suppress(OSError), self._beside(path) as (folder, name):
            shutil.rmtree(name, ignore_errors=True, dir_fd=folder)

    def sweep(self, *folders: str, names: Collection[str] | None = None) -> None:
        """Remove the temporary files that `begun` left in folders: for these names, or for all."""
        shortened = None if names is None else {name[:_SHORTENED] for name in names}
        for folder in folders:
            self._sweep(folder, shortened)

    def _sweep(self, folder: str, shortened: Collection[str] | None) -> None:
        with contextlib.ExitStack() as stack:
            try:
                here = stack.enter_context(self._opened(folder))
            except OSError:  # it is missing, or may not be read
                return
            for entry in list(stack.enter_context(os.scandir(here))):
                found = _LEFTOVER.fullmatch(entry.name)
                ours = found and (shortened is None or found[1] in shortened)
                if ours and not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.name, dir_fd=here)

    @contextlib.contextmanager
    def begun(self, path: str) -> Iterator[IO[bytes]]:
        """Open a temporary file; if the block succeeds, flush it and rename it to `path`."""
        with self.instead(path) as (folder, name), new_file(folder, name) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    @contextlib.contextmanager
    def instead(self, path: str) -> Iterator[tuple[int, str]]:
        """A folder's descriptor and a temporary name; it becomes `path` if the block succeeds."""
        with self._beside(path, make=True) as (folder, final):
            name = f".{final[:_SHORTENED]}.{secrets.token_hex(8)}{SUFFIX}"
            try:
                yield folder, name
                try:
                    os.replace(name, final, src_dir_fd=folder, dst_dir_fd=folder)
                except OSError as error:
                    raise self._explained(error, path) from None
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=folder)
                raise

    def open(self, path: str, flags: int) -> int:
        """Open a file and return its descriptor. Raises OSError for a link."""
        with self._beside(path) as (folder, name):
            try:
                return os.open(name, flags | os.O_NOFOLLOW, 0o666, dir_fd=folder)
            except OSError as error:
                raise self._explained(error, path) from None

    @contextlib.contextmanager
    def _beside(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """A descriptor of the folder of `path`, and the name in that folder."""
        if not is_inside(path):
            raise OSError(errno.EINVAL, f"lies outside {self.path}", path)
        folder, _, name = path.rpartition("/")
        with self._opened(folder, make=make) as descriptor:
            yield descriptor, name

    @contextlib.contextmanager
    def _opened(self, folder: str, *, make: bool = False) -> Iterator[int]:
        """A descriptor of a folder below this one. No link can redirect work on a descriptor."""
        here, path = os.open(self._root, _FOLDER), ""
        try:
            for name in folder.split("/"):
                if name not in ("", "."):
                    path = f"{path}/{name}".removeprefix("/")
                    below = self._step(here, name, path, make=make)
                    os.close(here)
                    here = below
            yield here
        finally:
            os.close(here)

    def _step(self, here: int, name: str, path: str, *, make: bool) -> int:
        flags = _FOLDER | os.O_NOFOLLOW
        try:
            try:
                return os.open(name, flags, dir_fd=here)
            except FileNotFoundError:
                if not make:
                    raise
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=here)
            return os.open(name, flags, dir_fd=here)
        except OSError as error:
            raise self._explained(error, path) from None

    def _explained(self, error: OSError, path: str) -> OSError:
        """The same error with the full path, and with the message LINK if a link is the cause."""
        place = f"{self._root}/{path}"
        may_be_link = error.errno in (errno.ELOOP, errno.ENOTDIR)
        if may_be_link and os.path.islink(place):  # noqa: PTH114 - as above
            return OSError(errno.ELOOP, LINK, place)
        return OSError(error.errno, error.strerror, place)


def new_file(folder: int, name: str) -> IO[bytes]:
    """Create a file for writing and reading. Raises OSError if the name exists."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    return os.fdopen(os.open(name, flags, 0o666, dir_fd=folder), "w+b")

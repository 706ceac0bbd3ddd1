"""A folder that is changed only within itself: nothing follows a link that somebody put there."""

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
"""Characters of a name that stand in that of its temporary file: it must not be too long."""


_LEFTOVER: Final = re.compile(rf"\.(.+?)(\.[0-9a-f]{{16}})?{re.escape(SUFFIX)}", re.DOTALL)


_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY


LINK: Final = "a link stands here, and none is followed; put what it points to in its place"


class Folder:
    """A folder. What is done by its methods stays within it.

    Paths are relative to it, with `/`, and none of the
    folders on the way may be a link, since it may be anybody's. They raise OSError, which says so.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._root = os.fspath(folder)

    @property
    def identity(self) -> tuple[int, int] | None:
        """What tells it from another folder under its name; None if it is not there."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def place(self, path: str) -> Path:
        """Where something of this folder lies, to be read there."""
        return self.path / path

    def within(self, path: str) -> Path | None:
        """The place of a path of a table; None if it cannot be there, as in an edited one."""
        return self.path / path if is_inside(path) else None

    def size(self, path: str) -> int | None:
        """Bytes of a file; None if there is none. A path of an edited table may hold anything."""
        try:
            return os.stat(f"{self._root}/{path}").st_size  # noqa: PTH116 - 100,000 times
        except (OSError, ValueError):
            return None

    def write(self, path: str, data: bytes) -> None:
        """Give a file new content in one step: written beside it, flushed, renamed over it.

        Whoever reads it meanwhile sees the old or the new content, never a part. A file that holds
        the content already is left as it is. The folder is made if it is not there.
        """
        if not self._holds(path, data):
            self.path.mkdir(parents=True, exist_ok=True)
            with self.begun(path) as file:
                file.write(data)

    def _holds(self, path: str, data: bytes) -> bool:
        try:
            return self.size(path) == len(data) and self.place(path).read_bytes() == data
        except OSError:  # whatever is wrong with it shows when it is written
            return False

    def refuse_links(self, paths: Iterable[str]) -> None:
        """Raises OSError for the first of these files and folders that is a link."""
        for path in paths:
            if os.path.islink(f"{self._root}/{path}"):  # noqa: PTH114 - thousands of class folders
                raise OSError(errno.ELOOP, LINK, f"{self._root}/{path}")

    def commit(self, temporary: str, path: str) -> None:
        """Give a file of this folder its final name, over what has it; make the folders for it.

        `temporary` may begin with the folder's own path.
        """
        old = temporary.removeprefix(f"{self._root}/")
        with self._beside(old) as (source, name), self._beside(path, make=True) as (target, final):
            try:
                os.replace(name, final, src_dir_fd=source, dst_dir_fd=target)
            except OSError as error:
                raise self._with_path(error, path) from None

    def remove(self, path: str) -> None:
        """Remove a file, or a link itself, if it is there. It may begin with the folder's path."""
        path = path.removeprefix(f"{self._root}/")
        with contextlib.suppress(FileNotFoundError), self._beside(path) as (folder, name):
            try:
                os.unlink(name, dir_fd=folder)
            except OSError as error:
                raise self._with_path(error, path) from None

    def prune(self, path: str) -> None:
        """Remove the folders that a file lay in, from the innermost on, while they are empty."""
        while path := path.rpartition("/")[0]:
            try:
                with self._beside(path) as (folder, name):
                    os.rmdir(name, dir_fd=folder)
            except OSError:  # it holds something, or is a link
                return

    def make(self, path: str) -> None:
        """Make a folder unless it is there; the one that it lies in must be."""
        with self._beside(path) as (folder, name):
            os.close(self._step(folder, name, path, make=True))

    def clear(self, path: str) -> None:
        """Remove a folder with all that is in it, as far as that can be done."""
        with contextlib.suppress(OSError), self._beside(path) as (folder, name):
            shutil.rmtree(name, ignore_errors=True, dir_fd=folder)

    def sweep(self, *folders: str, names: Collection[str] | None = None) -> None:
        """Remove the files that `begun` has left in some folders: of these names, or all."""
        shortened = None if names is None else {name[:_SHORTENED] for name in names}
        for folder in folders:
            self._sweep(folder, shortened)

    def _sweep(self, folder: str, shortened: Collection[str] | None) -> None:
        with contextlib.ExitStack() as stack:
            try:
                here = stack.enter_context(self._opened(folder))
            except OSError:  # it is not there, or not ours
                return
            for entry in list(stack.enter_context(os.scandir(here))):
                found = _LEFTOVER.fullmatch(entry.name)
                ours = found and (shortened is None or found[1] in shortened)
                if ours and not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.name, dir_fd=here)

    @contextlib.contextmanager
    def begun(self, path: str) -> Iterator[IO[bytes]]:
        """A file to write into, which is flushed and gets its name when the block ends well."""
        with self.instead(path) as (folder, name), new_file(folder, name) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    @contextlib.contextmanager
    def instead(self, path: str) -> Iterator[tuple[int, str]]:
        """A folder's descriptor, and a name there for what is to take the path's place."""
        with self._beside(path, make=True) as (folder, final):
            name = f".{final[:_SHORTENED]}.{secrets.token_hex(8)}{SUFFIX}"
            try:
                yield folder, name
                try:
                    os.replace(name, final, src_dir_fd=folder, dst_dir_fd=folder)
                except OSError as error:
                    raise self._with_path(error, path) from None
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=folder)
                raise

    def open(self, path: str, flags: int) -> int:
        """A descriptor of a file that is no link."""
        with self._beside(path) as (folder, name):
            try:
                return os.open(name, flags | os.O_NOFOLLOW, 0o666, dir_fd=folder)
            except OSError as error:
                raise self._with_path(error, path) from None

    @contextlib.contextmanager
    def _beside(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """A descriptor of the folder that something lies in, and its name there."""
        if not is_inside(path):
            raise OSError(errno.EINVAL, f"lies outside {self.path}", path)
        folder, _, name = path.rpartition("/")
        with self._opened(folder, make=make) as descriptor:
            yield descriptor, name

    @contextlib.contextmanager
    def _opened(self, folder: str, *, make: bool = False) -> Iterator[int]:
        """A descriptor of a folder below this one: what is done by it cannot be led astray."""
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
            raise self._with_path(error, path) from None

    def _with_path(self, error: OSError, path: str) -> OSError:
        """The same error with the whole path, and with a clear message if a link is the cause."""
        place = f"{self._root}/{path}"
        may_be_link = error.errno in (errno.ELOOP, errno.ENOTDIR)
        if may_be_link and os.path.islink(place):  # noqa: PTH114 - as above
            return OSError(errno.ELOOP, LINK, place)
        return OSError(error.errno, error.strerror, place)


def new_file(folder: int, name: str) -> IO[bytes]:
    """A file that was not there before, to be written and read. Raises OSError."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    return os.fdopen(os.open(name, flags, 0o666, dir_fd=folder), "w+b")

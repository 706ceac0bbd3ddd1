"""The folder that an export writes: whole files only, and none of an earlier export left over."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from ..errors import InputError
from ..files import SUFFIX
from ..layout import LOCK, is_inside

JOURNAL: Final = ".nanokinetics-export"
"""The names of all files that exports have begun to write here, one a line; it marks the folder as
ours, so that nothing else is ever removed."""

SYMLINK: Final = "symlink"
HARDLINK: Final = "hardlink"
COPY: Final = "copy"
FILES: Final = (SYMLINK, HARDLINK, COPY)


class Output:
    """Writes below one folder. `tick` is called for each sample that is done."""

    def __init__(self, folder: Path, tick: Callable[[], object]) -> None:
        self.folder = folder
        self.tick = tick
        self._earlier: set[str] = set()
        self._names: set[str] = set()
        self._made: set[Path] = set()
        self._journal: IO[str]

    @contextlib.contextmanager
    def opened(self) -> Iterator[Output]:
        """Hold the folder; what earlier exports left goes when the block has ended well.

        Raises InputError for a folder that holds something else, or is held.
        """
        from filelock import FileLock, Timeout

        _refuse_strangers(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            # The lock's name also tells `build --src` that there is nothing to take here.
            with FileLock(self.folder / LOCK, timeout=0):
                journal = self.folder / JOURNAL
                if journal.exists():
                    self._earlier = {*journal.read_text("utf-8", "replace").split("\n")}
                self._clear_leftovers()
                with journal.open("a", encoding="utf-8") as self._journal:
                    yield self
                self._remove(self._earlier - self._names)
                _write(journal, "".join(f"{name}\n" for name in sorted(self._names)).encode())
        except Timeout:
            raise InputError(
                f"another export is at work in {self.folder}; wait for it, or name another --output"
            ) from None

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[IO[bytes]]:
        """A file to write into. It gets its name when the block has ended well."""
        with self._begun(name) as temporary, temporary.open("w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    def text(self, name: str, text: str) -> None:
        with self.file(name) as file:
            file.write(text.encode())

    def table(self, name: str, rows: Iterable[Iterable[object]]) -> None:
        """An RFC 4180 table with LF line ends."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self.text(name, text.getvalue())

    def place(self, name: str, target: Path, how: str = SYMLINK) -> None:
        """Give a file, or by a link a folder, of the dataset a name here."""
        with self._begun(name) as temporary:
            if how == COPY:
                shutil.copyfile(target, temporary)
            elif how == SYMLINK:
                temporary.symlink_to(target)
            else:
                _hardlink(target, temporary)
                # Renaming one link to a file over another does nothing: it would stay.
                (self.folder / name).unlink(missing_ok=True)

    def withdraw(self, name: str) -> None:
        """Remove a file that says of others what is about to become untrue."""
        self._remove({name} & self._earlier)

    @contextlib.contextmanager
    def _begun(self, name: str) -> Iterator[Path]:
        if not is_inside(name):  # a table may have been edited
            raise InputError(f"'{name}' would lie outside {self.folder}; mend the dataset's tables")
        path = self.folder / name
        if path.parent not in self._made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(path.parent)
        self._names.add(name)
        self._journal.write(f"{name}\n")
        self._journal.flush()
        temporary = _temporary(path)
        try:
            yield temporary
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise

    def _clear_leftovers(self) -> None:
        for name in self._earlier:
            if is_inside(name):
                _temporary(self.folder / name).unlink(missing_ok=True)

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            if not is_inside(name):  # the journal may have been edited
                continue
            path = self.folder / name
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # until one holds something else
                for parent in path.relative_to(self.folder).parents:
                    if parent.parts:
                        (self.folder / parent).rmdir()


def _refuse_strangers(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--output {folder} is a file; name a folder")
    if folder.is_dir() and not (folder / JOURNAL).exists():
        names = sorted(path.name for path in folder.iterdir() if path.name != LOCK)
        if names:
            raise InputError(
                f"--output {folder} holds '{names[0]}' and is no export of ours; "
                "name a new or empty folder"
            )


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}{SUFFIX}")


def _write(path: Path, data: bytes) -> None:
    temporary = _temporary(path)
    temporary.write_bytes(data)
    temporary.replace(path)


def _hardlink(target: Path, path: Path) -> None:
    try:
        path.hardlink_to(target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
            raise
        raise InputError(
            f"--files {HARDLINK}: {path.parent} cannot link to {target} ({error.strerror}); "
            f"use {SYMLINK} or {COPY}"
        ) from None

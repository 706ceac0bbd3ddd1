"""The folder of an export. It has only complete files, and none of an earlier export."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from nanokinetics.common.folder import Folder, new_file
from nanokinetics.common.names import is_inside
from nanokinetics.dataset.tables import rendered
from nanokinetics.errors import InputError
from nanokinetics.layout import LOCK

JOURNAL: Final = ".nanokinetics-export"
"""The file that lists all files that exports began to write here, one on each line. Only a folder
with this file is an export, and only listed files are ever removed."""

SYMLINK: Final = "symlink"
HARDLINK: Final = "hardlink"
COPY: Final = "copy"
FILES: Final = (SYMLINK, HARDLINK, COPY)

CHUNK: Final = 1 << 20


class Output:
    """Writes files in one folder. `tick` is called after each sample."""

    def __init__(self, folder: Path, tick: Callable[[], object]) -> None:
        self.folder = folder
        self.tick = tick
        self.warnings: list[str] = []
        self._earlier: set[str] = set()
        self._names: set[str] = set()
        self._journal: IO[str]
        self._home: Folder

    @contextlib.contextmanager
    def opened(self) -> Iterator[Output]:
        """Hold the folder. If the block succeeds, the other files of earlier exports are removed.

        If it fails in a new folder, all that it wrote is removed, and the folders that it made.
        Raises InputError if the folder has foreign files, or if another export holds it.
        """
        from filelock import FileLock, Timeout

        _refuse_strangers(self.folder)
        missing = [each for each in (self.folder, *self.folder.parents) if not each.exists()]
        self.folder.mkdir(parents=True, exist_ok=True)
        self._home = Folder(self.folder)
        self._home.refuse_links((LOCK, JOURNAL))
        try:
            # `build --src` skips folders with a lock of this name.
            with FileLock(self.folder / LOCK, timeout=0):
                journal = self.folder / JOURNAL
                is_new = not journal.exists()
                if not is_new:
                    self._earlier = {*journal.read_text("utf-8", "replace").split("\n")}
                self._clear_leftovers()
                try:
                    appending = self._home.open(JOURNAL, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                    with open(appending, "a", encoding="utf-8") as self._journal:  # noqa: PTH123
                        yield self
                except BaseException:
                    if is_new:
                        self._undo(missing)
                    raise
                self._remove(self._earlier - self._names)
                names = "".join(f"{name}\n" for name in sorted(self._names))
                self._home.write(JOURNAL, names.encode())
        except Timeout:
            raise InputError(
                f"another export is at work in {self.folder}; wait for it, or name another --output"
            ) from None

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file for writing. It gets its name if the block succeeds."""
        self._note(name)
        with self._home.begun(name) as file:
            yield file

    def text(self, name: str, text: str) -> None:
        """Write a text file, in UTF-8."""
        with self.file(name) as file:
            file.write(text.encode())

    def table(self, name: str, rows: Iterable[Iterable[object]]) -> None:
        """Write a CSV table by RFC 4180, but with LF line ends."""
        self.text(name, rendered(rows))

    def place(self, name: str, target: Path, how: str = SYMLINK) -> None:
        """Link or copy a file of the dataset to `name`. A folder can only be linked by SYMLINK."""
        self._note(name)
        with self._home.instead(name) as (folder, temporary):
            if how == COPY:
                with target.open("rb") as source, new_file(folder, temporary) as copy:
                    shutil.copyfileobj(source, copy, CHUNK)
            elif how == SYMLINK:
                os.symlink(target, temporary, dir_fd=folder)
            else:
                self._hardlink(target, folder, temporary)
                # A rename between two links to one file does nothing: the old one must go.
                self._home.remove(name)

    def warn(self, *lines: str) -> None:
        """Keep what the user must know of this export: each line has its count and remedy."""
        self.warnings += lines

    def withdraw(self, name: str) -> None:
        """Remove an index file of an earlier export, before it becomes wrong."""
        self._remove({name} & self._earlier)

    def _note(self, name: str) -> None:
        """Write a name to the journal before its file. Raises InputError for a name outside."""
        if not is_inside(name):  # a table may have been edited
            raise InputError(f"'{name}' would lie outside {self.folder}; fix the dataset's tables")
        self._names.add(name)
        self._journal.write(f"{name}\n")
        self._journal.flush()

    def _undo(self, made: Iterable[Path]) -> None:
        """Remove all that was written, and the folders that were made, from the innermost on."""
        with contextlib.suppress(OSError):
            self._remove((*self._names, JOURNAL, LOCK))
            for folder in made:
                folder.rmdir()

    def _clear_leftovers(self) -> None:
        """Remove temporary files of a killed export. The journal lists the files that it began."""
        begun: defaultdict[str, set[str]] = defaultdict(set)
        for path in filter(is_inside, (JOURNAL, *self._earlier)):
            folder, _, name = path.rpartition("/")
            begun[folder].add(name)
        for folder, names in begun.items():
            self._home.sweep(folder, names=names)

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            if not is_inside(name):  # the journal may have been edited
                continue
            self._home.remove(name)
            self._home.prune(name)

    def _hardlink(self, target: Path, folder: int, name: str) -> None:
        try:
            os.link(target, name, dst_dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
                raise
            raise InputError(
                f"--files {HARDLINK}: {self.folder} cannot link to {target} ({error.strerror}); "
                f"use {SYMLINK} or {COPY}"
            ) from None


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

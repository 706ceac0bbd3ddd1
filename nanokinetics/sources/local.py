"""Files that are there already: plain ones, members of archives, and archives read as streams."""

from __future__ import annotations

import itertools
import os
import shutil
import tarfile
from collections.abc import Callable, Generator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from nanokinetics.errors import Failure, Reason
from nanokinetics.sources.archives import is_plain, opened

CHUNK: Final = 1 << 20


class LocalFetcher:
    """Brings local files to where a clip is made of them. The source is never written to."""

    def __init__(self, root: Path, streams: Sequence[Sequence[str]]) -> None:
        self._root = root
        self._streams = streams
        self._seen: frozenset[str] | None = None
        self._numbers = itertools.count(1)

    def passing(
        self, wanted: Callable[[str], bool], folder: Path
    ) -> Generator[tuple[str, Path] | Failure, None, None]:
        """Read the streams once, from the beginning, and keep the members that are wanted.

        wanted: told the base name of every member. Gives the base name of each that was kept, and
        the file in `folder` that has its bytes now, to be taken or removed; a Failure for an
        archive that cannot be read any further. Raises OSError when `folder` cannot be written to;
        of the source no error is one (see `opened`).
        """
        seen: set[str] = set()
        whole = True
        for parts in self._streams:
            try:
                with opened(self._root, parts) as archive:
                    for member in archive:
                        archive.members = []  # type: ignore[attr-defined]  # or all would stay
                        name = PurePosixPath(member.name)
                        if not is_plain(member):
                            continue
                        seen.add(name.stem)
                        content = archive.extractfile(member) if wanted(name.name) else None
                        if content is not None:
                            target = folder / f"member{next(self._numbers)}{name.suffix}"
                            with target.open("wb") as copy:
                                shutil.copyfileobj(content, copy, CHUNK)
                            yield name.name, target
            except tarfile.TarError as error:
                whole = False
                yield Failure(Reason.TRUNCATED, f"{parts[0]} is damaged: {error}")
        self._seen = frozenset(seen) if whole else None

    def may_hold(self, *names: str) -> bool:
        """Whether a member of one of these base names may be in the streams, as far as is known."""
        return self._seen is None or any(name in self._seen for name in names)


def copy_bytes(source: int, target: int, offset: int, size: int) -> None:
    """Copy a part of a file into another at its position, within the kernel where that can be.

    Raises EOFError when the source ends before.
    """
    quick = hasattr(os, "copy_file_range")
    while size:
        try:
            if quick:
                count = os.copy_file_range(source, target, min(size, 1 << 30), offset)
            else:
                count = os.write(target, os.pread(source, min(size, CHUNK), offset))
        except OSError:
            if not quick:
                raise
            quick = False  # across file systems, or one that cannot
            continue
        if not count:
            raise EOFError("the file ends before its member")
        offset, size = offset + count, size - count

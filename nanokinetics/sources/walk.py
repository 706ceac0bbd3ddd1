"""Walks a source folder: what is read, what is left out in silence, and what is named.

Links to folders are followed once. What cannot be read is named and passed over; only the reader of
a dataset knows whether it was needed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nanokinetics.common.names import shown
from nanokinetics.errors import InputError
from nanokinetics.layout import LOCK

_LITTER: Final = frozenset(
    {
        # Windows
        *("$recycle.bin", "recycler", "recycled", "system volume information", "found.000"),
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r"),
        # macOS, and what it leaves on shares and in zips
        *("__macosx", "network trash folder", "temporary items"),
        # network storage: Synology, QNAP, NetApp, TrueNAS
        *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@tmp", "@sharebin"),
        *("~snapshot", "@synoresource"),
        # Linux, and notebooks
        *("lost+found", "__pycache__"),
    }
)
"""Lower-case names of what systems put into folders. Hidden names, such as `.Trash-1000`,
`.snapshot`, `.AppleDouble` or `._x.jpg`, are left out whatever they are."""


def is_litter(name: str) -> bool:
    """Whether a file or folder was put there by a system, or is hidden."""
    return name.startswith(".") or name.casefold() in _LITTER


_LITTERED: Final = re.compile(
    rf"(?:^|/)(?:\.(?!\.?/)|(?:{'|'.join(map(re.escape, _LITTER))})(?:/|$))", re.IGNORECASE
)


def is_littered(path: str) -> bool:
    """Whether any part of a member's path is litter. `./` and `../` are not."""
    return bool(_LITTERED.search(path))


def some(names: Sequence[str], shown_at_most: int = 1) -> str:
    """The first names, quoted, for a message."""
    return ", ".join(map(shown, names[:shown_at_most]))


@dataclass
class Walked:
    """What lies below a folder. Paths are relative to it, with `/`, and sorted in the end.

    denied: folders that may not be read, and why. dead: links that lead nowhere. again: links to
    folders that were read by another path, or that contain the link itself.
    """

    files: list[str] = field(default_factory=list)
    denied: dict[str, str] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)

    def notes(self) -> Iterator[str]:
        """One line for each kind of thing that was passed over."""
        if self.denied:
            folder, why = min(self.denied.items())
            yield f"{_count(self.denied, 'folder')} cannot be read: {shown(folder)}: {why}"
        if self.dead:
            yield f"{_count(self.dead, 'link')} to nothing passed over: {some(sorted(self.dead))}"
        if self.again:
            yield (
                f"{_count(self.again, 'folder')} behind links passed over, as they are read "
                f"already or hold the link itself: {some(sorted(self.again))}"
            )


def _count(things: Collection[object], name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) > 1)}"


def walk(top: Path) -> Walked:
    """Everything below a folder.

    Plain folders come first, then links to folders in the order of their paths. So a link to a
    folder within the source adds nothing, and the result does not depend on the file system.

    Raises InputError if the folder itself cannot be read, or if one below it cannot be read for
    another reason than its rights: then the source is away.
    """
    found = Walked()
    try:
        os.listdir(top)  # noqa: PTH208 - it must be readable, whatever it holds
    except OSError as error:
        raise _unreadable(str(top), error) from None
    seen: set[tuple[int, int]] = set()
    links = _walk_into(found, f"{top}/", "", seen)
    while links:
        link = min(links)
        links.remove(link)
        target = identity_of(top / link)
        holding = (top / link).parent.resolve()
        if target in seen or target in map(identity_of, (holding, *holding.parents)):
            found.again.append(link)
        else:
            links += _walk_into(found, f"{top}/", f"{link}/", seen)
    found.files.sort()
    return found


def _walk_into(found: Walked, top: str, start: str, seen: set[tuple[int, int]]) -> list[str]:
    """Walk the plain folders below `start`; returns the links to folders."""
    links: list[str] = []
    folders = [start]
    while folders:
        under = folders.pop()
        own: list[str] = []
        below: list[str] = []
        linked: list[str] = []
        dead: list[str] = []
        try:
            identity = identity_of(f"{top}{under}")
            if identity in seen:  # by way of a link
                found.again.append(under.removesuffix("/"))
                continue
            seen.add(identity)
            with os.scandir(f"{top}{under}") as entries:
                for entry in entries:
                    if entry.name == LOCK:
                        own.append(entry.name)
                    elif is_litter(entry.name):
                        continue
                    elif entry.is_dir(follow_symlinks=False):
                        below.append(entry.name)
                    elif entry.is_file(follow_symlinks=False):
                        own.append(entry.name)
                    elif entry.is_symlink():
                        kind = _kind_behind(entry)
                        if kind is None:
                            dead.append(entry.name)
                        elif stat.S_ISDIR(kind):
                            linked.append(entry.name)
                        elif stat.S_ISREG(kind):
                            own.append(entry.name)
        except PermissionError as error:
            found.denied[under.removesuffix("/")] = error.strerror or str(error)
            continue
        except OSError as error:
            raise _unreadable(f"{top}{under}", error) from None
        if under and LOCK in own:
            continue  # a dataset of this program, perhaps the one that is being built
        found.files += [under + name for name in own if name != LOCK]
        found.dead += [under + name for name in dead]
        links += [under + name for name in linked]
        folders += [f"{under}{name}/" for name in below]
    return links


def _unreadable(path: str, error: OSError) -> InputError:
    return InputError(
        f"--src: {path}: cannot be read: {error.strerror or error}; see that the source is mounted "
        "and that you may read it"
    )


def identity_of(path: str | Path) -> tuple[int, int]:
    """Device and inode of what stands at a path. Raises OSError."""
    status = os.stat(path)  # noqa: PTH116
    return status.st_dev, status.st_ino


def _kind_behind(link: os.DirEntry[str]) -> int | None:
    """The mode of what a link leads to; None if it leads nowhere, or to itself."""
    try:
        return link.stat().st_mode
    except OSError:
        return None

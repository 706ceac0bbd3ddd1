"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

SUFFIX: Final = ".tmp"


def clear_leftovers(*folders: Path) -> None:
    """Remove what `replace_file` had begun in these folders when its process was killed."""
    for folder in folders:
        for leftover in folder.glob(f".*{SUFFIX}"):
            if leftover.is_file():
                leftover.unlink()


def replace_file(path: Path, data: bytes) -> None:
    """Give a file new content in one step: written beside it, flushed, renamed over it.

    Whoever reads it meanwhile sees the old or the new content, never a part.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}{SUFFIX}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise

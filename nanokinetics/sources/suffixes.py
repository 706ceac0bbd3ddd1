"""The extensions of files that can become a clip."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

IMAGES: Final = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
VIDEOS: Final = frozenset(
    {
        ".3gp",
        ".avi",
        ".flv",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".ts",
        ".webm",
        ".wmv",
    }
)
"""Lower-case extensions of files that can become a clip."""


def endings(paths: Iterable[str], suffixes: frozenset[str]) -> tuple[str, ...]:
    """The extensions in these paths that match the suffixes without case, for `str.endswith`."""
    longest = max(map(len, suffixes))
    found = {end[end.rfind(".") :] for end in {path[-longest:] for path in paths}}
    return tuple(ending for ending in found if ending.lower() in suffixes)

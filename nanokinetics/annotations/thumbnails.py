"""Leaves out the pictures that stand beside a video and show what is in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from nanokinetics.common.names import shown
from nanokinetics.sources.suffixes import IMAGES, VIDEOS, endings

_ADDED: Final = re.compile(r"[-_.](thumb|thumbnail|poster|cover|preview|fanart)s?$", re.IGNORECASE)
_FOLDER: Final = re.compile(r"/(thumb|thumbnail|poster|cover|preview)s?$", re.IGNORECASE)


def without_thumbnails(
    paths: Sequence[str], places: Sequence[int]
) -> tuple[list[str], list[int], tuple[str, ...]]:
    """The files without thumbnails, and a line about these.

    A thumbnail is an image with the name of a video in its folder, perhaps with the extension of
    the video or with `-thumb` after it, or in a folder `thumbs` beside the video. So yt-dlp,
    media servers and crawlers write them.
    """
    of_videos = endings(paths, VIDEOS)
    of_images = endings(paths, IMAGES)
    if not (of_videos and of_images):
        return list(paths), list(places), ()
    videos = {each for p in paths if p.endswith(of_videos) for each in (p, p[: p.rfind(".")])}
    dropped = {p for p in paths if p.endswith(of_images) and _is_thumbnail(p, videos)}
    if not dropped:
        return list(paths), list(places), ()
    left = [(p, place) for p, place in zip(paths, places, strict=True) if p not in dropped]
    note = (
        f"{len(dropped)} {'images' if len(dropped) > 1 else 'image'} left out as thumbnails of the "
        f"videos beside, for instance {shown(min(dropped))}"
    )
    return [p for p, _ in left], [place for _, place in left], (note,)


def _is_thumbnail(path: str, videos: set[str]) -> bool:
    stem = path[: path.rfind(".")]
    bare = _ADDED.sub("", stem)
    if stem in videos or bare in videos:
        return True
    folder, _, name = bare.rpartition("/")
    above = _FOLDER.sub("", f"/{folder}").removeprefix("/")
    return above != folder and f"{above}/{name}".removeprefix("/") in videos

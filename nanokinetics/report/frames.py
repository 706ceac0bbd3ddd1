"""Make a thumbnail of one clip: one frame of a video, or the whole image.

Worker processes import this module, so it imports little.
"""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from nanokinetics.clips.cut import picture
from nanokinetics.clips.ffmpeg import Ffmpeg
from nanokinetics.sources.suffixes import IMAGES

BOX: Final = (240, 180)
"""Width and height of the largest thumbnail, in pixels."""

PATIENCE: Final = 60.0
"""Seconds that ffmpeg may take for one thumbnail."""


def thumbnail(ffmpeg: Ffmpeg | None, job: tuple[Path, float]) -> bytes:
    """A JPEG of a file, or no bytes if it fails. job: the path, and the time of the frame in s."""
    path, at = job
    if ffmpeg is None or is_image(path):
        return _shrunk(path)
    with TemporaryDirectory(prefix="nanokinetics-") as folder:
        target = Path(folder) / "frame.jpg"
        found = picture(ffmpeg, path, at, BOX, target, timeout=PATIENCE)
        return target.read_bytes() if found else b""


def is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGES


def _shrunk(path: Path) -> bytes:
    from PIL import Image, ImageOps

    out = io.BytesIO()
    try:
        with Image.open(path) as image:
            image.draft("RGB", BOX)
            upright = ImageOps.exif_transpose(image).convert("RGB")
            upright.thumbnail(BOX)
            upright.save(out, "JPEG", quality=75)
    except Exception:  # noqa: BLE001 - Pillow raises many types of errors for damaged files
        return b""
    return out.getvalue()

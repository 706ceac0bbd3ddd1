"""Check one file against its row. Child processes import this module, so it needs no pandas."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nanokinetics.clip import ClipId
from nanokinetics.clips.ffmpeg import Ffmpeg
from nanokinetics.clips.images import look_at_image
from nanokinetics.clips.measure import measure
from nanokinetics.common.files import digest_of
from nanokinetics.common.system import die_with_parent
from nanokinetics.errors import Failure
from nanokinetics.sources.suffixes import IMAGES

SLOWEST: Final = 100_000
"""Bytes a second. Decoding may take two minutes, plus the time that this rate gives."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A file and its entries in `stats.csv`: size in bytes, frames, and the hex SHA-256.

    The numbers stay text, since the table may have been edited.
    """

    id: ClipId
    path: str
    file: Path
    bytes: str
    frames: str
    sha256: str

    @property
    def is_image(self) -> bool:
        return self.file.suffix.lower() in IMAGES


def inspect(recorded: Recorded, ffmpeg: Ffmpeg | None, *, fast: bool) -> str:
    """The fault of a file in a few words, or an empty text if the file is as recorded.

    ffmpeg: None if there are only images. fast: check only that the file exists and its size.
    """
    try:
        size = recorded.file.stat().st_size
        if not recorded.file.is_file():
            return "is no file"
        if str(size) != recorded.bytes:
            return f"has {size} bytes, and {recorded.bytes} are recorded"
        if fast:
            return ""
        with recorded.file.open("rb") as file:
            if digest_of(file) != recorded.sha256:
                return "its bytes have changed: its SHA-256 is not the recorded one"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return _image(recorded) if recorded.is_image else _video(recorded, ffmpeg, size)


def _image(recorded: Recorded) -> str:
    found = look_at_image(recorded.file.read_bytes())
    if isinstance(found, Failure):
        return f"cannot be decoded: {found.message}"
    return "" if recorded.frames == "1" else f"has 1 frame, and {recorded.frames} are recorded"


def _video(recorded: Recorded, ffmpeg: Ffmpeg | None, size: int) -> str:
    if ffmpeg is None:
        return "was not decoded: there is no ffmpeg"
    patience = 120 + size / SLOWEST
    found = measure(ffmpeg, recorded.file, decode=True, timeout=patience)
    if found is None:
        return "cannot be decoded to its end"
    if str(found.frames) != recorded.frames:
        # If the frame rate varies, decoding may merge frames. Count those of the file instead.
        found = measure(ffmpeg, recorded.file, timeout=patience) or found
    if str(found.frames) != recorded.frames:
        return f"has {found.frames} frames, and {recorded.frames} are recorded"
    return ""


def prepare_process() -> None:
    """Prepare a child process: it ends with its parent, and ignores Ctrl-C."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal

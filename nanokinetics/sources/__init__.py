"""One fetcher a source of clips; the registry maps a source's name to it.

A fetcher finds the video of a job and says where its streams can be read. It does not run ffmpeg
on them and knows nothing of quotas, tables or other workers. A new source is one new module here
and one line in `open_fetcher`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from nanokinetics.config import NetworkConfig
from nanokinetics.errors import Failure
from nanokinetics.sources.stream import Video

_TAKE_LONG: Final = {
    "youtube": [f"{__name__}.youtube", "yt_dlp.extractor.extractors", "yt_dlp.extractor.youtube"]
}


class Fetcher(Protocol):
    """Where the videos of one source come from. Failures are values; nothing is raised."""

    name: str

    def open(self, name: str) -> Video | Failure:
        """Find a video by its name within the source."""

    def download(self, folder: Path) -> Video | Failure:
        """The second way: bring the whole of the video just opened into a folder."""

    def log(self) -> str:
        """All that was said since the last `open`, for the log of a failure."""


def open_fetcher(source: str, network: NetworkConfig, *, resolution: int, audio: bool) -> Fetcher:
    """The fetcher of a source, ready for many videos. Raises InputError for bad options.

    resolution: the most pixels of a video's shorter side that are of use.
    """
    if source == "youtube":
        from nanokinetics.sources.youtube import YouTubeFetcher

        return YouTubeFetcher(network, resolution=resolution, audio=audio)
    raise LookupError(source)


def modules_of(source: str) -> list[str]:
    """The modules of a source that take long to import."""
    return _TAKE_LONG.get(source, [])


def check_network(source: str, network: NetworkConfig) -> None:
    """Find out, before there is any work, whether a source can use the options. Raises InputError.

    Of those for YouTube yt-dlp alone knows, which takes a while to import.
    """
    if source == "youtube":
        open_fetcher(source, network, resolution=0, audio=True)

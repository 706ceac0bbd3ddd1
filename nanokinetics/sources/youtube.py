"""YouTube as a source. Requests are paced for all workers together; `ytdlp` makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, Self

from nanokinetics.clip import WINDOWS, Clip, Grouping, MakerSpec, PacingPolicy
from nanokinetics.common.logs import logger
from nanokinetics.config import (
    NO_CANARY,
    MakingConfig,
    NetworkConfig,
    PaceOptions,
    SampleConfig,
    VideoConfig,
)
from nanokinetics.errors import InputError
from nanokinetics.sources import Fetcher, Source, cookies
from nanokinetics.sources.address import address_of

HOST: Final = "www.youtube.com"

GUEST_PER_HOUR: Final = 300
ACCOUNT_PER_HOUR: Final = 2000
"""Videos per hour that YouTube allows a guest and an account, according to yt-dlp's wiki."""

ABREAST: Final = 2
"""Number of videos that may be requested at once before the first refusal; after it, one.

To find a video takes only about two requests, so no worker waits long for this limit. The limit
bounds the cost of the first refusal, because all requests on the way are then refused too."""

SPACING: Final = 1 / 10
"""The time between two starts after a block, as a fraction of the first wait. By default that is
6 s; yt-dlp's wiki recommends 5 to 10 s between two videos."""

CANARY: Final = "jNQXAC9IVRw"
"""The first video of YouTube, `Me at the zoo` of 2005, 19 s long."""

_EXTRACTORS: Final = (r"youtube(\+.*)?",)  # plugins add a `+` and their name


_log = logger(__name__)


@dataclass(frozen=True)
class YouTube(Source):
    """YouTube with the network and video options of one run."""

    name: ClassVar = "youtube"
    remote: ClassVar = True
    shares_fate: ClassVar = True
    per_hour: ClassVar = GUEST_PER_HOUR
    modules: ClassVar = (
        "nanokinetics.sources.ytdlp",
        "yt_dlp.extractor.extractors",
        "yt_dlp.extractor.youtube",
    )

    unused: ClassVar = MappingProxyType({"place": "clips of YouTube are always cut and encoded"})

    network: NetworkConfig
    video: VideoConfig

    @classmethod
    def of(cls, config: SampleConfig) -> Self:
        if config.src is not None:
            raise InputError("--src is for local files; add --source local")
        if isinstance(config, MakingConfig):
            return cls(config.network, config.video)
        return cls.over(NetworkConfig())

    @classmethod
    def over(cls, network: NetworkConfig) -> Self:
        return cls(network, VideoConfig())

    def check(self) -> None:
        """Raises InputError for options that yt-dlp does not know. Slow: it imports yt-dlp."""
        self.fetcher()

    def remarks(self) -> Sequence[str]:
        path = self.network.cookies
        remark = "" if path is None else cookies.read(path).remark
        return [remark] if remark else []

    def grouping(self, found: object) -> Grouping:
        return Grouping(together=1)

    def policy(self, options: PaceOptions) -> PacingPolicy:
        has_account = options.has_account and self._is_logged_in
        _log.info("asking YouTube %s", "with an account" if has_account else "as a guest")
        default = ACCOUNT_PER_HOUR if has_account else GUEST_PER_HOUR
        return PacingPolicy(
            first_wait=options.first_wait,
            per_hour=default if options.per_hour is None else options.per_hour,
            max_wait=options.max_wait,
            spacing=options.first_wait * SPACING,
            abreast=ABREAST,
        )

    def address(self) -> str:
        return address_of(HOST, self.network)

    def canary(self) -> Clip | None:
        video = self.network.canary or CANARY
        return None if video == NO_CANARY else Clip("canary", "canary", "canary", video, 0, 1)

    @property
    def _is_logged_in(self) -> bool:
        """Whether the cookies are of an account, as far as a file shows it."""
        try:
            return not self.remarks()
        except InputError:  # `check` refuses the file, if there is anything to ask for
            return False

    def maker(self, found: object) -> MakerSpec:
        return MakerSpec(WINDOWS, self.fetcher)

    def fetcher(self) -> Fetcher:
        """The fetcher of the videos. Raises InputError for options that yt-dlp cannot use."""
        from nanokinetics.sources.ytdlp import Site, YtDlpFetcher

        return YtDlpFetcher(
            Site(self.name, f"https://{HOST}/watch?v={{}}", _EXTRACTORS),
            self.network,
            resolution=self.video.resolution,
            audio=self.video.audio,
        )

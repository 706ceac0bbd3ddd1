"""YouTube as a source: paced, shared by all workers, and asked through yt-dlp (see `ytdlp`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

from nanokinetics.clip import WINDOWS, Grouping, MakerSpec, PacingPolicy
from nanokinetics.common.logs import logger
from nanokinetics.config import BuildConfig, NetworkConfig, PaceOptions, SampleConfig, VideoConfig
from nanokinetics.errors import InputError
from nanokinetics.sources import Fetcher, Source

GUEST_PER_HOUR: Final = 300
ACCOUNT_PER_HOUR: Final = 2000
"""Videos an hour that YouTube lets a guest and an account have, as yt-dlp's wiki gives them."""

ABREAST: Final = 2
"""Videos that may be asked for at once while nothing speaks against it. Finding one is short, two
or so requests, so this holds no worker up; and it bounds what the first refusal costs, since
whatever is under way by then is refused as well. After a refusal it is one."""

SPACING: Final = 1 / 10
"""The distance between two starts after a block, as a part of the first wait. That is 6 s by
default, within the 5 to 10 s between two videos that yt-dlp's wiki recommends."""

_EXTRACTORS: Final = (r"youtube(\+.*)?",)  # with plugins of it


_log = logger(__name__)


@dataclass(frozen=True)
class YouTube(Source):
    """YouTube, asked with these options."""

    name: ClassVar = "youtube"
    remote: ClassVar = True
    shares_fate: ClassVar = True
    per_hour: ClassVar = GUEST_PER_HOUR
    modules: ClassVar = (
        "nanokinetics.sources.ytdlp",
        "yt_dlp.extractor.extractors",
        "yt_dlp.extractor.youtube",
    )

    network: NetworkConfig
    video: VideoConfig

    @classmethod
    def of(cls, config: SampleConfig) -> Self:
        if config.src is not None:
            raise InputError("--src is for local files; add --source local")
        if isinstance(config, BuildConfig):
            return cls(config.network, config.video)
        return cls(NetworkConfig(), VideoConfig())

    def check(self) -> None:
        """Only yt-dlp knows its options, and it takes a while to import."""
        self.fetcher()

    def grouping(self, found: object) -> Grouping:
        return Grouping(together=1)

    def policy(self, options: PaceOptions) -> PacingPolicy:
        _log.info("asking YouTube %s", "with an account" if options.has_account else "as a guest")
        default = ACCOUNT_PER_HOUR if options.has_account else GUEST_PER_HOUR
        return PacingPolicy(
            first_wait=options.first_wait,
            per_hour=default if options.per_hour is None else options.per_hour,
            max_wait=options.max_wait,
            spacing=options.first_wait * SPACING,
            abreast=ABREAST,
        )

    def maker(self, found: object) -> MakerSpec:
        return MakerSpec(WINDOWS, self.fetcher)

    def fetcher(self) -> Fetcher:
        """What opens the videos. Raises InputError for options that yt-dlp cannot use."""
        from nanokinetics.sources.ytdlp import Site, YtDlpFetcher

        return YtDlpFetcher(
            Site(self.name, "https://www.youtube.com/watch?v={}", _EXTRACTORS),
            self.network,
            resolution=self.video.resolution,
            audio=self.video.audio,
        )

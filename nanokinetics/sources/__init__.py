"""Sources of clips: one protocol, one registry, and one module for each source.

A new source needs one new module here and one line in SOURCES.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, Self

from nanokinetics.clip import ADOPTED, Clip, Grouping, MakerSpec, PacingPolicy
from nanokinetics.common.near import hint
from nanokinetics.config import NetworkConfig, PaceOptions, SampleConfig
from nanokinetics.errors import Failure, InputError
from nanokinetics.sources.stream import OpenedVideo

if TYPE_CHECKING:
    import pandas as pd

    from nanokinetics.sources.scan import Scan

SOURCES: Final[dict[str, str]] = {
    "youtube": "nanokinetics.sources.youtube:YouTube",
    "local": "nanokinetics.sources.local:Local",
}
"""The name of each source, and the class that implements it."""


class Source(Protocol):
    """A source with the options of one run. It must be picklable: every worker opens it.

    name: the value in the column `source` of `stats.csv` and in `run.json`. remote: whether all
    clips come over one connection; then a failure may have a global cause, and requests are paced.
    shares_fate: whether all windows of a video fail if the video is gone. per_hour: requests per
    hour that the source allows a guest, 0 for no limit. from_src: whether `--src` names its folder
    or archive. modules: modules that its workers need and that take long to import. unused: the
    fields of `BuildConfig` that have no effect on its clips, and why.
    """

    name: ClassVar[str]
    remote: ClassVar[bool] = False
    shares_fate: ClassVar[bool] = False
    per_hour: ClassVar[int] = 0
    from_src: ClassVar[bool] = False
    modules: ClassVar[tuple[str, ...]] = ()
    unused: ClassVar[Mapping[str, str]] = MappingProxyType({})

    @classmethod
    def of(cls, config: SampleConfig) -> Self:
        """The source for these options. Raises InputError for options that it cannot use."""

    @classmethod
    def over(cls, network: NetworkConfig) -> Self:
        """The source for network options alone, to check the way to it. Only if it is remote."""
        raise TypeError(f"{cls.name} needs no network")

    def check(self) -> None:
        """Check that the source can be used, before anything is changed. Called in a child process.

        Raises InputError.
        """
        return None  # noqa: RET501 - or it would be abstract

    def remarks(self) -> Sequence[str]:
        """What the user should know before anything is asked for, a line each."""
        return ()

    def scan(self, index: Path | None = None, *, listed: bool = False) -> Scan | None:
        """The contents of the source; None if they cannot be known in advance.

        index: the file with an earlier scan of the archives. listed: list compressed archives too,
        which takes as long as to unpack them. Raises InputError.
        """
        return None

    def locate(self, candidates: pd.DataFrame, found: Scan) -> tuple[pd.DataFrame, tuple[str, ...]]:
        """The candidates with the columns of LOCATION: where the file of each was found.

        Also lines about files that share a name, of which one was taken.
        """
        return candidates, ()

    def require(self, located: pd.DataFrame, found: Scan) -> None:
        """Raises InputError if the source has none of the wanted files."""
        return None  # noqa: RET501 - or it would be abstract

    def has_again(self, clip: Clip, message: str, found: Scan | None) -> bool:
        """Whether a clip that was not found may be found now, as the source has changed since.

        message: of its failure.
        """
        return False

    def recorded(self) -> Mapping[str, Any]:
        """The entries of `run.json` about the source, apart from its name."""
        return {}

    def grouping(self, found: Scan | None) -> Grouping:
        """How clips are grouped into jobs."""
        return Grouping()

    def policy(self, options: PaceOptions) -> PacingPolicy:
        """How requests to the source are paced."""
        return PacingPolicy(abreast=0)

    def address(self) -> str | None:
        """Whom the requests go to and by which way, `HOST by PROXY`, without a password.

        Runs with one address share an hourly budget. None for a source that needs no network.
        """
        return None

    def canary(self) -> Clip | None:
        """A clip that can be made if any clip can, and that is no part of a selection."""
        return None

    def maker(self, found: Scan | None) -> MakerSpec:
        """How workers make the clips of the source."""


class Fetcher(Protocol):
    """Finds and downloads videos, in a worker. Failures are values; it raises nothing."""

    name: str

    def open(self, name: str) -> OpenedVideo | Failure:
        """Find a video by its name in the source."""

    def download(self, folder: Path) -> OpenedVideo | Failure:
        """Download the whole video that was opened last. Used if its windows cannot be read."""

    def log(self) -> str:
        """All output since the last `open`, for the log of a failure."""


def is_remote(name: str) -> bool:
    """Whether a clip with this value in the column `source` came over the network."""
    return name != ADOPTED and (name not in SOURCES or source_type(name).remote)


def remote_source(network: NetworkConfig) -> Source:
    """The first remote source of the registry, with these network options."""
    kinds = map(source_type, SOURCES)
    return next(kind for kind in kinds if kind.remote).over(network)


def source_type(name: str) -> type[Source]:
    """The class of a source. Raises InputError for a name that is not registered."""
    if name not in SOURCES:
        meant = hint(name, SOURCES)
        raise InputError(f"--source is {' or '.join(SOURCES)}, not '{name}'{meant}")
    module, _, cls = SOURCES[name].partition(":")
    found: type[Source] = getattr(importlib.import_module(module), cls)
    return found

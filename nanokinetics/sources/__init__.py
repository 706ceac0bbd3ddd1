"""Where the bytes of clips come from: one protocol, one registry, a source a file.

A new source is one new module here and one line in SOURCES.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, Self

from nanokinetics.clip import ADOPTED, Grouping, MakerSpec, PacingPolicy
from nanokinetics.config import PaceOptions, SampleConfig
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
    """One source, as one run asks it. Picklable, since its maker opens it in every worker.

    name: stands in the column `source` of `stats.csv` and in `run.json`. remote: all clips come
    over one line, so that a failure may be everybody's, and the pace matters. shares_fate: one dead
    video is all its windows'. per_hour: starts an hour that the source lets a guest have, 0 for no
    limit. from_src: its files lie in the folder or archive that `--src` names. modules: what its
    workers need and takes long to import.
    """

    name: ClassVar[str]
    remote: ClassVar[bool] = False
    shares_fate: ClassVar[bool] = False
    per_hour: ClassVar[int] = 0
    from_src: ClassVar[bool] = False
    modules: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def of(cls, config: SampleConfig) -> Self:
        """The source as these options ask for it. Raises InputError for those it cannot use."""

    def check(self) -> None:
        """Look whether it can be used at all, before anything is changed. Called in a child.

        Raises InputError.
        """
        return None  # noqa: RET501 - or it would be abstract

    def scan(self, index: Path | None = None) -> Scan | None:
        """What lies in it; None if nobody can know beforehand.

        index: where an earlier scan of archives is kept. Raises InputError.
        """
        return None

    def locate(self, candidates: pd.DataFrame, found: Scan) -> pd.DataFrame:
        """The candidates with the columns of LOCATION: where each lies in what was found."""
        return candidates

    def require(self, located: pd.DataFrame, found: Scan) -> None:
        """Raises InputError if it holds nothing of what is wanted."""
        return None  # noqa: RET501 - or it would be abstract

    def recorded(self) -> Mapping[str, Any]:
        """What `run.json` says of it beside its name."""
        return {}

    def grouping(self, found: Scan | None) -> Grouping:
        """How clips are handed out."""
        return Grouping()

    def policy(self, options: PaceOptions) -> PacingPolicy:
        """How it is paced."""
        return PacingPolicy(abreast=0)

    def maker(self, found: Scan | None) -> MakerSpec:
        """How its clips are made."""


class Fetcher(Protocol):
    """What opens whole videos, in a worker. Failures are values; nothing is raised."""

    name: str

    def open(self, name: str) -> OpenedVideo | Failure:
        """Find a video by its name within the source."""

    def download(self, folder: Path) -> OpenedVideo | Failure:
        """The second way: bring the whole of the video just opened into a folder."""

    def log(self) -> str:
        """All that was said since the last `open`, for the log of a failure."""


def is_remote(name: str) -> bool:
    """Whether a clip whose column `source` holds this name came over the network."""
    return name != ADOPTED and (name not in SOURCES or source_type(name).remote)


def source_type(name: str) -> type[Source]:
    """The class of a source. Raises InputError for a name that is not registered."""
    if name not in SOURCES:
        raise InputError(f"--source is {' or '.join(SOURCES)}, not '{name}'")
    module, _, cls = SOURCES[name].partition(":")
    found: type[Source] = getattr(importlib.import_module(module), cls)
    return found

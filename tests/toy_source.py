"""A source that exists only in the tests: whole films in a folder, each called by its video's id.

It shows what a new source takes: this file, and one line in the registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from nanokinetics.clip import WINDOWS, MakerSpec
from nanokinetics.config import SampleConfig
from nanokinetics.errors import Failure, Reason
from nanokinetics.sources import Source
from nanokinetics.sources.stream import OpenedVideo, Stream

REGISTERED = ("toy", "toy_source:Toy")
"""The line that it takes in SOURCES."""


@dataclass(frozen=True)
class Toy(Source):
    name: ClassVar = "toy"
    shares_fate: ClassVar = True

    folder: Path

    @classmethod
    def of(cls, config: SampleConfig) -> Self:
        return cls(Path.cwd() / "films")

    def maker(self, found: object) -> MakerSpec:
        return MakerSpec(WINDOWS, self.films)

    def films(self) -> Films:
        return Films(self.folder)


class Films:
    """Opens films, in a worker."""

    name = "toy"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, name: str) -> OpenedVideo | Failure:
        film = self._folder / f"{name}.mp4"
        if not film.exists():
            return Failure(Reason.NOT_FOUND, f"there is no film {name}")
        return OpenedVideo((Stream(str(film)),), None, "film")

    def download(self, folder: Path) -> OpenedVideo | Failure:
        raise NotImplementedError("its films can be sought in")

    def log(self) -> str:
        return "(a film of a folder)"

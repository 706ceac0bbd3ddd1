"""What the demo plays: a few classes with awkward names, and videos of several kinds.

Some videos are dead in several ways, some connections break once, and the site throttles for a
short time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import cycle
from typing import Final

from nanokinetics.dataset.tables import ANNOTATION, rendered
from nanokinetics.demo.scenario import Fault, Film, Form, Scenario, Throttle, Video

CLASSES: Final = (
    "abseiling",
    "hurling (sport)",
    "massaging person's head",
    "training dog",
)
MORE_CLASSES: Final = ("archery", "bee keeping", "playing didgeridoo", "yoga")

CANDIDATES: Final = 8
"""Candidates of each class. Some of them are dead."""

FILM: Final = Film(duration=36.0, width=480, height=270)
HUES: Final = {
    **{label: 90 * place for place, label in enumerate(CLASSES)},
    **{label: 90 * place + 45 for place, label in enumerate(MORE_CLASSES)},
}
"""The films of a class have its colours, so that a model has something to learn."""

DEAD: Final = ("private", "copyright", "account_terminated", "age_restricted", "geo_blocked")
FORMS: Final[tuple[tuple[Form, ...], ...]] = (("progressive",), ("fragmented",), ("webm",))

PATIENCE: Final = 3.0
"""Seconds for which the site refuses requests. YouTube refuses for an hour or more."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation of the demo's dataset. start: seconds."""

    label: str
    youtube_id: str
    start: int
    split: str = "train"


def rows(
    classes: tuple[str, ...] = CLASSES, candidates: int = CANDIDATES
) -> tuple[Annotation, ...]:
    """Windows of each class. Some ids begin with a dash, as 3 % of YouTube's do."""
    return tuple(
        Annotation(label, f"{'-' if n % 4 == 0 else 'd'}emo-{place}-{n:04d}", 2 + 3 * (n % 8))
        for place, label in enumerate(classes)
        for n in range(candidates)
    )


def scenario(wanted: tuple[Annotation, ...]) -> Scenario:
    """A quarter of the videos are dead, some connections break once, and the site throttles."""
    dead, forms = cycle(DEAD), cycle(FORMS)
    videos = {}
    for n, row in enumerate(wanted):
        failure = next(dead) if n % 4 == 1 else None
        breaks = (Fault("media", "reset", after_bytes=20_000, times=1),) if n % 9 == 3 else ()
        film = replace(FILM, hue=HUES[row.label])
        videos[row.youtube_id] = Video(film, next(forms), failure=failure, faults=breaks)
    return Scenario(
        videos, throttle=Throttle(after=12, seconds=PATIENCE, repeat=False, retry_after=True)
    )


def to_csv(wanted: tuple[Annotation, ...]) -> str:
    """The rows in DeepMind's CSV format. Each window has ten seconds."""
    windows = ((r.label, r.youtube_id, r.start, r.start + 10, r.split) for r in wanted)
    return rendered([ANNOTATION, *windows])

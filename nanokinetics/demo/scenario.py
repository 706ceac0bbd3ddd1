"""The scripts of the demo site as values: films, videos, faults, throttle. Nothing runs here.

A `Scenario` converts to JSON and back, to control a site in another process. The JSON leaves out
values that equal their defaults.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeVar

from nanokinetics.demo.failures import FAILURES, ScriptedFailure

Form = Literal["progressive", "fragmented", "webm", "video_only", "audio_only", "hls"]
Where = Literal["watch", "player", "media"]
Live = Literal["now", "processing", "unsaid"]
Scope = Literal["pages", "media", "all"]
Rhythm = Literal["even", "stalls", "drops", "slides"]

CANARY = "jNQXAC9IVRw"
"""The id of a video that is on the site whatever happens to others, as it is on YouTube."""

FAULTS = ("status", "reset", "empty", "stall", "truncate", "wrong_length")
"""The values of `Fault.what`, apart from the names in `failures.FAILURES`."""


@dataclass(frozen=True)
class Film:
    """A generated video. It is made once, and any number of youtube ids may show it."""

    duration: float = 30.0
    """Seconds."""
    width: int = 640
    height: int = 360
    fps: float = 30.0
    gop_seconds: float = 5.0
    """Seconds between keyframes. Fragments, clusters and HLS segments start there too."""
    audio: bool = True
    moov_first: bool = True
    """False: the index of the progressive file comes after the media, as some encoders write it."""
    sizes: tuple[int, ...] = ()
    """Shorter sides of the separate streams, in pixels. Empty: only that of the film."""
    video_rate: int | None = None
    """Bits per second. None: about the rate of YouTube at that size (0.45 Mbit/s at 360p)."""
    rhythm: Rhythm = "even"
    """When frames are shown. `stalls`: none for half a second every 4 s. `drops`: two in five are
    missing here and there. `slides`: one every 3.7 s. Frame n is still that of n / fps seconds."""
    sound_ends: float | None = None
    """Seconds after which there is no sound. None: it is as long as the picture."""
    hue: int = 0
    """Degrees by which the colours are turned, so that films can be told apart by them."""

    def __post_init__(self) -> None:
        if self.width % 2 or self.height % 2 or min(self.width, self.height) < 64:
            raise ValueError(f"film of {self.width}x{self.height}: sides must be even, 64 or more")
        if self.duration <= 0 or self.fps <= 0 or self.gop_seconds <= 0:
            raise ValueError("film: duration, fps and gop_seconds must be positive")
        if self.sound_ends is not None and not 0 < self.sound_ends <= self.duration:
            raise ValueError("film: sound_ends must lie within the film")
        if self.frames > 1 << 16:
            raise ValueError(f"film of {self.frames} frames: the number strip counts to 65,536")

    @property
    def rate(self) -> Fraction:
        """Frames per second, exactly."""
        return Fraction(self.fps).limit_denominator(1001)

    @property
    def frames(self) -> int:
        return round(self.duration * self.rate)

    def shows(self, number: int) -> bool:
        """Whether the frame of that number is there. `films` has the same rule as an expression."""
        if self.rhythm == "stalls":
            return number % round(4 * self.rate) < round(3.5 * self.rate)
        if self.rhythm == "drops":
            return number * 7919 % 97 % 5 < 3
        return self.rhythm != "slides" or number % round(3.7 * self.rate) == 0

    def within(self, start: float, end: float) -> list[int]:
        """The numbers of the frames whose time lies in [start, end) in seconds."""
        first, last = (math.ceil(Fraction(str(at)) * self.rate) for at in (start, end))
        return [n for n in range(max(0, first), min(last, self.frames)) if self.shows(n)]

    @property
    def short_side(self) -> int:
        """The shorter side in pixels. YouTube calls it the resolution (360p), in portrait too."""
        return min(self.width, self.height)

    def scaled(self, short_side: int) -> tuple[int, int]:
        """Width and height in pixels for a shorter side of `short_side` pixels."""
        scale = Fraction(short_side, self.short_side)
        return round(self.width * scale / 2) * 2, round(self.height * scale / 2) * 2


@dataclass(frozen=True)
class Fault:
    """A fault in the requests for one video.

    what: `status` answers with the HTTP status `status`. `reset` sends RST. `empty` closes without
    an answer. `stall` stays open and silent. `truncate` has the right length, but closes early.
    `wrong_length` (media only) claims an early end of the file, and ends there. Any other value is
    the name of an extraction failure; its `times` and `skip` count extractions (watch pages), not
    requests.

    after_bytes, after_fraction: the position of a reset, stall or cut in the answer's body. Without
    them, reset and stall come before the first byte of the answer, and a cut after half of the
    body. A fault counts for `times` only if it happens, since the client may leave before.
    """

    where: Where = "media"
    what: str = "status"
    status: int = 503
    retry_after: int | str | None = None
    """Seconds, or an HTTP date."""
    after_bytes: int | None = None
    after_fraction: float | None = None
    times: int | None = None
    """How often it happens before the video is healthy. None: always."""
    skip: int = 0
    """Healthy requests before the first fault."""
    itag: int | None = None
    """Media only: the itag with the fault. None: all."""

    def __post_init__(self) -> None:
        if self.what not in FAULTS and self.what not in FAILURES:
            raise ValueError(
                f"fault: unknown {self.what!r}; one of {', '.join(FAULTS)} or a failure"
            )
        if self.what == "wrong_length" and self.where != "media":
            raise ValueError("fault: wrong_length is for media")


@dataclass(frozen=True)
class Video:
    """The video of a youtube id."""

    film: Film = field(default_factory=Film)
    forms: tuple[Form, ...] = ("progressive", "fragmented", "webm")
    failure: str | ScriptedFailure | None = None
    """A name in `failures.FAILURES`, another text as the reason, or the player's whole answer."""
    faults: tuple[Fault, ...] = ()
    latency: float = 0.0
    """Seconds before each answer."""
    rate: float | None = None
    """Bytes per second of each media connection."""
    title: str | None = None
    original: Form | None = None
    """The form whose sound is the original. That of the others is an automatic dub, which is the
    default, as YouTube marks it for some countries. None: nothing is marked."""
    live: Live | None = None
    """A live video: its HLS playlist moves and has no end. now, processing: the player says so;
    unsaid: only the playlist shows it."""


@dataclass(frozen=True)
class Throttle:
    """After `after` accepted requests, the site refuses all for `seconds`, then counts again.

    The time starts at the first refusal. `seconds=None` refuses for ever. `repeat=False` accepts
    everything after the first time.
    """

    after: int
    seconds: float | None = None
    kind: str = "429"
    """429, media_403, or the failure of every video: a name in FAILURES or another text."""
    repeat: bool = True
    retry_after: bool | int | str | None = None
    """True: the seconds left. "date": their end as an HTTP date. Else: the value itself."""
    scope: Scope | None = None
    """The requests that count and are refused. None: `media` for media_403, else `pages`."""

    @property
    def covers(self) -> Scope:
        return self.scope or ("media" if self.kind == "media_403" else "pages")


@dataclass(frozen=True)
class Scenario:
    """The script of the whole site."""

    videos: Mapping[str, Video] = field(default_factory=dict)
    default: Video | None = None
    """The video of ids that are not in `videos`. None: `Video unavailable`."""
    throttle: Throttle | None = None
    media: Literal["plain", "tls"] = "plain"
    """plain: media by http from the site's port. tls: https from googlevideo.com, by the proxy."""
    latency: float = 0.0
    """Seconds before each answer."""
    rate: float | None = None
    """Bytes per second of each connection."""

    def video(self, youtube_id: str) -> Video | None:
        """The video of an id. That of CANARY is always there, unless the script says otherwise."""
        found = self.videos.get(youtube_id, self.default)
        return self._canary() if found is None and youtube_id == CANARY else found

    def _canary(self) -> Video:
        """A video like the first healthy one, so that no other film has to be made."""
        healthy = (v for v in self.videos.values() if v.failure is None)
        like = next(healthy, Video(Film(duration=10, width=128, height=72, fps=10)))
        return Video(like.film, like.forms)

    def films(self) -> dict[tuple[Film, Form], None]:
        """All pairs of a film and a form that the videos offer, in order, without repeats."""
        videos = [*self.videos.values(), *([self.default] if self.default else [])]
        return {(v.film, form): None for v in videos if v.failure is None for form in v.forms}

    def to_json(self) -> str:
        return json.dumps(_pack(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Scenario:
        """Parse JSON. Raises ValueError that names the bad field."""
        return _unpack(cls, json.loads(text), "scenario")


_T = TypeVar("_T")


def _pack(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        packed = {}
        for f in dataclasses.fields(value):
            default = f.default_factory() if callable(f.default_factory) else f.default
            if (item := getattr(value, f.name)) != default:
                packed[f.name] = _pack(item)
        return packed
    if isinstance(value, Mapping):
        return {key: _pack(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_pack(item) for item in value]
    return value


def _unpack(cls: type[_T], data: Any, where: str) -> _T:
    if not isinstance(data, dict):
        raise ValueError(f"{where}: expected an object, got {data!r}")  # noqa: TRY004 - bad input
    hints = typing.get_type_hints(cls)
    if unknown := data.keys() - hints.keys():
        raise ValueError(f"{where}: unknown field {min(unknown)!r}")
    values = {name: _value(hints[name], item, f"{where}.{name}") for name, item in data.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from error


def _value(hint: Any, data: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if data is None:
            return None
        kinds = [kind for kind in arguments if kind is not type(None)]
        if isinstance(data, dict) and ScriptedFailure in kinds:
            return _unpack(ScriptedFailure, data, where)
        return _value(kinds[0], data, where) if len(kinds) == 1 else data
    if origin is tuple:
        return tuple(_value(arguments[0], item, where) for item in data)
    if origin is Mapping:
        return {key: _value(arguments[1], item, f"{where}[{key}]") for key, item in data.items()}
    if origin is Literal:
        if data not in arguments:
            raise ValueError(f"{where}: {data!r} is none of {', '.join(map(str, arguments))}")
        return data
    return _unpack(hint, data, where) if hint in (Film, Fault, Video, Throttle) else data

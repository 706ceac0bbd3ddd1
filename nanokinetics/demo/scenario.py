"""What the demo site shall do, as values: films, videos, faults, throttle. Nothing runs here.

A `Scenario` is a plain JSON document and back, so that a site in another process can be told
what to play. Values equal to their defaults are left out.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeVar

from nanokinetics.demo.failures import FAILURES

Form = Literal["progressive", "fragmented", "webm", "video_only", "audio_only", "hls"]
Where = Literal["watch", "player", "media"]
Refusal = Literal["429", "bot_check", "session_rate_limit", "media_403"]
Scope = Literal["pages", "media", "all"]

FAULTS = ("status", "reset", "empty", "stall", "truncate", "wrong_length")
"""What a `Fault` may do, apart from the names of `failures.FAILURES`."""


@dataclass(frozen=True)
class Film:
    """A generated video. Any number of youtube ids may show one film; it is made once."""

    duration: float = 30.0
    """Seconds."""
    width: int = 640
    height: int = 360
    fps: float = 30.0
    gop_seconds: float = 5.0
    """Distance of two keyframes; fragments, clusters and HLS segments are cut there too."""
    audio: bool = True
    moov_first: bool = True
    """False puts the index of the progressive file behind the media, as careless encoders do."""
    sizes: tuple[int, ...] = ()
    """Shorter sides in pixels offered as separate streams; empty: the film's own."""
    video_rate: int | None = None
    """Bits per second; None: about what YouTube spends on that size (0.45 Mbit/s at 360p)."""

    def __post_init__(self) -> None:
        if self.width % 2 or self.height % 2 or min(self.width, self.height) < 64:
            raise ValueError(f"film of {self.width}x{self.height}: sides must be even, 64 or more")
        if self.duration <= 0 or self.fps <= 0 or self.gop_seconds <= 0:
            raise ValueError("film: duration, fps and gop_seconds must be positive")
        if self.frames > 1 << 16:
            raise ValueError(f"film of {self.frames} frames: the number strip counts to 65,536")

    @property
    def rate(self) -> Fraction:
        """Frames per second, exactly."""
        return Fraction(self.fps).limit_denominator(1001)

    @property
    def frames(self) -> int:
        return round(self.duration * self.rate)

    @property
    def short_side(self) -> int:
        """The side that YouTube calls the resolution (360p), also of a portrait film."""
        return min(self.width, self.height)

    def scaled(self, short_side: int) -> tuple[int, int]:
        """Width and height in pixels when the shorter side has `short_side` pixels."""
        scale = Fraction(short_side, self.short_side)
        return round(self.width * scale / 2) * 2, round(self.height * scale / 2) * 2


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong with the requests of one video.

    `what`: `status` answers with `status`; `reset` (RST), `empty` (closed without an
    answer), `stall` (the connection stays open and silent), `truncate` (honest length, closed
    early), `wrong_length` (media only: the file claims to end early, and does); or the name of an
    extraction failure, whose `times` and `skip` count extractions (watch pages), not requests.

    `after_bytes` or `after_fraction` (of the answer's body) say where a reset, stall or cut
    happens. Without them reset and stall come before the first byte of the answer, a cut after half
    of the body. A fault counts against `times` only when it comes to pass: the client may leave
    before it does.
    """

    where: Where = "media"
    what: str = "status"
    status: int = 503
    retry_after: int | str | None = None
    """Seconds, or an HTTP date."""
    after_bytes: int | None = None
    after_fraction: float | None = None
    times: int | None = None
    """How many times before the video is healthy; None: always."""
    skip: int = 0
    """Healthy requests before the first fault."""
    itag: int | None = None
    """Media only: this format alone."""

    def __post_init__(self) -> None:
        if self.what not in FAULTS and self.what not in FAILURES:
            raise ValueError(
                f"fault: unknown {self.what!r}; one of {', '.join(FAULTS)} or a failure"
            )
        if self.what == "wrong_length" and self.where != "media":
            raise ValueError("fault: wrong_length is for media")


@dataclass(frozen=True)
class Video:
    """What one youtube id shows."""

    film: Film = field(default_factory=Film)
    forms: tuple[Form, ...] = ("progressive", "fragmented", "webm")
    failure: str | None = None
    """A name from `failures.FAILURES`, or a text: the reason why it does not play."""
    faults: tuple[Fault, ...] = ()
    latency: float = 0.0
    """Seconds before each answer."""
    rate: float | None = None
    """Bytes per second of each media connection."""
    title: str | None = None


@dataclass(frozen=True)
class Throttle:
    """After `after` accepted requests the site refuses all for `seconds`, then counts anew.

    The time runs from the first refusal. `seconds=None` refuses for ever, and `repeat=False`
    lets everything pass once the time is over.
    """

    after: int
    seconds: float | None = None
    kind: Refusal = "429"
    repeat: bool = True
    retry_after: bool | int | str | None = None
    """True: the seconds that remain; "date": the same as an HTTP date; else the value itself."""
    scope: Scope | None = None
    """Which requests count and are refused; None: `media` for media_403, otherwise `pages`."""

    @property
    def covers(self) -> Scope:
        return self.scope or ("media" if self.kind == "media_403" else "pages")


@dataclass(frozen=True)
class Scenario:
    """The whole site."""

    videos: Mapping[str, Video] = field(default_factory=dict)
    default: Video | None = None
    """What an id that is not in `videos` shows; None: `Video unavailable`."""
    throttle: Throttle | None = None
    media: Literal["plain", "tls"] = "plain"
    """Media as http from the site's own port, or as https from googlevideo.com by the proxy."""
    latency: float = 0.0
    """Seconds before each answer."""
    rate: float | None = None
    """Bytes per second of each connection."""

    def video(self, youtube_id: str) -> Video | None:
        return self.videos.get(youtube_id, self.default)

    def films(self) -> dict[tuple[Film, Form], None]:
        """Every film and form that is offered, each once, in order."""
        videos = [*self.videos.values(), *([self.default] if self.default else [])]
        return {(v.film, form): None for v in videos if v.failure is None for form in v.forms}

    def to_json(self) -> str:
        return json.dumps(_pack(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Scenario:
        """Raises ValueError that names the field."""
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

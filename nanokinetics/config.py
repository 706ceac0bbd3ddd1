"""The options of a run: checked once, then passed on, never changed.

The fields have the names of the command-line options. A bad value raises an `InputError` that names
the option.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, Self

from nanokinetics.errors import InputError

ALL_FAILED: Final = "all"
RetryFailed = bool | Literal["all"]
"""Which failed clips are tried again: none, those whose failure may have passed, or all."""

NO_CANARY: Final = "none"

HARDLINK: Final = "hardlink"
SYMLINK: Final = "symlink"
TRANSCODE: Final = "transcode"
COPY: Final = "copy"
PLACES: Final = (COPY, HARDLINK, SYMLINK, TRANSCODE)
"""How local files get into a dataset."""

VIDEO: Final = ("resolution", "audio", "fps", "crf", "x264_preset", "gop")
"""The fields of `VideoConfig`: how clips are encoded."""

NO_GOP: Final = "none"
"""The value of `gop` for keyframes where x264 wants them: at cuts, and every 250 frames."""

DEFAULT_SEED: Final = "0"
X264_PRESETS: Final = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow", "placebo"),
)

LONGEST_GOP: Final = 3600.0
"""Seconds."""

LONGEST_DURATION: Final = 3652 * 86400.0
"""Seconds, about ten years. A later time could not be shown as a date."""

_UNITS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_NUMBER: Final = r"(\d+(?:\.\d+)?)"
_DURATION: Final = re.compile(
    rf"(?:{_NUMBER}\s*d(?:ays?)?)?\s*(?:{_NUMBER}\s*h(?:rs?|ours?)?)?\s*"
    rf"(?:{_NUMBER}\s*m(?:ins?|inutes?)?)?\s*(?:{_NUMBER}\s*s(?:ecs?|econds?)?)?",
    re.IGNORECASE,
)


def parse_duration(text: str | float) -> float:
    """The seconds of a text such as `90`, `90s`, `15m`, `1h30m` or `2 days`, or of a number.

    Raises InputError for any other text, and for units that do not go from large to small.
    """
    if isinstance(text, int | float) or re.fullmatch(_NUMBER, text.strip()):
        found = float(text)
    else:
        match = _DURATION.fullmatch(text.strip())
        if not match or not any(match.groups()):
            raise InputError(f"'{text}' is not a duration; write 90, 90s, 15m, 1h30m or 2d")
        parts = zip(match.groups(), _UNITS.values(), strict=True)
        found = sum(float(count) * unit for count, unit in parts if count)
    if not 0 <= found <= LONGEST_DURATION:
        raise InputError(
            f"'{text}' is not a duration of at most ten years; write 90s, 15m, 1h30m or 2d"
        )
    return found


@dataclass(frozen=True, kw_only=True)
class SampleConfig:
    """The choice of clips.

    dataset: one of `annotations.DATASETS`.
    annotations: one or more annotation files, of any dialect; or names of the catalogue, or http
        addresses, which are fetched. For ImageNet and Something-Something, the files that are not
        in `src`.
    source: where the clips are, one of `sources.SOURCES`; None takes the default of the dataset.
    src: the folder or archive with the files of a local source.
    class_names: a file with a class and its name per line, such as ImageNet's names of wnids.
    listing: for `folder`, files that name the files and their classes, with lines of `path label`,
        a header, or as JSON; None takes folders as classes.
    n: clips per class: one number for every split, or a number for each named split.
    splits: `train`, `val`, `test`; None takes every split in the annotations.
    classes: the labels to choose from; None takes all.
    num_classes: the number of classes to draw; None takes all.
    preset: a preset of `presets`: a class list, perhaps with counts; `n` overrides its counts.
    seed: any text without a newline. Another seed gives another choice. None is `0`.
    from_: a built folder, a manifest or a table of `sample`; its clips are taken instead of a new
        choice.
    allow_replacements: let reserves of the folder or the table `from_` replace clips that are gone.
    skip_bad_rows: leave out unusable annotation rows, instead of refusing to start.
    skip_missing_classes: leave out classes of `classes` or of `preset` that the annotations lack,
        instead of refusing to start; `run.json` names them.
    """

    dataset: str
    n: int | Mapping[str, int] | None = None
    annotations: tuple[Path | str, ...] = ()
    source: str | None = None
    src: Path | None = None
    class_names: Path | None = None
    listing: tuple[Path, ...] | None = None
    splits: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    num_classes: int | None = None
    preset: str | None = None
    seed: str | None = None
    from_: Path | None = None
    allow_replacements: bool = False
    skip_bad_rows: bool = False
    skip_missing_classes: bool = False

    @classmethod
    def of(cls, dataset: str, options: Mapping[str, Any]) -> Self:
        """Make the options from the keywords of a library call. `split` is the same as `splits`."""
        given = dict(options)
        if "split" in given:
            if given.get("splits") is not None:
                raise InputError("split and splits are the same; leave one out")
            given["splits"] = given.pop("split")
        return cls(dataset=dataset, **given)

    def __post_init__(self) -> None:
        for name in ("src", "class_names", "from_", "listing"):
            _refuse_urls(name, getattr(self, name))
        self._set("annotations", tuple(map(_path_or_url, _listed(self.annotations))))
        for name in ("src", "class_names", "from_"):
            value = getattr(self, name)
            self._set(name, None if value is None else Path(value).expanduser())
        if self.listing is not None:
            self._set("listing", tuple(Path(p) for p in _listed(self.listing)))
        if self.splits is not None:
            named = [split for text in _listed(self.splits) for split in text.split(",")]
            self._set("splits", tuple(named))
        self._set("classes", None if self.classes is None else tuple(_listed(self.classes)))
        self._check_choice()
        if self.from_ is None:
            self._set("seed", DEFAULT_SEED if self.seed is None else str(self.seed))
        if self.classes is not None and not self.classes:
            raise InputError("--classes names no class")
        if "\n" in str(self.seed):
            raise InputError("--seed may not hold a newline")
        counts = self.n.values() if isinstance(self.n, Mapping) else (self.n,)
        for count in (*counts, self.num_classes):
            if count is None:
                continue
            if not isinstance(count, int) or count < 1:
                raise InputError(f"--n and --num-classes are whole numbers from 1, not {count}")

    @property
    def files(self) -> tuple[Path, ...]:
        """The annotation files, once all of them are files."""
        return tuple(map(Path, self.annotations))

    def _check_choice(self) -> None:
        """Raises InputError unless the options give exactly one way to choose."""
        if self.n is None and self.preset is None and self.from_ is None:
            raise InputError("say how many clips of each class with --n N")
        if self.allow_replacements and self.from_ is None:
            raise InputError("--allow-replacements is for --from")
        if self.skip_missing_classes and self.classes is None and self.preset is None:
            raise InputError("--skip-missing-classes is for --classes or --preset")
        if self.from_ is not None:
            asked = {
                "--n": self.n,
                "--classes": self.classes,
                "--num-classes": self.num_classes,
                "--preset": self.preset,
                "--seed": self.seed,
                "--split": self.splits,
            }
            given = [name for name, value in asked.items() if value not in (None, ())]
            if given:
                raise InputError(
                    f"{given[0]} contradicts --from, which says what to take; leave one out"
                )
        if self.preset is not None and (self.classes is not None or self.num_classes is not None):
            raise InputError("--preset chooses the classes; leave out --classes and --num-classes")

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


_OPTIONS: Final = {"from_": "from", "listing": "list"}
"""Names of options, where they are no names of fields."""


def _refuse_urls(name: str, value: Any) -> None:
    """Raises InputError for a URL where a path should stand. A path would lose one of its slashes.

    value: a path or text, several, or None.
    """
    for each in () if value is None else map(str, _listed(value)):
        found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/+", each)
        if found and not os.path.lexists(each):  # a folder may be called `data:`
            option = f"--{_OPTIONS.get(name, name).replace('_', '-')}"
            what = "take its path" if found[1] == "file" else "download it first"
            raise InputError(f"{option} {each}: is a URL, and files are read here; {what}")


def _path_or_url(value: Any) -> Path | str:
    """A path as a path, and an http address as it is. Raises InputError for other URLs."""
    text: str = os.fspath(value)
    if re.match(r"https?://", text, re.IGNORECASE):
        return text
    _refuse_urls("annotations", text)
    return Path(text)


def _listed(value: Any) -> list[Any]:
    """One value or several as a list; callers of the library may give either."""
    return [value] if isinstance(value, str | os.PathLike) else list(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoConfig:
    """How a clip is encoded.

    resolution: the largest shorter side in pixels; a video is never enlarged.
    audio: whether to keep the sound.
    fps: frames per second; None keeps the rate of the video.
    crf, x264_preset: x264's quality (0 best to 51 worst) and speed.
    gop: the most seconds between two keyframes; None leaves them to x264.
    """

    resolution: int = 360
    audio: bool = True
    fps: float | None = None
    crf: int = 23
    x264_preset: str = "veryfast"
    gop: float | None = None

    def __post_init__(self) -> None:
        if self.resolution < 16 or self.resolution % 2:
            raise InputError(f"--resolution is an even number from 16, not {self.resolution}")
        if self.fps is not None and not (math.isfinite(self.fps) and 0 < self.fps <= 1000):
            raise InputError(f"--fps is a number above 0, not {self.fps}")
        if not 0 <= self.crf <= 51:
            raise InputError(f"--crf is a number from 0 to 51, not {self.crf}")
        if self.x264_preset not in X264_PRESETS:
            raise InputError(
                f"--x264-preset is one of {', '.join(X264_PRESETS)}, not '{self.x264_preset}'"
            )
        if self.gop is not None and not (
            type(self.gop) in (int, float) and 0 < self.gop <= LONGEST_GOP
        ):
            raise InputError(
                f"--gop is a number of seconds above 0, at most {LONGEST_GOP:g}, or "
                f"{NO_GOP}, not {self.gop}"
            )

    def recorded(self) -> dict[str, Any]:
        """The entries of `run.json`. Without `gop` it is None, as in those of earlier versions."""
        found = {name: getattr(self, name) for name in VIDEO}
        return {name: value for name, value in found.items() if (name, value) != ("gop", None)}


def _gop(value: float | str | None) -> float | str | None:
    """Parse a text such as `0.5`. Another text is kept: `VideoConfig` refuses it, unless `none`."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """How the network is used.

    cookies: a Netscape cookie file. It is read once, never written and never logged.
    proxy: the URL of an HTTP or SOCKS proxy.
    yt_dlp_args: options as typed on yt-dlp's command line; yt-dlp itself parses them.
    canary: the id of a video that is known to be there; NO_CANARY for none, None for the default.
    """

    cookies: Path | None = None
    proxy: str | None = None
    yt_dlp_args: str = ""
    canary: str | None = None

    def __post_init__(self) -> None:
        if self.proxy and not re.match(r"(https?|socks(4a?|5h?))://[^/]*[^/@]", self.proxy):
            raise InputError(
                "--proxy is like http://HOST:PORT or socks5://HOST:PORT, with USER:PASSWORD@ "
                "before HOST if it asks for them"
            )
        if self.cookies is not None and not self.cookies.is_file():
            raise InputError(f"--cookies: there is no file {self.cookies}")
        if self.canary not in (None, NO_CANARY) and not is_youtube_id(self.canary):
            raise InputError(
                f"--canary is the id of a video, eleven letters, digits, - and _, or none; not "
                f"'{self.canary}'"
            )


def is_youtube_id(text: str | None) -> bool:
    return re.fullmatch(r"[\w-]{11}", text or "", re.ASCII) is not None


@dataclass(frozen=True, slots=True)
class PaceOptions:
    """The user's options for the pace of requests; the source makes its policy from them.

    per_hour: starts in any rolling hour, 0 for no limit; None leaves it to the source. first_wait:
    seconds of the first wait after a refusal. max_wait: total seconds of waiting. has_account:
    whether requests carry cookies.
    """

    per_hour: int | None = None
    first_wait: float = 60.0
    max_wait: float = 6 * 3600.0
    has_account: bool = False

    def __post_init__(self) -> None:
        if self.per_hour is not None and self.per_hour < 0:
            raise InputError(f"--max-per-hour is 0 or more, not {self.per_hour}")


@dataclass(frozen=True, kw_only=True)
class MakingConfig(SampleConfig):
    """The choice of clips, and how to make them, wherever they go.

    workers: number of worker processes; None chooses a number for this machine.
    place: how local files get into the folder, one of PLACES. None is `copy`; with `from_`, it is
        `transcode` if that subset was made so.
    resolution, audio, fps, crf, x264_preset, gop: see `VideoConfig`. None is the default; with
        `from_`, it is the value of that subset. A gop of `none` is no such distance, there too.
    max_per_hour: videos requested in any hour, 0 for no limit; None is 300 without cookies and
        2000 with them.
    max_wait: total seconds to wait while YouTube refuses, before the run gives up.
    wait_forever: never give up while YouTube refuses; `max_wait` is then ignored.
    block_wait: seconds of the first wait after a refusal that names no time; doubled each time.
    retry_failed: try again clips whose failure may have passed; `all` tries every failed clip.
    replace_transient: let reserves replace clips with a transient failure, to have n clips now.
    cookies, proxy, yt_dlp_args, canary: see `NetworkConfig`.
    ffmpeg: the ffmpeg program, or `system` for that of the search path; None is the bundled one.
    failed_logs: the folder for the complete output of failed attempts; None is `DEST-failed_logs`,
        beside the dataset.
    state: the folder of what runs remember for each other, such as the hourly budget of an address;
        None is that of the user.
    """

    place: str | None = None
    workers: int | None = None
    resolution: int | None = None
    audio: bool | None = None
    fps: float | None = None
    crf: int | None = None
    x264_preset: str | None = None
    gop: float | str | None = None
    max_per_hour: int | None = None
    max_wait: float = 6 * 3600.0
    wait_forever: bool = False
    block_wait: float = 60.0
    retry_failed: RetryFailed = False
    canary: str | None = None
    replace_transient: bool = False
    cookies: Path | None = None
    proxy: str | None = None
    yt_dlp_args: str = ""
    ffmpeg: str | None = None
    failed_logs: Path | None = None
    state: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("failed_logs", "cookies", "state"):
            _refuse_urls(name, getattr(self, name))
        for name in ("max_wait", "block_wait"):
            try:
                self._set(name, parse_duration(getattr(self, name)))
            except InputError as error:
                raise InputError(f"--{name.replace('_', '-')}: {error}") from None
        if self.retry_failed not in (False, True, ALL_FAILED):
            raise InputError(f"--retry-failed takes no value but all, not '{self.retry_failed}'")
        for name in ("failed_logs", "cookies", "state"):
            value = getattr(self, name)
            self._set(name, None if value is None else Path(value).expanduser())
        if self.place is None and self.from_ is None:
            self._set("place", COPY)
        if self.place not in (None, *PLACES):
            raise InputError(f"--place is one of {', '.join(PLACES)}, not '{self.place}'")
        if self.workers is not None and not 1 <= self.workers <= 256:
            raise InputError(f"--workers is a number from 1 to 256, not {self.workers}")
        _ = self.pace  # checks its own values
        if self.block_wait <= 0:
            raise InputError("--block-wait is a duration above 0")
        self._set("gop", _gop(self.gop))
        _ = self.network  # checks its own values
        _ = self.video  # checks its own values

    @property
    def video(self) -> VideoConfig:
        given = {name: getattr(self, name) for name in VIDEO}
        return VideoConfig(
            **{name: value for name, value in given.items() if value not in (None, NO_GOP)}
        )

    @property
    def network(self) -> NetworkConfig:
        names = (f.name for f in fields(NetworkConfig))
        return NetworkConfig(**{name: getattr(self, name) for name in names})

    @property
    def pace(self) -> PaceOptions:
        """The options for the pace of requests."""
        return PaceOptions(
            per_hour=self.max_per_hour,
            first_wait=self.block_wait,
            max_wait=math.inf if self.wait_forever else self.max_wait,
            has_account=self.cookies is not None,
        )

    @property
    def processes(self) -> int:
        """Number of workers: slightly more than processors, because workers often wait."""
        return self.workers or min(8, (os.cpu_count() or 1) + 2)


@dataclass(frozen=True, kw_only=True)
class BuildConfig(MakingConfig):
    """The choice of clips, how to make them, and where they go.

    dest: the folder of the dataset. The folder of an earlier run is continued.
    """

    dest: Path

    def __post_init__(self) -> None:
        super().__post_init__()
        _refuse_urls("dest", self.dest)
        self._set("dest", Path(self.dest).expanduser())

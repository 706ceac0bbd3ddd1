"""What was asked of a run: validated once, passed down, never changed.

The fields are the options of the command line under the same names; a bad value is an
`InputError` that names the option.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from nanokinetics.errors import InputError

HARDLINK: Final = "hardlink"
SYMLINK: Final = "symlink"
TRANSCODE: Final = "transcode"
COPY: Final = "copy"
PLACES: Final = (COPY, HARDLINK, SYMLINK, TRANSCODE)
# fmt: off
VIDEO: Final = ("resolution", "audio", "fps", "crf", "x264_preset")
"""How clips are encoded: the fields of `VideoConfig`."""
DEFAULT_SEED: Final = "0"
X264_PRESETS: Final = (
    "ultrafast", "superfast", "veryfast", "faster", "fast",
    "medium", "slow", "slower", "veryslow", "placebo",
)
# fmt: on

LONGEST_DURATION: Final = 3652 * 86400.0
"""Seconds; what is longer has no date."""

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str | float) -> float:
    """Seconds of `90`, `90s`, `15m`, `6h` or `2d`. Raises InputError for anything else."""
    if isinstance(text, int | float):
        found = float(text)
    else:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
        if not match:
            raise InputError(f"'{text}' is not a duration; write 90, 90s, 15m, 6h or 2d")
        found = float(match[1]) * _UNITS[match[2]]
    if not 0 <= found <= LONGEST_DURATION:
        raise InputError(
            f"'{text}' is not a duration of at most ten years; write 90s, 15m, 6h or 2d"
        )
    return found


@dataclass(frozen=True, kw_only=True)
class SampleConfig:
    """What to choose.

    dataset: one of `annotations.DATASETS`.
    annotations: annotation files, of any dialect, one or several. Of ImageNet and
        Something-Something those that do not lie in `src`.
    source: where the clips are, one of `sources.SOURCES`; None is the dataset's own.
    src: the folder, or the archive, that holds the files of a local source.
    class_names: a file with a class and its name a line, as ImageNet has for its wnids.
    listing: for `folder`, files of `path label` lines; None takes the folders for the classes.
    n: clips of each class, for every split or for each one that is named.
    splits: `train`, `val`, `test`; None takes every split that the annotations have.
    classes: the labels to choose from; None takes all.
    num_classes: how many classes to draw; None takes all.
    preset: a class list, and perhaps the counts, of those in `presets`; n overrules its own.
    seed: any text without a newline; another seed is another choice. None is `0`.
    from_: a built folder, or a manifest, whose clips to take instead of choosing anew.
    allow_replacements: let reserves of the folder `from_` stand in for clips that are gone.
    skip_bad_rows: leave unusable annotation rows out instead of refusing to start.
    """

    dataset: str
    n: int | Mapping[str, int] | None = None
    annotations: tuple[Path, ...] = ()
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

    @classmethod
    def of(cls, dataset: str, options: Mapping[str, Any]) -> Self:
        """What a caller of the library asks for. `split` may stand for `splits`."""
        given = dict(options)
        if "split" in given:
            if given.get("splits") is not None:
                raise InputError("split and splits are the same; leave one out")
            given["splits"] = given.pop("split")
        return cls(dataset=dataset, **given)

    def __post_init__(self) -> None:
        self._set("annotations", tuple(Path(p) for p in _listed(self.annotations)))
        for name in ("src", "class_names", "from_"):
            value = getattr(self, name)
            self._set(name, None if value is None else Path(value).expanduser())
        if self.listing is not None:
            self._set("listing", tuple(Path(p) for p in _listed(self.listing)))
        self._set("splits", None if self.splits is None else tuple(_listed(self.splits)))
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

    def _check_choice(self) -> None:
        """There is one way to choose, and not two."""
        if self.n is None and self.preset is None and self.from_ is None:
            raise InputError("say how many clips of each class with --n N")
        if self.allow_replacements and self.from_ is None:
            raise InputError("--allow-replacements is for --from")
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


def _listed(value: Any) -> list[Any]:
    """One value or several, as a list: a library user may give either."""
    return [value] if isinstance(value, str | os.PathLike) else list(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoConfig:
    """How a clip is encoded.

    resolution: the most pixels its shorter side may have; nothing is ever enlarged.
    fps: frames a second; None keeps those of the video.
    crf, x264_preset: x264's quality (0 best to 51 worst) and speed.
    """

    resolution: int = 360
    audio: bool = True
    fps: float | None = None
    crf: int = 23
    x264_preset: str = "veryfast"

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


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """How the network is asked.

    cookies: a Netscape cookie file; it is read once, never written and never logged.
    yt_dlp_args: options as one would type them to yt-dlp, parsed by yt-dlp itself.
    """

    cookies: Path | None = None
    proxy: str | None = None
    yt_dlp_args: str = ""

    def __post_init__(self) -> None:
        if self.proxy and not re.match(r"(https?|socks(4a?|5h?))://[^/]*[^/@]", self.proxy):
            raise InputError("--proxy is like http://HOST:PORT or socks5://USER:PASSWORD@HOST:PORT")
        if self.cookies is not None and not self.cookies.is_file():
            raise InputError(f"--cookies: there is no file {self.cookies}")


@dataclass(frozen=True, slots=True)
class PaceOptions:
    """How fast and how patiently a source is to be asked, as far as the user has said.

    per_hour: starts in any rolling hour, 0 for no limit; None leaves it to the source. first_wait:
    seconds of the first wait after a refusal. max_wait: seconds of waiting in all. has_account:
    whether the source is asked with cookies.
    """

    per_hour: int | None = None
    first_wait: float = 60.0
    max_wait: float = 6 * 3600.0
    has_account: bool = False

    def __post_init__(self) -> None:
        if self.per_hour is not None and self.per_hour < 0:
            raise InputError(f"--max-per-hour is 0 or more, not {self.per_hour}")


@dataclass(frozen=True, kw_only=True)
class BuildConfig(SampleConfig):
    """What to make of the choice, and how.

    dest: the folder of the dataset; a folder made by an earlier run is continued.
    workers: processes at work at once; None suits the machine.
    place: how local files get there: one of PLACES. None is `copy`, or, with `from_`, `transcode`
        where that subset was made so.
    resolution, audio, fps, crf, x264_preset: see `VideoConfig`. None is its default, or, with
        `from_`, what that subset was made with.
    max_per_hour: videos asked for in any hour, 0 for no limit; None is 300 without cookies and
        2000 with them.
    max_wait: seconds to wait in all, while YouTube refuses, before giving up for now.
    wait_forever: never give up, however long YouTube refuses; `max_wait` then counts for nothing.
    block_wait: seconds of the first wait after a refusal that names no time; doubled each time.
    retry_failed: ask again for clips whose failure may have passed.
    replace_transient: let reserves stand in for clips that fail for now, to have n today.
    cookies, proxy, yt_dlp_args: see `NetworkConfig`.
    ffmpeg: the program to use; None finds one.
    failed_logs: where the complete output of failed attempts is kept.
    """

    dest: Path
    place: str | None = None
    workers: int | None = None
    resolution: int | None = None
    audio: bool | None = None
    fps: float | None = None
    crf: int | None = None
    x264_preset: str | None = None
    max_per_hour: int | None = None
    max_wait: float = 6 * 3600.0
    wait_forever: bool = False
    block_wait: float = 60.0
    retry_failed: bool = False
    replace_transient: bool = False
    cookies: Path | None = None
    proxy: str | None = None
    yt_dlp_args: str = ""
    ffmpeg: str | None = None
    failed_logs: Path = Path("failed_logs")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("max_wait", "block_wait"):
            try:
                self._set(name, parse_duration(getattr(self, name)))
            except InputError as error:
                raise InputError(f"--{name.replace('_', '-')}: {error}") from None
        for name in ("dest", "failed_logs", "cookies"):
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
        _ = self.network  # checks its own values
        _ = self.video  # checks its own values

    @property
    def video(self) -> VideoConfig:
        given = {name: getattr(self, name) for name in VIDEO}
        return VideoConfig(**{name: value for name, value in given.items() if value is not None})

    @property
    def network(self) -> NetworkConfig:
        return NetworkConfig(cookies=self.cookies, proxy=self.proxy, yt_dlp_args=self.yt_dlp_args)

    @property
    def pace(self) -> PaceOptions:
        """How the source is to be asked."""
        return PaceOptions(
            per_hour=self.max_per_hour,
            first_wait=self.block_wait,
            max_wait=math.inf if self.wait_forever else self.max_wait,
            has_account=self.cookies is not None,
        )

    @property
    def processes(self) -> int:
        """How many workers. A few more than processors, since each waits for the network often."""
        return self.workers or min(8, (os.cpu_count() or 1) + 2)

"""Whether a build would work on this machine: a small function a check, a `Finding` each.

Nothing is changed (what is written to try a folder is removed again), and only the canary, a video
that was named, is asked for over the network. A check that cannot be made says so. What needs
yt-dlp imports it within its check: that it cannot be imported is a finding too.
"""

from __future__ import annotations

import os
import re
import shutil
import ssl
import tempfile
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from nanokinetics.clips.cut import cut
from nanokinetics.clips.ffmpeg import find_ffmpeg, inputs_of
from nanokinetics.common.secrets import mask
from nanokinetics.common.text import size
from nanokinetics.config import NetworkConfig, VideoConfig
from nanokinetics.dataset.record import read_record
from nanokinetics.errors import EnvironmentFault, Failure, Kind, NanokineticsError, Reason
from nanokinetics.layout import Layout
from nanokinetics.sources import diagnosis
from nanokinetics.sources.youtube import YouTube

OLD: Final = 90
"""Days from which on yt-dlp's own command line warns of its age."""

LITTLE_SPACE: Final = 1_000_000_000
NO_SPACE: Final = 50_000_000
"""Bytes: some 700 clips of ten seconds at 360p, and some 35."""

LONGEST_NAME: Final = 255
"""Bytes of a file's name, as most file systems have it and the annotations are checked for."""

SOLVER: Final = "yt-dlp-ejs"

DECODERS: Final[Mapping[str, frozenset[str]]] = {
    "VP9": frozenset({"vp9", "libvpx-vp9"}),
    "AV1": frozenset({"libdav1d", "libaom-av1", "libgav1"}),  # ffmpeg's own needs a graphics card
    "Opus": frozenset({"opus", "libopus"}),
}
"""What YouTube has beside H.264 and AAC, and the decoders of ffmpeg that can read it."""

UPDATE: Final = "pip install -U 'yt-dlp[default,deno]'"


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """A build works, but for something that not everybody needs, or may soon not."""
    FAULT = "fault"
    """A build would fail."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found, in one line, and what to do about it."""

    check: str
    level: Level
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        told = f"{self.found}; {self.remedy}" if self.remedy else self.found
        return f"{self.level:<8} {self.check:<12} {' '.join(told.split())}"


Told = tuple[Level, str, str]
"""Level, what was found, and a remedy or nothing."""


def examine(
    *,
    today: date,
    environment: Mapping[str, str],
    dest: Path | None = None,
    ffmpeg: str | None = None,
    network: NetworkConfig | None = None,
    canary: str | None = None,
) -> Iterator[Finding]:
    """Make every check, one after the other; no check raises.

    dest: the folder of a dataset, to be or that is; None looks at the current one as a place for
    it. canary: the id of a video that is to be asked for, and a second of it read.
    """
    network = network or NetworkConfig()
    checks: dict[str, Callable[[], Told]] = {
        "ffmpeg": lambda: of_ffmpeg(ffmpeg),
        "yt-dlp": lambda: of_yt_dlp(_imported_yt_dlp(), today),
        "javascript": lambda: of_javascript(network),
        "js solver": lambda: of_solver(_installed(SOLVER), _solver_wanted()),
        "certificates": lambda: of_certificates(network, environment),
        "proxy": lambda: of_proxy(network),
        "destination": lambda: of_destination(dest),
        "file system": lambda: of_file_system(dest),
        "free space": lambda: of_space(shutil.disk_usage(_existing(dest)).free),
    }
    if canary is not None:
        checks["canary"] = lambda: of_canary(canary, network, ffmpeg)
    for name, check in checks.items():
        try:
            yield Finding(name, *check())
        except NanokineticsError as error:
            yield Finding(name, Level.FAULT, str(error))
        except ImportError as error:
            yield Finding(name, Level.FAULT, f"cannot be imported: {error}", UPDATE)
        except Exception as error:  # noqa: BLE001 - that is the promise of this module
            why = mask(f"{type(error).__name__}: {error}")
            yield Finding(name, Level.WARNING, f"could not be looked at ({why})")


# -- programs


def of_ffmpeg(path: str | None) -> Told:
    found = find_ffmpeg(path)
    about = f"{found.version} at {found.path}, with libx264"
    if "aac" not in found.encoders:
        return Level.FAULT, f"{about} but without aac", "use --no-audio, or another --ffmpeg"
    about += " and aac"
    protocols, decoders = inputs_of(found)
    if not protocols >= {"https", "tls"}:
        why = "but it cannot read https, and every stream of YouTube is that"
        return Level.FAULT, f"{about}, {why}", "install another ffmpeg, or name one with --ffmpeg"
    lacks = [codec for codec, able in DECODERS.items() if not decoders & able]
    if lacks:
        why = f"but nothing that decodes {', '.join(lacks)}: videos that come as that alone fail"
        return Level.WARNING, f"{about}, {why}", "another ffmpeg may have it"
    return Level.OK, about, ""


def of_yt_dlp(number: str, today: date) -> Told:
    """yt-dlp's version is the date of its release; a nightly one has the time behind it."""
    try:
        year, month, day = map(int, number.split(".")[:3])
        age = (today - date(year, month, day)).days
    except ValueError:
        return Level.WARNING, f"{number}, of unknown age", UPDATE
    if age > OLD:
        why = "an old one is the commonest cause of failure"
        return Level.WARNING, f"{number}, {age} days old; {why}", UPDATE
    return Level.OK, f"{number}, {max(0, age)} days old", ""


def of_javascript(network: NetworkConfig) -> Told:
    from nanokinetics.sources.ytdlp import javascript

    found = javascript(network.yt_dlp_args)
    usable = [f"{name} {number}" for name, number, supported in found if supported]
    if usable:
        return Level.OK, ", ".join(usable), ""
    old = [f"{name} {number} is too old for yt-dlp" for name, number, _ in found]
    return Level.WARNING, ", ".join(old) or "none that yt-dlp would use; formats may lack", UPDATE


def of_solver(number: str, wanted: str) -> Told:
    """The package of scripts that a runtime solves YouTube's challenges with.

    number: its version, empty if it is not here. wanted: the version that yt-dlp names; it takes
    those that differ in the last part too. Empty for a yt-dlp that names none.
    """
    if not wanted:
        return Level.OK, number or "none, and this yt-dlp names none", ""
    if not number:
        return Level.WARNING, f"{SOLVER} is not here; formats may lack", UPDATE
    if number.split(".")[:2] != wanted.split(".")[:2]:
        why = f"{SOLVER} {number}, and this yt-dlp takes {wanted} only; formats may lack"
        return Level.WARNING, why, UPDATE
    return Level.OK, f"{SOLVER} {number}", ""


def _imported_yt_dlp() -> str:
    import yt_dlp

    return str(yt_dlp.version.__version__)


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _solver_wanted() -> str:
    named = (re.match(rf"{SOLVER}\s*==\s*([\w.]+)", each) for each in requires("yt-dlp") or ())
    return next((found[1] for found in named if found), "")


# -- the way to YouTube


def of_certificates(network: NetworkConfig, environment: Mapping[str, str]) -> Told:
    from nanokinetics.sources.ytdlp import ca_file, parse_yt_dlp_args

    params = parse_yt_dlp_args(network.yt_dlp_args)
    if params.get("nocheckcertificate"):
        return Level.WARNING, "are not checked, as --yt-dlp-args says", "leave that out"
    named = environment.get("SSL_CERT_FILE")
    if named and not Path(named).is_file():
        return Level.FAULT, f"SSL_CERT_FILE is {named}, and there is no such file", "unset it"
    path = ca_file(params)
    try:
        count = len(ssl.create_default_context(cafile=path or None).get_ca_certs())
    except OSError as error:
        return Level.FAULT, f"{path} cannot be read: {error.strerror or error}", "mend the file"
    about = f"{count} authorities of {path}" if path else "those of the system"
    if named and Path(named) != Path(path):
        return (
            Level.WARNING,
            f"{about}, and not SSL_CERT_FILE",
            "--yt-dlp-args='--compat-options no-certifi' makes that one count",
        )
    return Level.OK, about, ""


def of_proxy(network: NetworkConfig) -> Told:
    given = {"--proxy": network.proxy} if network.proxy is not None else {}
    used = given or {f"{k}_proxy": v for k, v in urllib.request.getproxies().items()}
    if not used:
        return Level.OK, "none", ""
    about = ", ".join(f"{name} {mask(url)}" for name, url in used.items())
    spoken = [url for name, url in used.items() if name != "no_proxy"]
    if any(url and not url.startswith("http://") for url in spoken):
        why = "ffmpeg speaks to http:// proxies only, so whole videos are fetched"
        return Level.WARNING, f"{about}; {why}", "use an http:// proxy if there is one"
    return Level.OK, about or "none", ""


def of_canary(canary: str, network: NetworkConfig, ffmpeg: str | None) -> Told:
    """Find one video, and read the first second of it, as a build would."""
    fetcher = YouTube(network, VideoConfig()).fetcher()
    source = fetcher.open(canary)
    if isinstance(source, Failure):
        return _of_failure(canary, source)
    about = f"{canary} was found, formats {source.format_id}"
    if not source.seekable:
        return Level.OK, f"{about}; only as a whole, so none of it was read", ""
    try:
        program = find_ffmpeg(ffmpeg)
    except EnvironmentFault:
        return Level.OK, f"{about}; without ffmpeg none of it was read", ""
    with tempfile.TemporaryDirectory(prefix="nanokinetics-") as folder:
        clip = Path(folder) / "canary.mp4"
        done = cut(program, source.streams, (0.0, 1.0), VideoConfig(), clip, threads=1, timeout=120)
    if done.returncode != 0:
        failure = diagnosis.of_ffmpeg(done.stderr) or Failure(
            Reason.TIMEOUT if done.returncode is None else Reason.TRUNCATED,
            f"ffmpeg ended with {done.returncode}",
        )
        return _of_failure(canary, failure)
    return Level.OK, f"{about}; a second of it was read ({size(done.bytes_read)})", ""


def _of_failure(canary: str, failure: Failure) -> Told:
    about = mask(f"{canary}: {failure.reason.words} ({failure.message})")
    if failure.kind in (Kind.PERMANENT, Kind.CONDITIONAL, Kind.MEDIA):
        return (
            Level.WARNING,
            f"{about}; YouTube answers, but this video is not to be had",
            "name another",
        )
    if failure.kind is Kind.BLOCKED or failure.reason is Reason.FORBIDDEN_MEDIA:
        return (
            Level.FAULT,
            about,
            f"YouTube refuses this address for now: wait, for an hour at first, or {UPDATE}",
        )
    return Level.FAULT, about, failure.remedy


# -- where the clips go


def of_destination(dest: Path | None) -> Told:
    place = _existing(dest)
    if dest is not None and dest.exists():
        read_record(Layout(dest))  # raises for a file, and for somebody else's folder
    if not place.is_dir():
        return Level.FAULT, f"{place} is a file", "name a folder with --dest"
    try:
        with tempfile.TemporaryDirectory(prefix=".nanokinetics-", dir=place) as folder:
            (Path(folder) / "try").write_bytes(b"x" * 4096)
    except OSError as error:
        why = f"{place} cannot be written to: {error.strerror}"
        return Level.FAULT, why, "name another with --dest, or mend its rights"
    return Level.OK, f"{place} can be written to" + _to_be_made(dest), ""


def _to_be_made(dest: Path | None) -> str:
    return "" if dest is None or dest.exists() else f"; {dest.name} will be made"


def of_file_system(dest: Path | None) -> Told:
    """What the file system of a folder can do that builds make use of."""
    try:
        with tempfile.TemporaryDirectory(prefix=".nanokinetics-", dir=_existing(dest)) as folder:
            lacks = [what for what, attempt in _FEATURES.items() if not attempt(Path(folder))]
    except OSError as error:
        return Level.WARNING, f"could not be looked at ({error.strerror})", ""
    if not lacks:
        return Level.OK, f"has {', '.join(_FEATURES)}", ""
    level = Level.FAULT if {_RENAME, _LOCKS} & {*lacks} else Level.WARNING
    return level, f"lacks {', '.join(lacks)}", "name a --dest on another file system if it matters"


def _renames(folder: Path) -> bool:
    old, new = folder / "old", folder / "new"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    return _succeeds(lambda: new.replace(old)) and old.read_bytes() == b"new"


def _locks(folder: Path) -> bool:
    """Whether a second run would be kept out."""
    path = folder / "lock"
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # filelock tells of another kind of lock, which does as well
        try:
            with FileLock(path, timeout=0), FileLock(path, timeout=0):
                return False
        except Timeout:
            return True
        except (OSError, NotImplementedError):  # the latter from a filelock of one kind only
            return False


def _links(folder: Path) -> bool:
    (folder / "file").touch()
    return _succeeds(lambda: (folder / "hard").hardlink_to(folder / "file"))


def _symlinks(folder: Path) -> bool:
    return _succeeds(lambda: (folder / "soft").symlink_to("file"))


def _long_names(folder: Path) -> bool:
    return _succeeds((folder / ("x" * LONGEST_NAME)).touch)


def _tells_case(folder: Path) -> bool:
    (folder / "case").touch()
    return not (folder / "CASE").exists()


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


_RENAME: Final = "atomic rename"
_LOCKS: Final = "file locks"
_FEATURES: Final[Mapping[str, Callable[[Path], bool]]] = {
    _RENAME: _renames,
    _LOCKS: _locks,
    "hard links": _links,
    "symbolic links": _symlinks,
    "long names": _long_names,
    "upper and lower case": _tells_case,
}


def of_space(free: int) -> Told:
    told = f"{size(free)}, for some {free // 1_400_000:,} clips of ten seconds at 360p"
    if free < NO_SPACE:
        return Level.FAULT, told, "make room, or name another --dest"
    if free < LITTLE_SPACE:
        return Level.WARNING, told, "nanokinetics sample says how much is needed"
    return Level.OK, told, ""


def _existing(dest: Path | None) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    place = Path(os.path.abspath(dest or Path()))  # noqa: PTH100 - links are not to be followed
    while not place.exists() and place != place.parent:
        place = place.parent
    return place

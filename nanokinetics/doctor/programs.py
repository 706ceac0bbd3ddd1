"""Checks of the programs that a build runs: ffmpeg, yt-dlp, and a JavaScript runtime."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

from nanokinetics.clips.ffmpeg import filters_of, find_ffmpeg, inputs_of
from nanokinetics.config import NetworkConfig
from nanokinetics.doctor.findings import UPDATE, CheckResult, Level

OLD: Final = 90
"""Age in days at which yt-dlp's own command line begins to warn."""

SOLVER: Final = "yt-dlp-ejs"

DECODERS: Final[Mapping[str, frozenset[str]]] = {
    "VP9": frozenset({"vp9", "libvpx-vp9"}),
    "AV1": frozenset({"libdav1d", "libaom-av1", "libgav1"}),  # ffmpeg's own needs a graphics card
    "Opus": frozenset({"opus", "libopus"}),
}
"""The codecs of YouTube apart from H.264 and AAC, and the ffmpeg decoders for each."""


def of_ffmpeg(path: str | None) -> CheckResult:
    found = find_ffmpeg(path)
    about = f"{found.version} at {found.path}, with libx264"
    if "aac" not in found.encoders:
        return Level.FAULT, f"{about} but without aac", "use --no-audio, or another --ffmpeg"
    about += " and aac"
    protocols, decoders = inputs_of(found)
    if not protocols >= {"https", "tls"}:
        why = "but it cannot read https, and every stream of YouTube is that"
        return Level.FAULT, f"{about}, {why}", "install another ffmpeg, or name one with --ffmpeg"
    if not filters_of(found.path) >= {"zscale", "tonemap"}:
        why = "but no zscale: HDR videos get their colours in a rougher way"
        return Level.WARNING, f"{about}, {why}", "without --ffmpeg the bundled one is used"
    lacks = [codec for codec, able in DECODERS.items() if not decoders & able]
    if lacks:
        why = f"but nothing that decodes {', '.join(lacks)}: videos that come as that alone fail"
        return Level.WARNING, f"{about}, {why}", "another ffmpeg may have it"
    return Level.OK, about, ""


def of_yt_dlp(number: str, today: date) -> CheckResult:
    """Check the age of yt-dlp. Its version is its release date; a nightly adds the time."""
    try:
        year, month, day = map(int, number.split(".")[:3])
        age = (today - date(year, month, day)).days
    except ValueError:
        return Level.WARNING, f"{number}, of unknown age", UPDATE
    if age > OLD:
        why = "an old one is the commonest cause of failure"
        return Level.WARNING, f"{number}, {age} days old; {why}", UPDATE
    return Level.OK, f"{number}, {max(0, age)} days old", ""


def of_javascript(network: NetworkConfig) -> CheckResult:
    from nanokinetics.sources.ytdlp_options import javascript

    found = javascript(network.yt_dlp_args)
    usable = [f"{name} {number}" for name, number, supported in found if supported]
    if usable:
        return Level.OK, ", ".join(usable), ""
    old = [f"{name} {number} is too old for yt-dlp" for name, number, _ in found]
    return Level.WARNING, ", ".join(old) or "none that yt-dlp would use; formats may lack", UPDATE


def of_solver(number: str, wanted: str) -> CheckResult:
    """Check the package of scripts with which a JavaScript runtime solves YouTube's challenges.

    number: its version, empty if it is not installed. wanted: the version that yt-dlp requires,
    empty if yt-dlp requires none; yt-dlp ignores the last part of the version.
    """
    if not wanted:
        return Level.OK, number or "none, and this yt-dlp names none", ""
    if not number:
        return Level.WARNING, f"{SOLVER} is not here; formats may lack", UPDATE
    if number.split(".")[:2] != wanted.split(".")[:2]:
        why = f"{SOLVER} {number}, and this yt-dlp takes {wanted} only; formats may lack"
        return Level.WARNING, why, UPDATE
    return Level.OK, f"{SOLVER} {number}", ""


def imported_yt_dlp() -> str:
    import yt_dlp

    return str(yt_dlp.version.__version__)


def installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def solver_wanted() -> str:
    named = (re.match(rf"{SOLVER}\s*==\s*([\w.]+)", each) for each in requires("yt-dlp") or ())
    return next((found[1] for found in named if found), "")

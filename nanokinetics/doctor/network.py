"""Checks of the connection to YouTube: certificates, proxies, and a canary."""

from __future__ import annotations

import ssl
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from nanokinetics.clips.cut import cut
from nanokinetics.clips.ffmpeg import find_ffmpeg
from nanokinetics.common.secrets import mask
from nanokinetics.common.text import size
from nanokinetics.config import NetworkConfig, VideoConfig
from nanokinetics.doctor.findings import UPDATE, CheckResult, Level
from nanokinetics.errors import EnvironmentFault, Failure, Kind, Reason
from nanokinetics.sources import diagnosis, remote_source
from nanokinetics.sources.route import ca_file


def of_certificates(network: NetworkConfig, environment: Mapping[str, str]) -> CheckResult:
    from nanokinetics.sources.ytdlp_options import parse_yt_dlp_args

    params = parse_yt_dlp_args(network.yt_dlp_args)
    if params.get("nocheckcertificate"):
        return Level.WARNING, "are not checked, as --yt-dlp-args says", "leave that out"
    named = environment.get("SSL_CERT_FILE")
    if named and not Path(named).is_file():
        return Level.FAULT, f"SSL_CERT_FILE is {named}, and there is no such file", "unset it"
    path = ca_file(params, environment)
    try:
        count = len(ssl.create_default_context(cafile=path or None).get_ca_certs())
    except OSError as error:
        return Level.FAULT, f"{path} cannot be read: {error.strerror or error}", "fix the file"
    about = f"{count} authorities of {path}" if path else "those of the system"
    if named:
        about += ", as SSL_CERT_FILE says"
    return Level.OK, about, ""


def of_proxy(network: NetworkConfig) -> CheckResult:
    from nanokinetics.sources.ytdlp_options import parse_yt_dlp_args

    named = network.proxy
    if named is None:
        named = parse_yt_dlp_args(network.yt_dlp_args).get("proxy")
    given = {"--proxy": named} if named is not None else {}
    used = given or {f"{k}_proxy": v for k, v in urllib.request.getproxies().items()}
    if not used:
        return Level.OK, "none", ""
    about = ", ".join(f"{name} {mask(url)}" for name, url in used.items())
    spoken = [url for name, url in used.items() if name != "no_proxy"]
    if any(url and not url.startswith("http://") for url in spoken):
        why = "ffmpeg speaks to http:// proxies only, so yt-dlp reads for it, in more requests"
        return Level.WARNING, f"{about}; {why}", "use an http:// proxy if there is one"
    return Level.OK, about or "none", ""


def of_cookies(network: NetworkConfig) -> CheckResult:
    """Whether the cookies are of an account. Raises InputError for a file that cannot be used."""
    if network.cookies is None:
        return Level.OK, "none", ""
    remarks = remote_source(network).remarks()
    if remarks:
        return Level.WARNING, "; ".join(remarks), ""
    return Level.OK, f"{network.cookies} holds a login", ""


def of_canary(canary: str, network: NetworkConfig, ffmpeg: str | None) -> CheckResult:
    """Find one video and read its first second, as a build does."""
    fetcher = remote_source(network).maker(None).open()
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


def _of_failure(canary: str, failure: Failure) -> CheckResult:
    about = f"{canary}: {failure.reason.words} ({failure.message})"
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

"""How yt-dlp is set up: the user's options, ours, cookies and certificates."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import ssl
from optparse import OptParseError
from pathlib import Path
from typing import Any, Final

import yt_dlp
from yt_dlp.dependencies import certifi

from nanokinetics.errors import InputError


def parse_yt_dlp_args(text: str) -> dict[str, Any]:
    """The parameters that differ from yt-dlp's defaults, as yt-dlp itself reads its options.

    Raises InputError with yt-dlp's words for an option that it does not know.
    """
    if not text.strip():
        return {}
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # --help and its like print and exit
            given = yt_dlp.parse_options(["--ignore-config", *shlex.split(text)])
    except (OptParseError, ValueError, SystemExit) as error:
        why = (str(error).strip().splitlines() or ["not usable here"])[-1].rpartition("error: ")[2]
        raise InputError(f"--yt-dlp-args '{text}': {why}") from None
    if given.urls:
        raise InputError(f"--yt-dlp-args '{text}': '{given.urls[0]}' is not an option")
    default = yt_dlp.parse_options(["--ignore-config"]).ydl_opts
    changed = {k: v for k, v in given.ydl_opts.items() if k not in default or default[k] != v}
    return {k: v for k, v in changed.items() if k not in _NOT_FOR_US}


# fmt: off
_NOT_FOR_US: Final = frozenset({
    "listformats", "list_thumbnails", "listsubtitles", "match_filter", "daterange", "simulate",
    "skip_download", "min_views", "max_views", "age_limit", "download_archive", "forceprint",
    "print_to_file", "dump_single_json", "forcejson", "wait_for_video", "live_from_start",
    "outtmpl", "paths",
})
"""Parameters that make yt-dlp print, skip or pretend instead of finding a video."""
# fmt: on


def fixed_params(resolution: int, *, audio: bool) -> dict[str, Any]:
    """What this program relies on, whatever else is asked of yt-dlp.

    Retrying is the worker's business and the gate's, so yt-dlp does none of its own.
    """
    return {
        # Whatever kind of stream is missing, something is left to take.
        "format": "bv*+ba/b/bv*" if audio else "bv/b/bv*",
        # `res` is the shorter side. Codecs that are cheap to decode, after what can be sought in.
        "format_sort": [f"res:{resolution}", "proto", "vcodec:h264", "acodec:aac"],
        "extractor_retries": 0,
        "retries": 0,
        "fragment_retries": 0,
        "ignoreerrors": False,
        "quiet": True,
        "noprogress": True,
        "color": "never",
        "noplaylist": True,
        "cachedir": False,
        "nopart": True,
        "overwrites": True,
        "hls_prefer_native": True,
        "postprocessors": [],
    }


def cookies_of(path: Path) -> io.StringIO:
    """A cookie file's text, in memory: yt-dlp writes such a file back, and this one is not ours.

    Raises InputError for one that cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--cookies {path} cannot be read: {error}") from None
    # A line that is none would be quoted on the terminal by yt-dlp, secret or not.
    kept = [line for line in lines if line.startswith("#") or line.count("\t") == 6]
    if not kept or not re.match(r"#( Netscape)? HTTP Cookie File", kept[0]):
        raise InputError(f"--cookies {path} is not a cookie file in Netscape's format")
    return io.StringIO("\n".join([*kept, ""]))


def javascript(yt_dlp_args: str) -> list[tuple[str, str, bool]]:
    """The JavaScript runtimes that yt-dlp would use: name, version, and whether that suffices."""
    with yt_dlp.YoutubeDL({**parse_yt_dlp_args(yt_dlp_args), "quiet": True}) as ydl:
        found = [runtime.info for runtime in ydl._js_runtimes.values() if runtime]  # noqa: SLF001
    return [(info.name, info.version, info.supported) for info in found if info]


def ca_file(params: dict[str, Any]) -> str:
    """The certificates that yt-dlp trusts, so that ffmpeg trusts the same.

    yt-dlp takes certifi's wherever that is installed, unless told `--compat-options no-certifi`;
    then Python's own choice holds, which `SSL_CERT_FILE` can name.
    """
    if certifi and "no-certifi" not in params.get("compat_opts", ()):
        return str(certifi.where())
    return ssl.get_default_verify_paths().cafile or ""

"""The set-up of yt-dlp: the user's options, this program's options, cookies and certificates."""

from __future__ import annotations

import contextlib
import io
import shlex
from collections.abc import Iterator
from optparse import OptParseError
from pathlib import Path
from typing import Any, Final

import yt_dlp
from yt_dlp.postprocessor.ffmpeg import FFmpegPostProcessor

from nanokinetics.errors import InputError
from nanokinetics.sources import cookies
from nanokinetics.sources.ytdlp_refused import refused


def parse_yt_dlp_args(text: str) -> dict[str, Any]:
    """Parse options with yt-dlp's own parser; returns the parameters that differ from its defaults.

    Raises InputError for an option that yt-dlp does not know, with yt-dlp's message, and for one
    that has no effect here.
    """
    if not text.strip():
        return {}
    own = yt_dlp.parse_options(["--ignore-config"])
    try:
        words = shlex.split(text)
        why = refused(own.parser, words)  # before yt-dlp reads the files that options name
        if why:
            raise InputError(f"--yt-dlp-args: {why}; leave it out")
        with contextlib.redirect_stdout(io.StringIO()):  # options like --help print and exit
            given = yt_dlp.parse_options(["--ignore-config", *words])
    except (OptParseError, ValueError, SystemExit) as error:
        why = (str(error).strip().splitlines() or ["not usable here"])[-1].rpartition("error: ")[2]
        raise InputError(f"--yt-dlp-args '{text}': {why}") from None
    if given.urls:
        raise InputError(f"--yt-dlp-args '{text}': '{given.urls[0]}' is not an option")
    default = own.ydl_opts
    changed = {k: v for k, v in given.ydl_opts.items() if k not in default or default[k] != v}
    if not _OURS.isdisjoint(changed):  # by a preset or an alias
        raise InputError(f"--yt-dlp-args '{text}': formats and files are not yt-dlp's to choose")
    return changed


_OURS: Final = frozenset(
    {
        *("format", "format_sort", "merge_output_format", "postprocessors", "final_ext"),
        *("listformats", "list_thumbnails", "listsubtitles", "match_filter", "daterange"),
        *("simulate", "skip_download", "min_views", "max_views", "age_limit", "download_archive"),
        *("forceprint", "print_to_file", "dump_single_json", "forcejson", "wait_for_video"),
        *("live_from_start", "outtmpl", "paths", "download_ranges", "force_keyframes_at_cuts"),
    }
)
"""Parameters that no option may set: with them yt-dlp would print, skip or simulate, or they would
have no effect. Options by their own names are refused before: see `ytdlp_refused`."""


ORIGINAL_SOUND: Final = "bv+ba[language_preference>=5]"
"""A sound that is marked as the original (10) or as the default (5), where a video has several. A
file that holds both picture and sound may hold a dub. The further alternatives of the format cover
videos that lack some kind of stream."""

NO_FFMPEG: Final = "(yt-dlp may start no ffmpeg here)"
"""A file that does not exist."""


@contextlib.contextmanager
def no_ffmpeg() -> Iterator[None]:
    """Keep yt-dlp from the system's ffmpeg: parts of it look for one without asking its options."""
    location = FFmpegPostProcessor._ffmpeg_location  # noqa: SLF001 - its command line sets it too
    before = location.set(NO_FFMPEG)
    try:
        yield
    finally:
        location.reset(before)


def fixed_params(resolution: int, *, audio: bool) -> dict[str, Any]:
    """The parameters that this program needs. They override the user's options.

    resolution: the shorter side in pixels. yt-dlp must not retry: the worker and the gate do that.
    """
    return {
        "format": f"{ORIGINAL_SOUND}/bv*+ba/b/bv*" if audio else "bv/b/bv*",
        # `res` is the shorter side. Seekable protocols come first, then cheap decoders. A dub never
        # comes before the original, whatever its codec.
        "format_sort": [f"res:{resolution}", "proto", "vcodec:h264", "lang", "acodec:aac"],
        "extractor_retries": 0,
        "retries": 0,
        "fragment_retries": 0,
        "skip_unavailable_fragments": False,  # the clip would have a hole
        "ignoreerrors": False,
        "quiet": True,
        "noprogress": True,
        "color": "never",
        "noplaylist": True,
        "cachedir": False,
        "nopart": True,
        "overwrites": True,
        # yt-dlp starts no downloader: it would know neither our time limits nor our proxy.
        "hls_prefer_native": True,
        "external_downloader": {"default": "native"},
        "ffmpeg_location": NO_FFMPEG,
        "concurrent_fragment_downloads": 1,
        "postprocessors": [],
    }


def in_english(extractor_args: dict[str, Any]) -> dict[str, Any]:
    """Extractor arguments that ask YouTube for English, in which `playability` knows its texts."""
    of_youtube = {**extractor_args.get("youtube", {}), "lang": ["en"]}
    return {**extractor_args, "youtube": of_youtube}


def cookies_of(path: Path) -> io.StringIO:
    """The text of a cookie file, in memory, because yt-dlp would write to the user's file.

    Raises InputError for a file that yt-dlp cannot use: see `cookies`.
    """
    return io.StringIO(cookies.read(path).text)


def javascript(yt_dlp_args: str) -> list[tuple[str, str, bool]]:
    """The JavaScript runtimes that yt-dlp would use: name, version, and whether it is supported."""
    with yt_dlp.YoutubeDL({**parse_yt_dlp_args(yt_dlp_args), "quiet": True}) as ydl:
        found = [runtime.info for runtime in ydl._js_runtimes.values() if runtime]  # noqa: SLF001
    return [(info.name, info.version, info.supported) for info in found if info]


def transfer_of(dynamic_range: str | None) -> str:
    """The HDR curve that yt-dlp's `dynamic_range` means, by its name in ffmpeg; empty for SDR."""
    if (dynamic_range or "").startswith("HDR"):
        return "smpte2084"
    return "arib-std-b67" if dynamic_range == "HLG" else ""

"""Options of yt-dlp that have no effect here, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from optparse import Option, OptionParser
from typing import Final

_FORMAT: Final = "formats are chosen by --resolution and --no-audio"
_RETRIES: Final = "clips are tried again by nanokinetics itself"
_NAMES: Final = "files lie and are called as --dest says"
_VIDEOS: Final = "the annotations say which videos are asked for"
_MADE: Final = "clips are made by ffmpeg, as --resolution, --fps, --crf and --no-audio say"
_PRINTS: Final = "yt-dlp prints nothing here; --log FILE tells what happens"
_PIECES: Final = "only the window of a clip is read, by nanokinetics itself"

_GROUPS: Final = {
    "Video Selection": _VIDEOS,
    "Thumbnail Options": _MADE,
    "Internet Shortcut Options": _NAMES,
    "Subtitle Options": _MADE,
    "Post-Processing Options": _MADE,
    "SponsorBlock Options": _MADE,
}
"""Groups of yt-dlp's help all of whose options have no effect."""

_FITTING: Final = frozenset({"noplaylist"})
"""Options of these groups that say what is done anyway."""

_OPTIONS: Final = {
    **dict.fromkeys(
        (
            *("format", "format_sort", "format_sort_force", "listformats", "listformats_table"),
            *("merge_output_format", "allow_multiple_video_streams"),
            *("allow_multiple_audio_streams", "prefer_free_formats"),
        ),
        _FORMAT,
    ),
    **dict.fromkeys(
        (
            *("retries", "fragment_retries", "extractor_retries", "retry_sleep"),
            *("skip_unavailable_fragments", "ignoreerrors"),
        ),
        _RETRIES,
    ),
    **dict.fromkeys(
        (
            *("outtmpl", "paths", "useid", "outtmpl_na_placeholder", "autonumber_size"),
            *("autonumber_start", "restrictfilenames", "windowsfilenames", "trim_file_name"),
            *("overwrites", "continue_dl", "nopart", "updatetime", "writedescription"),
            *("writeinfojson", "allow_playlist_files", "clean_infojson", "getcomments"),
            *("keep_fragments",),
        ),
        _NAMES,
    ),
    **dict.fromkeys(
        (
            *("batchfile", "load_info_filename", "playlist_reverse", "playlist_random"),
            *("lazy_playlist", "extract_flat", "default_search", "wait_for_video"),
            *("live_from_start", "allowed_extractors", "force_generic_extractor"),
        ),
        _VIDEOS,
    ),
    **dict.fromkeys(
        (
            *("simulate", "skip_download", "forceprint", "print_to_file", "geturl", "gettitle"),
            *("getid", "getthumbnail", "getdescription", "getduration", "getfilename"),
            *("getformat", "dumpjson", "dump_single_json", "print_json", "consoletitle"),
            *("progress_template", "progress_delta", "progress_with_newline"),
            *("force_write_download_archive", "list_extractors", "list_extractor_descriptions"),
            *("update_self", "list_impersonate_targets"),
        ),
        _PRINTS,
    ),
    **dict.fromkeys(
        (
            *("download_ranges", "external_downloader", "external_downloader_args"),
            *("hls_prefer_native", "hls_use_mpegts", "concurrent_fragment_downloads", "test"),
        ),
        _PIECES,
    ),
    **dict.fromkeys(("cachedir", "rm_cachedir"), "yt-dlp keeps no cache here"),
    "config_locations": "no configuration of yt-dlp is read; write its options themselves",
}
"""Options by the name of their value in yt-dlp."""


def refused(parser: OptionParser, words: Sequence[str]) -> str | None:
    """Of options of yt-dlp the first without effect here, and why; None if there is none.

    parser: yt-dlp's. words: the options as typed; what its parser would refuse is passed over.
    """
    for name, option in _given(parser, list(words)):
        for group in parser.option_groups:
            if option in group.option_list and option.dest not in _FITTING:
                why = _OPTIONS.get(option.dest or "", _GROUPS.get(group.title, ""))
                if why:
                    return f"{name} has no effect here: {why}"
    return None


def _given(parser: OptionParser, words: list[str]) -> Iterator[tuple[str, Option]]:
    """Each option that is given, by the name that is typed. Values are passed over."""
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            name, attached, _ = word.partition("=")
            option = _long(parser, name)
            if option:
                yield name, option
                if option.takes_value() and not attached:
                    del words[: option.nargs or 1]
        elif word.startswith("-"):
            for place, letter in enumerate(word[1:], 2):  # several may stand in one word
                option = parser.get_option(f"-{letter}")
                if option is None:
                    break
                yield f"-{letter}", option
                if option.takes_value():
                    del words[: (option.nargs or 1) - (place < len(word))]
                    break


def _long(parser: OptionParser, name: str) -> Option | None:
    """The option of this name, or the only one that begins so."""
    exact = parser.get_option(name)
    if exact is not None:
        return exact
    begun = {
        id(option): option
        for group in parser.option_groups
        for option in group.option_list
        if any(str(long).startswith(name) for long in vars(option)["_long_opts"])
    }
    return next(iter(begun.values())) if len(begun) == 1 else None

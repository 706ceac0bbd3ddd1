"""Options of yt-dlp that would have no effect are refused by the name that was typed."""

from __future__ import annotations

import pytest
import yt_dlp

from nanokinetics.errors import InputError
from nanokinetics.sources import ytdlp_refused
from nanokinetics.sources.ytdlp_options import fixed_params, parse_yt_dlp_args

REFUSED = [
    ("-f best", "-f", "--resolution"),
    ("-fbest", "-f", "--resolution"),
    ("--format=18", "--format", "--resolution"),
    ("-S res:144", "-S", "--resolution"),
    ("--merge-output-format mkv", "--merge-output-format", "--resolution"),
    ("-o x.mp4", "-o", "--dest"),
    ("-P there", "-P", "--dest"),
    ("--retries 10", "--retries", "tried again"),
    ("-R infinite", "-R", "tried again"),
    ("--download-sections *0-10", "--download-sections", "window"),
    ("-N 4", "-N", "window"),
    ("--downloader aria2c", "--downloader", "window"),
    ("-x", "-x", "--no-audio"),
    ("--recode-video mp4", "--recode-video", "--crf"),
    ("--remux mkv", "--remux", "--crf"),
    ("--exec ls", "--exec", "clips are made"),
    ("--write-subs", "--write-subs", "clips are made"),
    ("--sponsorblock-remove all", "--sponsorblock-remove", "clips are made"),
    ("--write-thumbnail", "--write-thumbnail", "clips are made"),
    ("--match-filters like_count>1", "--match-filters", "annotations"),
    ("-a missing.txt", "-a", "annotations"),
    ("--simulate", "--simulate", "--log"),
    ("-qF", "-F", "--resolution"),
    ("-vU", "-U", "--log"),
    ("--config-locations missing.conf", "--config-locations", "write its options"),
    ("--cache-dir x", "--cache-dir", "no cache"),
    ("--force-ipv4 -f best", "-f", "--resolution"),
]


@pytest.mark.parametrize(("typed", "option", "remedy"), REFUSED)
def test_an_option_without_effect_is_refused(typed: str, option: str, remedy: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_yt_dlp_args(typed)
    assert str(refused.value).startswith(f"--yt-dlp-args: {option} has no effect here: ")
    assert remedy in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("typed", ["-t mp4", "--preset-alias mkv", "--preset mp3"])
def test_a_preset_of_yt_dlp_that_chooses_formats_is_refused(typed: str) -> None:
    with pytest.raises(InputError, match="formats and files are not yt-dlp's to choose"):
        parse_yt_dlp_args(typed)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("--force-ipv4", "source_address"),
        ("-4", "source_address"),
        ("--proxy http://h:1", "proxy"),
        ("--limit-rate 1M", "ratelimit"),
        ("-r 1M", "ratelimit"),
        ("--sleep-requests 1", "sleep_interval_requests"),
        ("-t sleep", "sleep_interval"),
        ("--user-agent -f", "http_headers"),
        ("--add-headers X:--simulate", "http_headers"),
        ("--extractor-args youtube:player_client=web", "extractor_args"),
        ("--cookies-from-browser firefox", "cookiesfrombrowser"),
        ("--no-check-certificates", "nocheckcertificate"),
        ("--netrc", "usenetrc"),
        ("--socket-timeout 5", "socket_timeout"),
        ("--xff DE", "geo_bypass_country"),
        ("-v", "verbose"),
        ("--ignore-config --force-ipv6", "source_address"),
    ],
)
def test_what_reaches_youtube_is_yt_dlps(typed: str, name: str) -> None:
    assert name in parse_yt_dlp_args(typed)


def test_what_is_overridden_cannot_be_set_by_its_own_option() -> None:
    """Else a user believes it to have an effect. Four say what is done anyway."""
    parser = yt_dlp.parse_options(["--ignore-config"]).parser
    fitting = {"quiet", "noprogress", "color", "noplaylist"}
    for group in parser.option_groups:
        for option in group.option_list:
            if option.dest in fixed_params(360, audio=True).keys() - fitting:
                assert ytdlp_refused.refused(parser, [option.get_opt_string()]), option


def test_the_groups_and_the_names_of_values_are_yt_dlps() -> None:
    parser = yt_dlp.parse_options(["--ignore-config"]).parser
    assert set(ytdlp_refused._GROUPS) <= {group.title for group in parser.option_groups}
    dests = {option.dest for group in parser.option_groups for option in group.option_list}
    assert set(ytdlp_refused._OPTIONS) <= dests

"""Every text that YouTube, yt-dlp and ffmpeg are known to fail with, and what it means."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nanokinetics.dataset.ledger import utc
from nanokinetics.errors import Kind, Reason
from nanokinetics.sources.diagnosis import HttpProblem, of_ffmpeg, of_yt_dlp, retry_after

CURLY = "\N{RIGHT SINGLE QUOTATION MARK}"

YOUTUBE_SAYS = [
    ("Video unavailable", Reason.UNAVAILABLE),
    ("This video isn't available anymore", Reason.UNAVAILABLE),
    ("Video unavailable. This video isn't available anymore", Reason.UNAVAILABLE),
    ("This video is not available", Reason.UNAVAILABLE),
    ("Video unavailable. This video is not available", Reason.UNAVAILABLE),
    ("Private video. Sign in if you've been granted access to this video", Reason.PRIVATE),
    ("This video is private", Reason.PRIVATE),
    ("Video unavailable. This video is private", Reason.PRIVATE),
    ("This video has been removed by the uploader", Reason.REMOVED_BY_UPLOADER),
    ("Video unavailable. This video has been removed by the uploader", Reason.REMOVED_BY_UPLOADER),
    (
        "Video unavailable. This video is no longer available because the YouTube account "
        "associated with this video has been terminated.",
        Reason.ACCOUNT_TERMINATED,
    ),
    (
        "The YouTube account associated with this video has been terminated due to multiple "
        "third-party notifications of copyright infringement.",
        Reason.ACCOUNT_TERMINATED,
    ),
    (
        "Video unavailable. This video is no longer available because the uploader has closed "
        "their YouTube account.",
        Reason.ACCOUNT_TERMINATED,
    ),
    (
        "Video unavailable. This video is no longer available due to a copyright claim by "
        "Some Studio, Inc.",
        Reason.COPYRIGHT,
    ),
    (
        "Video unavailable. This video contains content from Some Studio, who has blocked it",
        Reason.COPYRIGHT,
    ),
    (
        "This video has been removed for violating YouTube's Terms of Service",
        Reason.TERMS_OF_SERVICE,
    ),
    (
        "This video has been removed for violating YouTube's Community Guidelines",
        Reason.TERMS_OF_SERVICE,
    ),
    (
        "Sign in to confirm your age. This video may be inappropriate for some users. Use "
        "--cookies-from-browser or --cookies for the authentication.",
        Reason.AGE_RESTRICTED,
    ),
    (
        "Sign in to confirm you're not a bot. Use --cookies-from-browser or --cookies for the "
        "authentication.",
        Reason.BOT_CHECK,
    ),
    (
        "Video unavailable. This content isn't available, try again later. The current session "
        "has been rate-limited by YouTube for up to an hour. It is recommended to use `-t sleep` "
        "to add a delay between video requests to avoid exceeding the rate limit.",
        Reason.RATE_LIMITED,
    ),
    (
        "Video unavailable. This content isn't available, try again later. Your account has been "
        "rate-limited by YouTube for up to an hour.",
        Reason.RATE_LIMITED,
    ),
    (
        "The uploader has not made this video available in your country",
        Reason.GEO_BLOCKED,
    ),
    (
        "Join this channel to get access to members-only content like this video, and other "
        "exclusive perks.",
        Reason.MEMBERS_ONLY,
    ),
    ("Premieres in 3 hours", Reason.NOT_YET_AVAILABLE),
    ("This live event will begin in a few moments.", Reason.NOT_YET_AVAILABLE),
    ("Requested format is not available", Reason.NO_FORMATS),
    (
        "Requested format is not available. Use --list-formats for a list of available formats",
        Reason.NO_FORMATS,
    ),
]

PREFIXES = [
    "",
    "ERROR: [youtube] dQw4w9WgXcQ: ",
    "ERROR: [youtube] -Qw4w9WgXcQ: ",
    "ERROR: [youtube] --w4w9W_Xc-: ",
    "[youtube] _Qw4w9WgXcQ: ",
]


@pytest.mark.parametrize("apostrophe", ["'", CURLY], ids=["straight", "curly"])
@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("text", "reason"), YOUTUBE_SAYS)
def test_what_youtube_says_of_a_video(
    text: str, reason: Reason, prefix: str, apostrophe: str
) -> None:
    said = prefix + text.replace("'", apostrophe)
    failure = of_yt_dlp(said, expected=True)
    assert failure.reason is reason
    assert failure.message.replace(CURLY, "'").startswith(text[:17]), "the prefix goes"


@pytest.mark.parametrize(
    "text", [text for text, reason in YOUTUBE_SAYS if reason.kind is Kind.PERMANENT]
)
def test_what_is_gone_is_gone_though_another_request_failed(text: str) -> None:
    problems = [HttpProblem("watch", 500, None, "HTTP Error 500: Internal Server Error")]
    assert of_yt_dlp(text, expected=True, problems=problems).kind is Kind.PERMANENT


def test_the_message_keeps_the_fact_and_leaves_the_advice_to_the_log() -> None:
    said = "ERROR: [youtube] dQw4w9WgXcQ: Sign in to confirm your age. Use --cookies for it. See  "
    assert of_yt_dlp(said, expected=True).message == "Sign in to confirm your age"


def test_a_text_that_nobody_has_described_is_unexplained() -> None:
    failure = of_yt_dlp("The hamster is tired", expected=True)
    assert failure.reason is Reason.UNEXPLAINED
    assert "The hamster is tired" in failure.message


HIDING = ["No video formats found!", "Failed to extract any player response"]


@pytest.mark.parametrize("text", HIDING)
@pytest.mark.parametrize(
    ("status", "page", "reason"),
    [
        (429, "player", Reason.RATE_LIMITED),
        (429, "watch", Reason.RATE_LIMITED),
        (403, "player", Reason.SERVER_ERROR),
        (403, "media", Reason.FORBIDDEN_MEDIA),
        (401, "media", Reason.FORBIDDEN_MEDIA),
        (500, "player", Reason.SERVER_ERROR),
        (503, "player", Reason.SERVER_ERROR),
        (404, "watch", Reason.NOT_FOUND),
        (410, "watch", Reason.NOT_FOUND),
        (404, "player", Reason.SERVER_ERROR),
        (404, "media", Reason.SERVER_ERROR),
    ],
)
def test_an_unexpected_exception_hides_an_http_status(
    text: str, status: int, page: str, reason: Reason
) -> None:
    problem = HttpProblem(page, status, 17.0, f"HTTP Error {status}")
    failure = of_yt_dlp(f"ERROR: [youtube] -bcdefghijk: {text}", expected=False, problems=[problem])
    assert (failure.reason, failure.http_status) == (reason, status)
    assert failure.retry_after == 17.0


@pytest.mark.parametrize("text", HIDING)
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("('Connection aborted.', ConnectionResetError(104, 'reset by peer'))", Reason.NETWORK),
        ("Failed to resolve 'www.youtube.com'", Reason.NETWORK),
        ("[Errno 111] Connection refused", Reason.NETWORK),
        ("certificate verify failed: unable to get local issuer certificate", Reason.NETWORK),
        ("Unable to connect to proxy", Reason.NETWORK),
        ("The read operation timed out", Reason.TIMEOUT),
        ("HTTPSConnectionPool(host='www.youtube.com'): Read timed out.", Reason.TIMEOUT),
        ("10 bytes read, 90 more expected", Reason.TRUNCATED),
        ("IncompleteRead(10 bytes read)", Reason.TRUNCATED),
    ],
)
def test_an_unexpected_exception_hides_a_connection_that_failed(
    text: str, said: str, reason: Reason
) -> None:
    problems = [HttpProblem("player", None, None, said)]
    failure = of_yt_dlp(text, expected=False, problems=problems)
    assert failure.reason is reason
    assert said.split(maxsplit=1)[0] in failure.message


def test_without_a_known_cause_no_formats_are_no_formats() -> None:
    assert of_yt_dlp("No video formats found!", expected=False).reason is Reason.NO_FORMATS


def test_without_a_known_cause_no_player_response_may_pass() -> None:
    failure = of_yt_dlp("Failed to extract any player response", expected=False)
    assert failure.kind is Kind.TRANSIENT


@pytest.mark.parametrize("text", ["Video unavailable", "Private video", "anything"])
def test_a_refused_client_is_told_half_truths(text: str) -> None:
    problems = [
        HttpProblem("player", 429, 30.0, "HTTP Error 429"),
        HttpProblem("player", 500, None, "HTTP Error 500"),
    ]
    failure = of_yt_dlp(text, expected=True, problems=problems)
    assert (failure.reason, failure.http_status, failure.retry_after) == (
        Reason.RATE_LIMITED,
        429,
        30.0,
    )


@pytest.mark.parametrize(
    "text", [text for text, reason in YOUTUBE_SAYS if reason.kind is Kind.BLOCKED]
)
def test_a_block_is_a_block_whatever_else_went_wrong(text: str) -> None:
    problems = [HttpProblem("player", 403, None, "HTTP Error 403: Forbidden")]
    assert of_yt_dlp(text, expected=True, problems=problems).kind is Kind.BLOCKED


def test_a_disk_without_room_is_no_fault_of_the_video() -> None:
    said = "unable to write data: [Errno 28] No space left on device"
    assert of_yt_dlp(said, expected=False).reason is Reason.DISK_FULL


def test_a_status_in_the_text_is_kept() -> None:
    failure = of_yt_dlp("unable to download: HTTP Error 429: Too Many Requests", expected=False)
    assert (failure.reason, failure.http_status) == (Reason.RATE_LIMITED, 429)


NOW = 1_445_412_480.0  # Wed, 21 Oct 2015 07:28:00 GMT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("0", 0),
        ("Wed, 21 Oct 2015 07:30:00 GMT", 120),
        ("Wednesday, 21-Oct-15 07:30:00 GMT", 120),
        ("Wed Oct 21 07:30:00 2015", 120),
        ("Wed, 21 Oct 2015 09:30:00 +0200", 120),
        ("Wed, 21 Oct 2015 07:00:00 GMT", 0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_in_any_zone(
    monkeypatch: pytest.MonkeyPatch, header: str | None, seconds: float | None
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert retry_after(header, NOW) == seconds
    finally:
        monkeypatch.undo()
        time.tzset()


digits = st.text("0123456789", min_size=1, max_size=400)
dates = st.builds(
    "{}, {:02d} {} {} {:02d}:00:00 {}".format,
    st.sampled_from(["Mon", "Xyz", ""]),
    st.integers(0, 40),
    st.sampled_from(["Jan", "Feb", "Foo"]),
    st.integers(0, 99999),
    st.integers(0, 30),
    st.sampled_from(["GMT", "-0000", "+9999", "PST", ""]),
)


@given(header=digits | dates | st.text(max_size=30), now=st.floats(0, 4e9))
def test_any_retry_after_is_a_time_that_can_be_shown_or_none(header: str, now: float) -> None:
    """Headers are untrusted, and what comes of one is waited for and told as a time of day."""
    wait = retry_after(header, now)
    if wait is not None:
        assert wait >= 0
        assert math.isfinite(wait)
        assert utc(now + wait)


FFMPEG_5_SAYS = [
    (
        "[https @ 0x5581] HTTP error 403 Forbidden\n"
        "https://h/videoplayback: Server returned 403 Forbidden (access denied)",
        Reason.FORBIDDEN_MEDIA,
        403,
    ),
    ("https://h/v: Server returned 403 Forbidden (access denied)", Reason.FORBIDDEN_MEDIA, 403),
    (
        "[https @ 0x5581] HTTP error 429 Too Many Requests\n"
        "https://h/v: Server returned 4XX Client Error, but not one of 40{0,1,3,4}",
        Reason.RATE_LIMITED,
        429,
    ),
    (
        "https://h/v: Server returned 4XX Client Error, but not one of 40{0,1,3,4}",
        Reason.SERVER_ERROR,
        None,
    ),
    (
        "https://h/v: Server returned 401 Unauthorized (authorization failed)",
        Reason.FORBIDDEN_MEDIA,
        401,
    ),
    ("https://h/v: Server returned 404 Not Found", Reason.SERVER_ERROR, 404),
    ("https://h/v: Server returned 5XX Server Error reply", Reason.SERVER_ERROR, None),
    ("[https @ 0x5581] HTTP error 503 Service Unavailable", Reason.SERVER_ERROR, 503),
    ("[https @ 0x55] Stream ends prematurely at 1000, should be 2000", Reason.TRUNCATED, None),
    ("[mov,mp4 @ 0x55] stream 0, offset 0x30: partial file", Reason.TRUNCATED, None),
    ("https://h/v: Connection reset by peer", Reason.TRUNCATED, None),
    ("https://h/v: Input/output error", Reason.TRUNCATED, None),
    ("[tls @ 0x55] Error in the pull function.", Reason.TRUNCATED, None),
    ("https://h/v: Connection timed out", Reason.TIMEOUT, None),
    ("[tcp @ 0x55] Failed to resolve hostname h: Name or service not known", Reason.NETWORK, None),
    ("[tcp @ 0x55] Connection to tcp://h:443 failed: Connection refused", Reason.NETWORK, None),
    ("av_interleaved_write_frame(): No space left on device", Reason.DISK_FULL, None),
    ("/mnt/x/1.mp4: Read-only file system", Reason.NOT_WRITABLE, None),
]
FFMPEG_9_SAYS = [
    (
        "[in#0 @ 0x55] Error opening input: Server returned 403 Forbidden (access denied)\n"
        "Error opening input files: Server returned 403 Forbidden (access denied)",
        Reason.FORBIDDEN_MEDIA,
        403,
    ),
    (
        "[in#0 @ 0x55] Error opening input: Server returned 429 Too Many Requests",
        Reason.RATE_LIMITED,
        429,
    ),
    (
        "[in#0 @ 0x55] Error opening input: Server returned 5XX Server Error reply",
        Reason.SERVER_ERROR,
        None,
    ),
    (
        "[in#0 @ 0x55] Error opening input: Server returned 404 Not Found",
        Reason.SERVER_ERROR,
        404,
    ),
    ("[in#0/mov @ 0x55] Error during demuxing: Input/output error", Reason.TRUNCATED, None),
    ("[in#0 @ 0x55] Error opening input: Operation timed out", Reason.TIMEOUT, None),
    ("[in#0 @ 0x55] Error opening input: End of file", Reason.TRUNCATED, None),
]


@pytest.mark.parametrize(("stderr", "reason", "status"), FFMPEG_5_SAYS + FFMPEG_9_SAYS)
def test_what_ffmpeg_says(stderr: str, reason: Reason, status: int | None) -> None:
    failure = of_ffmpeg(f"Input #0, mov, from 'x':\n  Duration: 00:04:00.00\n{stderr}\nbench: x\n")
    assert failure is not None
    assert (failure.reason, failure.http_status) == (reason, status)
    assert failure.message.startswith("ffmpeg: ")


def test_the_cause_outweighs_what_follows_from_it() -> None:
    failure = of_ffmpeg("HTTP error 429 Too Many Requests\nx: Input/output error\n")
    assert failure is not None
    assert failure.reason is Reason.RATE_LIMITED


@pytest.mark.parametrize(
    "stderr",
    [
        "",
        "frame=  300 fps=0.0 q=-1.0 Lsize=     812kB time=00:00:09.96 bitrate= 667.5kbits/s",
        "[AVIOContext @ 0x55] Statistics: 1400429 bytes read, 3 seeks",
        "[mov,mp4 @ 0x55] moov atom not found",
    ],
)
def test_what_is_no_known_complaint_is_none(stderr: str) -> None:
    assert of_ffmpeg(stderr) is None


@pytest.mark.parametrize("text", ["YouTube said a new thing.", "A new thing. And more", "x"])
def test_an_unknown_text_stands_once_in_its_message(text: str) -> None:
    assert of_yt_dlp(f"ERROR: [youtube] dQw4w9WgXcQ: {text}", expected=True).message == text
    problem = HttpProblem("player", None, None, "connection reset")
    failure = of_yt_dlp(text, expected=False, problems=[problem])
    assert failure.message == f"{text} (connection reset)"
    wrapped = of_yt_dlp(f"{text}: connection reset (caused by it)", expected=False,
                        problems=[problem])  # fmt: skip
    assert wrapped.message.count("connection reset") == 1

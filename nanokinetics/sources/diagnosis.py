"""What yt-dlp and ffmpeg say, and what it means: the one place where their texts are matched.

Both tables are read from the top and the first match counts. To teach it a new text, add a line.
The texts are yt-dlp's and YouTube's own words as of 2026; curly apostrophes are straightened
before matching.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from nanokinetics.errors import Failure, Reason

YT_DLP_TEXTS: Final[tuple[tuple[str, Reason], ...]] = (
    # Blocks come first: some of them begin with "Video unavailable".
    (r"rate-limited by YouTube", Reason.RATE_LIMITED),
    (r"content isn't available, try again later", Reason.RATE_LIMITED),
    (r"HTTP Error 429|Too Many Requests", Reason.RATE_LIMITED),
    (r"not a bot", Reason.BOT_CHECK),
    (r"captcha challenge", Reason.BOT_CHECK),
    # The machine's fault.
    (r"No space left on device|Disk quota exceeded", Reason.DISK_FULL),
    # There, but with nothing to take.
    (r"Requested format is not available|No video formats found|Only images are available",
     Reason.NO_FORMATS),
    (r"try again later", Reason.SERVER_ERROR),
    # Where one stands or who one is.
    (r"in your country|from your location|in your region|geo.?restrict", Reason.GEO_BLOCKED),
    (r"confirm your age|age.restricted|inappropriate for some users", Reason.AGE_RESTRICTED),
    (r"Join this channel|members.only|channel's members|requires payment", Reason.MEMBERS_ONLY),
    (r"Premieres? (in|will begin)|live event will begin|[Cc]oming soon", Reason.NOT_YET_AVAILABLE),
    # Gone for good, the closest description first.
    (r"Private video|[Vv]ideo is private|private video", Reason.PRIVATE),
    (r"removed by the (uploader|user)", Reason.REMOVED_BY_UPLOADER),
    (r"account associated with this video|uploader has closed|account.{0,20}terminated",
     Reason.ACCOUNT_TERMINATED),
    (r"copyright|trademark|who has blocked it", Reason.COPYRIGHT),
    (r"Terms of Service|Community Guidelines|policy on|violating YouTube", Reason.TERMS_OF_SERVICE),
    (r"does not exist|Incomplete YouTube ID|looks truncated", Reason.NOT_FOUND),
    (r"[Vv]ideo unavailable|(isn't|is not|no longer) available|video is unavailable|been removed"
     r"|recording is not available|DRM", Reason.UNAVAILABLE),
    (r"[Ss]ign in|[Ll]og ?in|registered users", Reason.LOGIN_REQUIRED),
)  # fmt: skip

FFMPEG_TEXTS: Final[tuple[tuple[str, Reason], ...]] = (
    (r"HTTP error 429|returned 429", Reason.RATE_LIMITED),
    # An ffmpeg that cannot do what is asked of it will not do it for the next clip either.
    (r"Unrecognized option|Option \w+ not found|Unknown encoder", Reason.NO_FFMPEG),
    (r"No space left on device|Disk quota exceeded", Reason.DISK_FULL),
    (r"Read-only file system", Reason.NOT_WRITABLE),
    (r"HTTP error 40[13]|returned 40[13]|403 Forbidden", Reason.FORBIDDEN_MEDIA),
    (r"HTTP error 5\d\d|returned 5(XX|\d\d)|5XX Server Error", Reason.SERVER_ERROR),
    (r"HTTP error 4\d\d|returned 4(XX|\d\d)|4XX Client Error", Reason.SERVER_ERROR),
    (r"(Connection|Operation) timed out", Reason.TIMEOUT),
    (r"end(s|ed) prematurely|Will reconnect|partial file|Connection reset|End of file"
     r"|Input/output error|tls.*(reset|closed|terminated|Error in the pull)|IO error",
     Reason.TRUNCATED),
    (r"Connection refused|Failed to resolve|Name or service not known|Network is unreachable"
     r"|No route to host|[Cc]ertificate|HTTP error 3\d\d", Reason.NETWORK),
)  # fmt: skip

_ADVICE: Final = re.compile(r"[.;,]?\s+(Use --|See +https?://|You might want to|please report)")
"""Where yt-dlp begins to give advice; the log has all of it, a table needs the fact."""

LONGEST_RETRY_AFTER: Final = 7 * 86400.0
"""Seconds that a server is believed to mean; nobody can plan for more than a week."""

_STATUS: Final = re.compile(r"HTTP error (\d{3})|returned (\d{3})|HTTP Error (\d{3})")


@dataclass(frozen=True, slots=True)
class HttpProblem:
    """A request of yt-dlp's that went wrong, which its exception may not tell of.

    `page` is `player`, `watch` or `other`; `status` is None when no answer came at all, and
    `text` then says why.
    """

    page: str
    status: int | None
    retry_after: float | None
    text: str


def match(text: str, table: Sequence[tuple[str, Reason]]) -> Reason | None:
    """The reason of the first line of the table that is found in the text."""
    plain = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return next((reason for pattern, reason in table if re.search(pattern, plain)), None)


def of_yt_dlp(message: str, *, expected: bool, problems: Sequence[HttpProblem] = ()) -> Failure:
    """What an exception of yt-dlp's means.

    message: the exception's text. expected: yt-dlp's own word for "this is about the video".
    problems: the requests that went wrong on the way, oldest first.

    A 429 on the way outweighs every text, since a refused client is told half-truths. An
    unexpected exception hides its cause; then the problems tell. What nobody has described yet
    counts as transient: a new way of refusing must not write living clips off.
    """
    message = re.sub(r"^(ERROR: )?(\[[\w:+]+\] )?([\w-]{11}: )?", "", message.strip())
    message = re.split(_ADVICE, message)[0].strip()
    refused = next((p for p in problems if p.status == 429), None)
    if refused:
        return Failure(Reason.RATE_LIMITED, message, 429, refused.retry_after)
    reason = match(message, YT_DLP_TEXTS)
    hidden = reason is None or (reason is Reason.NO_FORMATS and not expected)
    if problems and hidden:
        return _of_problem(problems[-1], message)
    if reason is not None:
        status = _STATUS.search(message)
        return Failure(reason, message, int(status[status.lastindex or 0]) if status else None)
    return _of_problem(HttpProblem("other", None, None, message), message)


def retry_after(header: str | None, now: float) -> float | None:
    """Seconds that a `Retry-After` header asks for, in either of its forms (RFC 9110, 10.2.3).

    now: seconds since the epoch, to count from if the header holds a date.
    """
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,20}", header.strip()):
        return min(float(header), LONGEST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if at.tzinfo is None:  # the oldest of the three forms of a date does not say that it is UTC
        at = at.replace(tzinfo=UTC)
    return min(max(0.0, at.timestamp() - now), LONGEST_RETRY_AFTER)


def _of_problem(problem: HttpProblem, message: str) -> Failure:
    if problem.status is None:
        return Failure(_of_silence(problem.text), f"{message} ({problem.text})")
    said = f"{message} (HTTP {problem.status} from the {problem.page} page)"
    gone = problem.status in (404, 410) and problem.page == "watch"
    reason = Reason.NOT_FOUND if gone else Reason.SERVER_ERROR
    if problem.page == "media" and problem.status in (401, 403):
        reason = Reason.FORBIDDEN_MEDIA
    return Failure(reason, said, problem.status, problem.retry_after)


def _of_silence(text: str) -> Reason:
    if re.search(r"timed? ?out", text, re.IGNORECASE):
        return Reason.TIMEOUT
    if re.search(r"more expected|IncompleteRead|content too short|bytes read", text, re.IGNORECASE):
        return Reason.TRUNCATED
    network = r"connect|resolve|reset|refused|unreachable|certificate|ssl|proxy|remote end|name or"
    return Reason.NETWORK if re.search(network, text, re.IGNORECASE) else Reason.SERVER_ERROR


def of_ffmpeg(stderr: str) -> Failure | None:
    """What ffmpeg complained of, or None if nothing in its output is known.

    It is worth asking even when ffmpeg returned 0: it does so after a connection that was cut.
    """
    for pattern, reason in FFMPEG_TEXTS:
        found = re.search(rf"^.*({pattern}).*$", stderr, re.MULTILINE)
        if found:
            status = _STATUS.search(found[0])
            code = int(status[status.lastindex or 0]) if status else None
            return Failure(reason, f"ffmpeg: {found[0].strip()}", code)
    return None


def of_os_error(error: OSError, ffmpeg: str) -> Failure | None:
    """What an error of the file system stops: every clip, or (None) the process it came up in.

    ffmpeg: the path of the program that is in use, which may have gone.
    """
    said = f"{error.strerror}: {error.filename}" if error.filename else str(error)
    if error.filename == ffmpeg:
        return Failure(Reason.NO_FFMPEG, said)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure(Reason.DISK_FULL, said)
    return Failure(Reason.NOT_WRITABLE, said) if error.errno in _GONE_OR_CLOSED else None


_GONE_OR_CLOSED: Final = frozenset(
    {
        *(errno.EROFS, errno.EACCES, errno.EPERM),
        *(
            errno.ENOENT,
            errno.ENOTDIR,
            errno.ELOOP,
            errno.EIO,
            errno.ESTALE,
            errno.ENODEV,
            errno.ENXIO,
        ),
    }
)
"""A folder that must not be written to, or that went away: unmounted, unplugged, removed."""

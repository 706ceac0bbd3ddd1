"""Interprets the messages of yt-dlp and ffmpeg. YouTube's own words are those of `playability`.

The table is searched from the top, and the first match counts. To support a new text, add a line.
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
from nanokinetics.sources import playability
from nanokinetics.sources.playability import Playability

FFMPEG_TEXTS: Final[tuple[tuple[str, Reason], ...]] = (
    (r"HTTP error 429|returned 429", Reason.RATE_LIMITED),
    # An ffmpeg without a needed feature fails on every clip.
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

_ADVICE: Final = re.compile(
    r"[.;,]?\s+(Use --|See +https?://|You might want to|It is recommended to|please report)"
)
"""The beginning of yt-dlp's advice. Tables need only the fact before it; the log has all."""

LONGEST_RETRY_AFTER: Final = 7 * 86400.0
"""The longest accepted Retry-After in seconds: nobody plans for more than a week."""

_STATUS: Final = re.compile(r"HTTP error (\d{3})|returned (\d{3})|HTTP Error (\d{3})")


@dataclass(frozen=True, slots=True)
class HttpProblem:
    """A failed HTTP request of yt-dlp. The exception that yt-dlp raises may not mention it.

    page: `player`, `watch`, `media` or `other`. status: None if no answer came; then `text` says
    why. retry_after: seconds.
    """

    page: str
    status: int | None
    retry_after: float | None
    text: str


def of_yt_dlp(
    message: str,
    *,
    expected: bool,
    problems: Sequence[HttpProblem] = (),
    said: Sequence[Playability] = (),
) -> Failure:
    """The failure that an exception of yt-dlp means.

    message: the text of the exception. expected: yt-dlp's flag for "the video is the cause".
    problems: the failed requests, oldest first. said: what the player told each client.

    A status 429 overrides every text, because a refused client gets wrong texts. An unexpected
    exception hides its cause; then the problems show it. An unknown text of the site, or one that
    calls the client too old, is UNEXPLAINED: `blame` decides whether it is about the video.
    """
    message = re.sub(r"^(ERROR: )?(\[[\w:+]+\] )?([\w-]{11}: )?", "", message.strip())
    message = re.split(_ADVICE, message)[0].strip()
    message = re.sub(r"(?<!\.)\.\. ", ". ", message)  # yt-dlp joins sentences by a second full stop
    refused = next((p for p in problems if p.status == 429), None)
    if refused:
        return Failure(Reason.RATE_LIMITED, message, 429, refused.retry_after)
    reason = playability.meaning(message, expected=expected, said=said)
    texts = [text for answer in said for text in answer.texts]
    own = playability.match([message])
    whole = _joined(message if own is not Reason.NO_FORMATS or not texts else "", texts)
    if reason is None and texts:
        return Failure(Reason.UNEXPLAINED, whole)
    hidden = reason is None or (reason is Reason.NO_FORMATS and not (expected and reason is own))
    if problems and hidden:
        return _of_problem(problems[-1], message)
    if reason is None:
        return Failure(Reason.UNEXPLAINED if expected else _of_silence(message), message)
    message = message if reason is own else whole
    status = _STATUS.search(message)
    return Failure(
        reason,
        message,
        int(status[status.lastindex or 0]) if status else None,
        outdated=reason is Reason.UNEXPLAINED and playability.is_outdated([message, *texts]),
    )


def _joined(message: str, texts: Sequence[str]) -> str:
    """yt-dlp's message, with what the player said beyond it."""
    more = [text for text in dict.fromkeys(texts) if text.rstrip(".") not in message]
    parts = (part.rstrip(".") for part in (message, *more) if part)
    return ". ".join(parts) if more else message


def retry_after(header: str | None, now: float) -> float | None:
    """The seconds of a `Retry-After` header, in either form (RFC 9110, 10.2.3).

    now: seconds since the epoch, for a header with a date. None without a valid header.
    """
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,20}", header.strip()):
        return min(float(header), LONGEST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if at.tzinfo is None:  # the oldest of the three date formats means UTC without saying so
        at = at.replace(tzinfo=UTC)
    return min(max(0.0, at.timestamp() - now), LONGEST_RETRY_AFTER)


def _of_problem(problem: HttpProblem, message: str) -> Failure:
    if problem.status is None:
        known = problem.text.strip(". ") in message  # an unknown text is its own cause
        text = message if known else f"{message} ({problem.text})"
        return Failure(_of_silence(problem.text), text)
    text = f"{message} (HTTP {problem.status} from the {problem.page} page)"
    gone = problem.status in (404, 410) and problem.page == "watch"
    reason = Reason.NOT_FOUND if gone else Reason.SERVER_ERROR
    if problem.page == "media" and problem.status in (401, 403):
        reason = Reason.FORBIDDEN_MEDIA
    # The player calls a request bad whose client it no longer knows.
    outdated = problem.page == "player" and problem.status == 400
    return Failure(reason, text, problem.status, problem.retry_after, outdated)


def _of_silence(text: str) -> Reason:
    if re.search(r"timed? ?out", text, re.IGNORECASE):
        return Reason.TIMEOUT
    if re.search(r"more expected|IncompleteRead|content too short|bytes read", text, re.IGNORECASE):
        return Reason.TRUNCATED
    network = r"connect|resolve|reset|refused|unreachable|certificate|ssl|proxy|remote end|name or"
    return Reason.NETWORK if re.search(network, text, re.IGNORECASE) else Reason.SERVER_ERROR


def of_ffmpeg(stderr: str) -> Failure | None:
    """The failure in ffmpeg's output; None if no known text is in it.

    Call it even if ffmpeg returned 0: it does so after a broken connection.
    """
    for pattern, reason in FFMPEG_TEXTS:
        found = re.search(rf"^.*({pattern}).*$", stderr, re.MULTILINE)
        if found:
            status = _STATUS.search(found[0])
            code = int(status[status.lastindex or 0]) if status else None
            return Failure(reason, f"ffmpeg: {found[0].strip()}", code)
    return None


def of_os_error(error: OSError, ffmpeg: str) -> Failure | None:
    """The failure that an error of the file system means for every clip; None if it is unknown.

    ffmpeg: the path of the program in use. It may have been removed.
    """
    text = f"{error.strerror}: {error.filename}" if error.filename else str(error)
    if error.filename == ffmpeg:
        return Failure(Reason.NO_FFMPEG, text)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure(Reason.DISK_FULL, text)
    return Failure(Reason.NOT_WRITABLE, text) if error.errno in _GONE_OR_CLOSED else None


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
"""Errors of a folder that is read-only or gone: unmounted, unplugged or removed."""

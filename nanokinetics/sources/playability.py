"""What YouTube's player says of a video that it does not play, and what that means.

The player's answer holds a status and texts. yt-dlp joins one reason and one subreason to its
message, and drops the rest: the list `messages`, the slate of a live stream, unfamiliar error
screens, and what further clients were told. `read` collects all texts. `match` finds their meaning.

The texts are those of 2023 to 2026, in English: yt-dlp asks for it (`hl=en`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nanokinetics.errors import Kind, Reason

OK: Final = "OK"

OUTDATED: Final = (
    r"(on|in) this app\b|latest version of YouTube|reload|refresh the page|out of date"
    r"|\b(please|need to|must) (update|upgrade)|no longer supported|precondition check failed"
    r"|not supported (on|in|by) (this|your)|(on|for) (this|your) device|newer versions? of"
    r"|(this|your) browser"
)
"""The client is too old: a newer yt-dlp asks as a newer client."""

TEXTS: Final[tuple[tuple[str, Reason], ...]] = (
    # Refusals of the session, the address or the account. Some begin with "Video unavailable".
    (r"rate.limited|HTTP Error 429|too many requests", Reason.RATE_LIMITED),
    (r"content (isn't|is not) available.{0,30}try again", Reason.RATE_LIMITED),
    (r"unusual traffic|automated (queries|requests)|\bIP (address )?(is|has been|was)\b.*\bblocked",
     Reason.RATE_LIMITED),
    (r"not a (ro)?bot\b|captcha|helps protect our community", Reason.BOT_CHECK),
    (r"\byour access\b|access.{0,60}(suspended|blocked)", Reason.RATE_LIMITED),
    # The machine's fault.
    (r"No space left on device|Disk quota exceeded", Reason.DISK_FULL),
    # The account of the cookies, not that of the uploader.
    (r"\byour (Google |YouTube )?account\b", Reason.LOGIN_REQUIRED),
    # The country's law, not YouTube's policy.
    (r"available in your (country|region|location) because", Reason.GEO_BLOCKED),
    # For now, whatever else it says.
    (r"unable to verify|\btry again later", Reason.SERVER_ERROR),
    # Gone for good. A policy may concern anything, also a country or self-harm.
    (r"account associated with this video|account.{0,20}(terminated|suspended)"
     r"|uploader has closed", Reason.ACCOUNT_TERMINATED),
    (r"(for|because it) violat(ing|es|ed)|in violation of", Reason.TERMS_OF_SERVICE),
    (r"private video|video is private|granted (you )?access", Reason.PRIVATE),
    (r"(removed|deleted) by (the |its )?(uploader|user|owner|author)"
     r"|(uploader|user|owner|author) (has )?(removed|deleted)", Reason.REMOVED_BY_UPLOADER),
    # It depends on the account, the address or the day.
    (r"(confirm|verify) your age|\bage.(restrict|verif)|inappropriate|viewer discretion"
     r"|content warning|self.harm|AGE_\w+_REQUIRED|CONTENT_CHECK_REQUIRED", Reason.AGE_RESTRICTED),
    (r"(in|from) your (country|region|location|area)|geo.?restrict|country domain"
     r"|legal complaint|court order|\bVPN\b|network administrator|restricted mode"
     r"|video is restricted", Reason.GEO_BLOCKED),
    (r"join this channel|members.only|channel('s)? members|premium|payment|purchase"
     r"|subscri(bers|ption)|\brent(al|ed)?\b|in place of the video", Reason.MEMBERS_ONLY),
    (r"\bpremier(e|ing)|will begin|coming soon|check back later|\bprocess(ing|ed)\b"
     r"|(event|stream) has ended|(^|\. )offline\b|stream.{0,15} offline|LIVE_STREAM_OFFLINE",
     Reason.NOT_YET_AVAILABLE),
    # Gone for good.
    (r"(privacy|defamation) (claim|complaint)|Terms of Service|Community Guidelines",
     Reason.TERMS_OF_SERVICE),
    (r"copyright|trademark|counterfeit|blocked it(?! from display)", Reason.COPYRIGHT),
    (r"video (does not|doesn't) exist|Incomplete YouTube ID|looks truncated", Reason.NOT_FOUND),
    # The client's fault, or YouTube's.
    (OUTDATED, Reason.UNEXPLAINED),
    (r"try again|went wrong|error occurred|temporarily unavailable", Reason.SERVER_ERROR),
    (r"Requested format is not available|No video formats found|Only images are available|\bDRM\b",
     Reason.NO_FORMATS),
    (r"\bsign(ing)? in\b|\blog(ging|ged)? ?in\b|registered users", Reason.LOGIN_REQUIRED),
    # Words without a reason.
    (r"unavailable|(isn't|not|no longer) available|\b(removed|deleted)\b"
     r"|playback on other websites|blocked it from display", Reason.UNAVAILABLE),
)  # fmt: skip
"""Patterns and their meaning; the first match counts, upper or lower case. The most specific text
comes first, because one search goes over all that several clients were told."""

_STATUSES: Final = {
    "AGE_CHECK_REQUIRED": Reason.AGE_RESTRICTED,
    "AGE_VERIFICATION_REQUIRED": Reason.AGE_RESTRICTED,
    "CONTENT_CHECK_REQUIRED": Reason.AGE_RESTRICTED,
    "LIVE_STREAM_OFFLINE": Reason.NOT_YET_AVAILABLE,
}
"""Statuses that tell the reason in any language."""

_SILENT: Final = {
    "LOGIN_REQUIRED": Reason.LOGIN_REQUIRED,
    "UNPLAYABLE": Reason.UNAVAILABLE,
    "ERROR": Reason.UNAVAILABLE,
}
"""What further statuses mean if no text comes with them."""

_QUOTED: Final = re.compile(
    r"(?<=content from ).+?(?=,? (?:who|one or more of whom) ha(?:s|ve) blocked)"
    r"|(?<=claim by ).+|(?<=on level: ).+?(?= \(or any higher level\)|\. Join this channel|$)",
    re.IGNORECASE,
)
"""Names inside of YouTube's texts. They may contain any word."""

_SAYING: Final = frozenset(
    {"reason", "subreason", "title", "description", "mainText", "subtitleText", "message"}
)
"""Keys of a text for people, in any renderer."""

_FOREIGN: Final = re.compile(r"button|trailer|response", re.IGNORECASE)
"""Keys below which other things are told: every button says "Sign in", a trailer has a title."""

_SIGNS: Final = {
    "playerCaptchaViewModel": "YouTube requires a captcha challenge",
    "playerLegacyDesktopYpcOfferRenderer": "This video requires payment to watch",
}
"""Error screens that mean something without a text that can be relied on."""

_DEEPEST: Final = 12
"""Levels below `errorScreen` that are searched for texts. YouTube's lie in the second to fifth."""

_LONGEST: Final = 1000
"""Characters of one text that are read."""

_MOST: Final = 20
"""Texts of one answer that are read."""

_INITIAL: Final = re.compile(r"ytInitialPlayerResponse\s*=\s*(?=\{)")


@dataclass(frozen=True, slots=True)
class Playability:
    """One answer of the player. status: `OK`, `ERROR` and others. texts: what it tells people."""

    status: str
    texts: tuple[str, ...] = ()


def read(body: bytes) -> Playability | None:
    """The playability in the body of a watch page or of a player's answer; None without one."""
    text = body.decode(errors="replace").lstrip()
    page = None if text.startswith("{") else _INITIAL.search(text)
    try:
        response, _ = json.JSONDecoder().raw_decode(text, page.end() if page else 0)
    except (ValueError, RecursionError):
        return None
    found = response.get("playabilityStatus") if isinstance(response, dict) else None
    if not isinstance(found, dict):
        return None
    status = "AGE_CHECK_REQUIRED" if "desktopLegacyAgeGateReason" in found else found.get("status")
    messages = found.get("messages")
    said = [found.get("reason"), *(messages if isinstance(messages, list) else ())]
    texts = [text for text in map(_text, said) if text]
    for part in ("errorScreen", "liveStreamability"):
        texts += _walk(found.get(part), _DEEPEST)
    return Playability(str(status or ""), tuple(dict.fromkeys(texts))[:_MOST])


def _walk(value: Any, depth: int) -> Iterator[str]:
    """All texts for people below this value, in order."""
    if isinstance(value, list) and depth:
        for item in value:
            yield from _walk(item, depth - 1)
    elif isinstance(value, dict) and depth:
        for key, item in value.items():
            if key in _SIGNS:
                yield _SIGNS[key]
            elif key in _SAYING and (text := _text(item)):
                yield text
            elif not _FOREIGN.search(key):
                yield from _walk(item, depth - 1)


def _text(value: Any) -> str:
    """A text in one of YouTube's forms: a string, `simpleText`, `runs` or `content`."""
    if isinstance(value, dict):
        runs = value.get("runs")
        if isinstance(runs, list):
            parts = [run.get("text") for run in runs if isinstance(run, dict)]
            value = "".join(part for part in parts if isinstance(part, str))
        else:
            value = value.get("simpleText") or value.get("content")
    return " ".join(value[:_LONGEST].split()) if isinstance(value, str) else ""


def match(texts: Iterable[str]) -> Reason | None:
    """The meaning of these texts, read together; None if all are unknown."""
    joined = ". ".join(_QUOTED.sub("…", _plain(text)) for text in texts)
    found = (reason for known, reason in TEXTS if re.search(known, joined, re.IGNORECASE))
    return next(found, None)


def meaning(message: str, *, expected: bool, said: Sequence[Playability]) -> Reason | None:
    """The meaning of yt-dlp's message and of all that the player said; None if it is unknown.

    expected: yt-dlp's flag for "the video is the cause". Without it the message is no word of
    YouTube's, and may hold anything; it shows no more than a refusal or a fault of this machine.

    A video that plays for one client exists. If the others are only told that it is unavailable,
    yt-dlp lacks what it needs for the first: this is so for videos made for kids without a
    JavaScript runtime.
    """
    own = match([message])
    if not expected and own is not None and own.kind in (Kind.PERMANENT, Kind.CONDITIONAL):
        own = None
    # If there are no formats, yt-dlp found no reason in the answers.
    words = [] if own in (None, Reason.NO_FORMATS) else [message]
    texts = [text for answer in said for text in answer.texts]
    statuses = [answer.status for answer in said]
    reason = match([*words, *texts])
    if reason in (None, Reason.UNAVAILABLE):
        reason = next((_STATUSES[s] for s in statuses if s in _STATUSES), reason)
    if reason is None and own is Reason.NO_FORMATS and not texts:
        reason = next((_SILENT[s] for s in statuses if s in _SILENT), own)
    return Reason.NO_FORMATS if reason is Reason.UNAVAILABLE and OK in statuses else reason


def is_outdated(texts: Iterable[str]) -> bool:
    """Whether the texts say that the client is too old."""
    return any(re.search(OUTDATED, _plain(text), re.IGNORECASE) for text in texts)


def _plain(text: str) -> str:
    """The text with straight apostrophes and single spaces; yt-dlp's message joins two texts."""
    short = text[: 2 * _LONGEST]
    return " ".join(short.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())

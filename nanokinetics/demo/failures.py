"""The failures of videos, with the texts of YouTube's player, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Screen = Literal["message", "interstitial", "slate", "captcha", "none"]


@dataclass(frozen=True)
class ScriptedFailure:
    """The player's answer for a video that does not play."""

    status: str
    reason: str = ""
    subreason: str = ""
    text: str = ""
    """The start of yt-dlp's message, after the id. Empty: reason and subreason."""
    screen: Screen = "message"
    """Where reason and subreason lie: `message` is the usual error screen, `interstitial` the one
    of the new desktop, `slate` that of a live stream. `captcha` asks for one, and `none` has
    none."""
    messages: tuple[str, ...] = ()
    """Further texts, as apps get them."""
    trailer: str = ""
    """The youtube id of the video that is offered instead."""
    plays_in_browser: bool = False
    """Whether the watch page says that the video plays."""

    @property
    def message(self) -> str:
        return self.text or ". ".join(filter(None, (self.reason, self.subreason)))


_GONE = "Video unavailable"
_NO_LONGER = "This video is no longer available"
_REMOVED = "This video has been removed for violating YouTube's"

FAILURES: dict[str, ScriptedFailure] = {
    "unavailable": ScriptedFailure("ERROR", _GONE),
    "unavailable_2": ScriptedFailure("ERROR", "This video isn't available anymore"),
    "unavailable_3": ScriptedFailure("ERROR", "This video is not available"),
    "private": ScriptedFailure(
        "LOGIN_REQUIRED", "Private video", "Sign in if you've been granted access to this video"
    ),
    "private_2": ScriptedFailure("LOGIN_REQUIRED", "This video is private"),
    "removed_by_uploader": ScriptedFailure(
        "ERROR", _GONE, "This video has been removed by the uploader"
    ),
    "account_terminated": ScriptedFailure(
        "ERROR",
        _GONE,
        f"{_NO_LONGER} because the YouTube account associated with this video has been terminated.",
    ),
    "account_terminated_2": ScriptedFailure(
        "ERROR", _GONE, f"{_NO_LONGER} because the uploader has closed their YouTube account."
    ),
    "copyright": ScriptedFailure(
        "ERROR", _GONE, f"{_NO_LONGER} due to a copyright claim by Example Films"
    ),
    "copyright_2": ScriptedFailure(
        "UNPLAYABLE",
        _GONE,
        "This video contains content from Example Films, who has blocked it on copyright grounds",
    ),
    "terms_of_service": ScriptedFailure("ERROR", f"{_REMOVED} Terms of Service"),
    "terms_of_service_2": ScriptedFailure("ERROR", f"{_REMOVED} Community Guidelines"),
    "age_restricted": ScriptedFailure(
        "LOGIN_REQUIRED",
        "Sign in to confirm your age",
        "This video may be inappropriate for some users.",
    ),
    "geo_blocked": ScriptedFailure(
        "UNPLAYABLE",
        _GONE,
        "The uploader has not made this video available in your country",
        text="The uploader has not made this video available in your country",
    ),
    "members_only": ScriptedFailure(
        "UNPLAYABLE",
        "Join this channel to get access to members-only content like this video,"
        " and other exclusive perks.",
    ),
    "login_required": ScriptedFailure("LOGIN_REQUIRED", "Please sign in"),
    "not_yet_available": ScriptedFailure("LIVE_STREAM_OFFLINE", "Premieres in 3 hours"),
    "not_yet_available_2": ScriptedFailure(
        "LIVE_STREAM_OFFLINE", "This live event will begin in 3 hours."
    ),
    "bot_check": ScriptedFailure(
        "LOGIN_REQUIRED",
        "Sign in to confirm you\N{RIGHT SINGLE QUOTATION MARK}re not a bot",
        "This helps protect our community. Learn more",
        text="Sign in to confirm you\N{RIGHT SINGLE QUOTATION MARK}re not a bot",
    ),
    "session_rate_limit": ScriptedFailure(
        "UNPLAYABLE",
        _GONE,
        "This content isn't available, try again later.",
        text="Video unavailable. This content isn't available, try again later."
        " The current session has been rate-limited by YouTube for up to an hour",
    ),
    # The first has only storyboards, as YouTube answers some clients; the second has nothing.
    "no_formats": ScriptedFailure("OK", "", text="Requested format is not available"),
    "no_formats_2": ScriptedFailure("OK", "", text="No video formats found!"),
}
"""All failures by name."""


def named(name: str | ScriptedFailure) -> ScriptedFailure:
    """The failure of that name. For an unknown name, a failure with the name as its reason."""
    if isinstance(name, ScriptedFailure):
        return name
    return FAILURES.get(name) or ScriptedFailure("UNPLAYABLE", name)

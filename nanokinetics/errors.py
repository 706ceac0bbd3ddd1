"""Everything that may go wrong: reasons why clips fail, kinds of failures, and exit codes.

    NanokineticsError            1   the run cannot go on
    ├── InputError               2   bad usage or bad input; nothing was changed
    │   └── BadRows              2   annotation rows that cannot be used, named by file and line
    ├── EnvironmentFault         1   not the clip's fault: disk full, no ffmpeg, …
    ├── Blocked                 75   YouTube refuses this address for now; run it again later
    └── Busy                    75   another run is at work in the folder; run it again later

Exceptions end a run. Ctrl-C and SIGTERM are KeyboardInterrupt, with exit code 130. The failure of
one clip is a value, a `Failure`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final


class ExitCode(IntEnum):
    """The exit codes of the command line."""

    OK = 0
    ERROR = 1
    USAGE = 2
    SHORT = 3
    """Finished, but some class has fewer clips than wanted."""
    BLOCKED = 75
    """EX_TEMPFAIL of sysexits.h, for a block and for a busy folder: run the same command later."""
    INTERRUPTED = 130


class Kind(StrEnum):
    """The kind of a failure: it decides what the engine does."""

    PERMANENT = "permanent"
    """Replace the clip by a reserve; never request it again."""
    CONDITIONAL = "conditional"
    """Replace the clip; request it again only with `--retry-failed` (cookies, another country)."""
    BLOCKED = "blocked"
    """The source refuses this machine, whatever the clip: put it back, and stop all requests."""
    TRANSIENT = "transient"
    """Retry the clip a few times, then leave it for the next run; do not replace it."""
    MEDIA = "media"
    """The video exists but does not have the clip: replace the clip and keep the log."""
    ENVIRONMENT = "environment"
    """The machine is at fault: stop the run."""
    CRASHED = "crashed"
    """A worker process died on the clip: retry it alone, then replace it."""


class Reason(StrEnum):
    """Why a clip was not made: the values of the column `reason`."""

    PRIVATE = "private"
    REMOVED_BY_UPLOADER = "removed_by_uploader"
    ACCOUNT_TERMINATED = "account_terminated"
    COPYRIGHT = "copyright"
    TERMS_OF_SERVICE = "terms_of_service"
    NOT_FOUND = "not_found"
    UNAVAILABLE = "unavailable"
    """The source gives no further reason. The video may come back."""
    UNEXPLAINED = "unexplained"
    """The same unknown answer again, while other videos are answered."""
    AGE_RESTRICTED = "age_restricted"
    GEO_BLOCKED = "geo_blocked"
    MEMBERS_ONLY = "members_only"
    LOGIN_REQUIRED = "login_required"
    NOT_YET_AVAILABLE = "not_yet_available"
    RATE_LIMITED = "rate_limited"
    BOT_CHECK = "bot_check"
    OUTAGE = "outage"
    """Many videos failed in a row, and so did the canary."""
    SERVER_ERROR = "server_error"
    NETWORK = "network"
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"
    FORBIDDEN_MEDIA = "forbidden_media"
    SOURCE_AWAY = "source_away"
    """The folder or the mount of a local source cannot be read for now."""
    ARCHIVE_DAMAGED = "archive_damaged"
    """An archive, or a part of it, is damaged, incomplete or missing."""
    OUTSIDE_VIDEO = "outside_video"
    TOO_SHORT = "too_short"
    UNDECODABLE = "undecodable"
    NO_VIDEO_STREAM = "no_video_stream"
    DISK_FULL = "disk_full"
    NO_FFMPEG = "no_ffmpeg"
    NO_FORMATS = "no_formats"
    NOT_WRITABLE = "not_writable"
    WORKER_DIED = "worker_died"

    @property
    def kind(self) -> Kind:
        return _RULES[self].kind

    @property
    def words(self) -> str:
        """The reason in words, for messages."""
        return self.value.replace("_", " ")

    @property
    def replaced(self) -> bool:
        """Whether the next candidate of the class replaces the clip."""
        rule = _RULES[self]
        return rule.kind in _REPLACED or rule.replaced

    @property
    def asked_again(self) -> bool:
        """Whether `--retry-failed` requests the clip again. That is never so after PERMANENT."""
        return self.replaced and self.kind is not Kind.PERMANENT

    @property
    def about_the_video(self) -> bool:
        """Whether every window of the video fails in the same way, so one request is enough."""
        rule = _RULES[self]
        return rule.kind in _ABOUT_THE_VIDEO or rule.about_the_video


_UNREACHABLE: Final = (
    "YouTube cannot be reached from here; see to the connection, or name a --proxy, and run the "
    "same command again"
)

_OUTDATED: Final = (
    "YouTube does not serve this version of yt-dlp any more; update yt-dlp (pip install -U "
    "'yt-dlp[default,deno]') and run the same command again"
)

_CERTIFICATE: Final = (
    "YouTube's certificate is not trusted here; see to this machine's clock, and to what stands "
    "between it and YouTube, and run the same command again"
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """The meaning of a reason.

    remedy: the fault, and what to do about it, if every video fails for this reason. replaced,
    about_the_video: True overrides the rule of the kind.
    """

    kind: Kind
    remedy: str = _UNREACHABLE
    replaced: bool = False
    about_the_video: bool = False


_RULES: Final = {
    Reason.PRIVATE: _Rule(Kind.PERMANENT),
    Reason.REMOVED_BY_UPLOADER: _Rule(Kind.PERMANENT),
    Reason.ACCOUNT_TERMINATED: _Rule(Kind.PERMANENT),
    Reason.COPYRIGHT: _Rule(Kind.PERMANENT),
    Reason.TERMS_OF_SERVICE: _Rule(Kind.PERMANENT),
    Reason.NOT_FOUND: _Rule(Kind.PERMANENT),
    Reason.UNAVAILABLE: _Rule(Kind.CONDITIONAL),
    Reason.UNEXPLAINED: _Rule(Kind.CONDITIONAL),
    Reason.AGE_RESTRICTED: _Rule(Kind.CONDITIONAL),
    Reason.GEO_BLOCKED: _Rule(Kind.CONDITIONAL),
    Reason.MEMBERS_ONLY: _Rule(Kind.CONDITIONAL),
    Reason.LOGIN_REQUIRED: _Rule(Kind.CONDITIONAL),
    Reason.NOT_YET_AVAILABLE: _Rule(Kind.CONDITIONAL),
    Reason.RATE_LIMITED: _Rule(Kind.BLOCKED),
    Reason.BOT_CHECK: _Rule(Kind.BLOCKED),
    Reason.OUTAGE: _Rule(Kind.BLOCKED),
    Reason.SERVER_ERROR: _Rule(
        Kind.TRANSIENT,
        "YouTube answers nothing but errors; update yt-dlp "
        "(pip install -U 'yt-dlp[default,deno]'), or run the same command again later",
    ),
    Reason.NETWORK: _Rule(Kind.TRANSIENT),
    Reason.TIMEOUT: _Rule(Kind.TRANSIENT),
    Reason.TRUNCATED: _Rule(Kind.TRANSIENT),
    Reason.FORBIDDEN_MEDIA: _Rule(Kind.TRANSIENT),
    Reason.SOURCE_AWAY: _Rule(
        Kind.TRANSIENT,
        "the source cannot be read; see that its folder or mount is there and may be read, and run "
        "the same command again",
    ),
    Reason.ARCHIVE_DAMAGED: _Rule(
        Kind.TRANSIENT,
        "an archive of the source is damaged or incomplete; put a whole one in its place, and run "
        "the same command again",
    ),
    Reason.OUTSIDE_VIDEO: _Rule(Kind.MEDIA),
    Reason.TOO_SHORT: _Rule(Kind.MEDIA),
    Reason.UNDECODABLE: _Rule(Kind.MEDIA),
    Reason.NO_VIDEO_STREAM: _Rule(Kind.MEDIA, about_the_video=True),
    Reason.DISK_FULL: _Rule(
        Kind.ENVIRONMENT, "the disk is full; make room and run the same command again"
    ),
    Reason.NO_FFMPEG: _Rule(
        Kind.ENVIRONMENT, "ffmpeg is missing; install it, or name one with --ffmpeg FILE"
    ),
    # If many videos in a row fail so, it stops the run. If other videos show that the machine is
    # not at fault, the clip is.
    Reason.NO_FORMATS: _Rule(
        Kind.ENVIRONMENT,
        "YouTube offers this machine no formats at all; update yt-dlp and its JavaScript runtime "
        "(pip install -U 'yt-dlp[default,deno]') and run the same command again",
        replaced=True,
    ),
    Reason.NOT_WRITABLE: _Rule(
        Kind.ENVIRONMENT,
        "the destination cannot be written to; fix that and run the same command",
    ),
    Reason.WORKER_DIED: _Rule(
        Kind.CRASHED,
        "worker processes die on every clip; if memory is short, use fewer --workers, and run the "
        "same command again",
    ),
}
_REPLACED: Final = frozenset({Kind.PERMANENT, Kind.CONDITIONAL, Kind.MEDIA, Kind.CRASHED})
_ABOUT_THE_VIDEO: Final = frozenset({Kind.PERMANENT, Kind.CONDITIONAL})
_OF_THE_MACHINE: Final = frozenset({Reason.DISK_FULL, Reason.NOT_WRITABLE, Reason.NO_FFMPEG})


LONGEST_MESSAGE: Final = 500
"""Largest length of the message of a failure in characters; the log has the whole text."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one clip was not made.

    message: one line for people. http_status: the HTTP status that caused the failure, if one did.
    retry_after: seconds that the server asked to wait. outdated: whether the text says that the
    client is too old.
    """

    reason: Reason
    message: str
    http_status: int | None = None
    retry_after: float | None = None
    outdated: bool = False

    def __post_init__(self) -> None:
        line = " ".join(self.message[: 4 * LONGEST_MESSAGE].split())
        short = line if len(line) <= LONGEST_MESSAGE else f"{line[: LONGEST_MESSAGE - 1]}…"
        object.__setattr__(self, "message", short)

    @property
    def kind(self) -> Kind:
        return self.reason.kind

    @property
    def remedy(self) -> str:
        """The fault, and what to do about it, if every video fails in this way."""
        if self.outdated:
            return _OUTDATED
        if self.reason not in _OF_THE_MACHINE and "certificate" in self.message.lower():
            return _CERTIFICATE
        return _RULES[self.reason].remedy


class NanokineticsError(Exception):
    """The run cannot go on. The text is one line that says what to do."""

    exit_code = ExitCode.ERROR


class InputError(NanokineticsError):
    """The options, or a given file, cannot be used. Nothing was changed."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class BadRow:
    """One unusable annotation row.

    line: counts from 1 and includes the header; 0 means the whole file or folder. altered: whether
    a spreadsheet changed a value, so that only the original file has it.
    """

    file: str
    line: int
    why: str
    altered: bool = False

    def __str__(self) -> str:
        where = f"{self.file}, line {self.line}" if self.line else self.file
        return f"{where}: {self.why}"


class BadRows(InputError):
    """All unusable annotation rows."""

    def __init__(self, rows: Sequence[BadRow]) -> None:
        self.rows = tuple(rows)
        more = f" (and {len(rows) - 1} more bad rows)" if len(rows) > 1 else ""
        altered = sum(row.altered for row in rows)
        fix = "fix the file"
        if altered:
            whole = f"these {altered} rows" if len(rows) > 1 else "this row"
            which = whole if altered == len(rows) else f"{altered} of these {len(rows)} rows"
            fix = f"a spreadsheet changed {which}: use the original file"
        super().__init__(f"{rows[0]}{more}; {fix}, or leave them out with --skip-bad-rows")


class EnvironmentFault(NanokineticsError):
    """The machine, not a clip, is at fault: no space, no ffmpeg, no network."""

    @classmethod
    def of(cls, failure: Failure) -> EnvironmentFault:
        """The error for a failure that no single clip caused: the fault, and what to do."""
        return cls(f"{failure.remedy} ({failure.message})")


class Blocked(NanokineticsError):
    """YouTube refuses this address for now, and the wait has reached its limit.

    until: when the next request may start, in seconds since the epoch; None if that is not known.
    """

    exit_code = ExitCode.BLOCKED

    def __init__(self, message: str, until: float | None = None) -> None:
        super().__init__(message)
        self.until = until


class Busy(NanokineticsError):
    """Another run holds the folder of the dataset. Nothing was changed."""

    exit_code = ExitCode.BLOCKED

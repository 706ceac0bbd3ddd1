"""What may go wrong: the reasons a clip fails, what each kind of failure means, and exit codes.

    NanokineticsError            1   the run cannot go on
    ├── InputError               2   bad usage or bad input; nothing was changed
    │   └── BadRows              2   annotation rows that cannot be used, named by file and line
    ├── EnvironmentFault         1   not the clip's fault: disk full, no ffmpeg, …
    └── Blocked                 75   YouTube refuses this address for now; run it again later

Exceptions end a run; Ctrl-C and SIGTERM are KeyboardInterrupt, with exit code 130. What befalls one
clip is a `Failure`, a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final


class ExitCode(IntEnum):
    """What the command line returns."""

    OK = 0
    ERROR = 1
    USAGE = 2
    SHORT = 3
    """Finished, but some class has fewer clips than asked."""
    BLOCKED = 75
    """EX_TEMPFAIL of sysexits.h: the same command later goes on."""
    INTERRUPTED = 130


class Kind(StrEnum):
    """What the engine does about a failure."""

    PERMANENT = "permanent"
    """Replace from the reserves; do not ask again."""
    CONDITIONAL = "conditional"
    """Replace; ask again when told to (cookies, another country)."""
    BLOCKED = "blocked"
    """About the session, never about the clip: put back and hold everyone back."""
    TRANSIENT = "transient"
    """Retried a few times, then left for the next run; never replaced."""
    MEDIA = "media"
    """The video is there but does not hold the clip: replace, keep the log."""
    ENVIRONMENT = "environment"
    """Not the clip's fault: stop the run."""
    CRASHED = "crashed"
    """A worker process died with it: retried alone, then replaced."""


class Reason(StrEnum):
    """Why a clip was not made, as written to the `reason` column."""

    UNAVAILABLE = "unavailable"
    PRIVATE = "private"
    REMOVED_BY_UPLOADER = "removed_by_uploader"
    ACCOUNT_TERMINATED = "account_terminated"
    COPYRIGHT = "copyright"
    TERMS_OF_SERVICE = "terms_of_service"
    NOT_FOUND = "not_found"
    AGE_RESTRICTED = "age_restricted"
    GEO_BLOCKED = "geo_blocked"
    MEMBERS_ONLY = "members_only"
    LOGIN_REQUIRED = "login_required"
    NOT_YET_AVAILABLE = "not_yet_available"
    RATE_LIMITED = "rate_limited"
    BOT_CHECK = "bot_check"
    SERVER_ERROR = "server_error"
    NETWORK = "network"
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"
    FORBIDDEN_MEDIA = "forbidden_media"
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
        return _KINDS[self]

    @property
    def words(self) -> str:
        """The reason as it is said to a person."""
        return self.value.replace("_", " ")

    @property
    def replaced(self) -> bool:
        """Whether the next clip of the class takes the clip's place.

        `no_formats` stops the run when it befalls many in a row; once other videos have shown
        that the machine is not at fault, it is the clip's.
        """
        return self.kind in _REPLACED or self is Reason.NO_FORMATS

    @property
    def asked_again(self) -> bool:
        """Whether `--retry-failed` asks for it again; what is permanent is never asked again."""
        return self.replaced and self.kind is not Kind.PERMANENT

    @property
    def about_the_video(self) -> bool:
        """Whether every window of the video fails alike, so that asking once is enough."""
        return self.kind in (Kind.PERMANENT, Kind.CONDITIONAL) or self is Reason.NO_VIDEO_STREAM


_REASONS_BY_KIND: dict[Kind, tuple[Reason, ...]] = {
    Kind.PERMANENT: (
        Reason.UNAVAILABLE,
        Reason.PRIVATE,
        Reason.REMOVED_BY_UPLOADER,
        Reason.ACCOUNT_TERMINATED,
        Reason.COPYRIGHT,
        Reason.TERMS_OF_SERVICE,
        Reason.NOT_FOUND,
    ),
    Kind.CONDITIONAL: (
        Reason.AGE_RESTRICTED,
        Reason.GEO_BLOCKED,
        Reason.MEMBERS_ONLY,
        Reason.LOGIN_REQUIRED,
        Reason.NOT_YET_AVAILABLE,
    ),
    Kind.BLOCKED: (Reason.RATE_LIMITED, Reason.BOT_CHECK),
    Kind.TRANSIENT: (
        Reason.SERVER_ERROR,
        Reason.NETWORK,
        Reason.TIMEOUT,
        Reason.TRUNCATED,
        Reason.FORBIDDEN_MEDIA,
    ),
    Kind.MEDIA: (
        Reason.OUTSIDE_VIDEO,
        Reason.TOO_SHORT,
        Reason.UNDECODABLE,
        Reason.NO_VIDEO_STREAM,
    ),
    Kind.ENVIRONMENT: (
        Reason.DISK_FULL,
        Reason.NO_FFMPEG,
        Reason.NO_FORMATS,
        Reason.NOT_WRITABLE,
    ),
    Kind.CRASHED: (Reason.WORKER_DIED,),
}
_REPLACED = frozenset({Kind.PERMANENT, Kind.CONDITIONAL, Kind.MEDIA, Kind.CRASHED})
_KINDS = {reason: kind for kind, reasons in _REASONS_BY_KIND.items() for reason in reasons}


LONGEST_MESSAGE: Final = 500
"""Characters of a failure's one line; the log has all of it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one clip was not made.

    `message` is one line for people; `http_status` the status the server gave, if one decided it;
    `retry_after` the seconds the server asked to be left alone for.
    """

    reason: Reason
    message: str
    http_status: int | None = None
    retry_after: float | None = None

    def __post_init__(self) -> None:
        line = " ".join(self.message[: 4 * LONGEST_MESSAGE].split())
        short = line if len(line) <= LONGEST_MESSAGE else f"{line[: LONGEST_MESSAGE - 1]}…"
        object.__setattr__(self, "message", short)

    @property
    def kind(self) -> Kind:
        return self.reason.kind


class NanokineticsError(Exception):
    """The run cannot go on. The text is one line a person can act on."""

    exit_code = ExitCode.ERROR


class InputError(NanokineticsError):
    """What was asked, or a file that was given, cannot be used. Nothing was changed."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class BadRow:
    """One annotation row that cannot be used. `line` counts from 1, the header included; 0 stands
    for the file, or the folder, as a whole."""

    file: str
    line: int
    why: str

    def __str__(self) -> str:
        where = f"{self.file}, line {self.line}" if self.line else self.file
        return f"{where}: {self.why}"


class BadRows(InputError):
    """Annotation rows that cannot be used, all of them."""

    def __init__(self, rows: Sequence[BadRow]) -> None:
        self.rows = tuple(rows)
        more = f" (and {len(rows) - 1} more bad rows)" if len(rows) > 1 else ""
        super().__init__(f"{rows[0]}{more}; mend the file, or leave them out with --skip-bad-rows")


class EnvironmentFault(NanokineticsError):
    """The machine, not a clip, is at fault: no space, no ffmpeg, no network."""


class Blocked(NanokineticsError):
    """YouTube refuses this address for now and waiting has passed its limit."""

    exit_code = ExitCode.BLOCKED

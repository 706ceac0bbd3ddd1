"""Loggers of this package. They mask secrets, and escape control characters for terminals.

Worker processes do not log. Their output goes to the logs of failures.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nanokinetics.common.moments import instant
from nanokinetics.common.secrets import mask
from nanokinetics.common.text import plain
from nanokinetics.errors import InputError


class _Clean(logging.Filter):
    """Masks the text of a record before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = "\n".join(map(plain, mask(record.getMessage()).split("\n")))
        record.args = ()
        return True


_CLEAN = _Clean()


def logger(name: str) -> logging.Logger:
    """The logger of a module."""
    found = logging.getLogger(name)
    found.addFilter(_CLEAN)
    return found


class _Form(logging.Formatter):
    """Local time with its distance from UTC, as in all other lines for people."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's name
        return instant(record.created)


class _LogFile(logging.FileHandler):
    """A log that ends with one line on standard error if it cannot be written any more."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's name
        error = sys.exc_info()[1]
        self.setLevel(logging.CRITICAL + 1)
        why = getattr(error, "strerror", None) or error
        if sys.stderr is not None:  # a program without a terminal may have none
            sys.stderr.write(f"nanokinetics: --log {plain(self.baseFilename)} ends here: {why}\n")


@contextmanager
def logging_to(path: Path | None) -> Iterator[None]:
    """Append the package's log to a file, each line with the local time. None: no log.

    Raises InputError if the file cannot be written.
    """
    if path is None:
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(path, encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"--log {path}: {error.strerror}") from None
    handler.setFormatter(_Form("{asctime} {levelname:<7} {name}: {message}", style="{"))
    whole = logging.getLogger(__name__.partition(".")[0])
    before = whole.level
    whole.addHandler(handler)
    whole.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        whole.removeHandler(handler)
        whole.setLevel(before)
        with suppress(OSError):  # of a full disk, which the log has reported
            handler.close()

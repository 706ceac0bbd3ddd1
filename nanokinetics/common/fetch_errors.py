"""What may go wrong with a request, in words."""

from __future__ import annotations

import re
import ssl
from typing import Final

from urllib3.exceptions import (
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
    TimeoutError,  # noqa: A004 - as urllib3 calls it
)


class FetchError(Exception):
    """A server gave no usable answer. The text is one clause for a message.

    status: that of the answer, if there was one. passes: whether to ask again may help.
    """

    def __init__(self, why: str, status: int | None = None, *, passes: bool = False) -> None:
        super().__init__(why)
        self.status = status
        self.passes = passes


class BrokenOffError(FetchError):
    """A body ended early. What came of it is good, and the rest may be asked for."""


def passes(error: BaseException) -> bool:
    """Whether to ask again may help."""
    return isinstance(error, FetchError) and error.passes


_WORDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (NameResolutionError, "no network, or no host of that name"),
    (ReadTimeoutError, "no answer in time"),
    (NewConnectionError, "cannot be reached"),
    (TimeoutError, "no answer in time"),
)


def why_of(error: BaseException, *, body: bool = False) -> str:
    inner = getattr(error, "original_error", None)
    if isinstance(error, ProxyError):
        what = why_of(inner) if isinstance(inner, HTTPError) else f"{inner or error}"
        return f"the proxy: {what}"
    if is_about_trust(error):
        return f"its certificate is not trusted here ({_innermost(error)})"
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    return f"{'broke off' if body else 'the connection failed'} ({_innermost(error)})"


def is_about_trust(error: BaseException) -> bool:
    return isinstance(error, SSLError | ssl.SSLError) and "certificate" in str(error).lower()


def _innermost(error: BaseException) -> str:
    text = str(error.args[-1] if error.args else error)
    return re.sub(r"^\[[^]]*\] |\s*\(_ssl\.c:\d+\)", "", text) or type(error).__name__

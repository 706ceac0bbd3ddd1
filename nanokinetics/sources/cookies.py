"""Cookie files in Netscape's format, judged before anything is asked for.

yt-dlp prints the lines that it cannot use, with their secret values, and then asks as a guest. So
each line is judged here, and messages name a line without its value. The form of a line is that of
https://curl.se/docs/http-cookies.html.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn

from nanokinetics.common.text import plain
from nanokinetics.errors import InputError

_HEADER: Final = "# Netscape HTTP Cookie File\n"
_HTTP_ONLY: Final = "#HttpOnly_"
_FIELDS: Final = ("domain", "subdomains", "path", "secure", "expiry", "name", "value")
_EXPORT: Final = "export it again in Netscape's format (cookies.txt)"
_LARGEST: Final = 10_000_000
"""Bytes. A browser with thousands of cookies exports about one million."""

_HEADER_LINE: Final = re.compile(r"(set-)?cookie:|[^\s=;]+=[^;\t]*(;|$)", re.IGNORECASE)
_SITE: Final = re.compile(r"(^|\.)youtube\.com$", re.IGNORECASE)
_LOGIN: Final = re.compile(r"LOGIN_INFO|SID|SAPISID|__Secure-[13]P(SID|APISID)")
"""Cookies that a browser has on youtube.com only while it is logged in."""


@dataclass(frozen=True, slots=True)
class Cookies:
    """The cookies of a file. text: a file that yt-dlp takes as it is.

    remark: why requests will be those of a guest all the same; empty if they will not.
    """

    text: str
    remark: str

    @property
    def has_account(self) -> bool:
        return not self.remark


@dataclass(frozen=True, slots=True)
class _Cookie:
    line: int
    fields: tuple[str, ...]
    http_only: bool

    @property
    def name(self) -> str:
        return self.fields[5]

    @property
    def is_of_site(self) -> bool:
        return bool(_SITE.search(self.fields[0]))

    @property
    def expiry(self) -> float:
        """Seconds since the epoch; 0 for a cookie of a session, which does not expire."""
        return max(0.0, float(self.fields[4] or 0))

    def text(self) -> str:
        """The line as yt-dlp takes it: the second field must say whether the first has a dot."""
        domain, _, path, secure, _, name, value = self.fields
        subdomains = "TRUE" if domain.startswith(".") else "FALSE"
        first = f"{_HTTP_ONLY}{domain}" if self.http_only else domain
        expiry = f"{self.expiry:.0f}"
        return "\t".join((first, subdomains, path, secure, expiry, name, value)) + "\n"


def read(path: Path, now: float | None = None) -> Cookies:
    """Read and judge a cookie file. now: seconds since the epoch; None takes the clock's.

    Raises InputError, with the line but without its value, for a file that is no cookie file, a
    line that yt-dlp would not take, and a file that holds nothing for YouTube.
    """
    now = time.time() if now is None else now
    cookies = list(_cookies(path, _text(path)))
    if not cookies:
        _refuse(path, f"holds no cookie; {_EXPORT}")
    ours = [cookie for cookie in cookies if cookie.is_of_site]
    if not ours:
        _refuse(path, f"holds no cookie of youtube.com; open YouTube in the browser and {_EXPORT}")
    alive = [cookie for cookie in ours if not 0 < cookie.expiry <= now]
    if not alive:
        last = max(ours, key=lambda cookie: cookie.expiry)
        why = f"the last cookie of youtube.com expired on {_day(last)}; {_EXPORT}"
        _refuse(path, why, last.line)
    text = _HEADER + "".join(cookie.text() for cookie in cookies)
    return Cookies(text, _remark(path, ours, alive))


def _remark(path: Path, ours: Sequence[_Cookie], alive: Sequence[_Cookie]) -> str:
    if any(_LOGIN.fullmatch(cookie.name) for cookie in alive):
        return ""
    asked = f"YouTube is asked as a guest; log in and {_EXPORT}"
    expired = [cookie for cookie in ours if _LOGIN.fullmatch(cookie.name)]
    if not expired:
        return f"--cookies {path}: holds no login to YouTube, so {asked}"
    last = max(expired, key=lambda cookie: cookie.expiry)
    return f"--cookies {path}, line {last.line}: the login expired on {_day(last)}, so {asked}"


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            _refuse(path, f"is larger than {_LARGEST // 1_000_000} MB, so it is no cookie file")
        data = path.read_bytes()
    except OSError as error:
        _refuse(path, f"cannot be read: {error.strerror}")
    if data.startswith(b"SQLite format 3\0"):
        _refuse(path, f"is the database of a browser; {_EXPORT}")
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        _refuse(path, f"is no text in UTF-8; {_EXPORT}", line)
    if not text.strip():
        _refuse(path, f"is empty; {_EXPORT}")
    if "\0" in text:
        _refuse(path, f"is no text; {_EXPORT}")
    if text.lstrip()[0] in "[{":
        _refuse(path, f"is JSON; {_EXPORT}")
    return text


def _cookies(path: Path, text: str) -> Iterator[_Cookie]:
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        http_only = line.startswith(_HTTP_ONLY)
        written = line.removeprefix(_HTTP_ONLY)
        if not written.strip() or (written.startswith("#") and not http_only):
            continue
        fields = tuple(written.split("\t"))
        if why := _fault(fields, written):
            _refuse(path, f"{why}; {_EXPORT}", number)
        yield _Cookie(number, fields, http_only)


def _fault(fields: Sequence[str], line: str) -> str:
    """Why a line is no cookie, in words without its value; empty if it is one."""
    if len(fields) != len(_FIELDS):
        if "\t" not in line and len(line.split()) >= len(_FIELDS) - 1:
            return "blanks separate its fields, and tabs should"
        if _HEADER_LINE.match(line):
            return "is a header, and not a line of a cookie file"
        plural = "field" if len(fields) == 1 else "fields"
        return f"{len(fields)} {plural}, and a cookie has {len(_FIELDS)}, with tabs between"
    domain, subdomains, place, secure, expiry, name, value = fields
    for field, flag in ((2, subdomains), (4, secure)):
        if flag not in ("TRUE", "FALSE"):
            said = f"is '{flag}'" if flag.upper() in ("TRUE", "FALSE") else "is something else"
            return f"field {field} ({_FIELDS[field - 1]}) {said}, and should be TRUE or FALSE"
    if not re.fullmatch(r"\.?[\w-]+(\.[\w-]+)*", domain):
        return "field 1 is no domain"
    if not place.startswith("/"):
        return "field 3 is no path, which begins with /"
    if not re.fullmatch(r"-1|\d{0,20}(\.\d+)?", expiry, re.ASCII):
        return "field 5 (expiry) is no number of seconds"
    if not (name or value):
        return "fields 6 and 7 (name and value) are empty"
    return "holds a control character" if plain(name + value) != name + value else ""


def _day(cookie: _Cookie) -> str:
    try:
        return datetime.fromtimestamp(cookie.expiry, UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):
        return "a day long ago"


def _refuse(path: Path, why: str, line: int = 0) -> NoReturn:
    where = f", line {line}" if line else ""
    raise InputError(f"--cookies {path}{where}: {why}") from None

"""Mask secrets: cookies, passwords, tokens, and the signed parts of URLs.

One secret stands in many forms: in a header, a printed dict, JSON, a cookie file, a URL, or a URL
within a URL. Each form is a row of a table, from the widest to the narrowest. A row is linear in
the length of the text, because a server may send anything.
"""

from __future__ import annotations

import re
from typing import Final

_HIDDEN: Final = "***"

_QUOTED: Final = r"(?:\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+')"
_ESCAPED: Final = r"(?:\\\"(?:(?!\\\").)*+\\\")"
"""A text in quotes, and one whose quotes are escaped: JSON within JSON."""

_HEADERS: Final = (
    r"(?:set-)?cookie2?|(?:proxy-|x-)?authorization|x-goog-visitor-id|x-youtube-identity-token"
    r"|x-(?:amz|goog)-(?:security-)?(?:token|signature|credential)|x-(?:api-key|csrf-token)"
)
_NAMES: Final = (
    r"password|passwd|passphrase|twofactor|po[_-]?token|visitor[_-]?data|data[_-]?sync[_-]?id"
    r"|(?:access|refresh|id|identity|oauth|session|auth|csrf|xsrf|security)[_-]?token"
    r"|client[_-]?secret|signature_?cipher"
)
"""Names of values that are secret wherever they stand."""

_COOKIES: Final = (
    r"__(?:Secure|Host)-[\w-]+|LOGIN_INFO|VISITOR_INFO1_LIVE|VISITOR_PRIVACY_METADATA"
    r"|S?APISID|SIDCC|[HLOS]?SID|NID|YSC"
)
"""Names of the cookies of YouTube and Google that identify a person or a browser."""

_PARAMETERS: Final = (
    r"sig|lsig|signature|ip|n|pot|spc|key|token|access_token|auth|hdnts|hdnea|policy|key-pair-id"
    r"|awsaccesskeyid|googleaccessid|x-(?:amz|goog)-(?:signature|credential|security-token)"
)
"""Parameters of signed URLs. Anyone can use such a URL, and it holds the address of the client."""

_AND: Final = r"(?:[?&]|&amp;|\\u0026|%(?:25)*(?:26|3F))"
_TAB: Final = r"(?:\t|\\t|\\u0009| )++"
_FLAG: Final = r"(?:TRUE|FALSE)"
_FIRST: Final = r"(?:\b|(?<=\\[nrt])|(?<=\\u0009))"
"""Where a word begins, also after an escape such as `\\n`."""

_NEW: Final = r"(?!\*\*\*)"
"""Not masked before: to mask twice changes nothing."""

_ROWS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), instead)
    for pattern, instead in (
        # ffmpeg's command line, as a shell takes it and as Python prints a list.
        (rf"( -(?:cookies|headers|http_proxy)) (?:{_QUOTED}|\S+)", rf"\1 {_HIDDEN}"),
        (rf"(['\"]-(?:cookies|headers|http_proxy)['\"], )b?{_QUOTED}", rf"\1{_HIDDEN}"),
        # Lines of a cookie file, also with blanks for tabs, or with a field missing.
        (
            rf"{_FIRST}({_FLAG}{_TAB}/[^\s\\]{{0,200}}{_TAB}{_FLAG}{_TAB}){_NEW}[^\n]+",
            rf"\1{_HIDDEN}",
        ),
        (rf"{_FIRST}({_FLAG}{_TAB}-?\d{{9,}}(?:\.\d+)?{_TAB}){_NEW}[^\n]+", rf"\1{_HIDDEN}"),
        # Cookies as browsers' extensions export them, and as Python prints them.
        (
            rf"([\"'](?:domain|hostOnly|httpOnly|expirationDate)[\"'].{{0,400}}?"
            rf"[\"']value[\"']\s*:\s*){_QUOTED}",
            rf"\1{_HIDDEN}",
        ),
        (
            rf"([\"']value[\"']\s*:\s*){_QUOTED}"
            r"(?=.{0,400}?[\"'](?:domain|hostOnly|httpOnly|expirationDate)[\"'])",
            rf"\1{_HIDDEN}",
        ),
        (rf"(\bCookie\(.{{0,200}}?\bvalue=){_QUOTED}", rf"\1{_HIDDEN}"),
        (r"(<Cookie [^=\s]{1,100}=)[^\n]*?(?= for )", rf"\1{_HIDDEN}"),
        # Headers: of a printed dict, pair or JSON; and on a line of their own.
        (
            rf"{_FIRST}({_HEADERS})(\\?[\"']?\s*[:,=]\s*\[?b?)(?:{_QUOTED}|{_ESCAPED})",
            rf"\1\2{_HIDDEN}",
        ),
        (
            rf"{_FIRST}({_HEADERS})(\\?[\"']?\s*+:\s*+){_NEW}(?!\[?b?\*\*\*)[^\n]+",
            rf"\1\2{_HIDDEN}",
        ),
        # Options of yt-dlp, then names with their values.
        (
            rf"(--[\w-]*(?:password|passphrase|twofactor)|(?<![\w-])-p)([= ]+)"
            rf"(?:{_QUOTED}|[^\s\"']+)",
            rf"\1\2{_HIDDEN}",
        ),
        (
            rf"({_NAMES})(\\?[\"']?\s*(?:=|:|%(?:25)*3D)\s*+\[?+\s*+b?)"
            rf"{_NEW}(?:{_QUOTED}|{_ESCAPED}|[^\s\"'&;<>\\)}}\]]+)",
            rf"\1\2{_HIDDEN}",
        ),
        (
            rf"(?<![\w-])((?-i:{_COOKIES}))((?:\\?[\"'])?\s*[=:,]\s*+b?|\t|\\t|\\u0009)"
            rf"{_NEW}(?:{_QUOTED}|{_ESCAPED}|[^\s\"';,<>\\]+)",
            rf"\1\2{_HIDDEN}",
        ),
        # Credentials that say themselves what they are.
        (r"\b(bearer|sapisid\w{0,9}hash)( +)[\w.~+/=-]{6,}", rf"\1\2{_HIDDEN}"),
        (r"\b(basic )(?=(?-i:[a-z]*[A-Z0-9+/=]))[a-z0-9+/=]{8,}", rf"\1{_HIDDEN}"),
        (r"\b(?:ya29\.[\w-]+|eyJ[\w-]{10,}\.[\w-]+\.[\w-]*)", _HIDDEN),
        # Credentials in a URL, such as that of a proxy, also without a scheme or encoded.
        (r"(://)[^/\s:@]{0,200}:(?!\d+/)[^\s\"']{0,200}@", rf"\1{_HIDDEN}@"),
        (r"(://)[^/\s]+@", rf"\1{_HIDDEN}@"),
        (
            r"(%(?:25)*3A%(?:25)*2F%(?:25)*2F)(?:(?!%(?:25)*2F)[^\s\"'&/@]){1,200}(%(?:25)*40)",
            rf"\1{_HIDDEN}\2",
        ),
        (r"(?<![\w/.%+-])[\w.%+-]{1,100}:[^\s:@/\"']{1,100}@(?=[\w.-]+:\d)", f"{_HIDDEN}@"),
        # Signed URLs; then a URL within a URL, whose separators are encoded too.
        (rf"({_AND}(?:{_PARAMETERS})=)[^&\s\"'<>\\]+", rf"\1{_HIDDEN}"),
        (
            rf"({_AND}(?:{_PARAMETERS})%(?:25)*3D)(?:(?!%(?:25)*26)[^&\s\"'<>\\])+",
            rf"\1{_HIDDEN}",
        ),
        (
            r"(?<![\w%])((?:l?sig|signature)(?:=|%(?:25)*3D))(?:(?!%(?:25)*26)[^&\s\"'<>\\])+",
            rf"\1{_HIDDEN}",
        ),
        (r"(?<!\w)(s=)[^&\s\"'\\]+(?=(?:&|&amp;|\\u0026)sp=)", rf"\1{_HIDDEN}"),
    )
)
"""A form, and what stands instead of it."""

_URL: Final = re.compile(r"https?(?:://|%(?:25)*3A%(?:25)*2F)[^\s\"'<>]+", re.IGNORECASE)
_IN_PATH: Final = re.compile(
    r"((?:/|%(?:25)*2F)(?:sig|lsig|signature|ip|n|pot|spc)(/|%(?:25)*2F))(?:(?!\2)[^/?&\s])+"
)
"""A parameter as a part of a URL's path, as in addresses of HLS."""


def mask(text: str) -> str:
    """The text without cookies, passwords, tokens, and the signed parts of URLs."""
    for pattern, instead in _ROWS:
        text = pattern.sub(instead, text)
    return _URL.sub(lambda url: _IN_PATH.sub(rf"\1{_HIDDEN}", url[0]), text)

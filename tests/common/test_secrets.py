"""Each form in which a secret may stand is a row; and what is no secret stays readable."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
import urllib.parse
from http.cookiejar import Cookie

import pytest

from nanokinetics.common.secrets import mask

SECRET = "S3cr3t"  # noqa: S105 - a stand-in for one
SIGNED = f"https://h/videoplayback?expire=1&sig={SECRET}&itag=18"
DICT = {"Accept": "*/*", "Cookie": f"SID=a; HSID={SECRET}", "Range": "bytes=0-"}
JAR = f".youtube.com\tTRUE\t/\tTRUE\t1799999999\tA_NAME\t{SECRET}"
COOKIE = Cookie(
    *(0, "A_NAME", SECRET, None, False, ".youtube.com", True, True, "/", True, True),
    *(1799999999, False, None, None, {}),
)
EXPORT = {
    "domain": ".youtube.com",
    "hostOnly": False,
    "name": "A_NAME",
    "path": "/",
    "value": SECRET,
}


def quoted(text: str, times: int = 1) -> str:
    return quoted(urllib.parse.quote(text, safe=""), times - 1) if times else text


LEAKS = {
    # headers
    "on a line": f"Cookie: SID=a; HSID={SECRET}",
    "of a server": f"set-cookie: A_NAME={SECRET}; Path=/; Secure; HttpOnly",
    "a printed dict": str(DICT),
    "JSON": json.dumps(DICT),
    "JSON within JSON": json.dumps({"request": json.dumps(DICT)}),
    "bytes": str({k.encode(): v.encode() for k, v in DICT.items()}),
    "pairs": str(list(DICT.items())),
    "a list for each name": str({"Set-Cookie": [f"A_NAME={SECRET}"]}),
    "as Python's client prints what it sends": f"send: b'GET / HTTP/1.1\\r\\nCookie: A={SECRET}'",
    "of a shell": f"curl -H 'Cookie: A_NAME={SECRET}' https://h/",
    "cut off": f"{{'Cookie': 'A_NAME={SECRET}",
    "bearer": f"Authorization: Bearer {SECRET}",
    "bearer, alone": f"sent Bearer {SECRET} to h",
    "basic": "Proxy-Authorization: Basic dXNlcjpTM2NyM3Q=",
    "SAPISIDHASH in a dict": f"{{'Authorization': 'SAPISIDHASH 1735689600_{SECRET}'}}",
    "a visitor": f"X-Goog-Visitor-Id: {SECRET}",
    # cookie files
    "a line": JAR,
    "a line for its host only": JAR.replace("TRUE", "FALSE", 1).removeprefix("."),
    "a line for scripts only not": f"#HttpOnly_{JAR}",
    "a line in small letters": JAR.replace("TRUE", "true"),
    "a line with blanks": JAR.replace("\t", "  "),
    "a line in a message": f"skipping cookie file entry due to invalid length 6: {JAR!r}",
    "a line in JSON": json.dumps({"line": JAR}),
    "a line that lacks its name": JAR.replace("A_NAME\t", ""),
    "a line that lacks a time": JAR.replace("1799999999", ""),
    "a line that lacks a path": JAR.replace("\t/", ""),
    "a line with more fields": f"{JAR}\t{SECRET}",
    "a cookie of Python": str(COOKIE),
    "a cookie of Python in full": repr(COOKIE),
    "an export": json.dumps([EXPORT]),
    "an export, indented": json.dumps([EXPORT], indent=4),
    "an export in another order": json.dumps([dict(reversed(EXPORT.items()))]),
    "a login cookie alone": f"got __Secure-3PSID={SECRET} from h",
    "a login cookie in a dict": str({"LOGIN_INFO": SECRET}),
    # addresses
    "a parameter": SIGNED,
    "a parameter in HTML": SIGNED.replace("&", "&amp;"),
    "a parameter in JSON": SIGNED.replace("&", "\\u0026"),
    "within an address": f"https://h/?u={quoted(SIGNED)}",
    "within an address within one": f"https://h/?u={quoted(SIGNED, 2)}",
    "signatureCipher": f"s={SECRET}%3D%3D&sp=sig&url=https%3A%2F%2Fh%2Fvideoplayback",
    "signatureCipher's address": f"s=x&sp=sig&url={quoted(SIGNED)}",
    "signatureCipher in JSON": json.dumps({"signatureCipher": f"s={SECRET}&sp=sig&url=h"}),
    "a parameter alone": f"sig%3D{SECRET}%26itag%3D18",
    "a parameter with an encoded end": f"https://h/?sig={SECRET}%3D%3D&a=1",
    "in a path": f"https://h/api/manifest/hls/sig/{SECRET}/itag/96/index.m3u8",
    "in a path within an address": quoted(f"https://h/hls/sig/{SECRET}/itag/96/x"),
    "presigned": f"https://h/a.tar?X-Amz-Credential=x&X-Amz-Signature={SECRET}&a=1",
    # names with values
    "po_token": f"youtube:po_token=web.gvs+x,web.player+{SECRET};a=b",
    "po_token in parameters": str({"youtube": {"po_token": [f"web.gvs+{SECRET}"]}}),
    "poToken in JSON": json.dumps({"serviceIntegrityDimensions": {"poToken": SECRET}}),
    "visitor_data": f"--extractor-args youtube:visitor_data={SECRET};player_client=web",
    "visitorData in JSON": json.dumps({"client": {"visitorData": SECRET}}),
    "VISITOR_DATA in a page": f'{{"VISITOR_DATA":"{SECRET}","a":1}}',
    "data_sync_id": f"youtube:data_sync_id={SECRET}",
    "--password x": f"--username me --password {SECRET}",
    "--password=x": f"--video-password={SECRET}",
    "--password 'x y'": f"--password 'a {SECRET}'",
    "--ap-password": f'--ap-password "a {SECRET}"',
    "-p x": f"-u me -p {SECRET}",
    "a password in parameters": str({"username": "me", "password": f"a, b {SECRET}"}),
    "a video's password in parameters": str({"videopassword": SECRET}),
    "an access token": f"ya29.{SECRET}",
    # proxies
    "a proxy": f"http://me:{SECRET}@h:1",
    "a proxy with an odd password": f"socks5h://me:p@a/{SECRET}@h:1",
    "a proxy without a scheme": f"http_proxy=me:{SECRET}@proxy.org:3128",
    "a proxy, encoded": quoted(f"http://me:{SECRET}@h:1"),
    "a proxy's user": f"http://{SECRET}@h:1",
    # ffmpeg's arguments
    "arguments of a shell": shlex.join(["ffmpeg", "-headers", f"A: b\r\nX: {SECRET}\r\n"]),
    "arguments of Windows": subprocess.list2cmdline(["x", "-cookies", f"A={SECRET}; path=/"]),
    "arguments in a traceback": str(["ffmpeg", "-headers", f"A: b\r\nX: {SECRET}\r\n", "-i"]),
}


@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS.keys())
def test_no_form_of_a_secret_survives(text: str) -> None:
    masked = mask(f"before\n{text}\nafter")
    assert SECRET not in masked
    assert SECRET not in urllib.parse.unquote(urllib.parse.unquote(masked))
    assert "dXNlcjpTM2NyM3Q" not in masked
    assert "***" in masked
    assert masked.startswith("before\n")
    assert masked.endswith("\nafter")
    assert mask(masked) == masked, "masking once is enough"


@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS.keys())
def test_a_form_is_known_in_the_midst_of_a_line_too(text: str) -> None:
    assert SECRET not in mask(f"nanokinetics: said '{text}' (see the log)")


@pytest.mark.parametrize(
    "text",
    [
        "/n/data/nano-k400: cannot be written to",
        "/data/sig/x/1.mp4 and /srv/ip/2.mp4",
        "Sid Vicious plays the bass, NID of the network",
        "--cookies cookies.txt, line 3: 6 fields, and a line has 7, with tabs between",
        "the passwords of both differ",
        "https://www.youtube.com/@channel/videos?view=0&sort=dd",
        "mkdir -p/x",
        "Basic information is missing",
        "key,split,label,youtube_id,time_start,time_end",
        "TRUE or FALSE",
        "{'n': {'train': 10}, 'ip': None}",
        "Statistics: 1400429 bytes read, 3 seeks",
        "Signature extraction failed: Some formats may be missing",
        "me@university.org wrote at 10:15",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    "piece",
    ["x", "://a:", "Cookie: ", "'domain' ", "TRUE / ", "&sig=", '"', "\\", "password='", "%2526",
     "a:b@", "Cookie(", '"value": "'],
)  # fmt: skip
def test_a_long_text_takes_no_longer_for_what_it_holds(piece: str) -> None:
    def seconds(times: int) -> float:
        text = piece * (times // len(piece))
        began = time.process_time()
        mask(text)
        return time.process_time() - began

    assert seconds(400_000) < 8 * max(seconds(100_000), 0.02), "four times as long, about"


def test_names_and_values_around_a_secret_stay() -> None:
    assert mask(str(DICT)) == "{'Accept': '*/*', 'Cookie': ***, 'Range': 'bytes=0-'}"
    assert mask(SIGNED) == "https://h/videoplayback?expire=1&sig=***&itag=18"
    assert re.fullmatch(r"\.youtube\.com\tTRUE\t/\tTRUE\t\*+", mask(JAR))

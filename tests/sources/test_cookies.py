"""Cookie files: what is wrong or useless in one is said with its line, and never with its value."""

from __future__ import annotations

import io
import json
import sqlite3
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from yt_dlp.cookies import YoutubeDLCookieJar

from nanokinetics.errors import InputError
from nanokinetics.sources.cookies import read

SECRET = "S3cr3t"  # noqa: S105 - a stand-in for one
NOW = 1_800_000_000.0
HEADER = "# Netscape HTTP Cookie File\n\n"
LATER = "1900000000"
EARLIER = "1700000000"


def line(name: str = "LOGIN_INFO", domain: str = ".youtube.com", expiry: str = LATER) -> str:
    flag = "TRUE" if domain.startswith(".") else "FALSE"
    return f"{domain}\t{flag}\t/\tTRUE\t{expiry}\t{name}\t{SECRET}\n"


GOOD = HEADER + line()


def fields(number: int, value: str) -> str:
    """A good file whose cookie has another field; they count from 1."""
    parts = line().rstrip("\n").split("\t")
    parts[number - 1] = value
    return HEADER + "\t".join(parts) + "\n"


def jar_of(text: str) -> YoutubeDLCookieJar:
    """As yt-dlp reads it; whatever it says of a line is an error."""
    jar = YoutubeDLCookieJar(io.StringIO(text))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        jar.load(ignore_discard=True, ignore_expires=True)
    return jar


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def write(data: str | bytes) -> Path:
        path = tmp_path / "jar.txt"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write


TAKEN = {
    "as it should be": GOOD,
    "a mark at its beginning": "\ufeff" + GOOD,
    "line ends of Windows": GOOD.replace("\n", "\r\n"),
    "line ends of old Macs": GOOD.replace("\n", "\r"),
    "UTF-16, as PowerShell writes it": GOOD.encode("utf-16"),
    "no line end": GOOD.rstrip("\n"),
    "no header": line(),
    "another header": f"# HTTP Cookie File\n# by some extension\n{line()}",
    "not for scripts": HEADER + "#HttpOnly_" + line(),
    "of a session": HEADER + line(expiry="0"),
    "of a session, with an empty time": HEADER + line(expiry=""),
    "of a session, with -1": HEADER + line(expiry="-1"),
    "a time with a fraction": HEADER + line(expiry="1900000000.123"),
    "for its host only": HEADER + line(domain="www.youtube.com"),
    "a flag that contradicts the domain": HEADER + line().replace("TRUE", "FALSE", 1),
    "a value with an equals sign, blanks and colours": HEADER + line().replace(SECRET, "a=b c é"),
    "others beside": GOOD + line("NID", ".google.com") + line("x", ".example.org", EARLIER),
}


@pytest.mark.parametrize("data", TAKEN.values(), ids=TAKEN.keys())
def test_yt_dlp_takes_every_line_of_a_file_that_is_accepted(write, capfd, data) -> None:
    found = read(write(data), NOW)
    assert found.has_account
    jar = jar_of(found.text)
    cookies = [each for each in jar if each.name == "LOGIN_INFO"]
    assert [each.domain.lstrip(".").removeprefix("www.") for each in cookies] == ["youtube.com"]
    assert len(list(jar)) == found.text.count("\n") - 1
    assert capfd.readouterr() == ("", "")


def test_what_is_handed_on_is_what_stood_there(write) -> None:
    (cookie,) = jar_of(read(write(HEADER + "#HttpOnly_" + line()), NOW).text)
    found = (cookie.name, cookie.value, cookie.path, cookie.secure, cookie.expires)
    assert found == ("LOGIN_INFO", SECRET, "/", True, int(LATER))


BAD = {
    "small letters": (GOOD + line().replace("TRUE", "true", 1), 4, "is 'true'"),
    "small letters of the other flag": (fields(4, "false"), 3, "field 4 (secure) is 'false'"),
    "another flag": (fields(2, SECRET), 3, "field 2 (subdomains) is something else"),
    "too few fields": (GOOD + f".youtube.com\tTRUE\t/\tTRUE\t{SECRET}\n", 4, "5 fields"),
    "too many fields": (HEADER + line().replace(SECRET, f"{SECRET}\t{SECRET}"), 3, "8 fields"),
    "blanks for tabs": (HEADER + line().replace("\t", "    "), 3, "tabs should"),
    "a header of HTTP": (f"Cookie: SID={SECRET}; HSID={SECRET}\n", 1, "is a header"),
    "the value of a header": (f"SID={SECRET}; HSID={SECRET}\n", 1, "is a header"),
    "any text": (f"my password is {SECRET}\n", 1, "1 field"),
    "no domain": (fields(1, f"http://{SECRET}"), 3, "field 1"),
    "no path": (fields(3, SECRET), 3, "field 3"),
    "no time": (fields(5, SECRET), 3, "field 5 (expiry)"),
    "no name and no value": (HEADER + line("").replace(SECRET, ""), 3, "fields 6 and 7"),
    "a control character": (GOOD + line().replace(SECRET, f"{SECRET}\x1b[2J"), 4, "control"),
    "not UTF-8": (GOOD.encode() + b"\xe9" + SECRET.encode(), 4, "UTF-8"),
    "expired": (HEADER + line(expiry=EARLIER), 3, "expired on 2023-11-14"),
    "JSON": (json.dumps([{"name": "SID", "value": SECRET}]), 0, "is JSON"),
    "JSON of one": (json.dumps({"cookies": [SECRET]}, indent=2), 0, "is JSON"),
    "empty": ("", 0, "is empty"),
    "blank": (" \n\r\n", 0, "is empty"),
    "comments only": (HEADER + "# nothing\n", 0, "holds no cookie"),
    "of other sites": (HEADER + line("NID", ".google.com"), 0, "no cookie of youtube.com"),
    "of a site with such a name": (HEADER + line(domain=".notyoutube.com"), 0, "youtube.com"),
    "bytes": (b"\0\1\2" * 100, 0, "is no text"),
}


@pytest.mark.parametrize(("data", "number", "why"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_said_with_its_line_and_without_its_value(
    write, capfd, data, number, why
) -> None:
    path = write(data)
    with pytest.raises(InputError) as caught:
        read(path, NOW)
    said = str(caught.value)
    where = f", line {number}: " if number else ": "
    assert said.startswith(f"--cookies {path}{where}")
    assert why in said
    assert "export it again" in said
    assert SECRET not in said
    assert capfd.readouterr() == ("", "")


def test_the_database_of_a_browser_is_known(tmp_path: Path) -> None:
    path = tmp_path / "cookies.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("create table moz_cookies (name, value)")
    database.close()
    with pytest.raises(InputError, match="is the database of a browser; export"):
        read(path, NOW)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with path.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(InputError, match="larger than 10 MB"):
        read(path, NOW)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError, match=f"--cookies {path}: cannot be read: "):
            read(path, NOW)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (line("VISITOR_INFO1_LIVE") + line("PREF"), "holds no login to YouTube"),
        (line("PREF") + line(expiry=EARLIER), "line 4: the login expired on 2023-11-14"),
        (line("SID", ".google.com") + line("PREF"), "holds no login to YouTube"),
    ],
)
def test_cookies_without_a_login_are_taken_and_it_is_said(write, text: str, why: str) -> None:
    found = read(write(HEADER + text), NOW)
    assert not found.has_account
    assert why in found.remark
    assert "asked as a guest" in found.remark
    assert SECRET not in found.remark
    assert len(list(jar_of(found.text))) == 2


@pytest.mark.parametrize("name", ["SID", "__Secure-3PSID", "LOGIN_INFO", "__Secure-1PAPISID"])
def test_any_cookie_of_a_login_is_one(write, name: str) -> None:
    assert read(write(HEADER + line(name)), NOW).has_account

"""Logs hold everything but secrets, and never more than there is room for."""

from __future__ import annotations

import os
import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nanokinetics.clip import Clip, Failed
from nanokinetics.common.secrets import mask
from nanokinetics.engine.failed_logs import LARGEST_ENTRY, FailedLogs
from nanokinetics.errors import EnvironmentFault, Failure, Reason

SECRET = "S3cr3t"  # noqa: S105 - a stand-in for one

LEAKS = {
    "signature of a URL": "https://h/videoplayback?expire=1&sig=S3cr3t&itag=18",
    "its long form": "https://h/videoplayback?signature=S3cr3t",
    "lsig": "https://h/videoplayback?a=1&lsig=S3cr3t&b=2",
    "the asker's address": "https://h/videoplayback?ip=S3cr3t&id=1",
    "a token": "https://h/videoplayback?pot=S3cr3t",
    "n": "https://h/videoplayback?n=S3cr3t&itag=18",
    "signature as a part of the path": "https://h/api/manifest/hls/sig/S3cr3t/itag/96/index.m3u8",
    "address as a part of the path": "https://h/api/manifest/hls/ip/S3cr3t/itag/96/index.m3u8",
    "Cookie header": "Cookie: SID=S3cr3t",
    "Cookie header, not the first": "Cookie: a=b; HSID=S3cr3t; c=d",
    "Cookie header in small letters": "cookie: SID=S3cr3t",
    "Set-Cookie header": "Set-Cookie: SID=S3cr3t; Path=/; Secure",
    "Authorization header": "Authorization: Bearer S3cr3t",
    "SAPISIDHASH": "Authorization: SAPISIDHASH 1735689600_S3cr3t",
    "Proxy-Authorization header": "Proxy-Authorization: Basic S3cr3t",
    "a proxy's password": "[debug] Proxy map: {'all': 'http://user:S3cr3t@10.0.0.1:8080'}",
    "a proxy's user": "socks5h://S3cr3t:x@10.0.0.1:1080",
    "a Cookie header among others": "{'Accept': '*/*', 'Cookie': 'SID=S3cr3t'}",
    "signature of a URL within a URL": "signatureCipher=url%3Dhttps%253A%26sig%3DS3cr3t%26a%3D1",
    "a token as an option": "--extractor-args youtube:po_token=web+S3cr3t",
    "a password as an option": "--username me --password S3cr3t",
    "a video's password": "--video-password=S3cr3t",
    "a proxy's password with an at sign": "http://user:p@S3cr3t@10.0.0.1:8080",
}


@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS.keys())
def test_a_secret_never_survives(text: str) -> None:
    assert SECRET not in mask(f"before\n{text}\nafter")


@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS.keys())
def test_what_stands_around_a_secret_does(text: str) -> None:
    masked = mask(f"before\n{text}\nafter")
    assert masked.startswith("before\n")
    assert masked.endswith("\nafter")
    assert "***" in masked


@pytest.mark.parametrize(
    "text",
    [
        "ERROR: [youtube] -bcdefghijk: Private video. Sign in if you've been granted access",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://h/videoplayback?expire=1&itag=18&dur=10.0",
        "[AVIOContext @ 0x55] Statistics: 1400429 bytes read, 3 seeks",
        "Duration: 00:04:00.00, start: 0.000000, bitrate: 667 kb/s",
        "frame=  300 fps=0.0 q=-1.0",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask(text) == text


values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)


def logged(option: str, value: str) -> str:
    """A command as `media` writes it down."""
    argv = ["ffmpeg", "-ss", "10", option, value, "-i", "https://h/v?itag=18", "/t/1.mp4"]
    return f"$ {subprocess.list2cmdline(argv)}\nbench: utime=1s\n"


@given(before=values, after=values)
def test_cookies_on_ffmpegs_command_line_never_survive(before: str, after: str) -> None:
    cookies = f"A={before}; path=/; domain=.x;\nSID={before}{SECRET}{after}; path=/; domain=.x;"
    assert SECRET not in mask(logged("-cookies", cookies))


@given(before=values, after=values)
def test_headers_on_ffmpegs_command_line_never_survive(before: str, after: str) -> None:
    headers = f'Accept: */*\r\nSec-CH-UA: "Chromium"\r\nX-Token: {before}{SECRET}{after}\r\n'
    assert SECRET not in mask(logged("-headers", headers))


@pytest.mark.parametrize("option", ["-headers", "-cookies"])
def test_plain_values_on_ffmpegs_command_line_never_survive(option: str) -> None:
    assert SECRET not in mask(logged(option, f"A: b\r\nX-Token: {SECRET}\r\nC: d\r\n"))
    assert SECRET not in mask(logged(option, f"X={SECRET}"))


@pytest.mark.parametrize("proxy", ["http://user:S3cr3t@10.0.0.1:8080", "http://S3cr3t@h:1"])
def test_a_proxy_on_ffmpegs_command_line_never_survives(proxy: str) -> None:
    assert SECRET not in mask(logged("-http_proxy", proxy))


def test_the_rest_of_ffmpegs_command_line_survives() -> None:
    masked = mask(logged("-cookies", "SID=S3cr3t; path=/; domain=.x;"))
    assert masked.startswith("$ ffmpeg -ss 10 -cookies ")
    assert "-i https://h/v?itag=18 /t/1.mp4" in masked
    assert "bench: utime=1s" in masked


CLIP = Clip("-video00000_000010_000020", "train", 'a "b", c', "-video00000", 10.0, 20.0)


def failed(log: str) -> Failed:
    return Failed(CLIP, Failure(Reason.TIMEOUT, "too slow, said http://u:S3cr3t@h"), log=log)


def test_each_attempt_is_appended_to_the_log_of_its_clip(tmp_path: Path) -> None:
    logs = FailedLogs(tmp_path / "new" / "failed_logs")
    logs.write(failed("first\nCookie: SID=S3cr3t"), "2026-01-01T12:00:00Z")
    path = logs.write(failed("second \ud83d half a pair"), "2026-01-01T13:00:00Z")
    assert Path(path) == tmp_path / "new" / "failed_logs" / "-video00000_000010_000020.log"
    text = Path(path).read_text(encoding="utf-8")
    assert text.index("first") < text.index("second")
    assert '=== 2026-01-01T12:00:00Z train/a "b", c: timeout (transient)' in text
    assert SECRET not in text


def test_no_folder_is_made_before_something_fails(tmp_path: Path) -> None:
    FailedLogs(tmp_path / "failed_logs")
    assert list(tmp_path.iterdir()) == []


AT = "2026-01-01T12:00:00Z"


def failed_clip(number: int, log: str = "") -> Failed:
    """A failure of one of many clips."""
    clip = Clip(f"-video{number:05d}_000010_000020", "train", "yoga", f"-video{number:05d}", 10, 20)
    return Failed(clip, Failure(Reason.TIMEOUT, "too slow"), log=log)


def write(logs: FailedLogs, number: int, size: int, age: int = 0) -> Path:
    """Let a clip's attempt leave so many bytes of output, as if it had been so long ago."""
    path = Path(logs.write(failed_clip(number, "." * size), AT))
    os.utime(path, (1e9 - age, 1e9 - age))
    return path


def held(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_when_the_folder_is_full_the_oldest_logs_make_room(tmp_path: Path) -> None:
    logs = FailedLogs(tmp_path, largest=10_000)
    ages = {1: 30, 2: 50, 3: 10, 4: 40, 5: 20}
    paths = {number: write(logs, number, 1_800, age) for number, age in ages.items()}
    assert all(path.exists() for path in paths.values()), "there is room yet"
    write(logs, 6, 1_800)
    left = {number for number, path in paths.items() if path.exists()}
    assert left == {1, 3, 5}, "the oldest two, so that the next does not have to look again"


def test_a_full_folder_of_an_earlier_run_makes_room_for_the_first_log_of_this_one(
    tmp_path: Path,
) -> None:
    earlier = FailedLogs(tmp_path, largest=10_000)
    old = [write(earlier, number, 1_800, age=100 - number) for number in range(5)]
    new = write(FailedLogs(tmp_path, largest=10_000), 9, 1_800)
    assert new.exists()
    assert not old[0].exists()
    assert old[4].exists()


def test_a_smaller_cap_than_an_earlier_runs_is_kept_from_the_first_log_on(tmp_path: Path) -> None:
    for number in range(20):
        write(FailedLogs(tmp_path), number, 1_000)
    write(FailedLogs(tmp_path, largest=5_000), 99, 1_000)
    assert held(tmp_path) <= 5_000


@pytest.mark.parametrize(
    "content", [b"", b"==", b"==== a heading", b"somebody's notes\n" * 50, b"\x00=== "]
)
def test_what_is_somebody_elses_stays(tmp_path: Path, content: bytes) -> None:
    theirs = tmp_path / "mine.log"
    theirs.write_bytes(content)
    os.utime(theirs, (1, 1))
    (tmp_path / "notes.txt").write_text("=== not a log, whatever it begins with")
    logs = FailedLogs(tmp_path, largest=5_000)
    for number in range(20):
        write(logs, number, 1_000)
    assert theirs.read_bytes() == content
    assert (tmp_path / "notes.txt").exists()


def test_a_folder_full_of_what_is_somebody_elses_still_takes_a_log(tmp_path: Path) -> None:
    (tmp_path / "mine.log").write_bytes(b"x" * 20_000)
    logs = FailedLogs(tmp_path, largest=10_000)
    paths = [write(logs, number, 1_000, age=9 - number) for number in range(3)]
    assert [path.exists() for path in paths] == [False, False, True]


def test_the_log_that_is_written_to_is_spared_however_old(tmp_path: Path) -> None:
    logs = FailedLogs(tmp_path, largest=10_000)
    spared = write(logs, 0, 3_000, age=1000)
    for number in range(1, 4):
        write(logs, number, 2_000, age=100 - number)
    write(logs, 0, 2_000)
    assert spared.read_text().count("=== ") == 2
    assert held(tmp_path) <= 10_000


@pytest.mark.parametrize("seed", range(20))
def test_the_folder_never_holds_more_than_its_cap_whatever_is_written(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a choice, no secret
    largest = chance.randrange(6_000, 60_000)
    logs, attempts = FailedLogs(tmp_path, largest), dict.fromkeys(range(40), 0)
    for age in range(120, 0, -1):
        if chance.random() < 0.1:  # another run
            logs = FailedLogs(tmp_path, largest)
        number = chance.choice([n for n, count in attempts.items() if count < 3])
        attempts[number] += 1
        path = write(logs, number, chance.choice([0, 10, largest // 20, largest // 4]), age)
        assert held(tmp_path) <= largest
        assert path.exists()
    assert len(list(tmp_path.iterdir())) > 1


def test_of_a_very_long_output_the_beginning_and_the_end_are_kept(tmp_path: Path) -> None:
    lines = [f"line {number:07d}\n" for number in range(200_000)]
    path = Path(FailedLogs(tmp_path).write(failed_clip(1, "".join(lines)), AT))
    data = path.read_bytes()
    assert LARGEST_ENTRY <= len(data) < LARGEST_ENTRY + 100
    text = data.decode()
    assert text.startswith(f"=== {AT} train/yoga: timeout (transient)\ntoo slow\n\nline 0000000\n")
    assert text.endswith("line 0199999\n\n")
    beginning, middle, end = text.partition("[... ")
    left_out = int(end.split()[0])
    assert middle, "the gap is marked"
    whole = len(beginning) - 1 + left_out + len(end.partition("...]\n")[2])
    heading = len(f"=== {AT} train/yoga: timeout (transient)\ntoo slow\n\n")
    assert whole == heading + len("".join(lines)) + 1, "and its size is told"


def test_an_output_that_is_just_not_too_long_is_kept_whole(tmp_path: Path) -> None:
    logs = FailedLogs(tmp_path)
    heading = Path(logs.write(failed_clip(1, "."), AT)).stat().st_size - 1
    exact = Path(logs.write(failed_clip(2, "." * (LARGEST_ENTRY - heading)), AT))
    assert exact.stat().st_size == LARGEST_ENTRY
    assert b"left out" not in exact.read_bytes()
    longer = Path(logs.write(failed_clip(3, "." * (LARGEST_ENTRY - heading + 1)), AT))
    assert b"left out" in longer.read_bytes()


@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS.keys())
def test_a_secret_at_the_cut_never_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr("nanokinetics.engine.failed_logs.LARGEST_ENTRY", 300)
    secret = "".join(chr(ord("a") + place % 26) for place in range(60))
    leak = text.replace(SECRET, secret)
    logs = FailedLogs(tmp_path)
    pieces = {secret[start : start + 4] for start in range(len(secret) - 3)}
    at_the_first_half = [(before, 400) for before in range(160)]
    at_the_second_half = [(400, after) for after in range(160)]
    for number, (before, after) in enumerate(at_the_first_half + at_the_second_half):
        output = f"{'-' * before}\n{leak}\n{'-' * after}"
        path = Path(logs.write(failed_clip(number, output), AT))
        data = path.read_text(errors="replace")
        assert "left out" in data
        assert not any(piece in data for piece in pieces)


def test_a_character_that_is_cut_in_two_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nanokinetics.engine.failed_logs.LARGEST_ENTRY", 301)
    path = Path(FailedLogs(tmp_path).write(failed_clip(1, "\N{SNOWMAN}" * 1000), AT))
    assert path.read_text(encoding="utf-8", errors="replace").count("\N{SNOWMAN}") > 50


def test_masking_takes_no_longer_than_reading() -> None:
    """A server may send anything; quadratic patterns would hold the whole build up."""
    text = "x" * 1_000_000
    assert mask(text) == text


def test_odd_entries_of_the_folder_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "dangling.log").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.log").mkdir()
    logs = FailedLogs(tmp_path, largest=1000)
    for number in range(4):
        write(logs, number, 600)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"dangling.log", "folder.log"} < names


# -- the folder of a dataset, which may have been handed over


def test_a_log_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    said = "\x1b]0;PWNED\x07 \u202egnp.exe \u200b and\rmore"
    path = Path(FailedLogs(tmp_path).write(failed_clip(1, f"first\n{said}\nlast"), AT))
    text = path.read_text(encoding="utf-8")
    assert all(line.isprintable() for line in text.split("\n"))
    assert "\nfirst\n\\u001b]0;PWNED\\u0007" in text


def test_logs_of_a_dataset_lead_through_no_link(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "1.log").write_bytes(b"mine")
    own = tmp_path / "nano-failed_logs"
    own.symlink_to(mine)
    logs = FailedLogs(own, own=True)
    with pytest.raises(EnvironmentFault, match="a link stands here"):
        logs.check()
    with pytest.raises(OSError, match="a link stands here"):
        logs.write(failed_clip(1, "x"), AT)
    own.unlink()
    path = Path(FailedLogs(own, own=True).write(failed_clip(1, "x"), AT))
    path.unlink()
    path.symlink_to(mine / "1.log")
    with pytest.raises(OSError, match="a link stands here"):
        FailedLogs(own, own=True).write(failed_clip(1, "x"), AT)
    assert {each.name: each.read_bytes() for each in mine.iterdir()} == {"1.log": b"mine"}


def test_a_folder_that_the_user_names_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "logs").symlink_to(tmp_path / "disk")
    logs = FailedLogs(tmp_path / "logs")
    logs.check()
    logs.write(failed_clip(1, "x"), AT)
    assert len(list((tmp_path / "disk").iterdir())) == 1


def test_a_pipe_under_the_name_of_a_log_holds_nothing_up(tmp_path: Path) -> None:
    path = Path(FailedLogs(tmp_path).write(failed_clip(1, "x"), AT))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match=path.name):
        FailedLogs(tmp_path).write(failed_clip(1, "x"), AT)


@pytest.mark.parametrize("below", ["", "deep/er/"])
def test_a_look_at_the_folder_leaves_nothing(tmp_path: Path, below: str) -> None:
    FailedLogs(tmp_path / f"{below}logs").check()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match=r"file/.*; name another folder with --failed-logs"):
        FailedLogs(tmp_path / "file" / f"{below}logs").check()


def test_a_long_key_gets_a_log_of_its_own(tmp_path: Path) -> None:
    names = {
        Path(
            FailedLogs(tmp_path).write(
                Failed(replace(CLIP, key=key), Failure(Reason.TIMEOUT, "x")), AT
            )
        ).name
        for key in (f"{'é' * 120}/{'x' * 200}{end}" for end in "ab")
    }
    assert len(names) == 2
    assert all(len(name.encode()) <= 255 for name in names)

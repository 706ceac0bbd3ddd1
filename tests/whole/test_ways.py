"""The way to the media: ffmpeg goes where yt-dlp goes, and shows no secret on the way."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from helpers import FFMPEGS, ONE_CLIENT, WHEEL, Bench, Row, ended_at_last, youtube_id
from networks import Door, Gate, Socks

from nanokinetics.demo.least import least_bytes
from nanokinetics.demo.scenario import Film, Form, Scenario, Video

pytestmark = pytest.mark.slow

FILM = Film(duration=60, width=480, height=270, fps=30)
ROW = Row("yoga", youtube_id(1), 31, 41)
USER = "anna:hunter2"
EVERYWHERE = {"http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"}
"""An environment in which nothing could be reached."""


def _bench(bench, *options: str, form: Form = "fragmented", tls: bool = True, yt_dlp="") -> Bench:
    return bench(
        Scenario(default=Video(FILM, (form,)), media="tls" if tls else "plain"),
        [ROW],
        1,
        *("--x264-preset", "ultrafast", "--workers", "1", *options),
        yt_dlp=f"{ONE_CLIENT} {yt_dlp}",
    )


def _is_right(made: Bench, most: float | None = None) -> None:
    """The clip is its window, and little more than that was read."""
    made.holds([ROW])
    made.holds_the_frames_of([ROW], FILM.fps)
    if most is not None:
        streams = made.site.streams(ROW.youtube_id).values()
        least = sum(least_bytes(stream.path, ROW.start, ROW.end) for stream in streams)
        assert made.site.media_bytes() <= most * least


@contextlib.contextmanager
def _witness(folder: Path) -> Iterator[tuple[str, Path]]:
    """An ffmpeg that writes down its arguments and its environment."""
    program, log = folder / "ffmpeg-witness", folder / "witness.log"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >>{log}\nenv >>{log}.env\nexec {WHEEL} "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    yield str(program), log


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
@pytest.mark.parametrize("form", ["progressive", "fragmented", "webm"])
def test_a_window_is_read_over_a_socks_proxy(bench, ffmpeg, form: Form):
    made = _bench(bench, "--ffmpeg", ffmpeg, form=form)
    with Gate(made.site.port, Socks, password=USER) as gate:
        made.proxy = ("--proxy", f"socks5h://{USER}@127.0.0.1:{gate.port}")
        done = made.run()
        assert (done.code, made.site.strangers) == (0, [])
    _is_right(made, most=1.5)
    assert any("googlevideo.com" in host for host in gate.asked)
    (row,) = made.stats()
    assert int(row["downloaded_bytes"]) <= made.site.media_bytes()
    assert int(row["downloaded_bytes"]) >= 0.8 * made.site.media_bytes()


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
@pytest.mark.parametrize(
    ("tls", "no_proxy"), [(True, "googlevideo.com"), (True, "*"), (False, "127.0.0.1")]
)
def test_an_explicit_proxy_counts_and_its_password_is_in_no_argument(
    bench, tmp_path, ffmpeg, tls, no_proxy
):
    made = _bench(bench, tls=tls)
    with (
        Gate(made.site.port, Door, password=USER) as gate,
        _witness(tmp_path) as (program, log),
    ):
        Path(program).write_text(Path(program).read_text().replace(WHEEL, ffmpeg))
        made.yt_dlp += f" --proxy http://{USER}@127.0.0.1:{gate.port}"
        made.proxy = ("--ffmpeg", program)  # the proxy among yt-dlp's options counts too
        done = made.run(no_proxy=no_proxy, NO_PROXY=no_proxy)
        assert done.code == 0, done.stderr
        _is_right(made, most=2.5)
        assert made.stats()[0]["attempts"] == "1"
        assert len(gate.peers) >= 3, "the media came another way"
    assert "hunter2" not in log.read_text()
    variables = dict(
        line.partition("=")[::2] for line in Path(f"{log}.env").read_text().splitlines()
    )
    assert not {name for name in variables if name.lower() in ("no_proxy", "all_proxy")}


def test_no_process_shows_a_secret(bench, tmp_path):
    """Cookies and headers for the media's host are not among the arguments of any process."""
    cookies = tmp_path / "cookies.txt"
    cookies.write_text(
        "# Netscape HTTP Cookie File\n"
        ".googlevideo.com\tTRUE\t/\tFALSE\t4102444800\tSID\thidden-cookie\n"
        "127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tSID\thidden-cookie\n"
        ".youtube.com\tTRUE\t/\tFALSE\t4102444800\tLOGIN_INFO\thidden-cookie\n"
    )
    header = "Authorization:Bearer-hidden-token"
    for tls, more in ((True, ("--cookies", str(cookies))), (False, ())):
        made = _bench(
            bench,
            *("--ffmpeg", WHEEL, *more, "--fps", "30" if tls else "15"),
            tls=tls,
            yt_dlp="" if tls else f"--add-headers {header}",
        )
        made.dest = tmp_path / f"dest {tls}"
        seen: set[str] = set()
        with ended_at_last(made.start()) as running:
            while not running.over:
                for process in running.family():
                    with contextlib.suppress(psutil.Error):
                        words = process.cmdline()
                        if "--yt-dlp-args" not in " ".join(words):
                            seen.update(words)
            assert running.wait().code == 0
        shown = "\n".join(seen)
        assert "libx264" in shown
        assert "hidden" not in shown
        made.holds([ROW])


def test_a_bound_address_is_bound_for_the_media_too(bench):
    made = _bench(bench, "--ffmpeg", WHEEL, yt_dlp="--source-address 127.0.0.2")
    with Gate(made.site.port, Door) as gate:
        made.proxy = ("--proxy", f"http://127.0.0.1:{gate.port}")
        assert made.run(**EVERYWHERE).code == 0
    _is_right(made, most=1.5)
    assert set(gate.peers) == {"127.0.0.2"}


@pytest.mark.parametrize(("family", "address"), [("-6", "::1"), ("", "::1"), ("-4", "127.0.0.1")])
def test_the_chosen_ip_version_is_that_of_the_media_too(bench, family, address):
    made = _bench(bench, "--ffmpeg", WHEEL, yt_dlp=family)
    try:
        gate = Gate(made.site.port, Door, address=address)
    except OSError:
        pytest.skip(f"this machine has no {address}")
    with gate:
        host = f"[{address}]" if ":" in address else address
        made.proxy = ("--proxy", f"http://{host}:{gate.port}")
        assert made.run(**EVERYWHERE).code == 0
    _is_right(made, most=2.5)
    assert set(gate.peers) == {address}


def test_a_proxy_of_the_environment_is_used_if_none_is_named(bench):
    made = _bench(bench, "--ffmpeg", WHEEL)
    made.proxy = ()
    with Gate(made.site.port, Socks) as gate:
        assert made.run(ALL_PROXY=f"socks5://127.0.0.1:{gate.port}").code == 0
        assert any("googlevideo.com" in host for host in gate.asked)
    _is_right(made, most=1.5)


def test_an_empty_proxy_means_none(bench):
    made = _bench(bench, "--ffmpeg", WHEEL)
    url = made.site.proxy_url
    made.proxy = ("--proxy", "")
    made.run(http_proxy=url, https_proxy=url, ALL_PROXY=url)
    assert made.site.log == []
    assert set(made.reasons().values()) <= {"network"}

"""`doctor` tells what a build would fail of: ffmpeg, yt-dlp, certificates, disk, and YouTube."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from helpers import ONE_CLIENT, SMALL, WHEEL, youtube_id

from nanokinetics.cli import main
from nanokinetics.clip import HOUR
from nanokinetics.common import user_folders
from nanokinetics.config import NetworkConfig
from nanokinetics.demo.scenario import Fault, Scenario, Video
from nanokinetics.demo.site import DemoSite
from nanokinetics.doctor import Finding, Level, destination, examine, programs
from nanokinetics.doctor.budget import of_budget
from nanokinetics.doctor.destination import of_destination, of_file_system, of_space
from nanokinetics.doctor.network import of_canary, of_certificates, of_cookies, of_proxy
from nanokinetics.doctor.programs import of_ffmpeg, of_solver, of_yt_dlp
from nanokinetics.engine.books import Clock
from nanokinetics.engine.shared_hour import SharedHour, path_of
from nanokinetics.errors import EnvironmentFault, InputError

TODAY = date(2026, 6, 1)
ALIVE, DEAD, BOT, SHUT, HLS = (youtube_id(number) for number in range(5))


@pytest.fixture(scope="module")
def site(films):
    videos = {
        ALIVE: Video(SMALL),
        DEAD: Video(SMALL, failure="private"),
        BOT: Video(SMALL, failure="bot_check"),
        SHUT: Video(SMALL, faults=(Fault("media", "status", status=403),)),
        HLS: Video(SMALL, ("hls",)),
    }
    with DemoSite(Scenario(videos), cache=films) as playing:
        yield playing


def way(proxy: str) -> NetworkConfig:
    return NetworkConfig(proxy=proxy, yt_dlp_args=ONE_CLIENT)


def nowhere() -> str:
    """A proxy that is not there: nobody listens on this port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


# -- a canary


def test_a_video_that_can_be_had_is_found_and_read(site: DemoSite) -> None:
    before = site.media_bytes(ALIVE)
    level, found, remedy = of_canary(ALIVE, way(site.proxy_url), WHEEL)
    assert (level, remedy) == (Level.OK, "")
    assert "a second of it was read" in found
    assert site.media_bytes(ALIVE) > before


def test_a_video_without_a_plain_file_counts_as_found(site: DemoSite) -> None:
    level, found, _ = of_canary(HLS, way(site.proxy_url), WHEEL)
    assert level is Level.OK
    assert "only as a whole" in found


@pytest.mark.parametrize(
    ("video", "level", "reason", "remedy"),
    [
        (DEAD, Level.WARNING, "private", "name another"),
        (BOT, Level.FAULT, "bot check", "wait"),
        (SHUT, Level.FAULT, "forbidden media", "wait"),
    ],
)
def test_a_video_that_cannot_be_had_is_told_with_its_reason(
    site: DemoSite, video: str, level: Level, reason: str, remedy: str
) -> None:
    result = of_canary(video, way(site.proxy_url), WHEEL)
    assert result[0] is level
    assert reason in result[1]
    assert remedy in result[2]


def test_a_youtube_that_is_not_there_is_a_fault_of_the_line() -> None:
    level, found, remedy = of_canary(ALIVE, way(nowhere()), WHEEL)
    assert level is Level.FAULT
    assert "network" in found
    assert "--proxy" in remedy


def test_a_certificate_that_is_not_trusted_is_named(site: DemoSite) -> None:
    network = NetworkConfig(proxy=site.proxy_url)
    level, _, remedy = of_canary(ALIVE, network, WHEEL)
    assert level is Level.FAULT
    assert "certificate is not trusted" in remedy


def test_without_a_canary_nobody_is_asked(site: DemoSite, tmp_path: Path) -> None:
    before = len(site.log)
    found = examined(tmp_path, network=way(site.proxy_url))
    assert "canary" not in found
    assert (len(site.log), site.strangers) == (before, [])


@pytest.mark.parametrize(
    ("name", "level", "said"),
    [("SID", Level.OK, "holds a login"), ("PREF", Level.WARNING, "asked as a guest")],
)
def test_cookies_are_those_of_a_login_or_it_is_said(
    tmp_path: Path, name: str, level: Level, said: str
) -> None:
    jar = tmp_path / "jar.txt"
    jar.write_text(f".youtube.com\tTRUE\t/\tTRUE\t0\t{name}\tS3cr3t\n")
    found = of_cookies(NetworkConfig(cookies=jar))
    assert (found[0], said in found[1], "S3cr3t" in found[1]) == (level, True, False)
    assert of_cookies(NetworkConfig())[:2] == (Level.OK, "none")


def test_the_budget_is_that_of_all_builds_by_this_proxy(tmp_path: Path) -> None:
    network, now = NetworkConfig(proxy=""), 1e9
    assert of_budget(network, now)[:2] == (
        Level.OK,
        "0 of 300 videos were asked for in the last hour",
    )
    path = path_of(user_folders.state(), "www.youtube.com")
    clock = Clock(wall=lambda: now)
    for dest in ("one", "other"):
        shared = SharedHour(path, tmp_path / dest, clock, print)
        shared.begin(())
        for _ in range(150):
            with shared.turn():
                shared.take()
    found = of_budget(network, now)
    assert found[0] is Level.WARNING
    assert found[1].startswith("300 of 300 videos")
    assert of_budget(NetworkConfig(proxy="http://proxy:80"), now)[0] is Level.OK
    assert of_budget(network, now + HOUR)[0] is Level.OK
    path.unlink()
    path.mkdir()
    assert "cannot be read" in of_budget(network, now)[1]


# -- the machine


def examined(dest: Path | None, **more: object) -> dict[str, Finding]:
    asked = {"today": TODAY, "environment": {}, "ffmpeg": WHEEL, **more}
    return {each.check: each for each in examine(dest=dest, **asked)}  # type: ignore[arg-type]


def test_the_machine_of_the_tests_is_fine(tmp_path: Path) -> None:
    found = examined(tmp_path / "new" / "nano")
    assert not [each for each in found.values() if each.level is Level.FAULT]
    assert list(tmp_path.iterdir()) == []


def test_an_ffmpeg_is_told_with_what_it_can_do(tmp_path: Path) -> None:
    level, found, _ = of_ffmpeg(WHEEL)
    assert level is Level.OK
    assert WHEEL in found
    assert "libx264 and aac" in found


def test_what_is_no_ffmpeg_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault):
        of_ffmpeg(sys.executable)
    found = examined(tmp_path, ffmpeg=sys.executable)["ffmpeg"]
    assert found.level is Level.FAULT
    assert "--ffmpeg" in found.found


def lacking(tmp_path: Path, *names: str) -> str:
    """The ffmpeg of the wheel, that does not list these protocols, encoders or decoders."""
    path = tmp_path / "lacking"
    without = "; ".join(f"/^ .* {name}\\( \\|$\\)/d" for name in names)
    path.write_text(f"#!/bin/sh\n'{WHEEL}' \"$@\" | sed '{without}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("protocol", ["https", "tls"])
def test_an_ffmpeg_that_cannot_read_https_is_a_fault(tmp_path: Path, protocol: str) -> None:
    level, found, remedy = of_ffmpeg(lacking(tmp_path, protocol))
    assert level is Level.FAULT
    assert "cannot read https" in found
    assert "--ffmpeg" in remedy


@pytest.mark.parametrize(
    ("decoders", "level", "result"),
    [
        (["vp9", "libvpx-vp9"], Level.WARNING, "VP9:"),
        (["libvpx-vp9"], Level.OK, "aac"),
        (["libdav1d", "libaom-av1", "opus", "libopus"], Level.WARNING, "AV1, Opus:"),
    ],
)
def test_an_ffmpeg_that_cannot_decode_all_of_youtube_is_worth_a_warning(
    tmp_path: Path, decoders: list[str], level: Level, result: str
) -> None:
    found = of_ffmpeg(lacking(tmp_path, *decoders))
    assert found[0] is level
    assert result in found[1]


def test_an_ffmpeg_without_the_filters_for_hdr_is_worth_a_warning(tmp_path: Path) -> None:
    level, found, remedy = of_ffmpeg(lacking(tmp_path, "zscale"))
    assert level is Level.WARNING
    assert "HDR" in found
    assert "bundled" in remedy


def test_an_ffmpeg_that_is_not_there_is_told_as_that(tmp_path: Path) -> None:
    found = examined(tmp_path, ffmpeg="nope")["ffmpeg"]
    assert (found.level, found.found.partition(";")[0]) == (
        Level.FAULT,
        "there is no file 'nope'",
    )


@pytest.mark.parametrize(
    ("number", "wanted", "level"),
    [
        ("0.8.0", "0.8.0", Level.OK),
        ("0.8.1", "0.8.0", Level.OK),
        ("0.7.0", "0.8.0", Level.WARNING),
        ("", "0.8.0", Level.WARNING),
        ("", "", Level.OK),
    ],
)
def test_a_solver_that_yt_dlp_does_not_take_is_worth_a_warning(
    number: str, wanted: str, level: Level
) -> None:
    result = of_solver(number, wanted)
    assert result[0] is level
    assert ("yt-dlp[default,deno]" in result[2]) is (level is Level.WARNING)


def test_yt_dlp_names_the_solver_it_takes() -> None:
    """And it is what yt-dlp itself goes by; else this program would warn for nothing."""
    from yt_dlp.extractor.youtube.jsc._builtin import vendor

    assert programs.solver_wanted() == vendor.VERSION


def test_a_yt_dlp_that_cannot_be_imported_is_a_fault_and_no_defect(tmp_path: Path) -> None:
    (tmp_path / "yt_dlp.py").write_text("raise ImportError('half of it is gone')")
    found = {}
    for more in ([], ["--yt-dlp-args=--force-ipv4"]):
        done = subprocess.run(
            [sys.executable, "-m", "nanokinetics", "doctor", "--json", "--ffmpeg", WHEEL, *more],
            env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (1, "")
        found = {each["check"]: each for each in json.loads(done.stdout)}
        assert found["yt-dlp"]["level"] == "fault"
        assert "half of it is gone" in found["yt-dlp"]["found"]
        assert "yt-dlp[default,deno]" in found["yt-dlp"]["remedy"]
    assert found["free space"]["level"] != "fault"


@pytest.mark.parametrize(
    ("days", "level"), [(-1, Level.OK), (0, Level.OK), (90, Level.OK), (91, Level.WARNING)]
)
def test_an_old_yt_dlp_is_worth_a_warning(days: int, level: Level) -> None:
    of_age = (TODAY - timedelta(days)).strftime("%Y.%m.%d")
    assert of_yt_dlp(of_age, TODAY)[0] is level
    assert of_yt_dlp(f"{of_age}.232815.dev0", TODAY)[0] is level


@pytest.mark.parametrize("number", ["", "nightly", "2026.13.1", "2026"])
def test_a_version_that_is_no_date_is_of_unknown_age(number: str) -> None:
    level, found, _ = of_yt_dlp(number, TODAY)
    assert level is Level.WARNING
    assert "unknown age" in found


def test_certificates_are_counted_and_named(site: DemoSite, tmp_path: Path) -> None:
    assert of_certificates(NetworkConfig(), {})[0] is Level.OK
    unchecked = of_certificates(NetworkConfig(yt_dlp_args="--no-check-certificates"), {})
    assert unchecked[0] is Level.WARNING
    named = {"SSL_CERT_FILE": str(site.ca_file)}
    level, about, _ = of_certificates(NetworkConfig(), named)
    assert (level, about) == (
        Level.OK,
        f"1 authorities of {site.ca_file}, as SSL_CERT_FILE says",
    )
    missing = {"SSL_CERT_FILE": str(tmp_path / "none.pem")}
    assert of_certificates(NetworkConfig(), missing)[0] is Level.FAULT


def test_a_proxy_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    assert of_proxy(NetworkConfig())[:2] == (Level.OK, "none")
    monkeypatch.setenv("https_proxy", "http://me:S3cr3t@there:8080")
    level, found, _ = of_proxy(NetworkConfig())
    assert (level, "S3cr3t" in found, "there:8080" in found) == (Level.OK, False, True)
    assert of_proxy(NetworkConfig(proxy="socks5://h:1"))[0] is Level.WARNING
    among_others = NetworkConfig(yt_dlp_args="--proxy socks5://me:S3cr3t@h:1")
    level, found, _ = of_proxy(among_others)
    assert (level, "S3cr3t" in found, "h:1" in found) == (Level.WARNING, False, True)


# -- where the clips go


def test_a_destination_that_is_a_file_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(InputError, match="is a file"):
        of_destination(path)
    level, found, _ = of_destination(path / "below")
    assert (level, found) == (Level.FAULT, f"{path} is a file")


def test_somebody_else_s_folder_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    assert examined(tmp_path)["destination"].level is Level.FAULT
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


READ_ONLY = [
    pytest.param(
        "/proc/nano",
        marks=pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc"),
    ),
    pytest.param("", marks=pytest.mark.skipif(os.geteuid() == 0, reason="root may write there")),
]


@pytest.mark.parametrize("place", READ_ONLY)
def test_a_destination_that_is_read_only_is_a_fault(tmp_path: Path, place: str) -> None:
    tmp_path.chmod(0o500)
    dest = Path(place) if place else tmp_path / "nano"
    level, found, _ = of_destination(dest)
    assert level is Level.FAULT
    assert f"{dest.parent} cannot be written to" in found
    assert of_file_system(dest)[0] is Level.WARNING


def test_a_file_system_is_told_by_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert of_file_system(tmp_path)[:2] == (Level.OK, f"has {', '.join(destination._FEATURES)}")
    monkeypatch.setattr(destination, "LONGEST_NAME", 256)  # which no file system has
    level, found, _ = of_file_system(tmp_path)
    assert (level, found) == (Level.WARNING, "lacks long names")
    assert list(tmp_path.iterdir()) == []


def refuse(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


@pytest.mark.parametrize("flock", [refuse, lambda *_: None])
def test_a_file_system_whose_locks_keep_nobody_out_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flock: object
) -> None:
    monkeypatch.setattr("fcntl.flock", flock)
    level, found, _ = of_file_system(tmp_path)
    assert (level, found) == (Level.FAULT, "lacks file locks")


@pytest.mark.parametrize(
    ("free", "level"), [(0, Level.FAULT), (10**8, Level.WARNING), (10**11, Level.OK)]
)
def test_little_space_is_a_warning_and_none_a_fault(free: int, level: Level) -> None:
    assert of_space(free)[0] is level


# -- all of it


def test_a_check_that_fails_of_itself_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nanokinetics.sources.ytdlp_options.javascript", lambda _: 1 // 0)
    found = examined(tmp_path)["javascript"]
    assert found.level is Level.WARNING
    assert "could not be looked at (ZeroDivisionError" in found.found


def test_the_command_prints_a_line_a_check_and_fails_for_a_fault(
    site: DemoSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["doctor", "--dest", str(tmp_path), "--ffmpeg", WHEEL, "--proxy", site.proxy_url]
    asked += [f"--yt-dlp-args={ONE_CLIENT}"]
    assert main([*asked, "--canary", ALIVE]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "warning"}
    assert lines[-1].split()[:2] == ["ok", "canary"]
    assert main([*asked, "--canary", BOT, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert len(found) == len(lines)
    assert found[-1]["level"] == "fault"


@pytest.mark.parametrize(
    "wrong",
    [
        ["--canary", "short"],
        ["--proxy", "nonsense"],
        ["--cookies", "missing.txt"],
        ["--yt-dlp-args=--no-such-option"],
    ],
)
def test_bad_usage_is_exit_code_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *wrong]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)

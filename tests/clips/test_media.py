"""Which ffmpeg does what, and what none of them may be led to do."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trees
from helpers import FFMPEGS, WHEEL

from nanokinetics.clips.cut import cut, picture, repack
from nanokinetics.clips.ffmpeg import find_ffmpeg
from nanokinetics.clips.measure import measure
from nanokinetics.config import VideoConfig
from nanokinetics.errors import EnvironmentFault
from nanokinetics.sources.stream import Stream

VIDEO = VideoConfig(x264_preset="ultrafast")


@pytest.mark.parametrize("path", FFMPEGS)
def test_an_ffmpeg_that_is_named_is_used(path):
    found = find_ffmpeg(path)
    assert found.path == path
    assert found.version not in ("", "unknown")
    assert {"libx264", "aac"} <= found.encoders


def test_otherwise_every_machine_uses_the_bundled_one():
    assert find_ffmpeg().path == WHEEL


def test_the_one_of_the_search_path_can_be_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="no ffmpeg on the search path"):
        find_ffmpeg("system")
    (tmp_path / "ffmpeg").symlink_to(WHEEL)
    assert find_ffmpeg("system").path == str(tmp_path / "ffmpeg")
    assert find_ffmpeg().path == WHEEL


def test_where_the_bundle_holds_none_the_systems_is_used(tmp_path, monkeypatch):
    (tmp_path / "ffmpeg").symlink_to(WHEEL)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("nanokinetics.clips.ffmpeg._from_wheel", lambda: None)
    assert find_ffmpeg().path == str(tmp_path / "ffmpeg")


# -- an input that names others


@pytest.fixture
def secret(films, tmp_path) -> Path:
    """Somebody's video, in a form that every playlist can name."""
    path = tmp_path / "private" / "secret.ts"
    path.parent.mkdir()
    argv = [WHEEL, "-v", "error", "-i", trees.film(films), "-c", "copy", path]
    subprocess.run(list(map(str, argv)), check=True)
    return path


def _lay(kind: str, folder: Path, secret: Path) -> Path:
    """A file that leads to the secret."""
    (folder / "near.bin").write_bytes(secret.read_bytes())
    path = folder / "evil.mp4"
    path.write_text(trees.playlist(kind, str(secret), "near.bin"))
    return path


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
@pytest.mark.parametrize("kind", trees.PLAYLISTS)
def test_no_playlist_is_followed(tmp_path, secret, ffmpeg, kind):
    program, path = find_ffmpeg(ffmpeg), _lay(kind, tmp_path, secret)
    made = tmp_path / "made.mp4"
    assert measure(program, path) is None
    assert measure(program, path, decode=True) is None
    assert repack(program, Stream(str(path)), made, timeout=20).returncode not in (0, None)
    for window in (None, (0.0, 0.5)):
        done = cut(program, [Stream(str(path))], window, VIDEO, made, threads=1, timeout=20)
        assert done.returncode not in (0, None)
    assert not picture(program, path, 0, (64, 64), tmp_path / "made.jpg", timeout=20)
    assert not made.exists() or not made.stat().st_size


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
def test_no_name_stands_for_several_pictures(tmp_path, ffmpeg):
    for number in range(3):
        (tmp_path / f"{number:03d}.jpg").write_bytes(trees.picture(number))
    program, pattern = find_ffmpeg(ffmpeg), tmp_path / "%03d.jpg"
    assert measure(program, pattern) is None
    (tmp_path / "%03d.jpg").write_bytes(trees.picture(7))
    assert measure(program, pattern) is None


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        *((name, ()) for name in (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".ts")),
        *((name, ("-c:v", "mpeg1video", "-r", "25")) for name in (".mpeg", ".mpg")),
        (".m1v.mpg", ("-c:v", "mpeg1video", "-r", "25", "-f", "mpeg1video")),
        (".raw.m4v", ("-c:v", "mpeg4", "-f", "m4v")),
        (".wmv", ("-c:v", "wmv2")),
    ],
)
def test_every_kind_of_video_that_a_source_may_hold_is_read(
    films, tmp_path, ffmpeg, suffix, options
):
    path = tmp_path / f"film{suffix}"
    argv = [WHEEL, "-v", "error", "-i", trees.film(films), *(options or ("-c", "copy")), path]
    subprocess.run(list(map(str, argv)), check=True)
    found = measure(find_ffmpeg(ffmpeg), path, decode=True)
    assert found is not None
    assert found.width == trees.FILM.width


@pytest.fixture
def server() -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """A server: its address, the paths that were asked for, and what it answers."""
    asked: list[str] = []
    bodies: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = bodies.get(self.path, "").encode()
            self.send_response(200 if body else 404)
            kind = {"hls": "application/vnd.apple.mpegurl", "dash": "application/dash+xml"}
            self.send_header("Content-Type", kind.get(self.path[1:-4], "video/mp4"))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}", asked, bodies
        listening.shutdown()


@pytest.mark.parametrize("ffmpeg", FFMPEGS)
@pytest.mark.parametrize("kind", trees.PLAYLISTS)
def test_an_answer_that_is_a_playlist_leads_to_no_further_request(
    tmp_path, secret, server, ffmpeg, kind
):
    address, asked, bodies = server
    for goal in (f"{address}/meta-data", str(secret)):
        asked.clear()
        bodies[f"/{kind}.mp4"] = trees.playlist(kind, goal, goal)
        stream = Stream(f"{address}/{kind}.mp4", headers=(("Authorization", "Basic eA=="),))
        done = cut(
            find_ffmpeg(ffmpeg),
            [stream],
            (0, 1),
            VIDEO,
            tmp_path / "made.mp4",
            threads=1,
            timeout=20,
        )
        assert done.returncode not in (0, None)
        assert set(asked) == {f"/{kind}.mp4"}
        assert not (tmp_path / "made.mp4").exists()

"""The demo site against the real yt-dlp and the real ffmpeg."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import imageio_ffmpeg
import pytest
import yt_dlp

from nanokinetics.demo.failures import FAILURES
from nanokinetics.demo.films import FilmStore, find_ffmpeg, read_frame_numbers
from nanokinetics.demo.least import layout, least_bytes
from nanokinetics.demo.scenario import Fault, Film, Scenario, Throttle, Video
from nanokinetics.demo.script import Kind, Script
from nanokinetics.demo.site import DemoSite

GOOD, HLS, TALL, BAD = "goodgoodgoo", "hlshlshlshl", "-tallvideo_", "badbadbadba"
FILM = Film(duration=24, width=320, height=180, gop_seconds=4)
VIDEO = Video(FILM, ("progressive",))
FFMPEGS = {Path(path).name[:10]: path for path in (find_ffmpeg(), imageio_ffmpeg.get_ffmpeg_exe())}
BY_NAME = {name: f"F{index:02d}failure".ljust(11, "_")[:11] for index, name in enumerate(FAILURES)}


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    """Shared by the workers of pytest-xdist, so that each film is made once a run."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "films"


@pytest.fixture
def play(films):
    with contextlib.ExitStack() as stack:

        def start(
            *faults: Fault, clock=time.time, throttle=None, media="plain", **video
        ) -> DemoSite:
            bad = replace(VIDEO, faults=faults, **video)
            scenario = Scenario({GOOD: VIDEO, BAD: bad}, throttle=throttle, media=media)
            return stack.enter_context(DemoSite(scenario, cache=films, clock=clock))

        yield start


@pytest.fixture(scope="module")
def site(films):
    videos = {
        GOOD: Video(FILM),
        HLS: Video(FILM, ("hls",)),
        TALL: Video(Film(8, 240, 426, gop_seconds=4, sizes=(240, 144)), ("fragmented",)),
        **{youtube_id: Video(FILM, failure=name) for name, youtube_id in BY_NAME.items()},
    }
    with DemoSite(Scenario(videos), cache=films) as running:
        yield running


class Said:
    """A logger for yt-dlp that remembers."""

    def __init__(self):
        self.warnings = []

    def debug(self, message):
        pass

    def warning(self, message):
        self.warnings.append(message)

    error = debug


def downloader(site, *, runtime=False, said=None, **params):
    options = {
        **site.ydl_options(),
        "logger": said or Said(),
        "js_runtimes": {"deno": {}} if runtime else {},
        "extractor_retries": 0,
        "socket_timeout": 5,
        "cachedir": False,
        **params,
    }
    return yt_dlp.YoutubeDL(options)


def extract(site, youtube_id, **params):
    with downloader(site, **params) as ydl:
        return ydl.extract_info(f"https://www.youtube.com/watch?v={youtube_id}", download=False)


def urls(info):
    return {f["format_id"]: f["url"] for f in info["formats"]}


def cut(ffmpeg, url, target, start=9, seconds=10, options=()):
    command = [ffmpeg, "-nostdin", "-v", "error", "-y", *options]
    command += ["-ss", str(start), "-t", str(seconds), "-i", url, "-an", "-vf"]
    command += ["scale='if(gt(iw,ih),-2,120)':'if(gt(iw,ih),120,-2)'"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "28", str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)


def get(site, target, method="GET", body=None, **headers):
    """Straight to the site's port. Returns status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=5)
    with contextlib.closing(connection):
        connection.request(method, target, body, headers)
        with connection.getresponse() as answer:
            return answer.status, answer.headers, answer.read()


def media(youtube_id, itag=18):
    return f"/videoplayback?id={youtube_id}&itag={itag}"


# -- extraction


@pytest.mark.parametrize("runtime", [False, True], ids=["no JavaScript", "deno"])
def test_every_form_is_listed_without_a_warning_that_matters(site, runtime):
    said = Said()
    info = extract(site, GOOD, runtime=runtime, said=said)
    assert set(urls(info)) == {"18", "160", "140", "278", "251"}
    assert info["duration"] == 24
    assert all("JavaScript" in warning for warning in said.warnings)
    assert len(said.warnings) == (0 if runtime else 1)
    assert extract(site, HLS, runtime=runtime)["formats"][0]["protocol"] == "m3u8_native"


def test_the_shorter_side_decides_also_in_a_portrait_film(site):
    info = extract(site, TALL, format="bv*", format_sort=["res:144"])
    assert (info["width"], info["height"]) == (144, 256)
    info = extract(site, TALL, format="bv*", format_sort=["res:240"])
    assert (info["width"], info["height"]) == (240, 426)


@pytest.mark.parametrize("runtime", [False, True], ids=["no JavaScript", "deno"])
def test_every_failure_yields_its_text(site, runtime):
    with downloader(site, runtime=runtime) as ydl:
        for name, youtube_id in BY_NAME.items():
            with pytest.raises(yt_dlp.utils.DownloadError) as caught:
                ydl.extract_info(f"https://www.youtube.com/watch?v={youtube_id}", download=False)
            said = f"ERROR: [youtube] {youtube_id}: {FAILURES[name].message}"
            assert str(caught.value).startswith(said)
    assert site.strangers == []


def test_an_extraction_is_a_watch_page_and_a_player_request(play):
    site = play()
    extract(site, GOOD)
    assert [(r.kind, r.status) for r in site.log] == [("watch", 200), ("player", 200)]
    assert site.log[1].client == "VISIONOS"
    assert site.pages(GOOD) == 2
    assert site.extractions(GOOD) == 1
    assert site.pages(BAD) == 0


def test_the_certificate_stands_up_to_strict_verification(site, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", site.environment()["SSL_CERT_FILE"])
    with yt_dlp.YoutubeDL({**site.ydl_options(verify=True), "logger": Said()}) as ydl:
        assert ydl.urlopen("https://www.youtube.com/iframe_api").status == 200
    context = ssl.create_default_context(cafile=site.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    connection = http.client.HTTPSConnection("127.0.0.1", site.port, context=context)
    connection.set_tunnel("rr1---sn-demo.googlevideo.com", 443)
    connection.request("HEAD", media(GOOD))
    assert connection.getresponse().status == 200
    connection.close()


def test_an_unknown_host_is_refused_and_reported(play):
    site = play()
    connection = http.client.HTTPSConnection("127.0.0.1", site.port)
    connection.set_tunnel("example.com", 443)
    with pytest.raises(OSError, match="403"):
        connection.connect()
    assert get(site, "http://example.org/")[0] == 403
    assert site.strangers == ["example.com", "example.org"]


# -- media


@pytest.mark.parametrize("ffmpeg", FFMPEGS.values(), ids=FFMPEGS)
@pytest.mark.parametrize("transport", ["plain", "tls"])
def test_a_window_reads_back_exactly(films, tmp_path, ffmpeg, transport):
    scenario = Scenario({GOOD: Video(FILM), HLS: Video(FILM, ("hls",))}, media=transport)
    with DemoSite(scenario, cache=films) as site:
        found = urls(extract(site, GOOD)) | urls(extract(site, HLS))
        trust = ["-http_proxy", site.proxy_url, "-tls_verify", "1", "-ca_file", str(site.ca_file)]
        options = trust if transport == "tls" else []
        for itag in ("18", "160", "278", "91"):
            if itag == "91" and transport == "tls":
                continue  # ffmpeg's HLS reader does not hand the CA file on to the segments
            before = site.media_bytes()
            done = cut(ffmpeg, found[itag], tmp_path / "clip.mp4", options=options)
            assert done.returncode == 0, done.stderr
            assert read_frame_numbers(tmp_path / "clip.mp4", ffmpeg) == list(range(270, 570))
            stream = site.streams(HLS if itag == "91" else GOOD)[int(itag)]
            assert site.media_bytes() - before >= least_bytes(stream.path, 9, 19)


def test_ranges(play):
    site = play()
    whole = site.streams(GOOD)[18].path.read_bytes()
    size = len(whole)
    for asked, status, answered, body in [
        (None, 200, None, whole),
        ("bytes=0-", 206, f"bytes 0-{size - 1}/{size}", whole),
        ("bytes=100-199", 206, f"bytes 100-199/{size}", whole[100:200]),
        ("bytes=-50", 206, f"bytes {size - 50}-{size - 1}/{size}", whole[-50:]),
        (f"bytes={size - 1}-{size + 9}", 206, f"bytes {size - 1}-{size - 1}/{size}", whole[-1:]),
        (f"bytes={size}-", 416, f"bytes */{size}", b""),
    ]:
        headers = {"Range": asked} if asked else {}
        got, fields, taken = get(site, media(GOOD), **headers)
        assert (got, fields["Content-Range"], taken) == (status, answered, body)
        assert int(fields["Content-Length"]) == len(body)
        assert (site.log[-1].bytes, site.log[-1].range) == (len(body), asked)
    assert get(site, media(GOOD), "HEAD")[1]["Content-Length"] == str(size)
    assert site.media_bytes(GOOD) == 2 * size + 151
    assert site.media_bytes(BAD) == 0
    assert get(site, f"{site.proxy_url}{media(GOOD)}", Range="bytes=1-2")[2] == whole[1:3]


def test_one_connection_carries_many_requests(play):
    site = play()
    connection = http.client.HTTPConnection("127.0.0.1", site.port)
    for first in range(20):
        connection.request("GET", media(GOOD), headers={"Range": f"bytes={first}-{first}"})
        assert len(connection.getresponse().read()) == 1
    connection.close()
    assert site.media_bytes(GOOD) == 20


def test_bytes_that_the_client_never_took_are_not_counted(films):
    with DemoSite(Scenario({GOOD: VIDEO}), cache=films) as site:
        size = site.streams(GOOD)[18].size
        taker = socket.socket()
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        taker.connect(("127.0.0.1", site.port))
        taker.sendall(f"GET {media(GOOD)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        taken = 0
        while taken < 200_000:
            taken += len(taker.recv(8192))
        taker.close()
        server = site._server
        assert server is not None
        wait_until(lambda: not server._open)
        assert 200_000 - 1000 < site.media_bytes(GOOD) < 300_000 < size


def test_a_film_holds_what_it_says(site):
    video = layout(site.streams(GOOD)[160].path)
    assert [piece.start for piece in video.pieces] == [0, 4, 8, 12, 16, 20]
    size = site.streams(GOOD)[160].size
    assert video.header + sum(piece.size for piece in video.pieces) == size
    for itag in (18, 160, 278):
        path = site.streams(GOOD)[itag].path
        assert read_frame_numbers(path) == list(range(720))
        assert least_bytes(path, 0, 24) == site.streams(GOOD)[itag].size
        touched = layout(path).pieces[2:4]
        assert least_bytes(path, 8.5, 12.1) == layout(path).header + sum(p.size for p in touched)


def test_the_index_may_stand_at_the_end(films, tmp_path):
    film = replace(FILM, moov_first=False)
    store = FilmStore(films)
    (late,), (early,) = store.streams(film, "progressive"), store.streams(FILM, "progressive")
    assert early.path.read_bytes().index(b"moov") < early.path.read_bytes().index(b"mdat")
    assert late.path.read_bytes().index(b"moov") > late.path.read_bytes().index(b"mdat")
    assert least_bytes(late.path, 0, 24) == late.size


def test_a_picture_without_a_number_is_told(tmp_path):
    command = [find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=d=0.2:s=320x180"]
    subprocess.run([*command, tmp_path / "other.mp4"], check=True)
    assert set(read_frame_numbers(tmp_path / "other.mp4")) == {-1}


# -- what goes wrong


@pytest.mark.parametrize("where", ["watch", "player", "media"])
@pytest.mark.parametrize("status", [403, 404, 410, 429, 500, 503])
def test_a_status_comes_as_often_as_scripted(play, where, status):
    site = play(Fault(where, "status", status, retry_after=7, skip=1, times=2))
    paths = {"watch": f"/watch?v={BAD}", "player": "/youtubei/v1/player", "media": media(BAD)}
    body = json.dumps({"videoId": BAD}) if where == "player" else None
    got = [get(site, paths[where], "POST" if body else "GET", body)[:2] for _ in range(5)]
    assert [answer[0] for answer in got] == [200, status, status, 200, 200]
    assert [answer[1]["Retry-After"] for answer in got] == [None, "7", "7", None, None]


def test_a_failure_may_pass(play):
    site = play(Fault("player", "bot_check", times=1))
    with pytest.raises(yt_dlp.utils.DownloadError, match="not a bot"):
        extract(site, BAD, runtime=True)
    assert extract(site, BAD, runtime=True)["id"] == BAD


@pytest.mark.parametrize("what", ["reset", "truncate", "empty"])
def test_a_connection_breaks_where_scripted(play, what):
    after = None if what == "empty" else 50_000
    site = play(Fault("media", what, after_bytes=after, times=1))
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as client:
        client.sendall(f"GET {media(BAD)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        got, error = b"", None
        try:
            while part := client.recv(65536):
                got += part
        except ConnectionResetError as reset:
            error = reset
    head, _, body = got.partition(b"\r\n\r\n")
    assert (error is not None) == (what == "reset")
    if what == "truncate":
        assert len(body) == 50_000
        assert f"Content-Length: {site.streams(BAD)[18].size}".encode() in head
    assert site.log[0].status == (0 if what == "empty" else 200)
    assert get(site, media(BAD))[0] == 200
    assert site.log[1].bytes == site.streams(BAD)[18].size


def test_a_fault_that_the_client_did_not_wait_for_is_still_to_come(play):
    site = play(Fault("media", "truncate", after_bytes=1000, times=1))
    assert len(get(site, media(BAD), Range="bytes=0-99")[2]) == 100
    with pytest.raises(http.client.IncompleteRead):
        get(site, media(BAD))
    assert get(site, media(BAD))[0] == 200


def test_a_wrong_length_is_believed(play):
    site = play(Fault("media", "wrong_length", after_fraction=0.25))
    quarter = site.streams(BAD)[18].size // 4
    status, headers, body = get(site, media(BAD), Range="bytes=0-")
    assert (status, len(body)) == (206, quarter)
    assert headers["Content-Range"] == f"bytes 0-{quarter - 1}/{quarter}"


@pytest.mark.parametrize("transport", ["plain", "tls"])
def test_a_stall_holds_the_client_but_not_the_end_of_the_site(play, transport):
    site = play(Fault("media", "stall", after_bytes=1000))
    raw = socket.create_connection(("127.0.0.1", site.port), timeout=0.3)
    if transport == "tls":
        raw.sendall(b"CONNECT www.youtube.com:443 HTTP/1.1\r\n\r\n")
        raw.recv(1000)
        context = ssl.create_default_context(cafile=site.ca_file)
        raw = context.wrap_socket(raw, server_hostname="www.youtube.com")
    raw.sendall(f"GET {media(BAD)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    got = b""
    with contextlib.suppress(TimeoutError):
        while len(got) < 2000:
            got += raw.recv(65536) or b"?" * 2000
    assert len(got.partition(b"\r\n\r\n")[2]) == 1000
    began = time.monotonic()
    site.__exit__()
    assert time.monotonic() - began < 1
    assert not [thread for thread in threading.enumerate() if "process_request" in thread.name]
    raw.close()


def test_a_slow_link_and_a_slow_answer(play):
    site = play(rate=200_000, latency=0.1)
    began = time.monotonic()
    get(site, media(BAD), Range="bytes=0-59999")
    assert 0.35 < time.monotonic() - began < 0.8


def test_the_throttle_lets_n_through_then_refuses_for_t_seconds(play):
    clock = {"now": 1000.0}
    rule = Throttle(after=3, seconds=60, retry_after=True)
    site = play(throttle=rule, clock=lambda: clock["now"])

    def ask():
        status, headers, _ = get(site, f"/watch?v={GOOD}")
        return status, headers["Retry-After"]

    assert [ask() for _ in range(4)] == [(200, None)] * 3 + [(429, "60")]
    clock["now"] += 59
    assert ask() == (429, "1")
    assert get(site, media(GOOD))[0] == 200, "media is not in its scope"
    clock["now"] += 1
    assert [ask()[0] for _ in range(4)] == [200, 200, 200, 429]
    assert site.refused == 3


def test_a_throttle_that_does_not_repeat_and_one_that_never_ends():
    once = Script(Scenario(throttle=Throttle(1, 10, repeat=False, scope="all", retry_after="date")))
    kinds: list[Kind] = ["watch", "media", "other", "player", "watch"]
    got = [once.refusal(kind, now) for kind, now in zip(kinds, [0, 1, 10.9, 11, 12], strict=True)]
    assert [bool(refused) for refused in got] == [False, True, True, False, False]
    assert got[1] is not None
    assert got[1].retry_after == "Thu, 01 Jan 1970 00:00:11 GMT"
    ever = Script(Scenario(throttle=Throttle(1, kind="media_403")))
    assert ever.refusal("watch", 0) is None
    assert [ever.refusal("media", now) is None for now in (0, 1, 1e9)] == [True, False, False]


@pytest.mark.parametrize("kind", ["bot_check", "session_rate_limit", "429", "media_403"])
def test_the_throttle_speaks_as_youtube_does(play, kind):
    site = play(throttle=Throttle(after=0, kind=kind))
    if kind == "media_403":
        assert extract(site, GOOD)
        assert get(site, media(GOOD))[0] == 403
        return
    text = FAILURES[kind].message if kind in FAILURES else "Failed to extract any player response"
    with pytest.raises(yt_dlp.utils.DownloadError, match=r".") as caught:
        extract(site, GOOD)
    assert f"{GOOD}: {text}" in str(caught.value)
    assert site.refused == len(site.log) >= 2


# -- the scenario as a document, the site as a process


def test_a_scenario_survives_json():
    scenario = Scenario(
        {BAD: Video(replace(FILM, sizes=(180, 90)), ("hls",), faults=(Fault("player", "reset"),))},
        default=Video(failure="private"),
        throttle=Throttle(5, 2.5, "bot_check", retry_after="date"),
        media="tls",
    )
    assert Scenario.from_json(scenario.to_json()) == scenario
    for text, word in [
        ('{"vidoes": {}}', "vidoes"),
        ('{"media": "ftp"}', "ftp"),
        ('{"videos": {"x": {"faults": [{"what": "explode"}]}}}', "explode"),
        ('{"throttle": {}}', "after"),
    ]:
        with pytest.raises(ValueError, match=word):
            Scenario.from_json(text)


@pytest.mark.parametrize("end", ["stdin", "SIGTERM"])
def test_it_runs_as_a_process_of_its_own(films, tmp_path, end):
    (tmp_path / "scenario.json").write_text(Scenario({GOOD: VIDEO}).to_json())
    command = [sys.executable, "-m", "nanokinetics.demo.serve", "--cache", str(films)]
    command += ["--scenario", str(tmp_path / "scenario.json"), "--ready-file", str(tmp_path / "up")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert json.loads((tmp_path / "up").read_text()) == ready
        assert Path(ready["ca_file"]).exists()
        there = SimpleNamespace(port=ready["port"])
        assert get(there, media(GOOD))[0] == 200
        assert get(there, "/demo/scenario", "POST", Scenario().to_json())[0] == 204
        assert get(there, media(GOOD))[0] == 404
        log = json.loads(get(there, "/demo/log")[2])
        assert [request["status"] for request in log["log"]] == [200, 404]
        assert get(there, "/demo/scenario", "POST", '{"vidoes": {}}')[0] == 400
        process.stdin.close() if end == "stdin" else process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=3) == 0


def test_it_carries_many_connections_at_once(films):
    with DemoSite(Scenario({GOOD: VIDEO}), cache=films) as site:
        size = site.streams(GOOD)[18].size
        threads = [threading.Thread(target=get, args=(site, media(GOOD))) for _ in range(32)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert site.media_bytes(GOOD) == 32 * size
        assert 32 * size / (time.monotonic() - began) > 30e6


def wait_until(condition, seconds=2.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)

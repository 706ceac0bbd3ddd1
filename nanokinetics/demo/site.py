"""The demo site: YouTube's watch page, player and media hosts, on one port of 127.0.0.1.

The port is an HTTP proxy that answers for YouTube's hosts itself and ends their TLS with a
throw-away certificate. It never opens a connection; a host that it does not play gets 403 and
stands in :attr:`DemoSite.strangers`.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import json
import re
import ssl
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from nanokinetics.demo import least, pages
from nanokinetics.demo.failures import FAILURES, Failure, named
from nanokinetics.demo.films import FilmStore, Stream
from nanokinetics.demo.log import Entry, Log, Request
from nanokinetics.demo.scenario import Fault, Scenario, Video
from nanokinetics.demo.script import Hit, Kind, Refused, Script
from nanokinetics.demo.wire import Answer, Asked, FilePart, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HOSTS = ("youtube.com", "youtu.be", "googlevideo.com", "ytimg.com", "youtube-nocookie.com")
MEDIA_HOST = "rr1---sn-demo.googlevideo.com"
MANIFEST_HOST = "manifest.googlevideo.com"


@dataclass(frozen=True)
class _Turn:
    """One request with all that is known about it."""

    script: Script
    asked: Asked
    kind: Kind
    youtube_id: str
    params: Mapping[str, str]
    video: Video
    hit: Hit | None


class DemoSite:
    """A site that plays ``scenario`` while the ``with`` block runs.

    ``cache`` keeps the films for the next site (default: a temporary folder), ``ffmpeg`` makes
    them, ``clock`` gives the seconds by which the throttle and the log go. Raises RuntimeError when
    trustme is not installed.
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        port: int = 0,
        cache: str | Path | None = None,
        ffmpeg: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._log = Log()
        self.strangers: list[str] = []
        """Hosts that were asked for and are not played here."""
        self._temporary = tempfile.TemporaryDirectory(prefix="nanokinetics-demo-")
        folder = Path(self._temporary.name)
        try:
            self.ca_file = folder / "ca.pem"
            """Certificate of the authority that signed for the site, PEM."""
            self.tls = _certificate(self.ca_file)
            self.store = FilmStore(Path(cache) if cache else folder / "films", ffmpeg)
            self.replace(scenario or Scenario())
        except BaseException:
            self._temporary.cleanup()
            raise
        self._port = port
        self._server: Server | None = None

    # -- life

    def __enter__(self) -> Self:
        self._server = Server(self, self._port)
        return self

    def __exit__(self, *_: object) -> None:
        if self._server:
            self._server.stop()
        self._temporary.cleanup()

    def replace(self, scenario: Scenario) -> None:
        """Play another scenario: films are made, counters of faults and throttle start anew."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda offer: self.store.streams(*offer), scenario.films()))
        self._script = Script(scenario)

    @property
    def scenario(self) -> Scenario:
        return self._script.scenario

    # -- for clients

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the site is not running: use it in a with block")
        return self._server.port

    @property
    def proxy_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ydl_options(self, *, verify: bool = False) -> dict[str, Any]:
        """Parameters for YoutubeDL. With ``verify``, :meth:`environment` must be set as well."""
        if verify:
            return {"proxy": self.proxy_url, "compat_opts": {"no-certifi"}}
        return {"proxy": self.proxy_url, "nocheckcertificate": True}

    def environment(self) -> dict[str, str]:
        """Variables that make Python's TLS trust the site."""
        return {"SSL_CERT_FILE": str(self.ca_file)}

    # -- what happened

    @property
    def log(self) -> list[Request]:
        return self._log.requests()

    def media_bytes(self, youtube_id: str | None = None) -> int:
        """Bytes of media handed out, of one video or of all."""
        return sum(request.bytes for request in self._log.requests(youtube_id, "media"))

    def pages(self, youtube_id: str | None = None) -> int:
        """Number of watch and player requests."""
        return len(self._log.requests(youtube_id, "watch", "player"))

    def extractions(self, youtube_id: str | None = None) -> int:
        """Number of watch pages asked for: each extraction begins with one."""
        return len(self._log.requests(youtube_id, "watch"))

    @property
    def refused(self) -> int:
        """Number of requests that the throttle refused."""
        return sum(request.refused for request in self.log)

    def streams(self, youtube_id: str) -> dict[int, Stream]:
        """The files of a video by itag, HLS included."""
        video = self.scenario.video(youtube_id)
        found = (
            [s for form in video.forms for s in self.store.streams(video.film, form)]
            if video
            else []
        )
        return {stream.itag: stream for stream in found}

    # -- answering (called by the server's threads)

    def knows(self, host: str) -> bool:
        known = any(host == ours or host.endswith(f".{ours}") for ours in HOSTS)
        if not known:
            self.strangers.append(host)
        return known

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/demo/"):
            return self._control(asked)
        script = self._script  # one scenario for the whole request, also while it is replaced
        kind, youtube_id, params = _identify(asked)
        itag = _whole(params["itag"]) if "itag" in params else None
        client = _client(asked) if kind == "player" else asked.headers.get("User-Agent", "")
        entry = Entry(self._clock(), kind, youtube_id, itag, client, asked.headers.get("Range"))
        self._log.append(entry)
        video = (script.scenario.video(youtube_id) if youtube_id else None) or Video()
        refused = script.refusal(kind, self._clock())
        hit = None
        if youtube_id and kind != "other" and not refused:
            hit = script.fault(kind, youtube_id, itag)
        turn = _Turn(script, asked, kind, youtube_id or "", params, video, hit)
        if refused:
            entry.refused = True
            answer = self._refuse(refused, turn)
        else:
            answer = self._obey(hit) or self._play(turn)
        answer.latency = script.scenario.latency + video.latency
        rates = [script.scenario.rate, video.rate if kind == "media" else None]
        answer.rate = min((rate for rate in rates if rate), default=None)
        entry.status = answer.status
        answer.sent = entry.add

        def done(broken: bool) -> None:
            if broken and answer.break_after is None:
                entry.status = 0
            if hit:
                hit.fired = hit.fired or broken
                script.settle(hit)

        answer.done = done
        return answer

    def _obey(self, hit: Hit | None) -> Answer | None:
        """The answer when the fault leaves nothing of the real one."""
        if hit is None or hit.fault.what != "status":
            return None
        hit.fired = True
        wait = {} if hit.fault.retry_after is None else {"Retry-After": str(hit.fault.retry_after)}
        return Answer(hit.fault.status, wait, b"scripted failure\n")

    def _refuse(self, refused: Refused, turn: _Turn) -> Answer:
        wait = {"Retry-After": refused.retry_after} if refused.retry_after else {}
        if refused.kind == "429":
            return Answer(429, wait, b"Too Many Requests\n")
        if refused.kind == "media_403" or turn.kind not in ("watch", "player"):
            return Answer(403, wait, b"Forbidden\n")
        why = FAILURES[refused.kind]
        if turn.kind == "watch":
            return _html(pages.watch_page(turn.youtube_id, turn.video, why))
        return _json(pages.player_response(turn.youtube_id, turn.video, why, ()))

    def _play(self, turn: _Turn) -> Answer:
        if turn.kind == "other" or not turn.youtube_id:
            return self._other(turn)
        if turn.kind == "media":
            return self._media(turn)
        failure = turn.script.failure(turn.youtube_id, new=turn.kind == "watch")
        why = named(failure) if failure else None
        if turn.kind == "watch":
            answer = _html(pages.watch_page(turn.youtube_id, turn.video, why))
        else:
            answer = _json(self._player(turn, why))
        return _broken(answer, turn.hit)

    def _player(self, turn: _Turn, why: Failure | None) -> dict[str, Any]:
        youtube_id, video = turn.youtube_id, turn.video
        if why:
            return pages.player_response(youtube_id, video, why, ())
        base = self._base(turn, MEDIA_HOST)
        formats: dict[int, dict[str, Any]] = {}
        for form in video.forms:
            for stream in self.store.streams(video.film, form) if form != "hls" else ():
                url = base + pages.media_path(youtube_id, stream.itag, clen=stream.size)
                formats[stream.itag] = pages.format_entry(stream, video.film, url)
        hls = self._base(turn, MANIFEST_HOST) + pages.hls_path(youtube_id)
        return pages.player_response(
            youtube_id, video, None, formats.values(), hls if "hls" in video.forms else None
        )

    def _base(self, turn: _Turn, host: str) -> str:
        return f"https://{host}" if turn.script.scenario.media == "tls" else self.proxy_url

    def _media(self, turn: _Turn) -> Answer:
        params, hit = turn.params, turn.hit
        stream = self.streams(turn.youtube_id).get(_whole(params.get("itag", "")))
        if stream is None:
            return Answer(404, body=b"no such format\n")
        offset, size = 0, stream.size
        if "sq" in params:
            pieces = _layout(stream.path).pieces
            if not 0 <= (number := _whole(params["sq"])) < len(pieces):
                return Answer(404, body=b"no such segment\n")
            offset, size = pieces[number].offset, pieces[number].size
        if hit and hit.fault.what == "wrong_length":
            hit.fired, size = True, _break_point(hit.fault, size)
        headers = {"Content-Type": stream.mime.partition(";")[0], "Accept-Ranges": "bytes"}
        wanted = _range(turn.asked.headers.get("Range"), size)
        if wanted is None:
            return _broken(Answer(200, headers, FilePart(stream.path, offset, size)), hit)
        first, last = wanted
        if first > last:
            return Answer(416, {"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        part = FilePart(stream.path, offset + first, last - first + 1)
        return _broken(Answer(206, headers, part), hit)

    def _other(self, turn: _Turn) -> Answer:
        path = turn.asked.path
        if path.startswith("/embed/"):
            return _html(pages.embed_page())
        if path == "/youtubei/v1/next":
            return _json({"contents": {"twoColumnWatchNextResults": {}}})
        if path == "/iframe_api":
            return Answer(200, {"Content-Type": "text/javascript"}, pages.IFRAME_JS.encode())
        if path.startswith("/s/player/"):
            return Answer(200, {"Content-Type": "text/javascript"}, pages.PLAYER_JS.encode())
        if path.startswith("/api/manifest/") and "hls" in turn.video.forms:
            return self._playlist(turn)
        return Answer(404, body=b"not found\n")

    def _playlist(self, turn: _Turn) -> Answer:
        video, youtube_id = turn.video, turn.youtube_id
        streams = self.store.streams(video.film, "hls")
        itag = _pairs(turn.asked.path).get("itag")
        if itag is None:
            base = self._base(turn, MANIFEST_HOST)
            urls = [base + pages.hls_media_path(youtube_id, stream.itag) for stream in streams]
            text = pages.hls_master(streams, video.film, urls)
        else:
            stream = next((s for s in streams if str(s.itag) == itag), streams[0])
            base = self._base(turn, MEDIA_HOST)
            numbers = range(len(_layout(stream.path).pieces))
            urls = [base + pages.segment_path(youtube_id, stream.itag, n) for n in numbers]
            text = pages.hls_media(video.film, urls)
        return Answer(200, {"Content-Type": "application/vnd.apple.mpegurl"}, text.encode())

    def _control(self, asked: Asked) -> Answer:
        if asked.path == "/demo/scenario" and asked.method == "POST":
            try:
                self.replace(Scenario.from_json(asked.body))
            except (ValueError, RuntimeError) as error:
                return Answer(400, body=f"{error}\n".encode())
            return Answer(204)
        if asked.path == "/demo/scenario":
            return Answer(
                200, {"Content-Type": "application/json"}, self.scenario.to_json().encode()
            )
        if asked.path == "/demo/log":
            log = [dataclasses.asdict(request) for request in self.log]
            return _json({"log": log, "refused": self.refused, "strangers": self.strangers})
        return Answer(404, body=b"not found\n")


_layout = functools.cache(least.layout)


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else -1


def _certificate(ca_file: Path) -> ssl.SSLContext:
    try:
        import trustme  # noqa: PLC0415 - an extra
    except ImportError:
        raise RuntimeError(
            'the demo site needs trustme: pip install "nanokinetics[demo]"'
        ) from None
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    names = [name for host in HOSTS for name in (host, f"*.{host}")]
    authority.issue_cert(*names).configure_cert(context)
    return context


def _identify(asked: Asked) -> tuple[Kind, str | None, dict[str, str]]:
    """Kind, youtube id and parameters of a request."""
    path = asked.path
    if path == "/watch":
        return "watch", asked.query.get("v"), {}
    if path == "/youtubei/v1/player":
        return "player", _payload(asked).get("videoId"), {}
    if path.startswith("/videoplayback"):
        params = {**_pairs(path), **asked.query}
        return "media", params.get("id"), params
    if path.startswith("/embed/"):
        return "other", path.removeprefix("/embed/"), {}
    return "other", _pairs(path).get("id") or _payload(asked).get("videoId"), {}


def _pairs(path: str) -> dict[str, str]:
    """``…/id/X/itag/93/…`` as a dictionary, from ``expire`` or ``id`` on."""
    found = re.search(r"/(?:expire|id)/.*", path)
    parts = found[0].strip("/").split("/") if found else []
    return dict(zip(parts[::2], parts[1::2], strict=False))


def _payload(asked: Asked) -> dict[str, Any]:
    try:
        payload = json.loads(asked.body or b"{}")
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}


def _client(asked: Asked) -> str:
    client = _payload(asked).get("context", {}).get("client", {})
    return str(client.get("clientName", ""))


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte; None: the whole. First > last: not satisfiable. One range only."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header or "")
    if not match or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size - 1 if int(last) else -1
    return int(first), min(int(last), size - 1) if last else size - 1


def _broken(answer: Answer, hit: Hit | None) -> Answer:
    if hit and hit.fault.what not in ("status", "wrong_length"):
        answer.break_how = hit.fault.what  # type: ignore[assignment]
        answer.break_after = _break_point(
            hit.fault, answer.size, default=hit.fault.what == "truncate"
        )
    return answer


def _break_point(fault: Fault, size: int, *, default: bool = True) -> Any:
    if fault.after_bytes is not None:
        return min(fault.after_bytes, size)
    if fault.after_fraction is not None:
        return int(size * fault.after_fraction)
    return size // 2 if default else None


def _html(text: str) -> Answer:
    return Answer(200, {"Content-Type": "text/html; charset=utf-8"}, text.encode())


def _json(value: Any) -> Answer:
    return Answer(
        200, {"Content-Type": "application/json; charset=UTF-8"}, json.dumps(value).encode()
    )

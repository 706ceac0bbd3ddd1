"""The demo site: YouTube's watch page, player and media hosts, on one port of 127.0.0.1.

The port is an HTTP proxy. It answers for YouTube's hosts itself, and ends their TLS with a
temporary certificate. It never opens a connection. Requests for other hosts get 403, and
`DemoSite.strangers` lists these hosts.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import ssl
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from nanokinetics.common.extras import needed
from nanokinetics.demo.answers import FILES_HOST, HOSTS, Stage, as_json
from nanokinetics.demo.films import FilmStore, FilmStream
from nanokinetics.demo.log import Log, Request
from nanokinetics.demo.scenario import Scenario
from nanokinetics.demo.script import Script
from nanokinetics.demo.wire import Answer, Asked, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class DemoSite:
    """A site that plays `scenario` while the `with` block runs.

    cache: a folder that keeps the films for the next site (default: a temporary folder). ffmpeg:
    the program that makes them. clock: the seconds that the throttle and the log use. files: the
    small files of FILES_HOST by their paths. Raises EnvironmentFault if trustme is not installed.
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        port: int = 0,
        cache: str | Path | None = None,
        ffmpeg: str | None = None,
        clock: Callable[[], float] = time.time,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        self._log = Log()
        self._temporary = tempfile.TemporaryDirectory(prefix="nanokinetics-demo-")
        folder = Path(self._temporary.name)
        try:
            self.ca_file = folder / "ca.pem"
            """The certificate of the authority that signed the site's certificate, as PEM."""
            tls = _certificate(self.ca_file)
            self.store = FilmStore(Path(cache) if cache else folder / "films", ffmpeg)
            self._stage = Stage(self.store, self._log, clock, tls, self._control, files or {})
            self.replace(scenario or Scenario())
        except BaseException:
            self._temporary.cleanup()
            raise
        self._port = port
        self._server: Server | None = None

    # -- life

    def __enter__(self) -> Self:
        try:
            self._server = Server(self._stage, self._port)
        except BaseException:
            self._temporary.cleanup()
            raise
        self._stage.origin = self.proxy_url
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server:
            self._server.stop()
        self._temporary.cleanup()

    def replace(self, scenario: Scenario) -> None:
        """Play another scenario: make its films, and reset the counters of faults and throttle."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda offer: self.store.streams(*offer), scenario.films()))
        self._stage.script = Script(scenario)

    @property
    def scenario(self) -> Scenario:
        return self._stage.script.scenario

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
        """Parameters for YoutubeDL. verify: check certificates; this also needs `environment`."""
        if verify:
            return {"proxy": self.proxy_url, "compat_opts": {"no-certifi"}}
        return {"proxy": self.proxy_url, "nocheckcertificate": True}

    def environment(self) -> dict[str, str]:
        """Environment variables that make Python's TLS trust the site."""
        return {"SSL_CERT_FILE": str(self.ca_file)}

    # -- what happened

    @property
    def strangers(self) -> list[str]:
        """Hosts that clients asked for, but that the site does not play."""
        return self._stage.strangers

    @property
    def log(self) -> list[Request]:
        return self._log.requests()

    def media_bytes(self, youtube_id: str | None = None) -> int:
        """Bytes of media sent, for one video or for all. The text of a refusal does not count."""
        media = self._log.requests(youtube_id, "media")
        return sum(request.bytes for request in media if request.status in (200, 206))

    def pages(self, youtube_id: str | None = None) -> int:
        """Number of watch and player requests."""
        return len(self._log.requests(youtube_id, "watch", "player"))

    def extractions(self, youtube_id: str | None = None) -> int:
        """Number of requested watch pages. Each extraction begins with one."""
        return len(self._log.requests(youtube_id, "watch"))

    @property
    def refused(self) -> int:
        """Number of requests that the throttle refused."""
        return sum(request.refused for request in self.log)

    def streams(self, youtube_id: str) -> dict[int, FilmStream]:
        """The files of a video by itag, HLS included."""
        return self._stage.streams(self.scenario.video(youtube_id))

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
            return as_json({"log": log, "refused": self.refused, "strangers": self.strangers})
        return Answer(404, body=b"not found\n")


def _certificate(ca_file: Path) -> ssl.SSLContext:
    trustme = needed("trustme", "demo")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    names = [name for host in HOSTS for name in (host, f"*.{host}")]
    authority.issue_cert(*names, FILES_HOST).configure_cert(context)
    return context

"""A small HTTP server on this machine that gives files as scripted, and logs what was asked."""

from __future__ import annotations

import contextlib
import http.server
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass
class Page:
    """What an address answers. breaks: after how many bytes each of the next answers breaks off."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    breaks: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """The statuses of the next answers, before `status`."""


@dataclass(frozen=True)
class Asked:
    path: str
    headers: Mapping[str, str]


class FileServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scheme = "https" if tls else "http"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.pages: dict[str, Page] = {}
        self.asked: list[Asked] = []
        self.stalls: dict[str, int] = {}
        """After how many bytes an answer stands still, until the client leaves."""

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}{path}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """The server keeps its own log."""

    def do_GET(self) -> None:
        # A proxy is asked for a whole address.
        path = "/" + self.path.split("/", 3)[3] if "://" in self.path else self.path
        self.server.asked.append(Asked(self.path, dict(self.headers.items())))
        page = self.server.pages.get(path, Page(b"no such page\n", 404))
        status = page.statuses.pop(0) if page.statuses else page.status
        body, headers = page.body, dict(page.headers)
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        known = self.headers.get("If-Range") in (headers.get("ETag"), headers.get("Last-Modified"))
        if status == 200 and found and page.ranges and known:
            first = int(found[1])
            if first >= len(body):
                status, body = 416, b""
            else:
                status = 206
                headers["Content-Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
                body = body[first:]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if stall := self.server.stalls.get(path):
            with contextlib.suppress(OSError):
                self.wfile.write(body[:stall])
                self.connection.recv(1)  # until the client leaves
            self.close_connection = True
            return
        cut = page.breaks.pop(0) if page.breaks and status in (200, 206) else len(body)
        self.wfile.write(body[:cut])
        if cut < len(body):
            self.close_connection = True


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    with FileServer(tls) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

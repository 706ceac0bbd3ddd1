"""The HTTP side of the demo site: proxy, TLS, keep-alive, and answers with scripted faults.

This module knows nothing about YouTube. A `Host` chooses the answers. This module sends them, and
counts the bytes that clients take.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import os
import socket
import socketserver
import ssl
import sys
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from nanokinetics.demo import sockets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SEND_BUFFER = 32 * 1024
"""Bytes that the kernel may hold for a slow client. A small buffer keeps the counters exact."""

CHUNK = 64 * 1024
TLS_RECORD = 16 * 1024


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class FilePart:
    path: Path
    offset: int
    size: int


@dataclass
class Answer:
    """An answer. `break_how` happens after `break_after` bytes of the body; None: instead of it."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | FilePart = b""
    latency: float = 0.0
    rate: float | None = None
    """Bytes per second."""
    break_how: Literal["reset", "empty", "stall", "truncate"] | None = None
    break_after: int | None = None
    sent: Callable[[int], None] = lambda _: None
    """Called with the number of body bytes to be sent next; negative if some were not sent."""
    done: Callable[[bool], None] = lambda _: None
    """Called at the end: whether the break happened."""

    @property
    def size(self) -> int:
        return self.body.size if isinstance(self.body, FilePart) else len(self.body)


class Host(Protocol):
    tls: ssl.SSLContext

    def knows(self, host: str) -> bool:
        """Whether the site plays this host. Called once for each request and tunnel."""

    def answer(self, asked: Asked) -> Answer: ...


class _BrokenError(Exception):
    """The connection was broken as scripted."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server
    connection: socket.socket
    tunnel: str | None = None

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        with contextlib.suppress(OSError, ValueError):
            super().finish()
        sockets.close(self.connection)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """The site keeps its own log."""

    def do_CONNECT(self) -> None:
        host = self.path.rpartition(":")[0]
        if not self.server.site.knows(host):
            self._send(Answer(403, body=b"unknown host\n"))
            return
        self.connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        plain, self.tunnel = self.connection, host
        self.server.closed(plain)
        self.connection = self.server.site.tls.wrap_socket(
            plain, server_side=True, do_handshake_on_connect=False
        )
        self.server.opened(self.connection)
        self.connection.do_handshake()
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)  # type: ignore[assignment]
        self.close_connection = False

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        host = self.tunnel or (url.hostname if url.scheme else None)
        if (
            host
            and not self.tunnel
            and not self.server.is_me(url)
            and not self.server.site.knows(host)
        ):
            self._send(Answer(403, body=b"unknown host\n"))
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(urllib.parse.parse_qsl(url.query))
        asked = Asked(self.command, host or "", url.path, query, dict(self.headers.items()), body)
        answer = self.server.site.answer(asked)
        broken = False
        try:
            self._send(answer)
        except _BrokenError:
            broken = True
        except OSError:  # the client has left, or the site stops
            self.close_connection = True
        finally:
            answer.done(broken)

    do_HEAD = do_POST = do_GET  # noqa: N815 - the base class's names

    # -- sending

    def _send(self, answer: Answer) -> None:
        if answer.latency and self.server.stopping.wait(answer.latency):
            self._leave(None)
        if answer.break_how and answer.break_after is None:
            self._leave(answer.break_how)
        phrase = http.client.responses.get(answer.status, "")
        fields = {"Content-Length": str(answer.size), **answer.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.connection.sendall(
            f"HTTP/1.1 {answer.status} {phrase}\r\n{head}\r\n".encode("latin-1")
        )
        if self.command == "HEAD":
            return
        size = answer.size
        if answer.break_how and answer.break_after is not None and answer.break_after < size:
            size = answer.break_after
        if isinstance(answer.body, FilePart):
            self._send_file(answer.body, size, answer)
        else:
            self._paced(size, answer, self._bytes_sender(answer.body))
        if size < answer.size:
            self._leave(answer.break_how)

    def _send_file(self, part: FilePart, size: int, answer: Answer) -> None:
        with part.path.open("rb") as file:
            source = file.fileno()
            if isinstance(self.connection, ssl.SSLSocket) or not hasattr(os, "sendfile"):

                def send(at: int, count: int) -> int:
                    # Send one TLS record at a time, so that the counters are exact.
                    data = os.pread(source, min(count, TLS_RECORD), part.offset + at)
                    return self.connection.send(data)

            else:
                target = self.connection.fileno()

                def send(at: int, count: int) -> int:
                    return os.sendfile(target, source, part.offset + at, count)

            self._paced(size, answer, send)

    def _bytes_sender(self, body: bytes) -> Callable[[int, int], int]:
        def send(at: int, count: int) -> int:
            self.connection.sendall(body[at : at + count])
            return count

        return send

    def _paced(self, size: int, answer: Answer, send: Callable[[int, int], int]) -> None:
        rate = answer.rate
        # Send for a twentieth of a second at a time: a slow link has no bursts.
        chunk = CHUNK if not rate else max(512, min(CHUNK, int(rate / 20)))
        began, left, at = time.monotonic(), sockets.bytes_sent(self.connection), 0
        counted = 0
        try:
            while at < size:
                if rate and (ahead := at / rate - (time.monotonic() - began)) > 0:
                    self.server.stopping.wait(ahead)
                if self.server.stopping.is_set():
                    self._leave(None)
                # Count before sending, so that the counters are never behind the client.
                answer.sent(min(at + chunk, size) - counted)
                counted = min(at + chunk, size)
                count = send(at, counted - at)
                if not count:
                    self._leave(None)
                at += count
        except OSError:
            # Bytes that the kernel still held when the client left were never sent.
            if left is not None and (now := sockets.bytes_sent(self.connection)) is not None:
                at = min(at, now - left)
            answer.sent(at - counted)
            raise

    def _leave(self, how: str | None) -> None:
        """End the connection. Raises _BrokenError, or ConnectionAbortedError if `how` is None."""
        self.close_connection = True
        if how == "reset":
            sockets.reset(self.connection)
        elif how == "stall":
            sockets.wait_for_close(self.connection)
        if how is None:
            raise ConnectionAbortedError
        raise _BrokenError


class Server(socketserver.ThreadingTCPServer):
    """Listens on 127.0.0.1, with one thread for each connection. `stop` ends them all."""

    request_queue_size = 256
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, site: Host, port: int = 0) -> None:
        self.site = site
        self.stopping = threading.Event()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)
        self._accepting = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        self._accepting.start()

    def server_bind(self) -> None:
        # Accepted sockets inherit the size.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        super().server_bind()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def is_me(self, url: urllib.parse.SplitResult) -> bool:
        return url.hostname in ("127.0.0.1", "localhost") and url.port == self.port

    def opened(self, sock: socket.socket) -> None:
        with self._lock:
            self._open[sock] = threading.current_thread()
        if self.stopping.is_set():
            sockets.shut(sock)

    def closed(self, sock: socket.socket) -> None:
        with self._lock:
            self._open.pop(sock, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients may leave at any time. Any other error is a bug of the site.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Close the port and every connection, and wait for their threads."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            left = dict(self._open)
        for sock in left:
            sockets.shut(sock)
        for thread in [*left.values(), self._accepting]:
            thread.join(timeout=1)

"""A relay: ffmpeg reads a stream from this machine, and the source's own code reads it from there.

It serves streams that ffmpeg cannot read itself, over a SOCKS proxy for instance. It has one port
on 127.0.0.1, and the address of each stream holds a random word. ffmpeg finds the index of the file
and seeks, as it would on the server; the relay passes each range on, in pieces.
"""

from __future__ import annotations

import contextlib
import http.server
import re
import secrets
import socket
import socketserver
import threading
from collections.abc import Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

from nanokinetics.sources.stream import ReadRange

SMALLEST_PIECE: Final = 16 * 1024
LARGEST_PIECE: Final = 512 * 1024
"""Bounds of a piece in bytes. A piece is one request; what ffmpeg no longer wants of it is lost."""

GRACE: Final = 1.0
"""Seconds that the threads have to end, once ffmpeg has ended."""


class Relay:
    """Serves streams while its context is open. The port is open at once: ffmpeg may connect first.

    No thread runs before the context is entered, so ffmpeg can be started safely.
    """

    def __init__(self, streams: Sequence[ReadRange], piece: float) -> None:
        self._server = _Server(streams, int(min(max(SMALLEST_PIECE, piece), LARGEST_PIECE)))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    def address(self, stream: int) -> str:
        """The URL of a stream, by its index."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/{self._server.word}/{stream}"

    @property
    def bytes_read(self) -> int:
        """Bytes that arrived from the server so far."""
        return self._server.bytes_read

    def close(self) -> None:
        """Close the port. Needed if the context was never entered."""
        self._server.server_close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.stop()
        self._thread.join(GRACE)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, streams: Sequence[ReadRange], piece: int) -> None:
        self.streams, self.piece = streams, piece
        self.word = secrets.token_urlsafe(16)
        self.bytes_read = 0
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def count(self, number: int) -> None:
        with self._lock:
            self.bytes_read += number

    def opened(self, sock: socket.socket) -> None:
        with self._lock:
            self._open[sock] = threading.current_thread()

    def closed(self, sock: socket.socket) -> None:
        with self._lock:
            self._open.pop(sock, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """ffmpeg leaves when it has enough, and a broken connection is its to notice."""

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        with self._lock:
            left = dict(self._open)
        for sock in left:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in left.values():
            thread.join(GRACE)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        # What ffmpeg has not taken when it leaves stays small.
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALLEST_PIECE)
        super().setup()
        self.server.opened(self.request)

    def finish(self) -> None:
        self.server.closed(self.request)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """ffmpeg keeps the log."""

    def do_GET(self) -> None:
        self.close_connection = True
        word, _, number = self.path.strip("/").partition("/")
        if not secrets.compare_digest(word, self.server.word) or not number.isdecimal():
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "bytes=0-")
        if wanted is None:
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        read = self.server.streams[int(number)]
        self._pass(read, int(wanted[1]), int(wanted[2]) if wanted[2] else None)

    def _pass(self, read: ReadRange, first: int, last: int | None) -> None:
        """Pass a range on, piece by piece. A break ends the connection: ffmpeg sees it."""
        piece = self.server.piece - 1
        answer = read(first, first + piece if last is None else min(last, first + piece))
        if answer.status == HTTPStatus.PARTIAL_CONTENT and answer.total is not None:
            total = answer.total
        elif answer.status == HTTPStatus.OK and not first and answer.total is not None:
            total = answer.total  # a server without ranges: it sends the whole file
        else:
            wrong = answer.status >= HTTPStatus.BAD_REQUEST
            self._refuse(answer.status if wrong else HTTPStatus.BAD_GATEWAY)
            return
        end = total if last is None else min(last + 1, total)
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Range", f"bytes {first}-{end - 1}/{total}")
        self.send_header("Content-Length", str(end - first))
        self.send_header("Connection", "close")
        self.end_headers()
        at = first
        while True:
            begun = at
            for block in answer.blocks:
                self.server.count(len(block))
                self.wfile.write(block[: end - at])
                at += len(block)
            if at >= end or at == begun:
                return
            answer = read(at, min(at + piece, end - 1))
            if answer.status != HTTPStatus.PARTIAL_CONTENT:
                return

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

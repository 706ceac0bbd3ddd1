"""Small servers that stand between a build and the site: proxies of several kinds."""

from __future__ import annotations

import base64
import select
import socket
import socketserver
import struct
import threading
from types import TracebackType
from typing import Self

HELD = 32 * 1024
"""Bytes that the kernel may hold in each direction."""


class Gate(socketserver.ThreadingTCPServer):
    """A server on this machine that passes connections on to the port of a site.

    address: where it listens. peers: the address of each client.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        port: int,
        handler: type[socketserver.BaseRequestHandler],
        *,
        address: str = "127.0.0.1",
        password: str = "",
    ) -> None:
        self.site_port, self.password = port, password
        self.peers: list[str] = []
        self.asked: list[str] = []
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, 0), handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def server_bind(self) -> None:
        # Accepted sockets inherit the size. What a proxy holds for a client counts as read.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, HELD)
        super().server_bind()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients leave at any time."""


class _Handler(socketserver.BaseRequestHandler):
    server: Gate
    request: socket.socket

    def onward(self) -> socket.socket:
        self.server.peers.append(self.client_address[0])
        site = socket.socket()
        site.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, HELD)
        site.connect(("127.0.0.1", self.server.site_port))
        return site

    def exact(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            more = self.request.recv(count - len(found))
            if not more:
                raise ConnectionError
            found += more
        return found


class Door(_Handler):
    """Passes everything on; with a password, only requests that name it (RFC 7617)."""

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.request.recv(65536)
            if not more:
                return
            head += more
        wanted = base64.b64encode(self.server.password.encode())
        if self.server.password and b"Basic " + wanted not in head:
            self.request.sendall(
                b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                b'Proxy-Authenticate: Basic realm="gate"\r\n'
                b"Content-Length: 0\r\nConnection: close\r\n\r\n"
            )
            return
        with self.onward() as site:
            site.sendall(head)
            _pump(self.request, site)


class Socks(_Handler):
    """SOCKS5 (RFC 1928), with a password or without one (RFC 1929)."""

    def handle(self) -> None:
        _, methods = self.exact(2)
        self.exact(methods)
        if self.server.password:
            self.request.sendall(b"\x05\x02")
            _, size = self.exact(2)
            user = self.exact(size)
            (size,) = self.exact(1)
            right = user + b":" + self.exact(size) == self.server.password.encode()
            self.request.sendall(b"\x01\x00" if right else b"\x01\x01")
            if not right:
                return
        else:
            self.request.sendall(b"\x05\x00")
        _, _, _, kind = self.exact(4)
        if kind == 3:
            (size,) = self.exact(1)
            host = self.exact(size).decode()
        else:
            host = socket.inet_ntoa(self.exact(4))
        (port,) = struct.unpack(">H", self.exact(2))
        self.server.asked.append(host)
        with self.onward() as site:
            if port == 443:  # the site is an HTTP proxy
                site.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                answer = b""
                while not answer.endswith(b"\r\n\r\n"):
                    answer += site.recv(1)
            self.request.sendall(b"\x05\x00\x00\x01" + bytes(6))
            _pump(self.request, site)


def _pump(a: socket.socket, b: socket.socket) -> None:
    while True:
        for source in select.select([a, b], [], [])[0]:
            data = source.recv(16384)
            if not data:
                return
            (b if source is a else a).sendall(data)

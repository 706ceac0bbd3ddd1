"""Sockets of the demo site: count what was sent, break connections, and close them."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import struct
import sys


def bytes_sent(sock: socket.socket) -> int | None:
    """Bytes sent to the client (tcpi_bytes_sent). None on systems without this counter."""
    if sys.platform != "linux":
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 208)
    except OSError:
        return None
    return int.from_bytes(info[200:208], sys.byteorder) if len(info) == 208 else None


def reset(sock: socket.socket) -> None:
    """Send RST. Bytes on their way are lost too."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(sock.detach())


def wait_for_close(sock: socket.socket) -> None:
    """Wait until the client closes, or until the site stops and shuts the socket down."""
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLHUP | select.POLLRDHUP)
    poll.poll()


def close(sock: socket.socket) -> None:
    if isinstance(sock, ssl.SSLSocket):
        # Send close_notify, but do not wait for the answer.
        with contextlib.suppress(OSError, ValueError):
            sock.setblocking(False)
            sock.unwrap()
    with contextlib.suppress(OSError):
        sock.close()


def shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # SSLSocket.shutdown would drop the TLS state while another thread uses it.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)

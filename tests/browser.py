"""A headless Chromium that opens a page, driven over its own protocol. It has no network."""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

from websockets.sync.client import ClientConnection, connect

PROGRAM = which("chromium") or which("chromium-browser") or which("google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--mute-audio"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-port=0"),
)
PATIENCE = 60.0
"""Seconds that a browser may take to start, or to answer."""


class Tab:
    """One page. errors: what it complained of, scripts and refused loads among it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.errors: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE))
            self._note(message)
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    def open(self, page: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Load a file, and wait until its document is complete."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        self.call("Page.navigate", url=page.resolve().as_uri())
        self.until("document.readyState === 'complete' && location.protocol === 'file:'")

    def run(self, script: str) -> Any:
        """The value of an expression, after a promise has been kept."""
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True,
            userGesture=True,
        )  # fmt: skip
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until an expression is true. Raises TimeoutError."""
        end = time.monotonic() + PATIENCE
        while not self.run(script):
            if time.monotonic() > end:
                raise TimeoutError(script)
            self.run("new Promise((done) => setTimeout(done, 20))")

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
            code = {"Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}.get(key, ord(key[0]))
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text
            )

    def picture(self, target: Path) -> None:
        data = self.call("Page.captureScreenshot", captureBeyondViewport=False)["data"]
        target.write_bytes(base64.b64decode(data))

    def _note(self, message: dict[str, Any]) -> None:
        kind, about = message.get("method"), message.get("params", {})
        if kind == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(about))
        elif kind == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.errors.append(about["entry"]["text"])
        elif kind == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])


@contextmanager
def browser() -> Iterator[Tab]:
    """Start a browser of our own, with a profile of its own, and end it."""
    assert PROGRAM is not None
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        command = [PROGRAM, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        program = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert program.stderr is not None
            address = next(
                line.split()[-1] for line in program.stderr if line.startswith("DevTools listening")
            )
            with connect(address, max_size=None, proxy=None) as whole:
                target = _page_of(whole)
            host = address.split("/devtools/")[0]
            with connect(f"{host}/devtools/page/{target}", max_size=None, proxy=None) as socket:
                tab = Tab(socket)
                yield tab
                with suppress(Exception):
                    tab.call("Browser.close")
        finally:
            program.terminate()
            program.communicate()


def _page_of(socket: ClientConnection) -> str:
    socket.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
    while True:
        message = json.loads(socket.recv(timeout=PATIENCE))
        if message.get("id") == 1:
            found = message["result"]["targetInfos"]
            page: str = next(each["targetId"] for each in found if each["type"] == "page")
            return page

"""Helpers of the benchmarks: run a program, measure its cost, and serve a site for it.

Compare only ratios from one run on one machine, not seconds from two machines.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from nanokinetics.demo.scenario import Scenario

LOOK: float = 0.25
"""Seconds between two measurements of the memory of a program and its children."""


@dataclass(frozen=True)
class Usage:
    """The cost of a program with its children.

    seconds: wall time. cpu: seconds of processor time. memory: the peak of all its processes in
    bytes, with shared pages counted once (PSS). parent: the peak of its first process in bytes.
    """

    seconds: float
    cpu: float
    memory: int = 0
    parent: int = 0


def timed(command: Sequence[str], **options: Any) -> float:
    """Seconds that a command takes. Raises CalledProcessError if it fails."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)
    return time.perf_counter() - began


def in_fresh_process(script: str, what: str, place: Path) -> dict[str, Any]:
    """Run `script --measure WHAT PLACE`, and return the JSON on its last line."""
    command = [sys.executable, script, "--measure", what, str(place)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def cpu_of_children() -> float:
    """Seconds of processor time of all ended children, and of their children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(command: Sequence[str], log: Path, text: str = "") -> tuple[int, Usage]:
    """Run a program in its own session. Returns its exit code and its cost.

    log: the file for its output. text: its standard input. No other child of this process may end
    meanwhile.
    """
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    before, began = cpu_of_children(), time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            env=environment,
            text=True,
            cwd=log.parent,
            start_new_session=True,
        )
    with _watched(process.pid) as peaks:
        try:
            process.communicate(text)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    seconds, cpu = time.monotonic() - began, cpu_of_children() - before
    return process.returncode, Usage(seconds, cpu, **peaks)


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[dict[str, int]]:
    """Record peaks in bytes: `parent` of a process, `memory` of it with all its descendants."""
    peaks, over = {"memory": 0, "parent": 0}, threading.Event()

    def look() -> None:
        while not over.wait(LOOK):
            with contextlib.suppress(psutil.NoSuchProcess):
                first = psutil.Process(pid)
                peaks["parent"] = max(peaks["parent"], first.memory_info().rss)
                family = [first, *first.children(recursive=True)]
                peaks["memory"] = max(peaks["memory"], sum(map(_pages, family)))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield peaks
    finally:
        over.set()
        watcher.join()


def _pages(process: psutil.Process) -> int:
    try:
        found = process.memory_full_info()
    except psutil.Error:  # it has ended
        return 0
    return int(getattr(found, "pss", found.rss))


class Site:
    """The demo site in its own process, so that its work is not counted."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        file = folder / "scenario.json"
        file.write_text(scenario.to_json(), encoding="utf-8")
        self._scenario = file.read_bytes()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "nanokinetics.demo.serve"),
                *("--scenario", str(file), "--cache", str(folder / "films")),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout  # noqa: S101
        self.proxy: str = json.loads(self._process.stdout.readline())["proxy_url"]
        self._seen = 0

    def close(self) -> None:
        self._process.communicate()

    def cpu(self) -> float:
        """Seconds of processor time of the site so far."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def requests(self) -> list[dict[str, Any]]:
        """The requests since the last call. This also resets the throttle and the faults."""
        log: list[dict[str, Any]] = json.loads(self._ask("log"))["log"]
        self._ask("scenario", self._scenario)
        new, self._seen = log[self._seen :], len(log)
        return new

    def _ask(self, what: str, data: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"{self.proxy}/demo/{what}", data)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own site
            return bytes(answer.read())


def write_json(path: Path, **parts: Any) -> None:
    path.write_text(json.dumps(parts, indent=1, default=_plain) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else asdict(value)

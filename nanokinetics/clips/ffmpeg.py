"""The only place that runs ffmpeg: find the program, describe inputs, run commands.

Commands are built with ffmpeg-python. They run here as argument lists, with a timeout. `diagnosis`
interprets the output of ffmpeg.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ffmpeg
import imageio_ffmpeg

from nanokinetics.common.kin import end_children, tie
from nanokinetics.errors import EnvironmentFault

CONTAINERS: Final = (
    *("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "flv", "asf"),
    *("mpeg", "mpegts", "mpegvideo", "m4v"),  # the last two are streams without a container
)
"""The formats that an input may have, by their ffmpeg names. None of them can refer to other files.
Playlists, manifests and scripts can, and their file names may claim another format."""

FROM_FILES: Final = "file"
FROM_SERVERS: Final = "http,https,httpproxy,tls,tcp"
"""The protocols that ffmpeg may use to read an input."""


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """An ffmpeg program, the options of its HTTP code, and its encoders.

    reader: the program that measures finished files.
    """

    path: str
    version: str
    http_options: frozenset[str]
    encoders: frozenset[str]
    reader: str


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished run of ffmpeg. `returncode` is None if the run reached its timeout.

    relayed: bytes that its relay read; None without a relay.
    """

    returncode: int | None
    stdout: str
    stderr: str
    seconds: float
    command: str
    relayed: int | None = None

    @property
    def killed(self) -> bool:
        """Whether something else ended it: a signal, or the kernel for lack of memory."""
        code = self.returncode
        return code is not None and (code < 0 or (code == 255 and "received signal" in self.stderr))

    @property
    def opened(self) -> int:
        """How many inputs could be opened. ffmpeg opens them in order."""
        return len(re.findall(r"^Input #\d+, ", self.stderr, re.MULTILINE))

    @property
    def bytes_read(self) -> int:
        """Bytes read from the inputs. ffmpeg reports them at its log level `verbose`."""
        if self.relayed is not None:
            return self.relayed
        # To move the index to the front of an mp4, ffmpeg reads its output: that does not count.
        inputs = re.sub(r"Starting second pass[^\n]*\n[^\n]*bytes read", "", self.stderr)
        return sum(int(n) for n in re.findall(r"Statistics: (\d+) bytes read", inputs))

    @property
    def cpu_seconds(self) -> float:
        """Seconds of processor time. ffmpeg reports them with `-benchmark`."""
        found = re.search(r"bench: utime=([\d.]+)s stime=([\d.]+)s", self.stderr)
        return float(found[1]) + float(found[2]) if found else self.seconds

    @property
    def input_duration(self) -> float | None:
        """Length of the first input in seconds, from its header; None if the header has none."""
        found = re.search(r"^  Duration: (\d+):(\d+):(\d+\.\d+)", self.stderr, re.MULTILINE)
        return found and int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])

    @property
    def log(self) -> str:
        ended = "stopped: out of time" if self.returncode is None else f"exit {self.returncode}"
        return f"$ {self.command}\n{self.stderr}\n[{ended}, {self.seconds:.1f} s]\n"


def find_ffmpeg(path: str | None = None) -> Ffmpeg:
    """The program to use: the named one, else the system's if it has H.264, else the wheel's.

    Without a named program, the wheel's ffmpeg measures finished files. It is linked statically and
    starts in a quarter of the time of a distribution's ffmpeg. That saves a tenth of a second for
    each clip.

    Raises EnvironmentFault if no program works.
    """
    bundled = None if path else _from_wheel()
    candidates = [path] if path else [shutil.which("ffmpeg"), bundled]
    for candidate in filter(None, candidates):
        found = _examine(candidate, reader=path or bundled or candidate)
        if found:
            return found
    if path and not (Path(path).exists() or shutil.which(path)):
        raise EnvironmentFault(f"there is no file '{path}'; name an ffmpeg with --ffmpeg FILE")
    named = f"'{path}' is not an ffmpeg that can" if path else "there is no ffmpeg here that can"
    raise EnvironmentFault(
        f"{named} encode H.264 (libx264); install ffmpeg, or name one with --ffmpeg FILE"
    )


def _from_wheel() -> str | None:
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:  # the wheel for this platform contains no program
        return None


def _examine(path: str, *, reader: str) -> Ffmpeg | None:
    try:
        encoders, protocol = _ask(path, "-encoders"), _ask(path, "-h", "protocol=http")
    except (OSError, subprocess.SubprocessError):
        return None
    known = _coders(encoders.stdout)
    if "libx264" not in known:
        return None
    options = frozenset(re.findall(r"^ +-(\w+) ", protocol.stdout, re.MULTILINE))
    version = re.search(r"ffmpeg version (\S+)", encoders.stderr)
    return Ffmpeg(path, version[1] if version else "unknown", options, known, reader)


def inputs_of(program: Ffmpeg) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the program's input protocols and of its decoders.

    Raises EnvironmentFault if the program does not list them.
    """
    try:
        protocols, decoders = _ask(program.path, "-protocols"), _ask(program.path, "-decoders")
    except (OSError, subprocess.SubprocessError):
        raise EnvironmentFault(f"{program.path} does not say what it can read") from None
    inputs = protocols.stdout.partition("Output:")[0]
    return frozenset(re.findall(r"^  (\S+)$", inputs, re.MULTILINE)), _coders(decoders.stdout)


def _ask(path: str, *question: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [path, *question],
        check=True,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        stdin=subprocess.DEVNULL,
        env=environment(),
    )


def _coders(listing: str) -> frozenset[str]:
    return frozenset(re.findall(r"^ [VAS]\S{5} ([\w-]+)", listing, re.MULTILINE))


def input_of(place: str | Path, **options: Any) -> Any:
    """An ffmpeg input for a URL or path. The content of the file cannot make ffmpeg open others."""
    name = name_of(place)
    protocols = FROM_FILES if name.startswith("file:") else FROM_SERVERS
    return ffmpeg.input(
        name,
        format_whitelist=",".join(CONTAINERS),
        protocol_whitelist=protocols,
        **options,
    )


def name_of(place: str | Path) -> str:
    """A URL or path as ffmpeg takes it. A bare path could look like an option or a protocol."""
    text = str(place)
    return text if text.startswith(("http://", "https://")) else f"file:{text}"


def run(
    argv: Sequence[str],
    timeout: float,
    *,
    proxy: str = "",
    beside: AbstractContextManager[object] | None = None,
) -> Completed:
    """Run ffmpeg to its end, or kill it after `timeout` seconds. It never outlives this call.

    proxy: the address of an HTTP proxy, which may hold a password: it stands in the environment of
    ffmpeg and not among its arguments. beside: a context that is open while ffmpeg runs.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment(proxy),
        preexec_fn=tie(),  # noqa: PLW1509 - a worker has one thread: `beside` starts its own later
    )
    _running.append(process)
    try:
        with beside or nullcontext():
            stdout, stderr = process.communicate(timeout=timeout)
        code: int | None = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
        code = None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        _running.remove(process)
    seconds = time.monotonic() - began
    return Completed(code, stdout, stderr, seconds, subprocess.list2cmdline(argv))


def environment(proxy: str = "") -> dict[str, str]:
    """The environment of an ffmpeg: no proxy but this one, and no report file.

    ffmpeg would obey `http_proxy` and `no_proxy` of this process, whatever yt-dlp was told.
    """
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    kept.pop("FFREPORT", None)
    return kept | ({"http_proxy": proxy} if proxy else {})


_running: list[subprocess.Popen[str]] = []


def exit_now(*_: object) -> None:
    """End this process and all that it has started at once. It can serve as a signal handler.

    It raises nothing: an exception in a signal handler could appear anywhere and be printed.
    """
    for process in _running:
        process.kill()
    end_children()
    os._exit(0)

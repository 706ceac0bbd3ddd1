"""The only place that runs ffmpeg: find it, cut a window, read back what a file holds.

Commands are built with ffmpeg-python and run here, with a timeout, as argument lists. What
ffmpeg's words mean is in `diagnosis`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ffmpeg
import imageio_ffmpeg

from nanokinetics.common.system import die_with_parent
from nanokinetics.errors import EnvironmentFault

CONTAINERS: Final = (
    *("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "flv", "asf"),
    *("mpeg", "mpegts", "mpegvideo", "m4v"),  # the last two are streams without a container
)
"""What ffmpeg may take an input for, by its own names. None of them can name another file, as
playlists, manifests and scripts do, whatever they are called."""

FROM_FILES: Final = "file"
FROM_SERVERS: Final = "http,https,httpproxy,tls,tcp"
"""The protocols by which an input may be read."""


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """An ffmpeg program, what its network code understands, and the encoders it has.

    `reader` is the program that reads files back.
    """

    path: str
    version: str
    http_options: frozenset[str]
    encoders: frozenset[str]
    reader: str


@dataclass(frozen=True, slots=True)
class Completed:
    """A run of ffmpeg that has ended. `returncode` is None when it was stopped for its time."""

    returncode: int | None
    stdout: str
    stderr: str
    seconds: float
    command: str

    @property
    def killed(self) -> bool:
        """Whether somebody else ended it: a signal, or the kernel for want of memory."""
        code = self.returncode
        return code is not None and (code < 0 or (code == 255 and "received signal" in self.stderr))

    @property
    def bytes_read(self) -> int:
        """Bytes read from its inputs; ffmpeg says so at its `verbose` level."""
        # Moving the index to the front of an mp4 reads the output once more: not an input.
        inputs = re.sub(r"Starting second pass[^\n]*\n[^\n]*bytes read", "", self.stderr)
        return sum(int(n) for n in re.findall(r"Statistics: (\d+) bytes read", inputs))

    @property
    def cpu_seconds(self) -> float:
        """Seconds of processor time it took; ffmpeg says so with `-benchmark`."""
        found = re.search(r"bench: utime=([\d.]+)s stime=([\d.]+)s", self.stderr)
        return float(found[1]) + float(found[2]) if found else self.seconds

    @property
    def input_duration(self) -> float | None:
        """Seconds the first input lasts by its own header; None where it does not say."""
        found = re.search(r"^  Duration: (\d+):(\d+):(\d+\.\d+)", self.stderr, re.MULTILINE)
        return found and int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])

    @property
    def log(self) -> str:
        ended = "stopped: out of time" if self.returncode is None else f"exit {self.returncode}"
        return f"$ {self.command}\n{self.stderr}\n[{ended}, {self.seconds:.1f} s]\n"


def find_ffmpeg(path: str | None = None) -> Ffmpeg:
    """The program to use: the one named, else the system's if it has H.264, else the wheel's.

    Unless one is named, files are read back with the wheel's: it is linked statically, and starts
    in a quarter of the time that a distribution's takes, a tenth of a second for each clip.
    Raises EnvironmentFault when there is none that works.
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
    except RuntimeError:  # the wheel of this platform holds no program
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
    """What it can read: the names of its protocols, and those of its decoders.

    Raises EnvironmentFault when it does not say.
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
    )


def _coders(listing: str) -> frozenset[str]:
    return frozenset(re.findall(r"^ [VAS]\S{5} ([\w-]+)", listing, re.MULTILINE))


def input_of(place: str | Path, **options: Any) -> Any:
    """An input of ffmpeg, which opens that one place and nothing that its content may name."""
    name = name_of(place)
    protocols = FROM_FILES if name.startswith("file:") else FROM_SERVERS
    return ffmpeg.input(
        name,
        format_whitelist=",".join(CONTAINERS),
        protocol_whitelist=protocols,
        **options,
    )


def name_of(place: str | Path) -> str:
    """How ffmpeg is told of a place: a path could begin with a dash, or look like a protocol."""
    text = str(place)
    return text if text.startswith(("http://", "https://")) else f"file:{text}"


def run(argv: Sequence[str], timeout: float) -> Completed:
    """Run ffmpeg to its end, or kill it after `timeout` seconds. Never leaves it behind."""
    began = time.monotonic()
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        preexec_fn=die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - a worker has one thread
    )
    _running.append(process)
    try:
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


_running: list[subprocess.Popen[str]] = []


def exit_now(*_: object) -> None:
    """End this process and the ffmpeg it runs at once; fit to be a signal handler.

    Nothing is raised: an exception could come up anywhere, even where it would be printed.
    """
    for process in _running:
        process.kill()
    os._exit(0)

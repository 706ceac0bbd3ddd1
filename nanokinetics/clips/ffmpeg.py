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
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

import ffmpeg
import imageio_ffmpeg

from nanokinetics.clips.output import HeadAndTail, Sink, Watched, drain
from nanokinetics.common.kin import end_children, tie
from nanokinetics.common.system import has_threads
from nanokinetics.errors import EnvironmentFault, Failure, Reason

CONTAINERS: Final = (
    *("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "flv", "asf"),
    *("mpeg", "mpegts", "mpegvideo", "m4v"),  # the last two are streams without a container
    "nut",  # what this program repacks
)
"""The formats that an input may have, by their ffmpeg names. None of them can refer to other files.
Playlists, manifests and scripts can, and their file names may claim another format."""

SYSTEM: Final = "system"
"""The name of the ffmpeg on the search path, as a value of `--ffmpeg`."""

FROM_FILES: Final = "file"
FROM_SERVERS: Final = "http,https,httpproxy,tls,tcp"
"""The protocols that ffmpeg may use to read an input."""


TIME_BASE: Final = "1:120000"
"""The unit of the times of frames, in seconds. All usual frames last whole numbers of it, such as
24000/1001 a second, and so are milliseconds."""


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """An ffmpeg program, the options of its HTTP code, and its encoders.

    frame_sync: its option for which frames are written. It has another name before ffmpeg 5.1.
    threaded: whether it reads, decodes and encodes in threads of their own, as ffmpeg 7 and later.
    """

    path: str
    version: str
    http_options: frozenset[str]
    encoders: frozenset[str]
    frame_sync: str
    threaded: bool


class KilledError(EnvironmentFault):
    """Something killed ffmpeg: a signal, or the kernel for lack of memory. It says nothing of the
    file that ffmpeg was reading."""

    def __init__(self, why: str = "ffmpeg was killed, perhaps for want of memory") -> None:
        super().__init__(why)

    @property
    def failure(self) -> Failure:
        return Failure(Reason.WORKER_DIED, str(self))


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

    def check(self) -> None:
        """Raises KilledError if something else ended it."""
        if self.killed:
            raise KilledError

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
    """The program to use: by default the wheel's, so that every machine makes the same clips.

    path: another program, or SYSTEM for the one on the search path. That is also the default where
    the wheel has none that works. The wheel's is linked statically and starts in a quarter of the
    time of a distribution's, which saves a tenth of a second for each clip.

    Raises EnvironmentFault if no program works.
    """
    system = shutil.which("ffmpeg")
    named = system if path == SYSTEM else path
    candidates = [_from_wheel(), system] if path is None else [named]
    found = next(filter(None, map(_examine, filter(None, candidates))), None)
    if found:
        return found
    if path is None:
        raise EnvironmentFault(
            "there is no ffmpeg here that can encode H.264 (libx264); install ffmpeg, or name one "
            "with --ffmpeg FILE"
        )
    remedy = "name another with --ffmpeg FILE, or leave the option out to use the bundled one"
    if path == SYSTEM and not system:
        raise EnvironmentFault(f"there is no ffmpeg on the search path; {remedy}")
    if path != SYSTEM and not (Path(path).exists() or shutil.which(path)):
        raise EnvironmentFault(f"there is no file '{path}'; {remedy}")
    raise EnvironmentFault(f"'{named}' is not an ffmpeg that can encode H.264 (libx264); {remedy}")


def _from_wheel() -> str | None:
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:  # the wheel for this platform contains no program
        return None


def _examine(path: str) -> Ffmpeg | None:
    try:
        encoders, protocol = _ask(path, "-encoders"), _ask(path, "-h", "protocol=http")
        usage = _ask(path, "-h", "long")
    except (OSError, subprocess.SubprocessError):
        return None
    known = _coders(encoders.stdout)
    if "libx264" not in known:
        return None
    options = frozenset(re.findall(r"^ +-(\w+) ", protocol.stdout, re.MULTILINE))
    version = re.search(r"ffmpeg version (\S+)", encoders.stderr)
    known_sync = re.search(r"^-fps_mode(\[:<stream_spec>\])?", usage.stdout, re.MULTILINE)
    return Ffmpeg(
        path,
        version[1] if version else "unknown",
        options,
        known,
        frame_sync="fps_mode" if known_sync else "vsync",
        threaded=bool(known_sync and known_sync[1]),  # its help names the form since then
    )


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


@cache
def filters_of(path: str) -> frozenset[str]:
    """The names of the filters of a program; none if it does not list them."""
    try:
        listing = _ask(path, "-filters").stdout
    except (OSError, subprocess.SubprocessError):
        return frozenset()
    return frozenset(re.findall(r"^ [T.][S.][C.]? (\w+) +\S+->", listing, re.MULTILINE))


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
    listing: Sink | None = None,
    *,
    enough: Callable[[str], bool] | None = None,
    proxy: str = "",
    beside: AbstractContextManager[object] | None = None,
) -> Completed:
    """Run ffmpeg to its end, or kill it after `timeout` seconds. It never outlives this call.

    listing: takes the standard output. Without it, and of the standard error, only the beginning
    and the end are kept. enough: called with each line of the standard error. Once it says so,
    ffmpeg is told to finish its output, which counts as success. proxy: the address of an HTTP
    proxy, which may hold a password: it stands in the environment of ffmpeg and not among its
    arguments. beside: a context that is open while ffmpeg runs.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(proxy),
        # Code between fork and exec may hang where other threads hold locks. `beside` starts its
        # own thread later.
        preexec_fn=None if has_threads() else tie(),  # noqa: PLW1509
    )
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    assert process.stderr is not None  # noqa: S101
    _running.append(process)
    stdout = HeadAndTail()
    # A worker's children may not hear SIGINT.
    stderr = Watched(enough, process.terminate) if enough else HeadAndTail()
    sinks: dict[IO[bytes], Sink] = {process.stdout: listing or stdout, process.stderr: stderr}
    try:
        with beside or nullcontext():
            in_time = drain(process, sinks, began + timeout)
        if not in_time:
            process.kill()
            drain(process, sinks, time.monotonic() + _LAST_WORDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in sinks:
            stream.close()
        _running.remove(process)
    code = process.returncode if in_time else None
    if isinstance(stderr, Watched) and stderr.finished and code == _AFTER_A_SIGNAL:
        code = 0
    seconds = time.monotonic() - began
    command = subprocess.list2cmdline(argv)
    return Completed(code, stdout.text(), stderr.text(), seconds, command)


def environment(proxy: str = "") -> dict[str, str]:
    """The environment of an ffmpeg: no proxy but this one, and no report file.

    ffmpeg would obey `http_proxy` and `no_proxy` of this process, whatever yt-dlp was told.
    """
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    kept.pop("FFREPORT", None)
    return kept | ({"http_proxy": proxy} if proxy else {})


_LAST_WORDS: Final = 5.0
"""Seconds to read what a killed ffmpeg had written."""

_AFTER_A_SIGNAL: Final = 255
"""What ffmpeg returns when a signal made it finish."""

_running: list[subprocess.Popen[bytes]] = []


def exit_now(*_: object) -> None:
    """End this process and all that it has started at once. It can serve as a signal handler.

    It raises nothing: an exception in a signal handler could appear anywhere and be printed.
    """
    for process in _running:
        process.kill()
    end_children()
    os._exit(0)

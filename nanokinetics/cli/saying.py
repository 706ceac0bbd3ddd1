"""Print text for people. Control characters in it cannot act on a terminal."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from nanokinetics.common.text import plain, plain_lines, wrapped


def say(*lines: str, to: TextIO | None = None) -> None:
    """Print lines, by default to standard output. They may hold foreign text, which is escaped."""
    stream = to or sys.stdout
    encoding = stream.encoding or "utf-8"  # some encodings lack letters
    text = plain_lines(lines)
    print(text.encode(encoding, "replace").decode(encoding), file=stream, flush=True)


def width_of(stream: TextIO) -> int:
    """The columns of the terminal that a stream leads to; 0 if it is none or reports no width."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):
        return 0


def say_fitting(*lines: str, to: TextIO | None = None) -> None:
    """The same as `say`. On a terminal, lines are broken between words."""
    width = width_of(to or sys.stdout)
    say(*(part for line in lines for part in wrapped(plain(line), width)), to=to)


def say_to_all(*lines: str) -> None:
    """Print lines to standard output, and to a log of its own that standard error goes to.

    So such a log is whole. A terminal, or a file that takes both streams, gets the lines once.
    """
    say_fitting(*lines)
    if _is_another_log():
        say(*lines, to=sys.stderr)


def _is_another_log() -> bool:
    """Whether standard error goes neither to a terminal nor where standard output goes."""
    try:
        out, log = (os.fstat(stream.fileno()) for stream in (sys.stdout, sys.stderr))
    except (OSError, ValueError):  # a stream of a program, without a file
        return False
    return not sys.stderr.isatty() and not os.path.samestat(out, log)


def put(text: str) -> None:
    """Write a file's text to standard output: as it is for a program, plain for a terminal."""
    if sys.stdout.isatty():
        say(*text.removesuffix("\n").split("\n"))
    else:
        sys.stdout.write(text)

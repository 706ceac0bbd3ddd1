"""Print text for people. Control characters in it cannot act on a terminal."""

from __future__ import annotations

import sys
from typing import TextIO

from nanokinetics.common.text import plain_lines


def say(*lines: str, to: TextIO | None = None) -> None:
    """Print lines, by default to standard output. They may hold foreign text, which is escaped."""
    stream = to or sys.stdout
    encoding = stream.encoding or "utf-8"  # some encodings lack letters
    text = plain_lines(lines)
    print(text.encode(encoding, "replace").decode(encoding), file=stream, flush=True)


def put(text: str) -> None:
    """Write a file's text to standard output: as it is for a program, plain for a terminal."""
    if sys.stdout.isatty():
        say(*text.removesuffix("\n").split("\n"))
    else:
        sys.stdout.write(text)

"""How the commands speak to a person: whatever the words hold, they do nothing to a terminal."""

from __future__ import annotations

import sys
from typing import TextIO

from nanokinetics.common.text import plain_lines


def say(*lines: str, to: TextIO | None = None) -> None:
    """Print lines to standard output, or to another stream, that may hold text from anywhere."""
    stream = to or sys.stdout
    encoding = stream.encoding or "utf-8"  # a terminal may not know every letter
    text = plain_lines(lines)
    print(text.encode(encoding, "replace").decode(encoding), file=stream, flush=True)

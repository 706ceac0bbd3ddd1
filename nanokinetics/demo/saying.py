"""Print lines of the demo."""

from __future__ import annotations

from nanokinetics.common.text import plain


def say(*lines: str, quiet: bool) -> None:
    if not quiet:
        print("\n".join(map(plain, lines)), flush=True)

"""What commands say of a dataset that is not whole, before they hand it on."""

from __future__ import annotations

import argparse
import sys

from nanokinetics.cli.saying import say


def add_strict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--strict",
        action="store_true",
        help="write nothing of a dataset that is not whole, and end with exit code 3",
    )


def is_refused(dest: object, short: object, *, strict: bool) -> bool:
    """Whether to stop here. Says on standard error what the dataset lacks, also with `--quiet`.

    short: what it lacks, in words; empty or None if nothing.
    """
    if not short:
        return False
    what = "nothing was written" if strict else "warning"
    say(f"nanokinetics: {what}: {dest} holds {short}", to=sys.stderr)
    return strict

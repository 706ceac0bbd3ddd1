"""The share of videos that are gone, where no earlier run tells it: by dataset, source and age."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

from nanokinetics.errors import InputError

_DAYS: Final = 365.25
"""Days of a year."""


class Gone(NamedTuple):
    """A share of videos that are gone, at least 0 and below 1, and the line that names its source.

    is_known: whether anything is known of these videos.
    """

    share: float
    basis: str
    is_known: bool = True


UNKNOWN: Final = Gone(
    0.0, "no video is gone: each that is costs one more to ask for", is_known=False
)


def parse_share(text: str | float) -> float:
    """The share that a text such as `0.2` or `20%` names. Raises InputError for any other."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(%?)\s*", str(text))
    share = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= share < 1:
        raise InputError(f"'{text}' is no share of videos; write 0.2 or 20%, below 1")
    return share


def assumed(share: float) -> Gone:
    """The share that the user has named."""
    return Gone(share, f"{share * 100:.3g} % of the videos are gone, as you say")


def known(dataset: str, source: str, labels: int, today: date) -> Gone:
    """The share that `gone.toml` knows of a version of a dataset; UNKNOWN of any other.

    labels: the number of labels of the annotations.
    """
    for each in _table().get(dataset, {}).get(source, ()):
        if each["labels"] == labels:
            years = max(0.0, (today - each["seen"]).days / _DAYS)
            share = 1 - (1 - each["gone"]) * (1 - each["yearly"]) ** years
            line = f"{share * 100:.0f} % of the videos are gone by now: {each['basis']}"
            return Gone(share, f"{line}; another share: --assume-gone SHARE")
    return UNKNOWN


def _table() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("gone.toml").read_text(encoding="utf-8"))

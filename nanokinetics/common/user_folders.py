"""The folders of this user on this machine: `cache` for what is fetched once, `state` for what
several runs share. Both follow the XDG variables; nothing is created here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path, user_state_path

from nanokinetics.errors import InputError

NAME: Final = "nanokinetics"


def cache() -> Path:
    """The folder of downloads that can be fetched again, such as annotation files.

    Raises InputError if this user has no home and no XDG_CACHE_HOME.
    """
    return _of(user_cache_path, "XDG_CACHE_HOME")


def state() -> Path:
    """The folder of what runs remember for each other, such as the times of requests.

    Raises InputError if this user has no home and no XDG_STATE_HOME.
    """
    return _of(user_state_path, "XDG_STATE_HOME")


def _of(place: Callable[..., Path], variable: str) -> Path:
    try:
        return place(NAME, appauthor=False)
    except RuntimeError:  # as in a container whose user has no entry and no HOME
        raise InputError(f"this user has no home folder; set HOME or {variable}") from None

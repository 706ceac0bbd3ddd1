"""The folders of this user on this machine: `cache` for what is fetched once, `state` for what
several runs share. Both follow the XDG variables; nothing is created here.
"""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path, user_state_path

NAME = "nanokinetics"


def cache() -> Path:
    """The folder of downloads that can be fetched again, such as annotation files."""
    return user_cache_path(NAME, appauthor=False)


def state() -> Path:
    """The folder of what runs remember for each other, such as the times of requests."""
    return user_state_path(NAME, appauthor=False)

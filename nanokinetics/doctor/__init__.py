"""Checks whether a build would work on this machine: one small function and `Finding` per check.

Nothing is changed: test files in a folder are removed again. Only the canary, a video that the user
names, is requested over the network. A check that fails to run reports that. Checks for yt-dlp
import it themselves, because a failed import is a finding too.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path

from nanokinetics.common.secrets import mask
from nanokinetics.config import NetworkConfig
from nanokinetics.doctor.budget import of_budget
from nanokinetics.doctor.destination import existing, of_destination, of_file_system, of_space
from nanokinetics.doctor.findings import UPDATE, CheckResult, Finding, Level
from nanokinetics.doctor.network import of_canary, of_certificates, of_cookies, of_proxy
from nanokinetics.doctor.programs import (
    SOLVER,
    imported_yt_dlp,
    installed,
    of_ffmpeg,
    of_javascript,
    of_solver,
    of_yt_dlp,
    solver_wanted,
)
from nanokinetics.errors import NanokineticsError

__all__ = ["Finding", "Level", "examine"]


def examine(
    *,
    today: date,
    environment: Mapping[str, str],
    dest: Path | None = None,
    ffmpeg: str | None = None,
    network: NetworkConfig | None = None,
    canary: str | None = None,
) -> Iterator[Finding]:
    """Make every check, one after another. It raises nothing.

    dest: the folder of a dataset, which need not exist; None checks the current folder as a place
    for one. canary: the id of a video; it is requested, and one second of it is read.
    """
    network = network or NetworkConfig()
    checks: dict[str, Callable[[], CheckResult]] = {
        "ffmpeg": lambda: of_ffmpeg(ffmpeg),
        "yt-dlp": lambda: of_yt_dlp(imported_yt_dlp(), today),
        "javascript": lambda: of_javascript(network),
        "js solver": lambda: of_solver(installed(SOLVER), solver_wanted()),
        "certificates": lambda: of_certificates(network, environment),
        "proxy": lambda: of_proxy(network),
        "cookies": lambda: of_cookies(network),
        "budget": lambda: of_budget(network, time.time()),
        "destination": lambda: of_destination(dest),
        "file system": lambda: of_file_system(dest),
        "free space": lambda: of_space(shutil.disk_usage(existing(dest)).free),
    }
    if canary is not None:
        checks["canary"] = lambda: of_canary(canary, network, ffmpeg)
    for name, check in checks.items():
        try:
            level, found, remedy = check()
        except NanokineticsError as error:
            level, found, remedy = Level.FAULT, str(error), ""
        except ImportError as error:
            level, found, remedy = Level.FAULT, f"cannot be imported: {error}", UPDATE
        except Exception as error:  # noqa: BLE001 - `examine` raises nothing
            why = f"{type(error).__name__}: {error}"
            level, found, remedy = Level.WARNING, f"could not be looked at ({why})", ""
        yield Finding(name, level, mask(found), remedy)

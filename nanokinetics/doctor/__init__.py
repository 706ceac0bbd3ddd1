"""Whether a build would work on this machine: a small function a check, a `Finding` each.

Nothing is changed (what is written to try a folder is removed again), and only the canary, a video
that was named, is asked for over the network. A check that cannot be made says so. What needs
yt-dlp imports it within its check: that it cannot be imported is a finding too.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path

from nanokinetics.common.secrets import mask
from nanokinetics.config import NetworkConfig
from nanokinetics.doctor.destination import existing, of_destination, of_file_system, of_space
from nanokinetics.doctor.findings import UPDATE, Finding, Level, Told
from nanokinetics.doctor.network import of_canary, of_certificates, of_proxy
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
    """Make every check, one after the other; no check raises.

    dest: the folder of a dataset, to be or that is; None looks at the current one as a place for
    it. canary: the id of a video that is to be asked for, and a second of it read.
    """
    network = network or NetworkConfig()
    checks: dict[str, Callable[[], Told]] = {
        "ffmpeg": lambda: of_ffmpeg(ffmpeg),
        "yt-dlp": lambda: of_yt_dlp(imported_yt_dlp(), today),
        "javascript": lambda: of_javascript(network),
        "js solver": lambda: of_solver(installed(SOLVER), solver_wanted()),
        "certificates": lambda: of_certificates(network, environment),
        "proxy": lambda: of_proxy(network),
        "destination": lambda: of_destination(dest),
        "file system": lambda: of_file_system(dest),
        "free space": lambda: of_space(shutil.disk_usage(existing(dest)).free),
    }
    if canary is not None:
        checks["canary"] = lambda: of_canary(canary, network, ffmpeg)
    for name, check in checks.items():
        try:
            yield Finding(name, *check())
        except NanokineticsError as error:
            yield Finding(name, Level.FAULT, str(error))
        except ImportError as error:
            yield Finding(name, Level.FAULT, f"cannot be imported: {error}", UPDATE)
        except Exception as error:  # noqa: BLE001 - that is the promise of this module
            why = mask(f"{type(error).__name__}: {error}")
            yield Finding(name, Level.WARNING, f"could not be looked at ({why})")

"""Check how much of the hourly budget is left."""

from __future__ import annotations

from nanokinetics.common import user_folders
from nanokinetics.config import NetworkConfig, PaceOptions
from nanokinetics.doctor.findings import CheckResult, Level
from nanokinetics.engine.shared_hour import path_of, recent
from nanokinetics.sources import remote_source


def of_budget(network: NetworkConfig, now: float) -> CheckResult:
    """How many videos all builds have asked for in the last hour.

    now: seconds since the epoch. Raises InputError for cookies that cannot be used.
    """
    source = remote_source(network)
    limit = source.policy(PaceOptions(has_account=network.cookies is not None)).per_hour
    path = path_of(user_folders.state(), source.address() or "")
    try:
        starts = recent(path, now)
    except OSError as error:
        why = f"{path} cannot be read: {error.strerror}; each build keeps to a budget of its own"
        return Level.WARNING, why, "fix the file, or name a folder with --state DIR"
    about = f"{len(starts)} of {limit} videos were asked for in the last hour"
    if len(starts) >= limit:
        return Level.WARNING, f"{about}; a build rests first", "wait, for an hour at most"
    return Level.OK, about, ""

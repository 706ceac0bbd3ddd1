"""Small video datasets: n clips of each class are chosen first, and only those are fetched.

>>> from nanokinetics import build, sample
>>> selection = sample("kinetics", annotations=["train.csv"], split="train", n=10)
>>> build("kinetics", annotations=["train.csv"], split="train", n=10, dest="nano-k400")
"""

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nanokinetics.api import BuildResult, build, sample, subset
    from nanokinetics.clip import ClipId, Group
    from nanokinetics.errors import (
        BadRows,
        Blocked,
        EnvironmentFault,
        ExitCode,
        InputError,
        NanokineticsError,
        Reason,
    )
    from nanokinetics.outlook import Preview, preview

    __version__: str

_HOMES = {
    "nanokinetics.api": ("BuildResult", "build", "sample", "subset"),
    "nanokinetics.clip": ("ClipId", "Group"),
    "nanokinetics.outlook": ("Preview", "preview"),
    "nanokinetics.errors": (
        *("BadRows", "Blocked", "EnvironmentFault", "ExitCode", "InputError"),
        *("NanokineticsError", "Reason"),
    ),
}
"""The module of each public name."""

__all__ = [
    "BadRows",
    "Blocked",
    "BuildResult",
    "ClipId",
    "EnvironmentFault",
    "ExitCode",
    "Group",
    "InputError",
    "NanokineticsError",
    "Preview",
    "Reason",
    "build",
    "preview",
    "sample",
    "subset",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    """Import public names on first use, because a worker process does not need pandas."""
    import importlib

    if name == "__version__":
        from importlib.metadata import version

        return version(__name__)
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

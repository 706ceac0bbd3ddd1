"""A small, honest video dataset: n clips a class, chosen first, and only those are fetched.

>>> from nanokinetics import build, sample
>>> selection = sample("kinetics", annotations=["train.csv"], splits=["train"], n=10)
>>> build("kinetics", annotations=["train.csv"], splits=["train"], n=10, dest="nano-k400")
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nanokinetics.api import BuildResult, build, sample

__all__ = ["BuildResult", "build", "sample"]


def __getattr__(name: str) -> Any:
    """Import on first use: a worker process has no need of pandas."""
    if name in __all__:
        from nanokinetics import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

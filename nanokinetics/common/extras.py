"""Packages that only some users need, and that an extra of this project brings."""

from __future__ import annotations

import importlib
from typing import Any

from nanokinetics.errors import EnvironmentFault


def needed(package: str, extra: str) -> Any:
    """Import a package. Raises EnvironmentFault, with what to install, when it is not here."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        missing = (error.name or package).partition(".")[0]
        raise EnvironmentFault(
            f"this needs {missing}, which is not here; pip install 'nanokinetics[{extra}]'"
        ) from None

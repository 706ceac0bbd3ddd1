"""Optional packages. Only some users need them, and an extra of this project installs each."""

from __future__ import annotations

import importlib
from typing import Any

from nanokinetics.errors import EnvironmentFault


def needed(package: str, extra: str) -> Any:
    """Import a package. If it is missing, EnvironmentFault names the command to install it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        missing = (error.name or package).partition(".")[0]
        raise EnvironmentFault(
            f"this needs {missing}, which is not here; pip install 'nanokinetics[{extra}]'"
        ) from None

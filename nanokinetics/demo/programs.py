"""Where the command `nanokinetics` lies, so that a line with it can be pasted."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

NAME = "nanokinetics"


def program(*, anywhere: bool = False) -> str:
    """The command that runs this program, quoted for a shell.

    It is the bare name if the search path leads to it; else a path from the working folder. With
    `anywhere` it works in other folders and terminals, where no virtual environment is active.
    """
    # The folder of the interpreter, not what it links to: a virtual environment has its own.
    own = Path(sys.executable).parent / NAME
    if not own.is_file():
        return f"{shlex.quote(sys.executable)} -m {NAME}"
    found = shutil.which(NAME)
    active = os.environ.get("VIRTUAL_ENV")
    is_elsewhere = anywhere and active and own.is_relative_to(active)
    if found and Path(found).resolve() == own.resolve() and not is_elsewhere:
        return NAME
    near = os.path.relpath(own)
    return shlex.quote(str(own) if anywhere or near.startswith("..") else near)

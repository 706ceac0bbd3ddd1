"""Make a virtual environment in `.venv` with this project and its dependencies.

The other scripts use this module. It needs only Python. It installs again only if `pyproject.toml`
has changed, or if a script needs more extras.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")


def prepare(*extras: str) -> None:
    """Make the environment or update it. If this fails, print a line and end the program."""
    if sys.version_info < (3, 11):  # noqa: UP036 - an older Python can start this script
        sys.exit(f"nanokinetics needs Python 3.11 or newer, and this is {sys.version.split()[0]}")
    stamp = VENV / "installed.txt"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    have = stamp.read_text().split() if stamp.exists() else []
    known = set(have[1:]) if have[:1] == [wanted] else set()
    if have[:1] == [wanted] and known >= set(extras):
        return
    if not BIN.exists():
        print(f"making {VENV} …", flush=True)
        venv.create(VENV, with_pip=True)
    everything = sorted(known | set(extras))
    print(f"installing nanokinetics[{','.join(everything)}] into {VENV} …", flush=True)
    what = f"{ROOT}[{','.join(everything)}]"
    quietly = ("--quiet", "--disable-pip-version-check")
    if run("python", "-m", "pip", "install", *quietly, "--editable", what):
        sys.exit("the installation failed; see above")
    stamp.write_text(" ".join([wanted, *everything]))


def run(program: str, *arguments: str, cwd: Path | None = None) -> int:
    """Run a program of the environment and return its exit code."""
    try:
        return subprocess.run([str(BIN / program), *arguments], check=False, cwd=cwd).returncode
    except KeyboardInterrupt:  # the program got it too, and has printed its message
        return 130

"""A virtual environment in `.venv` that holds this project and what it needs.

Used by the other scripts; needs nothing but Python itself. Installs again only when
`pyproject.toml` has changed or more extras are asked for.
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
    """Make the environment, or bring it up to date. Ends the program with a line if it cannot."""
    if sys.version_info < (3, 11):  # noqa: UP036 - nothing has checked it yet
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
    """Run a program of the environment; its exit code."""
    try:
        return subprocess.run([str(BIN / program), *arguments], check=False, cwd=cwd).returncode
    except KeyboardInterrupt:  # the program has seen it too, and has said what there is to say
        return 130

"""`nanokinetics demo --serve`: the site stays up, for commands that are typed elsewhere.

It serves the annotations too, over the same proxy and with the same certificate. The lines to paste
set the environment so that a plain build finds both; they also keep the user's own folders clean.
"""

from __future__ import annotations

import errno
import shlex
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from nanokinetics.common.files import replace_file
from nanokinetics.demo import programme
from nanokinetics.demo.answers import FILES_HOST
from nanokinetics.demo.programs import program
from nanokinetics.demo.saying import say
from nanokinetics.demo.site import DemoSite
from nanokinetics.errors import EnvironmentFault, ExitCode

CANDIDATES: Final = 12
"""Candidates of each class: enough for the preset `tiny`, whatever the seed."""

CATALOG: Final = """\
[demo]
dataset = "kinetics"
source = "the demo"
about = "Videos that the demo has made itself"

[[demo.files]]
splits = ["train"]
urls = ["https://{host}/annotations.csv"]
rows = {{ train = {rows} }}
"""


def serve(port: int = 0, *, quiet: bool = False) -> ExitCode:
    """Play the demo until Ctrl-C or SIGTERM. Raises EnvironmentFault if the port is taken."""
    rows = programme.rows((*programme.CLASSES, *programme.MORE_CLASSES), CANDIDATES)
    files = {"/annotations.csv": programme.to_csv(rows).encode()}
    say("making videos …", quiet=quiet)
    with tempfile.TemporaryDirectory(prefix="nanokinetics-demo-") as name:
        folder = Path(name)
        catalog = CATALOG.format(host=FILES_HOST, rows=len(rows))
        replace_file(folder / "catalog.toml", catalog.encode())
        site = DemoSite(programme.scenario(rows), port=port, files=files)
        try:
            with site:
                say(*_lines(_environment(site, folder)), quiet=False)
                threading.Event().wait()
        except KeyboardInterrupt:
            say("the make-believe YouTube is gone", quiet=quiet)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise EnvironmentFault(
                f"--port {port}: {error.strerror}; name another, or leave it out for any free one"
            ) from None
    return ExitCode.OK


def _environment(site: DemoSite, folder: Path) -> Mapping[str, str]:
    """The variables with which an ordinary build talks to the site."""
    return {
        "NANOKINETICS_CATALOG": str(folder / "catalog.toml"),
        "http_proxy": site.proxy_url,
        "https_proxy": site.proxy_url,
        **site.environment(),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_STATE_HOME": str(folder / "state"),
    }


def _lines(environment: Mapping[str, str]) -> list[str]:
    return [
        "a make-believe YouTube is up until Ctrl-C; paste these lines into another terminal,",
        "in an empty folder:",
        "",
        *(f"export {name}={shlex.quote(value)}" for name, value in environment.items()),
        f"{program(anywhere=True)} build kinetics --annotations demo --preset tiny --dest nano",
        "",
    ]

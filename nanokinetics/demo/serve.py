"""`python -m nanokinetics.demo.serve`: the demo site in its own process.

When it is ready, it prints one line of JSON: `port`, `proxy_url`, `ca_file`. It runs until SIGTERM
or SIGINT. If standard input is a pipe, it also ends when the pipe closes. The same port answers
`GET /demo/log` and `POST /demo/scenario`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import stat
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from nanokinetics.common.files import replace_file
from nanokinetics.demo.scenario import Scenario
from nanokinetics.demo.site import DemoSite
from nanokinetics.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m nanokinetics.demo.serve", description=__doc__)
    parser.add_argument("--scenario", type=Path, metavar="FILE", help="JSON; default: no videos")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="gets the ready line too")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keeps the films")
    parser.add_argument("--ffmpeg", metavar="PATH")
    options = parser.parse_args(argv)
    try:
        scenario = Scenario()
        if options.scenario:
            scenario = Scenario.from_json(options.scenario.read_bytes())
        site = DemoSite(scenario, port=options.port, cache=options.cache, ffmpeg=options.ffmpeg)
    except (OSError, ValueError, RuntimeError, EnvironmentFault) as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with site:
        ready = {"port": site.port, "proxy_url": site.proxy_url, "ca_file": str(site.ca_file)}
        line = json.dumps(ready) + "\n"
        if options.ready_file:
            replace_file(options.ready_file, line.encode())
        sys.stdout.write(line)
        sys.stdout.flush()
        if stat.S_ISFIFO(os.fstat(0).st_mode):
            threading.Thread(target=_until_closed, args=(stop,), daemon=True).start()
        stop.wait()
    return 0


def _until_closed(stop: threading.Event) -> None:
    # os.read, since a thread that waits in sys.stdin would hold its lock at exit.
    while os.read(0, 4096):
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())

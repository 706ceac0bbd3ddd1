"""`nanokinetics doctor`: check whether a build would work on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nanokinetics.cli.options import add_command, typed
from nanokinetics.cli.saying import say, say_fitting
from nanokinetics.config import NetworkConfig, is_youtube_id
from nanokinetics.errors import ExitCode, InputError
from nanokinetics.sources.youtube import CANARY


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "doctor",
        run,
        "look whether a build would work on this machine",
        "nanokinetics doctor --dest nano-k400 --canary",
    )
    add = parser.add_argument
    add(
        "--dest",
        metavar="DIR",
        type=Path,
        help="the folder that a dataset is to be made in (default: the current one)",
    )
    add(
        "--canary",
        metavar="ID",
        nargs="?",
        const=CANARY,
        type=typed(_youtube_id),
        help="ask YouTube for a video: this id, or by default its first video; without this option "
        "nothing is asked of the network",
    )
    add("--ffmpeg", metavar="FILE", help="the ffmpeg to look at, as for build; also: system")
    add("--cookies", metavar="FILE", type=Path, help="as for build")
    add("--proxy", metavar="URL", help="as for build")
    add("--yt-dlp-args", metavar="ARGS", default="", help="as for build")
    add("--json", action="store_true", help="print a JSON array of the findings")


def run(options: dict[str, Any]) -> ExitCode:
    import json
    from contextlib import suppress
    from dataclasses import asdict
    from datetime import UTC, datetime

    from nanokinetics.common.kin import tie_children
    from nanokinetics.doctor import Level, examine
    from nanokinetics.sources import remote_source

    tie_children()
    json_wanted = options.pop("json")
    network = NetworkConfig(
        **{name: options.pop(name) for name in ("cookies", "proxy", "yt_dlp_args")}
    )
    with suppress(ImportError):  # the checks below report a missing yt-dlp
        remote_source(network).check()
    findings = []
    today = datetime.now(UTC).date()
    for finding in examine(today=today, environment=os.environ, network=network, **options):
        findings.append(finding)
        if not json_wanted:
            say_fitting(str(finding))
    if json_wanted:
        say(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    faulty = any(finding.level is Level.FAULT for finding in findings)
    return ExitCode.ERROR if faulty else ExitCode.OK


def _youtube_id(text: str) -> str:
    if not is_youtube_id(text):
        raise InputError(f"'{text}' is no id of a video: eleven letters, digits, - and _")
    return text

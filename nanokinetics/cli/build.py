"""`nanokinetics build`: make a dataset, and print a summary."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nanokinetics import config
from nanokinetics.cli.options import (
    Parser,
    add_choice,
    add_command,
    as_json,
    parse_resolution,
    typed,
)
from nanokinetics.cli.preview import add_estimate, lines, to_json
from nanokinetics.cli.saying import say, say_to_all
from nanokinetics.cli.summary import (
    RETRY_FAILED,
    next_step,
    next_step_after,
    short_line,
    summary,
    summary_of_early_end,
)
from nanokinetics.common.logs import logger, logging_to
from nanokinetics.common.secrets import mask
from nanokinetics.errors import ExitCode, InputError

if TYPE_CHECKING:
    from nanokinetics.api import BuildResult
    from nanokinetics.cli.display import Remembering


SOME_FAILED: Final = "some"

_log = logger(__name__)


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "build",
        run,
        "sample, fetch, trim and index; the same command goes on",
        "nanokinetics build kinetics --annotations train.csv --split train --num-classes 20 --n 10 "
        "--dest nano-k400",
    )
    add_options(parser, needs_dest=True)


def add_options(parser: Parser, *, needs_dest: bool) -> None:
    """The options of a build, which `sample` takes too."""
    add_choice(parser)
    parser.add_argument(
        "--log",
        metavar="FILE",
        type=Path,
        help="append a dated line for each thing that happens, without secrets",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="progress and result as JSON objects on standard output, one a line",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="only tell what a build would do: its clips, their cost, and what is in --dest; "
        "nothing is fetched, made or changed",
    )
    _add_making(parser, needs_dest=needs_dest)
    add_estimate(parser)


def _add_making(parser: Parser, *, needs_dest: bool) -> None:
    add = parser.add_argument_group("what to make").add_argument
    add(
        "--dest",
        metavar="DIR",
        required=needs_dest,
        help="the folder of the dataset; an earlier run's is continued",
    )
    add(
        "--place",
        choices=config.PLACES,
        help="how local files get there (default: copy); transcode makes mp4 of videos",
    )
    add(
        "--transcode",
        dest="place",
        action="store_const",
        const=config.TRANSCODE,
        help="the same as --place transcode",
    )
    add(
        "--resolution",
        metavar="PIXELS",
        type=typed(parse_resolution),
        help="the most pixels of the shorter side; nothing is enlarged (default: 360)",
    )
    add(
        "--no-audio",
        dest="audio",
        action="store_const",
        const=False,
        help="leave the sound out",
    )
    add("--fps", metavar="F", type=float, help="frames a second (default: those of the video)")
    add(
        "--crf",
        metavar="Q",
        type=int,
        help="x264's quality, 0 best to 51 (default: 23)",
    )
    add("--x264-preset", metavar="P", help="x264's speed (default: veryfast)")
    add(
        "--gop",
        metavar="SECONDS|none",
        help="the most seconds between two keyframes, for fast random reads (default: none)",
    )
    add = parser.add_argument_group("how to ask").add_argument
    add(
        "--workers",
        metavar="W",
        type=int,
        help="processes at once (default: processors + 2, at most 8)",
    )
    add(
        "--max-per-hour",
        metavar="R",
        type=int,
        help="videos that all your runs ask for in any hour, 0 for no limit (default: 300, with "
        "cookies 2000)",
    )
    add(
        "--max-wait",
        metavar="DURATION",
        type=typed(config.parse_duration),
        default="6h",
        help="how long to wait in all while refused: 90s, 15m, 2d (default: %(default)s)",
    )
    add(
        "--wait-forever",
        action="store_true",
        help="in place of --max-wait: however long it takes",
    )
    add(
        "--block-wait",
        metavar="DURATION",
        type=typed(config.parse_duration),
        default="60s",
        help="first wait after a refusal; doubled each time (default: %(default)s)",
    )
    add(
        RETRY_FAILED,
        metavar="all",
        type=typed(_retry_failed),
        default=False,
        help="ask again for clips whose failure may have passed: unavailable, age, country, media; "
        f"{RETRY_FAILED}=all asks again for every failed clip",
    )
    add(
        "--replace-transient",
        action="store_true",
        help="replace clips that fail for now too, to have N today; a later run without it makes "
        "those after all",
    )
    add(
        "--canary",
        metavar="ID|none",
        help="the video that is asked for when many fail in a row and none was made yet (default: "
        "the first video of YouTube)",
    )
    add("--cookies", metavar="FILE", help="a Netscape cookie file for YouTube; never written to")
    add("--proxy", metavar="URL", help="a proxy, for yt-dlp and ffmpeg alike")
    add(
        "--yt-dlp-args",
        metavar="ARGS",
        default="",
        help='any options of yt-dlp, as one text: --yt-dlp-args="--force-ipv4"',
    )
    add(
        "--ffmpeg",
        metavar="FILE",
        help="another ffmpeg than the bundled one, or `system` for that of the search path",
    )
    add(
        "--failed-logs",
        metavar="DIR",
        help="where the full output of failed attempts goes (default: DEST-failed_logs)",
    )
    add(
        "--state",
        metavar="DIR",
        help="where runs note their requests, which share one hourly budget (default: a folder of "
        "the user)",
    )


def with_values(argv: Sequence[str]) -> list[str]:
    """Give `--retry-failed` a value if it has none, so that it never takes the next word for one.

    The next word is its value only if it is `all`.
    """
    done: list[str] = []
    for given in argv:
        is_flag = len(given) > len("--re") and RETRY_FAILED.startswith(given)  # abbreviated
        word = RETRY_FAILED if is_flag else given
        if done[-1:] == [f"{RETRY_FAILED}={SOME_FAILED}"] and word == config.ALL_FAILED:
            done[-1] = f"{RETRY_FAILED}={word}"
        else:
            done.append(f"{RETRY_FAILED}={SOME_FAILED}" if word == RETRY_FAILED else word)
    return done


def _retry_failed(text: str) -> config.RetryFailed:
    if text not in (SOME_FAILED, config.ALL_FAILED):
        raise InputError(f"'{text}' is not all; leave it out, or write {RETRY_FAILED}=all")
    return True if text == SOME_FAILED else "all"


def run(options: dict[str, Any]) -> ExitCode:
    from nanokinetics.cli.display import Remembering, reporter

    quiet, json = options.pop("quiet"), options.pop("json")
    log, dest = options.pop("log"), options["dest"]
    if log and Path(dest).resolve() in log.resolve().parents:
        raise InputError(f"--log {log} lies within --dest; name a file outside of the dataset")
    if options.pop("dry_run"):
        return _preview(options, quiet=quiet, json=json)
    for name in ("stats", "assume_gone"):
        if options.pop(name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{option} is for an estimate; add --dry-run, or leave it out")
    header = _header()
    shown = Remembering(reporter(quiet=quiet, objects=json, header=header))
    with logging_to(log):
        _log.info("%s", header)
        result = _build(options, shown, quiet=quiet)
        ending = [*summary(result, dest), next_step(result, dest)]
        for line in ending:
            _log.info("%s", line)
    for wrong, clips in result.fixable.items():
        say(f"nanokinetics: {wrong}; {clips} clips are left for the next run", to=sys.stderr)
    if json:
        say(as_json(result, event="result", exit_code=int(result.exit_code)))
    elif not quiet:
        say_to_all(*ending)
    if quiet and result.short:
        say(f"nanokinetics: {short_line(result, dest)}", to=sys.stderr)
    return result.exit_code


def _preview(options: dict[str, Any], *, quiet: bool, json: bool) -> ExitCode:
    """Tell what a build would do. A class that will be short is told too, and is no failure."""
    from nanokinetics.cli.display import reporter
    from nanokinetics.outlook import preview

    found = preview(reporter=reporter(quiet=quiet, objects=json), **options)
    if json:
        say(to_json(found, event="preview", exit_code=int(ExitCode.OK)))
    elif not quiet:
        say(*lines(found))
    return ExitCode.OK


def _header() -> str:
    """The first line of a log: the version, the folder, and the command as it can be pasted."""
    from importlib.metadata import version

    program, *arguments = sys.argv
    # Each argument is masked by itself: quotes around quotes would hide where a secret ends.
    command = shlex.join([Path(program).name, *map(mask, arguments)])
    return f"nanokinetics {version('nanokinetics')} in {Path.cwd()}: {command}"


def _build(options: dict[str, Any], reporter: Remembering, *, quiet: bool) -> BuildResult:
    """Build. An error that ends it early gets a summary and the next step as notes."""
    from nanokinetics.api import build

    began = time.time()
    try:
        return build(reporter=reporter, **options)
    except BaseException as error:
        step = next_step_after(error)
        early = summary_of_early_end(reporter.latest, options["dest"], began, time.time())
        lines = [*early, step] if step else []
        _log.info("ended by %s: %s", type(error).__name__, error)
        for line in lines:
            _log.info("%s", line)
            if not quiet:
                error.add_note(line)
        raise

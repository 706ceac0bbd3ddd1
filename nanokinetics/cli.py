"""The command line: it parses, calls the library, and turns exceptions into one line and a code.

Kept light: every worker process imports this module again under the name of the main script.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from . import config
from .errors import ExitCode, InputError, NanokineticsError

if TYPE_CHECKING:
    from .api import BuildResult
    from .selection import Selection

EXAMPLES = """\
examples:
  nanokinetics demo
      the whole job against a make-believe YouTube on this machine
  nanokinetics sample kinetics --annotations train.csv --num-classes 20 --n 10
      what would be fetched
  nanokinetics build kinetics --annotations train.csv --split train --num-classes 20 --n 10 \\
      --dest nano-k400
      fetch it; the same command goes on where it stopped

exit codes:
  0 every quota met   1 error   2 bad usage or input   3 finished, but some class is short
  75 blocked for now, run the same command later   130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. The only place where exceptions become messages."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        args = _parser().parse_args(argv)
        options = vars(args)
        run = options.pop("run")
        return int(run(options))
    except NanokineticsError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail(
            "interrupted; what was finished is kept, and the same command goes on",
            ExitCode.INTERRUPTED,
        )
    except BrokenPipeError:  # whoever read our output has gone
        sys.stderr.close()
        return ExitCode.ERROR
    except Exception as error:  # noqa: BLE001 - a defect of ours: kept whole, told in one line
        return _fail(f"{_keep(error)}; what was finished is kept", ExitCode.ERROR)


def _fail(message: str, code: ExitCode) -> int:
    print(f"nanokinetics: {message}", file=sys.stderr)
    return code


def _keep(error: Exception) -> str:
    """Put a traceback into a file, for a report; the line that says where."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="nanokinetics-", suffix=".log", delete=False, encoding="utf-8"
    ) as file:
        traceback.print_exception(error, file=file)
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return f"this should not have happened: {what}; please report it, with {file.name}"


class _Parser(argparse.ArgumentParser):
    """Wrong usage is bad input like any other: one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nanokinetics",
        description="A small, honest video dataset: n clips a class, chosen first, and only those "
        "are fetched.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="print the version and exit",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    build = _command(
        commands, "build", _build, "sample, fetch, trim and index; the same command goes on"
    )
    _add_choice(build)
    _add_making(build)

    sample = _command(commands, "sample", _sample, "only choose: print or write the selection")
    _add_choice(sample)
    sample.add_argument("--output", metavar="FILE", help="write the selection as a CSV file")

    demo = _command(commands, "demo", _demo, "the whole job against a make-believe YouTube")
    demo.add_argument("dest", metavar="DIR", nargs="?", default="nanokinetics-demo",
                      help="where to make it (default: %(default)s)")  # fmt: skip
    _add_quiet(demo)
    return parser


def _command(commands: Any, name: str, run: Any, about: str) -> argparse.ArgumentParser:
    example = {
        "build": "nanokinetics build kinetics --annotations train.csv --split train "
        "--num-classes 20 --n 10 --dest nano-k400",
        "sample": "nanokinetics sample kinetics --annotations train.csv --n 5 --output picks.csv",
        "demo": "nanokinetics demo",
    }[name]
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=about[0].upper() + about[1:] + ".",
        epilog=f"example: {example}",
    )
    command.set_defaults(run=run)
    return command


def _add_choice(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what to choose").add_argument
    parser.add_argument(
        "dataset", choices=config.DATASETS, help="the dataset that the annotations describe"
    )
    add(
        "--annotations",
        metavar="FILE",
        nargs="+",
        default=(),
        help="annotation files: CSV, text, JSON of any Kinetics version, also gzipped; of ImageNet "
        "and Something-Something those that do not lie in --src",
    )
    add(
        "--source",
        choices=config.SOURCES,
        help="where the clips of Kinetics are (default: youtube)",
    )
    add(
        "--src",
        metavar="DIR",
        help="the folder, or the archive, of local files: images, videos, .tar, .tar.gz, parts",
    )
    add(
        "--class-names",
        metavar="FILE",
        help="a class and its name a line: n01440764 tench",
    )
    add(
        "--list",
        dest="listing",
        metavar="FILE",
        nargs="+",
        help="for 'folder': files of 'path label' lines (default: a folder is a class)",
    )
    add(
        "--split",
        dest="splits",
        metavar="S",
        nargs="+",
        help="train, val or test (default: all that the annotations have)",
    )
    add(
        "--n",
        metavar="N",
        type=_typed(config.parse_n),
        required=True,
        help="clips of each class; or for each split: train=10,val=2",
    )
    add(
        "--classes",
        metavar="A,B|@FILE",
        type=_typed(config.parse_classes),
        help="choose from these labels only (default: all)",
    )
    add("--num-classes", metavar="K", type=int, help="draw K classes (default: all)")
    add(
        "--seed",
        metavar="S",
        default="0",
        help="another seed is another choice (default: %(default)s)",
    )
    add(
        "--skip-bad-rows",
        action="store_true",
        help="leave unusable annotation rows out instead of refusing to start",
    )
    _add_quiet(parser)  # fmt: skip


def _add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="no progress, no summary")


def _add_making(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what to make").add_argument
    add(
        "--dest",
        metavar="DIR",
        required=True,
        help="the folder of the dataset; an earlier run's is continued",
    )
    add(
        "--place",
        choices=config.PLACES,
        default="copy",
        help="how local files get there (default: %(default)s); transcode makes mp4 of videos",
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
        type=int,
        default=360,
        help="the most pixels of the shorter side; nothing is enlarged (default: %(default)s)",
    )
    add("--no-audio", dest="audio", action="store_false", help="leave the sound out")
    add("--fps", metavar="F", type=float, help="frames a second (default: those of the video)")
    add(
        "--crf",
        metavar="Q",
        type=int,
        default=23,
        help="x264's quality, 0 best to 51 (default: %(default)s)",
    )
    add("--preset", metavar="P", default="veryfast", help="x264's speed (default: %(default)s)")
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
        help="videos asked for in any hour, 0 for no limit (default: 300, with cookies 2000)",
    )
    add(
        "--max-wait",
        metavar="DURATION",
        type=_typed(config.parse_duration),
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
        type=_typed(config.parse_duration),
        default="60s",
        help="first wait after a refusal; doubled each time (default: %(default)s)",
    )
    add(
        "--retry-failed",
        action="store_true",
        help="ask again for clips whose failure may have passed: age, country, members only",
    )
    add(
        "--replace-transient",
        action="store_true",
        help="let others stand in for clips that fail for now, to have N today; a later run "
        "without it makes those after all",
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
        help="the ffmpeg to use (default: the system's, else the bundled one)",
    )
    add("--failed-logs", metavar="DIR", default="failed_logs",
        help="where the full output of failed attempts goes (default: %(default)s)")  # fmt: skip


def _typed(parse: Any) -> Any:
    """An argparse type whose own message is shown."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


class _Version(argparse.Action):
    """Looks the version up only when asked for it."""

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        from importlib.metadata import version

        print(f"nanokinetics {version('nanokinetics')}")
        sys.exit(0)


def _build(options: dict[str, Any]) -> ExitCode:
    from .api import build
    from .progress import reporter

    quiet = options.pop("quiet")
    result = build(options.pop("dataset"), reporter=reporter(quiet=quiet), **options)
    if not quiet:
        print(summary(result, options["dest"]))
    for wrong, clips in result.mendable.items():
        print(f"nanokinetics: {wrong}; {clips} clips are left for the next run", file=sys.stderr)
    return result.exit_code


def _sample(options: dict[str, Any]) -> ExitCode:
    from .api import sample
    from .files import replace_file
    from .progress import reporter

    output, quiet = options.pop("output"), options.pop("quiet")
    selection = sample(options.pop("dataset"), reporter=reporter(quiet=quiet), **options)
    if output is not None:
        try:
            replace_file(Path(output), selection.to_csv())
        except OSError as error:
            raise NanokineticsError(f"--output {output}: {error.strerror}") from None
    else:
        sys.stdout.write(selection.to_csv().decode())
    if not quiet:
        print(outlook(selection), file=sys.stderr)
    return ExitCode.OK


def _demo(options: dict[str, Any]) -> ExitCode:
    from .demo.command import demo

    return demo(Path(options["dest"]), quiet=options["quiet"])


def summary(result: BuildResult, dest: str) -> str:
    """What a build came to, in a few lines."""
    lines = [f"{result.made} of {result.wanted} clips are in {dest} ({result.new} of them new)."]
    if result.replaced:
        lines.append(
            f"{result.replaced} clips were not to be had; the next of their classes follow:"
        )
    if result.reasons:
        named = ", ".join(f"{n} {reason}" for reason, n in sorted(result.reasons.items()))
        lines.append(f"  failures of this run, in failed.csv with their logs: {named}")
    if result.displaced:
        lines.append(f"{result.displaced} stand-ins went, since better-ranked clips are there now.")
    if result.refusals:
        lines.append(f"YouTube refused {result.refusals} times; everybody waited, nothing is lost.")
    if result.held and result.short:
        lines.append(f"{result.held} clips failed for now; the same command asks for them again.")
    elif result.held:
        lines.append(
            f"{result.held} clips failed for now, and others stand in for them; "
            "a run without --replace-transient asks for them again."
        )
    for group, (has, wanted) in list(result.short.items())[:10]:
        lines.append(f"  short: {group.label} ({group.split}) has {has} of {wanted}")
    if len(result.short) > 10:
        lines.append(f"  and {len(result.short) - 10} more classes are short; see classes.csv")
    return "\n".join(lines)


MEGABYTES_A_SECOND = 0.14
"""Fetched for a second of a 360p clip: 1.2 to 1.4 MB for ten seconds, as measured."""


def outlook(selection: Selection) -> str:
    """What a selection holds and what it would cost, in a few lines."""
    reach = {g: min(n, len(selection.rows(g))) for g, n in selection.quotas.items()}
    short = [g for g, n in selection.quotas.items() if reach[g] < n]
    clips = sum(reach.values())
    spans = (selection.candidates(group).head(n) for group, n in reach.items())
    seconds = sum(float((span["time_end"] - span["time_start"]).sum()) for span in spans)
    hours = clips / config.GUEST_PER_HOUR
    lines = [
        f"{len({g.label for g in reach})} classes, {clips} clips, "
        f"{len(selection.frame) - clips} reserves",
    ]
    if not selection.is_local:
        lines.append(
            f"about {seconds * MEGABYTES_A_SECOND:,.0f} MB to fetch at 360p, and "
            f"{hours:,.1f} hours as a guest ({config.GUEST_PER_HOUR} videos an hour)"
        )
    lines += [
        f"  short: {g.label} ({g.split}) has {reach[g]} of {selection.quotas[g]} candidates"
        for g in short[:10]
    ]
    return "\n".join(lines)

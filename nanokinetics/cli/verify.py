"""`nanokinetics verify`: check a built dataset against its tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nanokinetics.cli.options import add_command, add_quiet
from nanokinetics.cli.saying import say, say_fitting
from nanokinetics.errors import ExitCode, InputError

if TYPE_CHECKING:
    from nanokinetics.verify import Verdict

SHOWN: Final = 20
"""Problems of one kind that are shown, at most."""


def add(commands: Any) -> None:
    parser = add_command(
        commands,
        "verify",
        run,
        "every clip present, intact, decodable, as recorded; every list right",
        "nanokinetics verify nano-k400 --repair",
    )
    add = parser.add_argument
    add("dest", metavar="DEST", help="a built folder")
    add("--fast", action="store_true", help="only whether the files are there, and their sizes")
    add(
        "--repair",
        action="store_true",
        help="take out what is bad, so that the next build makes it again",
    )
    add("--workers", metavar="W", type=int, help="processes at once (default: processors)")
    add("--ffmpeg", metavar="FILE", help="another ffmpeg to decode with; also: system")
    add("--json", action="store_true", help="print one JSON object: the counts, and the findings")
    add_quiet(parser)


def run(options: dict[str, Any]) -> ExitCode:
    from tqdm import tqdm

    from nanokinetics.verify import VerifyOptions, repair, verify

    dest, quiet = Path(options.pop("dest")), options.pop("quiet")
    json_wanted = options.pop("json")
    check = repair if options.pop("repair") else verify
    if options["workers"] is not None and not 1 <= options["workers"] <= 256:
        raise InputError(f"--workers is a number from 1 to 256, not {options['workers']}")
    with tqdm(unit="clip", file=sys.stderr, disable=True if quiet else None, leave=False) as bar:

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        verdict = check(dest, VerifyOptions(progress=progress, **options))
    if json_wanted:
        say(as_json(verdict))
    elif verdict.problems or not quiet:
        say_fitting(*render(verdict, str(dest)))
    return verdict.exit_code


def as_json(verdict: Verdict) -> str:
    """The counts and all problems as JSON. Bytes of a file name that are not UTF-8 are escaped."""
    found = {
        "clips": verdict.clips,
        "problems": len(verdict.problems),
        "bad": len(verdict.bad),
        "strays": len(verdict.strays),
        "at_work": verdict.at_work,
        "repaired": verdict.repaired,
        "findings": [
            {
                "kind": each.kind.name.lower(),
                "path": each.path,
                "found": each.what,
                "remedy": each.kind,
            }
            for each in verdict.problems
        ],
    }
    return json.dumps(found)


def render(verdict: Verdict, dest: str) -> list[str]:
    """The verdict for a person: the counts, then one line for each problem."""
    found = f"{len(verdict.problems)} problems" if verdict.problems else "all is as recorded"
    lines = [f"{dest}: {verdict.clips} clips, {found}"]
    if verdict.at_work:
        lines.append("a build is at work there: only the clips it has recorded were looked at")
    for kind in dict.fromkeys(problem.kind for problem in verdict.problems):
        of_kind = [problem for problem in verdict.problems if problem.kind is kind]
        lines += [f"  {each.path}: {each.what}; {kind}" for each in of_kind[:SHOWN]]
        if len(of_kind) > SHOWN:
            lines.append(f"  and {len(of_kind) - SHOWN} more like this")
    if verdict.repaired and verdict.problems:
        lines.append(
            f"repaired: {len(verdict.bad)} clips taken out, {len(verdict.strays)} files moved to "
            "strays/, the lists written anew; now run the build again"
        )
    return lines

"""List n videos of each Something-Something class, with nano-datasets' name and arguments.

    python scripts/refer_by_classes.py --src labels/test-answers.csv --n 2 \\
        --labels_src labels/labels.json --videos_src 20bn-something-something-v2

The script copies no video. docs/paper.md lists the files that it writes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import paper

from nanokinetics.common.text import plain
from nanokinetics.errors import ExitCode, InputError

BY_CLASS: Final = "videos_sorted_by_class.json"
LIST: Final = "class_dict.csv"
ANSWERS: Final = "test-answers.csv"
LABELS: Final = "labels.json"


def main() -> int:
    parser = paper.Parser("List n videos of each class of Something-Something v2.")
    add = parser.add_argument
    add("--src", type=Path, required=True, help=f"{ANSWERS} or its folder; or train.json")
    add("--dest", type=Path, default=Path(), help="where the lists go (default: here)")
    add("--n", type=int, required=True, help="videos of each class")
    add("--labels_src", type=Path, required=True, help=f"{LABELS}, or its folder")
    add(
        "--videos_src",
        type=Path,
        metavar="DIR",
        help="the videos: only those that lie there are listed, by their whole paths",
    )
    args = parser.parse_args()
    answers = args.src / ANSWERS if args.src.is_dir() else args.src
    labels = args.labels_src / LABELS if args.labels_src.is_dir() else args.labels_src
    if args.videos_src and not args.videos_src.is_dir():
        raise InputError(f"--videos_src {args.videos_src}: there is no such folder")

    from nanokinetics import sample
    from nanokinetics.cli.display import reporter

    selection = sample(
        "ssv2",
        src=args.videos_src or answers.parent,
        annotations=[answers, labels],
        splits=_split(answers),
        n=args.n,
        seed=args.seed,
        skip_bad_rows=True,
        reporter=reporter(quiet=args.quiet),
    )
    numbers = json.loads(labels.read_bytes())
    by_class: dict[str, list[str]] = {}
    lines: list[tuple[Path | str, str]] = []
    short: list[str] = []
    for group in selection.groups():
        clips = selection.candidates(group)
        by_class[group.label] = clips["key"].tolist()
        paths: list[Path | str] = [f"{key}.webm" for key in by_class[group.label]]
        if args.videos_src:
            # A video in an archive has an offset, but no path that a loader could open.
            whole = clips.loc[(clips["path"] != "") & (clips["offset"] < 0), "path"]
            paths = [args.videos_src.absolute() / path for path in whole]
        lines += [(path, numbers[group.label]) for path in paths[: args.n]]
        if len(paths) < args.n:
            short.append(f"  short: {group.label} has {len(paths)} of {args.n}")
    if not lines:
        raise InputError(f"--videos_src {args.videos_src}: holds none of the videos as a file")
    paper.write(args.dest / BY_CLASS, json.dumps(by_class, indent=4))
    text = paper.text_of(lines)
    paper.write(args.dest / LIST, text)
    if not args.quiet:
        sys.stdout.write(text)
        print("\n".join(map(plain, short[:10])), end="\n" if short else "", file=sys.stderr)
    return ExitCode.SHORT if short else ExitCode.OK


def _split(answers: Path) -> str:
    """The split of an annotation file. The library refuses files with other names."""
    if answers.suffix != ".json":
        return "test"
    return "train" if "train" in answers.stem else "val"


if __name__ == "__main__":
    paper.run(main)

"""Copy n images of each ImageNet class, with the name and arguments of nano-datasets.

    python scripts/gen_nano_imagenet.py --src imagenet-mini/train --dest . --n 2

The images go to DEST/imagenetmini and their lists to DEST: see docs/paper.md.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import paper

from nanokinetics.cli.saying import say
from nanokinetics.dataset.built import Dataset
from nanokinetics.errors import InputError
from nanokinetics.layout import SPLITS

DATASET: Final = "imagenetmini"
LIST: Final = "imagenetmini-classes.txt"
PATHS: Final = "image_paths.csv"
CLASSES: Final = "class_mapping.csv"


def main() -> int:
    parser = paper.Parser("Copy n images of each class, and list them.")
    add = parser.add_argument
    add("--src", required=True, help="the images: a folder of class folders, or the archives")
    add("--dest", default=".", help="where the dataset and its lists go (default: %(default)s)")
    add("--n", "--images", type=int, metavar="N", help="images of each class (default: all)")
    add("--class_fp", metavar="FILE", help="a file of lines `wnid<tab>index`, for the list")
    add("--classes", type=int, metavar="K", help="draw K classes (default: all)")
    add("--randomly", choices=("S", "N"), help="taken, but classes are drawn by the seed anyway")
    args = parser.parse_args()
    numbers = read_numbers(Path(args.class_fp)) if args.class_fp else None
    dest = Path(args.dest)
    if args.n is None and not args.quiet:
        say("all images of each class are taken; --images N takes fewer")

    def write(made: Dataset) -> None:
        write_lists(made, dest, numbers, args.class_fp)

    return paper.build(
        "imagenet",
        dest / DATASET,
        write,
        src=args.src,
        n=largest_class(args.src, args.classes, args.seed) if args.n is None else args.n,
        takes_all=args.n is None,
        num_classes=args.classes,
        seed=args.seed,
        quiet=args.quiet,
    )


def largest_class(src: str, classes: int | None, seed: str) -> int:
    """The number of images in the largest class: so many of each class are all.

    Raises InputError.
    """
    from nanokinetics import sample  # worker processes import this script, but need no pandas

    offered = sample("imagenet", src=src, n=1, num_classes=classes, seed=seed).frame
    return int(offered["rank"].max())


def read_numbers(path: Path) -> dict[str, str]:
    """The number of each class: the rest of its line, after a tab or a space.

    Raises InputError for a bad line, with its number, and if the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is no UTF-8 text"
        raise InputError(f"--class_fp {path}: {why}") from None
    numbers: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        match = re.fullmatch(r"(\S+)\s+(\S.*)", line.strip())
        if match is None:
            raise InputError(f"--class_fp {path}, line {number}: no 'n01440764<tab>0'")
        if numbers.setdefault(match[1], match[2]) != match[2]:
            raise InputError(f"--class_fp {path}, line {number}: {match[1]} stands there twice")
    return numbers


def write_lists(made: Dataset, dest: Path, numbers: dict[str, str] | None, source: str) -> None:
    """Write the three lists of the images. Raises InputError if a class has no number."""
    classes = made.label_ids
    missing = [label for label in classes if numbers is not None and label not in numbers]
    if missing:
        more = f" (and {len(missing) - 1} more classes)" if len(missing) > 1 else ""
        raise InputError(f"--class_fp {source}: has no line for {missing[0]}{more}; no list made")
    label_of = {id_: label for label, id_ in classes.items()}
    images = [(path, label_of[id_]) for split in SPLITS for path, id_ in paper.listed(made, split)]
    named = [(path, label if numbers is None else numbers[label]) for path, label in images]
    ids = [(id_ if numbers is None else numbers[label], label) for label, id_ in classes.items()]
    paper.write(dest / LIST, paper.text_of(named))
    paper.write(dest / PATHS, paper.text_of([("Image Path", "Class"), *images], ","))
    paper.write(dest / CLASSES, paper.text_of([("Class ID", "Class Name"), *ids], ","))


if __name__ == "__main__":
    paper.run(main)

"""Make n clips of each Kinetics class, with the name and arguments of nano-datasets.

    python scripts/create_nano.py --save_dir nano-k400 --dataset k400 --video_type train \\
        --num_classes 5 --videos_per_class 10
    python scripts/create_nano.py --save_dir nano-k400 --src videos --annotations train.csv \\
        --videos_per_class 10

The second command takes the clips from a folder of videos. docs/paper.md lists the files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import paper

from nanokinetics.dataset.built import Dataset
from nanokinetics.errors import InputError
from nanokinetics.layout import SPLITS

OFFICIAL: Final = {
    "k400": "https://s3.amazonaws.com/kinetics/400/annotations/{}.csv",
    "k600": "https://s3.amazonaws.com/kinetics/600/annotations/{}.txt",
    "k700": "https://s3.amazonaws.com/kinetics/700_2020/annotations/{}.csv",
}
"""The URL of a dataset's annotations, with the split to insert."""

ALL: Final = 1000
"""The default number of videos of each class: more than any class of Kinetics-400 has."""


def main() -> int:
    parser = paper.Parser("Make a small Kinetics: n clips of each class, and a list of them.")
    add = parser.add_argument
    # The second names are those that the library's messages use.
    add(
        "--save_dir",
        "--dest",
        default="downloads",
        metavar="DIR",
        help="where the dataset goes (default: %(default)s)",
    )
    add("--dataset", choices=tuple(OFFICIAL), help="the dataset that the videos are of")
    add("--video_type", choices=("train", "val"), help="the split (default: all of --annotations)")
    add("--num_classes", "--num-classes", type=int, metavar="K", help="draw K classes; else all")
    add(
        "--videos_per_class",
        "--n",
        type=int,
        default=ALL,
        metavar="N",
        help="clips of each class (default: %(default)s)",
    )
    add("--cookies", metavar="FILE", help="a Netscape cookie file for YouTube")
    add(
        "--annotations",
        "--csv",
        metavar="FILE",
        nargs="+",
        help="the annotations (default: k400/train.csv, here or beside this script)",
    )
    add("--src", metavar="DIR", help="a folder, or archives, of videos: nothing is downloaded")
    add("--workers", type=int, metavar="W", help="processes at work at once")
    add("--proxy", metavar="URL", help="a proxy, for yt-dlp and ffmpeg alike")
    add(
        "--yt_dlp_args",
        "--yt-dlp-args",
        metavar="ARGS",
        default="",
        help='options of yt-dlp, as one text: --yt_dlp_args="--force-ipv4"',
    )
    add("--ffmpeg", metavar="FILE", help="the ffmpeg to use")
    options: dict[str, Any] = vars(parser.parse_args())
    dataset, split, src = (options.pop(name) for name in ("dataset", "video_type", "src"))

    def write(made: Dataset) -> None:
        write_lists(made, dataset)

    return paper.build(
        "kinetics",
        Path(options.pop("save_dir")),
        write,
        annotations=options.pop("annotations") or [find_annotations(dataset, split)],
        splits=split,
        n=options.pop("videos_per_class"),
        source="local" if src else None,
        src=src,
        # The annotations of nano-datasets have their header somewhere in the middle.
        skip_bad_rows=True,
        **options,
    )


def find_annotations(dataset: str | None, split: str | None) -> Path:
    """Find `k400/train.csv`, as in nano-datasets, in the working folder or beside this script.

    Raises InputError if it is missing.
    """
    if dataset is None or split is None:
        raise InputError("name --dataset and --video_type, or the --annotations")
    for folder in (Path(), Path(__file__).parent):
        path = folder / dataset / f"{split}.csv"
        if path.is_file():
            return path
    raise InputError(
        f"there is no {dataset}/{split}.csv, neither in the working folder nor beside this script; "
        f"name the file with --annotations ({OFFICIAL[dataset].format(split)})"
    )


def write_lists(made: Dataset, dataset: str | None) -> None:
    """Write `nano-<split>.csv` for each split, and the list of the class numbers."""
    for split in SPLITS:
        if clips := paper.listed(made, split):
            paper.write(made.root / f"nano-{split}.csv", paper.text_of(clips))
    classes = "".join(f"#{id_} {label}\n" for label, id_ in made.label_ids.items())
    paper.write(made.root / f"map-{dataset or 'kinetics'}-class.csv", classes)


if __name__ == "__main__":
    paper.run(main)

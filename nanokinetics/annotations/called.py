"""Other names of datasets, as people type them, and what to write instead."""

from __future__ import annotations

import re
from typing import Final

from nanokinetics.common.near import bare

CALLED: Final = {
    **{name: f"kinetics --source {name}" for name in ("youtube", "local")},
    "minikinetics": "kinetics --preset mini-kinetics-200",
    "minikinetics200": "kinetics --preset mini-kinetics-200",
    "kinetics100": "kinetics --preset kinetics-100",
    **dict.fromkeys(
        ("imagenet1k", "imagenet2012", "ilsvrc", "ilsvrc2012", "ilsvrc1k", "in1k"), "imagenet"
    ),
    "imagenet100": "imagenet --preset imagenet-100",
    "imagenette": "imagenet --preset imagenette",
    **dict.fromkeys(
        (
            *("somethingsomething", "somethingsomethingv2", "something", "somethingv2"),
            *("sthv2", "sthsthv2", "smthsmth", "smthsmthv2", "sth", "sthsth", "ssv"),
            *("20bn", "20bnsomethingsomething", "20bnsomethingsomethingv2"),
        ),
        "ssv2",
    ),
    **dict.fromkeys(
        ("ucf101", "ucf", "ucf11", "ucf50", "hmdb51", "hmdb", "videofolder", "imagefolder"),
        "folder",
    ),
}
"""A name without case, blanks, underscores and hyphens, and what to write instead of it."""

_KINETICS: Final = re.compile(r"(?:k|kinetics)(400|600|700)(2020)?")


def called(name: str) -> dict[str, str]:
    """CALLED, or the version of Kinetics alone if `name` means one."""
    version_name, at, source = bare(name).partition("@")
    version = _KINETICS.fullmatch(version_name)
    if version is None:
        return CALLED
    year = "-2020" if version[1] == "700" else ""  # those of 2019 are out of use
    return {bare(name): f"kinetics --annotations k{version[1]}{year}{at}{source}"}

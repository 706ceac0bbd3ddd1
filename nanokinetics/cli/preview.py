"""What `build --dry-run` and `sample` tell of a build beforehand: as lines, and as an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nanokinetics.cli.options import Parser, as_json
from nanokinetics.common.text import duration, size

if TYPE_CHECKING:
    from nanokinetics.estimate import Estimate
    from nanokinetics.outlook import FolderPreview, Preview

SHOWN: Final = 10
"""Short classes that are named, at most. --json and a build's `classes.csv` have all of them."""

NAMED: Final = 20
"""Chosen classes that are named, at most; --json has all of them."""


def add_estimate(parser: Parser) -> None:
    """The options that only an estimate has."""
    add = parser.add_argument_group("what to reckon with").add_argument
    add(
        "--stats",
        metavar="DEST",
        help="the folder of an earlier build, or its stats.csv with failed.csv beside it (default: "
        "measurements at 360p)",
    )
    add(
        "--assume-gone",
        metavar="SHARE",
        help="the share of videos that are gone: 0.2 or 20%% (default: as in --stats, or what is "
        "known of the dataset at its age)",
    )


def lines(found: Preview) -> list[str]:
    """What a build would do, for people."""
    coming, folder = found.estimate, found.folder
    lines = [
        f"{coming.classes} classes, {coming.clips} clips, {coming.reserves} reserves",
        f"classes: {_classes(found)}",
    ]
    if folder is not None:
        lines += _folder(folder)
    if folder is None or folder.to_make:
        lines += _cost(coming, folder)
    return [*lines, *_short(coming)]


def _classes(found: Preview) -> str:
    labels = sorted({group.label for group in found.selection.quotas})
    more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return f"{', '.join(labels[:NAMED])}{more}"


def _folder(folder: FolderPreview) -> list[str]:
    there = f"{folder.made} of {folder.wanted} clips are there"
    if folder.state == "new":
        what = f"{folder.dest} is new: {folder.to_make} clips to be made"
    elif folder.state == "continues":
        what = f"{folder.dest} goes on: {there}, {folder.to_make} to be made"
    elif folder.made == folder.wanted:
        what = f"{folder.dest} is finished: {there}"
    else:
        what = f"{folder.dest} is finished but short: {there}, and no other can be asked for"
    busy = "another run is at work there now; until it ends, a build would be refused"
    return [what, *([busy] if folder.busy else [])]


def _cost(coming: Estimate, folder: FolderPreview | None) -> list[str]:
    """The estimated cost of what is left to build, and what it rests on."""
    disk, free = "unknown" if coming.disk_bytes is None else size(coming.disk_bytes), ""
    if folder is not None:
        more = " more" if folder.state == "continues" and coming.disk_bytes is not None else ""
        free = f"{more} ({size(folder.free_bytes)} are free)"
    if coming.seconds is None:
        lines = [f"on disk: {disk}{free}"]
    else:
        lines = [
            f"to fetch: {size(coming.fetched_bytes or 0)}, on disk: {disk}{free}, "
            f"time: about {duration(max(1.0, coming.seconds))} for {coming.videos} videos"
        ]
    if folder is not None and (coming.disk_bytes or 0) > folder.free_bytes:
        lines.append("warning: that is more than is free on the disk")
    return [*lines, "if", *(f"  {line}" for line in coming.assumptions)]


def _short(coming: Estimate) -> list[str]:
    lines = [
        f"short: {group.label} ({group.split}) has {has} of {wanted} candidates"
        for group, (has, wanted) in list(coming.short.items())[:SHOWN]
    ]
    if len(coming.short) > SHOWN:
        lines.append(f"short: {len(coming.short) - SHOWN} more classes")
    if coming.at_risk:
        lines.append(f"short by then, with so many gone: {coming.at_risk} more classes")
    return lines


def to_json(found: Preview, **more: Any) -> str:
    """The same as one object on one line."""
    chosen = [
        {**group._asdict(), "wanted": wanted, "candidates": len(found.selection.rows(group))}
        for group, wanted in found.selection.quotas.items()
    ]
    folder = found.folder and {**vars(found.folder), "state": str(found.folder.state)}
    return as_json(found.estimate, {"chosen": chosen, "folder": folder}, **more)

"""Refuses options that would have no effect on a build, so that nobody believes they had one.

A choice alone (`sample`) takes them, so that it takes every option of the build that it precedes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from nanokinetics.annotations import dialect
from nanokinetics.config import COPY, NO_GOP, TRANSCODE, VIDEO, MakingConfig
from nanokinetics.errors import InputError
from nanokinetics.sources import source_type


def refuse_unused(
    config: MakingConfig, place: str | None, record: Mapping[str, Any] | None
) -> None:
    """Raises InputError for the first option without effect.

    config: the settled options, as they were asked for. place: how files get into the folder, also
    if another subset says so. record: `run.json` of the folder, if there is one. What is recorded
    there may be asked for again: the same command goes on, although it would not begin today.
    """
    defaults = {field.name: field.default for field in fields(config)}
    for name, why in _unused(config, place):
        value = getattr(config, name)
        if value in (None, (), defaults[name], _NEUTRAL.get(name)):
            continue
        if record is not None and name in record and record[name] == value:
            continue
        raise InputError(f"{_option(name, value)} has no effect here: {why}")


_ROUTE = ("proxy", "yt_dlp_args")
"""The fields that say how to fetch."""

_NEUTRAL = {"place": COPY, "gop": NO_GOP}
"""Values that say what is done anyway."""


def _unused(config: MakingConfig, place: str | None) -> Iterator[tuple[str, str]]:
    """The fields without effect, and why that is so."""
    own, source = dialect(config.dataset), source_type(str(config.source))
    # Annotations that are named may have to be fetched, whatever the source of the clips.
    are_named = not all(Path(each).is_file() for each in config.annotations)
    for name, why in source.unused.items():
        if not (are_named and name in _ROUTE):
            yield name, f"{why}; leave it out"
    if not own.takes_files:
        yield "annotations", f"the files of {own.name} say what there is; leave it out"
    if not own.takes_names or (own.takes_lists and config.listing is None):
        numbers = " without --list" if own.takes_lists else ""
        yield "class_names", f"{own.name}{numbers} has no numbers of classes; leave it out"
    if not (source.from_src and own.from_files):
        return  # windows are cut, and so encoded
    if own.images and place == TRANSCODE:
        yield "place", f"images of {own.name} are never encoded; leave it out"
    if own.images or place != TRANSCODE:
        remedy = "leave it out" if own.images else "add --transcode, or leave it out"
        for name in VIDEO:
            if name != "x264_preset":  # of an encoder that has nothing to do any speed is true
                yield name, f"files are taken as they are; {remedy}"


def _option(name: str, value: object) -> str:
    """The option as it is typed."""
    if name == "audio":
        return "--no-audio"
    if name == "place":
        return "--transcode" if value == TRANSCODE else f"--place {value}"
    return f"--{name.replace('_', '-')}"

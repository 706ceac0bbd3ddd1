"""The typed keywords of the library functions `sample`, `build` and `export`.

Each keyword is a field of `SampleConfig`, `BuildConfig` or `export.options.Options`, which document
it, and an option of the command line. A test checks that the three agree.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

AnyPath = str | os.PathLike[str]
Texts = str | Sequence[str]
Paths = AnyPath | Sequence[AnyPath]


class SampleOptions(TypedDict, total=False):
    """The choice of clips. `split` and `splits` are the same."""

    n: int | Mapping[str, int] | None
    annotations: Paths
    source: str | None
    src: AnyPath | None
    class_names: AnyPath | None
    listing: Paths | None
    split: Texts | None
    splits: Texts | None
    classes: Texts | None
    num_classes: int | None
    preset: str | None
    seed: str | int | None
    from_: AnyPath | None
    allow_replacements: bool
    skip_bad_rows: bool
    skip_missing_classes: bool


class BuildOptions(SampleOptions, total=False):
    """The choice of clips, and how to make them. Durations are seconds, or texts such as `6h`."""

    dest: AnyPath
    place: str | None
    workers: int | None
    resolution: int | None
    audio: bool | None
    fps: float | None
    crf: int | None
    x264_preset: str | None
    gop: float | str | None
    max_per_hour: int | None
    max_wait: float | str
    wait_forever: bool
    block_wait: float | str
    retry_failed: bool | Literal["all"]
    canary: str | None
    replace_transient: bool
    cookies: AnyPath | None
    proxy: str | None
    yt_dlp_args: str
    ffmpeg: str | None
    failed_logs: AnyPath | None
    state: AnyPath | None


class ExportOptions(TypedDict, total=False):
    """How an export is written; each format takes some of these."""

    label_ids: str
    prefix: str | None
    files: str
    metadata: str
    shard_samples: int
    shard_bytes: int

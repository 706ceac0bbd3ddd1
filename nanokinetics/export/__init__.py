"""Write a dataset in the formats of training loaders. An export can be made again at any time.

To add a format, add a module here and a line in FORMATS.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Unpack

from nanokinetics.common.folder import Folder, beside
from nanokinetics.common.near import hint
from nanokinetics.dataset.built import AGAIN, Dataset
from nanokinetics.errors import EnvironmentFault, InputError
from nanokinetics.export import folders, huggingface, lists, mmaction2, video2dataset, webdataset
from nanokinetics.export.called import CALLED
from nanokinetics.export.options import SOURCE, Options
from nanokinetics.export.output import Output
from nanokinetics.layout import EXPORTS
from nanokinetics.options import ExportOptions

__all__ = ["FORMATS", "Exported", "Format", "export"]


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its purpose, its writer, and the fields of `Options` that it takes."""

    about: str
    write: Callable[[Dataset, Output, Options], None]
    takes: frozenset[str]


_IDS: Final = "label_ids"
_SHARDS: Final = (_IDS, "shard_samples", "shard_bytes")

FORMATS: Final = {
    "vjepa": Format(
        "lists of absolute paths: V-JEPA, V-JEPA 2, nano-jepa, VideoMAE",
        lists.vjepa,
        frozenset({_IDS, "prefix"}),
    ),
    "slowfast": Format(
        "lists of relative paths: SlowFast, PyTorchVideo",
        lists.slowfast,
        frozenset({_IDS, "prefix"}),
    ),
    "mmaction2": Format("the folder of its stock configs", mmaction2.write, frozenset({_IDS})),
    "torchvision": Format(
        "a tree a split, with the same class folders", folders.torchvision, frozenset({"files"})
    ),
    "hf": Format(
        "Hugging Face datasets", huggingface.write, frozenset({_IDS, "files", "metadata"})
    ),
    "fiftyone": Format(
        "a tree of labels a split: FiftyOne", folders.fiftyone, frozenset({"files"})
    ),
    "webdataset": Format("tar shards", webdataset.write, frozenset(_SHARDS)),
    "video2dataset": Format(
        "tar shards with tables, as video2dataset makes them",
        video2dataset.write,
        frozenset(_SHARDS),
    ),
}


@dataclass(frozen=True)
class Exported:
    """The result of an export: its folder, and the number of samples of each split.

    warnings: lines for the user about what a loader of this format skips or misreads.
    """

    folder: Path
    samples: dict[str, int]
    warnings: tuple[str, ...] = ()


def export(
    dest: str | Path,
    format: str,  # noqa: A002 - the name of the option
    *,
    output: str | Path | None = None,
    tick: Callable[[], object] = lambda: None,
    **options: Unpack[ExportOptions],
) -> Exported:
    """Write the finished clips of a dataset in a format, into `output` or beside the dataset.

    options: fields of `Options` that the format takes. tick: called after each sample. Files of an
    earlier export that this export does not write are removed. An export that fails leaves nothing
    in a new folder.

    Raises InputError for bad input, and EnvironmentFault if a package is missing or the folder
    cannot be written.
    """
    chosen = format_named(format)
    for name in options:
        if name not in chosen.takes:
            takers = ", ".join(each for each, known in FORMATS.items() if name in known.takes)
            raise InputError(
                f"--{name.replace('_', '-')} says nothing to {format}, only to {takers}"
            )
    asked = Options(**options)
    root = Path(os.path.abspath(dest))  # noqa: PTH100 - links stay: they may avoid a blank
    dataset = Dataset.open(root, source_ids=asked.label_ids == SOURCE)
    if not dataset.samples:
        raise InputError(f"{dest} holds no finished clip yet; {AGAIN}")
    folder = Path(output) if output else _beside(dataset.root, format)
    if dataset.root.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise InputError(
            f"--output {folder} lies within the dataset, where loaders that read whole folders "
            "would take its clips twice; name a folder outside"
        )
    try:
        with Output(folder, tick).opened() as out:
            chosen.write(dataset, out, asked)
    except OSError as error:
        raise EnvironmentFault(f"{error.filename or folder}: {error.strerror or error}") from None
    counts = {split: len(samples) for split, samples in dataset.splits.items()}
    return Exported(folder, counts, tuple(out.warnings))


def format_named(name: str) -> Format:
    """The format with this name. Raises InputError if there is none."""
    if name not in FORMATS:
        meant = hint(name, FORMATS, CALLED)
        raise InputError(f"'{name}' is no format; there are {', '.join(FORMATS)}{meant}")
    return FORMATS[name]


def _beside(root: Path, format: str) -> Path:  # noqa: A002
    if not root.name:
        raise InputError("this dataset has no folder beside it; name one with --output")
    exports = beside(root, EXPORTS)
    try:
        Folder(root.parent).refuse_links((exports.name, f"{exports.name}/{format}"))
    except OSError as error:  # it may have been handed over with the dataset
        why = f"{error.filename}: {error.strerror}"
        raise EnvironmentFault(f"{why}, or name another folder with --output") from None
    folder, here = exports / format, Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder

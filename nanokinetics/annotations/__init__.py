"""Annotation files, and what lies in a source, to candidates.

A new dataset is one new module here and one line in `read`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nanokinetics.annotations import folder, imagenet, kinetics, located, ssv2
from nanokinetics.annotations.candidates import Annotations
from nanokinetics.config import DATASETS
from nanokinetics.errors import InputError
from nanokinetics.sources.scan import VIDEOS, Scan

__all__ = ["Annotations", "read"]


def read(
    dataset: str,
    files: Sequence[Path] = (),
    *,
    found: Scan | None = None,
    class_names: Path | None = None,
    listing: Sequence[Path] | None = None,
    skip_bad_rows: bool = False,
) -> Annotations:
    """The candidates that annotation files, and what was found in a local source, offer.

    class_names, listing: see `SampleConfig`. Raises InputError for a file that cannot be used, and
    BadRows with every row that cannot, unless `skip_bad_rows`.
    """
    if dataset == "kinetics":
        if not files:
            raise InputError("no annotation file; name at least one with --annotations")
        annotations = kinetics.read(files, skip_bad_rows=skip_bad_rows)
        if found is None:
            return annotations
        frame = located.locate(annotations.frame, found, VIDEOS)
        return Annotations(frame, annotations.digests, annotations.bad_rows)
    if dataset not in DATASETS:
        raise InputError(f"no dataset {dataset!r}; there are {', '.join(DATASETS)}")
    if found is None:
        raise InputError(f"name the folder of the {dataset} files with --src DIR")
    if dataset == "imagenet":
        return imagenet.read(found, files, class_names, skip_bad_rows=skip_bad_rows)
    if dataset == "ssv2":
        return ssv2.read(found, files, skip_bad_rows=skip_bad_rows)
    return folder.read(found, listing, class_names, skip_bad_rows=skip_bad_rows)

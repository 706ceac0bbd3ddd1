"""What `load_dataset(folder)` of Hugging Face's `datasets` reads: files, metadata and a card."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from nanokinetics.common.extras import needed
from nanokinetics.dataset.built import Dataset
from nanokinetics.dataset.sample import Sample
from nanokinetics.dataset.tables import rendered
from nanokinetics.errors import InputError
from nanokinetics.export.card import Card, names_of
from nanokinetics.export.options import CSV, PARQUET, Options
from nanokinetics.export.output import Output
from nanokinetics.layout import CLASSES, RUN
from nanokinetics.sources.suffixes import IMAGES

COLUMNS: Final = {
    "file_name": "string",
    "label": "string",
    "label_id": "int64",
    "key": "string",
    "youtube_id": "string",
    "time_start": "float64",
    "time_end": "float64",
}
"""The types, under the names that `datasets` and Arrow share."""

VIDEOS: Final = frozenset({".avi", ".mkv", ".mov", ".mp4", ".mpeg"})
"""What `datasets` takes for a video."""


def write(dataset: Dataset, out: Output, options: Options) -> None:
    """A folder a split, and a card that says which is which and what types the columns have.

    Without the card `datasets` guesses: `val/training_dog/` would be a part of train, and the
    class `001` the number 1. Raises InputError for what cannot be read as it is written.
    """
    medium = _medium(dataset)
    _check_names(dataset)
    splits = {
        split: [_values(sample) for sample in samples]
        for split, samples in dataset.splits.items()
        if samples
    }
    rows = [row for each in splits.values() for row in each]
    if options.metadata == CSV:
        _refuse_nulls(rows)
    else:
        needed("pyarrow.parquet", "parquet")  # before any file is placed
    for sample in dataset.samples:
        out.place(sample.path, dataset.file(sample), options.files)
        out.tick()
    # Not those that hold nothing, as the times of files that were taken whole.
    columns = {c: kind for c, kind in COLUMNS.items() if any(r[c] not in ("", None) for r in rows)}
    for split, each in splits.items():
        name = f"{split}/metadata.{options.metadata}"
        if options.metadata == PARQUET:
            _parquet(out, name, columns, each)
        else:
            out.table(name, [columns, *([row[c] for c in columns] for row in each)])
    # `datasets` looks for cached rows under the folder's last name and what the card says, and
    # cached rows point into this folder.
    content = json.dumps([str(out.folder.resolve()), rows])
    digest = hashlib.sha256(content.encode()).hexdigest()
    out.text("README.md", Card(dataset, medium, columns, digest).text())


def _medium(dataset: Dataset) -> str:
    """`video` or `image`: the type of the files, and the name of their column."""
    endings = {f".{sample.extension}" for sample in dataset.samples}
    for medium, known in (("video", VIDEOS), ("image", IMAGES)):
        if endings <= known:
            return medium
    raise InputError(
        f"`datasets` takes either images or {', '.join(sorted(VIDEOS))}, and here is "
        f"{', '.join(sorted(endings))}; build with --place transcode, or use --format webdataset"
    )


def _check_names(dataset: Dataset) -> None:
    """Raises InputError where the place of a label in the card would not be its id."""
    names = names_of(dataset)
    for label, number in dataset.label_ids.items():
        if names[number : number + 1] != [label]:
            raise InputError(
                f"'{label}' is number {number} in {dataset.home.place(CLASSES)}, but not in "
                f"{RUN}; run the same build again"
            )


def _values(sample: Sample) -> dict[str, Any]:
    file_name = sample.path.removeprefix(f"{sample.split}/")
    return {"file_name": file_name, **sample.record()}


def _refuse_nulls(rows: Sequence[Mapping[str, Any]]) -> None:
    """Pandas, with which `datasets` reads csv, takes `null`, `NA` and the like for no value."""
    import pandas as pd

    texts = sorted({row[name] for row in rows for name in ("label", "key", "youtube_id")} - {""})
    table = io.StringIO(rendered([text] for text in texts))
    found = pd.read_csv(table, header=None, dtype=str, skip_blank_lines=False)[0]
    for text, read in zip(texts, found, strict=True):
        if text != read:
            raise InputError(
                f"'{text}' in a metadata.csv would be read as no value; use --metadata parquet"
            )


def _parquet(
    out: Output, name: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]
) -> None:
    pyarrow = needed("pyarrow", "parquet")
    parquet = needed("pyarrow.parquet", "parquet")
    table = pyarrow.Table.from_pylist(rows, schema=pyarrow.schema(list(columns.items())))
    with out.file(name) as file:
        parquet.write_table(table, file)

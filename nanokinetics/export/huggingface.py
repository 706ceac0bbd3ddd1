"""What `load_dataset(folder)` of Hugging Face's `datasets` reads: files, metadata and a card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from .dataset import Dataset, Sample
from .extras import needed
from .options import PARQUET, Options
from .output import Output

COLUMNS: Final = ("file_name", "label", "label_id", "key", "youtube_id", "time_start", "time_end")


def write(dataset: Dataset, out: Output, options: Options) -> None:
    """A folder a split, and a card that says which is which.

    Without the card `datasets` guesses splits from names, and `val/training_dog/` would be train.
    """
    if options.metadata == PARQUET:
        needed("pyarrow.parquet", "parquet")  # before any file is placed
    for sample in dataset.samples:
        out.place(sample.path, dataset.file(sample), options.files)
        out.tick()
    columns = _columns(dataset)
    for split, samples in dataset.splits.items():
        if samples:
            name = f"{split}/metadata.{options.metadata}"
            rows = [_values(sample) for sample in samples]
            if options.metadata == PARQUET:
                _parquet(out, name, columns, rows)
            else:
                out.table(name, [columns, *([row[c] for c in columns] for row in rows)])
    splits = [split for split, samples in dataset.splits.items() if samples]
    files = "".join(f"  - split: {split}\n    path: {split}/**\n" for split in splits)
    out.text("README.md", f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n")


def _columns(dataset: Dataset) -> list[str]:
    """Without those that hold nothing, as times of files that were taken whole: the loader would
    guess their types split by split, and refuse when the guesses differ."""
    rows = [_values(sample) for sample in dataset.samples]
    return [name for name in COLUMNS if any(row[name] not in ("", None) for row in rows)]


def _values(sample: Sample) -> dict[str, Any]:
    file_name = sample.path.removeprefix(f"{sample.split}/")
    return {"file_name": file_name, **sample.record()}


def _parquet(
    out: Output, name: str, columns: Sequence[str], rows: Sequence[dict[str, Any]]
) -> None:
    pyarrow = needed("pyarrow", "parquet")
    parquet = needed("pyarrow.parquet", "parquet")
    table = pyarrow.table({column: [row[column] for row in rows] for column in columns})
    with out.file(name) as file:
        parquet.write_table(table, file)

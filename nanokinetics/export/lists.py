"""`path label_id` lists: a line a clip, one blank between, no header, no quotes."""

from __future__ import annotations

from nanokinetics.dataset.built import Dataset
from nanokinetics.errors import InputError
from nanokinetics.export.options import Options
from nanokinetics.export.output import Output


def vjepa(dataset: Dataset, out: Output, options: Options) -> None:
    """Absolute paths: V-JEPA, V-JEPA 2, nano-jepa and VideoMAE open them as they stand."""
    prefix = str(dataset.root) if options.prefix is None else options.prefix
    if not prefix.startswith("/"):
        raise InputError(f"--prefix {prefix}: these loaders need absolute paths; begin it with /")
    if any(c.isspace() for c in prefix):
        raise InputError(
            f"the path '{prefix}' holds a blank, and these lists cannot quote; move the dataset, "
            "or link it where there is none (ln -s) and export from there"
        )
    _write(dataset, out, prefix)


def slowfast(dataset: Dataset, out: Output, options: Options) -> None:
    """Paths relative to the dataset, or below a prefix: SlowFast and PyTorchVideo join them."""
    _write(dataset, out, options.prefix or "")


def _write(dataset: Dataset, out: Output, prefix: str) -> None:
    before = f"{prefix.rstrip('/')}/" if prefix else ""
    for split, samples in dataset.splits.items():
        if samples:
            lines = [line(f"{before}{sample.path}", sample.label_id) for sample in samples]
            out.text(f"{split}.csv", "".join(lines))
        for _ in samples:
            out.tick()


def line(path: str, label_id: int) -> str:
    """Raises InputError for a path with a blank, which a build never makes."""
    if path.split() != [path]:
        raise InputError(
            f"the path '{path}' in stats.csv holds a blank, and these lists cannot quote; "
            "fix the table"
        )
    return f"{path} {label_id}\n"

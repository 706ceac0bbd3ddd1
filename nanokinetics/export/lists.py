"""Write lists of `path label_id`: a clip on each line, one space, no header, no quotes."""

from __future__ import annotations

from nanokinetics.dataset.built import Dataset
from nanokinetics.errors import InputError
from nanokinetics.export import pitfalls
from nanokinetics.export.options import Options
from nanokinetics.export.output import Output


def vjepa(dataset: Dataset, out: Output, options: Options) -> None:
    """Write absolute paths: V-JEPA, V-JEPA 2, nano-jepa and VideoMAE open them unchanged.

    Raises InputError for a prefix that is relative or has a space.
    """
    prefix = str(dataset.root) if options.prefix is None else options.prefix
    if not prefix.startswith("/"):
        raise InputError(f"--prefix {prefix}: these loaders need absolute paths; begin it with /")
    if any(c.isspace() for c in prefix):
        raise InputError(
            f"the path '{prefix}' holds a blank, and these lists cannot quote; move the dataset, "
            "or link it where there is none (ln -s) and export from there"
        )
    _write(dataset, out, prefix)
    out.warn(*pitfalls.of_vjepa(dataset))


def slowfast(dataset: Dataset, out: Output, options: Options) -> None:
    """Write relative paths, or paths with a prefix: SlowFast and PyTorchVideo add the folder."""
    _write(dataset, out, options.prefix or "")
    out.warn(*pitfalls.of_slowfast(dataset))


def _write(dataset: Dataset, out: Output, prefix: str) -> None:
    before = f"{prefix.rstrip('/')}/" if prefix else ""
    for split, samples in dataset.splits.items():
        if samples:
            lines = [line(f"{before}{sample.path}", sample.label_id) for sample in samples]
            out.text(f"{split}.csv", "".join(lines))
        for _ in samples:
            out.tick()


def line(path: str, label_id: int) -> str:
    """One line of a list. Raises InputError for a path with a space, which no build makes."""
    if path.split() != [path]:
        raise InputError(
            f"the path '{path}' in stats.csv holds a blank, and these lists cannot quote; "
            "fix the table"
        )
    return f"{path} {label_id}\n"

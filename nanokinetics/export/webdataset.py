"""WebDataset: `train-000000.tar`, … with a sample's file, `.cls`, `.json` and `.txt` side by side.

`shards.json` tells what was written. It is taken away first and comes last, so that shards without
it are those of an export that was cut off.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Final

from nanokinetics.common.extras import needed
from nanokinetics.dataset.built import Dataset
from nanokinetics.dataset.sample import Sample
from nanokinetics.export import pitfalls
from nanokinetics.export.options import Options
from nanokinetics.export.output import Output
from nanokinetics.export.shards import (
    Members,
    Shard,
    cut,
    json_of,
    mixed,
    sample_bytes,
    seed_of,
    write_shard,
)

INDEX: Final = "shards.json"


def write(dataset: Dataset, out: Output, options: Options) -> None:
    needed("webdataset", "webdataset")  # before anything is taken away, as all that can be refused
    planned = {
        split: list(_plan(dataset, options, samples))
        for split, samples in dataset.splits.items()
        if samples
    }
    out.withdraw(INDEX)
    splits = {
        split: [
            write_shard(dataset, out, f"{split}-{n:06d}.tar", part, members)
            for n, part in enumerate(parts)
        ]
        for split, parts in planned.items()
    }
    index = {
        "label_ids": options.label_ids,
        "seed": seed_of(dataset),
        "classes": dict(dataset.label_ids),
        "splits": {split: _split_entry(split, shards) for split, shards in splits.items()},
    }
    out.text(INDEX, json.dumps(index, indent=2, ensure_ascii=False) + "\n")
    counts = {split: (sum(map(len, parts)), len(parts)) for split, parts in planned.items()}
    out.warn(*pitfalls.of_shards(counts))


def _plan(
    dataset: Dataset, options: Options, samples: Sequence[Sample]
) -> Iterator[list[tuple[str, Sample]]]:
    """The samples of each shard of a split, under their keys. Raises InputError as `cut` does."""
    ordered = list(keyed(mixed(samples, seed_of(dataset))).items())
    sizes = [sample_bytes(sample, key, members(key, sample)) for key, sample in ordered]
    for part in cut(sizes, options):
        yield ordered[part.start : part.stop]


def _split_entry(split: str, shards: Sequence[Shard]) -> dict[str, object]:
    return {
        "shards": f"{split}-{{000000..{len(shards) - 1:06d}}}.tar",
        "samples": sum(shard.samples for shard in shards),
        "files": [asdict(shard) for shard in shards],
    }


def keyed(samples: Sequence[Sample]) -> dict[str, Sample]:
    """A key for each sample: its own, without dots and slashes, which would end a key.

    Keys that would be the same, as those of one window with two labels, get the beginning of the
    SHA-256 of their path.
    """
    plain = [re.sub(r"[./\s]", "_", sample.row["key"]) for sample in samples]
    times = Counter(plain)
    return {
        key if times[key] == 1 else f"{key}-{_digest(sample)}": sample
        for key, sample in zip(plain, samples, strict=True)
    }


def _digest(sample: Sample) -> str:
    return hashlib.sha256(sample.path.encode()).hexdigest()[:16]


def members(key: str, sample: Sample) -> Members:  # noqa: ARG001 - video2dataset tells the key
    return {
        "cls": str(sample.label_id).encode(),
        "json": json_of(sample.record()),
        "txt": sample.label.encode(),
    }

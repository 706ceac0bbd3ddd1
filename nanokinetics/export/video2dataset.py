"""The layout of video2dataset: of each shard a `.tar`, a `.parquet` and a `_stats.json`.

Keys have nine digits: five of the shard and four of the sample.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from nanokinetics.common.extras import needed
from nanokinetics.dataset.built import Dataset
from nanokinetics.dataset.sample import Sample
from nanokinetics.export import pitfalls
from nanokinetics.export.options import Options
from nanokinetics.export.output import Output
from nanokinetics.export.shards import (
    Members,
    cut,
    json_of,
    mixed,
    sample_bytes,
    seed_of,
    write_shard,
)

MOST: Final = 10_000
"""Samples that four digits can number."""


def write(dataset: Dataset, out: Output, options: Options) -> None:
    """A folder a split; the statistics of a shard are those of its clips in the ledger."""
    needed("pyarrow.parquet", "parquet")  # before an hour of shards, not after it
    limits = replace(options, shard_samples=min(options.shard_samples, MOST))
    planned = {
        split: list(_plan(dataset, limits, samples))  # before the first shard is written
        for split, samples in dataset.splits.items()
        if samples
    }
    for split, shards in planned.items():
        for shard, chosen in enumerate(shards):
            _write(dataset, out, f"{split}/{shard:05d}", shard, chosen)
    counts = {split: (sum(map(len, shards)), len(shards)) for split, shards in planned.items()}
    out.warn(*pitfalls.of_video2dataset(dataset), *pitfalls.of_shards(counts))


def _plan(
    dataset: Dataset, limits: Options, samples: Sequence[Sample]
) -> Iterator[Sequence[Sample]]:
    """The samples of each shard of a split. Raises InputError as `cut` does."""
    ordered = mixed(samples, seed_of(dataset))
    sizes = [sample_bytes(s, key_of(0, 0), members(key_of(0, 0), s)) for s in ordered]
    for part in cut(sizes, limits):
        yield ordered[part.start : part.stop]


def key_of(shard: int, place: int) -> str:
    return f"{shard:05d}{place:04d}"


def members(key: str, sample: Sample) -> Members:
    return {
        "cls": str(sample.label_id).encode(),
        "json": json_of(_meta(key, sample)),
        "txt": sample.label.encode(),
    }


def _write(dataset: Dataset, out: Output, name: str, shard: int, samples: Sequence[Sample]) -> None:
    keyed = [(key_of(shard, place), sample) for place, sample in enumerate(samples)]
    write_shard(dataset, out, f"{name}.tar", keyed, members)
    rows = [_meta(key, sample) for key, sample in keyed]
    table = needed("pyarrow", "parquet").Table.from_pylist(rows)
    with out.file(f"{name}.parquet") as file:
        needed("pyarrow.parquet", "parquet").write_table(table, file)
    out.text(f"{name}_stats.json", json.dumps(_stats(samples), indent=4))


def _meta(key: str, sample: Sample) -> dict[str, Any]:
    record = sample.record()
    youtube_id = record["youtube_id"]
    return {
        **record,
        "source_key": record["key"],
        "key": key,
        "caption": sample.label,
        "url": f"https://www.youtube.com/watch?v={youtube_id}" if youtube_id else "",
        "status": "success",
        "error_message": None,
    }


def _stats(samples: Sequence[Sample]) -> dict[str, Any]:
    """Times are seconds since the epoch: from the first clip of the shard to its last."""
    ends = [datetime.fromisoformat(sample.row["finished_at"]).timestamp() for sample in samples]
    spent = [float(sample.row["total_seconds"]) for sample in samples]
    start, end = min(e - s for e, s in zip(ends, spent, strict=True)), max(ends)
    return {
        "count": len(samples),
        "successes": len(samples),
        "failed_to_download": 0,
        "failed_to_subsample": 0,
        "duration": round(end - start, 3),
        "bytes_downloaded": sum(int(sample.row["downloaded_bytes"]) for sample in samples),
        "start_time": round(start, 3),
        "end_time": end,
        "status_dict": {"success": len(samples)},
    }

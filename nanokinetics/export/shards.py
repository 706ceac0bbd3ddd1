"""Which samples go into which shard, and how a shard is written.

Every shard is to hold the mix of classes of the whole split. So each class is put in the order of
SHA-256 of `{seed}:shard:{path}` and spread evenly over the split: the i-th of n samples stands at
(i + 1/2) / n. The split, in this order, is cut into as few shards as the limits allow, with numbers
of samples that are as equal as they allow.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nanokinetics.common.extras import needed
from nanokinetics.common.files import digest_of
from nanokinetics.dataset.built import Dataset
from nanokinetics.dataset.sample import Sample
from nanokinetics.errors import InputError
from nanokinetics.export.options import Options
from nanokinetics.export.output import Output

_BLOCK: Final = 512
_RECORD: Final = 10_240
"""Bytes of which a tar's headers, and a whole tar, are multiples."""

Members = Mapping[str, bytes]
"""What accompanies a sample's file in a shard: bytes by extension."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A finished shard, as `shards.json` tells of it."""

    file: str
    samples: int
    classes: int
    bytes: int
    sha256: str


def mixed(samples: Sequence[Sample], seed: str) -> list[Sample]:
    """The samples of a split in an order of which every stretch holds the mix of the whole."""
    digests = {
        sample: hashlib.sha256(f"{seed}:shard:{sample.path}".encode()).hexdigest()
        for sample in samples
    }
    totals = Counter(sample.label for sample in samples)
    seen: Counter[str] = Counter()
    places: dict[Sample, tuple[float, str]] = {}
    for sample in sorted(samples, key=digests.__getitem__):
        place = (seen[sample.label] + 0.5) / totals[sample.label]
        places[sample] = (place, digests[sample])
        seen[sample.label] += 1
    return sorted(samples, key=places.__getitem__)


def cut(sizes: Sequence[int], options: Options) -> list[range]:
    """Positions of each shard's samples; `sizes` are the bytes that each takes in a tar.

    As few shards as possible; where bytes do not stand in the way, their numbers of samples differ
    by one at most. Raises InputError when one sample is too large.
    """
    if largest := next((s for s in sizes if tar_bytes(s) > options.shard_bytes), None):
        raise InputError(
            f"a sample takes {tar_bytes(largest)} bytes, more than --shard-bytes "
            f"{options.shard_bytes}; allow more"
        )
    total, most = len(sizes), options.shard_samples
    sums = [0, *itertools.accumulate(sizes)]
    room = options.shard_bytes // _RECORD * _RECORD - 2 * _BLOCK

    def furthest(start: int) -> int:
        return min(bisect_right(sums, sums[start] + room) - 1, start + most)

    def nearest(stop: int) -> int:
        return max(bisect_left(sums, sums[stop] - room), stop - most)

    fullest = [0]
    while fullest[-1] < total:
        fullest.append(furthest(fullest[-1]))
    needed_stops = [total]  # a shard that stopped before would leave too much to those after it
    for _ in fullest[2:]:
        needed_stops.append(nearest(needed_stops[-1]))
    parts, start = [], 0
    for left, needed_stop in zip(range(len(needed_stops), 0, -1), needed_stops[::-1], strict=True):
        share = start - (start - total) // left
        stop = min(furthest(start), max(needed_stop, share))
        parts.append(range(start, stop))
        start = stop
    return parts


def tar_bytes(members: int) -> int:
    """The size of a whole tar whose members take as many bytes."""
    return -(-(members + 2 * _BLOCK) // _RECORD) * _RECORD


def member_bytes(name: str, size: int) -> int:
    """What a member takes in a tar: its header, its data, and a second header for a long name."""
    plain = name.isascii() and len(name) <= 100
    return _BLOCK * (1 + -(-size // _BLOCK)) + (0 if plain else 3 * _BLOCK)


def sample_bytes(sample: Sample, key: str, members: Members) -> int:
    """What a sample takes in a tar."""
    sizes = {sample.extension: sample.bytes} | {name: len(data) for name, data in members.items()}
    return sum(member_bytes(f"{key}.{name}", size) for name, size in sizes.items())


def write_shard(
    dataset: Dataset,
    out: Output,
    name: str,
    samples: Sequence[tuple[str, Sample]],
    members: Callable[[str, Sample], Members],
) -> Shard:
    """Write one tar of samples under their keys: the same bytes whenever it is made again.

    Raises InputError for a file that is no longer the one in the ledger.
    """
    webdataset = needed("webdataset", "webdataset")
    with out.file(name) as file:
        tar = webdataset.TarWriter(file, encoder=False, mtime=0, mode=0o644, user="", group="")
        with tar:
            for key, sample in samples:
                content = {sample.extension: _content(dataset, sample), **members(key, sample)}
                tar.write({"__key__": key, **content})
                out.tick()
        size = file.tell()
        file.seek(0)
        digest = digest_of(file)  # type: ignore[arg-type]
    return Shard(name, len(samples), len({s.label for _, s in samples}), size, digest)


def _content(dataset: Dataset, sample: Sample) -> bytes:
    data = dataset.file(sample).read_bytes()
    if hashlib.sha256(data).hexdigest() != sample.row["sha256"]:
        raise InputError(
            f"{dataset.file(sample)} is not the file that stats.csv tells of (its sha256 differs); "
            "remove it and run the same build again"
        )
    return data


def seed_of(dataset: Dataset) -> str:
    return str(dataset.record["seed"])


def json_of(value: Any) -> bytes:
    """JSON on one line, the same whenever it is made again."""
    return json.dumps(value, ensure_ascii=False).encode()

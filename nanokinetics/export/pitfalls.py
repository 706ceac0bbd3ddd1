"""What a loader skips, hangs on or misreads without a word, found in the samples of an export.

Each line says how many samples it is about, what the loader does, and the remedy. `docs/loaders.md`
names the versions, and what was run and what was only read in their code.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from nanokinetics.dataset.built import Dataset
from nanokinetics.dataset.sample import Sample
from nanokinetics.layout import SPLITS, list_of
from nanokinetics.sources.suffixes import IMAGES

IMAGE_FOLDER: Final = IMAGES - {".gif"}
"""Of the images that a build takes, those that torchvision's `ImageFolder` takes too."""

KINETICS: Final = frozenset({".avi", ".mp4"})
"""The extensions of torchvision's `Kinetics`."""

FROZEN: Final = frozenset({".mkv", ".webm"})
"""Those of which MMAction2's `PyAVInit` finds no number of frames."""

FRAMES: Final = 16
"""`frames_per_clip` in the example for torchvision's `Kinetics`."""

WORKERS: Final = 4
"""Worker processes of a usual `DataLoader`."""

TRANSCODE: Final = "build with --place transcode"


def of_vjepa(dataset: Dataset) -> Iterator[str]:
    """V-JEPA, nano-jepa and VideoMAE draw another sample for one that they cannot read."""
    yield from _images(
        dataset.samples,
        "V-JEPA, nano-jepa and VideoMAE never come back from the first one; read them with "
        "V-JEPA 2, or with ImageFolder (--format torchvision)",
    )
    yield from _shared_stems(dataset.splits)
    yield from _lists_that_lack(dataset, "VideoMAE opens all three lists of its --data_path")


def of_slowfast(dataset: Dataset) -> Iterator[str]:
    yield from _images(
        dataset.samples,
        "SlowFast's Kinetics and PyTorchVideo are for videos; use --format torchvision",
    )
    yield from _lists_that_lack(dataset, "SlowFast trains, validates and tests with one list each")


def of_mmaction2(dataset: Dataset, stock: str) -> Iterator[str]:
    """stock: the list of the split *val* that a stock configuration names, or empty."""
    yield from _images(
        dataset.samples, "MMAction2's VideoDataset is for videos; use --format torchvision"
    )
    if found := _with(dataset.samples, FROZEN):
        yield (
            f"{_share(found, dataset.samples)}: MMAction2's PyAVInit gives their first frame again "
            f"and again; use DecordInit or OpenCVInit, or {TRANSCODE}"
        )
    if stock and not dataset.splits.get("val"):
        yield (
            f"there is no {stock}, with which the stock configurations validate and test; "
            "build the split val too"
        )


def of_torchvision(dataset: Dataset) -> Iterator[str]:
    images = _with(dataset.samples, IMAGES)
    if missed := _with(images, IMAGES - IMAGE_FOLDER):
        yield (
            f"{_share(missed, dataset.samples)}: ImageFolder leaves them out; "
            "use DatasetFolder and name the extensions"
        )
    videos = [sample for sample in dataset.samples if _ending(sample) not in IMAGES]
    endings = sorted({_ending(sample) for sample in videos})
    if missed := [sample for sample in videos if _ending(sample) not in KINETICS]:
        yield (
            f"{_share(missed, dataset.samples)}: torchvision's Kinetics leaves them out; "
            f"{TRANSCODE}, or use DatasetFolder"
        )
    if missed := [sample for sample in videos if _ending(sample) != ".mp4"]:
        named = ", ".join(f'"{ending}"' for ending in endings)
        yield (
            f"{_share(missed, dataset.samples)}: DatasetFolder leaves out what it is not told of; "
            f"give it extensions=({named},)"
        )
    lengths = [int(sample.row["frames"]) for sample in videos]
    if short := [length for length in lengths if length < FRAMES]:
        yield (
            f"{len(short)} of {len(dataset.samples)} clips have fewer than {FRAMES} frames: "
            f"torchvision's Kinetics leaves out those shorter than frames_per_clip; "
            f"the shortest has {min(short)}"
        )


def of_shards(counts: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    """counts: the numbers of samples and of shards of each split."""
    few = {split: n for split, (n, shards) in counts.items() if shards < min(WORKERS, n)}
    if few:
        told = ", ".join(f"{split} is {_shards(counts[split][1])}" for split in few)
        most = max(1, min(few.values()) // WORKERS)
        yield (
            f"{told}: a DataLoader takes no more workers than there are shards; "
            f"for {WORKERS} workers say --shard-samples {most}"
        )


def of_video2dataset(dataset: Dataset) -> Iterator[str]:
    images = _with(dataset.samples, IMAGES)
    yield from _images(
        dataset.samples, "video2dataset's own loader is for videos; use --format webdataset"
    )
    kinds = sorted({sample.extension for sample in dataset.samples})
    if images or kinds == ["mp4"]:
        return
    rest = [sample for sample in dataset.samples if sample.extension != "mp4"]
    remedy = f'give it video_key="{kinds[0]}"' if len(kinds) == 1 else TRANSCODE
    yield (
        f"{_share(rest, dataset.samples)}: video2dataset's own loader drops all but one extension, "
        f"by default mp4; {remedy}"
    )


def _images(samples: Sequence[Sample], what: str) -> Iterator[str]:
    if found := _with(samples, IMAGES):
        yield f"{len(found)} of {len(samples)} files are images: {what}"


def _lists_that_lack(dataset: Dataset, why: str) -> Iterator[str]:
    lacking = [list_of(split) for split in SPLITS if not dataset.splits.get(split)]
    if lacking:
        yield (
            f"there is no {' and no '.join(lacking)}, and {why}; "
            "build these splits too, or copy a list to that name"
        )


def _shared_stems(splits: Mapping[str, Sequence[Sample]]) -> Iterator[str]:
    for split, samples in splits.items():
        stems: defaultdict[str, list[str]] = defaultdict(list)
        for sample in samples:
            stems[sample.file_name.rpartition(".")[0]].append(sample.path)
        if shared := [paths for paths in stems.values() if len(paths) > 1]:
            yield (
                f"{sum(map(len, shared))} clips of {split} have the file name of another, as "
                f"{shared[0][0]} and {shared[0][1]}: VideoMAE's test mode takes them for one clip; "
                "use its validation mode"
            )


def _with(samples: Sequence[Sample], endings: Collection[str]) -> list[Sample]:
    return [sample for sample in samples if _ending(sample) in endings]


def _ending(sample: Sample) -> str:
    return f".{sample.extension}"


def _share(some: Sequence[Sample], samples: Sequence[Sample]) -> str:
    endings = Counter(map(_ending, some))
    return f"{len(some)} of {len(samples)} files are {' or '.join(sorted(endings))}"


def _shards(count: int) -> str:
    return f"{count} shard{'' if count == 1 else 's'}"

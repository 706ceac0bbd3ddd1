"""A command that asks for a subset again, from what `run.json` records of it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from nanokinetics.annotations import DATASETS
from nanokinetics.common.secrets import mask
from nanokinetics.config import DEFAULT_SEED, VideoConfig
from nanokinetics.dataset.record import CATALOGUE, naming_of
from nanokinetics.report.provenance import ALL, DRAWN, Provenance

MANIFEST: Final = "manifest.txt"
LABELS: Final = "classes.txt"
"""Files that the command names, where options cannot say what they hold."""

_INLINE: Final = 200
"""Letters of class names within the command, at most."""


def command_of(found: Provenance, dest: Path) -> str:
    """A command line with the same effect. Secrets are masked, though none should be recorded.

    It names a file of labels or a manifest where the choice is too long for a line, or where no
    options give it.
    """
    record = found.record
    words = ["nanokinetics", "build", record["dataset"]]
    chosen = [sorted(labels) for labels in record["classes"].values()]
    if found.parent or any(labels != chosen[0] for labels in chosen):
        words += ["--from", MANIFEST]
    else:
        words += _choice(found, chosen[0])
    known = DATASETS.get(record["dataset"])
    if known is None or known.source != record["source"]:
        words += ["--source", record["source"]]
    if record.get("src"):
        words += ["--src", str(record["src"])]
    if record.get("place", "copy") != "copy":
        words += ["--place", str(record["place"])]
    words += [*_encoding(found.video), "--dest", dest.name or str(dest)]
    return mask(shlex.join(words))


def _choice(found: Provenance, labels: list[str]) -> list[str]:
    record, words = found.record, []
    known = DATASETS.get(record["dataset"])
    if record["annotations"] and known and not known.from_files:
        called = naming_of(record, CATALOGUE)
        names = (called.get(name, name) for name in record["annotations"])
        words += ["--annotations", *dict.fromkeys(names)]
    n = record["n"]
    if len({*n.values()}) == 1:
        words += ["--split", *n, "--n", str(next(iter(n.values())))]
    else:
        words += ["--n", ",".join(f"{split}={count}" for split, count in n.items())]
    if found.chosen == DRAWN:
        words += ["--num-classes", str(len(labels))]
    elif found.chosen != ALL:
        line = ",".join(labels)
        plain = len(line) <= _INLINE and not any("," in label for label in labels)
        words += ["--classes", line if plain and not line.startswith("@") else f"@{LABELS}"]
    return words + (["--seed", record["seed"]] if record["seed"] != DEFAULT_SEED else [])


def _encoding(video: VideoConfig | None) -> list[str]:
    """The options of the encoding that are not the defaults."""
    if video is None:
        return []
    usual, words = VideoConfig(), []
    for name in ("resolution", "fps", "crf", "x264_preset", "gop"):
        value = getattr(video, name)
        if value != getattr(usual, name):
            words += [f"--{name.replace('_', '-')}", f"{value}"]
    return words + ([] if video.audio else ["--no-audio"])

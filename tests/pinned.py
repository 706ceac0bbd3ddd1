"""What is pinned: gathered through the command line and from files, as plain values.

`pins/*.json` hold these values as they were when they were taken, and the tests compare. Someone
who means to change one of them edits the file, or takes it again: `python tests/pinned.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import gzip
import hashlib
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import made_before
import trees
from helpers import WHEEL, Row, commands, youtube_id

from nanokinetics.cli import main, parser

PINS = Path(__file__).parent / "pins"


def taken(name: str) -> Any:
    """What a file of pins holds."""
    return json.loads((PINS / f"{name}.json").read_text(encoding="utf-8"))


def said(*arguments: str | Path) -> tuple[int, str]:
    """Run a command in this process: its exit code, and what it printed on standard output."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = main([str(each) for each in arguments])
    return code, out.getvalue()


# -- options


def argv() -> dict[str, list[dict[str, Any]]]:
    """Of each command every argument: its names, and how it takes its values. The command line
    before any command stands first."""
    parsers = {"": parser(), **commands()}
    return {
        name: [_argument(a) for a in each._actions if not isinstance(a, argparse._SubParsersAction)]
        for name, each in parsers.items()
    }


def _argument(action: argparse.Action) -> dict[str, Any]:
    default = action.default
    told = {
        "names": list(action.option_strings) or [action.dest.upper()],
        "dest": action.dest,
        "takes": _TAKES.get(type(action).__name__, "nothing"),
        "nargs": action.nargs,
        "choices": list(action.choices) if action.choices else None,
        "default": list(default) if isinstance(default, tuple) else default,
        "const": action.const,
        "metavar": action.metavar,
        "required": action.required or None,
    }
    return {key: value for key, value in told.items() if value is not None}


_TAKES = {"_StoreAction": "a value", "_StoreConstAction": "a constant"}


# -- selections

LABELS = (
    "abseiling",
    "hurling (sport)",
    "massaging person's head",
    "shaking hands",
    "training dog",
    "yoga, slowly",
)
PRESETS = ("imagenet-100", "imagenette", "kinetics-100", "mini-kinetics-200", "nano", "tiny")


def kinetics_rows() -> list[Row]:
    """Seven windows of each class for train, four for val and three for test."""
    counts = {"train": 7, "val": 4, "test": 3}
    rows: list[Row] = []
    for split, count in counts.items():
        for label in LABELS:
            for _ in range(count):
                number = len(rows)
                name = youtube_id(number, "-_"[number % 2] if number % 5 == 0 else "p")
                rows.append(Row(label, name, number * 7 % 100, number * 7 % 100 + 10, split))
    # One video with two windows, one window twice, and a window of the same second in two classes.
    twice = rows[0]
    rows.append(Row(twice.label, twice.youtube_id, twice.start + 20, twice.end + 20, "train"))
    rows.append(twice)
    rows.append(Row(LABELS[1], twice.youtube_id, twice.start, twice.end, "train"))
    return rows


def written(
    rows: Sequence[Row], *, header: bool = True, is_cc: bool = False, sep: str = ","
) -> bytes:
    out = io.StringIO()
    table = csv.writer(out, delimiter=sep, lineterminator="\n")
    more = ["is_cc"] if is_cc else []
    if header:
        table.writerow(["label", "youtube_id", "time_start", "time_end", "split", *more])
    for row in rows:
        values = [row.label, row.youtube_id, row.start, row.end, row.split]
        table.writerow([*values, *("0" for _ in more)])
    return out.getvalue().encode()


def as_json(rows: Sequence[Row]) -> bytes:
    """Kinetics' JSON, which has one window of each video."""
    entries = {
        row.youtube_id: {
            "annotations": {"label": row.label, "segment": [float(row.start), float(row.end)]},
            "duration": float(row.end - row.start),
            "subset": {"val": "validate"}.get(row.split, row.split),
            "url": f"https://www.youtube.com/watch?v={row.youtube_id}",
        }
        for row in rows
    }
    return json.dumps(entries).encode()


ROWS = kinetics_rows()
SINGLE = ROWS[:-3]
"""Those that the JSON dialect can hold too."""

FILES: Mapping[str, bytes] = {
    "all.csv": written(ROWS),
    "backwards.csv": written(ROWS[::-1]),
    "bare.csv": written(ROWS, header=False),
    "is_cc.csv": written(ROWS, is_cc=True),
    "all.tsv": written(ROWS, sep="\t"),
    "all.csv.gz": gzip.compress(written(ROWS), mtime=0),
    "train.csv": written([row for row in ROWS if row.split == "train"]),
    "validate.csv": written([row for row in ROWS if row.split == "val"]),
    "single.csv": written(SINGLE),
    "single.json": as_json(SINGLE),
    "many.csv": written(
        [
            Row(f"class {i:02d}", youtube_id(2000 + 20 * i + j, "r"), j, j + 10)
            for i in range(23)
            for j in range(12)
        ]
    ),
    "classes.txt": f"{LABELS[4]}\n{LABELS[1]}\n".encode(),
}

IMAGES = trees.imagenet_train()
VALIDATION = trees.imagenet_val()
VIDEOS = {
    f"{i}.webm": f"video {i}".encode()
    for split in ("train", "validation", "test")
    for i, _ in trees.ssv2_ids(split, 3)
}
FRAMES = {f"{c}/{i}.{kind}": b"x" for c in ("a b", "c'") for i in range(5) for kind in ("jpg",)}

TREES: Mapping[str, Callable[[], trees.Tree]] = {
    "imagenet": lambda: (
        trees.prefixed("train/", IMAGES) | trees.prefixed("val/", trees.by_class(VALIDATION))
    ),
    "archives": lambda: {
        "ILSVRC2012_img_train.tar": trees.nested(IMAGES),
        "ILSVRC2012_img_val.tar": trees.packed(VALIDATION),
        **trees.truth(),
    },
    "ssv2-2018": lambda: trees.ssv2_annotations(1, 3) | trees.prefixed("videos/", VIDEOS),
    "ssv2": lambda: trees.ssv2_annotations(2, 3) | {"v2.tar": trees.packed(VIDEOS)},
    "plain": lambda: FRAMES,
    "splits": lambda: trees.prefixed("train/", FRAMES) | trees.prefixed("validation/", FRAMES),
    "ucf": lambda: (
        {
            f"videos/v_{c}_g{g:02d}_c{i:02d}.avi": b"x"
            for c in ("Yo", "Zu")
            for g in (1, 2)
            for i in (1, 2)
        }
        | {
            "trainlist01.txt": "".join(
                f"v_{c}_g01_c{i:02d}.avi {n}\n"
                for n, c in enumerate(("Yo", "Zu"), 1)
                for i in (1, 2)
            ).encode(),
            "classInd.txt": b"1 Yo\n2 Zu\n",
        }
    ),
}

CHOICES: Mapping[str, str] = {
    "kinetics": "kinetics --annotations all.csv --n 3",
    "kinetics, rows backwards": "kinetics --annotations backwards.csv --n 3",
    "kinetics, no header": "kinetics --annotations bare.csv --n 3",
    "kinetics, is_cc": "kinetics --annotations is_cc.csv --n 3",
    "kinetics, tabs": "kinetics --annotations all.tsv --n 3",
    "kinetics, gzip": "kinetics --annotations all.csv.gz --n 3",
    "kinetics, a window a video": "kinetics --annotations single.csv --n 2 --seed json",
    "kinetics, JSON": "kinetics --annotations single.json --n 2 --seed json",
    "kinetics, two files": "kinetics --annotations train.csv validate.csv --n train=2,val=1",
    "kinetics, a split": "kinetics --annotations all.csv --n 3 --split val",
    "kinetics, seed 1": "kinetics --annotations all.csv --n 3 --seed 1",
    "kinetics, a seed of words": "kinetics --annotations all.csv --n 1 --seed Zürich:été",
    "kinetics, classes drawn": "kinetics --annotations all.csv --n 3 --num-classes 2",
    "kinetics, drawn by seed 5": "kinetics --annotations all.csv --n 3 --num-classes 4 --seed 5",
    "kinetics, classes named": "kinetics --annotations all.csv --n 3 "
    "--classes abseiling,training\x00dog",
    "kinetics, classes of a file": "kinetics --annotations all.csv --n 3 --classes @classes.txt",
    "kinetics, more than there are": "kinetics --annotations all.csv --n 100",
    "preset nano": "kinetics --annotations many.csv --preset nano",
    "preset tiny, n of one's own": "kinetics --annotations many.csv --preset tiny --n 2 --seed 9",
    "preset kinetics-100": "kinetics --annotations known.csv --preset kinetics-100 --n 1",
    "preset kinetics-100, a part": "kinetics --annotations known.csv --n 1 "
    "--preset kinetics-100:test",
    "imagenet, the archives": "imagenet --src archives --n train=2,val=1",
    "imagenet": "imagenet --src imagenet --n train=2,val=1",
    "imagenet, seed s": "imagenet --src imagenet --n 1 --seed s --num-classes 2",
    "ssv2, the files of 2018": "ssv2 --src ssv2-2018 --n 2 --split train val",
    "ssv2": "ssv2 --src ssv2 --n 2 --split train val",
    "ssv2, test": "ssv2 --src ssv2 --n 1 --split test",
    "folder": "folder --src plain --n 2",
    "folder, splits": "folder --src splits --n train=2,val=1 --seed 3",
    "folder, lists": "folder --src ucf --list ucf/trainlist01.txt --n 1",
}
"""Commands of `sample`; a NUL stands for a blank within a word."""


def lay_choices(folder: Path) -> None:
    """All that CHOICES read, below one folder."""
    trees.lay(folder, FILES)
    known = [*said("presets", "kinetics-100")[1].splitlines(), "no class of a preset"]
    rows = [
        Row(c, youtube_id(3000 + 9 * i + j, "s"), j, j + 10)
        for i, c in enumerate(known)
        for j in range(3)
    ]
    trees.lay(folder, {"known.csv": written(rows)})
    for name, tree in TREES.items():
        trees.lay(folder / name, tree())


def choose(name: str) -> bytes:
    """The selection that a choice prints, in the folder that holds its files.

    It is the table of `sample` without its marks, the last two columns.
    """
    words = [word.replace("\x00", " ") for word in CHOICES[name].split(" ")]
    code, out = said("sample", *words, "--quiet", "--output", "-")
    assert code == 0, name
    return "".join(f"{line.rsplit(',', 2)[0]}\n" for line in out.splitlines()).encode()


def selections(folder: Path) -> dict[str, dict[str, Any]]:
    lay_choices(folder)
    with contextlib.chdir(folder):
        return {name: digest(choose(name)) for name in CHOICES}


def digest(table: bytes) -> dict[str, Any]:
    return {"rows": table.count(b"\n") - 1, "sha256": hashlib.sha256(table).hexdigest()}


def presets() -> dict[str, str]:
    """A digest of each preset's classes, as they are printed."""
    return {name: _sha256(said("presets", name)[1].encode()) for name in PRESETS}


# -- what follows from a dataset on disk

EXPORTS: Mapping[str, tuple[str, ...]] = {
    "kinetics-youtube": (
        *("vjepa", "slowfast", "mmaction2", "torchvision", "hf", "fiftyone", "webdataset"),
        "video2dataset",
    ),
    "kinetics-unfinished": ("vjepa", "fiftyone"),
    "from-manifest": ("vjepa", "torchvision"),
    "imagenet": ("vjepa", "slowfast", "mmaction2", "torchvision", "hf", "webdataset"),
    "ssv2": ("vjepa", "mmaction2", "torchvision", "hf"),
    "folder": ("vjepa", "fiftyone"),
}


@dataclass(frozen=True)
class Handed:
    """What a dataset of the fixtures gives to others, told in the folder that it lies in."""

    name: str

    def manifest(self) -> list[str]:
        code, text = said("manifest", self.name)
        assert code == 0
        return text.splitlines(keepends=True)

    def verdict(self) -> dict[str, Any]:
        """What `verify` finds; its words about remedies may change."""
        code, text = said("verify", self.name, "--json", "--ffmpeg", WHEEL, "--workers", "1")
        told = json.loads(text)
        found = [
            " | ".join(each[key] for key in ("kind", "path", "found")) for each in told["findings"]
        ]
        return {"exit code": code, "clips": told["clips"], "findings": found}

    def counted(self) -> dict[str, Any]:
        """What a report counts, without times, which hang on the day."""
        code, text = said("report", self.name, "--json")
        assert code == 0
        told = json.loads(text)
        return {name: told[name] for name in ("total", "splits", "classes", "failures", "volume")}

    def exported(self, form: str) -> dict[str, Any]:
        """Every file of an export, and what it holds."""
        prefix = ("--prefix", "/data/set") if form in ("vjepa", "slowfast") else ()
        output = f"{form} of {self.name}"
        code, out = said("export", self.name, "--format", form, "--output", output, *prefix)
        assert code == 0
        root = Path(output)
        return {"said": out.splitlines()} | {
            path.relative_to(root).as_posix(): _held(path, Path(self.name))
            for path in sorted(root.rglob("*"))
            if (path.is_symlink() or path.is_file()) and not path.name.startswith(".")
        }


def _held(path: Path, dataset: Path) -> Any:
    if path.is_symlink():
        return f"-> {path.resolve().relative_to(dataset.resolve())}"
    if path.suffix == ".tar":
        with tarfile.open(path) as archive:
            return [f"{m.name} {_sha256(archive.extractfile(m).read())}" for m in archive]  # type: ignore[union-attr]
    if path.name == "README.md" or path.name.endswith((".parquet", "shards.json", "_stats.json")):
        return "a file"  # with a digest of where it lies, times, or versions of packages
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


PAIRS = (
    ("kinetics-youtube", "from-manifest"),
    ("kinetics-youtube", "kinetics-unfinished"),
    ("imagenet", "ssv2"),
)


def difference(a: str, b: str) -> dict[str, Any]:
    code, text = said("diff", a, b)
    return {"exit code": code, "said": text.splitlines()}


def made(folder: Path) -> dict[str, Any]:
    for name in made_before.NAMES:
        shutil.copytree(made_before.FIXTURES / name, folder / name)
    with contextlib.chdir(folder):
        found = {
            name: {
                "manifest": Handed(name).manifest(),
                "verify": Handed(name).verdict(),
                "report": Handed(name).counted(),
                "exports": {form: Handed(name).exported(form) for form in EXPORTS[name]},
            }
            for name in made_before.NAMES
        }
        return found | {f"{a} and {b}": difference(a, b) for a, b in PAIRS}


def take() -> None:
    """Write all files of pins anew."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        gathered = {
            "argv": argv(),
            "selections": selections(folder / "choices"),
            "presets": presets(),
            "made": made(folder),
        }
    PINS.mkdir(exist_ok=True)
    for name, value in gathered.items():
        (PINS / f"{name}.json").write_text(f"{_laid_out(value)}\n", encoding="utf-8")


def _laid_out(value: Any, indent: str = "") -> str:
    """JSON in which what fits stands on one line, so that a change of one value shows as such."""
    whole = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(indent) + len(whole) <= 160:
        return whole
    deeper = f"{indent} "
    if isinstance(value, list):
        parts = [_laid_out(each, deeper) for each in value]
    else:
        keys = [json.dumps(key, ensure_ascii=False) for key in value]
        parts = [f"{k}: {_laid_out(v, deeper)}" for k, v in zip(keys, value.values(), strict=True)]
    begin, end = "[]" if isinstance(value, list) else "{}"
    inside = ",\n".join(f"{deeper}{part}" for part in parts)
    return f"{begin}\n{inside}\n{indent}{end}"


if __name__ == "__main__":
    take()

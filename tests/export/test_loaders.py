"""Training loaders read what `export` wrote: the code of docs/loaders.md, run as it stands.

Each section's command makes the export and its code leaves `samples`, which are held against
`stats.csv`. A loader that is not installed is skipped by name; `test_export.py` reads what is
written for it by the rules of its documentation.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trees
from helpers import WHEEL, read_table

from nanokinetics import build
from nanokinetics.cli import main
from nanokinetics.errors import InputError
from nanokinetics.export import FORMATS, export

PAGE = Path(__file__).parents[2] / "docs" / "loaders.md"
SECTIONS = re.findall(
    r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
REPORT = "\nimport json; print('\\n' + json.dumps([(str(a), b) for a, b in samples]))\n"


def blocks(text: str, language: str) -> str:
    return "".join(block for kind, block in FENCE.findall(text) if kind == language)


def packages(code: str) -> set[str]:
    """The packages that a piece of code imports."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def loaded(code: str, folder: Path) -> Any:
    """What a program prints as JSON on its last line, in a process of its own."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / ".hf")}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | offline,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize(("heading", "text"), SECTIONS, ids=[heading for heading, _ in SECTIONS])
def test_the_loader_agrees_with_the_ledger(heading: str, text: str, nano_k400, monkeypatch) -> None:
    code, commands = blocks(text, "python"), blocks(text, "sh")
    for name in sorted(packages(code)):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed (pip install '.[loaders]', where it can be)")
    monkeypatch.chdir(nano_k400.parent)
    for line in commands.splitlines():
        program, *arguments = shlex.split(line)
        if program == "nanokinetics":
            assert main([*arguments, "--quiet"]) == 0
    samples = loaded(code + REPORT, nano_k400.parent)
    classes = {row["label"]: row for row in read_table(nano_k400 / "classes.csv")}
    ids = "source_id" if "source" in commands else "label_id"
    rows = [row for row in read_table(nano_k400 / "stats.csv") if row["split"] == "train"]
    assert len(samples) == len(rows) > 0
    assert {((nano_k400 / path).resolve(), each) for path, each in samples} == {
        (
            nano_k400 / row["path"],
            row["label"] if heading == "FiftyOne" else int(classes[row["label"]][ids]),
        )
        for row in rows
    }


def test_the_page_opens_with_the_format_of_each_loader() -> None:
    """Every format that it names exists, and none is left out."""
    opening = PAGE.read_text("utf-8").split("\n\n", 2)[1]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in opening.splitlines()]
    assert rows[0][:2] == ["I use", "`--format`"]
    assert {row[1].strip("`") for row in rows[2:]} == set(FORMATS)


@pytest.mark.slow
def test_hugging_face_tells_the_splits_apart(nano_k400) -> None:
    """`val/training_dog` is no part of train; with parquet as with csv, types included."""
    if importlib.util.find_spec("datasets") is None:
        pytest.skip("datasets is not installed")
    export(nano_k400, "hf", metadata="parquet", output=nano_k400.parent / "parquet")
    code = """
import json
from datasets import Video, load_dataset
columns = ("youtube_id", "time_start")
splits = load_dataset("./parquet")
splits = {name: rows.cast_column("video", Video(decode=False)) for name, rows in splits.items()}
label = splits["train"].features["label"].int2str
print("\\n" + json.dumps([(name, row["video"]["path"], label(row["label"]),
                         *(row[column] for column in columns))
                        for name, rows in splits.items() for row in rows]))
"""
    found = {
        (split, Path(path).resolve(), *rest)
        for split, path, *rest in loaded(code, nano_k400.parent)
    }
    assert found == {
        (r["split"], nano_k400 / r["path"], r["label"], r["youtube_id"], float(r["time_start"]))
        for r in read_table(nano_k400 / "stats.csv")
    }


@pytest.mark.slow
@pytest.mark.parametrize("metadata", ["csv", "parquet"])
@pytest.mark.parametrize("kind", ["local", "source"])
def test_labels_of_hugging_face_are_classes_named_as_in_the_table(
    nano_k400, tmp_path, metadata, kind
) -> None:
    """A `ClassLabel` has a name for each number: of the chosen classes, or of all."""
    if importlib.util.find_spec("datasets") is None:
        pytest.skip("datasets is not installed")
    export(nano_k400, "hf", metadata=metadata, label_ids=kind, output=tmp_path / "hf")
    code = """
import json
from datasets import load_dataset, load_dataset_builder
known = load_dataset_builder("./hf").info.features
splits = load_dataset("./hf")
assert all(split.features == known for split in splits.values())
rows = [(r["key"], r["label"], r["label_id"]) for split in splits.values()
        for r in split.remove_columns("video")]
print("\\n" + json.dumps([type(known["label"]).__name__, known["label"].names, rows]))
"""
    what, names, found = loaded(code, tmp_path)
    classes = read_table(nano_k400 / "classes.csv")
    column = {"local": "label_id", "source": "source_id"}[kind]
    ids = {row["label"]: int(row[column]) for row in classes}
    assert what == "ClassLabel"
    assert {label: names.index(label) for label in ids} == ids
    assert len(names) == {"local": len(classes), "source": max(ids.values()) + 1}[kind]
    assert sorted(map(tuple, found)) == sorted(
        (row["key"], ids[row["label"]], ids[row["label"]])
        for row in read_table(nano_k400 / "stats.csv")
    )


def test_the_card_of_hugging_face_says_what_it_is(nano_k400, tmp_path) -> None:
    """Front matter that is YAML, and a licence and a citation for people."""
    yaml = pytest.importorskip("yaml")
    folder = export(nano_k400, "hf", output=tmp_path / "hf").folder
    _, front, body = (folder / "README.md").read_text("utf-8").split("---\n", 2)
    card = yaml.safe_load(front)
    assert card["pretty_name"] == nano_k400.name
    assert card["license"] == "other"
    assert card["task_categories"] == ["video-classification"]
    assert card["size_categories"] == ["n<1K"]
    counts = Counter(row["split"] for row in read_table(nano_k400 / "stats.csv"))
    splits = card["dataset_info"]["splits"]
    assert {split["name"]: split["num_examples"] for split in splits} == counts
    for said in (
        "## Licence",
        "CC BY 4.0",
        "## Citation",
        "@article{kay2017",
        "@misc{nanokinetics",
    ):
        assert said in body, said
    assert " with seed `0`." in body
    nano = shutil.copytree(nano_k400, tmp_path / "nano")
    record = json.loads((nano / "run.json").read_text())
    (nano / "run.json").write_text(json.dumps(record | {"seed": ""}))  # a table may name none
    body = (export(nano, "hf", output=tmp_path / "no-seed").folder / "README.md").read_text("utf-8")
    assert "seed" not in body


def rows(folder: Path, *exports: str) -> list[dict[str, list[dict[str, Any]]]]:
    """What `datasets` finds in exports of images, with one cache for all that `folder` holds."""
    if importlib.util.find_spec("datasets") is None:
        pytest.skip("datasets is not installed")
    code = f"""
import json
from datasets import Image, load_dataset
found = [load_dataset(name) for name in {exports}]
files = Image(decode=False)
found = [
    {{
        name: [
            {{**row, "image": row["image"]["path"], "label": names[row["label"]]}}
            for row in split.cast_column("image", files)
            for names in [split.features["label"].names]
        ]
        for name, split in each.items()
    }}
    for each in found
]
print("\\n" + json.dumps(found))
"""
    found: list[dict[str, list[dict[str, Any]]]] = loaded(code, folder)
    return found


@pytest.mark.slow
def test_hugging_face_takes_no_rows_of_another_export(tmp_path) -> None:
    """Its cache knows a folder by its last name, `hf`, and by what the card says."""
    for name, numbers in (("one", (1, 2)), ("two", (3, 4))):
        tree = {f"train/{c}/{n}.jpg": trees.picture(n) for c in "ab" for n in numbers}
        build("folder", n=1, src=trees.lay(tmp_path / f"{name}-source", tree), workers=1,
              ffmpeg=WHEEL, dest=tmp_path / name)  # fmt: skip
        export(tmp_path / name, "hf")
    export(tmp_path / "one", "hf", output=tmp_path / "again" / "hf")
    folders = ("one-exports/hf", "two-exports/hf", "again/hf")
    for folder, found in zip(folders, rows(tmp_path, *folders), strict=True):
        assert len(found["train"]) == 2
        assert all(Path(row["image"]).is_relative_to(tmp_path / folder) for row in found["train"])
    build(
        "folder", n=2, src=tmp_path / "one-source", workers=1, ffmpeg=WHEEL, dest=tmp_path / "one"
    )
    export(tmp_path / "one", "hf")
    (grown,) = rows(tmp_path, folders[0])
    assert len(grown["train"]) == 4


AWKWARD = ("001", "002", "1e5", "True", "2001-01-01", "# ü, [x] '%'")


@pytest.mark.slow
@pytest.mark.parametrize("metadata", ["csv", "parquet"])
def test_hugging_face_takes_labels_for_text(tmp_path, metadata) -> None:
    """Also where all of a split look like numbers, and those of another do not."""
    tree = {f"train/{c}/{n}.jpg": trees.picture(n) for n, c in enumerate(AWKWARD[:2])}
    tree |= {f"val/{c}/{n}.jpg": trees.picture(9 + n) for n, c in enumerate((*AWKWARD, "dog"))}
    src = trees.lay(tmp_path / "source", tree)
    build(
        "folder",
        n={"train": 1, "val": 1},
        src=src,
        workers=1,
        ffmpeg=WHEEL,
        dest=tmp_path / "nano",
    )
    export(tmp_path / "nano", "hf", metadata=metadata)
    (found,) = rows(tmp_path, "nano-exports/hf")
    listed = {(r["split"], r["label"], r["key"]) for r in read_table(tmp_path / "nano/stats.csv")}
    assert {(s, row["label"], row["key"]) for s in found for row in found[s]} == listed
    assert {label for split, label, _ in listed if split == "train"} == {"001", "002"}


@pytest.mark.slow
def test_a_label_that_a_csv_cannot_hold_takes_parquet(tmp_path) -> None:
    tree = {f"train/{c}/1.jpg": trees.picture(n) for n, c in enumerate(("dog", "null"))}
    src = trees.lay(tmp_path / "source", tree)
    build("folder", n=1, src=src, workers=1, ffmpeg=WHEEL, dest=tmp_path / "nano")
    with pytest.raises(InputError, match=r"'null' .* use --metadata parquet"):
        export(tmp_path / "nano", "hf")
    export(tmp_path / "nano", "hf", metadata="parquet")
    (found,) = rows(tmp_path, "nano-exports/hf")
    assert {row["label"] for row in found["train"]} == {"dog", "null"}


def test_videos_that_hugging_face_does_not_know_are_refused(films, tmp_path) -> None:
    """`datasets` would give rows without a video."""
    src = trees.lay(tmp_path / "source", {"train/a/1.webm": trees.clip(films, 1, "webm")})
    build("folder", n=1, src=src, workers=1, ffmpeg=WHEEL, dest=tmp_path / "nano")
    with pytest.raises(InputError, match=r"here is \.webm; build with --place transcode"):
        export(tmp_path / "nano", "hf")

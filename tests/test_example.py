"""`examples/train_tiny.py` trains on an export, and says truly how well."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import trees
from helpers import WHEEL

from nanokinetics import build
from nanokinetics.export import export

SCRIPT = Path(__file__).parents[1] / "examples" / "train_tiny.py"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, SCRIPT, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_model_learns_the_colours_of_four_classes(films, tmp_path) -> None:
    """As with the demo: films of a class share a colour, and one clip of each is held out."""
    for package in ("torch", "torchcodec"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed (pip install '.[loaders]')")
    tree = {
        f"train/{name}/{number}.mp4": trees.film(films, shown=film).read_bytes() + bytes([number])
        for turned, name in enumerate(("a", "b", "c", "d"))
        for film in [replace(trees.FILM, hue=90 * turned)]
        for number in range(3)
    }
    src = trees.lay(tmp_path / "source", tree)
    build("folder", n=3, src=src, workers=1, ffmpeg=WHEEL, dest=tmp_path / "nano")
    done = run(export(tmp_path / "nano", "vjepa").folder / "train.csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4 classes, 8 clips to train on, 4 held out\n")
    losses = [float(loss) for loss in re.findall(r"^step .*loss (.+)$", done.stdout, re.MULTILINE)]
    assert losses[0] > 1
    assert losses[-1] < 0.1
    assert done.stdout.endswith("right: 8 of 8 that it was trained on, 4 of 4 held out\n")

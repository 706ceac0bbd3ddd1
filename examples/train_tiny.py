"""Train a tiny model on a list of clips that `nanokinetics export --format vjepa` has written.

It needs torch and torchcodec, and no GPU (`pip install torch torchcodec`):

    python examples/train_tiny.py nano-k400-exports/vjepa/train.csv

One clip of each class is held out. The model is a 3D convolution over small frames, seeded and on
one thread, so that it gives the same numbers again on the same machine.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torchcodec.decoders import VideoDecoder

FRAMES, SIDE = 8, 32
"""Frames of a clip, evenly over its length, and their height and width in pixels."""

Clip = tuple[Tensor, int]


def read(listing: Path) -> dict[int, list[Clip]]:
    """The clips of each label: colours, frames, rows, columns; from 0 to 1."""
    clips: defaultdict[int, list[Clip]] = defaultdict(list)
    for line in listing.read_text(encoding="utf-8").splitlines():
        path, label = line.rsplit(maxsplit=1)
        decoder = VideoDecoder(path)
        count = len(decoder)
        frames = decoder.get_frames_at([i * count // FRAMES for i in range(FRAMES)]).data
        small = nn.functional.adaptive_avg_pool2d(frames.float() / 255, SIDE)
        clips[int(label)].append((small.transpose(0, 1), int(label)))
    return clips


def stacked(clips: list[Clip]) -> tuple[Tensor, Tensor]:
    return torch.stack([frames for frames, _ in clips]), torch.tensor([label for _, label in clips])


def accuracy(model: nn.Module, clips: list[Clip]) -> str:
    frames, labels = stacked(clips)
    with torch.no_grad():
        right = int((model(frames).argmax(1) == labels).sum())
    return f"{right} of {len(clips)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("listing", type=Path, help="a list of clips, with `path label_id` a line")
    parser.add_argument("--steps", type=int, default=60, help="default: %(default)s")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)

    clips = read(options.listing)
    chance = random.Random(0)
    for some in clips.values():
        chance.shuffle(some)
    held_out = [some[0] for some in clips.values() if len(some) > 1]
    train = [clip for some in clips.values() for clip in (some[1:] or some)]
    print(f"{len(clips)} classes, {len(train)} clips to train on, {len(held_out)} held out")

    model = nn.Sequential(
        nn.Conv3d(3, 8, kernel_size=3, stride=(1, 2, 2), padding=1),
        nn.ReLU(),
        nn.Conv3d(8, 16, kernel_size=3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(16, max(clips) + 1),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    frames, labels = stacked(train)
    for step in range(1, options.steps + 1):
        loss = nn.functional.cross_entropy(model(frames), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in (1, options.steps) or step % 20 == 0:
            print(f"step {step}: loss {loss.item():.3f}")
    print(f"right: {accuracy(model, train)} that it was trained on", end="")
    print(f", {accuracy(model, held_out)} held out" if held_out else "")


if __name__ == "__main__":
    main()

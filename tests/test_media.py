"""Which ffmpeg does what."""

from __future__ import annotations

import pytest
from helpers import FFMPEGS, WHEEL

from nanokinetics.media import find_ffmpeg


@pytest.mark.parametrize("path", FFMPEGS)
def test_an_ffmpeg_that_is_named_also_reads_clips_back(path):
    found = find_ffmpeg(path)
    assert (found.path, found.reader) == (path, path)
    assert found.version not in ("", "unknown")
    assert {"libx264", "aac"} <= found.encoders


def test_otherwise_the_one_that_starts_fastest_reads_clips_back():
    assert find_ffmpeg().reader == WHEEL

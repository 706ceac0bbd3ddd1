"""The contact sheet as PNG images."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from nanokinetics.common.text import plain
from nanokinetics.report.tables import IDENTITY, Tables
from nanokinetics.report.thumbnails import Thumbnails
from nanokinetics.report.words import name_and_window

COLUMNS: Final = 8
ROWS: Final = 8
CELL: Final = (160, 168)
"""Width and height of a clip in pixels, with three lines of text: label, video and window."""

PICTURE: Final = (152, 114)
MARGIN: Final = 4
LETTERS: Final = 11
INK: Final = "#1b1f24"
MUTED: Final = "#626b76"
EMPTY: Final = "#e5e8eb"


def png(tables: Tables, thumbnails: Thumbnails) -> Iterator[tuple[str, bytes]]:
    """Names and PNGs: `clips`, or `clips-1` and so on if one image cannot hold all clips."""
    clips = tables.stats.loc[list(thumbnails), list(IDENTITY)]
    clips = clips.sort_values(["split", "label"], kind="stable")
    each = [
        (thumbnails[row], label, key)
        for row, label, key in zip(clips.index, clips["label"], clips["key"], strict=True)
    ]
    pages = [each[at : at + COLUMNS * ROWS] for at in range(0, len(each), COLUMNS * ROWS)]
    for number, page in enumerate(pages, 1):
        name = f"clips-{number:0{len(str(len(pages)))}d}" if len(pages) > 1 else "clips"
        yield name, _page(page)


def _page(clips: list[tuple[bytes, str, str]]) -> bytes:
    width, height = CELL
    rows = -(-len(clips) // COLUMNS)
    sheet = Image.new("RGB", (width * min(COLUMNS, len(clips)), height * rows), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(LETTERS)
    for position, (jpeg, label, key) in enumerate(clips):
        row, column = divmod(position, COLUMNS)
        left, top = column * width + MARGIN, row * height + MARGIN
        box = Image.new("RGB", PICTURE, EMPTY)
        if jpeg:
            with Image.open(io.BytesIO(jpeg)) as picture:
                picture.thumbnail(PICTURE)
                at = (PICTURE[0] - picture.width) // 2, (PICTURE[1] - picture.height) // 2
                box.paste(picture, at)
        sheet.paste(box, (left, top))
        texts = ((label, INK), *((part, MUTED) for part in name_and_window(key)))
        for line, (text, colour) in enumerate(texts):
            below = top + PICTURE[1] + 3 + line * (LETTERS + 4)
            draw.text((left, below), _fitting(plain(text), font), colour, font)
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def _fitting(text: str, font: Any) -> str:
    """The text, cut to the width of a thumbnail."""
    text = text[:80]
    if font.getlength(text) <= PICTURE[0]:
        return text
    while font.getlength(f"{text}...") > PICTURE[0]:
        text = text[:-1]
    return f"{text}..."

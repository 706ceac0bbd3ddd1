"""The pieces of a media file, and the least bytes from which a window of it can be read.

A piece can only be read as a whole: a GOP of a progressive mp4, a fragment of a fragmented mp4, a
cluster of a webm, or a segment of a transport stream. This module reads the site's own films, not
every file that the formats allow.
"""

from __future__ import annotations

import itertools
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Piece:
    """A piece of a file. start, end: seconds. offset, size: bytes."""

    start: float
    end: float
    offset: int
    size: int


@dataclass(frozen=True)
class FileLayout:
    """The pieces of a file. header: bytes of headers and index."""

    header: int
    pieces: tuple[Piece, ...]


def least_bytes(path: str | Path, start: float, end: float) -> int:
    """The least bytes from which the window [start, end) in seconds can be read.

    They are headers, index, and every piece that the window touches. For separate streams, call
    this for each file.
    """
    laid = layout(path)
    return laid.header + sum(p.size for p in laid.pieces if p.start < end and start < p.end)


def layout(path: str | Path) -> FileLayout:
    """Find the pieces of a file. Raises ValueError if it is neither mp4, webm nor MPEG-TS."""
    data = Path(path).read_bytes()
    if data[:4] == b"\x1aE\xdf\xa3":
        return _webm(data)
    if data[0] == _SYNC and len(data) % _PACKET == 0:
        return _transport(data)
    if data[4:8] != b"ftyp":
        raise ValueError(f"{path}: neither mp4, webm nor MPEG-TS")
    boxes = list(_boxes(data, 0, len(data)))
    if any(box.kind == b"moof" for box in boxes):
        return _fragmented(data, boxes)
    return _progressive(data, boxes)


# -- mp4: ISO/IEC 14496-12


@dataclass(frozen=True)
class _Box:
    kind: bytes
    start: int
    """Offset of the box, with its header."""
    body: int
    end: int


def _boxes(data: bytes, at: int, end: int) -> Iterator[_Box]:
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        stop = at + size if size else end
        yield _Box(kind, at, body, stop)
        at = stop


def _find(data: bytes, box: _Box, *path: bytes) -> _Box:
    """The box at a path of kinds. Raises ValueError if it is missing."""
    for kind in path:
        found = [inner for inner in _boxes(data, box.body, box.end) if inner.kind == kind]
        if not found:
            raise ValueError(f"no {kind.decode()} box")
        box = found[0]
    return box


def _fragmented(data: bytes, boxes: list[_Box]) -> FileLayout:
    first = next(box.start for box in boxes if box.kind == b"moof")
    sidx = next(box for box in boxes if box.kind == b"sidx")
    version, scale = data[sidx.body], struct.unpack_from(">I", data, sidx.body + 8)[0]
    at = sidx.body + (20 if version == 0 else 28)
    (count,) = struct.unpack_from(">H", data, at + 2)
    pieces, offset, time = [], first, 0
    for index in range(count):
        size, ticks = struct.unpack_from(">II", data, at + 4 + 12 * index)
        pieces.append(Piece(time / scale, (time + ticks) / scale, offset, size))
        offset, time = offset + size, time + ticks
    return FileLayout(first, tuple(pieces))


def _progressive(data: bytes, boxes: list[_Box]) -> FileLayout:
    media = next(box for box in boxes if box.kind == b"mdat")
    moov = next(box for box in boxes if box.kind == b"moov")
    for trak in (box for box in _boxes(data, moov.body, moov.end) if box.kind == b"trak"):
        handler = _find(data, trak, b"mdia", b"hdlr")
        if data[handler.body + 8 : handler.body + 12] == b"vide":
            break
    else:
        raise ValueError("no video track")
    mdhd, table = _find(data, trak, b"mdia", b"mdhd"), _find(data, trak, b"mdia", b"minf", b"stbl")
    scale = struct.unpack_from(">I", data, mdhd.body + (12 if data[mdhd.body] == 0 else 20))[0]

    def rows(kind: bytes, columns: str, skip: int = 0) -> list[tuple[int, ...]]:
        try:
            box = _find(data, table, kind)
        except ValueError:
            return []
        (count,) = struct.unpack_from(">I", data, box.body + 4 + skip)
        head = box.body + 8 + skip
        width = struct.calcsize(">" + columns)
        return [struct.unpack_from(">" + columns, data, head + width * i) for i in range(count)]

    decode = [0, *itertools.accumulate(d for n, d in rows(b"stts", "II") for _ in range(n))]
    shift = [offset for n, offset in rows(b"ctts", "Ii") for _ in range(n)] or [0] * len(decode)
    sizes = [size for (size,) in rows(b"stsz", "I", skip=4)]
    chunks = [at for (at,) in rows(b"stco", "I") or rows(b"co64", "Q")]
    runs = [*((first - 1, n) for first, n, _ in rows(b"stsc", "III")), (len(chunks), 0)]
    offsets: list[int] = []
    for (first, count), (stop, _) in itertools.pairwise(runs):
        for chunk in range(first, stop):
            held = sizes[len(offsets) : len(offsets) + count]
            offsets += [chunks[chunk] + sum(held[:i]) for i in range(len(held))]
    keys = [number - 1 for (number,) in rows(b"stss", "I")]
    shown = [(decode[key] + shift[key] - shift[0]) / scale for key in keys]
    cuts = [*(offsets[key] for key in keys[1:]), media.end]
    pieces = [
        Piece(time, until, offset, cut - offset)
        for time, until, offset, cut in zip(
            shown, [*shown[1:], decode[-1] / scale], [media.body, *cuts], cuts, strict=False
        )
    ]
    return FileLayout(len(data) - (media.end - media.body), tuple(pieces))


# -- webm: RFC 8794 (EBML) and RFC 9559 (Matroska)

_SEGMENT, _INFO, _CLUSTER, _TIMESTAMP = 0x18538067, 0x1549A966, 0x1F43B675, 0xE7
_SCALE, _DURATION = 0x2AD7B1, 0x4489


def _elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """(id, start, body, end) of each element."""
    while at < end:
        kind, body = _number(data, at, keep_marker=True)
        size, body = _number(data, body)
        stop = min(end, body + size)
        yield kind, at, body, stop
        at = stop


def _number(data: bytes, at: int, *, keep_marker: bool = False) -> tuple[int, int]:
    length = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + length], "big")
    return value if keep_marker else value & (1 << 7 * length) - 1, at + length


def _webm(data: bytes) -> FileLayout:
    _, _, body, end = next(e for e in _elements(data, 0, len(data)) if e[0] == _SEGMENT)
    scale, duration, clusters = 1_000_000, math.inf, []
    for kind, start, inner, stop in _elements(data, body, end):
        if kind == _INFO:
            for field, _, at, until in _elements(data, inner, stop):
                if field == _SCALE:
                    scale = int.from_bytes(data[at:until], "big")
                elif field == _DURATION:
                    (duration,) = struct.unpack(">d" if until - at == 8 else ">f", data[at:until])
        elif kind == _CLUSTER:
            at, until = next(
                (e[2], e[3]) for e in _elements(data, inner, stop) if e[0] == _TIMESTAMP
            )
            clusters.append((int.from_bytes(data[at:until], "big"), start, stop))
    second = 1e9 / scale
    ends = [*(time for time, _, _ in clusters[1:]), duration]
    pieces = tuple(
        Piece(time / second, until / second, start, stop - start)
        for (time, start, stop), until in zip(clusters, ends, strict=True)
    )
    return FileLayout(len(data) - sum(piece.size for piece in pieces), pieces)


# -- MPEG-TS: ISO/IEC 13818-1

_PACKET, _SYNC, _CLOCK = 188, 0x47, 90_000


def _transport(data: bytes) -> FileLayout:
    """Cut before each program table. A piece starts at the time of its first picture."""
    cuts: list[int] = []
    times: list[float] = []
    for at in range(0, len(data), _PACKET):
        start, pid = data[at + 1] & 0x40, (data[at + 1] & 0x1F) << 8 | data[at + 2]
        if pid == 0:
            cuts.append(at)
        elif start and len(times) < len(cuts):
            payload = at + 4 + (data[at + 4] + 1 if data[at + 3] & 0x20 else 0)
            if data[payload : payload + 4] == b"\x00\x00\x01\xe0":
                times.append(_stamp(data[payload + 9 : payload + 14]) / _CLOCK)
    cuts = [0, *cuts[1:], len(data)]
    shown = [time - times[0] for time in times]
    pieces = tuple(
        Piece(time, until, offset, cut - offset)
        for time, until, (offset, cut) in zip(
            shown, [*shown[1:], math.inf], itertools.pairwise(cuts), strict=True
        )
    )
    return FileLayout(0, pieces)


def _stamp(field: bytes) -> int:
    return (
        (field[0] >> 1 & 7) << 30
        | field[1] << 22
        | (field[2] >> 1) << 15
        | field[3] << 7
        | field[4] >> 1
    )

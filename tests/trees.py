"""Made-up sources on disk, small but built like the real ones: folders, archives, annotations.

A tree is a mapping of paths to bytes; `lay` makes folders of it and `packed` an archive, so that
both hold the same. No two pictures or clips have the same bytes.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import itertools
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers import WHEEL, Row
from PIL import Image

from nanokinetics.annotations.candidates import Annotations
from nanokinetics.demo.films import FilmStore
from nanokinetics.demo.scenario import Film
from nanokinetics.selection.frame import Selection
from nanokinetics.sources.scan import Scan

Tree = Mapping[str, bytes]

FILM = Film(duration=1, width=128, height=96, fps=10, gop_seconds=1, audio=False)
"""A clip of ten frames."""

LONG = Film(duration=12, width=128, height=96, fps=10, gop_seconds=3)
"""A whole video to cut windows from."""


# -- files


@functools.cache
def picture(number: int, kind: str = "JPEG") -> bytes:
    """A photograph's worth of detail in small, another one for each number."""
    noise = hashlib.shake_128(f"picture {number}".encode()).digest(24 * 16 * 3)
    image = Image.frombytes("RGB", (24, 16), noise).resize((48, 32))
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def film(films: Path, kind: str = "mp4", shown: Film = FILM) -> Path:
    """A film whose frames carry their numbers, as mp4 or webm."""
    form = "webm" if kind == "webm" else "progressive"
    return FilmStore(films, WHEEL).streams(shown, form)[0].path


def clip(films: Path, number: int, kind: str = "mp4") -> bytes:
    """A whole clip with a part that players skip, which makes it different for each number."""
    mark = f"{number:08d}".encode()
    if kind == "mkv":
        kind = "webm"  # which is Matroska with another name
    void = b"\xec\x88" + mark if kind == "webm" else b"\x00\x00\x00\x10free" + mark
    return film(films, kind).read_bytes() + void


PLAYLISTS = ("hls", "concat", "dash", "sdp")
"""Texts that ffmpeg takes for videos, and that lead it to others."""


def playlist(kind: str, far: str, near: str) -> str:
    """A text of that kind. `far` may be anywhere; a concat script follows a plain name, `near`."""
    return {
        "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\n"
        f"{far}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile {near}\n",
        "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-main:2011">'
        '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1000">'
        f"<BaseURL>{far}</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 50041 RTP/AVP 33\n",
    }[kind]


# -- folders and archives


def lay(folder: Path, tree: Tree) -> Path:
    """The tree as files below a folder."""
    for name, data in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> Member:
    """One member as it is written into an archive, with whatever name and type."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = len(data)
    return info, data


def packed(tree: Tree, packing: str = "", prefix: str = "", more: Sequence[Member] = ()) -> bytes:
    """The tree as a tar, with its folders as members of their own, as `tar` itself writes it."""
    out = io.BytesIO()
    mode: Any = f"w:{packing}"
    with tarfile.open(fileobj=out, mode=mode, format=tarfile.GNU_FORMAT) as archive:
        folders: set[str] = set()
        for info, data in more:
            archive.addfile(info, io.BytesIO(data))
        for name, data in tree.items():
            full = prefix + name
            for parent in reversed([str(p) for p in Path(full).parents if str(p) != "."]):
                if parent not in folders:
                    folders.add(parent)
                    archive.addfile(member(parent, kind=tarfile.DIRTYPE)[0])
            archive.addfile(member(full, data)[0], io.BytesIO(data))
    return out.getvalue()


def nested(tree: Tree) -> bytes:
    """`ILSVRC2012_img_train.tar`: of each first folder a tar of its files, without folders."""
    groups: dict[str, dict[str, bytes]] = {}
    for name, data in tree.items():
        folder, _, base = name.partition("/")
        groups.setdefault(folder, {})[base] = data
    return packed({f"{folder}.tar": packed(files) for folder, files in groups.items()})


def parts(data: bytes, stem: str, count: int) -> dict[str, bytes]:
    """An archive cut by `split -d`: `stem00`, `stem01`, …"""
    size = -(-len(data) // count)
    cuts = [data[at : at + size] for at in range(0, len(data), size)]
    return {f"{stem}{number:02d}": cut for number, cut in enumerate(cuts)}


def zipped(name: str, data: bytes) -> bytes:
    """A zip around one part, as the download page of Something-Something v2 gives it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, data)
    return out.getvalue()


# -- ImageNet

CLASSES = {
    "n01440764": (449, "tench, Tinca tinca"),
    "n01443537": (450, "goldfish, Carassius auratus"),
    "n02012849": (429, "crane"),
    "n03126707": (545, "crane"),
}
"""Real wnids, their ILSVRC ids, and their names, which are no keys."""

WNIDS = tuple(CLASSES)
SOLUTION, TRUTH, CLSLOC, NAMES = (
    "LOC_val_solution.csv",
    "ILSVRC2012_validation_ground_truth.txt",
    "map_clsloc.txt",
    "LOC_synset_mapping.txt",
)
META, KIT = "meta.mat", "ILSVRC2012_devkit_t12"


def imagenet_train(each: int = 5) -> dict[str, bytes]:
    """`<wnid>/<wnid>_<number>.JPEG`."""
    return {
        f"{wnid}/{wnid}_{7 * i + 3}.JPEG": picture(100 * place + i)
        for place, wnid in enumerate(WNIDS)
        for i in range(each)
    }


def validation_wnid(number: int) -> str:
    """The class of a validation image; neighbours differ."""
    return WNIDS[number * 3 % 4]


def imagenet_val(count: int = 12) -> dict[str, bytes]:
    """`ILSVRC2012_val_00000001.JPEG`, flat."""
    return {f"ILSVRC2012_val_{i:08d}.JPEG": picture(1000 + i) for i in range(1, count + 1)}


def by_class(flat: Tree) -> dict[str, bytes]:
    """Validation images moved into folders of their wnids, as imagenet-mini has them."""
    return {f"{validation_wnid(int(name[15:23]))}/{name}": data for name, data in flat.items()}


def truth(count: int = 12) -> dict[str, bytes]:
    """The development kit's labels: ILSVRC ids, and the table that says which wnids these are."""
    ids = [CLASSES[validation_wnid(i)][0] for i in range(1, count + 1)]
    table = [f"{wnid} {number} {name.split(',')[0]}" for wnid, (number, name) in CLASSES.items()]
    return {
        TRUTH: "".join(f"{number}\n" for number in ids).encode(),
        CLSLOC: "".join(f"{line}\n" for line in table).encode(),
    }


def meta_mat(order: str = "<", compressed: bool = True, kind: str = "H") -> bytes:
    """`meta.mat` of the 2012 development kit, as MATLAB writes it, with fewer classes and fields.

    It also has the inner nodes of the tree of classes, with ids above 1000. kind: how the ids are
    stored, as in `struct`.
    """
    types = {"B": 2, "H": 4, "d": 9}

    def element(type_: int, data: bytes) -> bytes:
        if 0 < len(data) <= 4 and type_ != 14:
            return struct.pack(f"{order}I", len(data) << 16 | type_) + data.ljust(4, b"\0")
        padding = b"" if type_ == 15 else b"\0" * (-len(data) % 8)
        return struct.pack(f"{order}II", type_, len(data)) + data + padding

    def matrix(class_: int, shape: tuple[int, int], name: bytes, rest: bytes) -> bytes:
        flags = element(6, struct.pack(f"{order}II", class_, 0))
        dimensions = element(5, struct.pack(f"{order}ii", *shape))
        return element(14, flags + dimensions + element(1, name) + rest)

    def number(value: int) -> bytes:
        return matrix(6, (1, 1), b"", element(types[kind], struct.pack(f"{order}{kind}", value)))

    def text(value: str) -> bytes:
        return matrix(4, (1, len(value)), b"", element(16, value.encode()))

    synsets = [(number_, wnid, name) for wnid, (number_, name) in CLASSES.items()]
    if kind != "B":
        synsets += [(1001 + i, f"n9000000{i}", "an inner node") for i in range(3)]
    fields = b"".join(name.ljust(32, b"\0") for name in (b"ILSVRC2012_ID", b"WNID", b"words"))
    cells = b"".join(number(i) + text(wnid) + text(name) for i, wnid, name in synsets)
    length = element(5, struct.pack(f"{order}i", 32))
    table = matrix(2, (len(synsets), 1), b"synsets", length + element(1, fields) + cells)
    other = matrix(6, (1, 1), b"other", element(9, struct.pack(f"{order}d", 7)))
    if compressed:
        table, other = (element(15, zlib.compress(each)) for each in (table, other))
    mark = b"IM" if order == "<" else b"MI"
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(f"{order}H", 0x0100) + mark
    return header + other + table


def devkit(count: int = 12) -> dict[str, bytes]:
    """What the development kit of 2012 holds of the labels."""
    data = f"{KIT}/data/"
    return {f"{data}{TRUTH}": truth(count)[TRUTH], f"{data}{META}": meta_mat()}


def solution(count: int = 12) -> dict[str, bytes]:
    """Kaggle's labels, not sorted, some with several boxes."""
    lines = ["ImageId,PredictionString"]
    for i in range(count, 0, -1):
        wnid = validation_wnid(i)
        boxes = f"{wnid} 85 1 499 272 " * (1 + i % 2)
        lines.append(f"ILSVRC2012_val_{i:08d},{boxes}")
    return {SOLUTION: ("\n".join(lines) + "\n").encode()}


def class_names(between: str = " ") -> dict[str, bytes]:
    lines = "".join(f"{wnid}{between}{name}\n" for wnid, (_, name) in CLASSES.items())
    return {NAMES: lines.encode()}


def prefixed(prefix: str, tree: Tree) -> dict[str, bytes]:
    return {prefix + name: data for name, data in tree.items()}


# -- Something-Something v2

TEMPLATES = (
    "Holding [something] next to [something]",
    "Lifting [something] up completely, then letting it drop down",
    "Trying to pour [something] into [something], but missing so it spills next to it",
    "Bending [something] so that [part] of it deforms",
)
"""Like the real ones: placeholders of several kinds, and commas."""


def label_of(template: str) -> str:
    return template.replace("[", "").replace("]", "")


def ssv2_names(generation: int) -> dict[str, str]:
    """The names of the annotation files: those of 2018, and those of the present download."""
    stems = ("train", "validation", "test", "labels")
    if generation == 1:
        return {stem: f"something-something-v2-{stem}.json" for stem in stems}
    return {stem: f"labels/{stem}.json" for stem in stems} | {"answers": "labels/test-answers.csv"}


def ssv2_ids(split: str, each: int, templates: Sequence[str] = TEMPLATES) -> list[tuple[str, str]]:
    """Ids, which say nothing of the class, and templates."""
    base = {"train": 1000, "validation": 200_000, "test": 40_000}[split]
    return [
        (str(base + 7 * i), templates[i % len(templates)]) for i in range(each * len(templates))
    ]


def ssv2_annotations(
    generation: int = 2, each: int = 4, templates: Sequence[str] = TEMPLATES
) -> dict[str, bytes]:
    """The files of one release. Of the test clips only the later one gives the labels."""
    names = ssv2_names(generation)
    labels = sorted(label_of(template) for template in templates)
    files: dict[str, object] = {
        names["labels"]: {label: str(number) for number, label in enumerate(labels)},
        names["test"]: [{"id": i} for i, _ in ssv2_ids("test", each, templates)],
    }
    for split in ("train", "validation"):
        files[names[split]] = [
            {
                "id": i,
                "label": label_of(template).replace("something", "a potato").lower(),
                "template": template,
                "placeholders": ["a potato"] * template.count("["),
            }
            for i, template in ssv2_ids(split, each, templates)
        ]
    tree = {name: json.dumps(content).encode() for name, content in files.items()}
    if "answers" in names:
        rows = [f"{i};{label_of(template)}\n" for i, template in ssv2_ids("test", each, templates)]
        tree[names["answers"]] = "".join(rows).encode()
    return tree


def ssv2_videos(films: Path, each: int = 4, splits: Iterable[str] = ("train",)) -> dict[str, bytes]:
    """`<id>.webm`."""
    return {
        f"{i}.webm": clip(films, int(i), "webm")
        for split in splits
        for i, _ in ssv2_ids(split, each)
    }


# -- Kinetics


def kinetics_rows(labels: Sequence[str], each: int, seconds: float = 1) -> list[Row]:
    """Windows of as many videos; some ids begin with a dash."""
    rows = []
    for number, (label, i) in enumerate(itertools.product(labels, range(each))):
        name = f"{'-' if number % 4 == 1 else 'k'}{number:010d}"
        rows.append(Row(label, name, 10 + i, 10 + i + seconds))
    return rows


def kinetics_clips(films: Path, rows: Iterable[Row], kinds: Sequence[str] = ("mp4",)) -> Tree:
    """`ID_000010_000020.mp4`, flat, as CVDF's archives hold them."""
    return {
        f"{row.key}.{kind}": clip(films, number, kind)
        for number, (row, kind) in enumerate(zip(rows, itertools.cycle(kinds), strict=False))
    }


# -- what a selection should be


def first_ranked(keys: Iterable[str], seed: str = "0") -> list[str]:
    """Keys in the order of the contract."""
    return sorted(set(keys), key=lambda k: (hashlib.sha256(f"{seed}:{k}".encode()).hexdigest(), k))


def chosen(selection: Selection) -> bytes:
    """All that a selection says, but for where the files lie."""
    return selection.to_csv()


def offered(annotations: Annotations) -> set[tuple[str, str, str]]:
    """Split, label and key of every candidate."""
    frame = annotations.frame
    return set(zip(frame["split"], frame["label"], frame["key"], strict=True))


def listed_otherwise(found: Scan, order: Sequence[int]) -> Scan:
    """The same source, its files and members in another order."""
    files = [found.files[i % len(found.files)] for i in order] if found.files else []
    files = list(dict.fromkeys([*files, *reversed(found.files)]))
    members = list(found.members)
    if members:
        members = list(dict.fromkeys([members[i % len(members)] for i in order] + members[::-1]))
    return Scan(found.root, tuple(files), tuple(members), found.streams, found.stamps)


def csv_of(rows: Iterable[Sequence[object]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()

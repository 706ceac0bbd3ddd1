"""Numbered files: parts of one archive, or archives that are whole each."""

from __future__ import annotations

import io
import itertools
import string
import tarfile
from pathlib import Path

import pytest
from trees import Tree, lay, packed, parts, picture, zipped

from nanokinetics.errors import InputError
from nanokinetics.sources.archives import opened, streamed
from nanokinetics.sources.parts import numbered
from nanokinetics.sources.scan import Scan, scan

TREE = {f"a/{i}.jpg": picture(i) for i in range(12)}
LETTERS = string.ascii_lowercase


def _pairs(count: int) -> list[str]:
    """The endings that `split` gives to its parts: aa … yz, zaaa …"""
    first = [a + b for a in LETTERS[:-1] for b in LETTERS]
    second = ["z" + "".join(each) for each in itertools.product(LETTERS[:-1], LETTERS, LETTERS)]
    return [*first, *second][:count]


def _digits(count: int) -> list[str]:
    """00 … 89, 9000 …"""
    return [*(f"{i:02}" for i in range(90)), *(f"9{i:03}" for i in range(900))][:count]


def _triples(count: int) -> list[str]:
    """aaa, aab …, as `split -a 3` gives them."""
    return ["".join(each) for each in itertools.product(LETTERS, repeat=3)][:count]


def _streamed(found: Scan) -> dict[str, bytes]:
    tree: dict[str, bytes] = {}
    for pieces in found.streams:
        with opened(found.root, pieces) as archive:
            tree |= {name: content.read() for name, _, content in streamed(archive)}
    return tree


def _cut(data: bytes, endings: list[str], stem: str) -> Tree:
    size = -(-len(data) // len(endings))
    return {f"{stem}{end}": data[i * size : (i + 1) * size] for i, end in enumerate(endings)}


@pytest.mark.parametrize(
    "endings",
    [
        pytest.param(_pairs(110), id="110 letters"),
        pytest.param(_pairs(200), id="200 letters, gz and md among them"),
        pytest.param(_pairs(700), id="letters that widen"),
        pytest.param(_triples(700), id="three letters"),
        pytest.param(_digits(130), id="digits that widen"),
        pytest.param([f"{i:03}" for i in range(150)], id="three digits"),
        pytest.param([f"{i:04}" for i in range(30)], id="four digits"),
        pytest.param([str(i) for i in range(1, 125)], id="digits without zeros"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stem", ["v2.tar.gz.", "v2-"])
def test_any_number_of_parts_is_one_archive_in_their_order(tmp_path, endings, stem):
    data = packed(TREE, "gz")
    assert len(data) > 2 * len(endings)
    found = scan(lay(tmp_path, _cut(data, endings, stem)))
    (pieces,) = found.streams
    assert pieces == tuple(f"{stem}{end}" for end in endings)
    assert _streamed(found) == TREE


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz", ""])
@pytest.mark.parametrize("named", ["videos_{:02}.{}", "videos_{}.{}", "part-{}.{}"])
def test_numbered_archives_that_are_whole_are_read_each(tmp_path, packing, named):
    kind = {"gz": "tgz", "bz2": "tar.bz2", "xz": "tar.xz", "": "tar"}[packing]
    for i in range(3):
        tree = dict(list(TREE.items())[4 * i : 4 * i + 4])
        (tmp_path / named.format(i + 1, kind)).write_bytes(packed(tree, packing))
    found = scan(tmp_path, listed=True)
    assert sorted(member.name for member in found.members) == sorted(TREE)
    if packing:
        assert len(found.streams) == 3
        assert _streamed(found) == TREE


def test_a_cut_just_before_a_header_makes_no_archive_of_a_part(tmp_path):
    data = packed(TREE)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        starts = [member.offset for member in archive if member.isreg()]
    cuts = [0, starts[4], starts[8], len(data)]
    for i, (start, stop) in enumerate(itertools.pairwise(cuts)):
        (tmp_path / f"v2-{i:02}").write_bytes(data[start:stop])
    found = scan(tmp_path)
    assert found.streams == (("v2-00", "v2-01", "v2-02"),)
    assert _streamed(found) == TREE


def test_numbered_zips_of_many_files_are_read_each(tmp_path):
    for i, (name, data) in enumerate(TREE.items()):
        (tmp_path / f"clips_{i}.zip").write_bytes(zipped(name, data))
    assert sorted(member.name for member in scan(tmp_path).members) == sorted(TREE)


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_a_missing_part_is_named_whatever_its_size(tmp_path, lost):
    pieces = _cut(packed(TREE, "gz"), _pairs(6), "v2.tar.gz.")
    gone = list(pieces)[lost]
    lay(tmp_path, {name: data for name, data in pieces.items() if name != gone})
    beside = list(pieces)[lost - 1 if lost else 1]
    with pytest.raises(InputError, match=rf"{beside}: the part (after|before) it is missing"):
        scan(tmp_path)


def test_a_whole_archive_that_is_missing_among_others_leaves_a_doubt(tmp_path):
    for i in (1, 2, 4):
        (tmp_path / f"videos_{i:02}.tgz").write_bytes(packed({f"{i}.mp4": b"x"}, "gz"))
    found = scan(tmp_path)
    assert len(found.streams) == 3
    assert found.notes == ("an archive is missing between videos_02.tgz and videos_04.tgz",)
    assert found.doubt is not None


def test_years_are_no_gaps(tmp_path):
    for year in (2019, 2023):
        (tmp_path / f"photos_{year}.zip").write_bytes(zipped("a/1.jpg", b"x"))
    assert not scan(tmp_path).notes


@pytest.mark.parametrize(
    "names",
    [
        *(["a.json", "b.json"], ["v2.tar.gz.sig", "v2.tar.gz.asc"], ["notes.md", "notes.gz"]),
        *(["run-07"], ["x.md5", "y.br"], ["val_images.csv", "val_labels.csv"]),
    ],
)
def test_other_files_are_left_alone(tmp_path, names):
    lay(tmp_path, dict.fromkeys(names, b"some text"))
    assert numbered(tmp_path, names).joined == ()
    assert scan(tmp_path).files == tuple(sorted(names))


def test_a_signature_beside_the_parts_is_no_part(tmp_path):
    pieces = parts(packed(TREE, "gz"), "x.tar.gz.part", 3)
    lay(Path(tmp_path), pieces | {"x.tar.gz.sig": b"sig", "x.tar.gz.md5": b"md5"})
    assert _streamed(scan(tmp_path)) == TREE

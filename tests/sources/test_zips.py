"""Zips are read like tars: by the place of a member, checked, and within bounds."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from trees import Tree, lay, picture, prefixed

from nanokinetics.clip import Location
from nanokinetics.errors import InputError
from nanokinetics.sources.local import LocalFiles
from nanokinetics.sources.reading import Root
from nanokinetics.sources.scan import scan
from nanokinetics.sources.zips import DamagedZipError, chunks

TREE = {f"{c}/{i}.bmp": picture(i, "BMP") for c in ("cat", "dog") for i in range(2)}


def _zip(tree: Tree, method: int = zipfile.ZIP_DEFLATED, *, streamed: bool = False) -> bytes:
    out = io.BytesIO()
    target = _NoSeek(out) if streamed else out  # then the sizes stand behind the bytes
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in tree.items():
            archive.writestr(name, data)
    return out.getvalue()


class _NoSeek(io.RawIOBase):
    def __init__(self, out: io.BytesIO) -> None:
        self._out = out

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        return self._out.write(data)  # type: ignore[arg-type]

    def seekable(self) -> bool:
        return False


def _content(root: Path, members: tuple[Location, ...]) -> dict[str, bytes]:
    files = LocalFiles(Root(str(root)), ())
    return {each.name: files.origin(each).read() for each in members}


def _joined(path: Path, member: Location) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from chunks(file, member)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_each_member_is_read_from_its_place(tmp_path, method, streamed):
    (tmp_path / "a.zip").write_bytes(_zip(TREE, method, streamed=streamed))
    found = scan(tmp_path)
    assert not found.notes
    assert found.files == ()
    assert _content(tmp_path, found.members) == TREE
    assert scan(tmp_path / "a.zip").members == found.members
    for each in found.members:
        origin = LocalFiles(Root(str(tmp_path)), ()).origin(each)
        copy = origin.extracted(tmp_path / "copy")
        assert Path(copy.path).read_bytes() == TREE[each.name]


def test_a_zip64_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in TREE.items():
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(data)
    assert _content(tmp_path, scan(tmp_path).members) == TREE


def test_the_litter_of_macos_absolute_paths_and_folders_are_no_members(tmp_path):
    more = {"__MACOSX/cat/._0.bmp": b"x", "/etc/1.bmp": b"x", "cat/.DS_Store": b"x", "cat/": b""}
    (tmp_path / "a.zip").write_bytes(_zip(TREE | more))
    assert {each.name for each in scan(tmp_path).members} == set(TREE)


def test_backslashes_of_windows_are_folders(tmp_path):
    (tmp_path / "a.zip").write_bytes(_zip({n.replace("/", "\\"): d for n, d in TREE.items()}))
    assert {each.name for each in scan(tmp_path).members} == set(TREE)


@pytest.mark.skipif(not shutil.which("zip"), reason="this machine has no zip")
def test_encrypted_members_are_counted_with_what_unpacks_them(tmp_path):
    source = lay(tmp_path / "t", TREE)
    subprocess.run(["zip", "-qrP", "secret", tmp_path / "a.zip", "cat"], cwd=source, check=True)
    found = scan(tmp_path / "a.zip")
    assert found.members == ()
    (note,) = found.notes
    assert note.startswith("2 files in ")
    assert "encrypted" in note
    assert "7z x" in note
    assert found.doubt is not None


def test_members_of_another_method_are_counted(tmp_path):
    (tmp_path / "a.zip").write_bytes(_zip(TREE, zipfile.ZIP_LZMA))
    found = scan(tmp_path)
    assert found.members == ()
    assert "4 files" in found.notes[0]
    assert "method 14" in found.notes[0]


def test_a_bomb_is_left_out_by_what_it_says_and_by_what_comes_out(tmp_path):
    bomb = {"cat/1.bmp": bytes(150_000_000)}
    (tmp_path / "a.zip").write_bytes(_zip(bomb))
    found = scan(tmp_path)
    assert found.members == ()
    assert "200 times" in found.notes[0]
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        (info,) = archive.infolist()
    member = Location("a.zip", info.filename, info.header_offset, info.compress_size)
    sizes: list[int] = []
    with pytest.raises(DamagedZipError, match="200 times"):
        sizes.extend(map(len, _joined(tmp_path / "a.zip", member)))
    assert sum(sizes) < 110_000_000


@pytest.mark.parametrize("at", ["the bytes", "the header", "the end"])
def test_damage_of_a_member_is_noticed(tmp_path, at):
    data = bytearray(_zip(TREE))
    (tmp_path / "a.zip").write_bytes(data)
    member = scan(tmp_path).members[1]
    if at == "the end":
        del data[member.offset + member.size // 2 :]
    else:
        place = member.offset + (60 if at == "the bytes" else 0)
        data[place : place + 4] = b"\xff\xfe\xfd\xfc"
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DamagedZipError):
        b"".join(_joined(tmp_path / "a.zip", member))


@pytest.mark.parametrize("end", [10, 300, -30])
def test_a_zip_that_is_cut_short_is_refused_by_name(tmp_path, end):
    (tmp_path / "a.zip").write_bytes(_zip(TREE)[:end])
    with pytest.raises(InputError, match=r"a\.zip.*download it again"):
        scan(tmp_path)


def test_a_zip_around_one_tar_is_read_as_the_tar(tmp_path):
    from trees import packed, zipped

    (tmp_path / "a.zip").write_bytes(zipped("a.tar.gz", packed(prefixed("x/", TREE), "gz")))
    found = scan(tmp_path, listed=True)
    assert sorted(each.name for each in found.members) == sorted(prefixed("x/", TREE))

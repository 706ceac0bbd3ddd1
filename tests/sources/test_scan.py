"""What a scan finds in folders and archives, and what it must not read, believe or miss."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import random
import shutil
import signal
import subprocess
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trees
from trees import lay, member, nested, packed, parts, picture, zipped

from nanokinetics.clip import Location
from nanokinetics.errors import InputError
from nanokinetics.sources.archives import opened
from nanokinetics.sources.local import LocalFiles
from nanokinetics.sources.located import named
from nanokinetics.sources.scan import Scan, save, scan
from nanokinetics.sources.suffixes import IMAGES

TREE = {
    "a/1.jpg": picture(1),
    "a/2.jpg": picture(2) * 3,
    "b c/3.jpg": picture(3),
    "b c/deep/4.jpg": picture(4),
}


def _names(found: Scan) -> list[str]:
    return sorted(each.name or each.path for each in found.locations())


def _content(found: Scan, each: Location) -> bytes:
    data = (found.root / each.path).read_bytes()
    return data[each.offset : each.offset + each.size] if each.is_member else data


def _stream(found: Scan) -> dict[str, bytes]:
    """Everything in the only stream of a source."""
    (pieces,) = found.streams
    with opened(found.root, pieces) as archive:
        return {m.name: _bytes(archive, m) for m in archive if m.isreg()}


def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None
    return file.read()


# -- folders


def test_a_folder_gives_its_files_sorted_in_whatever_order_they_were_made(tmp_path):
    names = [f"{a}/{b}.jpg" for a in "xya" for b in range(9)]
    expected = tuple(sorted(names, key=lambda n: n.split("/")))
    for seed in range(3):
        random.Random(seed).shuffle(names)  # noqa: S311
        found = scan(lay(tmp_path / str(seed), dict.fromkeys(names, b"x")))
        assert found.files == expected


def test_hidden_files_links_to_what_is_read_and_what_is_no_file_are_passed_over(tmp_path):
    tree = {"a/1.jpg": b"x", "a/._1.jpg": b"x", ".cache/2.jpg": b"x", "a/.DS_Store": b"x"}
    source = lay(tmp_path / "source", tree)
    (source / "again").symlink_to(source / "a")
    (source / "loop").symlink_to(source)
    (source / "above").symlink_to(tmp_path.parent)
    (source / "a" / "dangling.jpg").symlink_to(source / "nothing")
    (source / "a" / "self.jpg").symlink_to("self.jpg")
    os.mkfifo(source / "a" / "pipe.jpg")
    found = scan(source)
    assert found.files == ("a/1.jpg",)
    dead, again = found.notes
    assert dead == "2 links to nothing passed over: 'a/dangling.jpg'"
    assert again.startswith("3 folders behind links passed over")
    assert found.doubt is not None


def test_a_link_to_a_folder_elsewhere_is_followed_once_whatever_its_name(tmp_path):
    full = lay(tmp_path / "full", {"x/1.jpg": b"x", "y/2.jpg": b"x", "y/more/3.jpg": b"x"})
    (full / "y" / "back").symlink_to(full)
    source = lay(tmp_path / "source", {"plain/0.jpg": b"x"})
    (source / "b").symlink_to(full / "x")
    (source / "a").symlink_to(full / "x")
    (source / "z").symlink_to(full / "y")
    found = scan(source)
    assert found.files == ("a/1.jpg", "plain/0.jpg", "z/2.jpg", "z/more/3.jpg")
    (note,) = found.notes
    assert note.startswith("2 folders behind links passed over")


def test_a_source_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        scan(tmp_path / "nothing")


# -- archives that are not compressed


@pytest.mark.parametrize("make", [packed, nested], ids=["a tar", "a tar of tars"])
def test_a_tar_gives_the_files_of_the_folder_each_where_it_lies(tmp_path, make):
    tree = trees.imagenet_train()
    (tmp_path / "all.tar").write_bytes(make(tree))
    found = scan(tmp_path / "all.tar")
    assert _names(found) == sorted(tree)
    assert {each.name: _content(found, each) for each in found.members} == tree
    assert found.streams == ()
    assert scan(tmp_path).members == found.members


@pytest.mark.parametrize("data", [b"<html>not found</html>", b"", bytes(1 << 20)])
@pytest.mark.parametrize("name", ["a.tar", "a.tgz", "a.tar.gz", "a.tar.xz", "a.zip", "a_01.tgz"])
def test_what_is_called_an_archive_and_is_none_is_named(tmp_path, name, data):
    lay(tmp_path, TREE | {name: data})
    with pytest.raises(InputError, match=rf"{name}: is no archive.*download it again"):
        scan(tmp_path)


def test_a_numbered_file_that_is_no_archive_is_a_file(tmp_path):
    found = scan(
        lay(tmp_path, {"data-07": b"a log of some kind", "x-00": b"another", "x-01": b"y"})
    )
    assert found.files == ("data-07", "x-00", "x-01")
    assert not found.members
    assert not found.streams


HOSTILE = (
    member("/tmp/absolute/1.jpg", picture(11)),  # noqa: S108 - where nothing may be written
    member("../outside/2.jpg", picture(12)),
    member("a/../../outside/3.jpg", picture(13)),
    member("a/._1.jpg", b"a twin"),
    member("a/link.jpg", kind=tarfile.SYMTYPE, link="/etc/passwd"),
    member("a/hard.jpg", kind=tarfile.LNKTYPE, link="a/1.jpg"),
    member("a/device.jpg", kind=tarfile.CHRTYPE),
    member("a/pipe.jpg", kind=tarfile.FIFOTYPE),
    member("a/folder.jpg", kind=tarfile.DIRTYPE),
)


def test_only_plain_members_with_paths_within_the_archive_can_become_clips(tmp_path):
    (tmp_path / "a.tar").write_bytes(packed(TREE, more=HOSTILE))
    usable, _ = named(scan(tmp_path), IMAGES)
    assert sorted(usable) == sorted(TREE)


def test_a_tar_within_a_tar_cannot_leave_the_source_either(tmp_path):
    inner = packed({"ok.jpg": picture(1)}, more=[*HOSTILE[:3], member("../../up.jpg", b"x")])
    (tmp_path / "all.tar").write_bytes(packed({"n01440764.tar": inner}))
    usable, _ = named(scan(tmp_path), IMAGES)
    assert all(path.startswith("n01440764/") and ".." not in path for path in usable)
    assert "n01440764/ok.jpg" in usable


def _with_size(size: int) -> bytes:
    """A header whose size is written in binary, as it may be also below zero."""
    head = bytearray(tarfile.TarInfo("a/x.jpg").tobuf(tarfile.GNU_FORMAT))
    head[124:136] = b"\xff" + size.to_bytes(11, "big", signed=True)
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


class _WithoutEnd(BaseException):
    """Nothing in between takes it for an error of its own."""


@contextlib.contextmanager
def _within(seconds: int) -> Iterator[None]:
    """Whatever would go on for ever is ended."""

    def end(*_: object) -> None:
        raise _WithoutEnd

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("packing", ["", "gz"])
@pytest.mark.parametrize("size", [-512, -1024, -2048, -(1 << 40)])
def test_a_size_below_zero_does_not_send_the_reader_back_for_ever(tmp_path, size, packing):
    with tarfile.open(fileobj=io.BytesIO(packed(TREE))) as archive:
        archive.getmembers()
        end = archive.offset
    data = packed(TREE)[:end] + _with_size(size) + bytes(10240)
    name = f"a.tar{packing and '.gz'}"
    (tmp_path / name).write_bytes(gzip.compress(data) if packing else data)
    with _within(10), pytest.raises((InputError, tarfile.TarError)):
        _stream(scan(tmp_path))


@pytest.mark.skipif(not shutil.which("tar"), reason="this machine has no tar")
def test_a_member_with_holes_does_not_spoil_the_others(tmp_path):
    source = lay(tmp_path / "source", {"a/1.jpg": picture(1), "a/2.jpg": picture(2)})
    with (source / "a/1.jpg").open("ab") as file:
        file.truncate(5_000_000)
    archive = tmp_path / "a.tar"
    subprocess.run(["tar", "--sparse", "-C", source, "-cf", archive, "a"], check=True)
    found = scan(archive)
    whole = {m.name: m for m in found.members}
    assert _content(found, whole["a/2.jpg"]) == picture(2)
    assert "a/1.jpg" not in whole or _content(found, whole["a/1.jpg"])[:100] == picture(1)[:100]


# -- damage


def _boundary(data: bytes) -> int:
    """Where the header of a member in the middle begins."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = [m.offset for m in archive if m.isreg()]
    return found[len(found) // 2]


def _damaged(data: bytes, how: str) -> bytes:
    at = _boundary(data)
    return {
        "cut within a member": data[: at + 700],
        "cut within a header": data[: at + 100],
        "cut between two members": data[:at],
        "a piece is missing": data[: at + 700] + data[at + 5000 :],
        "a header is overwritten": data[:at] + bytes(range(256)) * 2 + data[at + 512 :],
    }[how]


HOWS = (
    "cut within a member",
    "cut within a header",
    "cut between two members",
    "a piece is missing",
    "a header is overwritten",
)


@pytest.mark.parametrize("how", HOWS)
def test_a_damaged_tar_is_refused_by_name(tmp_path, how):
    tree = {f"a/{i}.jpg": picture(i) * 5 for i in range(8)}
    (tmp_path / "a.tar").write_bytes(_damaged(packed(tree), how))
    with pytest.raises(InputError, match=r"a\.tar.*damaged"):
        scan(tmp_path)


@pytest.mark.parametrize("how", HOWS)
def test_a_damaged_tar_within_a_tar_is_refused_by_name(tmp_path, how):
    tree = {f"{i}.jpg": picture(i) * 5 for i in range(8)}
    outer = packed({"n01440764.tar": packed(tree), "n01443537.tar": _damaged(packed(tree), how)})
    (tmp_path / "all.tar").write_bytes(outer)
    with pytest.raises(InputError, match=r"all\.tar.*damaged"):
        scan(tmp_path)


@pytest.mark.parametrize("how", HOWS)
def test_a_damaged_stream_never_just_ends(tmp_path, how):
    tree = {f"a/{i}.jpg": picture(i) * 5 for i in range(8)}
    data = gzip.compress(_damaged(packed(tree), how), 0)
    (tmp_path / "a.tar.gz").write_bytes(data)
    with pytest.raises((tarfile.TarError, EOFError, OSError)):
        _stream(scan(tmp_path))


# -- compressed archives and parts


@pytest.mark.parametrize(
    ("packing", "name"),
    [("gz", "a.tar.gz"), ("gz", "a.tgz"), ("bz2", "a.tar.bz2"), ("xz", "a.tar.xz")],
)
def test_a_compressed_archive_is_a_stream(tmp_path, packing, name):
    (tmp_path / name).write_bytes(packed(TREE, packing))
    found = scan(tmp_path)
    assert found.streams == ((name,),)
    assert _stream(found) == TREE
    assert scan(tmp_path / name).streams == ((name,),)


def _pieces(style: str) -> dict[str, bytes]:
    stem = "20bn-something-something-v2-"
    numbered = parts(packed(TREE, "gz"), stem, 3)
    return {
        "-00": numbered,
        ".tar.gz.aa": {
            f"v2.tar.gz.a{'abc'[i]}": piece for i, piece in enumerate(numbered.values())
        },
        ".part00": parts(packed(TREE, "gz"), "v2.tar.gz.part", 3),
        "a tar that is not compressed": parts(packed(TREE), "v2.tar.", 3),
        "zips": {f"{name}.zip": zipped(name, piece) for name, piece in numbered.items()},
        "zips with a folder": {
            f"{name}.zip": zipped(f"downloads/{name}", piece) for name, piece in numbered.items()
        },
        "called zip": {f"{name}.zip": piece for name, piece in numbered.items()},
        "some zipped": {
            f"{name}.zip" if i else name: zipped(name, piece) if i else piece
            for i, (name, piece) in enumerate(numbered.items())
        },
        "zips and what was in them": numbered
        | {f"{name}.zip": zipped(name, piece) for name, piece in numbered.items()},
    }[style]


@pytest.mark.parametrize(
    "style",
    [
        *("-00", ".tar.gz.aa", ".part00", "a tar that is not compressed", "zips"),
        *("zips with a folder", "called zip", "some zipped", "zips and what was in them"),
    ],
)
def test_the_parts_of_an_archive_are_read_as_one(tmp_path, style):
    lay(tmp_path / "videos", _pieces(style))
    found = scan(tmp_path)
    assert len(found.streams) == 1
    assert _stream(found) == TREE
    assert not found.members


@pytest.mark.parametrize("lost", [0, 1])
def test_a_part_that_is_missing_is_noticed(tmp_path, lost):
    pieces = _pieces("-00")
    missing = list(pieces)[lost]
    lay(tmp_path, {name: data for name, data in pieces.items() if name != missing})
    with pytest.raises((InputError, tarfile.TarError, EOFError, OSError, ValueError)):
        _stream(scan(tmp_path))


@pytest.mark.parametrize("how", ["cut short", "no zip inside", "of two files"])
def test_a_damaged_zip_around_a_part_is_damage_like_any_other(tmp_path, how):
    pieces = _pieces("zips")
    name = list(pieces)[1]
    two = io.BytesIO(pieces[name])
    with zipfile.ZipFile(two, "a") as archive:
        archive.writestr("second", b"x")
    pieces[name] = {
        "cut short": pieces[name][:-40],
        "no zip inside": b"PK\x03\x04" + bytes(400),
        "of two files": two.getvalue(),
    }[how]
    lay(tmp_path, pieces)
    with pytest.raises((InputError, tarfile.TarError), match=r"-0\d\.zip"):
        _stream(scan(tmp_path))


# -- the scan that was kept


def _with_index(folder: Path) -> tuple[Path, Path, Scan]:
    archive, index = folder / "in" / "all.tar", folder / "index.csv.gz"
    lay(folder / "in", {"all.tar": nested(trees.imagenet_train()), "beside.jpg": picture(1)})
    found = scan(folder / "in")
    save(found, index)
    return archive, index, found


def test_a_scan_that_was_kept_stands_for_reading_the_archive_again(tmp_path):
    archive, index, found = _with_index(tmp_path)
    assert scan(tmp_path / "in", index) == found
    stat = archive.stat()
    archive.write_bytes(archive.read_bytes()[:600] + bytes(stat.st_size - 600))
    os.utime(archive, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert scan(tmp_path / "in", index) == found, "its headers were read again"


@pytest.mark.parametrize("change", ["its time", "its size"])
def test_an_archive_that_has_changed_is_scanned_anew(tmp_path, change):
    archive, index, found = _with_index(tmp_path)
    tree = dict(list(trees.imagenet_train().items())[:-1])
    data = nested(tree)
    stat = archive.stat()
    archive.write_bytes(data.ljust(stat.st_size, b"\0") if change == "its time" else data)
    if change == "its size":
        os.utime(archive, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    else:
        os.utime(archive, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000_000))
    assert sorted(m.name for m in scan(tmp_path / "in", index).members) == sorted(tree)
    assert found.members


def test_a_kept_scan_that_is_torn_is_not_believed(tmp_path):
    _, index, found = _with_index(tmp_path)
    whole = index.read_bytes()
    for end in (0, 5, 30, len(whole) // 2, len(whole) - 4):
        index.write_bytes(whole[:end])
        assert scan(tmp_path / "in", index) == found
    for text in (b"", b"not,a\ntable", b"all.tar,1 2\n\nall.tar,x,y,z\n", b"\xff\xfe"):
        index.write_bytes(gzip.compress(text))
        assert scan(tmp_path / "in", index) == found


# -- how much is read


def _bytes_read() -> int:
    text = Path("/proc/self/io").read_text()
    return int(text.split("rchar: ")[1].split()[0])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="only Linux counts what is read")
def test_of_a_tar_little_more_than_the_headers_is_read(tmp_path):
    count, size = 200, 1 << 20
    with (tmp_path / "large.tar").open("wb") as file:
        for i in range(count):
            info = tarfile.TarInfo(f"n01440764/n01440764_{i}.JPEG")
            info.size = size
            file.write(info.tobuf(tarfile.GNU_FORMAT))
            file.seek(size, os.SEEK_CUR)
        file.write(bytes(1024))
    before = _bytes_read()
    found = scan(tmp_path / "large.tar")
    assert len(found.members) == count
    assert _bytes_read() - before < count * 2048 + 100_000


def test_a_member_of_any_declared_size_fills_no_disk(tmp_path, monkeypatch):
    """A few kilobytes of gzip may hold gigabytes of one byte."""
    monkeypatch.setattr("nanokinetics.sources.local.LARGEST_FILE", 10_000_000)
    members = {"a/1.mp4": b"\0" * 60_000_000, "a/2.mp4": b"small"}
    (tmp_path / "v.tar.gz").write_bytes(trees.packed(members, "gz"))
    folder = tmp_path / "tmp"
    folder.mkdir()
    files = LocalFiles(str(tmp_path), [("v.tar.gz",)])
    passed = [each for each in files.passing(lambda *_: True, folder) if isinstance(each, tuple)]
    arrived = {Path(member).name: path for _, member, path in passed}
    assert arrived["2.mp4"].read_bytes() == b"small"
    large = arrived["1.mp4"].stat()
    assert large.st_size == 10_000_001, "its size gets it refused"
    assert large.st_blocks * 512 < 1_000_000


def test_an_index_of_one_endless_line_is_not_read_into_memory(tmp_path):
    """The index of a dataset that was handed over may be a bomb."""
    (tmp_path / "v.tar").write_bytes(trees.packed({"a/1.jpg": b"x"}, ""))
    index = tmp_path / "index.csv.gz"
    index.write_bytes(gzip.compress(b"x" * 200_000_000, 1))
    tracemalloc.start()
    try:
        assert [each.name for each in scan(tmp_path, index).members] == ["a/1.jpg"]
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()

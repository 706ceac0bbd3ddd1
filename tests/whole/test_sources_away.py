"""A source that cannot be read says nothing of a clip; what it has again is asked for again."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trees
from helpers import FAST, WHEEL, Done, nanokinetics, read_table, whole_rows, write_csv
from trees import lay, packed, parts, picture, prefixed

from nanokinetics.errors import Reason
from nanokinetics.sources.reading import Root
from nanokinetics.sources.walk import identity_of

pytestmark = pytest.mark.slow

Run = Callable[..., Done]
CLASSES = {f"{c}/{c}{i}.jpg": picture(i + 10 * n) for n, c in enumerate("ab") for i in range(8)}
TEMPLATE = "Holding [something]"


def _rows(dest: Path) -> dict[str, tuple[str, str]]:
    return {row["key"]: (row["reason"], row["kind"]) for row in whole_rows(dest / "failed.csv")}


def _made(dest: Path) -> set[str]:
    return {row["key"] for row in read_table(dest / "stats.csv")}


# -- the whole source


@contextmanager
def _away(source: Path, *, empty: bool) -> Iterator[None]:
    """The source is gone; with `empty` an empty folder stands there, as a mount point does."""
    hidden = source.with_name("hidden")
    source.rename(hidden)
    if empty:
        source.mkdir()
    try:
        yield
    finally:
        if empty:
            source.rmdir()
        hidden.rename(source)


@pytest.mark.parametrize("empty", [False, True], ids=["gone", "an empty mount point"])
@pytest.mark.parametrize("place", ["copy", "transcode", "hardlink", "symlink"])
def test_a_source_that_goes_away_costs_no_clip(tmp_path, films, place, empty):
    tree = {
        f"{c}/{i}.mp4": trees.clip(films, 10 * n + i) for n, c in enumerate("ab") for i in range(30)
    }
    source = lay(tmp_path / "source", tree)
    command = ("build", "folder", "--src", source, "--n", "20", *FAST, "--place", place,
               "--dest", tmp_path / "dest", "--workers", "1", "--quiet")  # fmt: skip
    running = nanokinetics(*command, cwd=tmp_path)
    while not any((tmp_path / "dest").glob(".tmp/*/*")) and not running.over:
        time.sleep(0.002)
    with _away(source, empty=empty):
        done = running.wait()
    made = _made(tmp_path / "dest")
    assert set(_rows(tmp_path / "dest").values()) <= {("source_away", "transient")}
    if len(made) < 40:
        assert done.code == 3
        line, short = done.stderr.splitlines()
        assert "short: " in short
        assert "mount" in line
        assert str(source) in line
    assert nanokinetics(*command, cwd=tmp_path).wait().code == 0
    keys = {c: trees.first_ranked(f"{c}/{i}" for i in range(30))[:20] for c in "ab"}
    assert _made(tmp_path / "dest") == {key for each in keys.values() for key in each}


def test_a_short_absence_is_waited_for(tmp_path, run, monkeypatch):
    source = lay(tmp_path / "source", CLASSES)
    monkeypatch.setenv("NANOKINETICS_PATIENCE", "first_wait=0.5,longest_wait=8,attempts=6")
    index = source / "a"
    moved = threading.Event()

    def back() -> None:
        while not any((tmp_path / "dest").glob(".tmp/*")):
            time.sleep(0.005)
        index.rename(tmp_path / "a")
        moved.set()
        time.sleep(0.8)
        (tmp_path / "a").rename(index)

    thread = threading.Thread(target=back)
    thread.start()
    done = run("build", "folder", "--src", source, "--n", "8")
    thread.join()
    assert moved.is_set()
    assert (done.code, done.stderr) == (0, "")


# -- one file, and its folder


def test_a_file_is_gone_only_if_its_folder_and_its_source_are_well(tmp_path):
    source = lay(tmp_path / "source", {"a/1.jpg": b"x", "a/2.jpg": b"x", "b/3.jpg": b"x"})
    root = Root(str(source), identity_of(source))
    gone = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def reason(path: str, error: OSError = gone, root: Root = root) -> Reason:
        return root.failure(f"{source}/{path}", error).reason

    (source / "a/1.jpg").unlink()
    assert reason("a/1.jpg") is Reason.NOT_FOUND
    (source / "b/3.jpg").unlink()
    assert reason("b/3.jpg") is Reason.SOURCE_AWAY, "its folder is empty: perhaps a mount point"
    assert reason("c/4.jpg") is Reason.SOURCE_AWAY, "its folder is gone"
    (source / "a/5.jpg").symlink_to("/nowhere")
    assert reason("a/5.jpg") is Reason.SOURCE_AWAY, "what the link leads to is gone"
    assert reason("a/1.jpg", root=Root(str(source), (1, 1))) is Reason.SOURCE_AWAY
    for number in (errno.EIO, errno.ESTALE, errno.EACCES, errno.ENOTCONN, errno.ETIMEDOUT,
                   errno.EHOSTDOWN, errno.ENODEV, errno.ELOOP):  # fmt: skip
        assert reason("a/2.jpg", OSError(number, "why")) is Reason.SOURCE_AWAY
    shutil.rmtree(source)
    assert reason("a/1.jpg") is Reason.SOURCE_AWAY


def _without_rights(*command: str | Path, cwd: Path) -> Done:
    """Run the command as a user who may not read everything."""
    argv = [sys.executable, "-m", "nanokinetics", *map(str, command)]
    if os.geteuid() == 0:
        lost = "-dac_override,-dac_read_search"
        argv = ["setpriv", "--bounding-set", lost, "--inh-caps", lost, *argv]
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


needs_rights = pytest.mark.skipif(
    os.name != "posix" or (os.geteuid() == 0 and not shutil.which("setpriv")),
    reason="this user may read everything",
)


@needs_rights
def test_files_that_may_not_be_read_wait_and_are_one_line(tmp_path):
    source = lay(tmp_path / "source", CLASSES)
    command = ("build", "folder", "--src", source, "--n", "4", *FAST, "--dest", "dest", "--quiet")
    denied = list((source / "a").iterdir())
    for path in denied:
        path.chmod(0)
    done = _without_rights(*command, cwd=tmp_path)
    assert done.code == 3
    line, short = done.stderr.splitlines()
    assert "short: " in short
    assert "Permission denied" in line
    assert "4 clips are left for the next run" in line
    assert set(_rows(tmp_path / "dest").values()) == {("source_away", "transient")}
    for path in denied:
        path.chmod(0o644)
    assert _without_rights(*command, cwd=tmp_path).code == 0


@needs_rights
def test_what_may_lie_in_a_denied_folder_waits(tmp_path, films):
    videos = trees.ssv2_videos(films)
    source = lay(tmp_path / "source", prefixed("x/", videos) | trees.ssv2_annotations())
    lost = min((source / "x").iterdir())
    (source / "more").mkdir()
    lost.rename(source / "more" / lost.name)
    (source / "more").chmod(0)
    command = ("build", "ssv2", "--src", source, "--n", "9", "--split", "train", *FAST,
               "--dest", "dest", "--quiet")  # fmt: skip
    done = _without_rights(*command, cwd=tmp_path)
    (source / "more").chmod(0o755)
    assert done.code == 3
    assert _rows(tmp_path / "dest").get(lost.stem, ("source_away", "transient")) == (
        "source_away",
        "transient",
    )
    assert not [r for r, _ in _rows(tmp_path / "dest").values() if r == "not_found"]
    _without_rights(*command, cwd=tmp_path)
    assert lost.stem in _made(tmp_path / "dest") or "not_found" in str(_rows(tmp_path / "dest"))


@needs_rights
@pytest.mark.parametrize("name", ["lost+found", "System Volume Information", "bird"])
def test_a_denied_folder_that_is_not_needed_stops_nothing(tmp_path, name):
    source = lay(tmp_path / "source", CLASSES)
    (source / name).mkdir(mode=0)
    command = ("build", "folder", "--src", source, "--n", "1", *FAST, "--dest", "dest")
    done = _without_rights(*command, "--classes", "a,b", cwd=tmp_path)
    assert done.code == 0
    assert ("'bird': Permission denied" in done.stderr) == (name == "bird")
    done = _without_rights(*command, cwd=tmp_path)
    assert done.code == (2 if name == "bird" else 0)
    if name == "bird":
        (line,) = done.stderr.splitlines()
        assert "--classes" in line
        assert str(source / "bird") in line


# -- what was not found


def _ssv2(source: Path, films: Path, ids: tuple[str, ...] = ("1001", "1002")) -> dict[str, bytes]:
    items = ", ".join(f'{{"id": "{id_}", "template": "{TEMPLATE}"}}' for id_ in ids)
    lay(source, {"train.json": f"[{items}]".encode(), "labels.json": b'{"Holding something": "0"}'})
    return {f"{id_}.webm": trees.clip(films, int(id_), "webm") for id_ in ids}


@pytest.mark.parametrize("packing", ["folder", "tar", "tgz", "zip"])
def test_a_file_that_was_not_there_is_asked_for_again_once_it_is(tmp_path, run, films, packing):
    source = tmp_path / "source"
    videos = _ssv2(source, films)
    command = ("build", "ssv2", "--src", source, "--n", "2")

    def put(tree: dict[str, bytes]) -> None:
        name = f"videos.{packing}"
        if packing == "folder":
            lay(source / "v", tree)
        elif packing == "zip":
            (source / name).write_bytes(trees.zipped(*next(iter(tree.items()))))
            if len(tree) > 1:
                import zipfile

                with zipfile.ZipFile(source / name, "w") as archive:
                    for member, data in tree.items():
                        archive.writestr(member, data)
        else:
            (source / name).write_bytes(packed(tree, "gz" if packing == "tgz" else ""))

    put({"1001.webm": videos["1001.webm"]})
    assert run(*command).code == 3
    assert _rows(tmp_path / "dest") == {"1002": ("not_found", "permanent")}
    before = (tmp_path / "dest/failed.csv").read_bytes()
    assert run(*command).code == 3
    assert (tmp_path / "dest/failed.csv").read_bytes() == before, "nothing has changed"
    put(videos)
    done = run(*command)
    assert (done.code, done.stderr) == (0, "")
    assert _made(tmp_path / "dest") == {"1001", "1002"}


def test_what_an_older_run_wrote_off_in_a_stream_is_asked_for_once_more(tmp_path, run, films):
    source = tmp_path / "source"
    videos = _ssv2(source, films)
    (source / "v.tgz").write_bytes(packed({"1001.webm": videos["1001.webm"]}, "gz"))
    command = ("build", "ssv2", "--src", source, "--n", "2")
    assert run(*command).code == 3
    failed = tmp_path / "dest/failed.csv"
    text = failed.read_text()
    assert " (archives as of " in text
    at = text.index(" (archives")
    failed.write_text(text[:at] + text[text.index(")", at) + 1 :])
    assert run(*command).code == 3
    assert len(whole_rows(failed)) == 2
    assert run(*command).code == 3
    assert len(whole_rows(failed)) == 2


def test_a_list_takes_from_an_archive_the_file_it_names_and_no_other_of_that_name(tmp_path, run):
    tree = {"x/1.jpg": picture(1), "y/1.jpg": picture(2)}
    source = lay(tmp_path / "source", {"all.tgz": packed(tree, "gz")})
    listing = lay(tmp_path, {"train.txt": b"y/1.jpg b\nz/2.jpg b\n"}) / "train.txt"
    assert run("build", "folder", "--src", source, "--list", listing, "--n", "2").code == 3
    assert (tmp_path / "dest/train/b/y_1.jpg").read_bytes() == picture(2)
    assert _rows(tmp_path / "dest") == {"z/2": ("not_found", "permanent")}


# -- archives


def test_numbered_whole_archives_are_all_read(tmp_path, run, films):
    source = tmp_path / "source"
    ids = tuple(str(1001 + i) for i in range(6))
    videos = list(_ssv2(source, films, ids).items())
    for i in range(3):
        data = packed(dict(videos[2 * i : 2 * i + 2]), "gz")
        (source / f"videos_0{i + 1}.tgz").write_bytes(data)
    done = run("build", "ssv2", "--src", source, "--n", "6")
    assert (done.code, done.stderr) == (0, "")
    assert _made(tmp_path / "dest") == set(ids)


@pytest.mark.parametrize("dataset", ["folder", "imagenet"])
@pytest.mark.parametrize("packing", ["tgz", "tar.xz", "zip", "tar"])
def test_a_build_from_a_packed_source_equals_the_one_from_folders(tmp_path, run, dataset, packing):
    tree = {
        f"{s}/{w}/{w}_{s}{i}.JPEG": picture(100 * n + 10 * m + i)
        for n, s in enumerate(("train", "val"))
        for m, w in enumerate(("n01440764", "n01443537"))
        for i in range(4)
    }
    lay(tmp_path / "plain", tree)
    (tmp_path / "packed").mkdir()
    archive = tmp_path / f"packed/all.{packing}"
    if packing == "zip":
        shutil.make_archive(str(archive.with_suffix("")), "zip", tmp_path / "plain")
    else:
        archive.write_bytes(packed(tree, {"tgz": "gz", "tar": ""}.get(packing, "xz")))
    made = {}
    for name, source in {"plain": tmp_path / "plain", "packed": archive}.items():
        done = run("build", dataset, "--src", source, "--n", "2", "--dest", tmp_path / name / "d")
        assert (done.code, done.stderr) == (0, "")
        dest = tmp_path / name / "d"
        made[name] = {
            path.relative_to(dest): path.read_bytes()
            for path in dest.glob("*/*/*")
            if path.is_file()
        }
        assert run("build", dataset, "--src", source, "--n", "3", "--dest", dest).code == 0
    assert made["plain"] == made["packed"]
    assert len(made["plain"]) == 8


@pytest.mark.parametrize("what", ["a part is gone", "the archive is gone", "its place has changed"])
def test_an_archive_that_changes_while_it_is_read_costs_no_clip(tmp_path, films, what):
    videos = {f"a/{i}.webm": trees.clip(films, i, "webm") for i in range(40)}
    source = tmp_path / "source"
    plain = packed(videos)
    if what == "a part is gone":
        lay(source, parts(packed(videos, "gz"), "k-", 4))
    else:
        lay(source, {"all.tar": plain})
    command = ("build", "folder", "--src", source, "--n", "30", *FAST, "--place", "transcode",
               "--dest", tmp_path / "dest", "--workers", "1", "--quiet")  # fmt: skip
    running = nanokinetics(*command, cwd=tmp_path)
    while not any((tmp_path / "dest").glob(".tmp/*/*")) and not running.over:
        time.sleep(0.002)
    name = "k-02" if what == "a part is gone" else "all.tar"
    data = (source / name).read_bytes()
    (source / name).unlink()
    if what == "its place has changed":
        (source / name).write_bytes(b"\1" * 512 * 7 + data)
    (source / "other").write_bytes(b"x")  # the folder is well
    done = running.wait()
    (source / name).write_bytes(data)
    (source / "other").unlink()
    reasons = set(_rows(tmp_path / "dest").values())
    assert reasons <= {("archive_damaged", "transient"), ("source_away", "transient")}
    if reasons:
        assert done.code == 3
        assert name in done.stderr
    assert nanokinetics(*command, cwd=tmp_path).wait().code == 0
    assert len(_made(tmp_path / "dest")) == 30


def test_what_may_lie_in_an_archive_of_another_kind_waits(tmp_path, run, films):
    source = tmp_path / "source"
    videos = _ssv2(source, films)
    lay(source, {"1001.webm": videos["1001.webm"], "more.rar": b"Rar!\x1a\x07\x01\x00"})
    done = run("build", "ssv2", "--src", source, "--n", "2")
    assert done.code == 3
    assert "more.rar" in done.stderr
    assert "unrar" in done.stderr
    assert _rows(tmp_path / "dest") == {"1002": ("archive_damaged", "transient")}
    (source / "more.rar").unlink()
    lay(source, {"1002.webm": videos["1002.webm"]})
    assert run("build", "ssv2", "--src", source, "--n", "2").code == 0


def test_a_damaged_member_of_a_zip_waits_and_the_zip_is_named(tmp_path, run):
    source = lay(tmp_path / "plain", CLASSES)
    archive = Path(shutil.make_archive(str(tmp_path / "all"), "zip", source))
    data = bytearray(archive.read_bytes())
    at = data.index(b"a/a1.jpg") + 60
    data[at : at + 8] = bytes(8)
    archive.write_bytes(data)
    done = run("build", "folder", "--src", archive, "--n", "8")
    assert done.code == 3
    assert "all.zip" in done.stderr
    assert _rows(tmp_path / "dest") == {"a/a1": ("archive_damaged", "transient")}


@pytest.mark.parametrize("kind", ["empty", "a page", "cut short"])
def test_an_archive_that_is_none_ends_the_run_before_anything_is_made(tmp_path, run, films, kind):
    source = tmp_path / "source"
    videos = _ssv2(source, films)
    data = packed(videos, "gz")
    bad = {"empty": b"", "a page": b"<html>", "cut short": data[: len(data) // 2]}[kind]
    (source / "videos.tar.gz").write_bytes(bad)
    done = run("build", "ssv2", "--src", source, "--n", "2")
    assert "videos.tar.gz" in done.stderr
    assert done.code == (3 if kind == "cut short" else 2)
    assert {kind for _, kind in _rows(tmp_path / "dest").values()} <= {"transient"}
    (source / "videos.tar.gz").write_bytes(data)
    assert run("build", "ssv2", "--src", source, "--n", "2").code == 0


def test_a_part_of_damaged_gzip_among_good_archives_is_the_one_that_is_named(tmp_path, run, films):
    source = tmp_path / "source"
    ids = tuple(str(1001 + i) for i in range(4))
    videos = list(_ssv2(source, films, ids).items())
    (source / "v_1.tgz").write_bytes(packed(dict(videos[:2]), "gz"))
    (source / "v_2.tgz").write_bytes(gzip.compress(packed(dict(videos[2:]))[:900]))
    done = run("build", "ssv2", "--src", source, "--n", "4")
    assert done.code == 3
    assert "v_2.tgz" in done.stderr
    assert _made(tmp_path / "dest") == set(ids[:2])
    assert set(_rows(tmp_path / "dest").values()) == {("archive_damaged", "transient")}


# -- verdicts on files


def test_empty_files_and_sound_alone_are_verdicts_on_the_file(tmp_path, run):

    source = lay(
        tmp_path / "source", {"c/empty.mp4": b"", "c/none.jpg": b"", "c/1.jpg": picture(1)}
    )
    subprocess.run(
        [WHEEL, "-v", "error", "-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", source / "c/a.mp4"],
        check=True,
    )
    for place in ("copy", "transcode"):
        dest = tmp_path / place
        done = run("build", "folder", "--src", source, "--n", "4", "--place", place, "--dest", dest)
        assert done.code == 3
        (short,) = done.stderr.splitlines()
        assert "short: " in short
        failed = {
            row["key"]: (row["reason"], row["message"]) for row in whole_rows(dest / "failed.csv")
        }
        assert failed == {
            "c/empty": ("undecodable", "the file is empty"),
            "c/none": ("undecodable", "the file is empty"),
            "c/a": ("no_video_stream", "it holds sound, and no video"),
        }


def test_thumbnails_and_litter_change_nothing_of_a_build(tmp_path, run, films):
    videos = {f"a/{i}.mp4": trees.clip(films, i) for i in range(4)}
    litter = {f"a/{i}.jpg": picture(i) for i in range(4)} | {"a/@eaDir/x.jpg": picture(9)}
    source = lay(tmp_path / "source", videos | litter)
    done = run("build", "folder", "--src", source, "--n", "3")
    assert (done.code, done.stderr) == (0, "")
    assert {path.suffix for path in (tmp_path / "dest/train/a").iterdir()} == {".mp4"}


@pytest.mark.parametrize("named", ["{0}_{1:06d}_{2:06d}", "{0}_{1}_{2}"])
def test_trimmed_clips_by_the_names_of_several_crawlers(tmp_path, run, films, named):
    rows = trees.kinetics_rows(("a", "b"), 2)
    tree = {
        f"train/{row.label}/{named.format(row.youtube_id, int(row.start), int(row.end))}.mp4":
        trees.clip(films, i) for i, row in enumerate(rows)
    }  # fmt: skip
    done = run("build", "kinetics", "--source", "local", "--src", lay(tmp_path / "source", tree),
               "--n", "2", "--annotations", write_csv(tmp_path / "k.csv", rows))  # fmt: skip
    assert (done.code, done.stderr) == (0, "")
    assert {row["trim_seconds"] for row in read_table(tmp_path / "dest/stats.csv")} == {"0.000"}

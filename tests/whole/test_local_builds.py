"""Builds from local sources: the right files, untouched sources, and damage that harms nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
import trees
from helpers import (
    FAST,
    FFMPEGS,
    WHEEL,
    Done,
    Row,
    ended_at_last,
    kept,
    nanokinetics,
    ranked,
    read_table,
    snapshot,
    whole_rows,
    write_csv,
)
from trees import WNIDS, lay, nested, packed, parts, picture, prefixed, zipped

from nanokinetics.clip import Clip, Job, Made, Outcome
from nanokinetics.clips.ffmpeg import find_ffmpeg
from nanokinetics.clips.maker import MakerConfig
from nanokinetics.clips.whole import WholeMaker
from nanokinetics.config import VideoConfig
from nanokinetics.demo.films import read_frame_numbers
from nanokinetics.layout import TEMPORARY, Layout
from nanokinetics.sources.local import SMALL_FILES, Local

pytestmark = pytest.mark.slow

Run = Callable[..., Done]
LABELS = ("training dog", "massaging person's head")


def _files(dest: Path) -> dict[str, bytes]:
    """The clips of a dataset, by their paths."""
    return {
        p.relative_to(dest).as_posix(): p.read_bytes()
        for split in ("train", "val", "test")
        for p in (dest / split).rglob("*")
        if p.is_file() and p.suffix != ".csv"
    }


def _is_sound(dest: Path) -> None:
    """Each row has its file and each file its row, and nothing half-made is left."""
    stats = read_table(dest / "stats.csv")
    files = _files(dest)
    assert sorted(row["path"] for row in stats) == sorted(files)
    for row in stats:
        data = files[row["path"]]
        assert (row["bytes"], row["sha256"]) == (str(len(data)), hashlib.sha256(data).hexdigest())
    listed = [
        line.rsplit(" ", 1)[0]
        for name in ("train.csv", "val.csv", "test.csv")
        if (dest / name).exists()
        for line in (dest / name).read_text().splitlines()
    ]
    assert sorted(listed) == sorted(files)
    assert not (dest / ".tmp").exists()


def _reasons(dest: Path) -> dict[str, str]:
    return {row["key"]: row["reason"] for row in read_table(dest / "failed.csv")}


def _one_line(done: Done, code: int, *words: str) -> None:
    assert done.code == code, done
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("nanokinetics: ")]
    assert "this should not have happened" not in line
    for word in words:
        assert word in line, line


# -- ImageNet: the folder and the archives

TRAIN, VAL = trees.imagenet_train(), trees.imagenet_val()


def _imagenet(n: int, dead: Iterable[str] = ()) -> dict[str, bytes]:
    """The files of a nano-ImageNet, from the contract alone."""
    groups: dict[tuple[str, str], dict[str, bytes]] = {}
    for name, data in TRAIN.items():
        groups.setdefault(("train", name.split("/")[0]), {})[name.removesuffix(".JPEG")] = data
    for name, data in VAL.items():
        wnid = trees.validation_wnid(int(name[15:23]))
        groups.setdefault(("val", wnid), {})[name.removesuffix(".JPEG")] = data
    return {
        f"{split}/{wnid}/{key.split('/')[-1]}.JPEG": keys[key]
        for (split, wnid), keys in groups.items()
        for key in [k for k in trees.first_ranked(keys) if k not in dead][:n]
    }


def _sources(folder: Path) -> dict[str, Path]:
    return {
        "folders": lay(
            folder / "folders",
            prefixed("train/", TRAIN) | prefixed("val/", trees.by_class(VAL)),
        ),
        "archives": lay(
            folder / "archives",
            {"ILSVRC2012_img_train.tar": nested(TRAIN), "ILSVRC2012_img_val.tar": packed(VAL)}
            | trees.truth(),
        ),
    }


def test_imagenet_is_the_same_from_folders_and_archives_and_can_go_over_to_the_other(tmp_path, run):
    sources = _sources(tmp_path)
    before = {name: snapshot(source) for name, source in sources.items()}
    for n, name in enumerate(("folders", "archives", "folders"), 1):
        done = run("build", "imagenet", "--src", sources[name], "--n", str(n))
        assert (done.code, done.stderr) == (0, "")
        assert _files(tmp_path / "dest") == _imagenet(n)
        _is_sound(tmp_path / "dest")
    assert {name: snapshot(source) for name, source in sources.items()} == before
    sizes = {
        (r["width"], r["height"], r["frames"]) for r in read_table(tmp_path / "dest/stats.csv")
    }
    assert sizes == {("48", "32", "1")}


def test_a_second_run_changes_nothing(tmp_path, run):
    source = _sources(tmp_path)["archives"]
    command = ("build", "imagenet", "--src", source, "--n", "2")
    assert run(*command).code == 0
    before = snapshot(tmp_path / "dest")
    assert run(*command).code == 0
    assert snapshot(tmp_path / "dest") == before


@pytest.mark.parametrize(
    ("changed", "word"), [(("--place", "hardlink"), "place"), (("--seed", "1"), "seed")]
)
def test_what_would_contradict_the_folder_is_refused(tmp_path, run, changed, word):
    source = _sources(tmp_path)["folders"]
    command = ("build", "imagenet", "--src", source, "--n", "1", "--split", "train")
    assert run(*command).code == 0
    before = snapshot(tmp_path / "dest")
    _one_line(run(*command, *changed), 2, word)
    assert snapshot(tmp_path / "dest") == before


# -- how files are placed


@pytest.mark.parametrize("place", ["copy", "hardlink", "symlink"])
def test_files_are_placed_as_asked_and_the_source_stays_as_it_was(tmp_path, run, films, place):
    tree = {f"a b/{i}.JPEG": picture(i) for i in range(3)}
    tree |= {f"c/{i}.webm": trees.clip(films, i, "webm") for i in range(3)}
    source = lay(tmp_path / "source", tree)
    before = snapshot(source)
    done = run("build", "folder", "--src", source, "--n", "2", "--place", place)
    assert (done.code, done.stderr) == (0, "")
    assert snapshot(source) == before
    _is_sound(tmp_path / "dest")
    rows = read_table(tmp_path / "dest/stats.csv")
    assert len(rows) == 4
    for row in rows:
        made = tmp_path / "dest" / row["path"]
        (origin,) = source.glob(f"{row['key']}.*")
        assert made.read_bytes() == origin.read_bytes()
        assert made.is_symlink() == (place == "symlink")
        assert (made.stat().st_ino == origin.stat().st_ino) == (place != "copy")
        if place == "symlink":
            assert made.readlink() == origin.resolve()


@pytest.mark.parametrize("kind", trees.PLAYLISTS)
@pytest.mark.parametrize("place", ["copy", "transcode", "symlink"])
@pytest.mark.parametrize("ffmpeg", FFMPEGS)
def test_a_playlist_is_no_video_and_brings_nothing_in(tmp_path, run, films, ffmpeg, place, kind):
    secret = tmp_path / "private" / "secret.ts"
    secret.parent.mkdir()
    argv = [WHEEL, "-v", "error", "-i", trees.film(films), "-c", "copy", secret]
    subprocess.run(list(map(str, argv)), check=True)
    text = trees.playlist(kind, str(secret), "near.bin")
    tree = {"yoga/evil.mp4": text.encode(), "yoga/near.bin": secret.read_bytes()}
    source = lay(tmp_path / "source", tree | {"yoga/good.mp4": trees.clip(films, 0)})
    how = ("--place", place, "--ffmpeg", ffmpeg)
    assert run("build", "folder", "--src", source, "--n", "2", *how).code == 3
    (failed,) = read_table(tmp_path / "dest/failed.csv")
    assert (failed["key"], failed["reason"]) == ("yoga/evil", "undecodable")
    (made,) = read_table(tmp_path / "dest/stats.csv")
    assert made["key"] == "yoga/good"
    assert [path.name for path in (tmp_path / "dest").rglob("*.mp4")] == ["good.mp4"]


def test_hard_links_across_file_systems_end_with_one_clear_line(tmp_path, run):
    other = Path("/dev/shm")  # noqa: S108 - another file system, on most machines
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    source = lay(tmp_path / "source", {f"a/{i}.jpg": picture(i) for i in range(3)})
    with tempfile.TemporaryDirectory(dir=other) as folder:
        dest = Path(folder) / "dest"
        done = run("build", "folder", "--src", source, "--n", "1", "--place", "hardlink",
                   "--dest", dest)  # fmt: skip
        _one_line(done, 1, "hard link", "--place copy")
        assert _files(dest) == {}


def test_transcoding_gives_h264_at_the_capped_resolution_and_the_right_length(tmp_path, run, films):
    kinds = ("mp4", "webm", "mkv")
    tree = {f"a/{i}.{kind}": trees.clip(films, i, kind) for i, kind in enumerate(kinds)}
    source = lay(tmp_path / "source", tree)
    done = run("build", "folder", "--src", source, "--n", "3", "--transcode", "--resolution", "64")
    assert (done.code, done.stderr) == (0, "")
    _is_sound(tmp_path / "dest")
    for row in read_table(tmp_path / "dest/stats.csv"):
        made = tmp_path / "dest" / row["path"]
        assert made.suffix == ".mp4"
        said = subprocess.run([WHEEL, "-i", made], capture_output=True, text=True, check=False)
        assert "Video: h264" in said.stderr
        assert (row["width"], row["height"]) == ("86", "64")
        assert row["frames"] == "10"
        assert row["duration"] == "1.000"


@pytest.mark.parametrize("sound", [1.4, 4])
def test_a_video_whose_sound_is_longer_than_its_picture_is_whole(tmp_path, run, sound):
    (tmp_path / "source/a").mkdir(parents=True)
    made = tmp_path / "source/a/1.mp4"
    command = [WHEEL, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=96x64:r=10:d=1"]
    command += ["-f", "lavfi", "-i", f"sine=d={sound}", "-preset", "ultrafast", made]
    subprocess.run(command, check=True)
    done = run("build", "folder", "--src", tmp_path / "source", "--n", "1", "--transcode")
    assert (done.code, done.stderr) == (0, "")
    assert [r["frames"] for r in read_table(tmp_path / "dest/stats.csv")] == ["10"]


# -- Kinetics

ROWS = trees.kinetics_rows(LABELS, 4)
MANY = trees.kinetics_rows(LABELS, 8)


def _layouts(clips: trees.Tree) -> dict[str, dict[str, bytes]]:
    by_key = {Path(name).stem: (name, data) for name, data in clips.items()}
    in_classes = {row: by_key[row.key] for row in ROWS}
    flat = dict(clips)
    return {
        "flat": flat,
        "in parts": prefixed("k400/train/", flat),
        "by class": {f"{row.label}/{name}": data for row, (name, data) in in_classes.items()},
        "by class with underscores": {
            f"train/{row.label.replace(' ', '_')}/{name}": data
            for row, (name, data) in in_classes.items()
        },
        "tar": {"part_0.tar": packed(flat, prefix="./")},
        "tars": {
            f"part_{i}.tar": packed({name: flat[name] for name in list(flat)[i::2]})
            for i in range(2)
        },
        "tar.gz": {"part_0.tar.gz": packed(flat, "gz")},
        "tars, compressed": {
            f"part_{i}.tar.gz": packed({name: flat[name] for name in list(flat)[i::2]}, "gz")
            for i in range(2)
        },
    }


@pytest.mark.parametrize(
    "layout",
    [
        *("flat", "in parts", "by class", "by class with underscores"),
        *("tar", "tars", "tar.gz", "tars, compressed"),
    ],
)
def test_kinetics_is_the_same_from_every_layout(tmp_path, run, films, layout):
    clips = trees.kinetics_clips(films, ROWS, ("mp4", "mkv", "webm"))
    source = lay(tmp_path / "source", _layouts(clips)[layout])
    before = snapshot(source)
    done = run("build", "kinetics", "--source", "local", "--src", source, "--n", "2",
               "--annotations", write_csv(tmp_path / "k.csv", ROWS))  # fmt: skip
    assert (done.code, done.stderr) == (0, "")
    by_stem = {Path(name).stem: (Path(name).suffix, data) for name, data in clips.items()}
    assert _files(tmp_path / "dest") == {
        row.path.removesuffix(".mp4") + by_stem[row.key][0]: by_stem[row.key][1]
        for row in kept(ROWS, 2)
    }
    _is_sound(tmp_path / "dest")
    assert snapshot(source) == before


WHOLE = [
    Row("a b", "k0000000001", 2, 3.5),
    Row("a b", "k0000000001", 7, 8),
    Row("a b", "-0000000002", 0, 1),
    Row("c", "k0000000003", 10.5, 12),
    Row("c", "k0000000004", 30, 40),
]
"""Two windows of one video; one that reaches to the end, and one that lies behind it."""


@pytest.mark.parametrize("packing", ["folder", "tar", "tar.gz"])
def test_whole_videos_are_cut_to_their_windows(tmp_path, run, films, packing):
    data = trees.film(films, shown=trees.LONG).read_bytes()
    tree = {f"{name}.mp4": data for name in sorted({row.youtube_id for row in WHOLE})}
    tree = {
        "folder": tree,
        "tar": {"all.tar": packed(tree)},
        "tar.gz": {"all.tar.gz": packed(tree, "gz")},
    }[packing]
    source = lay(tmp_path / "source", tree)
    before = snapshot(source)
    done = run("build", "kinetics", "--source", "local", "--src", source, "--n", "3",
               "--annotations", write_csv(tmp_path / "k.csv", WHOLE))  # fmt: skip
    assert done.code == 3
    (short,) = done.stderr.splitlines()
    assert short.endswith("short: c (train) has 1 of 3")
    assert snapshot(source) == before
    _is_sound(tmp_path / "dest")
    assert set(_files(tmp_path / "dest")) == {row.path for row in WHOLE[:4]}
    for row in WHOLE[:4]:
        numbers = read_frame_numbers(tmp_path / "dest" / row.path, WHEEL)
        assert numbers == list(range(round(row.start * 10), round(row.end * 10))), row
    assert _reasons(tmp_path / "dest") == {WHOLE[4].key: "outside_video"}


@pytest.mark.parametrize("packing", ["folder", "tar", "tar.gz"])
def test_a_thumbnail_is_not_taken_for_its_video(tmp_path, run, films, packing):
    clips = trees.kinetics_clips(films, ROWS)
    tree = {f"{Path(name).stem}.{kind}": picture(9) for name in clips for kind in ("jpg", "webp")}
    tree |= clips
    tree = {"folder": tree, "tar": {"all.tar": packed(tree)},
            "tar.gz": {"all.tar.gz": packed(tree, "gz")}}[packing]  # fmt: skip
    done = run("build", "kinetics", "--source", "local", "--src", lay(tmp_path / "source", tree),
               "--n", "2", "--annotations", write_csv(tmp_path / "k.csv", ROWS))  # fmt: skip
    assert (done.code, done.stderr) == (0, "")
    assert set(_files(tmp_path / "dest")) == {row.path for row in kept(ROWS, 2)}


def test_hostile_members_of_a_stream_leave_nothing_outside(tmp_path, run, films):
    clips = trees.kinetics_clips(films, ROWS)
    first, second, third = (row for row in ranked(ROWS)["train", LABELS[0]][:3])
    more = [
        trees.member(f"._{first.key}.mp4", b"a twin"),
        trees.member(f"{first.key}.mp4", kind=tarfile.SYMTYPE, link="/etc/passwd"),
        trees.member(f"{second.key}.mp4", kind=tarfile.LNKTYPE, link=f"{first.key}.mp4"),
        trees.member(f"{third.key}.mp4", kind=tarfile.FIFOTYPE),
        trees.member("../../escaped.mp4", b"x"),
        trees.member(str(tmp_path / "escaped.mp4"), b"x"),
    ]
    source = lay(tmp_path / "source", {"all.tar.gz": packed(clips, "gz", more=more)})
    done = run("build", "kinetics", "--source", "local", "--src", source, "--n", "3",
               "--annotations", write_csv(tmp_path / "k.csv", ROWS))  # fmt: skip
    assert (done.code, done.stderr) == (0, "")
    made = _files(tmp_path / "dest")
    assert made == {row.path: clips[f"{row.key}.mp4"] for row in kept(ROWS, 3)}
    assert {p.name for p in tmp_path.iterdir()} <= {"source", "dest", "k.csv", "failed_logs"}


@pytest.mark.parametrize("packing", ["folder", "tar", "tar.gz"])
def test_one_window_with_two_labels_is_two_clips(tmp_path, run, films, packing):
    rows = [Row(label, "k0000000001", 10, 11) for label in ("a", "b")]
    clips = {f"{rows[0].key}.mp4": trees.clip(films, 1)}
    tree = {"folder": clips, "tar": {"all.tar": packed(clips)},
            "tar.gz": {"all.tar.gz": packed(clips, "gz")}}[packing]  # fmt: skip
    done = run("build", "kinetics", "--source", "local", "--src", lay(tmp_path / "source", tree),
               "--n", "1", "--annotations", write_csv(tmp_path / "k.csv", rows))  # fmt: skip
    assert (done.code, done.stderr) == (0, "")
    (data,) = clips.values()
    assert _files(tmp_path / "dest") == {row.path: data for row in rows}
    _is_sound(tmp_path / "dest")


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="only Linux counts what is read")
def test_a_stream_is_read_once_for_all_that_is_wanted_of_it(tmp_path, films):
    clips = trees.kinetics_clips(films, MANY)
    # What nobody wants stands before, between and after.
    bulk = {f"bulk{i}": random.Random(i).randbytes(2_000_000) for i in range(3)}  # noqa: S311
    names = list(clips)
    tree = {f"{name}.mp4": data for name, data in bulk.items()}
    tree = dict(zip([*names[:3], "bulk0.mp4", *names[3:], "bulk1.mp4", "bulk2.mp4"],
                    [*(clips[n] for n in names[:3]), tree["bulk0.mp4"],
                     *(clips[n] for n in names[3:]), *list(tree.values())[1:]],
                    strict=True))  # fmt: skip
    data = packed(tree, "gz")
    lay(tmp_path / "source", {"all.tar.gz": data})
    wanted = [Clip(r.key, r.split, r.label, r.youtube_id, r.start, r.end) for r in MANY[::2]]
    outcomes, read = _placed(tmp_path, wanted)
    assert {each.clip for each in outcomes} == set(wanted)
    assert all(isinstance(each, Made) for each in outcomes)
    copied = sum(each.bytes for each in outcomes if isinstance(each, Made))
    assert read < len(data) + 4 * copied + 500_000


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="only Linux counts what is read")
def test_a_stream_is_read_no_further_than_the_last_that_is_wanted_of_it(tmp_path):
    tree = {f"a/{i}.jpg": picture(i) for i in range(SMALL_FILES + 1)}
    tree |= {f"a/bulk{i}.jpg": random.Random(i).randbytes(2_000_000) for i in range(3)}  # noqa: S311
    lay(tmp_path / "source", {"all.tar.gz": packed(tree, "gz")})
    for count in (SMALL_FILES, SMALL_FILES + 1):  # also where one batch ends
        wanted = [Clip(str(i), "train", "a") for i in range(count)]
        outcomes, read = _placed(tmp_path, wanted)
        assert [each.clip for each in outcomes if isinstance(each, Made)] == wanted
        assert read < 1_000_000


def _placed(tmp_path: Path, wanted: Sequence[Clip]) -> tuple[list[Outcome], int]:
    """What becomes of clips of `all.tar.gz`, by the worker's own code in this process, so that the
    bytes it reads can be counted."""
    dest = tmp_path / "dest"
    (dest / TEMPORARY).mkdir(parents=True, exist_ok=True)
    source = Local(tmp_path / "source", "copy")
    spec = source.maker(source.scan())
    config = MakerConfig(dest, Layout(), VideoConfig(), find_ffmpeg(WHEEL), 1, spec)
    maker = WholeMaker(config, spec.open())
    before = _bytes_read()
    outcomes = [each for batch in maker.work(Job(tuple(wanted))) for each in batch]
    return outcomes, _bytes_read() - before


def _bytes_read() -> int:
    text = Path("/proc/self/io").read_text()
    return int(text.split("rchar: ")[1].split()[0])


# -- Something-Something v2


@pytest.mark.parametrize("generation", [1, 2])
def test_ssv2_from_its_parts_is_the_same_as_from_the_folder(tmp_path, run, films, generation):
    videos = trees.ssv2_videos(films)
    annotations = lay(tmp_path / "json", trees.ssv2_annotations(generation))
    names = trees.ssv2_names(generation)
    files = [annotations / names[name] for name in ("train", "labels")]
    archive = packed(videos, "gz", prefix="20bn-something-something-v2/")
    pieces = parts(archive, "20bn-something-something-v2-", 3)
    sources = {
        "folder": lay(tmp_path / "folder", videos),
        "zips": lay(tmp_path / "zips", {f"{n}.zip": zipped(n, d) for n, d in pieces.items()}),
    }
    made = {}
    for name, source in sources.items():
        dest = tmp_path / f"dest_of_{name}"
        done = run("build", "ssv2", "--src", source, "--n", "2", "--annotations", *files,
                   "--dest", dest)  # fmt: skip
        assert (done.code, done.stderr) == (0, "")
        made[name] = _files(dest)
        _is_sound(dest)
    assert made["folder"] == made["zips"]
    labels = sorted(trees.label_of(t) for t in trees.TEMPLATES)
    expected = {}
    for template in trees.TEMPLATES:
        label = trees.label_of(template)
        ids = [i for i, t in trees.ssv2_ids("train", 4) if t == template]
        for key in trees.first_ranked(ids)[:2]:
            folder = f"{labels.index(label):03d}_{label.replace(' ', '_')}"
            expected[f"train/{folder}/{key}.webm"] = videos[f"{key}.webm"]
    assert made["folder"] == expected


# -- files that are no good


def test_a_file_that_is_no_good_is_replaced_and_named(tmp_path, run, films):
    keys = trees.first_ranked(f"a/{i}" for i in range(12))
    bad = {
        keys[0]: b"",
        keys[1]: picture(1)[: len(picture(1)) // 2],
        keys[2]: b"<html>not found</html>",
        keys[3]: picture(3)[:-2],
        keys[5]: bytes(5000),
        keys[6]: b"\xff\xd8\xff" + bytes(50) + b"\xff\xd9",
    }
    good = {key: picture(i) for i, key in enumerate(keys) if key not in bad}
    good[keys[4]] = picture(77, "PNG")  # a picture by another name is a picture
    tree = {f"{key}.jpg": data for key, data in (bad | good).items()}
    source = lay(tmp_path / "source", tree)
    for packing in ("folder", "tar"):
        if packing == "tar":
            source = lay(tmp_path / "tars", {"all.tar": packed(tree)})
        done = run("build", "folder", "--src", source, "--n", "3")
        assert (done.code, done.stderr) == (0, "")
        dest = (tmp_path / "dest").rename(tmp_path / packing)
        expected = [keys[i] for i in (4, 7, 8)]
        assert _files(dest) == {f"train/{key}.jpg": tree[f"{key}.jpg"] for key in expected}
        assert _reasons(dest) == dict.fromkeys(bad, "undecodable")


@pytest.mark.parametrize("place", ["copy", "transcode"])
def test_a_video_that_is_no_good_is_replaced_and_named(tmp_path, run, films, place):
    keys = trees.first_ranked(f"a/{i}" for i in range(6))
    whole = trees.film(films, "webm", trees.LONG).read_bytes()
    bad = {keys[0]: b"", keys[1]: whole[: len(whole) // 2], keys[3]: picture(1)}
    tree = {f"{key}.webm": bad.get(key, trees.clip(films, 1, "webm")) for key in keys}
    source = lay(tmp_path / "source", tree)
    done = run("build", "folder", "--src", source, "--n", "3", "--place", place)
    assert (done.code, done.stderr) == (0, "")
    expected = [key for key in keys if key not in bad][:3]
    assert {n.split(".")[0] for n in _files(tmp_path / "dest")} == {f"train/{k}" for k in expected}
    failed = _reasons(tmp_path / "dest")
    assert set(failed) == {k for k in bad if keys.index(k) < keys.index(expected[-1])}
    assert set(failed.values()) == {"undecodable"}


def test_a_video_that_is_missing_is_replaced(tmp_path, run, films):
    order = ranked(ROWS)["train", LABELS[0]]
    clips = dict(trees.kinetics_clips(films, ROWS))
    for row in order[:2]:
        del clips[f"{row.key}.mp4"]
    for packing in ("folder", "tar.gz"):
        tree = clips if packing == "folder" else {"all.tar.gz": packed(clips, "gz")}
        source = lay(tmp_path / f"in {packing}", tree)
        done = run("build", "kinetics", "--source", "local", "--src", source, "--n", "2",
                   "--annotations", write_csv(tmp_path / "k.csv", ROWS))  # fmt: skip
        assert (done.code, done.stderr) == (0, "")
        dest = (tmp_path / "dest").rename(tmp_path / packing)
        gone = [row.youtube_id for row in order[:2]]
        assert set(_files(dest)) == {row.path for row in kept(ROWS, 2, gone)}
        assert _reasons(dest) == {row.key: "not_found" for row in order[:2]}


# -- archives that are damaged


def _cut(data: bytes, how: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        starts = [m.offset for m in archive if m.isreg()]
    at = starts[len(starts) // 2]
    return {
        "nothing can be read": data[:300],
        "within a member": data[: at + 3000],
        "between two members": data[:at],
        "a piece is missing": data[: at + 3000] + data[at + 9000 :],
    }[how]


@pytest.mark.parametrize(
    "how",
    ["nothing can be read", "within a member", "between two members", "a piece is missing"],
)
def test_of_a_damaged_stream_nothing_is_written_off(tmp_path, run, films, how):
    clips = trees.kinetics_clips(films, MANY)
    whole = packed(clips)
    source = lay(tmp_path / "source", {"all.tar.gz": gzip.compress(_cut(whole, how), 0)})
    command = ("build", "kinetics", "--source", "local", "--src", source, "--n", "7",
               "--annotations", write_csv(tmp_path / "k.csv", MANY))  # fmt: skip
    for _ in range(2):
        done = run(*command)
        assert done.code != 0
        assert "all.tar.gz" in done.stderr, "which archive it was"
        assert "YouTube" not in done.stderr
        assert "Traceback" not in done.stderr
        assert "this should not have happened" not in done.stderr
        kinds = {row["kind"] for row in whole_rows(tmp_path / "dest/failed.csv")}
        assert kinds <= {"transient"}
    (source / "all.tar.gz").write_bytes(gzip.compress(whole, 0))
    done = run(*command)
    assert (done.code, done.stderr) == (0, "")
    assert set(_files(tmp_path / "dest")) == {row.path for row in kept(MANY, 7)}
    _is_sound(tmp_path / "dest")


@pytest.mark.parametrize("lost", ["first", "middle", "last", "a zip is cut short"])
def test_of_a_missing_part_nothing_is_written_off(tmp_path, run, films, lost):
    clips = trees.kinetics_clips(films, MANY)
    pieces = parts(gzip.compress(packed(clips), 0), "k-", 4)
    if lost == "a zip is cut short":
        pieces = {f"{name}.zip": zipped(name, data) for name, data in pieces.items()}
    source = lay(tmp_path / "source", pieces)
    name = list(pieces)[{"first": 0, "last": 3}.get(lost, 1)]
    if lost == "a zip is cut short":
        (source / name).write_bytes(pieces[name][:-40])
    else:
        (source / name).unlink()
    command = ("build", "kinetics", "--source", "local", "--src", source, "--n", "2",
               "--annotations", write_csv(tmp_path / "k.csv", MANY))  # fmt: skip
    done = run(*command)
    assert done.code != 0
    assert "this should not have happened" not in done.stderr
    assert "worker" not in done.stderr
    assert {row["kind"] for row in whole_rows(tmp_path / "dest/failed.csv")} <= {"transient"}
    lay(source, pieces)
    done = run(*command)
    assert (done.code, done.stderr) == (0, "")
    assert set(_files(tmp_path / "dest")) == {row.path for row in kept(MANY, 2)}


@pytest.mark.parametrize("how", ["within a member", "between two members", "a piece is missing"])
def test_a_damaged_tar_is_refused_before_anything_is_made(tmp_path, run, films, how):
    clips = trees.kinetics_clips(films, MANY)
    source = lay(tmp_path / "source", {"all.tar": _cut(packed(clips), how)})
    done = run("build", "kinetics", "--source", "local", "--src", source, "--n", "2",
               "--annotations", write_csv(tmp_path / "k.csv", MANY))  # fmt: skip
    _one_line(done, 2, "all.tar", "damaged")
    assert not (tmp_path / "dest").exists()


# -- killed


@pytest.mark.parametrize("packing", ["folder", "tar.gz"])
def test_killed_at_any_moment_the_same_command_makes_the_same(tmp_path, films, packing):
    clips = dict(trees.kinetics_clips(films, MANY))
    order = ranked(MANY)["train", LABELS[0]]
    clips[f"{order[1].key}.mp4"] = b"no video"
    tree = clips if packing == "folder" else {"all.tar.gz": packed(clips, "gz")}
    source = lay(tmp_path / "source", tree)
    command = ("build", "kinetics", "--source", "local", "--src", source, "--n", "5", *FAST,
               "--annotations", write_csv(tmp_path / "k.csv", MANY), "--quiet",
               "--workers", "1", "--dest", tmp_path / "dest")  # fmt: skip
    random_ = random.Random(packing)  # noqa: S311
    stats = tmp_path / "dest" / "stats.csv"
    for strike in range(3):
        before = len(whole_rows(stats))
        wanted = before + random_.randrange(3)
        with ended_at_last(nanokinetics(*command, cwd=tmp_path)) as running:
            while not running.over and (
                not stats.exists() or (strike and len(whole_rows(stats)) <= wanted)
            ):
                time.sleep(0.002)
            time.sleep(random_.random() / 20)
    done = nanokinetics(*command, cwd=tmp_path).wait()
    assert (done.code, done.stderr) == (0, "")
    dead = [order[1].youtube_id]
    assert _files(tmp_path / "dest") == {
        row.path: clips[f"{row.key}.mp4"] for row in kept(MANY, 5, dead)
    }
    _is_sound(tmp_path / "dest")
    assert _reasons(tmp_path / "dest") == {order[1].key: "undecodable"}


# -- bad usage


def test_where_a_folder_cannot_be_made_what_was_kept_before_has_its_rows(tmp_path, run):
    tree = {f"{label}/{i}.jpg": picture(i) for label in "abc" for i in range(4)}
    build = ("build", "folder", "--src", lay(tmp_path / "source", tree), "--n", "4")
    assert run(*build[:-1], "1", "--classes", "a").code == 0
    (tmp_path / "dest" / "train" / "c").write_bytes(b"in the way")
    done = run(*build)
    assert (done.code, done.stderr.count("\n")) == (1, 1)
    (tmp_path / "dest" / "train" / "c").unlink()
    assert len(_files(tmp_path / "dest")) == 2, "classes take turns"
    _is_sound(tmp_path / "dest")
    assert run(*build).code == 0
    assert _files(tmp_path / "dest") == {f"train/{name}": data for name, data in tree.items()}
    _is_sound(tmp_path / "dest")


def test_a_source_that_holds_none_of_the_videos_is_refused(tmp_path, run):
    annotations = write_csv(tmp_path / "k.csv", ROWS)
    (tmp_path / "empty").mkdir()
    other = lay(tmp_path / "other", {"x/other.mp4": b"x", "notes.txt": b"x"})
    for source in (tmp_path / "empty", other, other / "notes.txt"):
        done = run("build", "kinetics", "--source", "local", "--src", source, "--n", "1",
                   "--annotations", annotations)  # fmt: skip
        _one_line(done, 2, str(source))
        assert not (tmp_path / "dest").exists()
    json = lay(tmp_path / "json", trees.ssv2_annotations())
    done = run("build", "ssv2", "--src", json, "--n", "1")
    _one_line(done, 2, str(json))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("imagenet",), "--src"),
        (("ssv2",), "--src"),
        (("folder",), "--src"),
        (("kinetics", "--source", "local", "--src", "a"), "--annotations"),
        (("kinetics", "--source", "local", "--annotations", "k.csv"), "--src"),
        (("kinetics", "--src", "a", "--annotations", "k.csv"), "--source local"),
        (("folder", "--src", "nothing"), "nothing"),
        (("folder", "--src", "a/notes.txt"), "notes.txt"),
        (("folder", "--src", "flat"), "folders named by their classes"),
        (("imagenet", "--src", "a/notes.txt"), "notes.txt"),
        (("imagenet", "--src", "flat"), "wnid"),
        (("ssv2", "--src", "flat"), "train.json"),
        (("imagenet", "--src", "flat", "--list", "x"), "--list"),
    ],
)
def test_bad_usage_is_told_in_one_line_before_anything_is_made(tmp_path, run, arguments, word):
    lay(tmp_path, {"a/notes.txt": b"no archive", "flat/1.jpg": picture(1)})
    write_csv(tmp_path / "k.csv", ROWS)
    _one_line(run("build", *arguments, "--n", "1"), 2, word)
    assert not (tmp_path / "dest").exists()


@pytest.mark.parametrize("place", ["hardlink", "symlink"])
@pytest.mark.parametrize("packing", ["", "gz"])
def test_links_into_an_archive_are_refused(tmp_path, run, films, place, packing):
    data = packed(trees.kinetics_clips(films, ROWS), packing)
    source = lay(tmp_path / "source", {f"all.tar{packing and '.gz'}": data})
    done = run("build", "kinetics", "--source", "local", "--src", source, "--n", "1",
               "--place", place, "--annotations", write_csv(tmp_path / "k.csv", ROWS))  # fmt: skip
    _one_line(done, 2, "--place", place, "copy")
    assert not (tmp_path / "dest").exists()


@pytest.mark.parametrize("dataset", ["folder", "imagenet"])
def test_a_destination_within_the_source_is_not_taken_for_a_part_of_it(tmp_path, run, dataset):
    tree = {f"{c}/{i}.jpg": picture(i) for c in WNIDS[:2] for i in range(3)}
    source = lay(tmp_path / "source", tree)
    command = ("build", dataset, "--src", source, "--dest", source / "nano", "--n", "2")
    first = run(*command)
    if first.code == 2:  # refused, which is an answer too
        _one_line(first, 2, "--dest")
        assert not (source / "nano").exists()
        return
    assert first.code == 0
    before = snapshot(source / "nano")
    assert run(*command).code == 0
    assert snapshot(source / "nano") == before


def test_a_file_too_large_for_memory_is_no_image(tmp_path):
    """A sparse file, or the member of an archive, may claim any size."""
    source = lay(tmp_path / "source", {f"yoga/{i}.jpg": picture(i) for i in range(2)})
    with (source / "yoga" / "large.jpg").open("wb") as file:
        file.truncate(10**11)
    done = nanokinetics(
        *("build", "folder", "--src", source, "--n", "3", "--dest", tmp_path / "dest"),
        *("--workers", "1", *FAST),
        cwd=tmp_path,
    ).wait()
    assert done.code == 3
    (failed,) = read_table(tmp_path / "dest" / "failed.csv")
    assert failed["reason"] == "undecodable"
    assert failed["message"] == "yoga/large.jpg has more than 500 MB, and an image may not"

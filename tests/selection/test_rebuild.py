"""A subset that somebody else made can be made again: the same keys, tree and digests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trees
from helpers import (
    FAST,
    ONE_CLIENT,
    SMALL,
    Bench,
    Done,
    Row,
    ended_at_last,
    kept,
    nanokinetics,
    ranked,
    read_table,
    youtube_id,
)

from nanokinetics.cli import main
from nanokinetics.demo.scenario import Scenario, Video
from nanokinetics.demo.site import DemoSite

LABELS = ("hurling (sport)", "massaging person's head", "yoga, slowly")
ROWS = [Row(LABELS[i % 3], youtube_id(i, "-v"), 2, 3) for i in range(15)]
ROWS += [Row("zumba", youtube_id(90), 2, 3), Row("abseiling", youtube_id(91), 2, 3)]
N = 2
ALIVE = Video(replace(SMALL, audio=False), ("progressive",))
DEAD_BEFORE = {ranked(ROWS)["train", "yoga, slowly"][0].youtube_id, youtube_id(90)}
"""The first pick of one class, and all there is of another."""

MADE = kept([row for row in ROWS if row.label != "abseiling"], N, DEAD_BEFORE)
LOST = ranked(ROWS)["train", "hurling (sport)"][1]


def _site(films: Path, *dead: str) -> DemoSite:
    gone = Video(ALIVE.film, failure="private")
    return DemoSite(Scenario(dict.fromkeys(dead, gone), default=ALIVE), cache=films)


@dataclass(frozen=True)
class Other:
    """A built dataset, and its manifest, that are all somebody else has."""

    dest: Path
    manifest: Path

    def rebuild(self, films: Path, dest: Path, *more: str, dead: tuple[str, ...] = ()) -> Done:
        with _site(films, *dead) as site:
            command: list[str | Path] = [
                *("build", "kinetics", "--dest", dest, "--proxy", site.proxy_url),
                *(f"--yt-dlp-args={ONE_CLIENT}", "--max-per-hour", "0", "--workers", "2"),
                *("--ffmpeg", FAST[1], *more),
            ]
            with ended_at_last(nanokinetics(*command, cwd=dest.parent)) as running:
                return running.wait()


@pytest.fixture(scope="module")
def other(films, tmp_path_factory) -> Other:
    folder = tmp_path_factory.mktemp("other")
    with _site(films, *DEAD_BEFORE) as site:
        options = ("--no-audio", "--resolution", "96", "--quiet", "--classes")
        classes = folder / "classes.txt"
        classes.write_text("\n".join((*LABELS, "zumba")))
        made = Bench(folder, site, ROWS, N, *FAST, *options, f"@{classes}")
        assert made.run().code == 3, "zumba has no clip"
    made.holds(MADE)
    manifest = folder / "manifest.txt"
    assert main(["manifest", str(made.dest), "--output", str(manifest)]) == 0
    return Other(made.dest, manifest)


def _tree(dest: Path) -> dict[str, str]:
    return {row["path"]: row["sha256"] for row in read_table(dest / "stats.csv")}


@pytest.mark.slow
def test_a_manifest_is_enough_for_the_same_keys_tree_digests_and_ids(other, films, tmp_path):
    dest = tmp_path / "again"
    done = other.rebuild(films, dest, "--from", str(other.manifest))
    assert done.code == 0, done.stderr
    assert _tree(dest) == _tree(other.dest)
    for name in ("train.csv", "train/metadata.csv", "annotations/train.csv"):
        assert (dest / name).read_bytes() == (other.dest / name).read_bytes()
    ids = [
        [
            (c["label_id"], c["source_id"], c["label"], c["got"])
            for c in read_table(d / "classes.csv")
        ]
        for d in (dest, other.dest)
    ]
    assert ids[0] == ids[1]
    assert ids[0][-1] == ("3", "4", "zumba", "0"), "a class without a clip keeps its id"
    record = json.loads((dest / "run.json").read_text())
    assert (record["resolution"], record["audio"]) == (96, False), "encoded as it was there"
    assert main(["diff", str(dest), str(other.manifest)]) == 0
    assert main(["verify", str(dest), "--fast"]) == 0
    again = other.rebuild(films, dest, "--from", str(other.dest))
    assert (again.code, "0 of them new" in again.stdout) == (0, True), "folder or manifest alike"


@pytest.mark.slow
def test_what_can_no_longer_be_had_is_named_and_replaced_only_when_allowed(other, films, tmp_path):
    dest, gone = tmp_path / "again", (LOST.youtube_id, *DEAD_BEFORE)
    done = other.rebuild(films, dest, "--from", str(other.dest), dead=gone)
    assert done.code == 3
    assert f"no longer to be had: {LOST.key}, hurling (sport) (train): private" in done.stdout
    assert set(_tree(dest)) == {row.path for row in MADE - {LOST}}
    allowed = ("--from", str(other.dest), "--allow-replacements")
    done = other.rebuild(films, dest, *allowed, dead=gone)
    assert done.code == 0
    assert LOST.key in done.stdout
    rows = [row for row in ROWS if row.label != "abseiling"]
    assert set(_tree(dest)) == {row.path for row in kept(rows, N, gone)}
    refused = other.rebuild(films, dest, "--from", str(other.dest))
    assert (refused.code, "--allow-replacements" in refused.stderr) == (2, True)


# -- without a site

Run = Callable[..., Done]


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> Path:
    """A source, and subsets of it: of two clips a class, three, another seed, and one class."""
    folder = tmp_path_factory.mktemp("local")
    tree = {f"{label}/{i}.jpg": trees.picture(i) for label in LABELS for i in range(4)}
    trees.lay(folder / "src", tree)
    choices = {
        "two": ("--n", "2"),
        "three": ("--n", "3"),
        "seed": ("--n", "2", "--seed", "1"),
        "one": ("--n", "2", "--classes", LABELS[0]),
    }
    for dest, choice in choices.items():
        assert main([*_command(folder, folder / dest), *choice]) == 0
    assert main(["manifest", str(folder / "two"), "--output", str(folder / "two.txt")]) == 0
    return folder


def _command(local: Path, dest: Path) -> list[str]:
    usual = ("--src", str(local / "src"), "--dest", str(dest), "--quiet", "--workers", "1")
    return ["build", "folder", *usual, *FAST]


@pytest.fixture
def run(local, tmp_path, monkeypatch, capsys) -> Run:
    monkeypatch.chdir(local)

    def run(command: str, *more: str | Path) -> Done:
        words = _command(local, tmp_path / "dest") if command == "build" else [command]
        capsys.readouterr()
        code = main([*words, *map(str, more)])
        said = capsys.readouterr()
        assert "this should not have happened" not in said.err
        return Done(code, said.out, said.err)

    return run


def test_local_files_are_found_again_by_their_keys(run, local, tmp_path):
    more = local / "src" / LABELS[0] / "9.jpg"
    more.write_bytes(trees.picture(9))
    try:
        assert run("build", "--from", "two.txt").code == 0
    finally:
        more.unlink()
    assert run("manifest", tmp_path / "dest").stdout == (local / "two.txt").read_text()


def test_two_subsets_are_compared_clip_by_clip_with_reasons(run):
    assert run("diff", "two", "two.txt").code == 0
    larger = run("diff", "two", "three")
    assert larger.code == 3
    assert "6 clips are in both, 0 in A only, 3 in B only" in larger.stdout
    assert "3 clips: other n" in larger.stdout
    assert "clips: other seed" in run("diff", "two", "seed").stdout
    assert "4 clips: other classes" in run("diff", "two", "one").stdout


def test_before_anything_is_made_the_picks_are_the_subset(run, local, tmp_path):
    bare = shutil.copytree(local / "two", tmp_path / "bare")
    (bare / "stats.csv").unlink()
    assert run("manifest", bare).stdout == (local / "two.txt").read_text()


def test_the_choice_is_the_manifests_alone(run, local):
    for option, value in (("--n", "3"), ("--classes", "x"), ("--seed", "0"), ("--preset", "nano")):
        refused = run("build", "--from", "two.txt", option, value)
        assert (refused.code, refused.stderr.count("\n")) == (2, 1)
        assert option in refused.stderr
    begun_otherwise = run("build", "--from", "two.txt", "--dest", local / "two")
    assert (begun_otherwise.code, begun_otherwise.stderr.count("\n")) == (2, 1)
    refused = run("build", "--from", "two.txt", "--allow-replacements")
    assert (refused.code, "no reserves" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("# nanokinetics manifest 1", "# something", "is no manifest"),
        ("# seed: ", "# seed ", "line 6"),
        ('# n: {"train": 2}', '# n: {"train": "2"}', "its n are not"),
        ("# dataset: ", "# datum: ", "its dataset is missing"),
        ("# resolution: 360", '# resolution: "360"', "its resolution"),
        ("yoga, slowly/", "../../", "changed or cut short"),
        ('train,"yoga, slowly"', "train,..", "not among its classes"),
        ('train,"yoga, slowly"', 'test,"yoga, slowly"', "not among its classes"),
        (',train,"yoga, slowly",,,', "", "not a row"),
    ],
)
def test_a_manifest_from_a_stranger_is_not_believed(run, local, tmp_path, old, new, said):
    text = (local / "two.txt").read_text()
    assert old in text
    (tmp_path / "m.txt").write_text(text.replace(old, new))
    done = run("diff", "two", tmp_path / "m.txt")
    assert (done.code, done.stderr.count("\n")) == (2, 1), done
    assert said in done.stderr


def test_a_manifest_that_was_cut_short_is_noticed(run, local, tmp_path):
    lines = (local / "two.txt").read_text().splitlines(keepends=True)
    (tmp_path / "m.txt").write_text("".join(lines[:-1]))
    assert "changed or cut short" in run("manifest", tmp_path / "m.txt").stderr


@pytest.mark.parametrize("place", ["nowhere", "src", "two/train.csv"])
def test_what_is_no_subset_is_refused(run, place):
    for command in (("manifest", place), ("diff", place, "two"), ("build", "--from", place)):
        done = run(*command)
        assert (done.code, done.stderr.count("\n")) == (2, 1)


def test_a_folder_without_a_clip_yet_is_not_taken_for_the_whole_subset(run, local, tmp_path):
    begun = shutil.copytree(local / "two", tmp_path / "begun")
    table = begun / "stats.csv"
    table.write_text(table.read_text().splitlines(keepends=True)[0])
    compared = run("diff", "two", begun)
    assert compared.code == 3
    assert "6 clips: not made yet there: run its build again" in compared.stdout
    refused = run("build", "--from", begun)
    assert (refused.code, "holds no clip yet" in refused.stderr) == (2, True)


@pytest.mark.parametrize("of", ["the folder", "its manifest"])
def test_what_was_transcoded_is_transcoded_again(run, local, tmp_path, of):
    assert run("build", "--n", "1", "--dest", tmp_path / "mp4", "--transcode").code == 0
    (tmp_path / "mp4.txt").write_text(run("manifest", tmp_path / "mp4").stdout)
    origin = tmp_path / ("mp4" if of == "the folder" else "mp4.txt")
    assert run("build", "--from", origin, "--dest", tmp_path / "again").code == 0
    assert json.loads((tmp_path / "again" / "run.json").read_text())["place"] == "transcode"
    assert run("build", "--from", origin, "--dest", tmp_path / "own", "--place", "copy").code == 0
    assert '"transcode" in A, "copy" in B' in run("diff", origin, tmp_path / "own").stdout


@pytest.mark.parametrize("value", ["[" * 100_000, '"\\ud800"', '"\\u001b[2J"'])
def test_a_header_that_python_chokes_on_is_refused_in_a_line(run, local, tmp_path, value):
    lines = (local / "two.txt").read_text().splitlines(keepends=True)
    kept_lines = [line for line in lines if not line.startswith("# name:")]
    (tmp_path / "m.txt").write_text("".join([lines[0], f"# name: {value}\n", *kept_lines[1:]]))
    done = run("manifest", tmp_path / "m.txt")
    assert (done.code, done.stderr.count("\n"), "\x1b" in done.stderr) == (2, 1, False)

"""What a paper says of a dataset: the numbers are those of its tables, and the words are true."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import trees
from helpers import FAST, Row, snapshot, write_csv, youtube_id
from made_before import FIXTURES

from nanokinetics.cli import main
from nanokinetics.common.user_folders import cache
from nanokinetics.errors import Reason
from nanokinetics.report.methods import escaped
from nanokinetics.report.provenance import provenance
from nanokinetics.report.summary import summarise
from nanokinetics.report.tables import read
from nanokinetics.selection import manifest

NAMES = sorted(path.name for path in FIXTURES.iterdir())
YOUTUBE = FIXTURES / "kinetics-youtube"


@pytest.fixture
def cite(capsys):
    """The output of `nanokinetics cite`: exit code, stdout, stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        code = main(["cite", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


def changed(tmp_path: Path, **entries: Any) -> Path:
    """A copy of a dataset whose `run.json` has other entries."""
    dest = shutil.copytree(YOUTUBE, tmp_path / "nano")
    record = json.loads((dest / "run.json").read_text())
    (dest / "run.json").write_text(json.dumps(record | entries))
    return dest


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_are_those_of_the_tables(name: str, cite) -> None:
    dest = FIXTURES / name
    before = snapshot(dest)
    code, out, _ = cite(dest, "--json")
    assert (code, snapshot(dest)) == (0, before)
    found = json.loads(out)
    identity = ["split", "label", "key"]
    tables = (
        pd.read_csv(dest / name, keep_default_na=False) for name in ("stats.csv", "failed.csv")
    )
    stats, failed = (table.drop_duplicates(identity, keep="last") for table in tables)
    unmade = failed.merge(stats[identity], how="left", indicator=True)
    unmade = unmade[unmade["_merge"] == "left_only"]
    gone = unmade[unmade["reason"].map(lambda reason: Reason(reason).replaced).astype(bool)]
    assert found["made"] == len(stats)
    assert (found["gone"], found["later"]) == (len(gone), len(unmade) - len(gone))
    assert found["reasons"] == gone["reason"].value_counts().to_dict()
    assert found["subset"] == manifest.read(dest).name
    for split, count in stats["split"].value_counts().items():
        assert f"{count} for {split}" in found["text"]
    days = stats["finished_at"].str[:10]
    assert found["days"] == sorted({days.min(), days.max()})


def test_the_sentences_say_what_was_asked_for_and_what_became_of_it(cite) -> None:
    _, out, err = cite(YOUTUBE)
    text, _, bibtex = out.partition("\n\n")
    for words in (
        "We use 6 clips of Kinetics (Kay et al., 2017): 4 for train (2 classes, n = 2 of each) and "
        "2 for val (2 classes, n = 1 of each).",
        "(seed 0)",
        "annotations.csv (SHA-256 24cf6f90093f)",
        "downloaded from YouTube on 2026-11-25 (UTC) by nanokinetics 0.1.0",
        "at most 18 pixels, at their own frame rate, without sound",
        "2 could not be had (1 private and 1 geo blocked)",
        f"named {manifest.read(YOUTUBE).name}",
    ):
        assert words in text
    assert re.findall(r"@\w+{(\w+),", bibtex) == ["kay2017kinetics", "nanokinetics"]
    assert "note: The annotations of Kinetics are by Google" in err
    assert "not finished" not in out + err


def test_an_unfinished_subset_says_so_on_both_streams(cite) -> None:
    _, out, err = cite(FIXTURES / "kinetics-unfinished")
    assert "The subset is not finished: 3 of 8 clips are still missing." in out
    assert "Another 1 failed for now and keeps its place." in out
    assert "not finished; run its build again before you cite it" in err


def test_a_run_at_work_is_counted_as_far_as_it_is_written(tmp_path, cite) -> None:
    dest = shutil.copytree(YOUTUBE, tmp_path / "nano")
    rows = (dest / "stats.csv").read_bytes()
    (dest / "stats.csv").write_bytes(rows[:-9])  # its last line is just being written
    code, out, _ = cite(dest)
    assert code == 0
    assert "We use 5 clips" in out
    assert "not finished: 1 of 6 clips is still missing" in out


def test_clips_that_were_adopted_are_told(tmp_path, cite) -> None:
    dest = shutil.copytree(YOUTUBE, tmp_path / "nano")
    text = (dest / "stats.csv").read_text(encoding="utf-8")
    (dest / "stats.csv").write_text(text.replace(",youtube,", ",adopted,", 1), encoding="utf-8")
    assert "Of these, 1 lay in the folder already and was adopted." in cite(dest)[1]


def test_a_subset_of_another_names_it_and_says_that_nothing_stood_in(cite) -> None:
    _, out, err = cite(FIXTURES / "from-manifest")
    assert f"those of the subset {manifest.read(YOUTUBE).name}" in out
    assert "1 could not be had (1 copyright), and was not replaced" in out
    assert "not finished" not in out + err


def test_local_files_are_not_said_to_be_downloaded(cite) -> None:
    for name, words in (("imagenet", "12 images of ImageNet"), ("folder", "a dataset of our own")):
        _, out, _ = cite(FIXTURES / name)
        assert words in out
        assert "taken from local files" in out
        assert "The files are unchanged." in out
        assert not re.search("YouTube|yt-dlp|H.264", out)
    assert "knows no reference" in cite(FIXTURES / "folder")[2]


def test_a_class_whose_candidates_ran_out_is_short_and_not_unfinished(tmp_path, cite) -> None:
    tree = {f"{label}/{n}.jpg": trees.picture(n) for label in "ab" for n in range(3)}
    trees.lay(tmp_path / "src", tree | {"b/1.jpg": b"no picture"})
    command = ("folder", "--src", tmp_path / "src", "--n", "3", "--dest", tmp_path / "nano")
    assert main(["build", *map(str, command), *FAST, "--quiet", "--workers", "1"]) == 3
    _, out, err = cite(tmp_path / "nano")
    assert "In 1 class the candidates ran out: it lacks 1 clip." in out
    assert "not finished" not in out + err


def test_latex_cites_by_key_and_foreign_text_is_no_command(tmp_path, cite) -> None:
    seed, name = r"\input{x} 50% & $1_~^#", "my_train{1}.csv"
    dest = changed(tmp_path, seed=seed, annotations={name: "f" * 64})
    _, out, _ = cite(dest, "--latex")
    assert r"Kinetics~\cite{kay2017kinetics}:" in out
    assert r"nanokinetics 0.1.0~\cite{nanokinetics}" in out
    assert r"my\_train\{1\}.csv" in out
    assert r"\textbackslash{}input\{x\} 50\% \& \$1\_\textasciitilde{}\textasciicircum{}\#" in out
    assert "@" not in out
    assert escaped("a\nb\x1b") == "a b "


@pytest.mark.parametrize("form", [[], ["--latex"], ["--bibtex"], ["--json"]])
def test_a_foreign_record_cannot_act(form: list[str], tmp_path, cite) -> None:
    versions = {"nanokinetics": "}\n@evil{x,"}
    dest = changed(tmp_path, seed="\x1b[2J\ud800", versions=versions, split=[1], place="x", src="y")
    code, out, _ = cite(dest, *form)
    assert code == 0
    assert not re.search(r"[\x1b\ud800]", out)
    assert not re.search("^@evil", out, re.MULTILINE)
    assert main(["report", str(dest), "--html", str(tmp_path / "r.html"), "--quiet"]) == 0


def test_bibtex_alone_is_nothing_else(cite) -> None:
    _, out, _ = cite(YOUTUBE, "--bibtex", "--quiet")
    assert out.startswith("@article{kay2017kinetics,\n")
    assert out.endswith("\n}\n")


@pytest.mark.parametrize("taken", ["run.json", "selection.csv"])
def test_a_folder_without_its_record_is_told_in_one_line(taken: str, tmp_path, cite) -> None:
    dest = shutil.copytree(YOUTUBE, tmp_path / "nano")
    (dest / taken).unlink()
    code, out, err = cite(dest)
    if taken == "run.json":
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "no run.json" in err
    else:
        assert code == 0
        assert "The subset is named" not in out
        assert "note: the subset has no name" in err


@pytest.mark.parametrize(
    "options",
    [
        ("--split", "train", "--n", "2"),
        ("--n", "train=2,val=1", "--num-classes", "3", "--seed", "a b"),
        ("--split", "train", "--n", "1", "--classes", "class 1,class 4", "--resolution", "240"),
        ("--split", "train", "--n", "1", "--num-classes", "2", "--no-audio", "--fps", "12.5"),
    ],
)
def test_the_command_makes_the_same_choice(options: tuple[str, ...], tmp_path, capsys) -> None:
    rows = [
        Row(f"class {n % 5}", youtube_id(n), n, n + 10, "val" if n > 20 else "train")
        for n in range(30)
    ]
    given = write_csv(tmp_path / "my train.csv", rows)
    source = trees.lay(tmp_path / "src", {})
    source.mkdir(exist_ok=True)
    dest = tmp_path / "nano"
    usual = ("--annotations", given, "--dest", dest, "--workers", "1", "--quiet")
    local = ("--source", "local", "--src", source, "--place", "transcode")
    for row in rows:
        key = f"{row.youtube_id}_{int(row.start):06d}_{int(row.end):06d}"
        (source / f"{key}.mp4").write_bytes(b"no film")
    main(["build", "kinetics", *map(str, (*options, *usual, *local, *FAST))])
    before = json.loads((dest / "run.json").read_text())
    capsys.readouterr()
    assert main(["cite", str(dest), "--json", "--quiet"]) == 0
    command = json.loads(capsys.readouterr().out)["command"]
    words = shlex.split(command)
    assert words[:3] == ["nanokinetics", "build", "kinetics"]
    assert "--classes" in words or "--num-classes" in words or "--num-classes" not in options
    again = [str(given) if word == given.name else word for word in words[1:]]
    again[again.index("--dest") + 1] = str(tmp_path / "again")
    main([*again, "--workers", "1", "--quiet", "--ffmpeg", FAST[1]])
    after = json.loads((tmp_path / "again" / "run.json").read_text())
    assert {k: v for k, v in after.items() if k != "request"} == {
        k: v for k, v in before.items() if k != "request"
    }


def test_a_choice_without_a_seed_names_none(tmp_path, cite) -> None:
    dest = changed(tmp_path, seed="", **{"from": "sha256:" + "a" * 64})
    text = cite(dest)[1]
    assert "aaa. The candidates" in text
    assert "seed" not in text.partition("@")[0]
    (dest / "run.json").write_text((YOUTUBE / "run.json").read_text().replace('"0"', '""'))
    assert "(an empty seed)" in cite(dest)[1]


def test_the_command_of_a_subset_with_replacements_is_one_that_a_build_takes(tmp_path) -> None:
    """A manifest names the clips that stood in, and no reserves."""
    dest = changed(tmp_path, replacements=True, **{"from": "sha256:" + "a" * 64})
    tables = read(dest)
    words = command(provenance(tables, summarise(tables)))
    assert "--from manifest.txt" in words
    assert "--allow-replacements" not in words


def test_classes_that_were_not_there_as_asked_for_are_told(tmp_path, cite) -> None:
    missing = {"train": ["yo-yo"], "val": ["a", "b"]}
    dest = changed(tmp_path, missing_classes=missing, renamed_classes={"old": "new"})
    text = cite(dest)[1]
    for words in (
        "For train, 1 class asked for had no clip and was left out (yo-yo).",
        "For val, 2 classes asked for had no clip and were left out (a and b).",
        "The annotations name old as new.",
    ):
        assert words in text


def test_the_page_says_what_of_the_choice_was_not_there(tmp_path) -> None:
    given = {"seed": "", "from": "sha256:" + "a" * 64, "renamed_classes": {"old": "new"}}
    dest = changed(tmp_path, missing_classes={"val": ["yo-yo"]}, **given)
    page = tmp_path / "report.html"
    assert main(["report", str(dest), "--html", str(page), "--thumbnails", "0"]) == 0
    text = re.sub(r"<[^>]+>", "|", page.read_text("utf-8"))
    for words in ("not recorded", "val: yo-yo, which had no clip", "old as new"):
        assert f"|{words}|" in text


def test_classes_that_were_named_are_not_said_to_be_drawn(tmp_path, cite) -> None:
    """Their names may be those that the seed would have drawn."""
    labels = [f"class {n}" for n in range(3)]
    how = {"split": ["train"], "n": {"train": 2}, "missing_classes": {"train": ["x"]}}
    for n in range(3):
        classes = {"train": [labels[n]]}
        dest = changed(tmp_path / str(n), labels=labels, classes=classes, **how)
        (dest / "selection.csv").unlink()
        assert "The classes were named" in cite(dest)[1]


def test_a_name_of_the_catalogue_is_recorded_and_contradicts_nothing(tmp_path, capsys) -> None:
    source = tmp_path / "src"
    source.mkdir()
    rows = [Row("running", youtube_id(n), n, n + 10) for n in range(3)]
    for row in rows:
        key = f"{row.youtube_id}_{int(row.start):06d}_{int(row.end):06d}"
        (source / f"{key}.mp4").write_bytes(b"no film")
    place = cache() / "annotations" / "k700-2020" / "train.csv"
    place.parent.mkdir(parents=True)
    elsewhere = write_csv(tmp_path / "train.csv", rows)
    place.write_bytes(elsewhere.read_bytes())
    local = ("--split", "train", "--source", "local", "--src", source, "--place", "transcode")

    def build(dest: str, *options: object) -> dict[str, Any]:
        code = main(["build", "kinetics", "--dest", dest, *map(str, (*options, *local, *usual))])
        assert code != 2, capsys.readouterr().err
        found: dict[str, Any] = json.loads((Path(dest) / "run.json").read_text())
        return found

    usual = ("--workers", "1", "--quiet", *FAST)
    called = {"train.csv": "k700-2020"}
    first, second = str(tmp_path / "by-name"), str(tmp_path / "by-path")
    assert build(first, "--annotations", "k700-2020", "--n", 1)["catalogue"] == called
    assert build(first, "--annotations", elsewhere, "--n", 2)["catalogue"] == called
    assert "catalogue" not in build(second, "--annotations", elsewhere, "--n", 1)
    assert build(second, "--annotations", "k700-2020", "--n", 2)["catalogue"] == called
    capsys.readouterr()
    assert main(["cite", first, "--json", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "train.csv of k700-2020 (SHA-256 " in told["text"]
    assert "--annotations k700-2020 " in told["command"]


def test_a_record_of_long_lists_names_files_instead(tmp_path) -> None:
    labels = [f"label {n}, long" for n in range(40)]
    chosen = {"train": labels[3:30]}
    dest = changed(tmp_path, labels=labels, classes=chosen, n={"train": 2}, split=["train"])
    (dest / "selection.csv").unlink()
    tables = read(dest)
    assert "--classes @classes.txt" in command(provenance(tables, summarise(tables)))


def command(found: Any) -> str:
    from nanokinetics.report.command import command_of

    return command_of(found, Path("/data/nano"))

"""Text from outside acts on no terminal, whichever command shows it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import trees
from helpers import FAST, ONE_CLIENT, SMALL, Row, read_table, youtube_id

from nanokinetics.cli import main
from nanokinetics.cli.display import Bar, Lines, Objects
from nanokinetics.cli.guard import guarded
from nanokinetics.cli.saying import say
from nanokinetics.common.text import plain
from nanokinetics.dataset.ledger import FAILED_COLUMNS
from nanokinetics.demo.scenario import Scenario, Video
from nanokinetics.progress import Progress

EVIL = "\x1b]0;PWNED\x07\x9b31m\u202eevil"
"""It gives a terminal another title, another colour, and turns what follows round."""

SHOWN = r"\u001b]0;PWNED\u0007\u009b31m\u202eevil"


def acts(text: str) -> bool:
    return any(plain(line) != line for line in text.split("\n"))


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """Two datasets of one source, `a` with two clips of each class and `b` with three."""
    folder = tmp_path_factory.mktemp("terminal")
    trees.lay(folder / "src", {f"yoga/{i}.jpg": trees.picture(i) for i in range(4)})
    for name, n in (("a", "2"), ("b", "3")):
        usual = ("--dest", folder / name, "--workers", "1", "--quiet", *FAST)
        argv = ("build", "folder", "--src", folder / "src", "--n", n, *usual)
        assert main(list(map(str, argv))) == 0
    return folder


def _fail_what_b_has(place: Path) -> None:
    keys = {row["key"]: row for row in read_table(place / "b" / "stats.csv")}
    for row in read_table(place / "a" / "stats.csv"):
        del keys[row["key"]]
    (row,) = keys.values()
    cells = {**dict.fromkeys(FAILED_COLUMNS, ""), **{n: row[n] for n in ("key", "split", "label")}}
    line = ",".join((cells | {"reason": EVIL})[column] for column in FAILED_COLUMNS)
    with (place / "a" / "failed.csv").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def _say_in_the_record(name: str, value: object) -> Callable[[Path], None]:
    def change(place: Path) -> None:
        record = json.loads((place / "a" / "run.json").read_text("utf-8"))
        (place / "a" / "run.json").write_text(json.dumps(record | {name: value}), "utf-8")

    return change


def _lay_a_stray(place: Path) -> None:
    (place / "a" / "train" / "yoga" / f"{EVIL}.jpg").write_bytes(b"mine")


def _lay_a_bad_table(place: Path) -> None:
    header = "label,youtube_id,time_start,time_end,split\n"
    (place / "evil.csv").write_text(f"{header}yoga,abcdefghijk,1,2,{EVIL}\n", "utf-8")


def _lay_a_broken_archive(place: Path) -> None:
    pictures = {f"yoga/{i}.jpg": trees.picture(i) for i in range(4)}
    whole = trees.packed(pictures, "gz")
    (place / "evil").mkdir()
    (place / "evil" / f"{EVIL}.tar.gz").write_bytes(whole[: len(whole) // 2])


BUILD = ("build", "folder", "--src", "src", "--dest", "a", "--workers", "1", *FAST)

COMMANDS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "diff": (_fail_what_b_has, ("diff", "a", "b")),
    "diff's settings": (_say_in_the_record("seed", EVIL), ("diff", "a", "b")),
    "build": (_say_in_the_record("seed", EVIL), (*BUILD, "--n", "2")),
    "build of damage": (_say_in_the_record("n", EVIL), (*BUILD, "--n", "2")),
    "export": (_say_in_the_record("classes", {"train": [EVIL]}), ("export", "a", "--format", "hf")),
    "export to": (lambda _: None, ("export", "a", "--format", "torchvision", "--output", EVIL)),
    "verify": (_lay_a_stray, ("verify", "a", "--fast")),
    "verify as JSON": (_lay_a_stray, ("verify", "a", "--fast", "--json")),
    "report": (_fail_what_b_has, ("report", "a")),
    "report as JSON": (_fail_what_b_has, ("report", "a", "--json")),
    "sample": (_lay_a_bad_table, ("sample", "kinetics", "--annotations", "evil.csv", "--n", "1")),
    "a file that is not there": (lambda _: None, ("manifest", EVIL)),
    "a name that is not known": (lambda _: None, ("presets", EVIL)),
    "an option that is none": (lambda _: None, ("demo", f"--{EVIL}")),
    "doctor": (lambda _: None, ("doctor", "--ffmpeg", EVIL)),
    "doctor as JSON": (lambda _: None, ("doctor", "--ffmpeg", EVIL, "--json")),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_lets_text_act(built, tmp_path, monkeypatch, capsys, name):
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    prepare, argv = COMMANDS[name]
    prepare(tmp_path)
    capsys.readouterr()
    main(list(argv))
    said = capsys.readouterr()
    assert not acts(said.out + said.err), said
    assert "this should not have happened" not in said.err
    told = said.out + said.err
    assert SHOWN in told or repr(EVIL) in told or json.dumps(EVIL)[1:-1] in told
    if name.endswith("JSON"):
        assert EVIL in _texts_of(json.loads(said.out))


def _texts_of(value: object) -> str:
    """All texts within a value of JSON."""
    if isinstance(value, dict):
        return _texts_of([*value.values()])
    return "\n".join(map(_texts_of, value)) if isinstance(value, list) else str(value)


@pytest.mark.slow
def test_a_player_that_says_why_it_does_not_play(bench):
    """One video says so, then all: the first has a row and a log, and the run waits."""
    rows = [Row("yoga", youtube_id(i), 3, 5) for i in range(6)]
    evil = Video(SMALL, failure=f"No {EVIL}")
    good = Video(SMALL, ("progressive",))
    made = bench(
        Scenario({rows[0].youtube_id: evil}, default=good), rows, 6, *FAST, yt_dlp=ONE_CLIENT
    )
    for scenario, codes in ((None, (3,)), (Scenario(default=evil), (1, 3, 75))):
        if scenario:
            made.site.replace(scenario)
            shutil.rmtree(made.dest)
        done = made.run("--max-wait", "1s", "--block-wait", "0.2s")
        assert done.code in codes
        assert not acts(done.stdout + done.stderr)
        logs = list(made.folder.glob("dest-failed_logs/*.log"))
        written = "".join(path.read_text() for path in [made.dest / "failed.csv", *logs])
        assert not acts(written)
        assert "PWNED" in written
        assert logs


def test_data_for_programs_stays_as_it_is(built, tmp_path, monkeypatch, capsys):
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    _say_in_the_record("versions", {"é": EVIL})(tmp_path)
    sample = ("sample", "folder", "--src", "src", "--n", "1", "--quiet", "--output")
    for argv in (["manifest", "a"], [*sample, "-"]):
        assert main(argv) == 0
        printed = capsys.readouterr().out
        assert main([*argv, "--output", "x"]) == 0
        assert printed.encode() == (tmp_path / "x").read_bytes()
        assert acts(printed) == (argv[0] == "manifest")


def test_a_defect_is_told_and_kept_without_secrets(capsys):
    def run() -> int:
        raise KeyError(f"{EVIL} http://me:hunter2@proxy 'Cookie': 'SID=hunter2'")

    assert guarded(run) == 1
    said = capsys.readouterr().err
    kept = Path(said.rsplit("with ", 1)[1].split(";")[0])
    text = kept.read_text("utf-8")
    kept.unlink()
    assert "Traceback" in text
    for each in (said, text):
        assert not acts(each)
        assert "hunter2" not in each
        assert "PWNED" in each


# -- those who tell how it goes


@pytest.mark.parametrize("kind", [Bar, Lines, Objects])
def test_no_reporter_lets_text_act(kind):
    stream = StringIO()
    reporter = kind(stream)
    reporter.say(f"left out: {EVIL}\nnanokinetics: all is well")
    reporter.update(replace(Progress(1, 2, 0, 0, 1), blocked_since=1.0, blocked_by=EVIL))
    reporter.close()
    said = stream.getvalue().replace("\r", "")  # by which a bar is drawn anew
    assert not acts(said)
    assert "\nnanokinetics" not in said
    assert "PWNED" in said


def test_objects_mean_what_was_said(capsys):
    text = f"{EVIL} “ä” \ud83c"
    stream = StringIO()
    Objects(stream).say(text)
    assert json.loads(stream.getvalue()) == {"event": "message", "text": text}
    assert "“ä”" in stream.getvalue()
    say("an ä", "and a \n")
    assert capsys.readouterr().out == "an ä\nand a \\u000a\n"

"""The command line: what the library receives, what help says, and how errors end."""

from __future__ import annotations

import argparse
import json
import pty
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import fields, replace
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from helpers import commands

from nanokinetics.api import BuildResult
from nanokinetics.cli import main, parser
from nanokinetics.cli.display import Lines
from nanokinetics.clip import Group
from nanokinetics.config import BuildConfig, MakingConfig
from nanokinetics.errors import Blocked, Busy, EnvironmentFault, InputError, Reason

ANNOTATIONS = "label,youtube_id,time_start,time_end,split\n" + "".join(
    f"{label},-{label[:4]}{number:06d},10,20,train\n"
    for label in ("yoga", "hurling (sport)", "abseiling")
    for number in range(3)
)

ASKED = ["--annotations", "train.csv", "--n", "10"]
BUILD = ["build", "kinetics", *ASKED, "--dest", "nano"]
SAMPLE = ["sample", "kinetics", *ASKED]

CHOICE: dict[str, Any] = {
    "annotations": ["train.csv"],
    "source": None,
    "src": None,
    "class_names": None,
    "listing": None,
    "splits": None,
    "n": 10,
    "classes": None,
    "num_classes": None,
    "seed": None,
    "preset": None,
    "from_": None,
    "allow_replacements": False,
    "skip_bad_rows": False,
    "skip_missing_classes": False,
}
MAKING: dict[str, Any] = {
    "dest": "nano",
    "place": None,
    "resolution": None,
    "audio": None,
    "fps": None,
    "crf": None,
    "x264_preset": None,
    "gop": None,
    "workers": None,
    "max_per_hour": None,
    "max_wait": 6 * 3600,
    "wait_forever": False,
    "block_wait": 60,
    "retry_failed": False,
    "replace_transient": False,
    "canary": None,
    "cookies": None,
    "proxy": None,
    "yt_dlp_args": "",
    "ffmpeg": None,
    "failed_logs": None,
    "state": None,
}

CHOOSING_OPTIONS: list[tuple[list[str], dict[str, Any]]] = [
    ([], {}),
    (["--annotations", "a.csv", "b.json.gz"], {"annotations": ["a.csv", "b.json.gz"]}),
    (["--source", "local", "--src", "disk"], {"source": "local", "src": "disk"}),
    (["--class-names", "names.txt"], {"class_names": "names.txt"}),
    (["--list", "a.txt", "b.txt"], {"listing": ["a.txt", "b.txt"]}),
    (["--split", "train"], {"splits": ["train"]}),
    (["--split", "train", "val"], {"splits": ["train", "val"]}),
    (["--n", "train=10,val=2"], {"n": {"train": 10, "val": 2}}),
    (["--classes", "yoga,hurling (sport)"], {"classes": ("yoga", "hurling (sport)")}),
    (["--num-classes", "20"], {"num_classes": 20}),
    (["--seed", "7"], {"seed": "7"}),
    (["--seed", "-7"], {"seed": "-7"}),
    (["--skip-bad-rows"], {"skip_bad_rows": True}),
    (["--skip-missing-classes"], {"skip_missing_classes": True}),
    (["--quiet"], {}),
]
MAKING_OPTIONS: list[tuple[list[str], dict[str, Any]]] = [
    (["--dest=-nano"], {"dest": "-nano"}),
    (["--workers", "4"], {"workers": 4}),
    (["--place", "symlink"], {"place": "symlink"}),
    (["--transcode"], {"place": "transcode"}),
    (["--resolution", "240"], {"resolution": 240}),
    (["--no-audio"], {"audio": False}),
    (["--fps", "12.5"], {"fps": 12.5}),
    (["--crf", "30"], {"crf": 30}),
    (["--x264-preset", "slow"], {"x264_preset": "slow"}),
    (["--gop", "0.5"], {"gop": "0.5"}),
    (["--gop", "none"], {"gop": "none"}),
    (["--max-per-hour", "0"], {"max_per_hour": 0}),
    (["--max-wait", "90"], {"max_wait": 90}),
    (["--max-wait", "2d"], {"max_wait": 2 * 86400}),
    (["--wait-forever"], {"wait_forever": True}),
    (["--wait-forever", "--max-wait", "90"], {"wait_forever": True, "max_wait": 90}),
    (["--block-wait", "15m"], {"block_wait": 900}),
    (["--retry-failed"], {"retry_failed": True}),
    (["--retry-failed=all"], {"retry_failed": "all"}),
    (["--retry-failed", "all"], {"retry_failed": "all"}),
    (["--canary", "none"], {"canary": "none"}),
    (["--canary=-abcdefghij"], {"canary": "-abcdefghij"}),
    (["--replace-transient"], {"replace_transient": True}),
    (["--cookies", "c.txt"], {"cookies": "c.txt"}),
    (["--proxy", "http://u:p@h:1"], {"proxy": "http://u:p@h:1"}),
    (["--yt-dlp-args=--force-ipv4"], {"yt_dlp_args": "--force-ipv4"}),
    (["--yt-dlp-args", "--limit-rate 1M"], {"yt_dlp_args": "--limit-rate 1M"}),
    (["--ffmpeg", "/opt/ffmpeg"], {"ffmpeg": "/opt/ffmpeg"}),
    (["--failed-logs", "logs"], {"failed_logs": "logs"}),
    (["--state", "state"], {"state": "state"}),
]

WHOLE = BuildResult(made=2, wanted=2, new=1, replaced=0, held=0, superseded=0, refusals=0, short={})


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """`main` takes SIGTERM, and Ctrl-C when it is ending; pytest wants them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `build` was called with."""
    got: dict[str, Any] = {}

    def build(dataset: str, **options: Any) -> BuildResult:
        got.update(options, dataset=dataset)
        return WHOLE

    monkeypatch.setattr("nanokinetics.api.build", build)
    return got


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with annotations in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.csv").write_text(ANNOTATIONS)
    return tmp_path


def options_of(command: str) -> list[argparse.Action]:
    return [a for a in commands()[command]._actions if a.dest != "help"]


@pytest.mark.parametrize(("argv", "asked"), CHOOSING_OPTIONS + MAKING_OPTIONS)
def test_what_build_receives(
    received: dict[str, Any], argv: list[str], asked: dict[str, Any]
) -> None:
    assert main([*BUILD, *argv]) == 0
    del received["reporter"]
    assert received == {"dataset": "kinetics"} | CHOICE | MAKING | asked


@pytest.mark.parametrize(("argv", "asked"), CHOOSING_OPTIONS + MAKING_OPTIONS)
@pytest.mark.parametrize("command", [["sample"], ["build", "--dry-run"]])
def test_what_a_preview_receives(
    monkeypatch: pytest.MonkeyPatch, command: list[str], argv: list[str], asked: dict[str, Any]
) -> None:
    got: dict[str, Any] = {}

    def preview(dataset: str, **options: Any) -> None:
        got.update(options, dataset=dataset)
        raise InputError("that will do")

    monkeypatch.setattr("nanokinetics.outlook.preview", preview)
    assert main([*command, *BUILD[1:], *argv]) == 2
    del got["reporter"]
    assert got.pop("allow_unused", False) is (command == ["sample"])
    told = {"stats": None, "assume_gone": None}
    assert got == {"dataset": "kinetics"} | CHOICE | MAKING | told | asked


TOLD = {"quiet", "json", "log", "dry_run", "stats", "assume_gone"}
"""What is no option of the library's `build`, but of how a command tells of it."""


def test_sample_takes_every_option_of_build_as_build_does() -> None:
    ours, theirs = (
        {(a.dest, *a.option_strings): (a.nargs, a.choices, a.default) for a in options_of(command)}
        for command in ("build", "sample")
    )
    assert {name: theirs.get(name) for name in ours} == ours
    assert {name for name, *_ in theirs.keys() - ours.keys()} == {"output", "picks"}


@pytest.mark.parametrize(
    ("command", "config", "beside"),
    [
        ("build", BuildConfig, TOLD),
        ("sample", BuildConfig, TOLD | {"output", "picks"}),
    ],
)
def test_every_option_is_a_field_and_every_field_an_option(
    command: str, config: type, beside: set[str]
) -> None:
    options = {action.dest for action in options_of(command)} - beside
    assert options == {field.name for field in fields(config)}


@pytest.mark.parametrize("command", ["build", "sample"])
def test_defaults_on_the_command_line_are_those_of_the_library(command: str, here: Path) -> None:
    config = BuildConfig if command == "build" else MakingConfig
    given = vars(parser().parse_args(BUILD if command == "build" else SAMPLE))
    names = {field.name for field in fields(config)}
    asked = {name: value for name, value in given.items() if name in names}
    required = {"dataset", "annotations", "n"} | ({"dest"} if command == "build" else set())
    assert config(**asked) == config(**{name: asked[name] for name in required})


FLAGS = {
    "sample": "--annotations --split --n --classes --num-classes --seed --output --skip-bad-rows "
    "--quiet",
    "build": "--annotations --split --n --classes --num-classes --seed --skip-bad-rows --quiet "
    "--dest --workers --resolution --max-per-hour --max-wait --wait-forever --retry-failed "
    "--replace-transient --cookies --proxy --yt-dlp-args --failed-logs",
}


@pytest.mark.parametrize("command", FLAGS)
def test_the_flags_of_the_contract_are_there(command: str) -> None:
    there = {flag for action in options_of(command) for flag in action.option_strings}
    assert set(FLAGS[command].split()) <= there


def help_of(*argv: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*argv, "--help"])
    assert ended.value.code == 0
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("command", sorted(commands()))
def test_help_shows_defaults_and_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = help_of(command, capsys=capsys)
    assert f"example: nanokinetics {command}" in text
    for action in options_of(command):
        assert action.help, action.dest
        if action.option_strings and action.default not in (None, "", True, False, ()):
            assert f"(default: {action.default})" in text, action.dest


@pytest.mark.parametrize("command", sorted(commands()))
def test_the_example_of_each_command_is_one(command: str) -> None:
    epilog = commands()[command].epilog
    assert epilog is not None
    argv = epilog.removeprefix("example: nanokinetics ").split()
    assert argv[0] == command
    parser().parse_args(argv)


def test_the_main_help_names_every_command_and_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = help_of(capsys=capsys)
    for command in commands():
        assert command in text
    for code in (0, 1, 2, 3, 75, 130):
        assert re.search(rf"\b{code} \w", text)


NOWHERE = ["--proxy", "http://127.0.0.1:9"]
"""Should a bad build start all the same, it must not reach anybody."""

BAD_USAGE = [
    [],
    ["biuld"],
    ["build"],
    ["build", "imagenot", *ASKED, "--dest", "nano"],
    ["build", "kinetics", *ASKED],
    ["sample", "kinetics", "--n", "10"],
    ["sample", "kinetics", "--annotations", "train.csv"],
    [*BUILD, "--n", "ten"],
    [*BUILD, "--n", "0"],
    [*BUILD, "--n", "train=1,train=2"],
    [*BUILD, "--n", "train=1,training=2"],
    [*BUILD, "--n", "banana=1"],
    [*BUILD, "--split", "banana"],
    [*BUILD, "--annotations", "missing.csv"],
    [*BUILD, "--annotations", "."],
    [*BUILD, "--classes", "chess boxing"],
    [*BUILD, "--classes", "@missing.txt"],
    [*BUILD, "--classes", ","],
    [*BUILD, "--num-classes", "99"],
    [*BUILD, "--num-classes", "many"],
    [*BUILD, "--classes", "yoga", "--num-classes", "1"],
    [*BUILD, "--seed", "a\nb"],
    [*BUILD, "--workers", "0"],
    [*BUILD, "--resolution", "361"],
    [*BUILD, "--fps", "0"],
    [*BUILD, "--crf", "99"],
    [*BUILD, "--x264-preset", "warp"],
    [*BUILD, "--max-per-hour", "-1"],
    [*BUILD, "--max-wait", "1w"],
    [*BUILD, "--block-wait", "0"],
    [*BUILD, "--wait-forever", "6h"],
    [*BUILD, "--cookies", "missing.txt"],
    [*BUILD, "--cookies", "train.csv"],
    [*BUILD, "--yt-dlp-args=--no-such-option"],
    [*BUILD, "--yt-dlp-args=https://example.org/"],
    [*BUILD, "--dest", "train.csv"],
    [*BUILD, "--dest", "."],
    [*BUILD, "--frobnicate"],
    [*SAMPLE, "--max-per-hour", "-1"],
    [*SAMPLE, "--stats", "train.csv"],
    [*SAMPLE, "--stats", "missing.csv"],
    [*BUILD, "surplus"],
]


@pytest.mark.parametrize("argv", BAD_USAGE, ids=lambda argv: " ".join(argv[-2:]) or "nothing")
def test_bad_usage_is_one_line_and_exit_code_2_and_changes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    assert main([*argv, *NOWHERE] if argv[:1] == ["build"] else argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("nanokinetics: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert [p.name for p in here.iterdir()] == ["train.csv"]
    assert (here / "train.csv").read_text() == ANNOTATIONS


@pytest.mark.parametrize(
    ("option", "value"), [("--n", "ten"), ("--max-wait", "1w"), ("--classes", "@missing.txt")]
)
def test_a_value_that_cannot_be_read_is_told_with_its_option(
    here: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    main([*BUILD, option, value])
    err = capsys.readouterr().err
    assert option in err
    assert value.removeprefix("@") in err


def test_bad_rows_are_named_and_may_be_left_out(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (here / "train.csv").open("a") as file:
        file.write("yoga,too-short,10,20,train\n")
    assert main([*SAMPLE, "--quiet"]) == 2
    assert "train.csv, line 11: " in capsys.readouterr().err
    assert main([*SAMPLE, "--quiet", "--skip-bad-rows"]) == 0
    assert "too-short" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code", "last"),
    [
        (InputError("told"), 2, "nanokinetics: told"),
        (EnvironmentFault("told"), 1, "next: see to that, then the same command, which goes on"),
        (Blocked("told", 0.0), 75, "next: the same command after 1970-01-01 05:30:00+05:30"),
        (Blocked("told"), 75, "next: the same command, later"),
        (Busy("told"), 75, "next: the same command, when the other run has ended"),
        (KeyboardInterrupt(), 130, "next: the same command, which goes on from here"),
    ],
)
def test_what_ends_a_run_is_told_in_a_line_and_the_last_line_says_what_is_next(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    zone: Callable[[str], None],
    error: BaseException,
    code: int,
    last: str,
) -> None:
    zone("Asia/Kolkata")

    def build(*_: object, **__: object) -> None:
        raise copy(error)

    monkeypatch.setattr("nanokinetics.api.build", build)
    assert main(BUILD) == code
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert (out, len(lines)) == ("", 1 if code == 2 else 3)
    assert ("told" in lines[0]) or code == 130
    assert lines[-1].startswith(last)
    assert main([*BUILD, "--quiet"]) == code
    assert capsys.readouterr().err.splitlines() == lines[:1]


def test_a_short_class_is_exit_code_3_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    short = BuildResult(
        made=1,
        wanted=3,
        new=1,
        replaced=2,
        held=1,
        superseded=0,
        refusals=3,
        short={Group("train", "hurling (sport)"): (1, 3)},
        reasons={Reason.PRIVATE: 2, Reason.TIMEOUT: 1},
        retryable=4,
        gone=2,
    )
    monkeypatch.setattr("nanokinetics.api.build", lambda *_, **__: short)
    assert main(BUILD) == 3
    out = capsys.readouterr().out
    assert "1 of 3 clips are in nano" in out
    assert "hurling (sport) (train) has 1 of 3" in out
    assert "2 private, 1 timeout" in out
    assert out.splitlines()[-1] == (
        "next: the same command, for 1 clip for later, or with --retry-failed for 4 failed clips "
        "of short classes, or with --retry-failed=all for 6 failed clips of short classes"
    )
    assert main([*BUILD, "--quiet"]) == 3
    assert capsys.readouterr() == (
        "",
        "nanokinetics: 1 of 3 clips are in nano, 1 of them new; short: hurling (sport) (train) has "
        "1 of 3\n",
    )


def test_the_result_as_an_object_has_all_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    short = replace(
        WHOLE,
        made=1,
        short={Group("train", "hurling (sport)"): (1, 2)},
        reasons={Reason.PRIVATE: 2},
    )
    monkeypatch.setattr("nanokinetics.api.build", lambda *_, **__: short)
    assert main([*BUILD, "--json", "--quiet"]) == 3
    (line,) = capsys.readouterr().out.splitlines()
    result = json.loads(line)
    assert (result["event"], result["exit_code"], result["made"]) == ("result", 3, 1)
    assert result["short"] == [
        {"split": "train", "label": "hurling (sport)", "has": 1, "wanted": 2}
    ]
    assert result["reasons"] == {"private": 2}


def test_quiet_says_nothing(received: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*BUILD, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_sample_prints_the_selection_and_nothing_else_to_stdout(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SAMPLE, "--n", "2"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "key,split,label,youtube_id,time_start,time_end,rank,pick,seed"
    assert len(lines) == 1 + 9
    assert "3 classes, 6 clips, 3 reserves" in err


@pytest.mark.parametrize(
    ("more", "printed", "estimated"),
    [([], 0, True), (["--output", "-"], 10, True), (["--quiet"], 10, False)],
)
def test_on_a_terminal_sample_prints_the_selection_only_if_asked_to(
    here: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
    printed: int,
    estimated: bool,
) -> None:
    ours, theirs = pty.openpty()
    with open(ours, "rb", 0) as shown, open(theirs, "w", encoding="utf-8") as terminal:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", terminal)
        assert main([*SAMPLE, "--n", "2", *more]) == 0
        monkeypatch.undo()
        print("end", file=terminal, flush=True)
        text = b""
        while not text.endswith(b"end\r\n"):
            text += shown.read(65536)
    assert len(text.splitlines()) == printed + 1
    err = capfd.readouterr().err
    assert ("3 classes, 6 clips, 3 reserves" in err) is estimated
    assert ("--output FILE, or - to print it" in err) is (not more)


def test_a_table_and_an_object_are_not_both_printed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SAMPLE, "--output", "-", "--json"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert main([*SAMPLE, "--quiet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["clips"]


def test_sample_writes_the_same_to_a_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*SAMPLE, "--quiet"])
    printed = capsys.readouterr().out
    assert main([*SAMPLE, "--quiet", "--output", "new/picks.csv"]) == 0
    assert capsys.readouterr() == ("", "")
    assert (here / "new" / "picks.csv").read_text(encoding="utf-8") == printed


def test_an_output_that_cannot_be_written_is_told(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SAMPLE, "--quiet", "--output", "train.csv/picks.csv"]) == 1
    err = capsys.readouterr().err
    assert "--output train.csv/picks.csv" in err
    assert err.count("\n") == 1


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"nanokinetics {version('nanokinetics')}\n"


def test_as_a_module_it_is_the_same_command(here: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nanokinetics", *BUILD, "--n", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("nanokinetics: ")
    assert done.stderr.count("\n") == 1


def test_the_first_line_of_a_log_can_be_pasted_and_holds_no_secret(
    received: dict[str, Any], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["--proxy", "http://me:hunter2@proxy:8080", "--cookies", "my cookies.txt"]
    given.append("--yt-dlp-args=--video-password hunter2 --force-ipv4")
    argv = [*BUILD, *given, "--log", "night.log"]
    monkeypatch.setattr(sys, "argv", ["/opt/venv/bin/nanokinetics", *argv])
    assert main(argv) == 0
    first, *_, last = (here / "night.log").read_text().splitlines()
    assert "hunter2" not in first
    assert f": nanokinetics {version('nanokinetics')} in {here}: nanokinetics build" in first
    command = shlex.split(first.partition(f" in {here}: ")[2])
    assert command[: len(BUILD) + 1] == ["nanokinetics", *BUILD]
    assert command[command.index("--cookies") + 1] == "my cookies.txt"
    assert "next: nanokinetics verify nano" in last


def test_a_log_begins_with_that_line_and_only_if_something_is_said() -> None:
    log = StringIO()
    lines = Lines(log, "nanokinetics 1 in /data: nanokinetics build")
    lines.close()
    assert log.getvalue() == ""
    lines.say("first")
    lines.say("second")
    header, first, second = log.getvalue().splitlines()
    assert header.endswith(" nanokinetics 1 in /data: nanokinetics build")
    assert (first[8:], second[8:]) == (" first", " second")

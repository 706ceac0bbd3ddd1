"""What README.md and docs/ say is true: commands, options, columns, reasons and exit codes."""

from __future__ import annotations

import ast
import contextlib
import importlib
import re
import shlex
from dataclasses import fields
from datetime import date
from functools import cache
from pathlib import Path

import pytest
import yt_dlp
from helpers import WHEEL, commands

from nanokinetics.api import BuildResult
from nanokinetics.cli import parser
from nanokinetics.config import BuildConfig, SampleConfig
from nanokinetics.dataset.indexes import deepmind, huggingface
from nanokinetics.dataset.ledger import FAILED_COLUMNS, STATS_COLUMNS
from nanokinetics.dataset.ranking import COLUMNS
from nanokinetics.doctor import Finding, examine
from nanokinetics.errors import ExitCode, Reason
from nanokinetics.estimate import Estimate
from nanokinetics.progress import Progress

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
FLAG = re.compile(r"(?<![\w-])--[a-z][\w-]*")
FOR_YT_DLP = re.compile(r"--yt-dlp-args[= ](\"[^\"]*\"|'[^']*')")


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def everything() -> str:
    return "\n".join(map(read, PAGES))


@cache
def our_flags() -> frozenset[str]:
    parsers = [parser(), *commands().values()]
    return frozenset(f for p in parsers for a in p._actions for f in a.option_strings)


@cache
def yt_dlp_flags() -> frozenset[str]:
    parser = yt_dlp.parse_options(["--ignore-config"]).parser
    return frozenset(
        f
        for group in [parser, *parser.option_groups]
        for o in group.option_list
        for f in o._long_opts
    )


def shell_commands(text: str) -> list[list[str]]:
    """The arguments of every `nanokinetics …` in the fenced blocks of a page."""
    found = []
    for language, block in FENCE.findall(text):
        if language not in ("", "sh", "bash", "shell", "console"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line.lstrip("$ "), posix=True, punctuation_chars=";&|")
            lexer.whitespace_split = True
            try:
                words = list(lexer)
            except ValueError:  # a quotation mark in what a program printed
                continue
            if "nanokinetics" not in words:
                continue
            before = words[: words.index("nanokinetics")]
            if before and before[-1] not in ("until", "while", "if", ";", "&&", "||", "|", "time"):
                continue
            rest = words[words.index("nanokinetics") + 1 :]
            ends = [i for i, word in enumerate(rest) if re.fullmatch(r"[;&|]+|>+|2>", word)]
            found.append(rest[: ends[0]] if ends else rest)
    return found


def code_spans(text: str) -> list[str]:
    """What stands between backticks outside of fenced blocks."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


BENCHMARKS = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))


def benches(text: str) -> list[list[str]]:
    """The words of every bench that a page tells to run, its path first."""
    found = re.findall(r"((?:(?:benchmarks|scripts)/)?\w+\.py\b[^`\n|]*)", text)
    return [words for each in found if Path((words := each.split())[0]).stem in BENCHMARKS]


COMMANDS = [(page, argv) for page in PAGES for argv in shell_commands(read(page))]


def test_the_readme_shows_commands() -> None:
    assert {argv[0] for page, argv in COMMANDS if page.name == "README.md"} >= {"build", "sample"}


@pytest.mark.parametrize(
    "argv", [argv for _, argv in COMMANDS], ids=lambda argv: " ".join(argv)[:60]
)
def test_every_command_that_is_shown_can_be_typed(argv: list[str]) -> None:
    with contextlib.suppress(SystemExit):  # --help and --version end with it; bad usage does not
        parser().parse_args(argv)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_named_in_prose_exists(page: Path) -> None:
    named = {
        m[1] for span in code_spans(read(page)) if (m := re.match(r"nanokinetics ([a-z]\w*)", span))
    }
    assert named <= set(commands())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_flag_named_in_prose_exists(page: Path) -> None:
    """A flag that stands alone is ours; where a line speaks of yt-dlp it may be yt-dlp's."""
    for line in FENCE.sub("", read(page)).splitlines():
        known = our_flags() | (yt_dlp_flags() if "yt-dlp" in line else frozenset())
        for span in code_spans(line):
            program = span.split()[0]
            if program.startswith("--") or program == "nanokinetics":
                flags = set(FLAG.findall(FOR_YT_DLP.sub("--yt-dlp-args", span)))
                assert flags <= known, line


@pytest.mark.parametrize("words", [w for page in PAGES for w in benches(read(page))], ids=" ".join)
def test_every_bench_that_is_shown_can_be_run(words: list[str]) -> None:
    path = ROOT / words[0] if "/" in words[0] else ROOT / "benchmarks" / words[0]
    options = set(re.findall(r"\"(--[a-z][\w-]*)\"", read(path)))
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_program_that_is_shown_exists(page: Path) -> None:
    """As a path that begins with the folder that it lies in, not as one of somebody's own."""
    for path in re.findall(r"(?<![\w./-])(?:scripts|benchmarks|tests)/[\w./-]*\w", read(page)):
        assert (ROOT / path).exists(), path


def test_every_option_handed_to_yt_dlp_is_one_of_its_own() -> None:
    for quoted in FOR_YT_DLP.findall(everything()):
        assert set(FLAG.findall(quoted)) <= yt_dlp_flags(), quoted


def test_every_command_is_documented() -> None:
    for command in commands():
        assert re.search(rf"nanokinetics {command}\b", everything()), command


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_option_is_documented(command: str) -> None:
    text = everything()
    for action in commands()[command]._actions:
        for flag in action.option_strings:
            if flag.startswith("--"):
                assert re.search(rf"{flag}(?![\w-])", text), flag


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a page: the cells of each row after the header."""
    blocks = re.findall(r"^\|.*\n\|[-| :]+\|\n((?:\|.*\n?)+)", text, re.MULTILINE)
    return [
        [[cell.strip() for cell in row.strip("|\n ").split("|")] for row in block.splitlines()]
        for block in blocks
    ]


def test_defaults_in_the_table_of_options_are_those_of_the_parser() -> None:
    """Where a row names one option and its default is given as code."""
    shown = {
        a.option_strings[0]: str(a.default)
        for p in commands().values()
        for a in p._actions
        if a.option_strings and a.default not in (None, "", True, False)
    }
    checked = 0
    pages = (ROOT / "README.md", ROOT / "docs" / "options.md")
    for table in [table for page in pages for table in tables(read(page))]:
        for row in table:
            flags, default = FLAG.findall(row[0]), re.fullmatch(r"`([^`]*)`", row[-1])
            if len(flags) == 1 and default and flags[0] in shown:
                assert shown[flags[0]] == default[1], row
                checked += 1
    assert checked


def test_every_keyword_of_the_python_examples_is_a_field() -> None:
    known = {"build": BuildConfig, "sample": SampleConfig}
    calls = 0
    for page in PAGES:
        for language, block in FENCE.findall(read(page)):
            if language != "python":
                continue
            for call in ast.walk(ast.parse(block)):
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") in known:
                    names = {f.name for f in fields(known[call.func.id])} | {"reporter"}  # type: ignore[attr-defined]
                    assert {word.arg for word in call.keywords} <= names
                    calls += 1
    assert calls


def python_blocks() -> list[tuple[str, str]]:
    return [
        (page.name, block)
        for page in PAGES
        for language, block in FENCE.findall(read(page))
        if language == "python"
    ]


@pytest.mark.parametrize(("page", "block"), python_blocks())
def test_every_name_that_the_python_examples_import_of_ours_is_there(page: str, block: str) -> None:
    for line in ast.walk(ast.parse(block)):
        if isinstance(line, ast.ImportFrom) and (line.module or "").startswith("nanokinetics"):
            module = importlib.import_module(str(line.module))
            assert [name.name for name in line.names if not hasattr(module, name.name)] == []


def test_the_examples_that_need_no_network_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As they stand: nothing but `build` is asked of the network."""
    monkeypatch.chdir(tmp_path)
    rows = [f"c{n % 25},{n:011d},0,10,train" for n in range(500)]
    header = "label,youtube_id,time_start,time_end,split"
    (tmp_path / "train.csv").write_text("\n".join([header, *rows, ""]))
    made = dict.fromkeys(STATS_COLUMNS, "1") | {"time_end": "11", "finished_at": "2026-01-01"}
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "stats.csv").write_text(f"{','.join(made)}\n{','.join(made.values())}\n")
    ran = 0
    for page, block in python_blocks():
        if page == "library.md" and "build(" not in block:
            exec(compile(block, page, "exec"), {"__name__": "example"})  # noqa: S102
            ran += 1
    assert ran
    out = capsys.readouterr().out
    assert out.count("train c") == 20
    assert "bytes" in out


def test_every_field_of_what_is_told_to_scripts_is_described() -> None:
    text = read(ROOT / "docs" / "overnight.md")
    for described in (Progress, Estimate, Finding):
        for field in fields(described):
            assert f"`{field.name}`" in text, field.name
    rows = {
        name
        for table in tables(read(ROOT / "docs" / "library.md"))
        for row in table
        for name in re.findall(r"`(\w+)`", row[0])
    }
    assert {field.name for field in fields(BuildResult)} <= rows


def test_every_check_of_the_doctor_is_described(tmp_path: Path) -> None:
    asked = {"today": date(2026, 1, 1), "environment": {}, "ffmpeg": WHEEL}
    found = [each.check for each in examine(dest=tmp_path, **asked)]  # type: ignore[arg-type]
    page = read(ROOT / "docs" / "overnight.md")
    (table,) = tables(page.partition("## Whether it")[2].partition("## How it")[0])
    assert [row[0].strip("`") for row in table] == [*found, "canary"]


def test_every_exit_code_is_documented() -> None:
    codes = {row[0] for table in tables(read(ROOT / "README.md")) for row in table}
    assert {str(int(code)) for code in ExitCode} <= codes


def documented(page: str, heading: str) -> list[str]:
    """The names in the first column of the table under a heading, in order."""
    text = read(ROOT / "docs" / page)
    section = re.split(r"^## ", text.partition(f"## {heading}\n")[2], flags=re.MULTILINE)[0]
    (table,) = tables(section)
    names: list[str] = []
    for row in table:
        if "…" in row[0]:  # the columns that the other table has described
            names += STATS_COLUMNS[: STATS_COLUMNS.index(re.findall(r"`(\w+)`", row[0])[1]) + 1]
        else:
            names += re.findall(r"`(\w+)`", row[0])
    return names


@pytest.mark.parametrize(
    ("heading", "columns"), [("stats.csv", STATS_COLUMNS), ("failed.csv", FAILED_COLUMNS)]
)
def test_every_column_of_the_ledger_is_described_in_order(
    heading: str, columns: tuple[str, ...]
) -> None:
    assert documented("files.md", heading) == list(columns)


@pytest.mark.parametrize("header", [COLUMNS, huggingface.HEADER, deepmind.HEADER])
def test_the_headers_of_the_other_tables_are_those_described(header: tuple[str, ...]) -> None:
    assert f"`{','.join(header)}`" in read(ROOT / "docs" / "files.md")


def test_every_reason_is_described_under_its_kind() -> None:
    kinds = tables(read(ROOT / "docs" / "failures.md"))[0]
    described = {
        re.findall(r"`(\w+)`", row[0])[0]: re.findall(r"`(\w+)`", row[-1]) for row in kinds
    }
    told = {reason: kind for kind, reasons in described.items() for reason in reasons}
    assert told == {str(reason): str(reason.kind) for reason in Reason}


def test_every_link_to_a_file_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", read(page)):
            assert (page.parent / target).exists(), f"{page.name}: {target}"

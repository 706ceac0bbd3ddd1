"""Whatever becomes of the standard streams, the exit code says what became of the command."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import trees
from helpers import FAST, read_table


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams") / "src"
    return trees.lay(folder, {f"{c}/{i}.jpg": trees.picture(i) for c in "ab" for i in range(3)})


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script of bash in which `$NK` is the command. A failing part of a pipe counts."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; NK='{sys.executable} -m nanokinetics'; {script}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def build(source: Path, n: int) -> str:
    options = " ".join((*FAST, "--workers 1"))
    return f"$NK build folder --src {source} --dest nano --n {n} {options}"


@pytest.mark.parametrize(
    "streams",
    [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "| true", "2>&1 | true", "--json | true",
     "--json >&-"],
)  # fmt: skip
@pytest.mark.parametrize(("n", "code"), [(2, 0), (9, 3)])
def test_a_build_ends_as_if_somebody_read_it(
    source: Path, tmp_path: Path, streams: str, n: int, code: int
) -> None:
    done = shell(f"{build(source, n)} {streams}", tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert len(read_table(tmp_path / "nano" / "stats.csv")) == min(2 * n, 6)
    if "--json" in streams:
        assert done.stderr == ""
    elif "2>" not in streams:
        assert done.stderr.splitlines()[-1].startswith("next: "), "the log is whole all the same"


@pytest.mark.parametrize(
    ("streams", "times"), [(">out 2>log", (1, 1)), (">log 2>&1", (1,)), ("2>log", (1,))]
)
def test_a_log_of_its_own_has_the_summary_and_no_file_has_it_twice(
    source: Path, tmp_path: Path, streams: str, times: tuple[int, ...]
) -> None:
    done = shell(f"{build(source, 2)} {streams}", tmp_path)
    assert done.returncode == 0
    found = [tmp_path / name for name in ("log", "out") if (tmp_path / name).exists()]
    assert tuple(file.read_text().count("next: nanokinetics verify") for file in found) == times


def test_no_file_of_a_dataset_takes_the_place_of_a_closed_stream(
    source: Path, tmp_path: Path
) -> None:
    assert shell(f"{build(source, 2)} >&- 2>&-", tmp_path).returncode == 0
    assert shell(f"{build(source, 2)}", tmp_path).returncode == 0
    assert shell("$NK verify nano", tmp_path).stdout == "nano: 4 clips, all is as recorded\n"


def test_bad_input_is_still_told_by_the_exit_code(source: Path, tmp_path: Path) -> None:
    assert shell("$NK build folder --n 2 --dest nano 2>&-", tmp_path).returncode == 2
    assert shell("$NK build folder --n 2 --dest nano 2>&1 | true", tmp_path).returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_result_that_does_not_fit_on_the_disk_is_an_error(source: Path, tmp_path: Path) -> None:
    done = shell(f"{build(source, 2)} --json >/dev/full", tmp_path)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr


def test_a_terminal_that_is_closed_ends_nothing(source: Path, tmp_path: Path) -> None:
    """As after `disown` or in tmux: what is written then fails, and no signal comes."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "nanokinetics", "build", "folder", "--src", source, "--n", "2",
         "--dest", "nano", *FAST],
        cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    os.close(ours)
    assert running.wait(120) == 0
    assert len(read_table(tmp_path / "nano" / "stats.csv")) == 4


def test_a_table_is_plain_on_a_terminal_and_exact_in_a_file(source: Path, tmp_path: Path) -> None:
    assert shell(build(source, 2), tmp_path).returncode == 0
    record = tmp_path / "nano" / "run.json"
    record.write_text(record.read_text().replace('"seed": "0"', '"seed": "\\u001b]0;PWNED\\u0007"'))
    piped = shell("$NK manifest nano", tmp_path)
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "nanokinetics", "manifest", "nano"],
        cwd=tmp_path, stdout=theirs, stderr=theirs, check=False,
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 100_000)
    os.close(ours)
    assert (piped.returncode, done.returncode) == (0, 0)
    assert b"\x1b" not in shown
    assert b"PWNED" in shown
    assert "PWNED" in piped.stdout

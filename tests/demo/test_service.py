"""`nanokinetics demo --serve`: with the lines it prints, a plain build works in an empty folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import Running, ended_at_last, left_over, nanokinetics, read_table, wait_until

from nanokinetics.cli import main
from nanokinetics.demo import programme, programs
from nanokinetics.demo.films import read_frame_numbers


def printed(running: Running, cwd: Path) -> str:
    """What the command has printed, once the last line to paste is there."""
    (path,) = cwd.glob("*.out")
    wait_until(lambda: "--dest nano\n" in path.read_text() or running.over)
    assert not running.over, running.said
    return path.read_text()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[tuple[Running, str]]:
    """A site that is up, and what it has printed."""
    folder = tmp_path / "terminal"
    folder.mkdir()
    with ended_at_last(nanokinetics("demo", "--serve", cwd=folder)) as running:
        yield running, printed(running, folder)


def pasted(lines: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Paste lines into a shell that knows nothing else of the tests' own set-up."""
    kept = ("HOME", "NANOKINETICS_PATIENCE", "LANG")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/sh", "-e"],
        input=lines,
        cwd=cwd,
        env={name: os.environ[name] for name in kept if name in os.environ} | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


@pytest.mark.slow
def test_with_the_printed_lines_a_plain_build_works(up, tmp_path: Path) -> None:
    running, text = up
    lines = text.partition("\n\n")[2]
    exports = dict(re.findall(r"^export (\w+)=(\S+)$", lines, re.MULTILINE))
    command = lines.strip().splitlines()[-1]
    assert shlex.split(command)[1:] == [
        *("build", "kinetics", "--annotations", "demo", "--preset", "tiny", "--dest", "nano")
    ]
    program = shlex.split(command)[0]
    assert program == "nanokinetics" or Path(program).is_absolute()

    empty = tmp_path / "empty"
    empty.mkdir()
    done = pasted(lines, empty)
    assert done.returncode == 0, done.stderr
    assert "25 of 25 clips are in nano" in done.stdout
    assert re.search(r"waited: .*, refused \d+ times", done.stdout)
    assert {path.name for path in empty.iterdir()} == {"nano", "nano-failed_logs"}
    stats, failed = read_table(empty / "nano" / "stats.csv"), read_table(empty / "nano/failed.csv")
    assert len(stats) == 25
    assert failed, "some of them are dead"
    for row in stats[:5]:
        numbers = read_frame_numbers(empty / "nano" / row["path"])
        assert numbers[0] == round(float(row["time_start"]) * programme.FILM.fps)
    assert left_over(empty / "nano") == []

    # The annotations came over the proxy, into a cache that goes with the site.
    (fetched,) = Path(exports["XDG_CACHE_HOME"]).rglob("annotations.csv")
    record = json.loads((empty / "nano" / "run.json").read_text())
    digest = hashlib.sha256(fetched.read_bytes()).hexdigest()
    assert record["annotations"] == {"annotations.csv": digest}
    assert exports["XDG_CACHE_HOME"] not in (empty / "nano" / "run.json").read_text()

    running.process.send_signal(signal.SIGTERM)
    ended = running.wait(20)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.endswith("the make-believe YouTube is gone\n")
    assert not Path(exports["XDG_CACHE_HOME"]).parent.exists()
    assert not Path(exports["SSL_CERT_FILE"]).parent.exists()


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with ended_at_last(
            nanokinetics("demo", "--serve", "--port", str(port), cwd=tmp_path)
        ) as it:
            done = it.wait(100)
    assert done.code == 1
    assert done.stderr == (
        f"nanokinetics: --port {port}: Address already in use; name another, or leave it out for "
        "any free one\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "80"], "--port is for --serve"),
        (["here", "--serve"], "--serve makes no folder; leave out here"),
        (["--serve", "--port", "70000"], "'70000' is no port"),
    ],
)
def test_options_without_effect_are_refused(arguments, said, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_next_steps_name_the_program_as_a_shell_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{own}:/bin")
    monkeypatch.setenv("VIRTUAL_ENV", str(own.parent))
    assert programs.program() == "nanokinetics"
    assert programs.program(anywhere=True) == str(own / "nanokinetics")
    monkeypatch.delenv("VIRTUAL_ENV")
    assert programs.program() == programs.program(anywhere=True) == "nanokinetics"
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.chdir(own.parent)
    assert programs.program() == f"{own.name}/nanokinetics"
    assert programs.program(anywhere=True) == str(own / "nanokinetics")
    monkeypatch.chdir(tmp_path)
    assert programs.program() == str(own / "nanokinetics")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "my python"))
    assert programs.program() == f"'{tmp_path}/my python' -m nanokinetics"

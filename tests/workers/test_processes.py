"""Children do what they are told, and leave nothing behind, however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.connection import Connection

import psutil
import pytest
from helpers import gone

from nanokinetics.config import NetworkConfig, VideoConfig
from nanokinetics.errors import EnvironmentFault, InputError
from nanokinetics.sources.youtube import YouTube
from nanokinetics.workers.processes import Forked, Processes, Spawned, call

KINDS = [Spawned, *([Forked] if sys.platform == "linux" else [])]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def children(request) -> Iterator[Processes]:
    made = Spawned() if request.param is Spawned else Forked(["json"])
    with closing(made):
        yield made


def echo(pipe: Connection, told: str) -> None:
    pipe.send((os.getpid(), told))
    if pipe.recv() == "crash":
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_child_is_told_things_and_tells_how_it_ended(children):
    for word, code in (("crash", -signal.SIGKILL), ("end", 0)):
        child = children.start(echo, word)
        assert child.recv()[1] == word
        child.send(word)
        with pytest.raises(EOFError):
            child.recv()
        assert children.exit_code(child) == code


def test_what_a_function_returns_or_raises_comes_back(children):
    assert call(children, os.path.join, "a", "b").result() == "a/b"
    network = NetworkConfig(yt_dlp_args="--no-such-option")
    for pending, error in (
        (call(children, YouTube(network, VideoConfig()).check), InputError),
        (call(children, os._exit, 3), EnvironmentFault),
    ):
        with pytest.raises(error):
            pending.result()


def test_closing_ends_all_at_once(children):
    pids = [child.recv()[0] for child in (children.start(echo, "") for _ in range(3))]
    family = [psutil.Process(pid) for pid in pids]
    began = time.monotonic()
    children.close()
    assert gone(family) == []
    assert time.monotonic() - began < 5


def test_many_children_in_turn_leave_no_file_open(children):
    call(children, os.getpid).result()
    before = psutil.Process().num_fds()
    for _ in range(20 if isinstance(children, Forked) else 3):
        call(children, os.getpid).result()
    assert psutil.Process().num_fds() == before


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no template process")
def test_children_end_with_what_they_are_forked_from_and_others_are_to_be_had():
    with closing(Forked([])) as children:
        child = children.start(echo, "")
        worker = psutil.Process(child.recv()[0])
        nursery = worker.parent()
        assert nursery is not None
        nursery.kill()
        assert gone([worker]) == []
        assert children.exit_code(child) is None
        assert call(children, os.getppid).result() != os.getpid()


SCRIPT = """
import os, sys
from nanokinetics.workers.processes import call, processes
if __name__ != "__main__":
    print("what a process says that imports this")
else:
    children = processes([])
    for _ in range(3):
        call(children, os.getpid).result()
    children.close()
    os._exit(7)
"""


@pytest.mark.parametrize("out", ["closed", "full", "nobody reads"])
def test_a_script_whose_output_goes_nowhere_is_not_killed_for_it(tmp_path, out):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    into = {"closed": ">&-", "full": ">/dev/full", "nobody reads": "| true"}[out]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    command = f"set -o pipefail; {sys.executable} {script} {into}"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        env=environment,
        start_new_session=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    assert done.stderr == b""


def test_ctrl_c_does_not_wait_for_a_child_at_work(children):
    pending = call(children, time.sleep, 60)
    call(children, os.getpid).result()  # so that the first is at work
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        pending.result()
    assert time.monotonic() - began < 20

"""What a process starts ends with it, whatever ends it; and no call lasts for ever."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from helpers import gone, wait_until

from nanokinetics.common.kin import OutOfTimeError, time_limit

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it is about signals")

TIED = """
import subprocess, sys, time
from yt_dlp.utils import Popen
from nanokinetics.common.kin import tie_children
tie_children()
tie_children()
children = [
    Popen(["sleep", "600"]),
    subprocess.Popen("sleep 600", shell=True),
    subprocess.Popen(["sh", "-c", "trap '' TERM HUP; while :; do sleep 0.1; done"]),
]
print(*(child.pid for child in children), flush=True)
time.sleep(600)
"""

GROUPS = """
import os, signal, subprocess, sys, time
from nanokinetics.common import system
system._LIBC = None  # as on a system whose kernel does not end children
from nanokinetics.workers.processes import Spawned

def work(pipe, _):
    pipe.send((os.getpid(), subprocess.Popen(["sleep", "600"]).pid))
    time.sleep(600)

if __name__ == "__main__":
    children = Spawned()
    pipe = children.start(work, None)
    worker, sleeper = pipe.recv()
    print(worker, sleeper, flush=True)
    try:
        pipe.recv()
    except EOFError:
        children.exit_code(pipe)
    children.close()
    time.sleep(600)
"""


def _started(folder: Path, script: str) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """Run a script that prints the ids of its children."""
    path = folder / "script.py"
    path.write_text(script)
    process = subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    with process.stdout as said:
        return process, [psutil.Process(int(pid)) for pid in said.readline().split()]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the group is ended")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_children_of_any_library_end_with_their_parent(tmp_path, number):
    process, children = _started(tmp_path, TIED)
    assert len(children) == 3
    process.send_signal(number)
    process.wait(10)
    assert gone(children) == []


@pytest.mark.parametrize("victim", ["parent", "worker"])
def test_where_the_kernel_does_not_end_them_the_group_is_ended(tmp_path, victim):
    process, children = _started(tmp_path, GROUPS)
    (process if victim == "parent" else children[0]).kill()
    try:
        assert gone(children, seconds=10) == []
    finally:
        process.kill()
        process.wait(10)


def test_a_call_is_interrupted_wherever_it_waits():
    here, there = socket.socketpair()
    with here, there:
        for wait in (lambda: here.recv(1), lambda: time.sleep(60), threading.Event().wait):
            began = time.monotonic()
            with pytest.raises(OutOfTimeError), time_limit(0.1):
                wait()
            assert time.monotonic() - began < 5


def test_an_interruption_that_is_swallowed_comes_again():
    heard = []

    def swallow_one() -> None:
        try:
            time.sleep(60)
        except OutOfTimeError as error:
            heard.append(error)
        time.sleep(60)

    with pytest.raises(OutOfTimeError), time_limit(0.1):
        swallow_one()
    assert len(heard) == 1


def test_no_alarm_is_left_after_a_call():
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(60):
        pass
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_other_threads_have_no_limit():
    done = []

    def work() -> None:
        with time_limit(0.01):
            time.sleep(0.1)
        done.append(os.getpid())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    wait_until(lambda: done, 1)

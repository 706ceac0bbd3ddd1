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
from helpers import gone, wait_until

from nanokinetics.config import NetworkConfig, VideoConfig
from nanokinetics.errors import EnvironmentFault, InputError
from nanokinetics.sources.youtube import YouTube
from nanokinetics.workers.processes import Forked, Processes, Spawned, call, processes
from nanokinetics.workers.template import GRACE

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


# -- children that do not end, and programs in which forking is not safe


def linger(pipe: Connection, word: str) -> None:
    """Close the pipe and live on, deaf to what may be sent to it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pipe.send((os.getpid(), word))
    pipe.close()
    time.sleep(60)


def test_a_child_that_closes_its_pipe_and_lives_on_holds_nobody_up(children):
    child = children.start(linger, "x")
    worker = psutil.Process(child.recv()[0])
    with pytest.raises(EOFError):
        child.recv()
    began = time.monotonic()
    assert children.exit_code(child) == -signal.SIGKILL
    assert time.monotonic() - began < GRACE + 10
    assert gone([worker]) == []
    assert call(children, os.path.join, "a", "b").result() == "a/b", "others are to be had"


@pytest.mark.parametrize(
    ("value", "kind"), [("spawn", Spawned), ("fork", KINDS[-1]), ("", KINDS[-1])]
)
def test_a_variable_chooses_the_kind_of_processes(value, kind):
    with closing(processes([], {"NANOKINETICS_WORKERS": value})) as made:
        assert type(made) is kind


def test_another_value_of_the_variable_is_refused():
    with pytest.raises(InputError, match="NANOKINETICS_WORKERS is 'thread'; set it to spawn or"):
        processes([], {"NANOKINETICS_WORKERS": "thread"})


THREADED = """
import os, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
from nanokinetics.workers.processes import call, processes
if __name__ == "__main__":
    children = processes(["json"])
    pids = [call(children, os.getpid).result() for _ in range(3)]
    pending = [call(children, os.getppid) for _ in range(3)]
    parents = {each.result() for each in pending}
    assert len({*pids, *parents, os.getpid()}) == 5, "three children of one template"
    try:
        call(children, int, "x").result()
    except ValueError:
        print("well")
    children.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no template process")
def test_where_the_main_file_starts_threads_workers_are_new_processes(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(THREADED)
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "well\n", "")


def test_children_of_a_template_with_threads_end_with_it(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        THREADED.partition("    children = ")[0] + "    import time\n"
        "    children = processes([])\n"
        "    print(call(children, os.getpid).result(), flush=True)\n"
        "    call(children, time.sleep, 60).result()\n"
    )
    argv = [sys.executable, "-W", "error", str(script)]
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline().strip().isdecimal()
    wait_until(lambda: len(psutil.Process(running.pid).children(recursive=True)) >= 3)
    family = psutil.Process(running.pid).children(recursive=True)
    running.kill()
    running.wait(10)
    running.stdout.close()
    assert gone(family, 10) == []

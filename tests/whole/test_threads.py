"""Builds within other programs: with threads, in a notebook, where a warning is an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trees
from helpers import WHEEL, read_table

PROGRAM = """
import sys, threading
{at_once}threading.Thread(target=threading.Event().wait, daemon=True).start()

def work():
    from pathlib import Path
    import nanokinetics
    from nanokinetics.verify import VerifyOptions, verify
    made = nanokinetics.build(
        "folder", src="src", n=2, dest="nano", place="transcode", workers=2,
        ffmpeg={ffmpeg!r}, x264_preset="ultrafast",
    )
    looked = [verify(Path("nano"), VerifyOptions(workers=n, ffmpeg={ffmpeg!r})) for n in (1, 2)]
    print(made.made, sum(len(each.problems) for each in looked))

if __name__ == "__main__":
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
"""


@pytest.mark.parametrize("workers", ["", "spawn"])
@pytest.mark.parametrize("how", ["a file", "a file that starts threads at once", "a notebook"])
def test_a_program_with_threads_builds_without_a_warning(
    films: Path, tmp_path: Path, how: str, workers: str
) -> None:
    """A notebook has no file that workers could import, and its kernel has threads."""
    trees.lay(tmp_path / "src", {f"yoga/{i}.mp4": trees.clip(films, i) for i in range(3)})
    at_once = "" if how.endswith("at once") else "0 and "
    program = PROGRAM.format(at_once=at_once, ffmpeg=WHEEL)
    (tmp_path / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-W", "error", *(["-"] if how == "a notebook" else ["program.py"])],
        input=program if how == "a notebook" else "",
        env={**os.environ, "PYTHONWARNINGS": "error", "NANOKINETICS_WORKERS": workers},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "2 0\n", "")
    assert len(read_table(tmp_path / "nano" / "stats.csv")) == 2

"""Follow one clip from its annotation to its file, and count the changes of folders.

    python benchmarks/trace_clip.py

Builds a dataset of one clip from the demo site, with one worker, and follows the parent process by
`sys.setprofile`. An *entry* is a call from another folder of the package. Each module at the root
counts as a folder. A call through another package counts for the folder that began it. Calls during
an import do not count. A generator counts each time that it resumes.

The table lists the folders in the order of the flow: first the stages, then the modules that all
stages use. `first` is the rank of a folder's first entry. The worker process, and the thread that
looks for ffmpeg, are not followed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Final

from measuring import Site

from nanokinetics.__main__ import main as nanokinetics
from nanokinetics.demo.scenario import Film, Scenario, Video

STAGES: Final = (
    *("__main__", "cli", "api", "selection", "annotations", "engine", "workers"),
    *("sources", "clips", "dataset"),
)
"""The order in which one clip passes them. A stage comes before the stages that it calls."""

COMMON: Final = ("config", "clip", "errors", "layout", "progress", "common")
"""Modules that all stages use."""

MOST: Final = 200
"""The most entries that one clip should take, over all folders."""

PACKAGE: Final = "nanokinetics"
CLIENT: Final = "--no-check-certificates --extractor-args youtube:player_client=visionos"
ID: Final = "trace000001"


class Trace:
    """Counts entries in this thread. by_module: count each module as a folder."""

    def __init__(self, *, by_module: bool = False) -> None:
        self._by_module = by_module
        self.entries: Counter[str] = Counter()
        """Entries by folder, in the order of the first entries."""

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        before = sys.getprofile()
        sys.setprofile(self._look)
        try:
            yield
        finally:
            sys.setprofile(before)

    def _look(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or frame.f_code.co_name == "<module>":
            return
        place = self._place(frame)
        caller = frame.f_back
        while place and caller:
            if caller.f_code.co_name == "<module>" and self._place(caller):
                return  # an import
            if before := self._place(caller):
                self.entries[place] += before != place
                return
            caller = caller.f_back
        if place:
            self.entries[place] += 1

    def _place(self, frame: FrameType) -> str:
        """The folder of a frame's module; an empty text for other packages."""
        package, _, rest = str(frame.f_globals.get("__name__", "")).partition(".")
        if package != PACKAGE:
            return ""
        return (rest if self._by_module else rest.partition(".")[0]) or "__init__"


def build(folder: Path, trace: Trace) -> int:
    """Make one clip from one row, as the command line does. Returns the exit code."""
    rows = "label,youtube_id,time_start,time_end,split"
    annotations = folder / "annotations.csv"
    annotations.write_text(f"{rows}\nabseiling,{ID},1,3,train\n", encoding="utf-8")
    scenario = Scenario({ID: Video(Film(duration=6, width=128, height=96), ("progressive",))})
    with closing(Site(scenario, folder)) as site:
        sys.argv = [
            *("nanokinetics", "build", "kinetics", "--annotations", str(annotations)),
            *("--n", "1", "--workers", "1", "--dest", str(folder / "dest")),
            *("--failed-logs", str(folder / "logs"), "--max-per-hour", "0"),
            *("--state", str(folder / "state")),
            *("--proxy", site.proxy, f"--yt-dlp-args={CLIENT}"),
        ]
        with trace.running():
            return nanokinetics()


def table(entries: Counter[str], order: Sequence[str]) -> Iterator[str]:
    """One line for each folder, then the sum."""
    first = {place: number for number, place in enumerate(entries, 1)}
    yield f"{'folder':24}{'entries':>8}{'first':>7}"
    for place in order:
        yield f"{place:24}{entries[place]:8}{first.get(place, '-'):>7}"
    yield f"{'in all':24}{entries.total():8}"


def early(entries: Counter[str]) -> list[str]:
    """The stages that are entered before an earlier stage of STAGES."""
    order = [place for place in entries if place in STAGES]
    return [
        place
        for turn, place in enumerate(order)
        if any(STAGES.index(later) < STAGES.index(place) for later in order[turn:])
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--by-module", action="store_true", help="count calls from another module instead"
    )
    options = parser.parse_args()
    trace, quiet = Trace(by_module=options.by_module), io.StringIO()
    with (
        tempfile.TemporaryDirectory(prefix="nanokinetics-trace-") as folder,
        contextlib.redirect_stderr(quiet),
        contextlib.redirect_stdout(quiet),
    ):
        code = build(Path(folder), trace)
    if code:
        print(f"the build ended with {code}:", quiet.getvalue())
        return code
    if options.by_module:
        print(*table(trace.entries, list(trace.entries)), sep="\n")
        return 0
    print(*table(trace.entries, (*STAGES, *COMMON)), sep="\n")
    stages = sum(trace.entries[place] for place in STAGES)
    print(f"\n{stages} of them into stages; at most {MOST} in all are wanted")
    print(f"entered before their turn: {', '.join(early(trace.entries)) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What `sample` says is coming: against what a build then really takes, and case by case."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from helpers import FAST, SMALL, Bench, Row, nanokinetics, ranked, read_table, youtube_id

from nanokinetics import sample
from nanokinetics.cli import main
from nanokinetics.demo.scenario import Form, Scenario, Video
from nanokinetics.demo.site import DemoSite
from nanokinetics.errors import InputError
from nanokinetics.estimate import MEASURED, Estimate, of_run, of_youtube, paced

FORMS: tuple[tuple[Form, ...], ...] = (("progressive",), ("fragmented",), ("webm",))
LABELS = ("hurling (sport)", "massaging person's head")
RATE = 300_000.0
"""Bytes a second of each connection."""

WITHIN = 0.2
"""How far an estimate may be from what it turns out to be."""


def rows(each: int) -> list[Row]:
    """Two classes; windows of three to six seconds; the first has too few of them for six."""
    return [
        Row(label, youtube_id(100 * place + n), 2 + n % 7, 5 + n % 7 + n % 4)
        for place, label in enumerate(LABELS)
        for n in range(each if place else 5)
    ]


@pytest.fixture(scope="module")
def built(films, tmp_path_factory):
    """A small build, of whose candidates some are gone, and what `sample` makes of a larger one."""
    forms = cycle(FORMS)
    videos = {row.youtube_id: Video(SMALL, next(forms)) for row in rows(12)}
    for group in ranked(rows(12)).values():
        for rank in (1, 4, 7):
            if rank < len(group):
                gone = group[rank].youtube_id
                videos[gone] = replace(videos[gone], failure="private")
    # At the pace of a line: else what runs on until ffmpeg hangs up depends on the load.
    with DemoSite(Scenario(videos, rate=RATE), cache=films) as site:
        folder = tmp_path_factory.mktemp("estimate")
        small = Bench(folder, site, rows(12), 3, *FAST)
        assert small.run().code == 0
        yield small


def estimate(bench: Bench, n: int) -> dict[str, Any]:
    asked = ("sample", "kinetics", "--annotations", bench.csv, "--n", str(n), "--json")
    done = nanokinetics(
        *asked, "--stats", bench.dest / "stats.csv", "--max-per-hour", "0", cwd=bench.folder
    ).wait()
    assert done.code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_a_larger_build_takes_what_the_smaller_one_let_expect_and_tells_scripts(
    built: Bench,
) -> None:
    coming = estimate(built, 6)
    larger = built.folder / "larger"
    done = built.start("--n", "6", "--json", dest=larger).wait()
    assert done.code == 3, done.stderr  # five candidates of one class, some of them gone
    *events, result = map(json.loads, done.stdout.splitlines())
    assert {each["event"] for each in events} == {"message", "progress"}
    assert (result["event"], result["exit_code"]) == ("result", 3)
    assert result["made"] == len(read_table(larger / "stats.csv"))
    fetched = sum(int(row["downloaded_bytes"]) for row in read_table(larger / "stats.csv"))
    kept = sum(path.stat().st_size for path in larger.rglob("*") if path.is_file())
    assert coming["fetched_bytes"] == pytest.approx(fetched, rel=WITHIN)
    assert coming["disk_bytes"] == pytest.approx(kept, rel=WITHIN)
    (short,) = coming["short"]
    assert short == {"split": "train", "label": LABELS[0], "has": 5, "wanted": 6}


@pytest.mark.slow
def test_the_share_of_the_gone_is_that_of_failed_csv(built: Bench) -> None:
    gone = len(built.failed()) / (len(built.failed()) + 6)
    assert of_run(built.dest / "stats.csv").gone == gone > 0


def asked_for(n: int, each: int, tmp_path: Path, **costs: Any) -> Estimate:
    """One class of ten-second clips at these costs, 300 videos an hour."""
    path = tmp_path / "a.csv"
    lines = [f"yoga,{youtube_id(number)},0,10,train" for number in range(each)]
    path.write_text("\n".join(["label,youtube_id,time_start,time_end,split", *lines, ""]))
    selection = sample("kinetics", annotations=[path], n=n)
    return of_youtube(selection, replace(MEASURED, **costs), per_hour=300)


def test_without_a_run_it_is_what_was_measured(tmp_path: Path) -> None:
    coming = asked_for(100, 1000, tmp_path)
    assert (coming.clips, coming.reserves, coming.videos) == (100, 900, 100)
    assert coming.fetched_bytes == 120_000_000
    assert coming.seconds == pytest.approx(200)
    assert "300" in coming.assumptions[0]
    said = " ".join(coming.assumptions)
    assert all(what in said for what in ("0.12 MB", "360p", "finding its video", "as a whole"))


def test_the_gone_are_asked_for_too_and_may_leave_a_class_short(tmp_path: Path) -> None:
    assert asked_for(100, 200, tmp_path, gone=0.2).videos == 125
    assert asked_for(100, 125, tmp_path, gone=0.2).at_risk == 0
    risky = asked_for(100, 110, tmp_path, gone=0.2)
    assert (risky.at_risk, risky.short, risky.videos) == (1, {}, 110)
    assert risky.fetched_bytes == round(88 * 10 * MEASURED.fetched)


@pytest.mark.parametrize(
    ("videos", "busy", "per_hour", "seconds"),
    [
        (0, 0, 300, 0),
        (300, 300, 300, 300),
        (301, 301, 300, 3601),
        (600, 600, 300, 3900),
        (1000, 1000, 0, 1000),
        (600, 9000, 300, 9000),
    ],
)
def test_a_budget_is_spent_at_once_and_then_waited_for(
    videos: int, busy: float, per_hour: int, seconds: float
) -> None:
    assert paced(videos, busy, per_hour) == pytest.approx(seconds)


STATS = (
    "key,split,label,time_start,time_end,source,bytes,downloaded_bytes,total_seconds,finished_at"
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n1,2\n",
        "key,split,label,reason\nk,train,yoga,private\n",
        f"{STATS}\n",
        f"{STATS}\nk,train,yoga,,,local,9,0,1,x\n",
        "\xff\xfe\0",
    ],
)
def test_a_table_that_tells_nothing_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stats.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"stats\.csv"):
        of_run(path)
    for wrong in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(InputError, match=str(wrong)):
            of_run(wrong)


def stats(folder: Path, *rows: tuple[str, str]) -> Path:
    """A table of ten-second clips: when each was finished, and the seconds it took."""
    lines = [
        f"k{n},train,yoga,0,10,youtube,30,20,{took},2026-01-01T{ended}Z"
        for n, (ended, took) in enumerate(rows)
    ]
    path = folder / "stats.csv"
    path.write_text("\n".join([STATS, *lines, ""]))
    return path


def test_a_folder_stands_for_the_table_in_it(tmp_path: Path) -> None:
    path = stats(tmp_path, ("10:00:00", "3"))
    assert of_run(tmp_path) == of_run(path)


@pytest.mark.parametrize("took", ["", "x", "nan", "inf", "-1"])
def test_a_number_that_is_none_is_told_with_its_line(tmp_path: Path, took: str) -> None:
    path = stats(tmp_path, ("10:00:00", "3"), ("10:00:01", took), ("10:00:02", "3"))
    with pytest.raises(InputError, match=f"stats.csv, line 3: total_seconds is '{took}'"):
        of_run(path)


def test_a_time_that_is_none_is_told_with_its_line(tmp_path: Path) -> None:
    path = stats(tmp_path, ("10:00:00", "3"), ("never", "3"))
    with pytest.raises(InputError, match=r"stats\.csv, line 3: finished_at is '2026-01-01Tnever"):
        of_run(path)


def test_local_clips_beside_those_of_youtube_do_not_count(tmp_path: Path) -> None:
    path = stats(tmp_path, ("10:00:00", "3"))
    with path.open("a") as table:
        table.write("l,train,yoga,,,local,9,0,0.1,2026-01-01T10:00:00Z\n")
    assert of_run(path).fetched == 2


def test_a_row_that_is_being_written_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "stats.csv"
    row = "k,train,yoga,0,10,youtube,30,20,3,2026-01-01T00:00:00Z"
    path.write_text(f"{STATS}\n{row}\nk2,train,yo")
    assert (of_run(path).fetched, of_run(path).kept) == (2, 3)


def test_waits_between_clips_and_runs_are_not_counted_as_work(tmp_path: Path) -> None:
    """Twice six clips, one after the other, three seconds each; between them two hours."""
    ends = [f"{hour}:00:{3 * n:02}" for hour in (10, 12) for n in range(1, 7)]
    assert of_run(stats(tmp_path, *((end, "3") for end in ends))).seconds == 3


def test_clips_made_at_the_same_time_share_it(tmp_path: Path) -> None:
    ends = [f"10:00:{4 * n:02}" for n in range(1, 7) for _ in range(2)]
    assert of_run(stats(tmp_path, *((end, "4") for end in ends))).seconds == 2


@pytest.mark.parametrize("count", [1, 4, 40])
def test_clips_finished_in_the_same_second_take_time_all_the_same(
    tmp_path: Path, count: int
) -> None:
    costs = of_run(stats(tmp_path, *[("10:00:00", "0.8")] * count))
    assert costs.seconds == pytest.approx(0.8 / count)


def test_of_a_few_clips_it_is_said_that_their_time_is_a_guess(tmp_path: Path) -> None:
    few = of_run(stats(tmp_path, ("10:00:03", "3"), ("10:00:03", "3"), ("10:00:06", "3")))
    assert few.seconds == 1.5
    assert "a clip takes 1.5 s, as so few let guess: 3 s of work each, 2 at a time" in few.basis


def test_of_local_files_the_disk_is_known_and_nothing_is_fetched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        path = tmp_path / "src" / "yoga" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(1_000_000))
    asked = ["sample", "folder", "--src", str(tmp_path / "src"), "--n", "2"]
    assert main([*asked, "--json"]) == 0
    coming = json.loads(capsys.readouterr().out)
    assert coming["disk_bytes"] == pytest.approx(2_000_000, rel=0.01)
    assert (coming["fetched_bytes"], coming["seconds"]) == (0, None)
    assert main(asked) == 0
    assert "on disk: 2.0 MB" in capsys.readouterr().err

"""What a person is told of a dataset, against the same sums done with pandas on the tables."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import trees
from filelock import FileLock
from helpers import (
    FAST,
    SMALL,
    Bench,
    Row,
    ended_at_last,
    left_over,
    nanokinetics,
    ranked,
    snapshot,
    write_csv,
    youtube_id,
)
from PIL import Image

import nanokinetics.report as report_package
from nanokinetics.cli import main
from nanokinetics.common.text import plain, size
from nanokinetics.dataset.ledger import FAILED_COLUMNS, STATS_COLUMNS
from nanokinetics.demo.scenario import Scenario, Video
from nanokinetics.demo.site import DemoSite
from nanokinetics.errors import InputError
from nanokinetics.report.figures import Summary, Timeline
from nanokinetics.report.summary import summarise
from nanokinetics.report.tables import read
from nanokinetics.report.terminal import lines

CLASSES = ("abseiling", "massaging person's head", "hurling (sport)")
SCRIPT = Path(report_package.__file__).with_name("gallery.js")
HOSTILE = (
    "<script>alert('a label')</script>",
    "=cmd|' /C calc'!A0",
    "\u202egnp.exe",
    "quo\"te's & <b>bold</b>",
    "$\\alpha^",
    "{{ 7 * 7 }}{% raw %}",
)


@pytest.fixture(scope="module")
def watched(films) -> tuple[Path, list[int]]:
    """Two clips of each of three classes, of which one has a dead video, and another too few; and
    how many clips a report counted whenever it looked while they were made."""
    folder = films.parent / "reported"  # once for all workers of pytest-xdist, like the films
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "lock"):
        counts = folder / "counts.json"
        if not counts.exists():
            counts.write_text(json.dumps(build_and_watch(films, folder)))
        return folder / "dest", json.loads(counts.read_text())


def build_and_watch(films: Path, folder: Path) -> list[int]:
    rows = [Row(CLASSES[n % 3], youtube_id(n), n % 5, n % 5 + 2) for n in range(8)]
    first = {label: found[0].youtube_id for (_, label), found in ranked(rows).items()}
    dead = {first["abseiling"]: "private", first["hurling (sport)"]: "geo_blocked"}
    videos = {row.youtube_id: Video(SMALL, failure=dead.get(row.youtube_id)) for row in rows}
    with DemoSite(Scenario(videos), cache=films) as site:
        bench = Bench(folder, site, rows, 2, *FAST)
        with ended_at_last(bench.start()) as running:
            counts = []
            while not running.over:
                if (bench.dest / "run.json").exists():
                    counts.append(summarise(read(bench.dest)).total.made)
                time.sleep(0.05)
            assert running.wait().code == 3  # hurling has two candidates, and one of them is dead
    return counts


@pytest.fixture
def built(watched) -> Path:
    return watched[0]


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False)


def write(path: Path, columns: tuple[str, ...], rows: list[dict[str, object]]) -> Path:
    """A table of ours with made-up rows; what a row does not say is empty, or 0."""
    numbers = {"duration", "bytes", "downloaded_bytes", "download_seconds", "trim_seconds",
               "total_seconds"}  # fmt: skip
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, columns, lineterminator="\n")
        out.writeheader()
        for row in rows:
            out.writerow({c: row.get(c, 0 if c in numbers else "") for c in columns})
    return path


def made(number: int, at: str, label: str = "abseiling", **more: object) -> dict[str, object]:
    key = f"{youtube_id(number)}_000000_000010"
    return {
        "key": key, "split": "train", "label": label, "path": f"train/{label}/{key}.mp4",
        "source": "youtube", "finished_at": at, **more,
    }  # fmt: skip


def failed(number: int, at: str, reason: str, kind: str, **more: object) -> dict[str, object]:
    key = f"{youtube_id(number)}_000000_000010"
    about = {"key": key, "split": "train", "label": "abseiling", "failed_at": at}
    return {**about, "reason": reason, "kind": kind, "message": f"it is {reason}", **more}


@pytest.fixture
def an_hour(tmp_path) -> Path:
    """The tables of 120 clips and 30 failures, each half a minute after the last clip."""
    at = [f"2026-01-01T00:{n // 2:02d}:{30 * (n % 2):02d}Z" for n in range(120)]
    rows = [made(n, text, bytes=7, total_seconds=30, trim_seconds=2) for n, text in enumerate(at)]
    write(tmp_path / "stats.csv", STATS_COLUMNS, rows)
    lost = [failed(200 + n, "2026-01-01T00:59:30Z", "private", "permanent") for n in range(30)]
    write(tmp_path / "failed.csv", FAILED_COLUMNS, lost)
    return tmp_path


def time_of(summary: Summary) -> Timeline:
    assert summary.timeline is not None
    return summary.timeline


def report(*arguments: str | Path) -> int:
    return main(["report", *map(str, arguments)])


class Page(HTMLParser):
    """A page taken apart: its elements, and what is shown."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert self._open == []

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in ("meta", "img", "br", "input"):
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in ("meta", "img", "br", "input"):
            self._open.pop()

    def handle_endtag(self, tag) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data) -> None:
        if "script" in self._open:
            self.scripts.append(data)
        elif "style" not in self._open:
            self.text += data

    def pictures(self) -> list[str]:
        return [value for tag, name, value in self.attributes if (tag, name) == ("img", "src")]


# -- the numbers


def test_counts_are_those_of_the_tables(built) -> None:
    stats, lost, classes = (table(built / f"{name}.csv") for name in ("stats", "failed", "classes"))
    summary = summarise(read(built))
    total = summary.total
    assert (total.made, total.gone, total.later) == (len(stats), len(lost), 0)
    assert (total.wanted, total.missing) == (6, 6 - len(stats))
    assert {c.label: c.counts.wanted for c in summary.classes} == dict(
        zip(classes["label"], classes["wanted"], strict=True)
    )
    assert {c.label: c.counts.made for c in summary.classes} == dict(
        zip(classes["label"], classes["got"], strict=True)
    )
    assert {f.reason: (f.clips, f.kind) for f in summary.failures} == {
        "private": (1, "permanent"),
        "geo_blocked": (1, "conditional"),
    }


def test_seconds_and_bytes_are_those_of_the_tables(built) -> None:
    stats, summary = table(built / "stats.csv"), summarise(read(built))
    for name in ("download", "trim"):
        values = stats[f"{name}_seconds"]
        low, high = values.quantile([0.25, 0.75])
        within = values[values.between(low, high)]
        found = getattr(summary.effort, name)
        for spread, of in ((found.full, values), (found.within_iqr, within)):
            figures = (spread.clips, spread.mean, spread.median, spread.maximum)
            assert figures == pytest.approx((len(of), of.mean(), of.median(), of.max()))
    sums = stats[["download_seconds", "trim_seconds"]].sum()
    assert summary.effort is not None
    assert summary.effort.fetching == pytest.approx(sums.iloc[0] / sums.sum())
    volume = summary.volume
    assert (volume.fetched, volume.kept) == (stats.downloaded_bytes.sum(), stats.bytes.sum())
    on_disk = [path.stat().st_size for path in built.rglob("*.mp4")]
    assert (volume.files, volume.on_disk) == (len(on_disk), sum(on_disk))
    assert volume.footage == pytest.approx(stats["duration"].sum())
    ends = pd.to_datetime(
        pd.concat([stats["finished_at"], table(built / "failed.csv")["failed_at"]])
    )
    assert time_of(summary).end == ends.max().timestamp()
    assert time_of(summary).made[-1] == len(stats)


def test_of_several_rows_the_last_counts_and_a_clip_made_after_all_is_made(tmp_path) -> None:
    write(tmp_path / "stats.csv", STATS_COLUMNS, [
        made(1, "2026-01-01T00:00:10Z", bytes=5), made(1, "2026-01-01T00:00:20Z", bytes=7),
    ])  # fmt: skip
    write(tmp_path / "failed.csv", FAILED_COLUMNS, [
        failed(1, "2026-01-01T00:00:01Z", "geo_blocked", "conditional"),
        failed(2, "2026-01-01T00:00:02Z", "network", "transient"),
        failed(2, "2026-01-01T00:00:03Z", "private", "permanent"),
        failed(3, "2026-01-01T00:00:04Z", "network", "transient"),
    ])  # fmt: skip
    summary = summarise(read(tmp_path / "stats.csv"))
    total = summary.total
    assert (total.made, total.gone, total.later, total.missing) == (1, 1, 1, None)
    assert summary.volume.kept == 7
    assert [(f.reason, f.clips, f.since) for f in summary.failures] == [
        ("private", 1, 0), ("geo_blocked", 1, 1), ("network", 1, 0),
    ]  # fmt: skip


def test_a_gap_without_rows_is_a_pause_and_slow_going_is_none(tmp_path) -> None:
    def timeline(seconds: list[int]):
        at = [f"2026-01-01T{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}Z" for s in seconds]
        rows = [made(n, text, total_seconds=2) for n, text in enumerate(at)]
        write(tmp_path / "stats.csv", STATS_COLUMNS, rows)
        return time_of(summarise(read(tmp_path)))

    steady = timeline([*range(2, 42, 4), *range(641, 681, 4)])
    assert [pause.length for pause in steady.pauses] == [639 - 38]  # a clip was 2 s in the making
    assert (steady.span, steady.working) == (677, 677 - 601)
    assert steady.per_hour == pytest.approx(20 / 76 * 3600)
    assert timeline([100 * n for n in range(20)]).pauses == ()


def test_a_larger_dataset_takes_as_much_more_and_no_guest_asks_faster(an_hour) -> None:
    summary = summarise(read(an_hour))
    assert time_of(summary).span == 3600
    for projection in summary.projections:
        factor = projection.factor
        assert (projection.clips, projection.kept) == (120 * factor, 120 * 7 * factor)
        assert (projection.seconds, projection.as_guest) == (3600 * factor, 3600 * factor)
    (an_hour / "failed.csv").unlink()
    at = [f"2026-01-01T00:0{n // 20}:{3 * (n % 20):02d}Z" for n in range(120)]
    rows = [made(n, text, total_seconds=3) for n, text in enumerate(at)]
    write(an_hour / "stats.csv", STATS_COLUMNS, rows)
    fast = summarise(read(an_hour)).projections[-1]
    assert (fast.clips, fast.seconds) == (12000, 36000)
    assert fast.as_guest == 3600 * 39 + 36000 * 300 / 12000  # the last 300 as fast as they go


def test_a_month_between_two_runs_is_no_work(tmp_path) -> None:
    at = [f"2026-{month}-01T00:00:{2 * n:02d}Z" for month in ("01", "02") for n in range(1, 7)]
    rows = [made(n, text, total_seconds=2) for n, text in enumerate(at)]
    write(tmp_path / "stats.csv", STATS_COLUMNS, rows)
    summary = summarise(read(tmp_path))
    assert time_of(summary).working == 24
    assert time_of(summary).per_hour == 12 / 24 * 3600
    assert summary.projections[0].seconds == 48
    assert any("worked 24 s over 31 d" in line for line in lines(summary))


# -- what the runs waited for


WAITS = (
    "since,until,why\n"
    "2026-01-01T00:10:00Z,2026-01-01T00:12:00Z,rate_limited\n"
    "2026-01-01T00:20:00Z,2026-01-01T00:25:00Z,rate_limited\n"
    "2026-01-01T00:24:00Z,2026-01-01T00:30:00Z,hourly_budget\n"
)


def test_waits_are_told_by_reason_and_are_no_work(an_hour, tmp_path, capsys) -> None:
    (an_hour / "waits.csv").write_text(WAITS)
    time = time_of(summarise(read(an_hour)))
    assert [(w.why, w.times, w.total, w.longest) for w in time.waited] == [
        ("rate_limited", 2, 420, 300), ("hourly_budget", 1, 360, 360),
    ]  # fmt: skip
    assert time.working == 3600 - 120 - 600  # what overlaps counts once
    assert time.pauses == ()
    assert report(an_hour, "--html", tmp_path / "r.html") == 0
    out, page = capsys.readouterr().out, Page(tmp_path / "r.html").text
    assert re.search(r"2 +7 min +5 min +rate limited\n", out)
    for words in ("Waits", "rate limited27 min5 min", "held up", "hourly budget"):
        assert words in page
    assert "There is no waits.csv" not in page


def test_with_a_table_of_waits_no_pause_is_guessed(tmp_path) -> None:
    at = [f"2026-01-01T00:{minute:02d}:{s:02d}Z" for minute in (0, 20) for s in range(1, 21)]
    rows = [made(n, text, total_seconds=1) for n, text in enumerate(at)]
    write(tmp_path / "stats.csv", STATS_COLUMNS, rows)
    assert len(time_of(summarise(read(tmp_path))).pauses) == 1
    (tmp_path / "waits.csv").write_text("since,until,why\n")
    time = time_of(summarise(read(tmp_path)))
    assert (time.pauses, time.waits, time.working) == ((), (), time.span)


@pytest.mark.parametrize("width", [50, 60, 74])
def test_the_report_fits_the_terminal(an_hour, width: int) -> None:
    (an_hour / "waits.csv").write_text(WAITS)
    summary = summarise(read(an_hour))
    shown, whole = list(lines(summary, width)), list(lines(summary))
    assert max(map(len, shown)) <= width < max(map(len, whole))
    numbers = [re.findall(r"[\d,.]*\d", " ".join(text)) for text in (shown, whole)]
    assert numbers[0] == numbers[1], "no number is cut"


def test_the_time_between_two_runs_is_a_pause_however_short(tmp_path) -> None:
    """The folder grew ten minutes after its first run had ended with a wait."""
    at = [f"2026-01-01T00:{minute:02d}:{s:02d}Z" for minute in (0, 20) for s in range(1, 21)]
    rows = [made(n, text, total_seconds=1) for n, text in enumerate(at)]
    write(tmp_path / "stats.csv", STATS_COLUMNS, rows)
    (tmp_path / "waits.csv").write_text(
        "since,until,why\n"
        "2026-01-01T00:00:20Z,2026-01-01T00:09:20Z,rate_limited\n"
        "2026-01-01T00:09:20Z,2026-01-01T00:20:00Z,no_run\n"
    )
    summary = summarise(read(tmp_path))
    time = time_of(summary)
    assert [pause.length for pause in time.pauses] == [640]
    assert [(w.why, w.total) for w in time.waited] == [("rate_limited", 540)]
    assert time.waits is not None
    assert len(time.waits) == 1
    assert (time.working, time.per_hour) == (40, 3600)
    assert "1 pause without a run at work, 11 min in all" in list(lines(summary))


def test_where_only_the_latest_pause_is_known_the_earlier_ones_are_guessed(tmp_path) -> None:
    at = [f"2026-01-01T00:{minute:02d}:{s:02d}Z" for minute in (0, 20, 40) for s in range(1, 21)]
    rows = [made(n, text, total_seconds=1) for n, text in enumerate(at)]
    write(tmp_path / "stats.csv", STATS_COLUMNS, rows)
    (tmp_path / "waits.csv").write_text(
        "since,until,why\n2026-01-01T00:20:20Z,2026-01-01T00:40:00Z,no_run\n"
    )
    assert time_of(summarise(read(tmp_path))).working == 60


def test_a_strange_table_of_waits_is_left_out_with_a_note(an_hour, capsys) -> None:
    (an_hour / "waits.csv").write_text("day,hours\n1,2\n")
    assert report(an_hour) == 0
    assert "waits.csv: not a table of ours, without a column 'since'; left out" in (
        capsys.readouterr().out
    )


def test_less_than_ten_seconds_tell_no_pace(tmp_path) -> None:
    rows = [made(n, f"2026-01-01T00:00:0{n}Z", trim_seconds=1) for n in range(5)]
    summary = summarise(read(write(tmp_path / "stats.csv", STATS_COLUMNS, rows)))
    assert time_of(summary).per_hour is None
    assert {p.seconds for p in summary.projections} == {None}
    assert not any("an hour" in line for line in lines(summary))


def test_clips_that_were_adopted_say_nothing_of_the_time(tmp_path) -> None:
    adopted = made(1, "2026-01-01T00:00:10Z", source="adopted", bytes=9)
    write(tmp_path / "stats.csv", STATS_COLUMNS, [adopted])
    summary = summarise(read(tmp_path))
    assert (summary.total.made, summary.adopted, summary.volume.kept) == (1, 1, 9)
    assert (summary.effort, summary.timeline, summary.projections) == (None, None, ())


# -- the ways to look at them


def test_json_holds_the_numbers_of_the_table(built, capsys) -> None:
    assert report(built, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert report(built) == 0
    shown = capsys.readouterr().out
    stats = table(built / "stats.csv")
    assert found["total"]["made"] == len(stats)
    assert found["effort"]["trim"]["full"]["mean"] == pytest.approx(stats["trim_seconds"].mean())
    assert f"{len(stats)} clips of 6 wanted; 2 gone, 0 for later" in shown
    assert (
        f"fetched {size(stats['downloaded_bytes'].sum())} for {size(stats['bytes'].sum())}" in shown
    )


def test_a_page_needs_nothing_else_and_shows_every_clip(built, tmp_path, capsys) -> None:
    before = snapshot(built)
    assert report(built, "--html", tmp_path / "r.html", "--quiet") == 0
    assert snapshot(built) == before
    page, stats = Page(tmp_path / "r.html"), table(built / "stats.csv")
    assert not {"link", "iframe", "object", "base"} & {*page.tags}
    watched = "https://www.youtube.com/watch?v="
    for tag, name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "action", "data", "poster"):
            here = ("data:image/jpeg;base64,", "#", "./")
            assert value.startswith((*here, watched) if tag == "a" else here), (tag, name, value)
    text = (tmp_path / "r.html").read_text()
    assert "url(#" in text
    assert not re.search(r"https?://|@import|url\((?!#)", text.replace(watched, ""))
    assert len(page.pictures()) == len(stats)
    for uri in page.pictures():
        image = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
        assert image.size == (240, 135)
    for words in (*CLASSES, *stats["key"], "geo_blocked", "Seconds a clip"):
        assert words in page.text
    for values in (stats["download_seconds"], stats["trim_seconds"]):
        assert f"{values.mean():,.2f}{values.median():,.2f}{values.max():,.2f}" in page.text


def test_below_a_picture_stand_the_video_and_the_window(built, tmp_path) -> None:
    assert report(built, "--html", tmp_path / "r.html", "--quiet") == 0
    text = (tmp_path / "r.html").read_text()
    for key in table(built / "stats.csv")["key"]:
        assert f"<bdi>{key[:11]}<br>{key[11:]}</bdi>" in text
    assert "text-overflow" not in text  # nothing is cut
    assert '<th class="bar"></th>' in text  # it goes with its column on a narrow screen


@pytest.mark.parametrize(
    ("seconds", "axis"),
    [(20, "seconds"), (600, "minutes"), (20_000, "hours"), (800_000, "days")],
)
def test_the_time_axis_counts_from_the_start(seconds: int, axis: str, tmp_path) -> None:
    ends = pd.to_datetime([1_767_225_600, 1_767_225_600 + seconds], unit="s")
    rows = [made(n, f"{at.isoformat()}Z") for n, at in enumerate(ends)]
    write(tmp_path / "stats.csv", STATS_COLUMNS, rows)
    assert report(tmp_path, "--html", tmp_path / "r.html", "--quiet") == 0
    assert f"{axis} since 2026-01-01 00:00:00 UTC" in Page(tmp_path / "r.html").text


def test_thumbnails_can_be_fewer_or_none(built, tmp_path) -> None:
    for most, count in (("1", 3), ("0", 0)):
        target = tmp_path / f"{most}.html"
        assert report(built, "--html", target, "--thumbnails", most, "--quiet") == 0
        assert len(Page(target).pictures()) == count


def test_charts_are_pictures(an_hour, tmp_path, capsys) -> None:
    assert report(an_hour, "--png", tmp_path / "charts") == 0
    names = {"timeline.png", "seconds.png", "reasons.png"}
    assert {path.name for path in (tmp_path / "charts").iterdir()} == names
    for name in names:
        with Image.open(tmp_path / "charts" / name) as image:
            assert (image.format, image.width) == ("PNG", 960)
    assert "wrote" in capsys.readouterr().err


def test_the_clips_are_pictures_too(built, tmp_path) -> None:
    assert report(built, "--png", tmp_path, "--quiet") == 0
    with Image.open(tmp_path / "clips.png") as image:
        assert (image.format, image.size) == ("PNG", (5 * 160, 168))
        first = image.crop((4, 4, 156, 118))
        assert len(first.convert("L").getcolors() or ()) > 20  # not an empty box


def test_a_large_contact_sheet_is_cut_short_and_goes_over_several_pictures(
    tmp_path, monkeypatch
) -> None:
    (tmp_path / "train").mkdir()
    rows = []
    for n in range(70):
        (tmp_path / f"train/{n}.jpg").write_bytes(trees.picture(n))
        rows.append(made(n, "2026-01-01T00:00:01Z", f"class {n % 2}", path=f"train/{n}.jpg"))
    write(tmp_path / "stats.csv", STATS_COLUMNS, rows)
    assert report(tmp_path, "--html", tmp_path / "r.html", "--png", tmp_path, "--quiet") == 0
    assert len(Page(tmp_path / "r.html").pictures()) == 70
    assert {path.name for path in tmp_path.glob("clips*")} == {"clips-1.png", "clips-2.png"}
    monkeypatch.setattr("nanokinetics.report.thumbnails.SHOWN", 10)
    assert report(tmp_path, "--html", tmp_path / "r.html", "--quiet") == 0
    page = Page(tmp_path / "r.html")
    assert len(page.pictures()) == 10
    assert "10 of 70 have a picture: the first of each class" in page.text
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("missing", "more", "code"),
    [("matplotlib", ["--html"], 1), ("jinja2", ["--html"], 1), ("matplotlib", [], 0)],
)
def test_the_table_needs_no_drawing_and_its_lack_is_said_in_one_line(
    missing, more, code, built, tmp_path
) -> None:
    program = (
        f"import sys; sys.modules['{missing}'] = None; from nanokinetics.cli import main; "
        "sys.exit(main(sys.argv[1:]))"
    )
    more = [*more, str(tmp_path / "r.html")] if more else []
    done = subprocess.run(
        [sys.executable, "-c", program, "report", str(built), *more],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert re.fullmatch(r"(nanokinetics: .*nanokinetics\[report\]'\n)?", done.stderr)
    assert bool(done.stderr) == bool(code)
    assert not (tmp_path / "r.html").exists()


# -- whatever is there


def test_a_table_alone_is_enough(built, tmp_path, capsys) -> None:
    alone = shutil.copy(built / "stats.csv", tmp_path / "theirs.csv")
    assert report(alone, "--html", tmp_path / "r.html") == 0
    out = capsys.readouterr().out
    stats = table(built / "stats.csv")
    assert out.startswith(f"{len(stats)} clips; 0 gone")
    assert "the clips themselves are not here" in out
    page = Page(tmp_path / "r.html")
    assert page.pictures() == []
    assert "how many were wanted is not known" in page.text


def test_nothing_made_yet_is_no_error(built, tmp_path, capsys) -> None:
    for name in ("run.json", "selection.csv"):
        shutil.copy(built / name, tmp_path / name)
    for name, columns in (("stats.csv", STATS_COLUMNS), ("failed.csv", FAILED_COLUMNS)):
        assert report(tmp_path, "--html", tmp_path / "r.html", "--png", tmp_path / "png") == 0
        assert capsys.readouterr().out.startswith("0 clips of 6 wanted")
        assert "Nothing was made yet" in Page(tmp_path / "r.html").text
        write(tmp_path / name, columns, [])
    assert summarise(read(tmp_path)).total.missing == 6


def test_a_line_that_is_being_written_is_left_out(built, tmp_path) -> None:
    for name in ("run.json", "stats.csv", "failed.csv"):
        data = (built / name).read_bytes()
        (tmp_path / name).write_bytes(data if name == "run.json" else data[:-30])
    whole, torn = summarise(read(built)), summarise(read(tmp_path))
    assert torn.total.made == whole.total.made - 1
    assert torn.total.gone == whole.total.gone - 1


def test_a_run_at_work_is_reported_and_not_disturbed(watched) -> None:
    dest, counts = watched
    assert counts == sorted(counts)
    assert counts[0] < summarise(read(dest)).total.made == 5
    assert left_over(dest) == []


def test_local_images_have_classes_names_and_pictures(tmp_path, capsys) -> None:
    trees.lay(tmp_path / "src", trees.by_class(trees.imagenet_val()) | trees.class_names())
    trees.lay(tmp_path / "src", {f"train/{n}": d for n, d in trees.imagenet_train().items()})
    dest = tmp_path / "dest"
    built = nanokinetics(
        *("build", "imagenet", "--src", tmp_path / "src", "--split", "train", "--n", "2"),
        *("--dest", dest, "--workers", "1"),
        cwd=tmp_path,
    )
    assert built.wait().code == 0
    (dest / table(dest / "stats.csv")["path"][0]).write_bytes(b"\xff\xd8 no picture any more")
    assert report(dest, "--html", tmp_path / "r.html") == 0
    out, page = capsys.readouterr().out, Page(tmp_path / "r.html")
    assert "8 clips of 8 wanted" in out
    assert "n01440764 (tench" in out
    assert "seconds a clip" not in out  # nothing was fetched, and nothing encoded
    assert "as a guest" not in page.text
    assert len(page.pictures()) == 7
    assert page.text.count("no picture") == 1
    for strange in ("as a guest", "fetched", "Clips over time"):  # it took no ten seconds
        assert strange not in out + page.text


# -- whatever stands in the tables


@pytest.fixture
def hostile(tmp_path) -> Path:
    rows = [made(n, f"2026-01-01T00:00:0{n}Z", label=text, path=f"../{text}", trim_seconds=1)
            for n, text in enumerate(HOSTILE)]  # fmt: skip
    lost = [failed(10 + n, f"2026-01-01T00:01:0{n}Z", text, text, message=f"{text}\x1b[2J")
            for n, text in enumerate(HOSTILE)]  # fmt: skip
    folder = tmp_path / "data <img src=x onerror=alert(1)>"
    folder.mkdir()
    write(folder / "stats.csv", STATS_COLUMNS, rows)
    write(folder / "failed.csv", FAILED_COLUMNS, lost)
    return folder


def test_hostile_texts_are_shown_as_texts(hostile, tmp_path, capsys) -> None:
    assert report(hostile, "--html", tmp_path / "r.html", "--png", tmp_path / "png") == 0
    page = Page(tmp_path / "r.html")
    assert not {"b onclick", "img"} & {*page.tags}
    assert "b" not in page.tags  # nothing was fetched, so there is no bar of it
    assert not [a for a in page.attributes if a[1].startswith("on")]
    for text in HOSTILE:
        assert page.text.count(plain(text)) >= 3
    assert page.scripts == [SCRIPT.read_text(encoding="utf-8")]
    out = capsys.readouterr().out
    for text in (out, page.text):
        assert not re.search(
            r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text
        )
    for text in HOSTILE:
        assert plain(text) in out


def test_a_path_out_of_the_folder_is_not_followed(tmp_path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(trees.picture(1))
    dest = tmp_path / "dest"
    (dest / "train").mkdir(parents=True)
    paths = ("../secret.jpg", str(secret), "train", "", "a\0b")
    rows = [made(n, "2026-01-01T00:00:01Z", path=path)
            for n, path in enumerate(paths)]  # fmt: skip
    write(dest / "stats.csv", STATS_COLUMNS, rows)
    assert summarise(read(dest)).volume.files == 0
    assert report(dest, "--html", tmp_path / "r.html", "--quiet") == 0
    assert Page(tmp_path / "r.html").pictures() == []


def test_another_persons_table_needs_no_more_than_the_clips_names(tmp_path, capsys) -> None:
    theirs = "\ufeffkey,label,split,bytes,by\r\na,abseiling,train,7,me\r\nb,abseiling,train,n/a,me"
    (tmp_path / "stats.csv").write_text(theirs, newline="", encoding="utf-8")
    (tmp_path / "failed.csv").write_text("vid,error\nx,gone\n")
    summary = summarise(read(tmp_path))
    assert (summary.total.made, summary.volume.kept, summary.timeline) == (2, 7, None)
    assert report(tmp_path, "--html", tmp_path / "r.html", "--png", tmp_path / "png") == 0
    out = capsys.readouterr().out
    for text in (out, Page(tmp_path / "r.html").text):
        assert "stats.csv: without path, source, downloaded_bytes, duration" in text
        assert "stats.csv: 1 numbers or times that cannot be read" in text
        assert "line 3, bytes 'n/a'" in text
        assert "failed.csv: not a table of ours, without a column 'split'; left out" in text
    assert report(tmp_path, "--json") == 0
    assert "NaN" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "text"),
    [("bytes", "many"), ("bytes", "-1"), ("trim_seconds", "inf"), ("total_seconds", "1e99"),
     ("finished_at", "soon")],
)  # fmt: skip
def test_a_number_that_cannot_be_read_is_left_out_and_said(name, text, tmp_path) -> None:
    rows = [made(n, "2026-01-01T00:00:01Z", bytes=3) for n in range(2)]
    write(tmp_path / "stats.csv", STATS_COLUMNS, [rows[0], {**rows[1], name: text}])
    summary = summarise(read(tmp_path))
    (note,) = summary.notes
    assert f"line 3, {name} '{text}'" in note
    assert summary.total.made == 2
    assert summary.volume.kept == (3 if name == "bytes" else 6)


FAILED_HEADER = ",".join(FAILED_COLUMNS).encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no such folder"),
        ({}, "holds no stats.csv"),
        ({"stats.csv": b"hello"}, "stats.csv: not a table of ours, without a column 'split'"),
        ({"stats.csv": b"a,b\n1,2\n"}, "stats.csv: not a table of ours"),
        ({"stats.csv": b"\xff\xfe\x00k\n"}, "stats.csv: not a table of ours"),
        ({"stats.csv": b"split,label,key\ntrain,a,b\ntrain,a\n"}, "line 3: 2 values under 3 col"),
        ({"stats.csv": b"split,label,key\ntrain,a,b,c\n"}, "stats.csv, line 2: 4 values under 3"),
        (
            {"stats.csv": b"split,label,key\n", "failed.csv": FAILED_HEADER + b"a,b\n"},
            "failed.csv, line 2: 2 values under 13 columns",
        ),
        ({"run.json": b"{"}, "run.json is damaged"),
    ],
)
def test_what_is_no_dataset_is_said_in_one_line(content, says, tmp_path, capsys) -> None:
    dest = tmp_path / "dest"
    if content is not None:
        dest.mkdir()
        for name, data in content.items():
            (dest / name).write_bytes(data)
    assert report(dest) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.startswith("nanokinetics: ")
    assert err.count("\n") == 1


def test_a_page_that_cannot_be_written_is_said_in_one_line(built, tmp_path, capsys) -> None:
    (tmp_path / "file").write_text("")
    assert report(built, "--html", tmp_path / "file" / "r.html", "--thumbnails", "0") == 1
    assert re.fullmatch(r"nanokinetics: .*r\.html: .*\n", capsys.readouterr().err)
    assert report(built, "--thumbnails", "many") == 2


def test_many_classes_are_cut_short_on_a_terminal(tmp_path) -> None:
    rows = [made(n, "2026-01-01T00:00:01Z", label=f"class {n:03d}") for n in range(40)]
    write(tmp_path / "stats.csv", STATS_COLUMNS, rows)
    shown = list(lines(summarise(read(tmp_path))))
    assert len([line for line in shown if "class 0" in line]) == 30
    assert any("10 classes more" in line for line in shown)


def test_an_unreadable_table_raises_one_kind_of_error(tmp_path) -> None:
    with pytest.raises(InputError):
        read(tmp_path / "nothing")
    write_csv(tmp_path / "annotations.csv", [])
    with pytest.raises(InputError, match="not a table of ours"):
        read(tmp_path / "annotations.csv")

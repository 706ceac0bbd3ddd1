"""The ledger: its columns are a contract, its rows outlive a crash at any byte."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nanokinetics.clip import ADOPTED, Clip, ClipId, Failed, Made, Media, seconds
from nanokinetics.common.folder import Folder
from nanokinetics.dataset.ledger import Ledger, epoch, utc
from nanokinetics.errors import Failure, InputError, Reason
from nanokinetics.layout import Layout

STATS = (
    "key,split,label,youtube_id,time_start,time_end,path,source,width,height,fps,frames,duration,"
    "has_audio,bytes,sha256,downloaded_bytes,download_seconds,trim_seconds,total_seconds,attempts,"
    "format_id,finished_at"
)
FAILED = (
    "key,split,label,youtube_id,time_start,time_end,reason,kind,http_status,attempts,message,log,"
    "failed_at"
)
NOON = 1_767_268_800.0  # 2026-01-01T12:00:00Z

AWKWARD = [
    "hurling (sport)",
    "massaging person's head",
    'playing "the game"',
    "tying, then untying",
    '"',
    ",",
    "Straße fegen",
    "空手",
]


def clip(number: int = 0, label: str = "abseiling", split: str = "train") -> Clip:
    video = f"-video{number:05d}"
    return Clip(f"{video}_000010_000020", split, label, video, 10.0, 20.0)


def made(of: Clip, size: int = 3) -> Made:
    media = Media(454, 340, 300, 10.01, 1 / 30, has_audio=True)
    return Made(of, "/t/1.mp4", "youtube", media, size, "ab" * 32, 1_400_000, 0.9, 1.25, 2.5, 2,
                "134+140")  # fmt: skip


def failed(of: Clip, reason: Reason = Reason.PRIVATE, status: int | None = None) -> Failed:
    return Failed(of, Failure(reason, "Private video", status), attempts=1, log="all of it")


def place(home: Folder, of: Clip, size: int = 3) -> None:
    """The file of a clip, as large as its row says."""
    path = home.place(Layout().clip_path(of))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


@pytest.fixture
def home(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def ledger(home: Folder) -> Iterator[Ledger]:
    ledger = Ledger(home, Layout())
    yield ledger
    ledger.close()


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_a_new_ledger_is_two_headers(ledger: Ledger, home: Folder) -> None:
    assert home.place("stats.csv").read_bytes() == f"{STATS}\n".encode()
    assert home.place("failed.csv").read_bytes() == f"{FAILED}\n".encode()


def test_a_finished_clip_is_this_row_to_the_letter(ledger: Ledger, home: Folder) -> None:
    ledger.made([made(clip())], NOON)
    assert home.place("stats.csv").read_bytes().decode().splitlines()[1] == (
        "-video00000_000010_000020,train,abseiling,-video00000,10,20,"
        "train/abseiling/-video00000_000010_000020.mp4,youtube,454,340,29.97,300,10.010,True,3,"
        f"{'ab' * 32},1400000,0.900,1.250,2.500,2,134+140,2026-01-01T12:00:00Z"
    )


def test_rows_written_together_are_those_written_one_by_one(tmp_path: Path) -> None:
    clips = [made(clip(number)) for number in range(3)]
    tables = []
    for name, batches in (("together", [clips]), ("singly", [[each] for each in clips])):
        home = Folder(tmp_path / name)
        with closing(Ledger(home, Layout())) as ledger:
            for batch in batches:
                ledger.made(batch, NOON)
        tables.append(home.place("stats.csv").read_bytes())
    assert tables[0] == tables[1]


def test_where_there_is_no_room_for_all_rows_none_is_written(ledger: Ledger, home: Folder) -> None:
    resource = pytest.importorskip("resource", reason="Windows limits no file's size")
    ledger.made([made(clip(0))], NOON)
    before = home.place("stats.csv").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * len(before), hard))
    try:
        with pytest.raises(OSError, match="too large"):
            ledger.made([made(clip(number)) for number in range(1, 9)], NOON)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert home.place("stats.csv").read_bytes() == before


def test_a_failure_is_this_row_to_the_letter(ledger: Ledger, home: Folder) -> None:
    ledger.failed(failed(clip(), Reason.SERVER_ERROR, 503), "failed_logs/x.log", NOON + 0.7)
    assert home.place("failed.csv").read_bytes().decode().splitlines()[1] == (
        "-video00000_000010_000020,train,abseiling,-video00000,10,20,server_error,transient,503,1,"
        "Private video,failed_logs/x.log,2026-01-01T12:00:00Z"
    )


def test_the_time_between_two_runs_is_a_row_of_the_waits(ledger: Ledger, home: Folder) -> None:
    waits = home.place("waits.csv")
    ledger.resumed(NOON)
    assert not waits.exists(), "the first run has none before it"
    ledger.made([made(clip())], NOON)
    ledger.resumed(NOON + 59)
    assert not waits.exists(), "a minute is the least"
    ledger.failed(failed(clip(2)), "x.log", NOON + 20)
    ledger.resumed(NOON + 600)
    ledger.waited(NOON + 600, NOON + 700, "bot_check")
    ledger.resumed(NOON + 1000)
    assert waits.read_text().splitlines()[1:] == [
        "2026-01-01T12:00:20Z,2026-01-01T12:10:00Z,no_run",
        "2026-01-01T12:10:00Z,2026-01-01T12:11:40Z,bot_check",
        "2026-01-01T12:11:40Z,2026-01-01T12:16:40Z,no_run",
    ]
    ledger.resumed(NOON)
    assert len(waits.read_text().splitlines()) == 4, "the clock was set back"


def test_a_foreign_table_of_waits_stays_as_it_is(ledger: Ledger, home: Folder) -> None:
    home.place("waits.csv").write_text("mine\n")
    ledger.made([made(clip())], NOON)
    ledger.resumed(NOON + 600)
    assert home.place("waits.csv").read_text() == "mine\n"


def test_a_status_that_nobody_gave_is_empty(ledger: Ledger, home: Folder) -> None:
    ledger.failed(failed(clip()), "x.log", NOON)
    assert table(home.place("failed.csv"))[0]["http_status"] == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(10.0, "10"), (0.0, "0"), (12.5, "12.5"), (0.1, "0.1"), (999999.0, "999999"), (None, "")],
)
def test_seconds_are_whole_where_they_can_be(value: float | None, text: str) -> None:
    assert seconds(value) == text


@given(at=st.integers(0, 4_000_000_000))
def test_times_are_utc_iso_8601_and_read_back(at: int) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", utc(at))
    assert epoch(utc(at)) == at


def test_times_do_not_follow_the_machines_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert utc(0) == "1970-01-01T00:00:00Z"
    assert epoch("1970-01-01T00:00:00Z") == 0


@pytest.mark.parametrize("label", AWKWARD)
def test_awkward_labels_read_back_as_they_were(ledger: Ledger, home: Folder, label: str) -> None:
    ledger.made([made(clip(label=label))], NOON)
    ledger.failed(failed(clip(1, label=label)), "x.log", NOON)
    assert table(home.place("stats.csv"))[0]["label"] == label
    assert table(home.place("failed.csv"))[0]["label"] == label
    state = ledger.state()
    assert state.failed == {clip(1, label=label).id: Reason.PRIVATE}


text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


@settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(label=text, said=text, log=text)
def test_any_text_survives_the_table(
    ledger: Ledger, home: Folder, label: str, said: str, log: str
) -> None:
    failure = Failure(Reason.UNAVAILABLE, said)
    ledger.failed(Failed(clip(label=label), failure), log, NOON)
    row = table(home.place("failed.csv"))[-1]
    assert (row["label"], row["message"], row["log"]) == (label, failure.message, log)
    assert ledger.state().failed[clip(label=label).id] is Reason.UNAVAILABLE


def test_a_message_with_half_a_surrogate_pair_is_written_all_the_same(ledger: Ledger) -> None:
    """JSON may hold one, so a server's words may."""
    said = Failed(clip(), Failure(Reason.UNAVAILABLE, "gone \ud83d for good"))
    ledger.failed(said, "x.log", NOON)
    assert ledger.state().failed == {clip().id: Reason.UNAVAILABLE}


def test_a_message_of_any_length_can_be_read_again(ledger: Ledger) -> None:
    """Python's csv refuses fields of more than 131,072 characters."""
    said = Failed(clip(), Failure(Reason.UNAVAILABLE, "x" * 200_000))
    ledger.failed(said, "x.log", NOON)
    assert ledger.state().failed == {clip().id: Reason.UNAVAILABLE}


def test_the_last_row_of_a_clip_counts(ledger: Ledger, home: Folder) -> None:
    place(home, clip(), size=7)
    ledger.made([made(clip(), size=3)], NOON)
    assert set(ledger.state().stale) == {clip().id}
    ledger.made([made(clip(), size=7)], NOON)
    ledger.failed(failed(clip(1), Reason.TIMEOUT), "x.log", NOON)
    ledger.failed(failed(clip(1), Reason.PRIVATE), "x.log", NOON)
    state = ledger.state()
    assert set(state.done) == {clip().id}
    assert set(state.stale) == set()
    assert state.failed == {clip(1).id: Reason.PRIVATE}


def test_one_window_under_two_labels_or_splits_is_several_clips(
    ledger: Ledger, home: Folder
) -> None:
    clips = [clip(), clip(label="yoga"), clip(split="val")]
    for each in clips:
        place(home, each)
        ledger.made([made(each)], NOON)
    assert set(ledger.state().done) == {
        ClipId(each.split, each.label, each.key) for each in clips
    }  # fmt: skip
    ledger.drop([clip(label="yoga").id])
    assert set(ledger.state().done) == {clip().id, clip(split="val").id}


def test_a_row_without_its_file_or_with_another_size_is_stale(ledger: Ledger, home: Folder) -> None:
    for number in range(4):
        ledger.made([made(clip(number))], NOON)
    place(home, clip(0))
    place(home, clip(1), size=2)
    place(home, clip(2), size=0)
    state = ledger.state()
    assert set(state.done) == {clip(0).id}
    assert set(state.stale) == {clip(1).id, clip(2).id, clip(3).id}


def test_dropped_rows_are_gone_and_the_table_goes_on(ledger: Ledger, home: Folder) -> None:
    for number, label in enumerate(AWKWARD):
        place(home, clip(number, label))
        ledger.made([made(clip(number, label))], NOON)
    before = table(home.place("stats.csv"))
    ledger.drop([clip(2, AWKWARD[2]).id, clip(99).id])
    ledger.made([made(clip(50))], NOON)
    rows = table(home.place("stats.csv"))
    assert rows[:-1] == before[:2] + before[3:]
    assert rows[-1]["key"] == clip(50).key


def test_a_later_run_reads_what_an_earlier_one_wrote(home: Folder) -> None:
    for number in range(3):
        ledger = Ledger(home, Layout())
        place(home, clip(number))
        ledger.made([made(clip(number))], NOON)
        ledger.close()
    assert [row["key"] for row in table(home.place("stats.csv"))] == [clip(n).key for n in range(3)]


def test_a_table_cut_off_at_any_byte_is_mended_and_goes_on(tmp_path: Path) -> None:
    whole = Folder(tmp_path / "whole")
    whole.path.mkdir()
    ledger = Ledger(whole, Layout())
    clips = [clip(n, label) for n, label in enumerate(AWKWARD[2:4] + AWKWARD[-1:])]
    for each in clips:
        ledger.made([made(each)], NOON)
    ledger.close()
    data = whole.place("stats.csv").read_bytes()
    header = len(STATS) + 1

    torn = Folder(tmp_path / "torn")
    for each in clips:
        place(torn, each)
    extra = clip(9, 'the "next", one')
    place(torn, extra)
    # Within the header one byte says as much as another.
    for length in [0, 1, header - 1, *range(header, len(data) + 1)]:
        torn.place("stats.csv").write_bytes(data[:length])
        kept = data[:length].count(b"\n") - 1
        ledger = Ledger(torn, Layout())
        assert set(ledger.state().done) == {each.id for each in clips[: max(0, kept)]}
        ledger.made([made(extra)], NOON)
        ledger.close()
        keys = [row["key"] for row in table(torn.place("stats.csv"))]
        assert keys == [*(each.key for each in clips[: max(0, kept)]), extra.key], length


@pytest.mark.parametrize(
    "content",
    [
        "path,label\n",
        "key,split,label\nx,train,yoga\n",
        f"{STATS},more\n",
        f"{STATS[:-1]}\n",
        f"{STATS}\r\n",
        "\n",
        "notes that somebody keeps here, without a line end",
    ],
)
def test_a_table_with_a_foreign_header_is_refused_and_left_alone(
    home: Folder, content: str
) -> None:
    home.place("stats.csv").write_bytes(content.encode())
    with pytest.raises(InputError, match=r"stats\.csv"):
        Ledger(home, Layout())
    assert home.place("stats.csv").read_bytes() == content.encode()


DAMAGE = {
    "a field too few": b"a,b,c\n",
    "a field too many": b",".join([b"x"] * 14) + b"\n",
    "an empty line": b"\n",
    "no known reason": b"k,train,yoga,v,1,2,gremlins,permanent,,1,m,l,2026-01-01T12:00:00Z\n",
    "not UTF-8": b"k,train,yog\xff,v,1,2,private,permanent,,1,m,l,2026-01-01T12:00:00Z\n",
}


@pytest.mark.parametrize(("column", "text"), [("path", "a\0b"), ("bytes", ""), ("bytes", "1 ")])
def test_a_row_that_was_edited_is_not_done(home: Folder, column: str, text: str) -> None:
    with closing(Ledger(home, Layout())) as ledger:
        ledger.made([made(clip())], NOON)
    with home.place("stats.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    with home.place("stats.csv").open("a", newline="") as file:
        csv.DictWriter(file, row, lineterminator="\n").writerow({**row, column: text})
    with closing(Ledger(home, Layout())) as ledger:
        assert set(ledger.state().stale) == {clip().id}


@pytest.mark.parametrize("line", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_line_is_named_with_its_number(home: Folder, line: bytes) -> None:
    ledger = Ledger(home, Layout())
    ledger.failed(failed(clip(0)), "x.log", NOON)
    ledger.close()
    with home.place("failed.csv").open("ab") as file:
        file.write(line)
    with pytest.raises(InputError, match=r"failed\.csv, line 3\b"):
        Ledger(home, Layout()).state()


def test_a_clip_that_was_adopted_asked_nothing_of_anybody(ledger: Ledger) -> None:
    ledger.made([made(clip(0))], NOON)
    ledger.made([replace(made(clip(1)), source=ADOPTED, temporary=None)], NOON + 60)
    ledger.failed(failed(clip(2)), "x.log", NOON + 120)
    assert sorted(ledger.state().asked) == [NOON, NOON + 120]
    assert ledger.state(NOON + 1).asked == (NOON + 120,)


def test_several_windows_of_one_video_were_asked_for_once(ledger: Ledger) -> None:
    window = clip(0)
    ledger.made([made(window)], NOON)
    ledger.made([made(replace(window, key=f"{window.youtube_id}_000030_000040"))], NOON + 5)
    assert ledger.state().asked == (NOON + 5,)


def test_a_video_that_failed_and_was_made_later_was_last_asked_for_then(ledger: Ledger) -> None:
    ledger.failed(failed(clip(), Reason.TIMEOUT), "x.log", NOON)
    ledger.made([made(clip())], NOON + 3000)
    assert max(ledger.state().asked) == NOON + 3000


def test_tables_are_plain_text_with_unix_line_ends(ledger: Ledger, home: Folder) -> None:
    for number, label in enumerate(AWKWARD):
        ledger.made([made(clip(number, label))], NOON)
    data = home.place("stats.csv").read_bytes()
    assert b"\r" not in data
    assert data.endswith(b"\n")
    assert not data.startswith(b"\xef\xbb\xbf")
    assert len(list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))) == 9


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux shows descriptors")
def test_a_damaged_table_leaves_no_file_open(tmp_path: Path) -> None:
    (tmp_path / "failed.csv").write_text("not a table of ours\n")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(InputError):
            Ledger(Folder(tmp_path), Layout())
    assert len(list(Path("/proc/self/fd").iterdir())) == before

"""The table of `sample` marks picks, and `--from` takes it again, also after a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import trees
from helpers import FAST, read_table, youtube_id

from nanokinetics import sample
from nanokinetics.cli import main
from nanokinetics.config import SampleConfig
from nanokinetics.errors import InputError
from nanokinetics.progress import Silent
from nanokinetics.selection import select
from nanokinetics.selection.frame import Selection
from nanokinetics.selection.picks import read, table_of

LABELS = ("hurling (sport)", "go, then wait", "yoga")
ROWS = "".join(
    f'"{label}",{youtube_id(10 * place + n)},{n},{n + 10}.5,train\n'
    for place, label in enumerate(LABELS)
    for n in range(6)
)


@pytest.fixture
def selection(tmp_path: Path) -> Selection:
    (tmp_path / "a.csv").write_text(f"label,youtube_id,time_start,time_end,split\n{ROWS}")
    return sample("kinetics", annotations=tmp_path / "a.csv", n=2, seed="7")


def again(
    path: Path, text: str, *, encoding: str = "utf-8", replacements: bool = False
) -> Selection:
    """What `--from` takes of a table of this text."""
    path.write_bytes(text.encode(encoding))
    asked = SampleConfig(dataset="kinetics", from_=path, allow_replacements=replacements)
    return select(asked, Silent())


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def text_of(rows: list[list[str]], delimiter: str = ",", end: str = "\n") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(rows)
    return out.getvalue()


def keys(selection: Selection, picks: bool = True) -> set[str]:
    return {
        id_.key
        for group, wanted in selection.quotas.items()
        for place, (_, id_) in enumerate(selection.ids(group))
        if (place < wanted) is picks
    }


def test_the_table_is_the_selection_with_two_columns_after_it(selection: Selection) -> None:
    table = table_of(selection, "7")
    rows, plain = rows_of(table), rows_of(selection.to_csv().decode())
    assert [row[:-2] for row in rows] == plain
    assert rows[0][-2:] == ["pick", "seed"]
    assert all(row[-2:] == [str(int(int(row[6]) <= 2)), "7"] for row in rows[1:])
    assert rows_of(table_of(selection, "7", picks_only=True)) == [
        row for row in rows if row[-2] != "0"
    ]


@pytest.mark.parametrize("picks_only", [True, False])
def test_from_a_table_comes_what_it_marks(
    selection: Selection, tmp_path: Path, picks_only: bool
) -> None:
    found = again(tmp_path / "p.csv", table_of(selection, "7", picks_only=picks_only))
    assert keys(found) == keys(selection)
    assert keys(found, picks=False) == set()
    assert found.quotas == selection.quotas


def test_the_reserves_of_the_whole_table_replace_in_their_order(
    selection: Selection, tmp_path: Path
) -> None:
    found = again(tmp_path / "p.csv", table_of(selection, "7"), replacements=True)
    assert found.to_csv() == selection.to_csv()
    assert found.quotas == selection.quotas


def test_picks_alone_have_no_reserves(selection: Selection, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the whole table of `sample`"):
        again(tmp_path / "p.csv", table_of(selection, "7", picks_only=True), replacements=True)


Spoil = Callable[[list[list[str]]], str]


def _german(rows: list[list[str]]) -> str:
    return text_of([[cell.replace(".5", ",5") for cell in row] for row in rows], ";", "\r\n")


HABITS: dict[str, Spoil] = {
    "as it is": text_of,
    "a byte order mark": lambda rows: "\ufeff" + text_of(rows),
    "CRLF": lambda rows: text_of(rows, end="\r\n"),
    "semicolons and decimal commas": _german,
    "tabs": lambda rows: text_of(rows, "\t"),
    "other columns": lambda rows: text_of([["", *row, "mine", ""] for row in rows]),
    "columns in another order": lambda rows: text_of([row[::-1] for row in rows]),
    "rows in another order": lambda rows: text_of([rows[0], *rows[:0:-1]]),
    "blank lines, and no end": lambda rows: text_of([*rows, [], ["", ""]]).rstrip("\n"),
    "cells for nothing": lambda rows: text_of([[*row, "", ""] for row in rows]),
    "capitals in the header": lambda rows: text_of([[c.title() for c in rows[0]], *rows[1:]]),
    "TRUE and FALSE": lambda rows: text_of(
        [rows[0], *([*r[:-2], ("FALSE", "TRUE")[int(r[-2])], r[-1]] for r in rows[1:])]
    ),
    "no rank": lambda rows: text_of([row[:6] + row[7:] for row in rows]),
}


@pytest.mark.parametrize("habit", HABITS)
def test_the_habits_of_spreadsheets_change_nothing(
    selection: Selection, tmp_path: Path, habit: str
) -> None:
    text = HABITS[habit](rows_of(table_of(selection, "7")))
    assert keys(again(tmp_path / "p.csv", text)) == keys(selection)


def test_rows_that_were_deleted_are_not_taken(selection: Selection, tmp_path: Path) -> None:
    rows = rows_of(table_of(selection, "7", picks_only=True))
    found = again(tmp_path / "p.csv", text_of([rows[0], *rows[2:4]]))
    assert keys(found) == {rows[2][0], rows[3][0]}
    assert sorted(found.quotas.values()) == [1, 1], "a class without rows is not asked for"


def test_a_row_that_is_marked_by_hand_is_a_pick(selection: Selection, tmp_path: Path) -> None:
    rows = rows_of(table_of(selection, "7"))
    rows[3][-2] = "1"
    found = again(tmp_path / "p.csv", text_of(rows))
    assert keys(found) == {*keys(selection), rows[3][0]}
    assert sorted(found.quotas.values()) == [2, 2, 3]


def _cell(row: int, column: int, value: str) -> Spoil:
    def spoil(rows: list[list[str]]) -> str:
        rows[row][column] = value
        return text_of(rows)

    return spoil


FAULTS: dict[str, tuple[Spoil, str]] = {
    "an id": (_cell(3, 3, "1.23E+05"), "line 4: the clip .* youtube_id .* is not 11 characters"),
    "a time": (_cell(2, 4, "ten"), "line 3: the clip .* time_start 'ten' is not a number"),
    "another time": (_cell(5, 5, "99"), "line 6: the clip .* has another id or other times"),
    "a split": (_cell(1, 1, "dev2"), "line 2: the clip .* split 'dev2' is none of"),
    "a label that leaves": (_cell(1, 2, "../x"), "line 2: the clip "),
    "a mark": (_cell(4, 7, "maybe"), "line 5: pick is 'maybe'; write 1"),
    "a rank": (_cell(4, 6, "first"), "line 5: the rank 'first' is no whole number"),
    "a short row": (
        lambda rows: text_of([*rows[:2], rows[2][:4], *rows[3:]]),
        "line 3: 4 fields where 9 are expected",
    ),
    "a row twice": (lambda rows: text_of([*rows, rows[1]]), "line 20: .* stands in line 2 too"),
    "no column": (
        lambda rows: text_of([[row[0], *row[2:]] for row in rows]),
        "line 1: the header lacks split",
    ),
    "annotations": (
        lambda rows: text_of([row[1:6] for row in rows]),
        "line 1: the header lacks key; .*; annotation files go to --annotations",
    ),
    "a column twice": (
        lambda rows: text_of([[*row, row[0]] for row in rows]),
        "line 1: the header names key twice",
    ),
    "no pick": (
        lambda rows: text_of([rows[0], *([*row[:7], "0", "7"] for row in rows[1:])]),
        "marks no row as a pick",
    ),
    "no row": (lambda rows: text_of(rows[:1]), "marks no row as a pick"),
    "a selection.csv": (
        lambda rows: text_of([row[:-2] for row in rows]),
        "does not say which are picks",
    ),
    "an open quote": (lambda rows: text_of(rows) + '"abc', "p.csv, line 20: "),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_used_is_named_with_file_and_line(
    selection: Selection, tmp_path: Path, fault: str
) -> None:
    spoil, said = FAULTS[fault]
    text = spoil(rows_of(table_of(selection, "7")))
    with pytest.raises(InputError, match=said) as raised:
        again(tmp_path / "p.csv", text)
    assert str(tmp_path / "p.csv") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_table_in_another_encoding_is_refused(selection: Selection, tmp_path: Path) -> None:
    text = table_of(selection, "7").replace("yoga", "yogä")
    with pytest.raises(InputError, match=r"p\.csv, line 14: not UTF-8; save it as CSV UTF-8"):
        again(tmp_path / "p.csv", text, encoding="latin-1")


def test_the_seed_is_recorded_where_all_rows_agree(selection: Selection, tmp_path: Path) -> None:
    table = table_of(selection, "a, b")
    assert read(tmp_path / "p.csv", table.encode(), "kinetics").record["seed"] == "a, b"
    rows = rows_of(table)
    rows[1][-1] = "other"
    assert read(tmp_path / "p.csv", text_of(rows).encode(), "kinetics").record["seed"] == ""


@pytest.mark.slow
def test_a_build_from_picks_is_the_build_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pictures = {f"src/{c}/{n}.jpg": trees.picture(n) for c in "abc" for n in range(4)}
    trees.lay(tmp_path, pictures)
    asked = ["folder", "--src", "src", "--n", "2", "--seed", "5", "--num-classes", "2"]
    assert main(["sample", *asked, "--picks", "--output", "picks.csv", "--quiet"]) == 0
    assert main(["sample", *asked, "--output", "all.csv", "--quiet"]) == 0
    assert main(["build", *asked, "--dest", "direct", "--quiet", *FAST]) == 0
    for table in ("picks", "all"):
        build = ["build", "folder", "--src", "src", "--from", f"{table}.csv", "--dest", table]
        assert main([*build, "--quiet", *FAST]) == 0
        assert main([*build, "--quiet", *FAST]) == 0, "the same command goes on"
        made, direct = (
            {(row["path"], row["sha256"]) for row in read_table(Path(dest) / "stats.csv")}
            for dest in (table, "direct")
        )
        assert made == direct
        record = json.loads(Path(table, "run.json").read_text())
        assert (record["seed"], list(record["annotations"])) == ("5", [f"{table}.csv"])
        assert main(["verify", table, "--quiet"]) == 0
        assert main(["report", table, "--quiet"]) == 0
        assert main(["manifest", table, "--output", f"{table}.txt"]) == 0
    capsys.readouterr()
    assert main(["diff", "picks.txt", "direct"]) == 0


@pytest.mark.slow
def test_the_reserves_of_a_table_stand_in_for_broken_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pictures = {f"src/a/{n}.jpg": trees.picture(n) for n in range(4)}
    trees.lay(tmp_path, pictures)
    asked = ["folder", "--src", "src", "--n", "2"]
    assert main(["sample", *asked, "--output", "all.csv", "--quiet"]) == 0
    first = read_table(Path("all.csv"))[0]["key"]
    (Path("src") / f"{first}.jpg").write_bytes(b"broken")
    build = ["build", "folder", "--src", "src", "--from", "all.csv", "--quiet", *FAST]
    assert main([*build, "--dest", "strict"]) == 3
    assert main([*build, "--dest", "filled", "--allow-replacements"]) == 0
    assert first not in {row["key"] for row in read_table(Path("filled/stats.csv"))}

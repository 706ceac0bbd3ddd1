"""What spreadsheets of any language make of a table: read as it is, or the message names it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nanokinetics.annotations import read
from nanokinetics.annotations.candidates import Annotations
from nanokinetics.annotations.spreadsheets import seconds
from nanokinetics.errors import BadRows, InputError

Row = tuple[str, str, str, str, str]
NAMES: Row = ("label", "youtube_id", "time_start", "time_end", "split")
FEW: list[Row] = [
    ("massaging person's head", "-AAAAAAAAAA", "0", "10", "train"),
    ("petting animal (not cat)", "12345678901", "7", "17", "train"),
    ("yoga", "CCCCCCCCCC_", "995", "1005", "validate"),
]

settings.register_profile(
    "unhurried",  # a busy machine is no failure
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("unhurried")


def table(
    rows: Sequence[Sequence[str]],
    *,
    sep: str = ",",
    end: str = "\r\n",
    quoting: Any = csv.QUOTE_MINIMAL,
    header: bool = True,
) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=sep, lineterminator=end, quoting=quoting)
    writer.writerows([NAMES, *rows] if header else rows)
    return out.getvalue()


def times(change: Callable[[str], str], rows: Sequence[Row]) -> list[Row]:
    return [(a, b, change(start), change(end), e) for a, b, start, end, e in rows]


def ids(change: Callable[[str], str], rows: Sequence[Row]) -> list[Row]:
    return [(a, change(key), c, d, e) for a, key, c, d, e in rows]


def grouped(mark: str) -> Callable[[str], str]:
    return lambda text: f"{int(text):,}".replace(",", mark)


def clock(text: str) -> str:
    whole = int(text)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def padded(rows: Sequence[Row], sep: str, *, header: bool = True) -> str:
    wide = [(*row, "", "", "") for row in rows]
    text = table([(*NAMES, "", "", ""), *wide] if header else wide, sep=sep, header=False)
    return text + (sep * 7 + "\r\n") * 3


def some_unpadded(rows: Sequence[Row], sep: str) -> str:
    """Excel leaves empty columns at the end out of some rows."""
    head, *lines = padded(rows, sep).splitlines(keepends=True)
    return head + "".join(
        line.replace(sep * 3 + "\r\n", "\r\n") if i % 2 else line for i, line in enumerate(lines)
    )


Saved = Callable[[list[Row]], str | bytes]
SAVED: dict[str, Saved] = {
    "semicolons": lambda rows: table(rows, sep=";"),
    "semicolons, no header": lambda rows: table(rows, sep=";", header=False),
    "semicolons, decimal commas": lambda rows: table(times("{},0".format, rows), sep=";"),
    "bars": lambda rows: table(rows, sep="|"),
    "decimal commas in quotes": lambda rows: table(times("{},00".format, rows)),
    "three decimals with a comma": lambda rows: table(times("{},000".format, rows), sep=";"),
    "three decimals with a dot": lambda rows: table(times("{}.000".format, rows)),
    "Unicode text of Excel": lambda rows: table(rows, sep="\t").encode("utf-16"),
    "UTF-16-BE": lambda rows: b"\xfe\xff" + table(rows, sep="\t").encode("utf-16-be"),
    "UTF-16 without a mark": lambda rows: table(rows, sep="\t").encode("utf-16-le"),
    "UTF-16, decimal commas": lambda rows: (
        table(times("{},5".format, rows), sep="\t").replace(",5", ",0").encode("utf-16")
    ),
    "CSV UTF-8": lambda rows: b"\xef\xbb\xbf" + table(rows, sep=";").encode(),
    "Macintosh": lambda rows: table(rows, end="\r"),
    "all quoted": lambda rows: table(rows, sep=";", quoting=csv.QUOTE_ALL),
    "all quoted, with tabs": lambda rows: table(rows, sep="\t", quoting=csv.QUOTE_ALL),
    "sep=": lambda rows: "sep=;\r\n" + table(rows, sep=";"),
    "sep= in quotes, padded": lambda rows: '"sep=;";;;;\r\n' + table(rows, sep=";"),
    "sep=, with a mark": lambda rows: b"\xef\xbb\xbfsep=\t\r\n" + table(rows, sep="\t").encode(),
    "sep= of an odd delimiter": lambda rows: "sep=^\r\n" + table(rows, sep="^"),
    "empty columns and rows": lambda rows: padded(rows, ";"),
    "empty columns and rows, no header": lambda rows: padded(rows, ",", header=False),
    "empty columns of some rows": lambda rows: some_unpadded(rows, ";"),
    "empty rows within": lambda rows: table([rows[0], ("",) * 5, *rows[1:]]),
    "title above": lambda rows: "Table 1;;;;\r\n;;;;\r\n" + table(rows, sep=";"),
    "title of one cell above": lambda rows: "Tabelle 1\r\n" + table(rows),
    "clock times": lambda rows: table(times(clock, rows), sep=";"),
    "minutes": lambda rows: table(
        times(lambda t: f"{int(t) // 60}:{int(t) % 60:02d}" if int(t) < 3600 else clock(t), rows)
    ),
    "English thousands": lambda rows: table(times(grouped(","), rows)),
    "French thousands": lambda rows: table(times(grouped("\u202f"), rows), sep=";"),
    "older French thousands": lambda rows: table(times(grouped("\xa0"), rows), sep=";"),
    "Swiss thousands": lambda rows: table(times(grouped("\u2019"), rows), sep=";"),
    "German thousands": lambda rows: table(
        times(lambda text: f"{grouped('.')(text)},00", rows), sep=";"
    ),
    "no-break spaces, code page": lambda rows: table(times(grouped("\xa0"), rows), sep=";").encode(
        "cp1252"
    ),
    "ids after an apostrophe": lambda rows: table(ids("'{}".format, rows), sep=";"),
    "ids as formulas of text": lambda rows: table(ids('="{}"'.format, rows)),
    "ids with blanks": lambda rows: table(ids(" {}\xa0".format, rows)),
    "two files joined": lambda rows: (
        b"\xef\xbb\xbf" + table(rows[:1]).encode() + b"\xef\xbb\xbf" + table(rows[1:]).encode()
    ),
    "two files joined, no header": lambda rows: (
        b"\xef\xbb\xbf"
        + table(rows[:1], header=False).encode()
        + b"\xef\xbb\xbf"
        + table(rows[1:], header=False).encode()
    ),
    "is_cc of another language": lambda rows: table(
        [(*NAMES, "is_cc"), *((*row, "WAHR") for row in rows)], sep=";", header=False
    ),
}


def saved(folder: Path, content: str | bytes, **options: Any) -> Annotations:
    file = folder / "any.thing"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read("kinetics", [file], **options)


def offered(found: Annotations) -> list[tuple[Any, ...]]:
    return list(found.frame.itertuples(index=False, name=None))


IN_EVERY_WAY = pytest.mark.parametrize("save", SAVED.values(), ids=SAVED)


@IN_EVERY_WAY
def test_what_loses_nothing_is_read_as_it_is(tmp_path, save) -> None:
    found = saved(tmp_path, save(FEW))
    assert offered(found) == offered(saved(tmp_path, table(FEW)))
    assert len(found.frame) == 3
    assert found.notes == ()


WINDOWS = st.integers(0, 20_000).map(lambda start: (str(start), str(start + 10)))
CLIPS = st.lists(
    st.tuples(
        st.sampled_from(["yoga", "massaging person's head", "a, b; c", "petting (not cat)"]),
        st.from_regex(r"[A-Za-z0-9_-]{11}", fullmatch=True),
        WINDOWS,
        st.sampled_from(["train", "validate", "test"]),
    ).map(lambda row: (row[0], row[1], *row[2], row[3])),
    min_size=2,
    max_size=8,
)


@IN_EVERY_WAY
@given(rows=CLIPS)
def test_any_rows_are_the_same_after_saving(tmp_path, save, rows) -> None:
    if save is SAVED["English thousands"]:  # all of them together would look like decimals
        rows = [*rows, FEW[0]]
    assert offered(saved(tmp_path, save(rows))) == offered(saved(tmp_path, table(rows)))


@pytest.mark.parametrize(
    ("written", "delimiter", "expected"),
    [
        (["84", "1.000"], ";", {"1.000": "1.000 or 1000"}),
        (["84", "12,345"], ";", {"12,345": "12,345 or 12345"}),
        (["84", "12.345"], ",", {"12.345": "12.345"}),
        (["84", "12.345"], "\t", {"12.345": "12.345"}),
        (["84", "1,000"], ",", {"1,000": "1000"}),
        (["0,5", "1.000"], ";", {"0,5": "0.5", "1.000": "1000"}),
        (["0,5", "0.5", "1.000"], ";", {"0,5": "0.5", "0.5": "0.5", "1.000": "1.000 or 1000"}),
        (["0,125", "84", "9,500"], ";", {"0,125": "0.125", "9,500": "9.500"}),
        (["1234,567", "84"], ";", {"1234,567": "1234.567"}),
        (["1.234,5"], ";", {"1.234,5": "1234.5"}),
        (["1,234.5"], ",", {"1,234.5": "1234.5"}),
        (["12.34,5"], ";", {"12.34,5": "12.34,5"}),
        (["1 234,5"], ";", {"1 234,5": "1234.5"}),
        (["1:02:03,25"], ";", {"1:02:03,25": "3723.25"}),
        (["1:30:00", "1:40:00"], ",", {t: f"{t} or {t[:-3]}" for t in ("1:30:00", "1:40:00")}),
        (["0:00:00", "0:00:10"], ",", {"0:00:00": "0", "0:00:10": "10"}),
        (["5", "17"], ";", {}),
        (["1,2,3"], ";", {"1,2,3": "1,2,3"}),
    ],
)
def test_all_times_together_show_what_a_mark_means(written, delimiter, expected) -> None:
    assert dict(seconds(written, delimiter)) == expected


@given(st.lists(st.text("0123456789.,: '\xa0e+-", max_size=9)), st.sampled_from(",;\t|"))
def test_no_text_breaks_the_reading_of_times(texts, delimiter) -> None:
    assert set(seconds(texts, delimiter)) <= set(texts)


LOST = {
    "#NAME?": "took it for a formula",
    "#WERT!": "took it for a formula",
    "#¿NOMBRE?": "took it for a formula",
    "Err:509": "took it for a formula",
    "########": "too narrow",
    "1,23E+10": "a number and rounded it",
    "1.23457E+10": "a number and rounded it",
    "123": "turned it into a number",
    "12.345.678.901": "turned it into a number",
    "-123456789": "turned it into a number",
    "Mar 01": "a date",
    "01. Mrz": "a date",
    "12.01.2020": "a date",
    "2020-01-12": "a date",
    "12-Jan-20": "a date",
    "1月10日": "a date",
}


@pytest.mark.parametrize(("written", "says"), LOST.items())
def test_an_id_that_a_spreadsheet_destroyed_is_named(tmp_path, written, says) -> None:
    rows = [*FEW, ("yoga", written, "0", "10", "train")]
    with pytest.raises(BadRows, match=says) as error:
        saved(tmp_path, table(rows, sep=";"))
    assert f"any.thing, line 5: youtube_id {written!r} is not 11" in str(error.value)
    assert str(error.value).endswith(
        "a spreadsheet changed this row: use the original file, or leave them out with "
        "--skip-bad-rows"
    )
    assert len(saved(tmp_path, table(rows, sep=";"), skip_bad_rows=True).frame) == 3


@pytest.mark.parametrize("written", ["10. Jan", "10-Jan", "Jan 10", "10.01.2026", "1/10/2026"])
def test_a_time_that_became_a_date_is_named(tmp_path, written) -> None:
    rows = [*FEW, ("yoga", "AAAAAAAAAAA", written, "20", "train")]
    with pytest.raises(BadRows, match=r"time_start '.*turned it into a date"):
        saved(tmp_path, table(rows))


def test_the_remedy_counts_what_a_spreadsheet_changed(tmp_path) -> None:
    rows = ids(lambda text: "#NAME?" if text[0] == "-" else text, [*FEW, *FEW])
    with pytest.raises(BadRows) as error:
        saved(tmp_path, table([*rows, ("yoga", "short", "0", "10", "train")]))
    assert "(and 2 more bad rows); a spreadsheet changed 2 of these 3 rows: use" in str(error.value)


def test_a_time_that_may_mean_two_things_is_a_bad_row(tmp_path) -> None:
    rows = [*FEW, ("yoga", "AAAAAAAAAAA", "995", "1.005", "train")]
    with pytest.raises(BadRows, match=r"time_end '1\.005 or 1005' is not a number of seconds"):
        saved(tmp_path, table(rows, sep=";"))


@pytest.mark.parametrize(
    ("word", "data"),
    [("xe9", "café"), ("xdf", "Fußball"), ("x8c", "Œuvre")],
)
def test_letters_of_a_code_page_are_not_guessed_at(tmp_path, word, data) -> None:
    rows = [*FEW, (data, "AAAAAAAAAAA", "0", "10", "train")]
    with pytest.raises(InputError, match=rf"line 5: byte 0{word} is not UTF-8.*as CSV UTF-8"):
        saved(tmp_path, table(rows, end="\n").encode("cp1252"))


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "cp1250", "cp1251", "utf-16"])
def test_a_curly_apostrophe_is_another_label_and_is_told(tmp_path, encoding) -> None:
    curly = "massaging person\u2019s head"
    rows = [*FEW, (curly, "AAAAAAAAAAA", "0", "10", "train")]
    found = saved(tmp_path, table(rows, sep=";").encode(encoding))
    assert set(found.labels) == {curly, *(row[0] for row in FEW)}
    assert found.notes == (
        f"{tmp_path / 'any.thing'}: the label '{curly}' has a curly quotation mark, which is "
        "another class than one with a plain mark; presets and other files have plain ones",
    )


@pytest.mark.parametrize("rows", [65_536, 1_048_576])
def test_a_table_as_long_as_a_sheet_may_have_been_cut(tmp_path, rows) -> None:
    text = table(FEW[:1]) + ("yoga,AAAAAAAAAAA,0,10,train\r\n" * (rows - 2))
    (note,) = saved(tmp_path, text).notes
    assert f"has exactly {rows:,} rows, the most that" in note
    assert note.endswith("use the original file")
    assert saved(tmp_path, text + "yoga,AAAAAAAAAAA,0,10,train\r\n").notes == ()


@pytest.mark.parametrize("page", ["<!DOCTYPE html><html>", "<?xml version='1.0'?>", "\n<TABLE>"])
def test_a_page_of_the_web_is_no_table(tmp_path, page) -> None:
    with pytest.raises(InputError, match="is HTML or XML, and no table"):
        saved(tmp_path, page)


def test_titles_alone_do_not_hide_rows(tmp_path) -> None:
    """Rows above a header are no titles: they would be lost."""
    text = table(FEW[:2], header=False) + table(FEW[2:])
    found = saved(tmp_path, text, skip_bad_rows=True)
    assert len(found.frame) == 3


def test_commas_in_labels_are_no_delimiters(tmp_path) -> None:
    rows = [("a, b, c, d, e, f, g", *FEW[0][1:])]
    assert saved(tmp_path, table(rows, sep=";", header=False)).labels == ("a, b, c, d, e, f, g",)

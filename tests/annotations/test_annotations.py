"""The Kinetics readers: every dialect gives the same candidates, every bad row is named."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import real_annotations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nanokinetics.annotations import read
from nanokinetics.annotations.candidates import Annotations
from nanokinetics.errors import BadRows, InputError
from nanokinetics.selection.sampling import select

settings.register_profile(
    "unhurried",  # a busy machine is no failure
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("unhurried")

Row = tuple[str, str, float, float, str]
"""label, youtube_id, time_start, time_end, split"""

HEADER = "label,youtube_id,time_start,time_end,split"
GOOD = "air drumming,--nQbRBEz2s,104,114,val"
ROWS: list[Row] = [
    ("air drumming", "--nQbRBEz2s", 104, 114, "val"),
    ("air drumming", "-07WVYMSwac", 0, 10, "val"),
    ("petting cat", "12345678901", 20, 30, "train"),
    ("petting cat", "=SUM(A1_B2)".translate({40: "-", 41: "_", 61: "-"}), 20, 30, "train"),
    ("None", "nan-nan-nan", 7, 17, "test"),
]


def written(
    rows: list[Row],
    *,
    sep: str = ",",
    end: str = "\n",
    header: bool = True,
    quote: bool = False,
    order: tuple[int, ...] = (0, 1, 2, 3, 4),
) -> bytes:
    names = HEADER.split(",")
    out = io.StringIO()
    quoting: Any = csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=sep, lineterminator=end, quoting=quoting)
    if header:
        writer.writerow([names[i] for i in order])
    for label, youtube_id, start, to, split in rows:
        fields = (label, youtube_id, f"{start:g}", f"{to:g}", split)
        writer.writerow([fields[i] for i in order])
    return out.getvalue().encode()


def as_json(rows: list[Row]) -> bytes:
    return json.dumps(
        {
            youtube_id: {
                "annotations": {"label": label, "segment": [float(start), float(end)]},
                "duration": end - start,
                "subset": split,
                "url": f"https://www.youtube.com/watch?v={youtube_id}",
            }
            for label, youtube_id, start, end, split in rows
        }
    ).encode()


DIALECTS: dict[str, Callable[[list[Row]], bytes]] = {
    "DeepMind": written,
    "headerless": lambda rows: written(rows, header=False),
    "headerless CRLF": lambda rows: written(rows, header=False, end="\r\n"),
    "quoted": lambda rows: written(rows, quote=True),
    "BOM": lambda rows: b"\xef\xbb\xbf" + written(rows),
    "BOM, headerless": lambda rows: b"\xef\xbb\xbf" + written(rows, header=False),
    "tabs": lambda rows: written(rows, sep="\t"),
    "tabs, headerless": lambda rows: written(rows, sep="\t", header=False),
    "other order": lambda rows: written(rows, order=(4, 2, 1, 3, 0)),
    "blank lines": lambda rows: b"\n  \n" + written(rows, end="\n\n") + b"\n",
    "no last newline": lambda rows: written(rows).rstrip(),
    "spaced header": lambda rows: written(rows).replace(
        HEADER.encode(), b" Label , YouTube_ID, TIME_START,time_end ,Split"
    ),
    "is_cc": lambda rows: b"".join(
        line + (b",is_cc\n" if i == 0 else b",1\n")
        for i, line in enumerate(written(rows).splitlines())
    ),
    "extra column in front, one empty": lambda rows: b"".join(
        (b"note,", b",")[i > 1] + line + b"\n" for i, line in enumerate(written(rows).splitlines())
    ),
    "gzip": lambda rows: gzip.compress(written(rows)),
    "JSON": as_json,
    "JSON, gzip": lambda rows: gzip.compress(as_json(rows)),
}
IN_EVERY_DIALECT = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)


def rows_of(found: Annotations) -> list[Row]:
    names = ("label", "youtube_id", "time_start", "time_end", "split")
    return list(zip(*(found.frame[name].tolist() for name in names), strict=True))


def read_bytes(folder: Path, data: bytes, name: str = "any.thing", **options: Any) -> Annotations:
    file = folder / name
    file.write_bytes(data)
    return read("kinetics", [file], **options)


@IN_EVERY_DIALECT
def test_every_dialect_gives_the_same_candidates(tmp_path: Path, dialect) -> None:
    data = dialect(ROWS)
    found = read_bytes(tmp_path, data)
    assert rows_of(found) == ROWS
    assert found.frame["key"].tolist()[1:3] == [
        "-07WVYMSwac_000000_000010",
        "12345678901_000020_000030",
    ]
    assert [str(kind) for kind in found.frame.dtypes[4:]] == ["float64", "float64"]
    assert list(found.frame) == ["key", "split", "label", "youtube_id", "time_start", "time_end"]
    assert found.labels == ("None", "air drumming", "petting cat")
    assert found.digests == {"any.thing": hashlib.sha256(data).hexdigest()}
    assert found.bad_rows == ()


LABELS = st.sampled_from(
    [
        "None",
        "nan",
        "NA",
        "null",
        "123",
        "0123",
        "1e5",
        "True",
        "#1",
        "{a}",
        "[x]",
        "it's (not)",
        "çava",
        "跳舞",
        "a, b",
        "label",
        "split",
        "-",
        "=1+1",
        "café 😀",
    ]
) | st.text(
    st.characters(categories=["L", "N", "Po"], exclude_characters='/\\<>:"|?*.'),
    min_size=1,
    max_size=20,
).filter(lambda text: text[:3].upper() not in {"CON", "PRN", "AUX", "NUL", "COM", "LPT"})
IDS = st.text("ABCxyz019-_", min_size=11, max_size=11)
WINDOWS = st.tuples(st.integers(0, 99_999), st.integers(1, 99)).map(lambda w: (w[0], w[0] + w[1]))
ANY_ROWS = st.lists(
    st.builds(
        lambda label, youtube_id, window, split: (label, youtube_id, *window, split),
        LABELS,
        IDS,
        WINDOWS,
        st.sampled_from(["train", "val", "test"]),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[1],
)


@IN_EVERY_DIALECT
@given(rows=ANY_ROWS)
@settings(max_examples=20)
def test_odd_labels_and_ids_survive_in_every_dialect(tmp_path: Path, dialect, rows) -> None:
    found = read_bytes(tmp_path, dialect(rows))
    assert rows_of(found) == rows
    plain = read_bytes(tmp_path, written(rows))
    assert select(found.frame, splits=None, n=1).to_csv() == (
        select(plain.frame, splits=None, n=1).to_csv()
    )


@given(
    rows=ANY_ROWS,
    odd=st.sampled_from(
        [
            "17",
            " 17",
            "+17",
            "017",
            "17.0",
            "17.",
            "1.7e1",
            ".5",
            "-0",
            "5_0",
            "0x1",
            "",
            "१",
            "True",
            "0000017",
        ]
    ),
)
def test_a_bad_row_elsewhere_does_not_change_how_a_row_is_read(tmp_path, rows, odd: str) -> None:
    """The quick way through pandas takes just what the careful way takes."""
    data = written(rows) + f"odd,odd-odd-odd,{odd},200000,val\n".encode()
    careful = read_bytes(tmp_path, data + b"bad\n", skip_bad_rows=True)
    quick = read_bytes(tmp_path, data, skip_bad_rows=True)
    assert rows_of(quick) == rows_of(careful)
    assert (*quick.bad_rows,) == careful.bad_rows[: len(careful.bad_rows) - 1]


def test_fractions_stay_in_the_times_and_the_key_has_whole_seconds(tmp_path: Path) -> None:
    rows: list[Row] = [
        ("yoga", "AAAAAAAAAAA", 17.25, 27.999, "val"),
        ("yoga", "BBBBBBBBBBB", 0.1, 0.2, "val"),
    ]
    for data in (written(rows), as_json(rows)):
        found = read_bytes(tmp_path, data)
        assert rows_of(found) == rows
        assert found.frame["key"].tolist() == [
            "AAAAAAAAAAA_000017_000027",
            "BBBBBBBBBBB_000000_000000",
        ]


SPELLINGS = {
    "train": ["train", "training", "TRAIN"],
    "val": ["val", "validate", "validation", "Val"],
    "test": ["test", "testing", "holdout_test", " test "],
}


@pytest.mark.parametrize(("split", "spellings"), SPELLINGS.items())
def test_split_names_are_normalised(tmp_path: Path, split: str, spellings: list[str]) -> None:
    rows = "".join(f"yoga,AAAAAAAAAA{i},0,10,{name}\n" for i, name in enumerate(spellings))
    assert set(read_bytes(tmp_path, rows.encode()).frame["split"]) == {split}


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.csv", "train"),
        ("kinetics700_2020_validate.csv", "val"),
        ("k600val.csv.gz", "val"),
        ("kinetics-test.txt", "test"),
        ("annotations.csv", None),
        ("trainval.csv", None),
        ("train_test.csv", None),
    ],
)
def test_without_a_split_column_the_file_name_must_say_it(tmp_path, name, split) -> None:
    bodies = (
        b"label,youtube_id,time_start,time_end\nyoga,AAAAAAAAAAA,0,10\n",
        b"yoga,AAAAAAAAAAA,0,10\n",
    )
    for body in bodies:
        if split:
            assert read_bytes(tmp_path, body, name).frame["split"].tolist() == [split]
        else:
            with pytest.raises(InputError, match="no column `split`"):
                read_bytes(tmp_path, body, name)


BAD = {
    "id of 10": ("yoga,AAAAAAAAAA,0,10,val", "'AAAAAAAAAA' is not 11 characters"),
    "id of 12": ("yoga,AAAAAAAAAAAA,0,10,val", "'AAAAAAAAAAAA' is not 11"),
    "id of 13": ("yoga,AAAAAAAAAAA12,0,10,val", "is not 11"),
    "id with a blank": ("yoga, AAAAAAAAAA,0,10,val", "is not 11"),
    "id with a dot": ("yoga,AAAAAAAAAA.,0,10,val", "is not 11"),
    "id with an umlaut": ("yoga,AAAAAAAAAAä,0,10,val", "is not 11"),
    "id with a NUL": ("yoga,AAAAAAAAAAA\0,0,10,val", "is not 11"),
    "id with a newline": ('yoga,"AAAAAAAAAAA\n",0,10,val', "is not 11.*runs on to line 4"),
    "no id": ("yoga,,0,10,val", "is not 11"),
    "no start": ("yoga,AAAAAAAAAAA,,10,val", "time_start is missing"),
    "no end": ("yoga,AAAAAAAAAAA,0, ,val", "time_end is missing"),
    "NaN": ("yoga,AAAAAAAAAAA,nan,10,val", "time_start 'nan' is not a number"),
    "infinity": ("yoga,AAAAAAAAAAA,0,inf,val", "time_end 'inf' is not a number"),
    "too many digits": ("yoga,AAAAAAAAAAA,0,1e999,val", "more than 999999"),
    "overflow": (f"yoga,AAAAAAAAAAA,0,{'9' * 30},val", "more than 999999"),
    "truth": ("yoga,AAAAAAAAAAA,False,True,val", "time_start 'False' is not a number"),
    "underscore": ("yoga,AAAAAAAAAAA,1_0,20,val", "time_start '1_0' is not a number"),
    "negative": ("yoga,AAAAAAAAAAA,-1,10,val", "time_start '-1' is negative"),
    "reversed": ("yoga,AAAAAAAAAAA,20,10,val", "time_start 20 is not before time_end 10"),
    "equal": ("yoga,AAAAAAAAAAA,10,10.0,val", "time_start 10 is not before time_end 10"),
    "too late": ("yoga,AAAAAAAAAAA,999999,1000000,val", "time_end '1000000' is more than 999999"),
    "unknown split": (
        "yoga,AAAAAAAAAAA,0,10,extra",
        "split 'extra' is none of train, val and test",
    ),
    "no split": ("yoga,AAAAAAAAAAA,0,10,", "split '' is none of"),
    "short": ("yoga,AAAAAAAAAAA,0,10", "4 fields where 5 are expected"),
    "long": ("yoga,AAAAAAAAAAA,0,10,val,", "6 fields where 5 are expected"),
    "leading blank": (" yoga,AAAAAAAAAAA,0,10,val", "begins or ends with a blank"),
    "text": ("<html>", "1 fields where 5"),
    "unquoted comma": ("a, b,AAAAAAAAAAA,0,10,val", "6 fields where 5 are expected"),
    "open quote": (f'"yoga,AAAAAAAAAAA,0,10,val\n{GOOD}', r"1 fields.*runs on to line \d+"),
}
BAD_LABELS = {
    "empty": ("", "label is empty"),
    "slash": ("../../etc", "holds '/'"),
    "backslash": ("a\\b", "holds"),
    "parent": ("..", "ends with a dot"),
    "here": (".", "ends with a dot"),
    "trailing dot": ("a.", "ends with a dot"),
    "leading blank": (" a", "begins or ends with a blank"),
    "trailing blank": ("a ", "begins or ends with a blank"),
    "newline": ("a\nb", r"U\+000A"),
    "carriage return": ("a\rb", r"U\+000D"),
    "tab": ("a\tb", r"U\+0009"),
    "NUL": ("a\0b", r"U\+0000"),
    "escape": ("\x1b[31m", r"U\+001B"),
    "next line": ("a\x85b", r"U\+0085"),
    "line separator": ("a\u2028b", r"U\+2028"),
    "bidi override": ("a\u202eb", r"U\+202E"),
    "bidi isolate": ("a\u2066b", r"U\+2066"),
    "no-break space": ("a\xa0b", r"U\+00A0"),
    "reserved": ("CON", "reserved"),
    "reserved with extension": ("nul.txt", "reserved"),
    "port": ("Lpt1", "reserved"),
    "quote": ('a"b', "holds '\"'"),
    "star": ("a*", "holds"),
    "colon": ("c:", "holds"),
    "long": ("é" * 101, "longer than 200 bytes"),
}


def check_bad_row(folder: Path, line: int, why: str, data: bytes) -> None:
    with pytest.raises(BadRows, match=why) as error:
        read_bytes(folder, data, "bad.csv")
    rows = error.value.rows
    assert [(row.file, row.line) for row in rows] == [(str(folder / "bad.csv"), line)]
    assert str(error.value).isprintable()
    left = read_bytes(folder, data, "bad.csv", skip_bad_rows=True)
    assert left.bad_rows == rows
    assert set(left.labels) == {"air drumming"}


@pytest.mark.parametrize(("row", "why"), BAD.values(), ids=BAD)
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, row: str, why: str) -> None:
    check_bad_row(tmp_path, 3, why, f"{HEADER}\n{GOOD}\n{row}\n".encode())
    if '"' not in row:  # a quote that is open or holds a newline moves the lines
        check_bad_row(tmp_path, 4, why, f"\r\n{GOOD}\r\n   \r\n{row}\r\n{GOOD}\r\n".encode())


@pytest.mark.parametrize(("label", "why"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_a_label_that_cannot_be_a_folder_is_a_bad_row(tmp_path, label: str, why: str) -> None:
    row: Row = (label, "AAAAAAAAAAA", 0, 10, "val")
    check_bad_row(
        tmp_path, 2, why, GOOD.encode() + b"\n" + written([row], header=False, quote=True)
    )
    good: Row = ("air drumming", "BBBBBBBBBBB", 0, 10, "val")
    check_bad_row(tmp_path, 2, why, as_json([good, row]))


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        {},
        {"annotations": None},
        {"annotations": {"label": "a", "segment": [1]}, "subset": "val"},
        {"annotations": {"label": "a", "segment": 3}, "subset": "val"},
        {"annotations": {"label": "a", "segment": [None, "x"]}, "subset": "val"},
        {"annotations": {"label": "a", "segment": [float("nan"), float("inf")]}, "subset": "val"},
        {"annotations": {"label": 5, "segment": [1, 2]}, "subset": "val"},
        {"annotations": {"label": "a", "segment": [1, 2]}, "subset": ["val"]},
        {"annotations": {"label": "a", "segment": [1, 2]}},
    ],
)
def test_a_bad_json_entry_is_named_by_id_and_position(tmp_path: Path, entry: object) -> None:
    good = json.loads(as_json([("air drumming", "BBBBBBBBBBB", 0, 10, "val")]))
    check_bad_row(
        tmp_path, 2, "'AAAAAAAAAAA': ", json.dumps({**good, "AAAAAAAAAAA": entry}).encode()
    )


def test_all_bad_rows_are_listed_with_the_lines_they_stand_on(tmp_path: Path) -> None:
    extra = 'one,"two\nlines"'
    data = f"""{HEADER},note,more
{GOOD},{extra}

bad,short
{GOOD},{extra}
{GOOD.replace("--nQ", "?")},,
"""
    with pytest.raises(BadRows, match=r"line 5: 2 fields.*and 1 more bad rows") as error:
        read_bytes(tmp_path, data.encode())
    assert [row.line for row in error.value.rows] == [5, 8]
    assert len(read_bytes(tmp_path, data.encode(), skip_bad_rows=True).frame) == 2


def test_a_short_row_does_not_make_up_for_a_long_one(tmp_path: Path) -> None:
    data = f"{HEADER},is_cc\n{GOOD},1,surplus\n{GOOD}\n{GOOD},1\n".encode()
    found = read_bytes(tmp_path, data, skip_bad_rows=True)
    assert [(row.line, row.why[:8]) for row in found.bad_rows] == [(2, "7 fields"), (3, "5 fields")]


def test_a_bad_row_is_found_wherever_it_stands_in_a_large_file(tmp_path: Path) -> None:
    """pandas reads in chunks and does not check the first row of each for its length."""
    rows = [GOOD] * 30_000
    for line in range(0, 30_000, 3_000):
        rows[line] += ",surplus"
    data = "\n".join([HEADER, *rows]).encode()
    found = read_bytes(tmp_path, data, skip_bad_rows=True)
    assert [row.line for row in found.bad_rows] == list(range(2, 30_002, 3_000))
    assert len(found.frame) == 30_000 - 10


UNUSABLE = {
    "empty": (b"", "is empty"),
    "only blanks": (b" \n\r\n", "is empty"),
    "only a BOM": (b"\xef\xbb\xbf", "is empty"),
    "only a header": (f"{HEADER}\n\n".encode(), "has a header but no rows"),
    "Latin-1": (
        f"{HEADER}\n{GOOD}\ncaf\xe9,AAAAAAAAAAA,0,10,val".encode("latin-1"),
        "line 3: byte 0xe9 is not UTF-8",
    ),
    "cut gzip": (gzip.compress(GOOD.encode())[:-9], "damaged gzip"),
    "spoilt gzip": (b"\x1f\x8b" + b"x" * 40, "damaged gzip"),
    **{
        f"{kind}": (magic + b"\0" * 50, f"is packed as {kind}; unpack it")
        for kind, magic in (
            ("7z", b"7z\xbc\xaf"),
            ("rar", b"Rar!"),
            ("zstd", b"\x28\xb5\x2f\xfd"),
        )
    },
    "gzip of nothing": (gzip.compress(b""), "is empty"),
    "cut JSON": (as_json(ROWS)[:-9], "not valid JSON"),
    "JSON brace": (b"{", "not valid JSON"),
    "deep JSON": (b'{"a":' * 100_000, "not valid JSON"),
    "JSON list": (b'[{"label": "yoga"}]', "no JSON object"),
    "empty JSON": (b"{}", "no JSON object"),
    "repeated JSON id": (b'{"A": 1, "A": 2}', "'A' stands there twice"),
    "missing columns": (
        b"label,youtube_id,start,end,split\n" + GOOD.encode(),
        "line 1: the header has no column time_start, time_end",
    ),
    "missing id": (
        b"label,video,time_start,time_end,split\n" + GOOD.encode(),
        "no column youtube_id",
    ),
    "double column": (
        b"label,split,youtube_id,time_start,time_end,split\n" + GOOD.encode(),
        "names split twice",
    ),
    "not annotations": (b"hello\nworld\n", "line 1: neither a header nor a row"),
    "space-separated": (b"path/to/video.mp4 17\n", "neither a header nor a row"),
    "all rows bad": (f"{HEADER}\nyoga,x,0,10,val\n".encode(), "not one row can be used"),
    "endless quote": (b'"' + (GOOD + "\n").encode() * 5_000, "is a quote not closed"),
    "shared folder": (
        f"{GOOD}\n{GOOD.replace(' ', '_')}".encode(),
        "'air drumming' and 'air_drumming' would share",
    ),
    "unlabelled": (
        b"youtube_id,time_start,time_end,split\n--6bJUbfpnQ,17,27,test\n",
        "no column `label`; without labels.*use a labelled file",
    ),
    "unlabelled headerless": (b"--6bJUbfpnQ,17,27,test\n", "no label; without labels"),
    "unlabelled, no split": (b"--6bJUbfpnQ,17,27\n", "no label; without labels"),
    "unlabelled JSON": (
        b'{"--6bJUbfpnQ": {"subset": "test", "duration": 10}}',
        "no annotations; without labels",
    ),
}


@pytest.mark.parametrize(("data", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(tmp_path, data: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why) as error:
        read_bytes(tmp_path, data, "odd.csv", skip_bad_rows=True)
    assert "\n" not in str(error.value)
    assert "odd.csv" in str(error.value) or "share" in why


def test_what_is_not_there_or_not_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.csv: there is no such file"):
        read("kinetics", [tmp_path / "no.csv"])
    with pytest.raises(InputError, match="is a folder"):
        read("kinetics", [tmp_path])
    with pytest.raises(InputError, match="cannot be read"):
        read("kinetics", [Path("a\0b")])
    with pytest.raises(InputError, match="no annotation file"):
        read("kinetics", [])
    with pytest.raises(InputError, match="no dataset 'kinetic'; there are kinetics"):
        read("kinetic", [tmp_path])


def test_several_files_are_read_together_and_bad_rows_of_all_are_listed(tmp_path: Path) -> None:
    files = [tmp_path / "a" / "x.csv", tmp_path / "b" / "x.csv", tmp_path / "y.json"]
    for file, data in zip(
        files, (written(ROWS[:2]), written(ROWS[2:4]), as_json(ROWS[4:])), strict=True
    ):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
    found = read("kinetics", files)
    assert rows_of(found) == ROWS
    assert list(found.frame.index) == list(range(5))
    assert set(found.digests) == {str(files[0]), str(files[1]), "y.json"}
    for file in files[:2]:
        file.write_bytes(file.read_bytes() + b"bad\n")
    with pytest.raises(BadRows) as error:
        read("kinetics", files)
    assert [(row.file, row.line) for row in error.value.rows] == [(str(f), 4) for f in files[:2]]


REAL = {
    "k400/val_headerless.csv": (18_009, 400, "val"),
    "k400/val_with_is_cc.csv": (19_906, 400, "val"),
    "k400/test_labelled.csv": (35_308, 400, "test"),
    "k600/validate.csv": (28_267, 600, "val"),
    "k700/validate.csv": (33_909, 700, "val"),
}


@pytest.mark.real_annotations
@pytest.mark.parametrize(("name", "expected"), REAL.items())
def test_real_files_are_read_whole(name: str, expected: tuple[int, int, str]) -> None:
    found = read("kinetics", [real_annotations(name)])
    assert (len(found.frame), len(found.labels), found.frame["split"].unique().item()) == expected
    label_map = (
        real_annotations(f"{name.partition('/')[0]}/label_map.txt")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    assert list(found.labels) == label_map


@pytest.mark.real_annotations
def test_real_unlabelled_test_files_are_refused() -> None:
    with pytest.raises(InputError, match="without labels"):
        read("kinetics", [real_annotations("k400/test_unlabelled.csv")])


@pytest.mark.real_annotations
def test_real_spellings_of_two_versions_are_kept_apart() -> None:
    both = read(
        "kinetics",
        [real_annotations("k400/val_headerless.csv"), real_annotations("k600/validate.csv")],
    )
    upper, lower = (f"passing {a}merican football (not in game)" for a in "Aa")
    assert {upper, lower} <= set(both.labels)
    with pytest.raises(InputError, match=r"may mean 'passing A.* and 'passing a"):
        select(both.frame, splits=None, n=1, classes=[upper.upper()])
    assert [g.label for g in select(both.frame, splits=None, n=1, classes=[lower]).groups()] == [
        lower
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_is_too_large_is_refused_before_memory_is(tmp_path, monkeypatch, packed):
    """A gzip of two megabytes may unpack to two thousand."""
    monkeypatch.setattr("nanokinetics.annotations.streams.LARGEST", 10_000_000)
    path = tmp_path / "train.csv"
    if packed:
        path.write_bytes(gzip.compress(b" " * 300_000_000, 1))
    else:
        with path.open("wb") as file:
            file.truncate(10**12)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"train\.csv: (is|unpacks to) more than 10\.0 MB"):
            read("kinetics", [path])
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()

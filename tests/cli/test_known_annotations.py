"""`nanokinetics annotations`, and names and addresses after `--annotations`."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from file_server import FileServer, Page, serving
from helpers import Done, Row, nanokinetics, wait_until, write_csv, youtube_id
from schema import faults, named

from nanokinetics import sample
from nanokinetics.common.user_folders import cache

Run = Callable[..., Done]
TRAIN = [
    Row(label, youtube_id(n, label[0]), 1, 11) for label in ("yoga", "running") for n in range(5)
]
VAL = [
    Row(label, youtube_id(n, label[1]), 1, 11, "val")
    for label in ("yoga", "running")
    for n in range(5)
]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A catalogue with two names, whose files a server on this machine has; an empty cache."""
    train = write_csv(tmp_path / "given.csv", TRAIN).read_bytes()
    val = write_csv(tmp_path / "given.csv", VAL).read_bytes()
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in (("train.csv", train), ("validate.csv", val), ("extra.csv", b"a,b\n")):
            member = tarfile.TarInfo(f"lab/{name}")
            member.size = len(data)
            archive.addfile(member, BytesIO(data))
    (tmp_path / "given.csv").unlink()
    with serving() as server:
        server.pages["/train.csv"] = Page(train, headers={"ETag": '"a"'})
        server.pages["/val.csv"] = Page(val)
        server.pages["/lab.tar.gz"] = Page(packed.getvalue())
        (tmp_path / "lab.toml").write_text(
            f"""
            [lab]
            about = "ten rows"
            notes = ["made for a test"]
            [[lab.files]]
            splits = ["train"]
            urls = ["{server.url("/train.csv")}"]
            rows = {{ train = 10 }}
            [[lab.files]]
            splits = ["val"]
            urls = ["{server.url("/val.csv")}"]
            rows = {{ val = 10 }}

            ["lab@packed"]
            [["lab@packed".files]]
            urls = ["{server.url("/lab.tar.gz")}"]
            members = {{ train = "train.csv", val = "validate.csv" }}
            """
        )
        monkeypatch.setenv("NANOKINETICS_CATALOG", str(tmp_path / "lab.toml"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield server


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Run:
    from nanokinetics.cli import main

    monkeypatch.chdir(tmp_path)

    def command(*arguments: str | Path) -> Done:
        capsys.readouterr()
        code = main([str(each) for each in arguments])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return command


def paths(server: FileServer) -> list[str]:
    return [asked.path for asked in server.asked]


def test_the_list_names_what_there_is_and_what_lies_here(command: Run, lab: FileServer) -> None:
    done = command("annotations")
    assert done.code == 0
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["name", "dataset", "source", "splits", "rows", "size", "here"]
    table = {row.split()[0]: row.split()[1:] for row in rows}
    assert table["lab"] == ["kinetics", "own", "train,val", "20", "no"]
    assert table["k400"][:4] == ["kinetics", "CVDF", "train,val,test", "306,245"]
    assert all(len(row) <= 80 for row in done.stdout.splitlines())
    assert "lab: made for a test" in done.stderr
    assert str(cache() / "annotations") in done.stderr
    assert lab.asked == []

    assert command("annotations", "lab", "--split", "val", "--quiet").code == 0
    listed = command("annotations").stdout.splitlines()
    assert [row.split()[-2:] for row in listed if row.startswith("lab ")] == [["in", "part"]]


def test_a_name_is_fetched_and_its_files_are_printed(command: Run, lab: FileServer) -> None:
    done = command("annotations", "LAB")
    assert done.code == 0
    train, val = map(Path, done.stdout.splitlines())
    assert train.read_bytes() == lab.pages["/train.csv"].body
    assert val.read_bytes() == lab.pages["/val.csv"].body
    assert "lab: ten rows, of own; rows: train 10, val 10" in done.stderr
    assert paths(lab) == ["/train.csv", "/val.csv"]
    assert command("annotations", "lab", "--quiet") == Done(0, done.stdout, "")
    assert len(lab.asked) == 2


def test_an_address_is_fetched_too(command: Run, lab: FileServer) -> None:
    done = command("annotations", lab.url("/val.csv"), "--quiet")
    assert Path(done.stdout.strip()).read_bytes() == lab.pages["/val.csv"].body


def test_the_json_is_as_the_schema_says(command: Run, lab: FileServer) -> None:
    listed = json.loads(command("annotations", "--json", "--quiet").stdout)
    assert list(faults(listed, named("annotations"))) == []
    assert listed[0]["name"] == "lab"
    found = json.loads(command("annotations", "lab", "--json", "--quiet").stdout)
    assert list(faults(found, named("fetched"))) == []
    digests = [
        hashlib.sha256(lab.pages[name].body).hexdigest() for name in ("/train.csv", "/val.csv")
    ]
    assert [each["sha256"] for each in found] == digests


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("annotations", "k40"), 2, "no annotations are called 'k40'; did you mean k400?"),
        (("annotations", "--split", "val"), 2, "--split is for a NAME"),
        (("annotations", "lab", "--split", "test"), 2, "lab: has no test, only train, val"),
        (("annotations", "lab", "--split", "val,test"), 2, "lab: has no test, only train, val"),
        (("annotations", "k600", "--split", "test"), 2,
         "k600: has no test, only train, val; k600@deepmind, k600@cvdf, k600@openmmlab have it"),
        (("annotations", "lab", "--split", "night"), 2, "'night' is no split"),
        (("annotations", "lab", "--proxy", "nowhere"), 2, "--proxy is like http://HOST:PORT"),
        (("sample", "kinetics", "--annotations", "labb", "--n", "1"), 2,
         "labb: there is no such file, and no annotations are called so; did you mean lab?"),
        (("sample", "kinetics", "--annotations", "lab.csv", "--n", "1"), 2,
         "lab.csv: there is no such file"),
        (("sample", "kinetics", "--annotations", "ftp://a.test/a.csv", "--n", "1"), 2, "is a URL"),
        (("sample", "kinetics", "--annotations", "lab", "--n", "1", "--split", "nigth"), 2,
         "'nigth' is no split"),
        (("sample", "ssv2", "--src", ".", "--annotations", "lab", "--n", "1"), 2,
         "--annotations lab: is of kinetics, not of ssv2"),
    ],
)  # fmt: skip
def test_mistakes_are_answered_in_one_line_and_nothing_is_fetched(
    command: Run, lab: FileServer, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = command(*arguments)
    assert done.code == code
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr
    assert lab.asked == []


def chosen(text: str) -> list[str]:
    return text.splitlines()[1:]


def test_a_sample_of_a_name_is_that_of_its_file(command: Run, lab: FileServer, tmp_path) -> None:
    path = write_csv(tmp_path / "train.csv", TRAIN)
    usual = ("sample", "kinetics", "--n", "2", "--split", "train", "--quiet", "--annotations")
    by_path = command(*usual, path)
    assert command(*usual, "lab") == by_path
    assert paths(lab) == ["/train.csv"], "the other split was not needed"
    assert command(*usual, lab.url("/train.csv")) == by_path
    packed = command(*usual, "lab@packed")
    assert chosen(packed.stdout) == chosen(by_path.stdout)


def test_a_dry_run_takes_names_and_the_proxy_of_the_build(command: Run, lab: FileServer) -> None:
    usual = ("--annotations", "lab", "--split", "val", "--n", "1", "--proxy")
    done = command("build", "kinetics", *usual, "http://127.0.0.1:9", "--dest", "new", "--dry-run")
    assert done.code == 1
    assert "val.csv cannot be had" in done.stderr
    done = command("build", "kinetics", *usual, "", "--dest", "new", "--dry-run")
    assert (done.code, paths(lab)) == (0, ["/val.csv"])
    assert not Path("new").exists()
    assert command("sample", "kinetics", *usual, "http://127.0.0.1:9", "--quiet").code == 0


def test_the_splits_of_n_are_those_that_are_fetched(command: Run, lab: FileServer) -> None:
    done = command("sample", "kinetics", "--annotations", "lab", "--n", "validation=2", "--quiet")
    assert (done.code, paths(lab)) == (0, ["/val.csv"])


def test_a_file_of_that_name_comes_first_and_it_is_said(
    command: Run, lab: FileServer, tmp_path: Path
) -> None:
    write_csv(tmp_path / "lab", TRAIN)
    done = command("sample", "kinetics", "--annotations", "lab", "--n", "1", "--output", "a.csv")
    assert done.code == 0
    assert "'lab' is a file here, so it is not taken as a name" in done.stderr
    assert lab.asked == []
    (tmp_path / "lab").unlink()
    (tmp_path / "lab").mkdir()  # the folder of a dataset may be called so
    done = command("sample", "kinetics", "--annotations", "lab", "--n", "1", "--output", "a.csv")
    assert (done.code, len(lab.asked)) == (0, 2)


def test_the_library_takes_names(lab: FileServer) -> None:
    assert len(sample("kinetics", annotations="lab", split="train", n=1).quotas) == 2
    assert len(sample("kinetics", annotations=lab.url("/val.csv"), n=1).quotas) == 2


def test_a_log_has_a_line_at_the_beginning_and_one_at_the_end(
    command: Run, lab: FileServer
) -> None:
    done = command("annotations", "lab", "--split", "train")
    size = f"{len(lab.pages['/train.csv'].body)} B"
    dated, last, *_ = done.stderr.splitlines()
    _, _, first = dated.split(" ", 2)  # the day stands in the first line alone
    last = last.partition(" ")[2]
    assert first == f"fetching train.csv of {size} from {lab.url('/train.csv')}"
    assert last == f"fetched train.csv ({size}) from {lab.url('/train.csv')}"


@pytest.mark.slow
def test_a_fetch_that_is_killed_goes_on(lab: FileServer, tmp_path: Path) -> None:
    whole = lab.pages["/train.csv"].body
    big = lab.pages["/train.csv"].body = whole + b"yoga,zzzzzzzzzzz,1,11,train\n" * 200_000
    lab.stalls["/train.csv"] = 3_000_000
    running = nanokinetics("annotations", "lab", "--split", "train", cwd=tmp_path)
    try:
        wait_until(lambda: [p for p in cache().rglob("*.part") if p.stat().st_size])
    finally:
        running.kill_group()
    (part,) = cache().rglob("*.part")
    before = part.stat().st_size
    assert 0 < before < len(big)
    lab.stalls.clear()
    lab.asked.clear()
    done = nanokinetics("annotations", "lab", "--split", "train", cwd=tmp_path).wait(60)
    assert done.code == 0, done.stderr
    assert [asked.headers.get("Range") for asked in lab.asked] == [f"bytes={before}-"]
    assert Path(done.stdout.strip()).read_bytes() == big

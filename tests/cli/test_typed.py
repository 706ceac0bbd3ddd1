"""What people type is understood, or answered with what was meant and the right page of help."""

from __future__ import annotations

import contextlib
import shlex
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import trees
from helpers import Row, commands, write_csv, youtube_id
from hypothesis import given
from hypothesis import strategies as st

from nanokinetics.cli import build, main, meant, parser, typed
from nanokinetics.cli.typed import Takes
from nanokinetics.errors import InputError
from nanokinetics.selection import presets

LABELS = ("abseiling", "hurling (sport)", "playing guitar", "yoga")
CHANGED = {"dying hair": "dyeing hair", "opening bottle": "opening bottle (not wine)"}
"""Classes of the preset kinetics-100 as Kinetics-600 names them; the second is another class."""
GONE = ("cleaning floor", "using computer")


def rows_of(labels: tuple[str, ...]) -> list[Row]:
    return [
        Row(label, youtube_id(10 * place + number), 10, 20)
        for place, label in enumerate(labels)
        for number in range(3)
    ]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with all that the commands of the table read."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "a.csv", rows_of(LABELS))
    known = presets.read("kinetics-100").classes or ()
    later = tuple(CHANGED.get(label, label) for label in known if label not in GONE)
    write_csv(tmp_path / "k600.csv", rows_of(later))
    trees.lay(tmp_path, {"list.txt": b"yoga\nabseiling\n", "src/yoga/1.jpg": trees.picture(1)})
    yield tmp_path
    for number, handler in before.items():
        signal.signal(number, handler)


CHOOSE = "sample kinetics --annotations a.csv --n 1 -q"
BUILD = "build kinetics --annotations a.csv --n 1 --dest nano"
LOCAL = "build folder --src src --n 1 --dest nano -q"
K100 = "sample kinetics --annotations k600.csv --n 1 -q --preset"
HELP = "(see nanokinetics {} --help)"

TYPED: list[tuple[str, str, int]] = [
    # -- understood
    ("sample kinetics --annotations a.csv -n 1 -q", ",yoga,", 0),
    ("sample kinetics --annotations a.csv -n2 -q", ",20,2,1,0\n", 0),
    ("sample kinetics --annotations a.csv -n train=1 -q", ",yoga,", 0),
    ("sample kinetics --annotations a.csv -n 1 -q -o -", ",yoga,", 0),
    ("sample kinetics --annotations a.csv -n 1 -q -o picks.csv", "", 0),
    ("build folder --src src -n 1 -o nano -q", "", 0),
    ("export nano --format vjepa -o lists -q", "nano", 2),
    (f"{CHOOSE} --num_classes 4", ",yoga,", 0),
    (f"{CHOOSE} --num_classes=4 --skip_bad_rows", ",yoga,", 0),
    (f"{CHOOSE} --splits train", ",yoga,", 0),
    (f"{CHOOSE} --split train,train", ",yoga,", 0),
    ("sample -q -n 1 --annotations a.csv kinetics", ",yoga,", 0),
    ("sample --annotations a.csv --split train kinetics -n 1 -q", ",yoga,", 0),
    ("--annotations a.csv -n 1 -q sample kinetics", ",yoga,", 0),
    ("-n 1 -q sample --annotations a.csv kinetics", ",yoga,", 0),
    ("sample Kinetics --annotations a.csv -n 1 -q --source YouTube", ",yoga,", 0),
    (f"{CHOOSE} --yt-dlp-args --force-ipv4", ",yoga,", 0),
    (f"{BUILD} --yt-dlp-args --no-such-option", "no such option: --no-such-option", 2),
    (f"{BUILD} --yt-dlp-args '--no-check-certificates --nonsense'", "option: --nonsense", 2),
    (f"{BUILD} --resolution 361p", "an even number from 16, not 361", 2),
    (f"{LOCAL} --max-wait 1h30m --block-wait '90 s' --transcode --resolution 360p", "", 0),
    (f"{LOCAL} --retry-failed all", "", 0),
    (f"{CHOOSE} --classes yoga abseiling", ",yoga,", 0),
    ("sample -n 1 -q --annotations a.csv --classes yoga abseiling kinetics", ",yoga,", 0),
    (f"{CHOOSE} --classes list.txt", ",yoga,", 0),
    (f"{CHOOSE} --classes @list.txt", ",yoga,", 0),
    (f"{CHOOSE} --classes Playing_Guitar", ",playing guitar,", 0),
    (f"{CHOOSE} --preset TINY --n 1", "the chosen splits have 1 to 4 classes", 2),
    ("presets Kinetics_100:VAL", "baking cookies", 0),
    ("presets kinetics100", "air drumming", 0),
    (f"{K100} kinetics-100 --skip-missing-classes", ",dyeing hair,", 0),
    (f"{K100} Kinetics-100 --skip_missing_classes", ",dyeing hair,", 0),
    (f"{CHOOSE} --classes yoga,yogo --skip-missing-classes", ",yoga,", 0),
    (f"{CHOOSE} --transcode --state s --failed-logs f --log l", ",yoga,", 0),
    # -- commands
    ("biuld kinetics", "did you mean build? (see nanokinetics --help)", 2),
    ("download kinetics", "did you mean build?", 2),
    ("stat nano", "did you mean report?", 2),
    ("bibtex nano", "did you mean cite?", 2),
    ("catalogue", "did you mean annotations?", 2),
    ("subsample nano", "did you mean subset?", 2),
    ("gallery nano", "did you mean report?", 2),
    ("kinetics --annotations a.csv", "did you mean nanokinetics build kinetics?", 2),
    ("help", "did you mean nanokinetics --help?", 2),
    # -- options
    (f"{BUILD} --num-clases 3", f"did you mean --num-classes? {HELP.format('build')}", 2),
    (f"{BUILD} --output-dir d", f"did you mean --dest? {HELP.format('build')}", 2),
    (f"{BUILD} --format vjepa", f"it is an option of export {HELP.format('build')}", 2),
    (f"{BUILD} --clas yoga", "--clas may mean --class-names or --classes", 2),
    (f"{BUILD} --frobnicate=S3cr3t", f"build has no --frobnicate {HELP.format('build')}", 2),
    ("demo --serve --prot 80", f"did you mean --port? {HELP.format('demo')}", 2),
    ("demo --port 80", "--port is for --serve", 2),
    ("cite nano --strict", f"an option of export and manifest {HELP.format('cite')}", 2),
    ("subset nano -n 1", f"required: --dest {HELP.format('subset')}", 2),
    ("export nano --format hf --strikt", f"did you mean --strict? {HELP.format('export')}", 2),
    ("export nano --fromat hf", f"did you mean --format? {HELP.format('export')}", 2),
    (f"{BUILD} surplus", f"'surplus' is one too many; quote what {HELP.format('build')[:0]}", 2),
    (f"{CHOOSE} --max-per-hours 3", f"did you mean --max-per-hour? {HELP.format('sample')}", 2),
    # -- datasets
    ("build k400 -n 5", f"did you mean kinetics --annotations k400? {HELP.format('build')}", 2),
    ("build kinetics400 -n 5", "did you mean kinetics --annotations k400?", 2),
    ("build K400@DeepMind -n 5", "did you mean kinetics --annotations k400@deepmind?", 2),
    ("build k700_2020@deepmind -n 5", "kinetics --annotations k700-2020@deepmind?", 2),
    ("build Kinetics-600 -n 5", "did you mean kinetics --annotations k600?", 2),
    ("build kinetics700_2020 -n 5", "did you mean kinetics --annotations k700-2020?", 2),
    ("sample something-something -n 5", f"did you mean ssv2? {HELP.format('sample')}", 2),
    ("build sthv2 -n 5", "did you mean ssv2?", 2),
    ("build UCF101 -n 5", "did you mean folder?", 2),
    ("build ILSVRC2012 -n 5", "did you mean imagenet?", 2),
    ("build mini-kinetics -n 5", "kinetics --preset mini-kinetics-200?", 2),
    ("build kinetcs -n 5", "did you mean kinetics?", 2),
    (f"{BUILD} --source youtub", "did you mean youtube?", 2),
    # -- formats
    ("export nano --format videomae", f"did you mean vjepa? {HELP.format('export')}", 2),
    ("export nano --format HuggingFace", "did you mean hf?", 2),
    ("export nano --format wds", "did you mean webdataset?", 2),
    ("export nano --format PyTorchVideo", "did you mean slowfast?", 2),
    ("export nano --format slowfst", "did you mean slowfast?", 2),
    # -- splits
    (f"{CHOOSE} --split trian", f"did you mean train? {HELP.format('sample')}", 2),
    (f"{BUILD} --split train,trian", f"did you mean train? {HELP.format('build')}", 2),
    ("subset nano -o n --split trian", f"did you mean train? {HELP.format('subset')}", 2),
    ("annotations k400 --split train,trian", f"mean train? {HELP.format('annotations')}", 2),
    (f"{CHOOSE} --split all", "did you mean leaving out --split", 2),
    (f"{CHOOSE} --split validation", "no split 'val' in the annotations; there are: train", 2),
    # -- presets and classes
    (f"{CHOOSE} --preset mini", f"mean mini-kinetics-200? {HELP.format('sample')}", 2),
    ("presets mini", f"did you mean mini-kinetics-200? {HELP.format('presets')}", 2),
    (f"{CHOOSE} --preset kinetics-100:trian", "did you mean train?", 2),
    (f"{CHOOSE} --classes yogo,abseilin", "'yogo' (nearest: 'yoga'), 'abseilin' (nearest: 'ab", 2),
    (f"{CHOOSE} --classes playing guitar", "did you mean 'playing guitar', in quotes?", 2),
    (f"{CHOOSE} --classes lists.txt", "--classes: there is no file lists.txt", 2),
    (f"{K100} kinetics-100", "'opening bottle' (here 'opening bottle (not wine)')", 2),
    (f"{K100} kinetics-100", "3 classes are not in the annotations: 'cleaning floor'", 2),
    (f"{CHOOSE} --skip-missing-classes", "is for --classes or --preset", 2),
    (f"{CHOOSE} --classes yogo --skip-missing-classes", "no class 'yogo'", 2),
    # -- without effect
    (f"{BUILD} --transcode", "--transcode has no effect here: clips of YouTube", 2),
    (f"{BUILD} --dry-run --transcode", "--transcode has no effect here: clips of YouTube", 2),
    (f"{BUILD} --place symlink", "--place symlink has no effect here", 2),
    (f"{BUILD} --class-names list.txt", "--class-names has no effect here", 2),
    (f"{BUILD} --yt-dlp-args '-f best'", "-f has no effect here: formats are chosen by --res", 2),
    (f"{BUILD} --yt-dlp-args -fbest", "-f has no effect here", 2),
    (f"{BUILD} --yt-dlp-args=--retries=3", "--retries has no effect here", 2),
    (f"{LOCAL} --resolution 240p", "--resolution has no effect here: files are taken as they", 2),
    (f"{LOCAL} --no-audio", "--no-audio has no effect here", 2),
    (f"{LOCAL} --proxy http://h:1", "--proxy has no effect here: local files are read without", 2),
    (f"{LOCAL} --max-per-hour 6", "--max-per-hour has no effect here", 2),
    (f"{LOCAL} --annotations a.csv", "--annotations has no effect here", 2),
    (f"{LOCAL} --class-names list.txt", "--class-names has no effect here", 2),
    ("build imagenet --src src --n 1 --dest nano --transcode", "images of imagenet are never", 2),
]


@pytest.mark.parametrize(("line", "said", "code"), TYPED, ids=[row[0] for row in TYPED])
def test_what_is_typed_what_is_said_and_the_exit_code(
    here: Path, capsys: pytest.CaptureFixture[str], line: str, said: str, code: int
) -> None:
    before = sorted(here.iterdir())
    assert main(shlex.split(line)) == code
    out, err = capsys.readouterr()
    assert said in out + err
    assert "S3cr3t" not in err
    if code == 2:
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith("nanokinetics: ")
        assert sorted(here.iterdir()) == before


# -- before argparse


@cache
def known() -> dict[str, Takes]:
    return {name: Takes.of(command) for name, command in commands().items()}


def understood(words: list[str]) -> list[str]:
    return typed.read(words, known(), TOP).argv()


whole = cache(parser)
TOP = Takes.of(parser())


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("build kinetics -n 5 -o nano -q", "build kinetics --n 5 --dest nano --quiet"),
        ("export nano -o there --format hf", "export nano --output there --format hf"),
        ("subset -o new -n 5 nano", "subset nano --dest new --n 5"),
        ("subset nano -o new --classes a b", "subset nano --dest new --classes a,b"),
        ("cite -q nano", "cite nano --quiet"),
        ("annotations --split train val k400", "annotations --split train val k400"),
        ("annotations k400 --splits val -q", "annotations k400 --split val --quiet"),
        ("--format hf export nano --strict", "export nano --format hf --strict"),
        ("demo --port 8080 --serve", "demo --port 8080 --serve"),
        ("--state st build kinetics --failed_logs f", "build kinetics --state st --failed-logs f"),
        ("build kinetics -ntrain=5,val=2", "build kinetics --n=train=5,val=2"),
        ("build kinetics -n=5", "build kinetics --n=5"),
        ("build kinetics --max_per_hour 5", "build kinetics --max-per-hour 5"),
        ("build kinetics --yt_dlp_args=--add_x", "build kinetics --yt-dlp-args=--add_x"),
        ("build kinetics --seed my_seed", "build kinetics --seed my_seed"),
        ("build kinetics -dest my_nano", "build kinetics --dest my_nano"),
        ("build kinetics --num 5", "build kinetics --num-classes 5"),
        ("build --seed -7 kinetics", "build kinetics --seed -7"),
        ("build kinetics --canary -abcdefghij", "build kinetics --canary=-abcdefghij"),
        ("build kinetics --yt-dlp-args --proxy", "build kinetics --yt-dlp-args=--proxy"),
        ("build kinetics --yt-dlp-args -4 -n 5", "build kinetics --yt-dlp-args -4 --n 5"),
        ("build kinetics --n --dest nano", "build kinetics --n --dest nano"),
        ("build --annotations a.csv b.csv kinetics", "build kinetics --annotations a.csv b.csv"),
        ("build --list a.txt folder --src s", "build folder --list a.txt --src s"),
        ("build --annotations kinetics", "build --annotations kinetics"),
        ("build ssv2 --split train folder", "build ssv2 --split train folder"),
        ("build --retry-failed kinetics", "build kinetics --retry-failed"),
        ("build --retry-failed all kinetics", "build kinetics --retry-failed all"),
        ("build kinetics --classes a b c", "build kinetics --classes a,b,c"),
        ("build --classes a b kinetics", "build kinetics --classes a,b"),
        ("build kinetics --classes=a b", "build kinetics --classes=a,b"),
        ("--n 5 --list build.csv build kinetics", "build kinetics --n 5 --list build.csv"),
        ("--dest build build kinetics", "build kinetics --dest build"),
        ("--quiet demo there", "demo there --quiet"),
        ("demo --quiet there", "demo there --quiet"),
        ("build -- kinetics", "build -- kinetics"),
        ("biuld --n_x", "biuld --n_x"),
        ("--version", "--version"),
        ("--help build", "--help build"),
        ("build --help", "build --help"),
        ("build -h", "build -h"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_line_as_argparse_reads_it(line: str, read: str) -> None:
    assert shlex.join(understood(shlex.split(line))) == read
    assert understood(shlex.split(read)) == shlex.split(read), "read twice is read once"


VALUES = st.text("abc12._/,@", min_size=1, max_size=8)


@st.composite
def well_typed(draw: st.DrawFn) -> list[str]:
    """A command, its words, then its options by their names and with their values."""
    name = draw(st.sampled_from(sorted(commands())))
    takes = known()[name]
    word = st.sampled_from(takes.first) if takes.first else VALUES
    words = [draw(word) for _ in range(takes.words or 0)]
    options = draw(st.lists(st.sampled_from(sorted(takes.options)), max_size=6))
    line = [name, *words]
    for option in options:
        if option == "--retry-failed" or takes.options[option] == typed.NONE:
            line.append(option)
        elif takes.options[option] == typed.ONE:
            value = draw(VALUES)
            line += draw(st.sampled_from(([option, value], [f"{option}={value}"])))
        else:
            line += [option, *draw(st.lists(VALUES, min_size=1, max_size=3))]
    return line


@given(well_typed())
def test_what_is_well_typed_is_left_as_it_is(line: list[str]) -> None:
    assert understood(line) == line


WORDS = st.sampled_from(
    (
        *("build", "sample", "export", "kinetics", "folder", "-n", "-n5", "-o", "-q", "--help"),
        *("--num_classes", "--splits", "--classes", "--annotations", "--yt-dlp-args", "--n", "a"),
        *("b", "5", "--", "-", "--seed", "-x", "--no-such", "--retry-failed", "all", "-7", "a b"),
        *("--classes=a", "--version"),
    )
)


@given(st.lists(WORDS, max_size=9))
def test_read_twice_is_read_once(line: list[str]) -> None:
    once = understood(line)
    assert understood(once) == once


@given(st.lists(WORDS | st.text(max_size=5), max_size=9))
def test_every_line_is_read_or_answered_with_a_page_of_help(line: list[str]) -> None:
    read = typed.read(line, known(), TOP)
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(None):  # help, the version
        try:
            meant.refuse(read, known())
            whole().parse_args(build.with_values(read.argv()))
        except InputError as error:
            if "(see nanokinetics" not in str(error):
                raise


def test_other_names_lead_to_names_that_are_there() -> None:
    assert set(meant.COMMANDS.values()) <= commands().keys()
    options = {option for takes in known().values() for option in takes.options}
    assert set(meant.OPTIONS.values()) <= options

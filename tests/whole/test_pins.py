"""What other programs rely on, held to the letter.

Everything here goes through the command line, `from nanokinetics import build, sample`, and files,
so that it holds however the inside is arranged. What is expected stands here or in `pins/`, as it
was when it was taken; nothing of it is computed by the package.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pinned
import pytest
import trees
from helpers import WHEEL, Row, read_table, write_csv
from made_before import FIXTURES, SOURCES
from pinned import CHOICES, IMAGES, ROWS, VALIDATION, said, taken

from nanokinetics import build, sample
from nanokinetics.errors import ExitCode, Kind, Reason

LOCAL = ("--ffmpeg", WHEEL, "--workers", "1")

# -- the tables of a dataset

ABOUT = "key,split,label,youtube_id,time_start,time_end"
HEADERS = {
    "selection.csv": f"{ABOUT},rank",
    "stats.csv": f"{ABOUT},path,source,width,height,fps,frames,duration,has_audio,bytes,sha256,"
    "downloaded_bytes,download_seconds,trim_seconds,total_seconds,attempts,format_id,finished_at",
    "failed.csv": f"{ABOUT},reason,kind,http_status,attempts,message,log,failed_at",
    "classes.csv": "label_id,source_id,label,class_dir,wanted,got",
    "class_names.csv": "label,name",
    "train/metadata.csv": "file_name,label,label_id,youtube_id,time_start,time_end",
    "val/metadata.csv": "file_name,label,label_id,youtube_id,time_start,time_end",
    "annotations/train.csv": "label,youtube_id,time_start,time_end,split",
    "annotations/val.csv": "label,youtube_id,time_start,time_end,split",
}
WAITS = "since,until,why"
"""Of `waits.csv`, which a run writes that was refused or goes on; `report` reads no other."""

LISTS = ("train.csv", "val.csv")

RECORD = [
    *("dataset", "source", "seed", "split", "n", "classes"),
    *("resolution", "audio", "fps", "crf", "x264_preset"),
    *("annotations", "labels", "request"),
]
"""The keys of `run.json`, in their order; then those of local files, and of names of codes."""
OF_LOCAL = ["src", "place"]
OF_CODES = ["names"]
OF_ANOTHER = ["listed", "from", "replacements"]
AT_THE_END = ["selection_sha256", "versions"]
VERSIONS = ["nanokinetics", "python", "yt-dlp", "ffmpeg"]


@pytest.fixture(scope="module")
def nano(tmp_path_factory) -> Path:
    """`nano`, made now of the pictures in `source`, the first pick of one class damaged."""
    folder = tmp_path_factory.mktemp("pins")
    tree = {
        **trees.prefixed("train/", IMAGES),
        **trees.prefixed("val/", trees.by_class(VALIDATION)),
    }
    (first, *_) = trees.first_ranked(
        n.removesuffix(".JPEG") for n in IMAGES if n.startswith("n0144")
    )
    trees.lay(folder / "source", tree | trees.class_names() | {f"train/{first}.JPEG": b"broken"})
    command = ("build", "imagenet", "--src", folder / "source", "--n", "train=2,val=1")
    where = ("--dest", folder / "nano", "--failed-logs", folder / "logs")
    assert said(*command, *where, *LOCAL, "--quiet") == (0, "")
    return folder / "nano"


def _header(path: Path) -> str:
    return path.read_bytes().split(b"\n", 1)[0].decode()


def test_tables_have_their_columns(nano):
    assert {name: _header(nano / name) for name in HEADERS} == HEADERS


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.iterdir()))
def test_tables_of_earlier_datasets_have_the_same_columns(name):
    dest = FIXTURES / name
    there = {table: head for table, head in HEADERS.items() if (dest / table).exists()}
    assert {table: _header(dest / table) for table in there} == there
    assert len(there) >= 6


def test_tables_end_their_lines_with_lf_and_are_utf8(nano):
    for path in nano.rglob("*.csv"):
        data = path.read_bytes()
        assert data.endswith(b"\n"), path
        assert b"\r" not in data, path
        assert data.decode(), path


def test_lists_hold_a_path_and_an_id_between_which_stands_one_blank(nano):
    for name in LISTS:
        for line in (nano / name).read_text("utf-8").splitlines():
            assert re.fullmatch(rf"{name[:-4]}/n\d{{8}}/\S+\.JPEG [0-3]", line)


def test_run_json_has_its_keys_in_their_order(nano):
    record = json.loads((nano / "run.json").read_text("utf-8"))
    assert list(record) == [*RECORD, *OF_LOCAL, *OF_CODES, *AT_THE_END]
    assert list(record["versions"]) == VERSIONS


def test_the_files_of_a_dataset(nano):
    """Beside the clips. The lock stays; the index of a source is there for archives alone."""
    found = {p.relative_to(nano).as_posix() for p in nano.rglob("*") if p.is_file()}
    assert {name for name in found if not name.endswith(".JPEG")} == {
        *HEADERS,
        *LISTS,
        *("run.json", ".indexes.sha256", ".nanokinetics.lock"),
    }
    table = read_table(nano / "stats.csv")
    assert {name for name in found if name.endswith(".JPEG")} == {row["path"] for row in table}
    assert len(table) == 12


# -- exit codes, reasons

EXIT_CODES = {"OK": 0, "ERROR": 1, "USAGE": 2, "SHORT": 3, "BLOCKED": 75, "INTERRUPTED": 130}

REASONS = """
private             permanent   replaced
removed_by_uploader permanent   replaced
account_terminated  permanent   replaced
copyright           permanent   replaced
terms_of_service    permanent   replaced
not_found           permanent   replaced
unavailable         conditional replaced asked-again
unexplained         conditional replaced asked-again
age_restricted      conditional replaced asked-again
geo_blocked         conditional replaced asked-again
members_only        conditional replaced asked-again
login_required      conditional replaced asked-again
not_yet_available   conditional replaced asked-again
rate_limited        blocked
bot_check           blocked
outage              blocked
server_error        transient
network             transient
timeout             transient
truncated           transient
forbidden_media     transient
source_away         transient
archive_damaged     transient
outside_video       media       replaced asked-again
too_short           media       replaced asked-again
undecodable         media       replaced asked-again
no_video_stream     media       replaced asked-again
disk_full           environment
no_ffmpeg           environment
no_formats          environment replaced asked-again
not_writable        environment
worker_died         crashed     replaced asked-again
"""
"""Each reason: its kind, whether the next clip takes its place, and what --retry-failed does."""


def test_exit_codes():
    assert {code.name: int(code) for code in ExitCode} == EXIT_CODES


def test_reasons_and_their_kinds():
    told = [
        [
            *(str(reason), str(reason.kind)),
            *(["replaced"] if reason.replaced else []),
            *(["asked-again"] if reason.asked_again else []),
        ]
        for reason in Reason
    ]
    assert told == [line.split() for line in REASONS.strip().splitlines()]
    assert {line.split()[1] for line in REASONS.strip().splitlines()} == set(Kind)


def test_a_choice_that_can_be_made_ends_with_0_and_bad_input_with_2(tmp_path):
    table = write_csv(tmp_path / "train.csv", ROWS)
    assert said("sample", "kinetics", "--annotations", table, "--n", "1", "--quiet")[0] == 0
    assert said("sample", "kinetics", "--annotations", table, "--quiet")[0] == 2
    assert said("sample", "kinetics", "--annotations", tmp_path / "no.csv", "--n", "1")[0] == 2
    assert said("sample", "no-such-dataset", "--n", "1")[0] == 2


# -- the options

ARGV = taken("argv")


def test_the_commands_and_their_order():
    assert list(pinned.argv()) == list(ARGV)


@pytest.mark.parametrize("command", ARGV)
def test_a_command_takes_its_options(command):
    """Names, numbers of values, choices and defaults; help and order are free."""
    found = {" ".join(each["names"]): each for each in pinned.argv()[command]}
    assert found == {" ".join(each["names"]): each for each in ARGV[command]}


# -- JSON for scripts

CLIP = ["split", "label", "key", "reason"]
GROUP = ["split", "label", "has", "wanted"]
KEYS: dict[str, list[str]] = {
    "build: message": ["event", "text"],
    "build: progress": [
        *("event", "made", "wanted", "replaced", "held", "in_hand"),
        *("blocked_since", "blocked_until", "blocked_by", "resting_until"),
        *("shares_budget", "waiting", "paced_seconds"),
        *("new", "fetched_bytes", "worked_seconds", "waited_seconds"),
        *("clips_per_minute", "bytes_per_second", "seconds_left", "ends_at"),
    ],
    "build: result": [
        *("event", "exit_code", "made", "wanted", "new", "replaced", "held", "superseded"),
        *("refusals", "short", "reasons", "fixable", "lost", "retryable", "gone"),
        *("began", "ended", "worked_seconds", "waited_seconds", "fetched_bytes"),
    ],
    "build: result, short": GROUP,
    "build: result, lost": CLIP,
    "sample": [
        *("classes", "clips", "reserves", "short", "at_risk", "videos"),
        *("fetched_bytes", "disk_bytes", "seconds", "assumptions", "chosen", "folder"),
    ],
    "sample, short": GROUP,
    "verify": [
        *("clips", "problems", "bad", "strays", "at_work", "repaired", "findings"),
    ],
    "verify, findings": ["kind", "path", "found", "remedy"],
    "doctor": ["check", "level", "found", "remedy"],
}
"""The keys of each JSON object that a command prints, in their order."""

REPORT = {
    *("total", "splits", "classes", "failures", "adopted", "effort", "volume", "timeline"),
    *("projections", "notes"),
    *(f"total.{name}" for name in ("wanted", "made", "gone", "later", "missing")),
    *(f"splits.*.{name}" for name in ("wanted", "made", "gone", "later", "missing")),
    *(f"classes[].{name}" for name in ("split", "label", "name", "counts")),
    *(f"classes[].counts.{name}" for name in ("wanted", "made", "gone", "later", "missing")),
    *(f"failures[].{name}" for name in ("reason", "kind", "clips", "since", "message")),
    *(f"effort.{name}" for name in ("download", "trim", "fetching", "edges")),
    *(f"effort.{name}" for name in ("download_counts", "trim_counts")),
    *(
        f"effort.{step}.{name}"
        for step in ("download", "trim")
        for name in ("total", "full", "within_iqr")
    ),
    *(
        f"effort.{step}.{part}.{name}"
        for step in ("download", "trim")
        for part in ("full", "within_iqr")
        for name in ("clips", "mean", "median", "maximum")
    ),
    *(f"volume.{name}" for name in ("fetched", "kept", "files", "on_disk", "footage")),
    *(f"timeline.{name}" for name in ("begin", "end", "working", "waits", "waited", "pauses")),
    *(f"timeline.{name}" for name in ("longer_than", "per_hour", "fetched_per_second")),
    *(f"timeline.{name}" for name in ("times", "made", "failed")),
    *(f"timeline.waits[].{name}" for name in ("begin", "end", "why")),
    *(f"timeline.waited[].{name}" for name in ("why", "times", "total", "longest")),
    *(f"projections[].{name}" for name in ("factor", "clips", "seconds", "as_guest")),
    *(f"projections[].{name}" for name in ("fetched", "kept")),
}
"""Every key of `report --json`, below its own."""


def _keys(value: Any, below: str = "") -> Iterable[str]:
    """Every key of a JSON value; `*` stands for a key that is data."""
    if isinstance(value, list):
        for each in value:
            yield from _keys(each, f"{below}[]")
    elif isinstance(value, dict):
        for key, each in value.items():
            name = "*" if below == "splits" else key
            path = f"{below}.{name}" if below else name
            if name != "*":
                yield path
            yield from _keys(each, path)


def _events(text: str) -> dict[str, dict[str, Any]]:
    """The last object of each event."""
    found = [json.loads(line) for line in text.splitlines()]
    return {each["event"]: each for each in found}


def test_build_tells_progress_and_messages_as_json(nano, tmp_path):
    dest = shutil.copytree(nano, tmp_path / "nano")
    (dest / read_table(dest / "stats.csv")[0]["path"]).unlink()
    where = ("--src", nano.parent / "source", "--dest", dest, "--failed-logs", tmp_path)
    code, text = said("build", "imagenet", "--n", "train=2,val=1", *where, *LOCAL, "--json")
    told = _events(text)
    assert code == 0
    assert {f"build: {event}": list(each) for event, each in told.items()} == {
        name: keys for name, keys in KEYS.items() if name.startswith("build: ") and "," not in name
    }
    assert (told["result"]["made"], told["result"]["wanted"], told["result"]["new"]) == (12, 12, 1)


def test_build_tells_what_is_short_and_what_is_lost(nano, tmp_path):
    """A clip of another subset that is broken in this source."""
    given = FIXTURES / "imagenet"
    lost = read_table(given / "stats.csv")[0]
    shutil.copytree(nano.parent / "source", tmp_path / "source")
    for path in (tmp_path / "source").rglob(f"{lost['key'].split('/')[-1]}.JPEG"):
        path.write_bytes(b"broken")
    where = ("--src", tmp_path / "source", "--dest", tmp_path / "again")
    more = ("--from", given, "--failed-logs", tmp_path / "logs", "--json")
    code, text = said("build", "imagenet", *where, *more, *LOCAL)
    result = _events(text)["result"]
    assert (code, result["exit_code"]) == (3, 3)
    assert lost["key"] in [each["key"] for each in result["lost"]]
    assert {tuple(each) for each in result["short"]} == {tuple(KEYS["build: result, short"])}
    assert {tuple(each) for each in result["lost"]} == {tuple(KEYS["build: result, lost"])}
    record = json.loads((tmp_path / "again" / "run.json").read_text("utf-8"))
    assert list(record) == [*RECORD, *OF_LOCAL, *OF_CODES, *OF_ANOTHER, *AT_THE_END]


def test_sample_tells_its_estimate_as_json(tmp_path):
    table = write_csv(tmp_path / "train.csv", ROWS)
    code, text = said(
        "sample", "kinetics", "--annotations", table, "--n", "100", "--json", "--quiet"
    )
    told = json.loads(text)
    assert (code, list(told), list(told["short"][0])) == (0, KEYS["sample"], KEYS["sample, short"])


def test_verify_tells_its_findings_as_json(nano, tmp_path):
    dest = shutil.copytree(nano, tmp_path / "nano")
    path = read_table(dest / "stats.csv")[0]["path"]
    (dest / path).unlink()
    (dest / "train" / "one more.JPEG").write_bytes(b"mine")
    (dest / "train.csv").write_bytes(b"")
    table = (dest / "stats.csv").read_bytes()
    (dest / "stats.csv").write_bytes(table + table.splitlines(keepends=True)[-1])
    code, text = said("verify", dest, "--json", *LOCAL)
    told = json.loads(text)
    assert (code, list(told)) == (3, KEYS["verify"])
    assert {tuple(each) for each in told["findings"]} == {tuple(KEYS["verify, findings"])}
    assert {each["kind"] for each in told["findings"]} == {"clip", "row", "stray", "list"}


def test_report_tells_its_numbers_as_json(tmp_path):
    dest = shutil.copytree(FIXTURES / "kinetics-unfinished", tmp_path / "nano")
    at = read_table(dest / "stats.csv")[0]["finished_at"]
    (dest / "waits.csv").write_text(f"{WAITS}\n{at},{at},rate_limited\n", encoding="utf-8")
    code, text = said("report", dest, "--json")
    assert code == 0
    assert set(_keys(json.loads(text))) == REPORT


def test_doctor_tells_its_findings_as_json(tmp_path):
    _, text = said("doctor", "--dest", tmp_path, "--ffmpeg", WHEEL, "--json")
    told = json.loads(text)
    assert {tuple(each) for each in told} == {tuple(KEYS["doctor"])}
    assert {each["level"] for each in told} <= {"ok", "warning", "fault"}


# -- selections

SELECTIONS = taken("selections")


@pytest.fixture(scope="module")
def choices(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("choices")
    pinned.lay_choices(folder)
    return folder


@pytest.mark.parametrize("name", SELECTIONS)
def test_a_selection_is_the_same_byte_for_byte(choices, monkeypatch, name):
    monkeypatch.chdir(choices)
    assert pinned.digest(pinned.choose(name)) == SELECTIONS[name]


def test_every_choice_is_pinned():
    assert SELECTIONS.keys() == CHOICES.keys()


def test_the_library_chooses_as_the_command_does(choices):
    picks = sample("kinetics", annotations=[choices / "all.csv"], n=3, seed="1")
    assert pinned.digest(picks.to_csv()) == SELECTIONS["kinetics, seed 1"]
    picks = sample("imagenet", src=choices / "imagenet", n=1, seed="s", num_classes=2)
    assert pinned.digest(picks.to_csv()) == SELECTIONS["imagenet, seed s"]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _ranked(groups: dict[tuple[str, str], dict[str, str]], seed: str) -> bytes:
    """The table of the contract: of each split and label the keys, in the order of their hashes.

    A group maps each key to its fields `youtube_id,time_start,time_end`.
    """
    lines = [HEADERS["selection.csv"]]
    places = ("train", "val", "test")
    for split, label in sorted(groups, key=lambda group: (places.index(group[0]), group[1])):
        of_key = groups[split, label]
        quoted = f'"{label}"' if "," in label else label
        ordered = sorted(of_key, key=lambda key: (_hash(f"{seed}:{key}"), key))
        lines += [f"{k},{split},{quoted},{of_key[k]},{i}" for i, k in enumerate(ordered, 1)]
    return "".join(f"{line}\n" for line in lines).encode()


@pytest.mark.parametrize(
    ("name", "seed", "count"),
    [
        ("kinetics", "0", None),
        ("kinetics, a seed of words", "Zürich:été", None),
        ("kinetics, drawn by seed 5", "5", 4),
    ],
)
def test_the_contract_gives_the_same_selection_of_kinetics(name, seed, count):
    drawn = sorted({row.label for row in ROWS}, key=lambda label: _hash(f"{seed}:class:{label}"))
    groups: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for row in ROWS:
        if row.label in drawn[:count]:
            fields = f"{row.youtube_id},{row.start},{row.end}"
            groups[row.split, row.label][row.key] = fields
    assert pinned.digest(_ranked(groups, seed)) == SELECTIONS[name]


def test_the_contract_gives_the_same_selection_of_imagenet():
    groups: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for name in IMAGES:
        groups["train", name.split("/")[0]][name.removesuffix(".JPEG")] = ",,"
    for name in VALIDATION:
        groups["val", trees.validation_wnid(int(name[15:23]))][name.removesuffix(".JPEG")] = ",,"
    assert pinned.digest(_ranked(groups, "0")) == SELECTIONS["imagenet"]


PRESETS = taken("presets")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_names_its_classes(name):
    assert pinned.presets()[name] == PRESETS[name]


# -- a build of local pictures, which hangs on no ffmpeg


def test_a_dataset_of_pictures_made_now_is_that_of_earlier(films, tmp_path, monkeypatch):
    """Of the same archives, which lay in `source`: the same tables, and the same manifest."""
    monkeypatch.chdir(tmp_path)
    earlier = FIXTURES / "imagenet"
    trees.lay(tmp_path / "source", SOURCES["imagenet"](films))
    made = build(
        "imagenet", src="source", n={"train": 2, "val": 1}, dest="imagenet", workers=1, ffmpeg=WHEEL
    )
    assert (made.made, made.wanted, made.exit_code) == (12, 12, 0)
    told = pinned.Handed("imagenet").manifest()
    expected = taken("made")["imagenet"]["manifest"]
    assert _without_versions(told) == _without_versions(expected)
    derived = ("selection.csv", "failed.csv", "classes.csv", "class_names.csv", *LISTS)
    for name in (*derived, "train/metadata.csv", "annotations/val.csv"):
        assert (tmp_path / "imagenet" / name).read_bytes() == (earlier / name).read_bytes(), name
    records = [json.loads((d / "run.json").read_text()) for d in (Path("imagenet"), earlier)]
    for record in records:
        del record["versions"]
    assert records[0] == records[1]
    # Paths, sizes and digests of the clips, whatever encoder of JPEG the tests have.
    for row in read_table(tmp_path / "imagenet" / "stats.csv"):
        data = (tmp_path / "imagenet" / row["path"]).read_bytes()
        assert (row["bytes"], row["sha256"]) == (str(len(data)), hashlib.sha256(data).hexdigest())
    paths = [
        {row["path"] for row in read_table(d / "stats.csv")} for d in (Path("imagenet"), earlier)
    ]
    assert paths[0] == paths[1]


def _without_versions(lines: list[str]) -> list[str]:
    kept = [line for line in lines if not line.startswith("# versions: ")]
    assert len(kept) == len(lines) - 1
    return kept


# -- how ffmpeg is called

SIZED = (
    r"scale=max(2\,2*round(iw*min(1\,96/min(iw\,ih))/2))"
    r":max(2\,2*round(ih*min(1\,96/min(iw\,ih))/2))"
)
CUT = r"select=if(gte(t\,9.999500)\,print(t\,32)\,1)[s0];[s0]trim=end=10.000000[s1];[s1]"
ENCODED = (
    "-map 0:a:0? -f mp4 -b:a 128k -acodec aac -crf 30 -enc_time_base:v 1:120000 ENDS-fps_mode vfr "
    "-map_chapters -1 -map_metadata -1 -movflags +faststart "
    "-pix_fmt yuv420p -preset veryfast -threads T -vcodec libx264 file:dest/.tmp/PID/TARGET "
    "-hide_banner -nostdin -nostats -benchmark -loglevel verbose -y"
)
OPENED = (
    "-format_whitelist "
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,mpeg,mpegts,mpegvideo,m4v,nut "
    "-protocol_whitelist file"
)
WORDS = {
    "wholevideo1": f"FFMPEG {OPENED} -ss 500.000000 -threads T -i file:SOURCE/wholevideo1.mp4 "
    f"-filter_complex [0:v:0]{CUT}{SIZED}[s2];[s2]fps=5.0[s3] -map [s3] "
    + ENCODED.replace("ENDS", "-filter:a atrim=end=10.000000 ").replace("TARGET", "1.mp4"),
    "brokenclip1": f"FFMPEG {OPENED} -threads T -i file:SOURCE/brokenclip1_000001_000011.mp4 "
    f"-filter_complex [0:v:0]{SIZED}[s0];[s0]fps=5.0[s1] -map [s1] "
    + ENCODED.replace("ENDS", "").replace("TARGET", "2.mp4"),
}
"""What ffmpeg is called with for a window of a whole video, and for a whole clip."""


def test_ffmpeg_gets_the_same_words(films, tmp_path, monkeypatch):
    """As the logs of failed clips have them."""
    monkeypatch.chdir(tmp_path)
    rows = [Row("zumba", "wholevideo1", 500, 510), Row("zumba", "brokenclip1", 1, 11)]
    write_csv(tmp_path / "train.csv", rows)
    source = {"wholevideo1.mp4": trees.clip(films, 1), f"{rows[1].key}.mp4": b"broken"}
    trees.lay(tmp_path / "source", source)
    asked = ("--annotations", "train.csv", "--source", "local", "--src", "source", "--n", "2")
    how = ("--transcode", "--resolution", "96", "--fps", "5", "--crf", "30", "--dest", "dest")
    assert said("build", "kinetics", *asked, *how, *LOCAL, "--quiet")[0] == 3
    told = read_table(tmp_path / "dest" / "failed.csv")
    assert {row["youtube_id"]: row["reason"] for row in told} == {
        "wholevideo1": "outside_video",
        "brokenclip1": "undecodable",
    }
    for row in told:
        log = Path("dest", row["log"]).read_text("utf-8")
        (command,) = re.findall(r"^\$ (.*)$", log, re.MULTILINE)
        words = command.replace(WHEEL, "FFMPEG").replace(f"{tmp_path / 'source'}", "SOURCE")
        words = re.sub(r"-threads \d+", "-threads T", words)  # as many as processors
        assert re.sub(r"/\.tmp/\d+/", "/.tmp/PID/", words) == WORDS[row["youtube_id"]]

"""Links in a dataset that was handed over: nothing that they point to is ever changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import trees
from helpers import FAST, WHEEL, Done, read_table, snapshot

from nanokinetics import build
from nanokinetics.cli import main
from nanokinetics.errors import EnvironmentFault
from nanokinetics.layout import LOCK, OWN, TEMPORARY
from nanokinetics.progress import Progress, Silent

CLASSES = ("chess", "yoga")
Run = Callable[..., Done]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A source of pictures, a dataset of some of them, and an export."""
    folder = tmp_path_factory.mktemp("links")
    trees.lay(folder / "src", {f"{c}/{i}.jpg": trees.picture(i) for c in CLASSES for i in range(4)})
    usual = ("--dest", folder / "nano", "--workers", "1", "--quiet", *FAST)
    argv = ("build", "folder", "--src", folder / "src", "--n", "2", *usual)
    assert main(list(map(str, argv))) == 0
    return folder


@pytest.fixture
def place(built, tmp_path) -> Path:
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def nano(place) -> Path:
    return place / "nano"


@pytest.fixture
def mine(place) -> Path:
    """Somebody's own files, which look as much as they can like those of a dataset."""
    folder = place / "mine"
    shutil.copytree(place / "nano", folder / "nano")
    shutil.copytree(place / "nano" / "train" / "chess", folder, dirs_exist_ok=True)
    for name in ("chess/0.jpg", "train.csv", ".metadata.csv.tmp", "file", "4711/half.mp4"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(f"my own {name}".encode())
    (folder / "empty").mkdir()
    return folder


@pytest.fixture
def run(place, capsys, monkeypatch) -> Run:
    monkeypatch.chdir(place)
    usual = ("--dest", "nano", "--workers", "1", *FAST, "--src", "src", "--n", "3")
    commands = {
        "build": ("build", "folder", *usual),
        "verify": ("verify", "nano", "--ffmpeg", WHEEL, "--workers", "1"),
        "export": ("export", "nano", "--format", "hf", "--output", "out", "--files", "copy"),
    }

    def run(command: str, *more: str) -> Done:
        capsys.readouterr()
        code = main([*commands[command], "--quiet", *more])
        said = capsys.readouterr()
        assert "this should not have happened" not in said.err
        return Done(code, said.out, said.err)

    return run


def everything(folder: Path) -> tuple[object, list[str]]:
    return snapshot(folder), sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def _in_place_of(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _damage(nano: Path) -> None:
    """Something for a repair to take out of every class."""
    for row in read_table(nano / "stats.csv"):
        file = nano / row["path"]
        if file.exists() and not file.parent.is_symlink() and not file.parents[1].is_symlink():
            file.write_bytes(b"torn")
    (nano / "train.csv").unlink(missing_ok=True)


FOLDERS = (TEMPORARY, "annotations", "train", "strays")


@pytest.mark.parametrize("name", OWN)
def test_an_own_file_or_folder_that_is_a_link_is_refused(nano, mine, run, name):
    twin = mine / "nano" / name
    _in_place_of(nano / name, twin if twin.exists() else mine / ("file" * (name not in FOLDERS)))
    before = everything(mine)
    found = run("verify")
    assert found.code == (2 if name == "stats.csv" and "holds no clip" in found.stderr else 3)
    assert f"{name}: is a link to elsewhere" in found.stdout
    for command in (("verify", "--repair"), ("build",)):
        done = run(*command)
        assert (done.code, done.stdout) == (1, "")
        assert f"nano/{name}: a link stands here" in done.stderr
        assert done.stderr.count("\n") == 1
    assert everything(mine) == before


def test_a_class_folder_that_is_a_link_is_told_and_nothing_behind_it_is_touched(nano, mine, run):
    _in_place_of(nano / "train" / "chess", mine)
    _damage(nano)
    before, rows = everything(mine), read_table(nano / "stats.csv")
    found = run("verify")
    assert found.code == 3
    assert "train/chess: is a link to elsewhere" in found.stdout
    assert run("verify", "--repair").code == 3
    kept = [row for row in rows if row["label"] == "chess"]
    assert read_table(nano / "stats.csv") == kept, "the others were torn"
    assert (nano / "train" / "chess").is_symlink()
    done = run("build")
    assert (done.code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "nano/train/chess: a link stands here" in done.stderr
    assert everything(mine) == before


def test_a_dangling_class_folder_is_refused_too(nano, mine, run):
    _in_place_of(nano / "train" / "chess", mine / "to come")
    before = everything(mine)
    assert "train/chess: is a link to elsewhere" in run("verify").stdout
    assert run("build").code == 1
    assert everything(mine) == before


class _Swapping(Silent):
    """Puts a link in place of a class folder once the build has begun."""

    def __init__(self, folder: Path, target: Path) -> None:
        self._folder, self._target = folder, target

    def update(self, progress: Progress) -> None:
        if not self._folder.is_symlink():
            _in_place_of(self._folder, self._target)


def test_a_link_that_comes_while_a_build_runs_is_refused(place, nano, mine):
    before = everything(mine)
    swapping = _Swapping(nano / "train" / "chess", mine)
    with pytest.raises(EnvironmentFault, match="a link stands here"):
        build("folder", src=place / "src", dest=nano, n=3, workers=1, ffmpeg=WHEEL,
              x264_preset="ultrafast", failed_logs=place / "logs", reporter=swapping)  # fmt: skip
    assert everything(mine) == before


def _plant_temporaries(nano: Path, target: Path) -> None:
    names = [*OWN, "train/metadata.csv", "annotations/train.csv"]
    for name in [name for name in names if name.endswith((".csv", ".json", ".gz", ".sha256"))]:
        path = nano / name
        path.with_name(f".{path.name}.tmp").symlink_to(target)


def test_a_link_that_waits_for_a_temporary_file_waits_in_vain(nano, mine, run):
    _plant_temporaries(nano, mine / "file")
    (nano / "empty").symlink_to(mine / "empty")
    _damage(nano)
    before = everything(mine)
    assert run("verify", "--repair").code == 3
    assert everything(mine) == before
    assert run("build").code == 0
    assert everything(mine) == before
    left = {path.relative_to(nano).parts[0] for path in nano.rglob(".*.tmp")}
    assert left <= {"strays"}, "they were cleared"
    assert run("verify") == Done(0, "", "")


# -- what an export writes


def test_links_in_the_folder_of_an_export_lead_nowhere(place, mine, run):
    out = place / "out"
    assert run("export").code == 0
    for path in [path for path in out.rglob("*") if path.is_file()]:
        path.with_name(f".{path.name}.tmp").symlink_to(mine / "file")
    (out / ".mine.tmp").write_bytes(b"not of an export")
    before = everything(mine)
    assert run("export").code == 0
    assert everything(mine) == before
    left = {path.name for path in out.rglob(".*.tmp")}
    assert left == {".mine.tmp", f".{LOCK}.tmp"}, "no export has begun these"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (".nanokinetics-export", "file"),
        (".nanokinetics.lock", "file"),
        ("train", "nano/train"),
        ("train/chess", "chess"),
    ],
)
def test_a_link_in_place_of_an_exports_own_is_refused(place, mine, run, name, target):
    out = place / "out"
    assert run("export").code == 0
    with (out / ".nanokinetics-export").open("a") as journal:  # of what an earlier one has made
        journal.write("train/chess/nobody.jpg\ntrain/chess/1.jpg\n")
    if name == ".nanokinetics-export":
        (mine / "file").write_bytes((out / name).read_bytes())
    _in_place_of(out / name, mine / target)
    before = everything(mine)
    done = run("export")
    assert (done.code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"out/{name}: a link stands here" in done.stderr
    assert everything(mine) == before


@pytest.mark.parametrize("link", ["nano-exports", "nano-exports/hf"])
def test_the_folder_of_exports_beside_a_dataset_may_not_be_a_link(place, mine, run, capsys, link):
    (place / link).parent.mkdir(exist_ok=True)
    (place / link).symlink_to(mine / "empty")
    before = everything(mine)
    assert main(["export", "nano", "--format", "hf", "--quiet"]) == 1
    said = capsys.readouterr().err
    assert f"{link}: a link stands here" in said
    assert said.endswith("or name another folder with --output\n")
    assert everything(mine) == before


def test_the_folder_of_logs_beside_a_dataset_may_not_be_a_link(place, mine, run):
    """The dataset lacks a clip that cannot be made, so that a log has to be written."""
    made = {row["key"] for row in read_table(place / "nano" / "stats.csv")}
    lacking = next(n for n in range(4) if not any(f"chess/{n}" in key for key in made))
    (place / f"src/chess/{lacking}.jpg").write_bytes(b"no picture")
    (place / "nano-failed_logs").symlink_to(mine)
    before = everything(mine)
    done = run("build", "--n", "4")
    assert (done.code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "nano-failed_logs: a link stands here" in done.stderr
    assert "--failed-logs" in done.stderr
    (place / "nano-failed_logs").unlink()
    assert run("build", "--n", "4").code == 3
    assert len(list((place / "nano-failed_logs").glob("*.log"))) == 1
    assert everything(mine) == before


def test_a_report_and_a_selection_are_not_written_through_links(place, mine, run):
    for name in ("page.html", "picks.csv"):
        (place / f".{name}.tmp").symlink_to(mine / "file")
    before = everything(mine)
    argv = ("sample", "folder", "--src", "src", "--n", "1", "--output", "picks.csv", "--quiet")
    assert main(list(argv)) == 0
    assert main(["report", "nano", "--html", "page.html", "--quiet", "--thumbnails", "0"]) == 0
    assert everything(mine) == before


class _SwappingFolders(Silent):
    """Puts links in place of the workers' folders, as soon as there are some."""

    def __init__(self, folder: Path, target: Path) -> None:
        self._folder, self._target = folder, target
        self.swapped = 0

    def update(self, progress: Progress) -> None:
        for own in self._folder.glob("*"):
            if not own.is_symlink():
                own.rename(self._folder.with_name(f"moved{self.swapped}"))
                own.symlink_to(self._target)
                self.swapped += 1


@pytest.mark.parametrize("how", ["copy", "symlink"])
def test_a_link_in_place_of_a_workers_folder_is_not_written_through(place, nano, mine, how):
    """Names of temporary files are numbers: what would be written there would replace them."""
    for number in range(1, 400):
        (mine / f"{number}.jpg").write_bytes(b"mine")
    trees.lay(place / "more", {f"a/{i}.jpg": trees.picture(i) for i in range(150)})
    before = everything(mine)
    swapping = _SwappingFolders(place / "new" / TEMPORARY, mine)
    with pytest.raises(EnvironmentFault):
        build("folder", src=place / "more", dest=place / "new", n=150, workers=1, ffmpeg=WHEEL,
              place=how, failed_logs=place / "logs", reporter=swapping)  # fmt: skip
    assert swapping.swapped
    assert everything(mine) == before

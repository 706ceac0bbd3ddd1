"""What is published holds what it should, works from an empty folder, and can be tested."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
NAME = f"nanokinetics-{version('nanokinetics')}"
CACHES = {"__pycache__", ".pytest_cache", ".hypothesis"}

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints, far from this checkout. A failure shows its output."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    """A folder with the sdist and the wheel made of it, without any network."""
    pytest.importorskip("build", minversion="1.2", reason="the package 'build' is not here")
    pytest.importorskip("hatchling", reason="the package 'hatchling' is not here")
    folder = tmp_path_factory.mktemp("dist")
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def unpacked(packages, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(packages / f"{NAME}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / NAME


@pytest.fixture(scope="module")
def python(packages, tmp_path_factory) -> Path:
    """The Python of a new environment that holds the wheel; dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, symlinks=os.name != "nt")
    found = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wheel = packages / f"{NAME}-py3-none-any.whl"
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index")
    run(sys.executable, "-m", "pip", "--python", found, "install", *options, wheel, cwd=folder)
    lookup = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(run(found, "-c", lookup, cwd=folder).strip())
    theirs = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    # Appended behind the wheel; what these folders install by .pth files is not taken.
    (site / "dependencies.pth").write_text("".join(f"{path}\n" for path in theirs))
    return found


def files(folder: Path) -> set[str]:
    """The files below a folder, relative to its parent, without what a run leaves."""
    found = (path.relative_to(folder.parent) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if not CACHES & {*path.parts}}


def test_the_wheel_holds_the_package_and_nothing_else(packages):
    with zipfile.ZipFile(packages / f"{NAME}-py3-none-any.whl") as wheel:
        held = set(wheel.namelist())
    about = {name for name in held if PurePosixPath(name).parts[0] == f"{NAME}.dist-info"}
    assert held - about == files(ROOT / "nanokinetics")
    assert {
        "nanokinetics/py.typed",
        "nanokinetics/report/page.html",
        "nanokinetics/selection/presets/nano.toml",
    } <= held
    assert f"{NAME}.dist-info/licenses/LICENSE" in about


@pytest.mark.parametrize("folder", ["nanokinetics", "tests", "docs", "scripts", "benchmarks"])
def test_the_sdist_holds_what_a_test_run_needs(unpacked, folder):
    assert files(unpacked / folder) == files(ROOT / folder)


def test_the_installed_command_runs_from_an_empty_folder(python, tmp_path):
    command = python.with_name("nanokinetics")
    assert run(command, "--version", cwd=tmp_path) == f"nanokinetics {version('nanokinetics')}\n"
    assert "mini-kinetics-200" in run(command, "presets", cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


WHERE = "import nanokinetics; nanokinetics.build; print(nanokinetics.__file__)"


def test_the_installed_package_is_imported_from_an_empty_folder(python, tmp_path):
    where = Path(run(python, "-c", WHERE, cwd=tmp_path).strip())
    assert where.is_relative_to(python.parent.parent)


def test_the_unpacked_sdist_is_imported_and_tested_where_it_lies(python, unpacked):
    where = Path(run(python, "-B", "-c", WHERE, cwd=unpacked).strip())
    assert where.is_relative_to(unpacked)
    tests = ("-m", "pytest", "-p", "no:cacheprovider", "tests/test_docs.py", "tests/test_errors.py")
    assert "passed" in run(python, "-B", *tests, cwd=unpacked)

"""What docs/ say of the inside is true: paths, modules, classes and functions, and the floors."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
from test_readme import FENCE, ROOT, code_spans, read

PACKAGE = ROOT / "nanokinetics"
PAGE = ROOT / "docs" / "architecture.md"
PAGES = [PAGE, ROOT / "CONTRIBUTING.md"]

NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
PATH = re.compile(r"[\w./-]*/|[\w./-]+\.(py|md|toml|html|cff)")
FILE_OF_A_DATASET = re.compile(r"\.?[\w-]+(\.csv|\.json|\.tmp)|\.tmp")


@cache
def defined() -> dict[str, set[str]]:
    """Every name of the package, and the names below it: of modules, classes and tables."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(read(path))
        within = set()
        for node in tree.body:
            for name in _names(node):
                found.setdefault(name, set())
                within.add(name)
            if isinstance(node, ast.ImportFrom | ast.Import):
                within |= {(each.asname or each.name) for each in node.names}
            if isinstance(node, ast.ClassDef):
                below = {name for each in ast.walk(node) for name in _names(each)}
                found[node.name] |= below | {base.id for base in node.bases
                                             if isinstance(base, ast.Name)}  # fmt: skip
        module = path.parent.name if path.name == "__init__.py" else path.stem
        found.setdefault(module, set()).update(within)
        found.setdefault(path.stem, set())
    return found


def _names(node: ast.AST) -> list[str]:
    match node:
        case ast.ClassDef() | ast.FunctionDef():
            return [node.name]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign(targets=[ast.Name(id=name)]):
            return [name]
    return []


def has(name: str, below: str) -> bool:
    """Whether a name is below another, or below what that is derived from."""
    known = defined().get(name, set())
    return below in known or any(has(base, below) for base in known if base in defined()
                                 and base != name and base[0].isupper())  # fmt: skip


@cache
def of_classes() -> frozenset[str]:
    """What classes have: fields and methods, which a page names after the class."""
    return frozenset().union(*(defined()[name] for name in defined() if name[0].isupper()))


def is_there(span: str) -> bool:
    """Whether the text between backticks exists, if it is a path or a name at all."""
    span = span.removesuffix("()")
    if FILE_OF_A_DATASET.fullmatch(span):
        return span in read(PACKAGE / "layout.py")
    if PATH.fullmatch(span):
        if span in read(ROOT / ".gitignore").split():
            return True
        return (PACKAGE / span).exists() or (ROOT / span).exists()
    if not NAME.fullmatch(span) or span in PROGRAMS:
        return True
    first, *rest = span.removeprefix("nanokinetics.").split(".")
    if not rest:
        return first in defined() or first in of_classes() or first in KEYS_OF_PRESETS
    return all(has(a, b) for a, b in zip([first, *rest], rest, strict=False))


PROGRAMS = {"nanokinetics", "git", "pytest", "ruff", "mypy", "slow", "lint"}
"""Commands, marks and extras."""

KEYS_OF_PRESETS = {"about", "source", "classes", "parts", "num_classes", "dataset", "n"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_in_backticks_exists(page: Path) -> None:
    assert [span for span in code_spans(read(page)) if not is_there(span)] == []


@pytest.mark.parametrize(
    "wrong",
    [
        "engine/court.py",
        "Placer",
        "Books.lose",
        "api.derive",
        "nursery",
        "mirrors.csv",
        "cli/mend/",
    ],
)
def test_a_name_that_does_not_exist_would_be_found(wrong: str) -> None:
    assert not is_there(wrong)


def fences(page: Path) -> list[str]:
    return [block for _, block in FENCE.findall(read(page))]


def test_the_tree_is_the_one_on_disk() -> None:
    tree = next(block for block in fences(PAGE) if block.startswith("nanokinetics/"))
    shown = {line.split()[0].strip("/") for line in tree.splitlines() if line.startswith("  ")}
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    there = {path.name for path in PACKAGE.glob("*.py")} | folders
    assert {_bare(name) for name in shown} == {_bare(name) for name in there}
    outside = {line.split()[0] for line in tree.splitlines() if not line.startswith("  ")}
    assert all((ROOT / name).is_dir() for name in outside)


def _bare(name: str) -> str:
    return name.removesuffix(".py")


def test_the_floors_are_those_that_are_held() -> None:
    contracts = tomllib.loads(read(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers")
    floors = next(block for block in fences(PAGE) if block.startswith("__main__\n"))
    assert floors.split("\n")[:-1] == [layer.replace("nanokinetics.", "") for layer in layers]


def test_the_page_for_developers_is_short() -> None:
    assert read(PAGE).count("\n") <= 200


def test_the_citation_names_this_version_and_licence() -> None:
    cited = dict(re.findall(r"^([\w-]+): (.+)$", read(ROOT / "CITATION.cff"), re.MULTILINE))
    project = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]
    assert [cited[name] for name in ("title", "version", "license")] == [
        project[name] for name in ("name", "version", "license")
    ]
    assert f"  - name: {project['authors'][0]['name']}\n" in read(ROOT / "CITATION.cff")

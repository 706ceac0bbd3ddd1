"""The page as a gallery: its links, and its filter in a real browser without a server."""

from __future__ import annotations

import base64
import csv
import hashlib
import re
import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
import trees
from browser import PROGRAM, Tab, browser
from helpers import read_table
from made_before import FIXTURES

from nanokinetics.cli import main
from nanokinetics.dataset.ledger import STATS_COLUMNS
from nanokinetics.report.gallery import Gallery
from nanokinetics.report.summary import summarise
from nanokinetics.report.tables import read

needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="this machine has no chromium")

LABELS = ("abseiling", "massaging person's head", '<b>bold</b> & "quoted"')


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 pictures of three classes, half of them of `val`; and a row whose file is not there."""
    dest = tmp_path_factory.mktemp("gallery") / "data #1 & 100%"
    rows = []
    for n in range(60):
        split, label = "val" if n % 2 else "train", LABELS[n % 3]
        path = f"{split}/class {n % 3}/{n} #?.jpg"
        trees.lay(dest, {path: trees.picture(n)})
        rows.append(row(f"key{n}", split, label, path))
    rows.append(row("key60", "train", LABELS[0], "train/nothing.jpg"))
    write(dest / "stats.csv", rows)
    return dest


def row(key: str, split: str, label: str, path: str, **more: str) -> dict[str, str]:
    return {"key": key, "split": split, "label": label, "path": path, "source": "local", **more}


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, STATS_COLUMNS, restval="", lineterminator="\n")
        out.writeheader()
        out.writerows(rows)


def page_of(dest: Path, page: Path, *more: str) -> str:
    assert main(["report", str(dest), "--html", str(page), "--quiet", *more]) == 0
    return page.read_text(encoding="utf-8")


def links(text: str) -> list[str]:
    found = re.findall(r'<a class="shot[^"]*" href="([^"]*)"', text)
    return [unescape(link) for link in found]


def clips_of(dest: Path) -> list[dict[str, str]]:
    return read_table(dest / "stats.csv")


# -- links


@pytest.mark.parametrize("where", ["{dest}", "{dest}/inside", "{dest}/../beside", "{dest}/.."])
def test_each_clip_is_linked_from_wherever_the_page_lies(where: str, pictures, tmp_path) -> None:
    dest = tmp_path / pictures.name
    shutil.copytree(pictures, dest)
    page = Path(where.format(dest=dest)) / "report page.html"
    found = links(page_of(dest, page))
    assert len(found) == 60
    for link in found:
        assert link.startswith("./")
        assert (page.parent / unquote(link)).is_file()


def test_a_page_on_another_tree_has_whole_addresses(pictures) -> None:
    tables = read(pictures)
    gallery = Gallery(tables, summarise(tables), {}, Path("/report.html"))
    (first, *_) = (card.file for row in gallery.rows() for card in row.cards)
    assert first.startswith(f"{pictures.as_uri()}/")


def test_youtube_is_linked_at_the_second_the_window_begins() -> None:
    dest = FIXTURES / "kinetics-youtube"
    tables = read(dest)
    gallery = Gallery(tables, summarise(tables), {}, Path("r.html"))
    found = {card.key: card.youtube for row in gallery.rows() for card in row.cards}
    assert found == {
        each["key"]: f"https://www.youtube.com/watch?v={each['youtube_id']}"
        f"&t={int(each['time_start'])}s"
        for each in clips_of(dest)
    }


@pytest.mark.parametrize(
    ("video", "start", "source", "link"),
    [
        ("abcdefghijk", "75.5", "youtube", "https://www.youtube.com/watch?v=abcdefghijk&t=75s"),
        ("abcdefghijk", "", "youtube", "https://www.youtube.com/watch?v=abcdefghijk&t=0s"),
        ("abcdefghijk", "1e999", "youtube", "https://www.youtube.com/watch?v=abcdefghijk&t=0s"),
        ("abcdefghijk", "3", "local", ""),
        ("x&t=1 <script>", "3", "youtube", ""),
    ],
)
def test_only_ids_of_youtube_become_links(video, start, source, link, tmp_path) -> None:
    row_ = row("k", "train", "a", "p", youtube_id=video, time_start=start)
    write(tmp_path / "stats.csv", [{**row_, "source": source}])
    tables = read(tmp_path)
    ((card,),) = (row.cards for row in Gallery(tables, summarise(tables), {}, tmp_path).rows())
    assert card.youtube == link


def test_many_pictures_lie_beside_the_page(pictures, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("nanokinetics.report.gallery.INLINE", 50)
    text = page_of(pictures, tmp_path / "my report.html")
    assert "data:image" not in text
    sources = re.findall(r'<img src="([^"]*)"', text)
    assert len(sources) == 60
    for source in sources:
        assert (tmp_path / unquote(source)).read_bytes().startswith(b"\xff\xd8")
    assert {path.name for path in tmp_path.iterdir()} == {"my report.html", "my report_files"}


def test_of_a_huge_dataset_only_clips_with_a_picture_have_a_card(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr("nanokinetics.report.gallery.CARDS", 50)
    text = page_of(pictures, tmp_path / "r.html", "--thumbnails", "2")
    assert len(links(text)) == 12
    assert "12 of 61: the first of each class" in text


def test_the_script_is_the_only_one_that_may_run(pictures, tmp_path) -> None:
    text = page_of(pictures, tmp_path / "r.html", "--thumbnails", "0")
    ((script),) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert re.findall(r"script-src ([^;]*)", policy[1]) == [f"'sha256-{digest}'"]


# -- in a browser


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as found:
        yield found


@pytest.fixture
def opened(pictures, tmp_path, tab: Tab) -> Tab:
    page_of(pictures, tmp_path / "r.html")
    tab.errors.clear()
    tab.requests.clear()
    tab.open(tmp_path / "r.html")
    return tab


def shown(tab: Tab) -> set[str]:
    """The keys of the cards that are on the page."""
    found = tab.run(
        "[...document.querySelectorAll('section.class figure')]"
        ".filter((card) => card.checkVisibility())"
        ".map((card) => card.querySelector('figcaption').textContent)"
    )
    assert len(found) == len({*found})
    return set(found)


def set_to(tab: Tab, field: str, value: str) -> None:
    """Type or choose as a person does, and wait until the count has followed."""
    tab.run("document.getElementById('count').textContent = '…'")
    tab.run(
        f"(() => {{ const field = document.getElementById('{field}'); field.value = {value!r};"
        "field.dispatchEvent(new Event('input', { bubbles: true })); })()"
    )
    tab.until("document.getElementById('count').textContent !== '…'")


def count(tab: Tab) -> str:
    return str(tab.run("document.getElementById('count').textContent"))


@needs_chromium
def test_the_filter_shows_what_the_table_has(opened: Tab, pictures) -> None:
    stats = pd.read_csv(pictures / "stats.csv", keep_default_na=False)
    assert shown(opened) == {*stats["key"]}
    assert count(opened) == "61 of 61"
    for label in LABELS:
        set_to(opened, "by-class", label)
        rows = stats[stats["label"] == label]
        assert shown(opened) == {*rows["key"]}
        assert count(opened) == f"{len(rows)} of 61"
        set_to(opened, "by-split", "val")
        assert shown(opened) == {*rows[rows["split"] == "val"]["key"]}
        set_to(opened, "by-split", "")
    set_to(opened, "by-class", "")
    set_to(opened, "by-word", "HEAD key1")
    has = stats["label"].str.contains("head") & stats["key"].str.contains("key1")
    assert shown(opened) == {*stats[has]["key"]}
    set_to(opened, "by-word", "nothing has this")
    assert (shown(opened), count(opened)) == (set(), "0 of 61")
    opened.run("document.querySelector('#filter button').click()")
    opened.until("document.getElementById('count').textContent === '61 of 61'")
    assert shown(opened) == {*stats["key"]}
    assert opened.errors == []


@needs_chromium
def test_the_numbers_of_the_page_are_those_of_pandas(opened: Tab, pictures) -> None:
    stats = pd.read_csv(pictures / "stats.csv", keep_default_na=False)
    made = opened.run(
        "Object.fromEntries([...document.querySelectorAll('#classes ~ .scroll')[0]"
        ".querySelectorAll('tbody tr:not(.all)')].map((row) =>"
        "[row.cells[0].innerText.trim() + '/' + row.cells[1].innerText, +row.cells[2].innerText]))"
    )
    assert made == (stats["label"] + "/" + stats["split"]).value_counts().to_dict()
    assert opened.run("document.querySelector('.facts dd').textContent") == str(len(stats))


@needs_chromium
def test_pictures_beside_the_page_are_loaded_when_they_come_near(
    pictures, tmp_path, tab: Tab, monkeypatch
) -> None:
    monkeypatch.setattr("nanokinetics.report.gallery.INLINE", 50)
    page_of(pictures, tmp_path / "r.html")
    tab.requests.clear()
    tab.errors.clear()
    tab.open(tmp_path / "r.html", width=390, height=400)
    assert not [url for url in tab.requests if url.endswith(".jpg")]
    tab.run("document.querySelector('section.class').scrollIntoView()")
    tab.until("document.querySelector('section.class img').naturalWidth > 0")
    assert 0 < len([url for url in tab.requests if url.endswith(".jpg")]) < 60
    assert all(url.startswith("file:") for url in tab.requests)
    assert tab.errors == []


@needs_chromium
def test_a_clip_without_a_picture_shows_itself(pictures, tmp_path, tab: Tab) -> None:
    assert "<img" not in page_of(pictures, tmp_path / "r.html", "--thumbnails", "0")
    tab.errors.clear()
    tab.open(tmp_path / "r.html", width=390, height=400)
    tab.run("document.querySelector('a.shot').scrollIntoView()")
    tab.until("document.querySelector('a.shot img')?.naturalWidth > 0")
    assert tab.run("document.querySelectorAll('a.shot img').length") < 60
    assert tab.errors == []


@needs_chromium
def test_the_keys_lead_through_the_clips_that_are_shown(opened: Tab, pictures) -> None:
    set_to(opened, "by-class", LABELS[1])
    opened.run("document.querySelector('section.class:not([hidden]) a.shot').click()")
    opened.until("document.querySelector('#stage img')?.naturalWidth > 0")
    place = "document.getElementById('place').textContent"
    assert opened.run(place) == "1 of 20"
    assert opened.run("document.getElementById('title').textContent") == LABELS[1]
    opened.press("ArrowRight")
    assert opened.run(place) == "2 of 20"
    opened.press("ArrowLeft")
    opened.press("ArrowLeft")
    assert opened.run(place) == "20 of 20"
    opened.press("Escape")
    opened.until("!document.getElementById('viewer').open")
    opened.press("/")
    assert opened.run("document.activeElement.id") == "by-word"
    assert opened.errors == []


@needs_chromium
def test_a_clip_plays_in_the_page(tab: Tab, nano_k400, tmp_path) -> None:
    page_of(nano_k400, tmp_path / "r.html", "--thumbnails", "1")
    tab.errors.clear()
    tab.open(tmp_path / "r.html", dark=True)
    tab.run("document.querySelector('a.shot').click()")
    tab.until("document.querySelector('#stage video')?.currentTime > 0")
    assert tab.run("document.getElementById('trouble').hidden")
    assert tab.errors == []


@needs_chromium
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_screen(width: int, dark: bool, opened: Tab, tmp_path) -> None:
    opened.open(tmp_path / "r.html", width=width, height=844, dark=dark)
    assert opened.run("document.documentElement.scrollWidth") <= width
    ground = opened.run("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)")

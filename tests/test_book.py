"""The book in Chromium, offline: every page opens, is typeset, fits a phone
and has no serious fault for axe; every moving picture moves.

Run with `-s` for sizes and seconds.
"""

import gzip
import os
import shutil
from pathlib import Path

import pytest
from build_book import build
from lab_page import Stopwatch, move
from npm_files import browser_file

ROOT = Path(__file__).parents[1]
LESSONS = sorted(path.stem for path in ROOT.glob("notebooks/[0-9]*.ipynb"))
PAGES = ["index", "questions", "api", "search", "notebooks/teach/README"]
PAGES += [f"notebooks/{lesson}" for lesson in LESSONS]
PICTURE = ".moving-picture.moves"
AXE = """rules => axe.run(document, {
    resultTypes: ["violations"],
    ...(rules && {runOnly: {type: "rule", values: rules}}),
})"""
SIZE = """() => performance.getEntriesByType("resource")
    .concat(performance.getEntriesByType("navigation"))
    .map(one => new URL(one.name).pathname)"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, chromium):
    """The book, built now from the lessons as they are."""
    if not shutil.which("npm"):
        reason = "needs npm, for what draws pictures and equations"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    home = tmp_path_factory.mktemp("book")
    run = {f"{name}.ipynb": ("lite/", "in the browser") for name in LESSONS}
    clock, before = Stopwatch(), Path.cwd()
    os.chdir(ROOT)
    try:
        build(home / "site", run, home / "stage")
    finally:
        os.chdir(before)
    print(f"\nbook: built in {clock():.0f} s")
    return home / "site"


@pytest.fixture(scope="module")
def book(folder, serve):
    """The address of the book."""
    return serve(folder)


@pytest.fixture
def reader(page):
    """The page; what its console calls an error counts as a fault."""

    def note(message):
        if message.type == "error":
            page.faults.append(message.text)

    page.on("console", note)
    return page


def serious(page, rules=None):
    """What axe finds that matters: (rule, the first place it is found)."""
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=browser_file("axe-core"))
    return [
        (fault["id"], fault["nodes"][0]["html"][:200])
        for fault in page.evaluate(AXE, rules)["violations"]
        if fault["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("name", PAGES)
def test_page(reader, book, folder, name):
    page = reader
    page.goto(f"{book}/{name}.html")
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("link", name="Run this page").count() == 1
    if page.locator(".math").count():
        page.locator(".katex").first.wait_for()
    assert page.locator(".katex-error").count() == 0
    unset = ".math:not(:has(.katex)), img:not([alt]), img[alt='']"
    assert page.locator(unset).count() == 0
    for box in page.locator(".moving-picture").all():
        box.scroll_into_view_if_needed()
    pictures = page.locator(".moving-picture").count()
    page.wait_for_function(
        f"document.querySelectorAll('{PICTURE}').length === {pictures}"
    )
    assert serious(page) == []
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_timeout(400)  # the theme fades
    assert serious(page, ["color-contrast"]) == []
    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 740})
        wide = "document.documentElement.scrollWidth"
        assert page.evaluate(wide) <= width
        text = page.locator(".bd-article-container")
        assert text.evaluate("t => t.scrollWidth <= t.clientWidth")
    for target in page.evaluate("[...document.links].map(a => a.href)"):
        path, _, _ = target.removeprefix(f"{book}/").partition("#")
        if target.startswith(book) and not path.startswith("lite/"):
            assert (folder / (path or "index.html")).exists(), target
    assert page.faults == []


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("name", ["index", *PAGES[5:]])
def test_moving_pictures(reader, book, folder, name, width):
    page = reader
    if "moving-picture" not in (folder / f"{name}.html").read_text():
        pytest.skip("no picture moves on this page")
    page.set_viewport_size({"width": width, "height": 740})
    page.goto(f"{book}/{name}.html")
    for box in page.locator(".moving-picture").all():
        box.scroll_into_view_if_needed()
        box.locator("svg.marks").wait_for()
        assert not box.locator("img").is_visible()
        drawn = box.locator("svg.marks").bounding_box()
        assert drawn["x"] >= 0 and drawn["x"] + drawn["width"] <= width
        for control in box.locator("input, select").all():
            place = control.bounding_box()
            assert place["x"] + place["width"] <= width
        for slider in box.locator("input[type=range]").all():
            move(page, slider)
    assert page.faults == []


def test_front_page_is_small_and_quick(reader, book, folder):
    page = reader
    page.goto(book)
    clock = Stopwatch()
    page.locator(f"{PICTURE} svg.marks").wait_for()
    drawn = clock()
    paint = "performance.getEntriesByName('first-paint')[0].startTime"
    painted = page.evaluate(paint)
    files = {path.lstrip("/") or "index.html" for path in page.evaluate(SIZE)}
    sent = {
        name: len(gzip.compress((folder / name).read_bytes()))
        for name in files
    }
    library = sum(sent[name] for name in sent if "vega" in name)
    rest = sum(sent.values()) - library
    whole = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    print(
        f"\nfront page: {rest / 1e3:.0f} kB before the library, "
        f"{library / 1e3:.0f} kB the library, both gzipped; first paint "
        f"{painted:.0f} ms, picture {drawn:.2f} s; "
        f"the book {whole / 1e6:.1f} MB"
    )
    assert rest < 300e3 and whole < 25e6
    assert painted < 1000 and drawn < 2


@pytest.mark.parametrize("width", [390, 360])
def test_tables_and_outputs_fit_a_phone(reader, book, width):
    reader.set_viewport_size({"width": width, "height": 780})
    for name in ("index", "notebooks/00_start_here"):
        reader.goto(f"{book}/{name}.html")
        tables = reader.locator(".pst-scrollable-table-container").all()
        assert len(tables) >= 3
        for table in tables + reader.locator(".cell_output pre").all():
            assert table.evaluate("t => t.scrollWidth <= t.clientWidth")


@pytest.mark.parametrize("name", LESSONS)
def test_code_fits_a_laptop(reader, book, name):
    reader.set_viewport_size({"width": 1280, "height": 800})
    reader.goto(f"{book}/notebooks/{name}.html")
    for code in reader.locator(".cell_input pre").all():
        assert code.evaluate("c => c.scrollWidth <= c.clientWidth")


def test_front_page_says_what_it_is(reader, book):
    page = reader
    page.goto(book)
    ways = page.locator("ul.ways > li > a:first-child").all_inner_texts()
    assert ways == ["Read", "Run in your browser", "On your machine"]
    for lesson in LESSONS:
        row = page.locator(f"tr:has(a[href='notebooks/{lesson}.html'])")
        assert row.locator("td").last.inner_text().isdigit()


def test_the_keyboard_alone_reaches_the_slider(reader, book):
    page = reader
    page.goto(book)
    title = page.locator(f"{PICTURE} .role-title-text")
    title.wait_for()
    before = title.text_content()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "range":
            break
    page.keyboard.press("Home")
    page.wait_for_function(
        "before => document.querySelector('.role-title-text').textContent"
        " !== before",
        arg=before,
    )
    assert "17.9 %" in title.text_content()


def test_search_finds_detach(reader, book):
    page = reader
    page.goto(f"{book}/search.html?q=detach")
    found = page.locator("ul.search li a").first
    found.wait_for()
    links = page.locator("ul.search li a").all()
    assert any("02_gradients" in one.get_attribute("href") for one in links)


def test_exercises_are_questions_with_folded_hints(reader, book):
    page = reader
    page.goto(f"{book}/notebooks/{LESSONS[1]}.html")
    questions = page.locator(".exercise")
    assert questions.count() >= 5
    first = questions.first
    assert "negative with p = 0.9" in first.inner_text()
    hints = first.locator("details")
    assert hints.count() == 2
    assert not hints.first.locator("p").is_visible()
    hints.first.locator("summary").click()
    assert hints.first.locator("p").is_visible()


def test_a_page_prints_without_its_navigation(reader, book):
    page = reader
    page.goto(f"{book}/notebooks/{LESSONS[1]}.html")
    page.emulate_media(media="print")
    for part in (".bd-header", ".bd-sidebar-primary", "a.run"):
        assert not page.locator(part).first.is_visible()
    assert page.locator("h1").is_visible()
    assert len(page.pdf()) > 50_000

"""The page of a result, in a browser."""

import csv
import os
import shutil

import pytest
from test_pages import HOSTILE
from toy_results import hostile_page, page_of

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")

NAMES = ["cat", "dog", "owl", "亜", "=1+1", "two\nlines"]
LABELS = [0, 0, 0, 1, 1, 2, 3, 4, 5, 0]
BEST = [1, 1, 2, 1, 0, 2, 4, 5, 3, 0]
CONFIDENCES = [0.95, 0.9, 0.8, 0.99, 0.7, 0.98, 0.6, 0.5, 0.45, 0.4]
PATHS = [
    "a/0.png",
    'a/"1", <b>.png',
    "a/two\r\nlines.png",
    "b/3.png",
    "=cmd|' /C calc'!A0.png",
    "c/5.png",
    os.fsdecode(b"d/\xff\xe4\xba.png"),
    "e/\u202egnp.exe\u200f\u2028",
    "亜/𠀋.png",
    "f.png",
]


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


class Opened:
    """A page in the browser; it must not complain."""

    def __init__(self, browser, folder, html, **context):
        path = folder / "report.html"
        path.write_text(html)
        self.folder, self.complaints = folder, []
        self.page = browser.new_page(**context)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.requests = []
        self.page.goto(path.as_uri())

    def texts(self, selector):
        return [text.strip() for text in self.page.locator(selector).all_inner_texts()]

    def columns(self, table, *numbers):
        """Return the texts of some of a table's columns, of the rows that are shown."""
        rows = self.page.locator(f"#{table} tbody tr:visible").all()
        cells = [row.locator("td").all_inner_texts() for row in rows]
        return [tuple(row[number].strip() for number in numbers) for row in cells]

    def mark(self, item, mark, name=None):
        """Mark the picture in a place; name the class of a wrong one."""
        case = self.page.locator(f"li[data-item='{item}']")
        if name is not None:
            case.locator("input[type=text]").fill(name)
        else:
            case.locator(f"input[value='{mark}']").check()

    def download(self):
        """Return the rows of the file that the button gives."""
        with self.page.expect_download() as download:
            self.page.locator("#download").click()
        assert download.value.suggested_filename == "corrections.csv"
        path = self.folder / "corrections.csv"
        download.value.save_as(path)
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return list(csv.reader(file))


@pytest.fixture
def opened(browser, tmp_path):
    def open_page(html, **context):
        nonlocal found
        found = Opened(browser, tmp_path, html, **context)
        return found

    found = None
    yield open_page
    assert found.complaints == []
    assert [url for url in found.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    found.page.close()


@pytest.fixture
def report(opened):
    return opened(page_of(NAMES, LABELS, BEST, CONFIDENCES, paths=PATHS))


def test_tables_are_sorted_by_mouse_and_by_keyboard(report):
    assert report.columns("pairs", 0)[0] == ("2",)
    head = report.page.get_by_role("columnheader", name="answer")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    answers = [answer for (answer,) in report.columns("pairs", 3)]
    assert [name[:3] for name in answers] == ["cat", "dog", "owl", "", "=1+", "two"]
    head.get_by_role("button").focus()
    report.page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert [answer for (answer,) in report.columns("pairs", 3)] == answers[::-1]


def test_numbers_are_sorted_as_numbers_and_the_largest_come_first(opened):
    labels = [0] * 9 + [1] * 10 + [2] * 1000
    page = page_of(["a", "b", "c"], labels, labels, [0.5] * len(labels))
    report = opened(page)
    report.page.locator("#by-class th:nth-child(2) button").click()
    assert report.columns("by-class", 0, 1) == [("c", "1,000"), ("b", "10"), ("a", "9")]


def test_rows_are_filtered_by_class_and_pictures_by_path(report):
    search = report.page.locator("[data-filter=pairs]")
    search.fill("DOG")
    assert len(report.columns("pairs", 0)) == 2
    assert report.texts("[data-filter=pairs] >> xpath=../../output") == ["2 of 6"]
    search.fill("亜")
    assert len(report.columns("pairs", 0)) == 2
    search.fill("nothing")
    assert report.columns("pairs", 0) == []
    search.fill("")
    assert len(report.columns("pairs", 0)) == 6
    report.page.locator("[data-filter=suspected]").fill("gnp.exe")
    assert report.page.locator("li[data-item]:visible").count() == 1


def test_the_matrix_is_read_with_the_arrow_keys(report):
    report.page.locator("#matrix").focus()
    report.page.keyboard.press("ArrowRight")
    assert report.texts("#cell") == ["cat read as dog: 2"]
    for _ in range(9):
        report.page.keyboard.press("ArrowDown")
    assert report.texts("#cell") == ["two\\nlines read as dog: 0"]
    box = report.page.locator("#matrix img").bounding_box()
    report.page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 2)
    assert report.texts("#cell") == ["cat read as owl: 1"]


def test_marks_are_downloaded_as_corrections(report):
    assert report.page.locator("#download").is_disabled()
    assert report.texts("#counter") == ["0 of 7 marked, 0 corrections"]
    items = report.page.evaluate("data.items.map((item) => item[0])")
    assert len(items) == 7
    report.mark(0, "wrong")  # a/0.png: the suggestion
    report.mark(1, "right")
    report.mark(2, "none")
    report.mark(3, "wrong", "two\\nlines")
    report.mark(4, "wrong", "亜<script>")  # a new class
    report.mark(5, "wrong", "")
    report.mark(6, "wrong", "two\\nlines")  # which is its label
    assert report.texts("#counter") == ["7 of 7 marked, 4 corrections"]
    notes = ["", "", "", "", "a class that the model does not know", "which class?"]
    assert [it.inner_text() for it in report.page.locator(".note").all()] == [
        *notes, "that is its label",
    ]  # fmt: skip
    assert report.download() == [
        ["path", "label", "correction"],
        [PATHS[0], "cat", "dog"],
        [PATHS[2], "cat", ""],
        [PATHS[4], "dog", "two\nlines"],
        [PATHS[6], "亜", "亜<script>"],
    ]


def test_marks_can_be_taken_back_and_made_by_keyboard(report):
    report.mark(0, "none")
    report.mark(0, "")
    assert report.page.locator("#download").is_disabled()
    report.page.locator("li[data-item='0'] input[type=radio]").first.focus()
    report.page.keyboard.press("ArrowRight")
    assert report.page.locator("li[data-item='0']").get_attribute("data-mark") == "right"
    report.page.keyboard.press("ArrowRight")
    report.page.keyboard.press("Tab")
    report.page.keyboard.type("x")
    assert report.page.locator("li[data-item='0']").get_attribute("data-mark") == "wrong"


def test_all_classes_are_offered(report):
    offered = report.page.evaluate(
        "[...document.querySelectorAll('datalist option')].map((it) => it.value)"
    )
    assert offered == [name.replace("\n", "\\n") for name in NAMES]


def test_hostile_names_come_through_unchanged(opened):
    report = opened(hostile_page(HOSTILE))
    count = len(HOSTILE)
    assert report.page.locator("li[data-item]").count() == count
    for item in range(count):
        report.mark(item, "wrong")
    items = report.page.evaluate("data.items.length")
    assert items == count
    rows = report.download()[1:]
    n = len(HOSTILE)
    assert rows == [
        [f"{HOSTILE[i]}/{HOSTILE[-1 - i]}", HOSTILE[i], HOSTILE[(i + 1) % n]] for i in range(n)
    ]
    assert report.page.title().endswith("evaluated")
    assert report.page.evaluate("document.querySelectorAll('body script').length") == 2
    assert report.page.locator("[data-filter=pairs]").count() == 1


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(opened, width, scheme):
    long = ["a" * 300, "b_" * 100, "亜" * 80]
    report = opened(
        hostile_page(HOSTILE + long),
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
    )
    assert report.page.evaluate("document.documentElement.scrollWidth") <= width
    colour = report.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(23, 22, 20)") == (scheme == "dark")


def test_without_scripts_the_page_shows_all_and_offers_nothing(opened):
    report = opened(
        page_of(NAMES, LABELS, BEST, CONFIDENCES, paths=PATHS), java_script_enabled=False
    )
    assert report.page.locator("#by-class tbody tr:visible").count() == len(NAMES)
    assert report.page.locator("fieldset:visible, .tools:visible, #bar:visible").count() == 0

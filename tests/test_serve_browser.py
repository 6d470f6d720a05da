"""The page of serve.py in a browser: drawn on, dropped on, corrected."""

import csv
import math

import numpy as np
import pytest
from conftest import ROOT, draw_shape, run_script
from serving import renamed, serving
from test_report_browser import CHROMIUM, browser  # noqa: F401

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")

NAMES = ("一", "乂", "〇")  # what the toy shapes bar, cross and ring look like
# 乂, stroke by stroke; small, as the toy shapes are of thick lines.
AI = [[(0.4, 0.4), (0.62, 0.62)], [(0.62, 0.4), (0.4, 0.62)]]
TREE = [
    [(0.2, 0.38), (0.8, 0.38)],
    [(0.5, 0.15), (0.5, 0.88)],
    [(0.49, 0.4), (0.4, 0.58), (0.18, 0.76)],
    [(0.51, 0.4), (0.62, 0.58), (0.83, 0.75)],
]  # 木
JAPANESE = ROOT / "pretrained" / "japanese" / "model_architecture.json"


@pytest.fixture(scope="module")
def hand(tmp_path_factory):
    return tmp_path_factory.mktemp("collected") / "hand"


@pytest.fixture(scope="module")
def served(toy_model, hand, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    renamed(toy_model, folder / "shapes", ("bar", "cross", "ring"))
    prefix = renamed(toy_model, folder / "kanji", NAMES)
    with serving("--model", prefix, "--collect", hand) as started:
        yield started
    assert started.err == ""


class Page:
    """The page, opened; it must not complain, and asks nobody but the server."""

    def __init__(self, browser, url, **context):  # noqa: F811
        self.complaints, self.requests = [], []
        self.context = browser.new_context(accept_downloads=True, **context)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)
        self.page.locator("#about", has_text="characters").wait_for()

    def without_maps(self):
        self.page.locator("#show-map").uncheck()
        return self

    def draw(self, strokes):
        self.page.locator("#pad").scroll_into_view_if_needed()
        box = self.page.locator("#pad").bounding_box()
        for points in strokes:
            at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
            self.page.mouse.move(*at[0])
            self.page.mouse.down()
            for x, y in at[1:]:
                self.page.mouse.move(x, y, steps=6)
            self.page.mouse.up()

    def wait_for_best(self, text):
        self.page.locator("li.first .character-text", has_text=text).wait_for()

    def drop(self, files):
        """Drop `(name, bytes)` on the page, as a file manager would."""
        transfer = self.page.evaluate_handle(
            """(files) => {
                const transfer = new DataTransfer();
                for (const [name, bytes] of files) {
                    transfer.items.add(new File([new Uint8Array(bytes)], name));
                }
                return transfer;
            }""",
            [[name, list(data)] for name, data in files],
        )
        self.page.dispatch_event("body", "drop", {"dataTransfer": transfer})


@pytest.fixture
def opened(browser, served):  # noqa: F811
    def open_page(**context):
        nonlocal found
        found = Page(browser, served.url, **context)
        return found

    found = None
    yield open_page
    assert found.complaints == []
    assert [url for url in found.requests if not url.startswith((served.url, "blob:"))] == []
    found.context.close()


@pytest.fixture
def page(opened):
    return opened().without_maps()


def pictures(tmp_path, shapes):
    files = []
    for i, shape in enumerate(shapes):
        path = tmp_path / f"{i}.png"
        draw_shape(shape, np.random.default_rng(50 + i)).save(path)
        files.append((f"{shape} {i}.png", path.read_bytes()))
    return files


def test_a_kanji_drawn_stroke_by_stroke_is_read(page):
    page.draw(AI)
    page.wait_for_best("乂")
    answers = page.page.locator("#answers li")
    assert answers.count() == 3  # as many as there are classes
    shares = [float(t.strip("< %")) for t in page.page.locator(".percent").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    assert "乂" in page.page.locator("#spoken").inner_text()


@pytest.mark.skipif(not JAPANESE.exists(), reason="there is no Japanese model")
def test_the_japanese_model_reads_a_drawn_tree(browser):  # noqa: F811
    with serving("--model", JAPANESE.parent) as started:
        page = Page(browser, started.url).without_maps()
        page.draw(TREE)
        page.wait_for_best("木")
        assert page.page.locator("#answers li").count() == 10
        assert page.complaints == []
        page.context.close()


def test_strokes_are_taken_back_and_cleared(page):
    assert page.page.locator("#undo").is_disabled()
    page.draw(AI)
    page.wait_for_best("乂")
    page.page.keyboard.press("Control+z")
    assert page.page.evaluate("document.querySelectorAll('#undo:disabled').length") == 0
    page.page.locator("#undo").click()
    assert page.page.locator("#undo").is_disabled()
    assert page.page.locator("#answers li").count() == 0
    page.draw(AI)
    page.wait_for_best("乂")
    page.page.locator("#clear").click()
    assert page.page.locator("#answers li").count() == 0
    assert page.page.locator("#hint").is_visible()


def ink(page):
    """Return how many pixels of the drawing are dark."""
    return page.page.evaluate(
        """() => {
            const pad = document.getElementById("pad");
            const { data } = pad.getContext("2d").getImageData(0, 0, pad.width, pad.height);
            let count = 0;
            for (let i = 0; i < data.length; i += 4) count += data[i] < 128;
            return count;
        }"""
    )


def test_a_pen_draws_as_wide_as_it_is_pressed(page):
    def stroke(pressure):
        for kind, x in (("pointerdown", 0.2), ("pointermove", 0.8), ("pointerup", 0.8)):
            box = page.page.locator("#pad").bounding_box()
            page.page.dispatch_event(
                "#pad",
                kind,
                {
                    "pointerType": "pen", "pointerId": 1, "button": 0, "pressure": pressure,
                    "clientX": box["x"] + x * box["width"],
                    "clientY": box["y"] + 0.5 * box["height"],
                },
            )  # fmt: skip
        drawn = ink(page)
        page.page.locator("#clear").click()
        return drawn

    page.page.evaluate("pad => pad.setPointerCapture = () => {}", page.page.query_selector("#pad"))
    light, firm = stroke(0.1), stroke(1.0)
    assert 0 < 2 * light < firm


def test_all_works_with_the_keyboard(page):
    page.page.keyboard.press("Tab")
    page.page.locator("#pad").focus()
    keyboard = page.page.keyboard
    for _ in range(8):
        keyboard.press("ArrowLeft")
    keyboard.press(" ")
    for _ in range(16):
        keyboard.press("ArrowRight")
    keyboard.press(" ")
    page.page.locator("#answers li").first.wait_for()
    keyboard.press("Control+z")
    page.page.locator("#answers li").first.wait_for(state="detached")
    names = page.page.evaluate(
        """[...document.querySelectorAll("button, input, select, canvas")]
            .filter((it) => it.checkVisibility())
            .map((it) => it.ariaLabel ?? it.labels?.[0]?.innerText ?? it.innerText)"""
    )
    assert len(names) >= 7
    assert all(name.strip() for name in names)


def test_five_dropped_pictures_become_a_table_and_a_csv(page, tmp_path):
    shapes = ("bar", "cross", "ring", "ring", "cross")
    files = pictures(tmp_path, shapes)
    files[3] = ('=1+1 "<b>,\n.png', files[3][1])
    page.drop(files)
    page.page.locator("#download:enabled").wait_for()
    assert page.page.locator("#pictures tbody tr").count() == 5
    with page.page.expect_download() as download:
        page.page.locator("#download").click()
    assert download.value.suggested_filename == "answers.csv"
    download.value.save_as(tmp_path / "answers.csv")
    with open(tmp_path / "answers.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["filename"] for row in rows] == [name for name, _ in files]
    character = dict(zip(("bar", "cross", "ring"), NAMES, strict=True))
    assert [row["label"] for row in rows] == [character[shape] for shape in shapes]
    assert all(0.3 < float(row["probability"]) <= 1 for row in rows)


def test_a_correction_is_found_in_the_folder_and_becomes_a_dataset(page, tmp_path, hand):
    page.drop(pictures(tmp_path, ("bar", "cross", "ring", "bar")))
    rows = page.page.locator("#pictures tbody tr")
    page.page.locator("#download:enabled").wait_for()
    rows.nth(0).locator("input").fill("新")
    rows.nth(0).locator("input").press("Enter")
    rows.nth(0).locator(".note", has_text="kept as 新/").wait_for()
    rows.nth(1).locator("form button").click()  # it is what the model says
    rows.nth(1).locator(".note", has_text="kept as 乂/").wait_for()
    assert len([*(hand / "新").glob("*.png")]) == 1
    page.draw(AI)
    page.wait_for_best("乂")
    page.page.locator("#truth").fill("..")
    page.page.locator("#correction button").click()
    page.page.locator("#truth-note", has_text="a label must not").wait_for()
    # Chromium notes each answer of 400 on its console; that is no fault of the page.
    assert [c for c in page.complaints if "400" in c] == page.complaints
    page.complaints.clear()
    page.page.locator("li.first .tick").click()
    page.page.locator("#truth-note", has_text="kept as 乂/").wait_for()
    assert len([*(hand / "乂").glob("*.png")]) == 2
    assert "of 2 classes" in run_script("create_dataset.py", hand, cwd=tmp_path).stdout


def test_one_picture_is_shown_and_one_that_is_none_is_explained(page, tmp_path):
    (one,) = pictures(tmp_path, ["ring"])
    page.drop([one])
    page.wait_for_best("〇")
    assert page.page.locator("#picture").is_visible()
    assert page.page.locator("#several").is_hidden()
    page.drop([("<img src=x onerror=alert(1)>.png", b"no picture")])
    page.page.locator("#problem", has_text="not a PNG").wait_for()
    page.drop([one, ("<img src=x onerror=alert(1)>.png", b"no picture")])
    page.page.locator("#pictures .problem", has_text="not a PNG").wait_for()
    assert page.page.locator("#pictures img").count() == 2


def test_an_answer_is_copied_by_a_click(opened, served):
    page = opened(permissions=["clipboard-read", "clipboard-write"]).without_maps()
    page.draw(AI)
    page.wait_for_best("乂")
    page.page.locator("li.first .answer").click()
    page.page.locator("#spoken", has_text="乂 copied").wait_for()
    assert page.page.evaluate("navigator.clipboard.readText()") == "乂"


def test_another_model_answers_about_the_same_drawing(page):
    page.draw(AI)
    page.wait_for_best("乂")
    page.page.locator("#model").select_option("shapes")
    page.page.locator("li.first .name", has_text="cross").wait_for()


@pytest.mark.slow
def test_the_map_lies_over_the_drawing(opened):
    page = opened()
    page.draw(AI)
    page.page.locator("#map:visible").wait_for(timeout=120_000)
    assert page.page.evaluate("document.getElementById('map').naturalWidth") == 512
    page.draw([[(0.1, 0.1), (0.2, 0.1)]])
    page.page.locator("#show-map").uncheck()
    assert page.page.locator("#map").is_hidden()


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(opened, tmp_path, width, scheme):
    page = opened(viewport={"width": width, "height": 800}, color_scheme=scheme).without_maps()
    circle = [(0.5 + 0.12 * math.sin(a / 4), 0.5 - 0.12 * math.cos(a / 4)) for a in range(26)]
    page.draw([circle])
    page.wait_for_best("〇")
    files = pictures(tmp_path, ("bar", "cross"))
    page.drop([*files, ("a" * 200, files[0][1]), ("亜" * 80 + ".png", b"no picture")])
    page.page.locator("#download:enabled").wait_for()
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    colour = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(23, 22, 20)") == (scheme == "dark")

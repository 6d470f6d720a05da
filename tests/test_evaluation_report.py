"""What was measured of a model, as an HTML page."""

import importlib.util
import json
import re

import numpy as np
import pytest
from conftest import run_script
from test_pages import HOSTILE, Tags, check_page, fill
from toy_results import classifier_of, hostile_page, labelled_of, page_of, result_of

from glyphs import fonts
from glyphs.evaluation import metrics, report, report_maps, report_pictures
from glyphs.evaluation.answers import Answers
from glyphs.evaluation.result import compare
from glyphs.pages import svg
from glyphs.training.history import read_history, write_history

NAMES = ["cat", "dog", "owl"]
LABELS = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
BEST = [0, 1, 1, 2, 1, 1, 0, 2, 2, -1]
CONFIDENCES = [0.99, 0.9, 0.8, 0.7, 0.95, 0.85, 0.6, 0.98, 0.4, 0.0]


def plain_page(**others):
    return page_of(NAMES, LABELS, BEST, CONFIDENCES, **others)


def data_of(page):
    """Return what a page tells its script."""
    return json.loads(re.search('id="data">(.*?)</script>', page, re.DOTALL)[1])


def text_of(page):
    return re.sub(r"\s+", " ", "".join(Tags(page).texts))


def rows_of(page, table):
    """Return the texts of the cells of a table's rows."""
    body = re.search(f'id="{table}">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)[1]
    rows = re.findall("<tr.*?>(.*?)</tr>", body, re.DOTALL)
    return [
        [re.sub("<.*?>", "", cell).strip() for cell in re.findall("<td.*?>(.*?)</td>", row, re.S)]
        for row in rows
    ]


def test_page_is_whole_and_does_not_depend_on_the_workers(toy_model, toy_folder, tmp_path):
    pages = []
    for workers in (1, 2):
        path = tmp_path / f"{workers}.html"
        run = run_script(
            "evaluate.py", toy_folder, "--model", toy_model, "--html", path, "--maps", 0,
            "--conditions", "--count", 5, "--workers", workers,
        )  # fmt: skip
        assert "accuracy" in run.stdout
        pages.append(path.read_text())
    without_speed = [re.sub(r"<b>[\d,]+</b><span>pictures a second", "", page) for page in pages]
    assert without_speed[0] == without_speed[1]
    check_page(pages[0], scripts=True)
    for text in ("180 pictures", "balanced accuracy", "bleed through"):
        assert text in pages[0], text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.html", "2.html"]


def test_confusions_are_ranked_and_shown_with_pictures_of_both_classes():
    page = plain_page()
    rows = rows_of(page, "pairs")
    assert [[row[0], row[1], row[3]] for row in rows] == [
        ["2", "cat", "dog"], ["1", "cat", "owl"], ["1", "dog", "cat"],
    ]  # fmt: skip
    table = re.search('id="pairs">(.*?)</table>', page, re.DOTALL)[1]
    assert table.count("data:image/png") == 9


def test_classes_stand_in_order_of_recall():
    rows = rows_of(plain_page(), "by-class")
    assert [row[:4] for row in rows] == [
        ["cat", "4", "1", "25.0 %"], ["dog", "3", "2", "66.7 %"], ["owl", "3", "2", "66.7 %"],
    ]  # fmt: skip
    assert rows[0][-1] == "dog 2"


def test_the_precision_of_a_class_that_is_never_answered_is_empty():
    rows = rows_of(page_of(["cat", "dog"], [0, 1], [1, 1], [0.9, 0.9]), "by-class")
    assert [row[3:6] for row in rows] == [["0.0 %", "", "0.0 %"], ["100.0 %", "50.0 %", "66.7 %"]]


def test_mistakes_stand_in_a_line_of_each_class():
    assert "cat (3): ['dog', 'dog', 'owl']" in text_of(plain_page())


def test_the_most_confident_mistakes_can_be_marked():
    items = data_of(plain_page())["items"]
    assert items == [
        ["noise/1.png", "cat", "dog"], ["noise/2.png", "cat", "dog"],
        ["noise/3.png", "cat", "owl"], ["noise/6.png", "dog", "cat"],
    ]  # fmt: skip


def test_suspects_take_the_marks_where_they_are_given():
    suspects = [
        {
            "path": "elsewhere/7.png", "label": "unknown", "suggestion": "owl", "number": 2,
            "probability_of_label": 0.01, "probability_of_suggestion": 0.97,
        }
    ]  # fmt: skip
    others = labelled_of(NAMES, [0, 1, 2], ["a", "b", "c"])
    page = plain_page(suspects=suspects, suspects_in=others)
    assert data_of(page)["items"] == [["elsewhere/7.png", "unknown", "owl"]]
    assert page.count("<fieldset") == 1
    assert "Labels that are probably wrong" in page
    assert "The most confident mistakes" in page
    assert "97.0 %" in page
    assert "<fieldset" not in plain_page(suspects=[])


def test_a_model_without_mistakes_has_a_page_too():
    page = page_of(["a"], [0, 0], [0, 0], [1, 1])
    check_page(page, scripts=True)
    assert "100 %" not in rows_of(page, "by-class")
    assert data_of(page) == {"classes": [["a"]], "cells": [[0, 0, 2]], "items": []}


def test_what_was_left_out_is_said():
    labelled = labelled_of(NAMES, LABELS, [f"{i}.png" for i in range(10)])
    result = result_of(labelled, BEST, CONFIDENCES)
    result.unknown, result.absent = {"yak": 1234}, [f"class {i}" for i in range(report.NAMED + 7)]
    text = text_of(report.render(result, labelled, classifier_of(NAMES), workers=1))
    assert "yak (1,234)" in text
    assert "class 0, class 1" in text
    assert "and 7 more" in text
    assert "9.png: blank" in text


def test_two_models_stand_side_by_side():
    labelled = labelled_of(NAMES, LABELS, [f"{i}.png" for i in range(10)])
    ours, theirs = (
        result_of(labelled, best, CONFIDENCES, model=model)
        for best, model in ((BEST, "old"), (LABELS, "new"))
    )
    comparison = report.Comparison(theirs, compare(ours, theirs))
    text = text_of(
        report.render(ours, labelled, classifier_of(NAMES), comparison=comparison, workers=1)
    )
    assert "0 are right only with the first model and 5 only with the second" in text
    assert "accuracy50.00 %100.00 %" in text


def test_learning_curves_are_those_beside_the_model(tmp_path):
    history = [
        {"phase": "search", "cycle": 1, "loss": 2.0, "accuracy": 0.5, "val_loss": float("nan")},
        {"phase": "search", "cycle": 2, "loss": 1.0, "accuracy": 0.75, "val_loss": 1.5},
    ]
    path = tmp_path / "model_history.csv"
    write_history(path, history)
    assert [epoch["loss"] for epoch in read_history(path)] == [2.0, 1.0]
    page = plain_page(result={"model": str(tmp_path / "model")})
    check_page(page, scripts=True)
    assert "Loss by epoch" in page
    assert page.count('class="mark"') == 2  # a cycle begins
    for damaged in (b"\xff\x00", b"a,b\n1\n2,3,4\n", b"epoch,loss\n1,x\n", b""):
        path.write_bytes(damaged)
        assert "Loss by epoch" not in plain_page(result={"model": str(tmp_path / "model")})


def test_coverage_is_the_most_that_can_be_answered_so_well():
    rng = np.random.default_rng(3)
    for n in (1, 2, 40):
        confidences = rng.integers(0, 10, n) / 10
        right = rng.random(n) < confidences
        for wanted in (0.5, 0.9, 1.0):
            best = (0.0, None)
            for threshold in sorted(set(confidences.tolist()), reverse=True):  # slow twin
                answered = confidences >= threshold
                if right[answered].mean() >= wanted:
                    best = (answered.mean(), threshold)
            assert metrics.coverage_at(confidences, right, wanted) == pytest.approx(best)


def test_doubt_is_put_into_words():
    text = text_of(plain_page())
    assert "For 99 % accuracy it can answer 30.0 % of the pictures" in text
    assert "at least 95.0 %" in text
    calibrated = text_of(plain_page(result={"wanted": 0.9, "threshold": 0.8}))
    assert "promises 90 % from a probability of 80.0 % on. Of these pictures 60.0 % reach it" in (
        calibrated
    )
    assert "and 66.67 % of their answers are right" in calibrated
    assert "promises" not in text
    sure = text_of(page_of(["a", "b"], [0, 1], [0, 1], [0.9, 0.8]))
    assert "95 % accuracy it has with an answer to every picture" in sure
    lost = text_of(page_of(["a", "b"], [0, 1], [1, 0], [0.9, 0.8]))
    assert "95 % accuracy cannot be had" in lost


def test_matrix_has_a_pixel_for_each_cell():
    picture, options = report_pictures.matrix([(0, 0, 1), (0, 1, 3), (1, 1, 4)], np.array([4, 4]))
    cells = np.asarray(picture)
    strengths = np.frombuffer(options["transparency"], np.uint8)[cells]
    assert picture.size == (2, 2)
    assert strengths[1, 0] == 0
    assert strengths[0, 0] < strengths[0, 1] < strengths[1, 1] == 255
    colours = np.asarray(picture.convert("RGB"))
    assert tuple(colours[0, 1]) == report_pictures.WRONG
    assert tuple(colours[1, 1]) == report_pictures.RIGHT


def test_the_clearest_pictures_stand_for_a_class():
    own = np.array([0.2, 0.9, 0.5, 0.7], np.float32)
    top = np.array([[1], [0], [0], [1]], np.int32)
    answers = Answers(np.array([0, 0, 0, 2]), top, own[:, None], own, {}, 1.0)
    chosen = report_pictures.Chosen(answers)
    assert chosen.of_class(0, 2) == [1, 2]
    assert chosen.of_class(1, 2) == []
    assert chosen.of_class(2, 2) == [3]
    assert chosen.most_confident.tolist() == [3, 0]
    assert chosen.of_confusion == {(2, 1): [3], (0, 1): [0]}


def test_pages_of_many_classes_and_pictures_stay_small():
    names = [f"U+{0x4E00 + i:04X}" for i in range(1500)]
    labels = np.repeat(np.arange(1500), 6)
    best = (labels + np.arange(len(labels)) % 4) % 1500
    confidences = np.random.default_rng(1).random(len(labels))
    characters = [chr(0x4E00 + i) for i in range(1500)]
    page = page_of(names, labels, best, confidences, characters=characters)
    tags = check_page(page, scripts=True)
    assert len(page) < 4_000_000
    assert len(data_of(page)["items"]) == report.MISTAKES
    assert len(rows_of(page, "pairs")) == report.PAIRS
    assert len(rows_of(page, "by-class")) == 1500
    assert "matrix" not in {value for _, a in tags.elements for key, value in a if key == "id"}


def test_hostile_names_change_nothing_but_the_text():
    pages = [hostile_page(names) for names in (HOSTILE, [f"a {i}" for i in range(len(HOSTILE))])]
    tags = [check_page(page, scripts=True) for page in pages]
    of_text = {"content", "src"}  # the policy's hash; noise
    shapes = [
        [(tag, [a for a in attributes if a[0] not in of_text]) for tag, attributes in it.elements]
        for it in tags
    ]
    assert shapes[0] == shapes[1]
    names = {name for item in data_of(pages[0])["items"] for name in item[1:]}
    assert names == set(HOSTILE)


def test_page_shows_code_points_without_the_font(monkeypatch):
    monkeypatch.setattr(fonts, "bundled_font", lambda: None)
    page = page_of(["亜", "b"], [0, 1], [1, 1], [0.9, 0.8])
    check_page(page, scripts=True)
    assert '<code class="point">U+4E9C</code>' in page


def test_no_maps_without_tensorflow(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tensorflow" else real(name)
    )
    assert report_maps.maps("model", None, None, [0], [[0]]) == (
        [], "TensorFlow, which draws them, is not installed",
    )  # fmt: skip
    assert "No activation maps: TensorFlow" in plain_page(maps=1)
    assert "No activation maps" not in plain_page(maps=0)


@pytest.mark.parametrize("kind", ["folder", "with names", "without names"])
def test_corrections_of_a_page_are_those_that_create_dataset_takes(
    toy_model, toy_folder, tmp_path, kind
):
    for name in ("bar", "ring"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(1, 6):
            (tmp_path / "data" / name / f"{i}.png").hardlink_to(toy_folder / name / f"{i}.png")
    (tmp_path / "data" / "bar" / "6.png").hardlink_to(toy_folder / "ring" / "6.png")
    source = tmp_path / "data"
    if kind != "folder":
        source = tmp_path / "characters_dataset"
        names = ["--keep-names"] if kind == "with names" else []
        run_script(
            "create_dataset.py", tmp_path / "data", "--image-size", 16, "--output", source, *names
        )
    path = tmp_path / "page.html"
    run_script(
        "evaluate.py", source, "--model", toy_model, "--split", "all", "--html", path, "--maps", 0
    )
    page = path.read_text()
    assert ("does not keep what its pictures are called" in page) == (kind == "without names")
    (item,) = data_of(page)["items"]
    assert item[1:] == ["bar", "ring"]
    if kind != "without names":
        assert item[0] == "bar/6.png"
        table = tmp_path / "corrections.csv"
        table.write_text("path,label,correction\n" + ",".join(f'"{text}"' for text in item) + "\n")
        run_script(
            "create_dataset.py", tmp_path / "data", "--corrections", table, "--output",
            tmp_path / "corrected",
        )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "dataset"])
def test_maps_show_the_answer_and_the_label(toy_model, toy_dataset, toy_folder, tmp_path, kind):
    mixed = tmp_path / "mixed"
    for name, other in (("bar", "cross"), ("cross", "bar")):
        (mixed / other).mkdir(parents=True)
        for i in range(1, 5):
            (mixed / other / f"{i}.png").hardlink_to(toy_folder / name / f"{i}.png")
    source = mixed
    if kind == "dataset":
        source = tmp_path / "characters_dataset"
        run_script("create_dataset.py", mixed, "--image-size", 16, "--output", source)
    path = tmp_path / "page.html"
    run = run_script(
        "evaluate.py", source, "--model", toy_model, "--split", "all", "--html", path,
        "--maps", 2, "--workers", 1,
    )  # fmt: skip
    assert run.stderr == ""
    page = path.read_text()
    check_page(page, scripts=True)
    assert "What it saw" in page
    assert page.count("<figcaption>answer") == page.count("<figcaption>label") == 2


@pytest.mark.parametrize(
    "series",
    [
        [("a", [0], [1])],
        [("a", [0, 1], [3, 3])],
        [("a", [1, 2], [0.1, 0.2]), ("<b>", [1, 5], [1e6, -2])],
        [("a", np.arange(5000) / 5000, np.linspace(0.999, 1, 5000))],
    ],
)
def test_lines_are_drawn_of_any_numbers(series):
    figure = svg.line_plot("a <label>", series, x_percent=True, marks=[0])
    tags = Tags(fill("{{ it }}", it=figure))
    assert {"svg", "path", "text", "figcaption"} <= tags.seen
    assert "nan" not in figure
    assert "&lt;label&gt;" in figure
    assert len(figure) < 12_000
    assert 3 <= figure.count('text-anchor="end"') <= 8

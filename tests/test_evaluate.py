"""evaluate.py: how good a model is."""

import csv
import dataclasses
import json
import math
import os
import shutil

import numpy as np
import pytest
from conftest import SHAPES, draw_shape, run_script
from PIL import Image, ImageOps

from glyphs.artifacts import description
from glyphs.artifacts.doubt import store_doubt
from glyphs.artifacts.loading import read_architecture
from glyphs.dataset.open import open_dataset
from glyphs.evaluation import metrics
from glyphs.evaluation.answers import Answers, see_chunk
from glyphs.evaluation.labelled import open_labelled
from glyphs.evaluation.result import Result, compare
from glyphs.evaluation.trials import bring
from glyphs.images import sheets
from glyphs.images.conditions import CONDITIONS
from glyphs.images.preprocessing import resize_images
from glyphs.inference import Classifier


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Pictures of which one in three lies in another class's folder; one of each is blank."""
    folder = tmp_path_factory.mktemp("evaluate") / "mixed"
    for k, name in enumerate(SHAPES[:2]):
        (folder / name).mkdir(parents=True)
        rng = np.random.default_rng(k)
        for i in range(9):
            shape = name if i % 3 else SHAPES[(k + 1) % 3]
            draw_shape(shape, rng).save(folder / name / f"{i}.png")
        (folder / name / "9.png").write_bytes(b"no picture")
    (folder / "star").mkdir()
    draw_shape("ring", rng).save(folder / "star" / "1.png")
    return folder


def evaluate(*arguments, **options):
    return run_script("evaluate.py", *arguments, "--workers", 1, **options)


@pytest.fixture(scope="module")
def measured(mixed, toy_model):
    """`(found, classes, answers)`: what evaluate.py says of the mixed folder in JSON and CSV."""
    files = [mixed.parent / name for name in ("classes.csv", "answers.csv")]
    run = evaluate(
        mixed, "--model", toy_model, "--json", "--classes", files[0], "--answers", files[1]
    )
    return json.loads(run.stdout), *(read_csv(path) for path in files)


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def by_hand(mixed, toy_model):
    """`(label, {class: probability})` of each picture, from the Python API; {} if unreadable."""
    classifier = Classifier(str(toy_model))
    paths = [mixed / name / f"{i}.png" for name in SHAPES[:2] for i in range(10)]
    predictions = classifier.classify(map(str, paths), top=3)
    return [
        (path.parent.name, {c.label: c.probability for c in prediction.candidates})
        for path, prediction in zip(paths, predictions, strict=True)
    ]


def test_figures_are_those_counted_by_hand(measured, by_hand):
    n, z = len(by_hand), 1.959963984540054
    best = [max(found, key=found.get) if found else None for _, found in by_hand]
    right = [label == answer for (label, _), answer in zip(by_hand, best, strict=True)]
    p = sum(right) / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    recall, precision, f1 = [], [], []
    for name in SHAPES:
        hits = sum(
            is_right and label == name for is_right, (label, _) in zip(right, by_hand, strict=True)
        )
        labelled, answered = sum(label == name for label, _ in by_hand), best.count(name)
        recall += [hits / labelled] if labelled else []
        precision += [hits / answered] if answered else []
        f1 += [2 * hits / (labelled + answered)] if labelled or answered else []
    bins = {}
    for (_, found), is_right in zip(by_hand, right, strict=True):
        confidence = max(found.values(), default=0)
        bins.setdefault(min(int(confidence * 15), 14), []).append(confidence - is_right)
    expected = {
        "n": n,
        "right": sum(right),
        "accuracy": p,
        "top5": sum(bool(found) for _, found in by_hand) / n,
        "balanced_accuracy": sum(recall) / 2,
        "precision": sum(precision) / len(precision),
        "recall": sum(recall) / len(recall),
        "f1": sum(f1) / len(f1),
        "nll": sum(-math.log(max(found.get(label, 0), 1e-12)) for label, found in by_hand) / n,
        "calibration_error": sum(abs(sum(surplus)) for surplus in bins.values()) / n,
        "without_answer": 2 / n,
    }
    figures = measured[0]["figures"]
    assert 0 < sum(right) < n
    assert {key: figures[key] for key in expected} == pytest.approx(expected, abs=1e-5)
    assert figures["interval"] == pytest.approx([middle - half, middle + half])
    assert figures["rate"] > 0


def test_tables_say_what_each_picture_and_class_got(measured, by_hand, mixed):
    found, classes, answers = measured
    assert [row["path"] for row in answers] == [
        str(mixed / name / f"{i}.png") for name in SHAPES[:2] for i in range(10)
    ]
    for row, (label, probabilities) in zip(answers, by_hand, strict=True):
        assert row["label"] == label
        best = max(probabilities, key=probabilities.get, default="")
        assert row["answer"] == best
        assert row["right"] == str(int(best == label))
        assert (row["error"] == "") == bool(probabilities)
        if best:
            assert float(row["probability"]) == pytest.approx(probabilities[best], abs=1e-5)
    assert [row["class"] for row in classes] == list(SHAPES)
    assert [int(row["pictures"]) for row in classes] == [10, 10, 0]
    for row in classes:
        mine = [it for it in answers if it["label"] == row["class"]]
        assert int(row["right"]) == sum(int(it["right"]) for it in mine)
        assert int(row["answers"]) == sum(it["answer"] == row["class"] for it in answers)
        wrong = [it["answer"] for it in mine if it["right"] == "0" and it["answer"]]
        assert int(row["times"]) == max(map(wrong.count, wrong), default=0)
        assert row["taken_for"] in (wrong or [""])
    assert [row["class"] for row in found["classes"]] == list(SHAPES)


def test_what_is_undefined_is_empty_and_in_no_mean(mixed, toy_model, tmp_path):
    (tmp_path / "bar").mkdir()
    shutil.copy(mixed / "bar" / "1.png", tmp_path / "bar")
    table = tmp_path / "classes.csv"
    arguments = (tmp_path, "--model", toy_model, "--classes", table, "--json")
    found = json.loads(evaluate(*arguments).stdout)
    shares = ("recall", "precision", "f1")
    assert [[row[key] for key in shares] for row in found["classes"]] == [[1, 1, 1]] + 2 * [
        3 * [None]
    ]
    assert [[row[key] for key in shares] for row in read_csv(table)] == [3 * ["1.0"]] + 2 * [
        3 * [""]
    ]
    assert [found["figures"][key] for key in shares] == [1, 1, 1]


def test_classes_of_one_side_are_named(measured, mixed, toy_model):
    assert measured[0]["unknown_classes"] == {"star": 1}
    assert measured[0]["absent_classes"] == ["ring"]
    text = evaluate(mixed, "--model", toy_model).stdout
    assert "left out: 1 pictures of 1 classes that the model lacks: star" in text
    assert "no pictures of 1 classes: ring" in text
    assert "2 without an answer" in text


def test_a_dataset_is_measured_on_its_test_split_or_another(toy_dataset, toy_model):
    dataset = open_dataset(toy_dataset)
    classifier = Classifier(str(toy_model))
    for split in ("test", "val", "all"):
        parts = ("train", "val", "test") if split == "all" else (split,)
        images = np.concatenate([getattr(dataset, f"X_{part}") for part in parts])
        labels = np.concatenate([getattr(dataset, f"y_{part}") for part in parts])
        right = classifier.probabilities(images).argmax(axis=1) == labels
        wanted = () if split == "test" else ("--split", split)
        found = json.loads(evaluate(toy_dataset, "--model", toy_model, "--json", *wanted).stdout)
        assert found["split"] == (None if split == "all" else split)
        assert (found["figures"]["n"], found["figures"]["right"]) == (len(labels), right.sum())


def test_classes_are_matched_by_name_not_by_number(tmp_path, toy_folder, toy_model):
    (tmp_path / "data").mkdir()
    for name in ("ring", "apple"):  # apple comes before bar, and takes its number
        shutil.copytree(toy_folder / "ring", tmp_path / "data" / name)
    found = json.loads(evaluate(tmp_path / "data", "--model", toy_model, "--json").stdout)
    assert found["unknown_classes"] == {"apple": 60}
    assert found["figures"]["accuracy"] > 0.9


@pytest.fixture(scope="module")
def kanji_model(toy_model, tmp_path_factory):
    """The toy model, as if its shapes were the classes U+4E00, U+5341 and U+53E3: 一, 十 and 口."""
    folder = tmp_path_factory.mktemp("kanji")
    for file in toy_model.parent.glob("model_*"):
        shutil.copy(file, folder)
    path = folder / "model_architecture.json"
    architecture = read_architecture(str(folder / "model"))
    architecture["glyphs"] |= {
        "class_names": ["U+4E00", "U+5341", "U+53E3"], "characters": ["一", "十", "口"],
    }  # fmt: skip
    path.write_bytes(description.to_bytes(architecture))
    return folder


def kanji_folder(folder, toy_folder, *names):
    for name, shape in zip(names, (*SHAPES, *SHAPES), strict=False):
        shutil.copytree(toy_folder / shape, folder / name)
    return folder


def test_classes_are_matched_by_character_where_no_name_is_the_same(
    kanji_model, toy_folder, tmp_path
):
    folder = kanji_folder(tmp_path / "data", toy_folder, "一", "0x5341", "U+53E3", "U+4E00", "ヶ")
    found = json.loads(evaluate(folder, "--model", kanji_model, "--json").stdout)
    assert found["unknown_classes"] == {"ヶ": 60}
    assert found["figures"]["accuracy"] > 0.9
    pictures = {row["class"]: row["pictures"] for row in found["classes"]}
    assert pictures == {"U+4E00": 120, "U+5341": 60, "U+53E3": 60}  # 一 and U+4E00 are one class


@pytest.mark.parametrize("is_dataset", [False, True])
def test_codes_are_matched_where_it_is_told_what_they_mean(
    kanji_model, toy_folder, tmp_path, is_dataset
):
    # 一, 十 and 口 in EUC-JP
    source = kanji_folder(tmp_path / "data", toy_folder, "B0EC", "BDBD", "B8FD")
    if is_dataset:
        run_script("create_dataset.py", source, "--output", tmp_path / "ds")
        source = tmp_path / "ds"
    run = evaluate(source, "--model", kanji_model, expect=2)
    assert "classes such as B0EC, the model such as U+4E00; --label-encoding says" in run.stderr
    run = evaluate(source, "--model", kanji_model, "--label-encoding", "euc-jp", "--json")
    assert json.loads(run.stdout)["figures"]["accuracy"] > 0.9


def test_a_dataset_keeps_the_characters_of_its_codes(kanji_model, toy_folder, tmp_path):
    folder = kanji_folder(tmp_path / "data", toy_folder, "B0EC", "BDBD", "B8FD")
    dataset = tmp_path / "ds"
    run_script("create_dataset.py", folder, "--label-encoding", "euc-jp", "--output", dataset)
    found = json.loads(evaluate(dataset, "--model", kanji_model, "--json").stdout)
    assert found["absent_classes"] == []


def test_conditions_are_measured(toy_folder, toy_model):
    run = evaluate(toy_folder, "--model", toy_model, "--conditions", "--count", 12, "--json")
    conditions = json.loads(run.stdout)["conditions"]
    assert {row["pictures"] for row in conditions.values()} == {12}
    assert conditions["as_it_is"]["right"] >= 10


def on_grey_paper(picture, rng):
    """Return a picture as if it were photographed: on grey paper, with light from one side."""
    light = sheets.ramp(picture.size, rng, 0.6, 0.8)
    return sheets.picture(np.asarray(picture) * light + rng.normal(0, 2, light.shape))


def test_conditions_hold_for_pictures_on_grey_paper(toy_folder, toy_model, tmp_path):
    rng = np.random.default_rng(1)
    for path in sorted(toy_folder.glob("*/1*.png")):
        (tmp_path / path.parent.name).mkdir(exist_ok=True)
        grey = on_grey_paper(Image.open(path).resize((120, 120)), rng)
        grey.save(tmp_path / path.parent.name / path.name)
    run = evaluate(tmp_path, "--model", toy_model, "--conditions", "--json")
    found = json.loads(run.stdout)
    right = {name: row["right"] for name, row in found["conditions"].items()}
    assert right["as_it_is"] == found["figures"]["right"] >= 30
    for name in ("paper_2x", "paper_4x", "ruled", "fax"):
        assert right[name] >= right["as_it_is"] - 1, name


def test_clean_pictures_meet_conditions_as_they_are_framed():
    picture = draw_shape("ring", np.random.default_rng(1)).point(lambda grey: min(grey + 15, 255))
    image = 255 - np.asarray(picture)
    for name, condition in CONDITIONS.items():
        expected = condition(image, np.random.default_rng([5, 3])).convert("L")
        for brought, polarity in ((picture, None), (ImageOps.invert(picture), "light-on-dark")):
            assert bring(brought, 3, name, polarity, 5).tobytes() == expected.tobytes()


def test_what_is_not_ink_meets_no_condition():
    rng = np.random.default_rng(1)
    grey = on_grey_paper(draw_shape("ring", rng).resize((120, 120)), rng)
    assert bring(grey, 0, "as_it_is", None, 1).tobytes() == grey.tobytes()
    white = np.asarray(bring(grey, 0, "paper_2x", None, 1)) == 255
    assert white[:10].all()
    assert white[-10:].all()
    assert white.mean() > 0.5
    blank = Image.new("L", (20, 20), 200)
    assert bring(blank, 0, "photo", None, 1) is blank


def test_two_models_are_compared_on_the_same_pictures(mixed, toy_model, tmp_path):
    for suffix in ("_architecture.json", "_weights.h5"):
        shutil.copy(f"{toy_model}{suffix}", f"{tmp_path / 'model'}{suffix}")
    models = ("--model", toy_model, "--model", tmp_path)  # the second by its folder
    run = evaluate(mixed, *models)
    assert "on the same 20 pictures" in run.stdout
    both = json.loads(evaluate(mixed, *models, "--json").stdout)
    assert [model["model"] for model in both["models"]] == [str(toy_model), str(tmp_path / "model")]
    assert both["models"][0]["classes"] == both["models"][1]["classes"]
    assert both["comparison"]["only_first"] == both["comparison"]["only_second"] == 0
    assert both["comparison"]["p"] == 1
    assert both["comparison"]["pictures"] == 20


def test_models_that_know_different_classes_are_compared_on_what_both_know():
    results = [answered("abcd", [1, 1, 0, 1]), answered("cdbx", [1, 0, 1, 1])]
    found = compare(*results)
    assert found["pictures"] == 3
    assert found["right"] == [2, 2]
    assert (found["only_first"], found["only_second"]) == (1, 1)


def answered(names, is_right):
    top = np.array([[0 if right else 1] for right in is_right])
    n = len(names)
    answers = Answers(np.zeros(n, int), top, np.ones((n, 1)), np.ones(n), {}, 1.0)
    figures = metrics.figures(answers, 2)
    return Result("m", "s", None, ["y", "n"], {}, [], list(names), answers, figures)


@pytest.fixture(scope="module")
def no_val(mixed):
    """A dataset of the mixed folder without a val split."""
    path = mixed.parent / "no_val"
    run_script("create_dataset.py", mixed, "--split", 80, 0, 20, "--output", path)
    return path


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--model", "nowhere", "{data}"], 3, "nowhere_architecture.json: no such file"),
        (["--model", "{model}", "nothing"], 2, "nothing"),
        (["--model", "{model}", "{data}", "--split", "val"], 2, "has no split val"),
        (["--model", "{model}", "{unknown}"], 2, "has no picture of a class that the model knows"),
        (["--model", "{model}"] * 3 + ["{data}"], 2, "at most two models"),
        (["--model", "{model}", "{data}", "--html", "{data}"], 4, "mixed: would replace"),
        (["--model", "{model}", "{data}", "--html", "{model}_weights.h5"], 4, "would replace"),
        (["--model", "{model}", "{data}", "--html", "a", "--classes", "./a"], 2, "two outputs"),
        (["--model", "{model}", "{data}", "--html", "no/such/page.html"], 4, "no/such"),
        (["--model", "{model}", "{data}", "--answers", "no/such/a.csv"], 4, "no/such"),
        (["--model", "{model}", "{data}", "--maps", "-1"], 2, "--maps"),
        (["--model", "{model}", "{data}", "--maps", "3"], 2, "--maps goes with --html"),
        (["--model", "{model}", "{data}", "--count", "7"], 2, "--count goes with --conditions"),
        (["--model", "{model}", "{data}", "--force"], 2, "--force goes with --calibrate"),
        (["--model", "{model}", "{data}", "--groups", "none"], 2, "unrecognized arguments"),
        (["--model", "{model}", "{data}", "--accuracy", ".9"], 2, "was never calibrated"),
        (["--model", "{model}", "{dataset}", "--label-regex", "."], 2, "--label-regex goes with"),
        (["--model", "{model}", "{data}", "--calibrate"], 2, "--calibrate needs a split val"),
        (["--model", "{model}", "{no_val}", "--calibrate"], 2, "--calibrate needs a split val"),
        (["--model", "{model}", "{no_val}", "--split", "val"], 2, "has no split val"),
        (["{dataset}", "--suspects", "s.csv", "--json"], 3, "model_architecture.json: no such"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    arguments, code, message, mixed, toy_model, toy_dataset, no_val, tmp_path
):
    (tmp_path / "unknown" / "star").mkdir(parents=True)
    shutil.copy(mixed / "star" / "1.png", tmp_path / "unknown" / "star")
    places = {"data": mixed, "model": toy_model, "unknown": tmp_path / "unknown"}
    places |= {"dataset": toy_dataset, "no_val": no_val}
    filled = [argument.format(**places) for argument in arguments]
    run = evaluate(*filled, expect=code, cwd=tmp_path)
    assert run.stdout == ""
    (line,) = [line for line in run.stderr.splitlines() if "error: " in line]
    assert message in line
    assert sorted(os.listdir(tmp_path)) == ["unknown"]


@pytest.mark.parametrize("options", [("--maps", 0, "--html"), ("--answers",)])
def test_a_full_disk_leaves_the_former_file(options, mixed, toy_model, tmp_path):
    path = tmp_path / "former"
    path.write_text("former")
    evaluate(mixed, "--model", toy_model, *options, path, expect=4, largest_file=1000)
    assert path.read_text() == "former"
    assert os.listdir(tmp_path) == ["former"]


def test_a_planted_wrong_label_is_suspected_and_shown_on_the_page(toy_folder, toy_model, tmp_path):
    folder = tmp_path / "shapes"
    shutil.copytree(toy_folder, folder)
    wrong = next((folder / "ring").iterdir())
    planted = folder / "bar" / "zz planted.png"
    shutil.move(wrong, planted)
    run_script(
        "create_dataset.py", folder, "--image-size", 16, "--keep-names", cwd=tmp_path
    )  # fmt: skip
    run = evaluate(
        "--model", toy_model, "--suspects", "suspects.csv", "--folds", 2, "--epochs", 12,
        "--split", "all", "--html", "report.html", "--maps", 0, cwd=tmp_path,
    )  # fmt: skip
    assert "labels are probably wrong: see suspects.csv" in run.stdout
    first = read_csv(tmp_path / "suspects.csv")[0]
    assert first["path"] == "bar/zz planted.png"
    assert (first["label"], first["suggestion"]) == ("bar", "ring")
    assert "zz planted.png" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--quick"], "go with --suspects"),
        (["--suspects", "s.csv", "--quick", "--folds", "3"], "--quick trains nothing"),
    ],
)
def test_suspects_want_what_they_need(arguments, says, toy_dataset, toy_model, tmp_path):
    run = evaluate(toy_dataset, "--model", toy_model, *arguments, cwd=tmp_path, expect=2)
    assert says in run.stderr


def test_suspects_want_a_dataset_that_keeps_names(toy_dataset, toy_model, tmp_path):
    run = evaluate(toy_dataset, "--model", toy_model, "--suspects", "s.csv", cwd=tmp_path, expect=3)
    assert "--keep-names" in run.stderr
    assert not (tmp_path / "s.csv").exists()


def test_calibrating_stores_what_rejecting_needs(toy_dataset, toy_model, toy_folder, tmp_path):
    for file in toy_model.parent.glob("model*"):
        shutil.copy(file, tmp_path)
    run = evaluate(toy_dataset, "--calibrate", "--json", cwd=tmp_path)
    assert "temperature" in run.stderr
    assert json.loads(run.stdout)["figures"]["n"] > 0
    stored = json.loads((tmp_path / "model_architecture.json").read_text())["glyphs"]["doubt"]
    assert stored["pictures"] > 0
    # So few pictures can promise little; classify.py says so, or rejects.
    accuracy = min((a for a, t in stored["thresholds"].items() if t is not None), default=None)
    if accuracy is None:
        run = run_script("classify.py", "--reject", toy_folder, cwd=tmp_path, expect=2)
        assert "cannot be promised" in run.stderr
    else:
        run = run_script(
            "classify.py", "--reject", "--accuracy", accuracy, toy_folder, cwd=tmp_path
        )
        assert len(run.stdout.splitlines()) == 180


def test_calibrating_on_few_pictures_keeps_a_better_calibration(toy_dataset, toy_model, tmp_path):
    for file in toy_model.parent.glob("model*"):
        shutil.copy(file, tmp_path)
    better = {"temperature": 0.8, "thresholds": {"0.999": 0.9}, "pictures": 9000, "val": ""}
    store_doubt(str(tmp_path / "model"), better)
    before = (tmp_path / "model_architecture.json").read_bytes()
    run = evaluate(toy_dataset, "--calibrate", cwd=tmp_path, expect=2)
    assert "the calibration on 9,000, which promises 99.9 %, is kept; --calibrate" in run.stderr
    assert (tmp_path / "model_architecture.json").read_bytes() == before
    evaluate(toy_dataset, "--calibrate", "--force", cwd=tmp_path)
    assert (tmp_path / "model_architecture.json").read_bytes() != before


def test_a_network_of_another_size_sees_a_dataset_as_it_learned_from_it(toy_dataset, toy_model):
    dataset = open_dataset(toy_dataset)
    size = 12, 20
    wanted = dataset.resized(size).preprocessing
    with open_labelled(toy_dataset, dataset.class_names, dataset.characters) as labelled:
        chunk = labelled.chunk(np.arange(len(labelled)))
        seen = see_chunk(chunk, wanted, False, labelled.sizes_done(wanted))
        other = dataclasses.replace(wanted, border=3)
        assert labelled.sizes_done(other) == 0
    assert np.array_equal(np.stack(seen), resize_images(np.asarray(dataset.X_test), size))


def test_only_some_classes_may_be_answered(mixed, toy_model, by_hand, tmp_path):
    (tmp_path / "wanted").write_text("bar cross")
    run = evaluate(mixed, "--model", toy_model, "--only", tmp_path / "wanted", "--json")
    found = json.loads(run.stdout)
    right = sum(
        bool(shares) and max(("bar", "cross"), key=shares.get) == label for label, shares in by_hand
    )
    assert found["figures"]["right"] == right
    assert run.stderr == ""
    (tmp_path / "wanted").write_text("bar cross square")
    run = evaluate(mixed, "--model", toy_model, "--only", tmp_path / "wanted", "--json")
    assert run.stderr == f"warning: --only: {toy_model} does not have 1 of 3: square\n"
    run = evaluate(mixed, "--model", toy_model, "--only", "digits", "--calibrate", expect=2)
    assert "--calibrate: of all classes" in run.stderr

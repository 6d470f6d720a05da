import csv
import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, SHAPES, run_script
from PIL import Image

from glyphs.artifacts.description import to_bytes
from glyphs.artifacts.loading import load_model, read_architecture
from glyphs.artifacts.saving import write_model
from glyphs.errors import ArtifactError, PictureError
from glyphs.images.preprocessing import read_image
from glyphs.inference import Classifier
from glyphs.inference.classifier import shares_of
from glyphs.inference.prediction import best_of


def classify(*arguments, **options):
    return run_script("classify.py", *arguments, **options)


def test_new_pictures_get_their_labels(toy_model, unseen):
    run = classify("--model", toy_model, unseen)
    lines = run.stdout.splitlines()
    assert len(lines) == 30
    assert run.stderr == ""
    right = [os.path.basename(line).split()[0] == line.rsplit(" ", 1)[1] for line in lines]
    assert sum(right) >= 29


def test_output_is_path_and_label_in_input_order(toy_model, unseen):
    paths = [unseen / name for name in ("ring 2.png", "bar 1.png", "ring 2.png")]
    run = classify("--model", toy_model, *paths)
    expected = zip(paths, ("ring", "bar", "ring"), strict=True)
    assert run.stdout == "".join(f"{path} {label}\n" for path, label in expected)


def test_model_is_found_in_the_working_folder(toy_model, unseen):
    run = classify(unseen / "bar 1.png", cwd=toy_model.parent)
    assert run.stdout == f"{unseen / 'bar 1.png'} bar\n"


def test_folders_are_searched_in_natural_order(toy_model, unseen, tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("10.png", "9.png", "sub/1.png"):
        shutil.copy(unseen / "bar 1.png", tmp_path / name)
    (tmp_path / "notes.txt").touch()
    run = classify("--model", toy_model, ".", cwd=tmp_path)
    assert [line.split()[0] for line in run.stdout.splitlines()] == [
        "./9.png", "./10.png", "./sub/1.png",
    ]  # fmt: skip


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\0"])
def test_names_are_read_from_standard_input(toy_model, unseen, separator):
    names = separator.join(str(unseen / name) for name in ("bar 1.png", "ring 1.png"))
    run = classify("--model", toy_model, "-", stdin=names.encode())
    assert [line.rsplit(" ", 1)[1] for line in run.stdout.splitlines()] == ["bar", "ring"]


def test_bad_pictures_are_named_and_the_rest_go_on(toy_model, unseen, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG")
    (tmp_path / "empty").mkdir()
    good = unseen / "ring 1.png"
    run = classify(
        "--model", toy_model, "bad.png", good, "missing.png", "empty", good, cwd=tmp_path, expect=1
    )
    assert run.stdout == 2 * f"{good} ring\n"
    errors = run.stderr.splitlines()
    assert sorted(line.split(":")[1].strip() for line in errors) == [
        "bad.png", "empty", "missing.png",
    ]  # fmt: skip


@pytest.mark.parametrize("options", [(), ("--explain", "maps")])
def test_a_file_of_several_pictures_is_read_and_warned_of(toy_model, unseen, tmp_path, options):
    ring, bar = (Image.open(unseen / f"{name} 1.png") for name in ("ring", "bar"))
    ring.save(tmp_path / "several.tif", save_all=True, append_images=[bar])
    run = classify("--model", toy_model, "several.tif", *options, cwd=tmp_path)
    assert run.stdout == "several.tif ring\n"
    assert run.stderr.startswith("warning: several.tif: holds several pictures, of which only")
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_files_of_several_pictures_are_known_among_many(toy_model, unseen, tmp_path, workers):
    ring = Image.open(unseen / "ring 1.png")
    ring.save(tmp_path / "several.tif", save_all=True, append_images=[ring])
    paths = 700 * [unseen / "bar 1.png"]
    paths[3] = paths[650] = tmp_path / "several.tif"
    found = Classifier(toy_model).classify(paths, workers=workers)
    assert [i for i, prediction in enumerate(found) if prediction.has_more] == [3, 650]


def test_top_gives_labels_and_percentages_that_fall(toy_model, unseen):
    run = classify("--model", toy_model, "--top", 3, unseen / "ring 1.png")
    _, _, rest = run.stdout.strip().partition(".png ")
    words = rest.split()
    assert words[0] == "ring"
    assert set(words[::2]) == set(SHAPES)
    percentages = [float(word.removesuffix("%")) for word in words[1::2]]
    assert percentages == sorted(percentages, reverse=True)
    assert sum(percentages) == pytest.approx(100, abs=0.05)


def test_top_beyond_the_classes_gives_all(toy_model, unseen):
    run = classify("--model", toy_model, "--top", 99, "--format", "json", unseen / "ring 1.png")
    assert len(json.loads(run.stdout)[0]["candidates"]) == 3


def test_csv_has_a_row_per_picture(toy_model, unseen):
    paths = [str(unseen / "bar 1.png"), str(unseen / "ring 1.png")]
    run = classify("--model", toy_model, "--format", "csv", "--top", 2, *paths)
    rows = list(csv.DictReader(io.StringIO(run.stdout)))
    assert list(rows[0]) == ["filename", "label", "probability", "label_2", "probability_2"]
    assert [(row["filename"], row["label"]) for row in rows] == [
        (paths[0], "bar"), (paths[1], "ring"),
    ]  # fmt: skip
    assert float(rows[0]["probability"]) > float(rows[0]["probability_2"])


def test_csv_has_as_many_columns_as_there_are_classes(toy_model, unseen):
    run = classify("--model", toy_model, "--format", "csv", "--top", 9, unseen / "ring 1.png")
    assert {line.count(",") for line in run.stdout.splitlines()} == {6}


def test_json_has_errors_too(toy_model, unseen):
    paths = [str(unseen / "bar 1.png"), "missing.png"]
    run = classify("--model", toy_model, "--format", "json", *paths, expect=1)
    good, bad = json.loads(run.stdout)
    assert good["path"] == paths[0]
    assert good["candidates"][0]["label"] == "bar"
    assert bad == {"path": "missing.png", "error": "no such file"}


def test_json_of_nothing_is_an_empty_list(toy_model, tmp_path):
    run = classify("--model", toy_model, "--format", "json", tmp_path, expect=1)
    assert json.loads(run.stdout) == []


def test_characters_stand_beside_code_names(toy_model, unseen, tmp_path):
    for suffix in ("_architecture.json", "_weights.h5", ".onnx"):
        shutil.copy(f"{toy_model}{suffix}", tmp_path / f"model{suffix}")

    content = read_architecture(str(tmp_path / "model"))
    content["glyphs"]["class_names"] = ["B0A1", "U+4E00", "二"]
    content["glyphs"]["characters"] = [None, "一", "二"]
    (tmp_path / "model_architecture.json").write_bytes(to_bytes(content))
    options = (
        "--model",
        tmp_path / "model",
        "--characters",
        "bar 1.png",
        "cross 1.png",
        "ring 1.png",
    )
    run = classify(*options, cwd=unseen)
    assert run.stdout == "bar 1.png B0A1\ncross 1.png U+4E00 一\nring 1.png 二\n"
    run = classify(*options, "--label-encoding", "euc-jp", cwd=unseen)
    assert run.stdout.startswith("bar 1.png B0A1 亜\n")


def test_strange_file_names_come_out_as_they_went_in(toy_model, unseen, tmp_path):
    names = ["新しい 絵.png".encode(), b"\xff\xfe.png", b"-.png"]
    for name in names:
        shutil.copy(unseen / "bar 1.png", os.fsencode(tmp_path) + b"/" + name)
    arguments = [b"./" + name for name in names]
    for environment in ({}, {"LC_ALL": "C", "PYTHONUTF8": "0"}):
        run = classify("--model", toy_model, *arguments, cwd=tmp_path, environment=environment)
        printed = run.stdout.encode("utf-8", "surrogateescape")
        assert printed == b"".join(name + b" bar\n" for name in arguments)
    run = classify("--model", toy_model, "--format", "json", *arguments, cwd=tmp_path)
    assert [os.fsencode(entry["path"]) for entry in json.loads(run.stdout)] == arguments


def test_newline_in_a_name_does_not_break_the_line(toy_model, unseen, tmp_path):
    shutil.copy(unseen / "bar 1.png", tmp_path / "two\nlines.png")
    (tmp_path / "bad\n.png").touch()
    run = classify("--model", toy_model, tmp_path, cwd=tmp_path, expect=1)
    assert run.stdout == f"{tmp_path}/two\\nlines.png bar\n"
    assert run.stderr.count("\n") == 1


def test_missing_onnx_is_made_again_once(toy_model, unseen, tmp_path):
    for suffix in ("_architecture.json", "_weights.h5", ".onnx"):
        shutil.copy(f"{toy_model}{suffix}", tmp_path / f"model{suffix}")
    model = tmp_path / "model.onnx"
    damaged = bytearray(model.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    model.write_bytes(damaged)
    run = classify(unseen / "bar 1.png", cwd=tmp_path)
    assert run.stdout.endswith(" bar\n")
    assert "model.onnx is damaged or stale; making it" in run.stderr
    assert classify(unseen / "bar 1.png", cwd=tmp_path).stderr == ""


def test_a_model_whose_weights_are_no_numbers_is_refused(toy_model, tmp_path):
    model, facts = load_model(str(toy_model))
    model.layers[-1].bias.assign(np.full(3, np.nan))
    write_model(str(tmp_path / "model"), model, facts)
    with pytest.raises(ArtifactError, match=r"model.onnx: does not fit"):
        Classifier(str(tmp_path / "model"))


def test_missing_model_exits_with_3(tmp_path):
    run = classify("a.png", cwd=tmp_path, expect=3)
    assert run.stderr.startswith("error: model_architecture.json: no such file; train a model")


@pytest.mark.parametrize("arguments", [[], ["a.png", "--top", "0"], ["a.png", "--format", "xml"]])
def test_usage_errors_exit_with_2(arguments, tmp_path):
    assert classify(*arguments, cwd=tmp_path, expect=2).stdout == ""


def test_reader_that_leaves_ends_it_quietly(toy_model, unseen):
    command = [sys.executable, ROOT / "classify.py", "--model", toy_model, *[unseen] * 40]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == b""
    process.wait()


# --- From Python ---


def test_classifier_gives_predictions_and_errors(toy_model, unseen):
    classifier = Classifier(str(toy_model))
    good, bad = classifier.classify([str(unseen / "ring 3.png"), "missing.png"], top=2)
    assert (good.label, len(good.candidates)) == ("ring", 2)
    assert good.probability > 0.5
    assert good.character is None
    assert isinstance(bad.error, PictureError)
    with pytest.raises(PictureError):
        _ = bad.label


def test_pictures_are_kept_as_they_were_seen_where_that_is_wanted(toy_model, unseen):
    classifier = Classifier(str(toy_model))
    paths = [str(unseen / "ring 3.png"), "missing.png", str(unseen / "bar 3.png")]
    kept = list(classifier.classify(paths, keep=True))
    assert [kept[0].label, kept[1].seen, kept[2].label] == ["ring", None, "bar"]
    for prediction in kept[::2]:
        image = read_image(prediction.path, classifier.preprocessing)
        np.testing.assert_array_equal(prediction.seen.image, image)
    assert not any(prediction.seen for prediction in classifier.classify(paths))


def test_classify_takes_endless_input_in_batches(toy_model, unseen):
    def endless():
        while True:
            yield str(unseen / "ring 3.png")

    predictions = Classifier(str(toy_model)).classify(endless())
    assert [next(predictions).label for _ in range(300)] == ["ring"] * 300


def test_probabilities_do_not_depend_on_the_batch(toy_model, unseen):
    classifier = Classifier(str(toy_model))
    paths = sorted(str(path) for path in unseen.iterdir())
    pictures = np.stack([read_image(p, classifier.preprocessing) for p in paths])
    together = classifier.probabilities(np.concatenate([pictures] * 6))
    alone = np.concatenate([classifier.probabilities(picture[None]) for picture in pictures])
    np.testing.assert_allclose(together[: len(paths)], alone, atol=1e-5)
    assert classifier.probabilities(pictures[:0]).shape == (0, 3)


def test_only_some_classes_answer_and_share_the_probability(toy_model, unseen, tmp_path):
    (tmp_path / "wanted.txt").write_text("ring\nbar\nU+4E00")
    whole = Classifier(str(toy_model))
    some = Classifier(str(toy_model), only=["ring", "bar", "一"])
    assert some.class_names == ["bar", "ring"]
    paths = [str(unseen / f"{shape} 1.png") for shape in SHAPES]
    images = np.stack([read_image(path, whole.preprocessing) for path in paths])
    expected = whole.probabilities(images)[:, [0, 2]].astype(float)
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(some.probabilities(images), expected, rtol=1e-5)
    run = classify("--model", toy_model, "--only", tmp_path / "wanted.txt", *paths)
    piped = classify("--model", toy_model, "--only", "/dev/stdin", *paths, stdin=b"ring bar")
    assert piped.stdout == run.stdout
    labels = [line.rsplit(" ", 1)[1] for line in run.stdout.splitlines()]
    assert labels[0] == "bar"
    assert labels[1] in ("bar", "ring")
    assert labels[2] == "ring"


@pytest.mark.parametrize("parts", [(), ("--parts", "answers", "--part", "1/1")])
def test_what_only_names_and_the_model_lacks_is_said(toy_model, unseen, tmp_path, parts):
    (tmp_path / "wanted.txt").write_text("ring bar", encoding="utf-8")
    command = ("--model", toy_model, "--only", "wanted.txt", unseen, *parts)
    assert classify(*command, cwd=tmp_path).stderr == ""
    run = classify("--only", "digits", *command, cwd=tmp_path, expect=3 if parts else 0)
    warning, *_ = run.stderr.splitlines()
    assert warning == f"warning: --only: {toy_model} does not have 10 of 12: 0 1 2 3 4 5 6 7 8 9"


def test_only_classes_that_no_model_has_is_an_error(toy_model, unseen):
    run = classify("--model", toy_model, "--only", "hiragana", unseen, expect=2)
    assert "has none of the classes that alone may be answered" in run.stderr
    run = classify("--model", toy_model, "--only", "missing", unseen, expect=2)
    assert "missing: no such file, and no such set" in run.stderr


def test_where_the_network_gives_nothing_to_the_wanted_classes_they_share_alike():
    shares = shares_of(np.array([[1, 0, 0]], np.float32), [1, 2])
    np.testing.assert_array_equal(shares, [[0.5, 0.5]])


@pytest.mark.parametrize("top", [1, 2, 3, 10, 100])
def test_the_best_classes_are_those_that_sorting_all_finds(top):
    rng = np.random.default_rng(top)
    for n in rng.integers(1, 60, 200):
        probabilities = (rng.integers(0, 8, n) / 8).astype(np.float32)  # with many equals
        expected = np.argsort(-probabilities, kind="stable")[:top]
        np.testing.assert_array_equal(best_of(probabilities, top), expected)

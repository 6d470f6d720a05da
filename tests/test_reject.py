import csv
import io
import json
import pickle
import shutil

import numpy as np
import pytest
from conftest import run_script
from PIL import Image

from glyphs.artifacts.description import to_bytes
from glyphs.artifacts.doubt import store_doubt
from glyphs.artifacts.loading import read_architecture
from glyphs.errors import ArtifactError, BlankError, PictureError, UsageError
from glyphs.images.preprocessing import read_image
from glyphs.inference import Classifier
from glyphs.inference.temperature import with_temperature

NAMES = ("bar 1.png", "cross 1.png", "ring 1.png", "ring 2.png")


def copy_model(toy_model, folder):
    for suffix in ("_architecture.json", "_weights.h5", ".onnx"):
        shutil.copy(f"{toy_model}{suffix}", folder / f"model{suffix}")
    return str(folder / "model")


@pytest.fixture(scope="module")
def calibrated(toy_model, unseen, tmp_path_factory):
    """A calibrated copy of the toy model in a folder with four pictures and a blank one.

    Its threshold for .9 lies below the confidence in all four, the one for .99 above the confidence
    in two of them; .999 has none.
    """
    folder = tmp_path_factory.mktemp("calibrated")
    prefix = copy_model(toy_model, folder)
    for name in NAMES:
        shutil.copy(unseen / name, folder)
    Image.new("L", (40, 40), 240).save(folder / "blank.png")
    raw = [p.probability for p in Classifier(prefix).classify([str(folder / n) for n in NAMES])]
    doubt = {"temperature": 2.0, "thresholds": {}, "pictures": 500, "val": "the val split"}
    store_doubt(prefix, doubt)
    sure = [p.probability for p in Classifier(prefix).classify([str(folder / n) for n in NAMES])]
    assert max(sure) < max(raw)
    low, high = min(sure) / 2, float(np.median(sure))
    assert sum(confidence < high for confidence in sure) == 2
    doubt["thresholds"] = {"0.9": low, "0.99": high, "0.999": None}
    store_doubt(prefix, doubt)
    return folder, dict(zip(NAMES, (confidence < high for confidence in sure), strict=True))


def classify(folder, *arguments, **options):
    return run_script("classify.py", *arguments, *NAMES, "blank.png", cwd=folder, **options)


def test_what_is_not_sure_enough_and_blank_pictures_get_a_question_mark(calibrated):
    folder, is_rejected = calibrated
    run = classify(folder, "--reject")
    expected = [f"{name} {'?' if is_rejected[name] else name.split()[0]}" for name in NAMES]
    assert run.stdout.splitlines() == [*expected, "blank.png ?"]
    assert run.stderr == ""


def test_a_lower_accuracy_lets_more_through(calibrated):
    run = classify(calibrated[0], "--reject", "--accuracy", ".5")  # the nearest stored one is .9
    assert run.stdout.splitlines() == [f"{n} {n.split()[0]}" for n in NAMES] + ["blank.png ?"]


def test_the_candidates_of_what_is_rejected_follow_where_they_are_wanted(calibrated):
    folder, is_rejected = calibrated
    plain = classify(folder, "--top", 2, expect=1)
    assert plain.stderr.startswith("error: blank.png: blank: no ink found")
    expected = [
        line.replace(name, f"{name} ?") if is_rejected[name] else line
        for name, line in zip(NAMES, plain.stdout.splitlines(), strict=True)
    ]
    run = classify(folder, "--top", 2, "--reject")
    assert run.stdout.splitlines() == [*expected, "blank.png ?"]


def test_csv_and_json_hold_the_best_guess_and_whether_it_is_rejected(calibrated):
    folder, is_rejected = calibrated
    run = classify(folder, "--format", "csv", "--reject")
    rows = list(csv.DictReader(io.StringIO(run.stdout)))
    assert list(rows[0]) == ["filename", "label", "probability", "rejected"]
    for name, row in zip(NAMES, rows, strict=False):
        assert row["label"] == name.split()[0]
        assert row["rejected"] == ("true" if is_rejected[name] else "false")
    assert list(rows[4].values()) == ["blank.png", "", "", "true"]
    entries = json.loads(classify(folder, "--format", "json", "--reject").stdout)
    for name, entry in zip(NAMES, entries, strict=False):
        assert entry["candidates"][0]["label"] == name.split()[0]
        assert entry["rejected"] is is_rejected[name]
    assert entries[4] == {"path": "blank.png", "candidates": [], "rejected": True}


def test_without_reject_nothing_but_the_percentages_changes(calibrated, toy_model):
    folder, _ = calibrated
    for options in ((), ("--format", "csv"), ("--format", "json")):
        old = classify(folder, "--model", toy_model, *options, expect=1)
        new = classify(folder, *options, expect=1)
        assert (new.stdout == old.stdout) is not bool(options)
        assert "rejected" not in new.stdout
        assert new.stderr == old.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--reject", "--accuracy", ".995"), "an accuracy of 0.995 cannot be promised: the 500"),
        (("--reject", "--accuracy", "1"), "must be a share below 1"),
        (("--accuracy", ".9"), "error: --accuracy says how much --reject lets through"),
        (("--reject", "--tta"), "error: a model is calibrated without --tta"),
    ],
)
def test_what_cannot_be_promised_is_an_error(calibrated, options, says):
    run = classify(calibrated[0], *options, "--format", "csv", expect=2)
    assert says in run.stderr
    assert run.stdout == ""


def test_a_model_that_was_never_calibrated_says_what_to_do(toy_model, unseen):
    run = run_script("classify.py", "--model", toy_model, "--reject", unseen, expect=2)
    assert run.stderr == f"error: {toy_model}: was never calibrated; run evaluate.py --calibrate\n"
    assert run.stdout == ""


def test_maps_of_what_is_rejected_are_drawn_too(calibrated, tmp_path):
    folder, is_rejected = calibrated
    run = classify(folder, "--reject", "--explain", tmp_path / "maps")
    assert run.stdout.count("?") == sum(is_rejected.values()) + 1
    assert len(list((tmp_path / "maps").iterdir())) == 4  # of a blank picture there is nothing


# --- From Python ---


def test_predictions_say_that_they_are_rejected(calibrated):
    folder, is_rejected = calibrated
    classifier = Classifier(str(folder / "model"))
    paths = [str(folder / name) for name in (*NAMES, "blank.png", "missing.png")]
    *read, blank, missing = classifier.classify(paths, accuracy=0.99)
    assert [p.rejected for p in read] == list(is_rejected.values())
    assert [p.label for p in read] == [name.split()[0] for name in NAMES]
    assert blank.rejected
    assert isinstance(blank.error, BlankError)
    assert isinstance(missing.error, PictureError)
    assert not missing.rejected
    assert not any(p.rejected for p in classifier.classify(paths))
    with pytest.raises(UsageError):  # at once, not with the first picture
        classifier.classify(paths, accuracy=0.9999)


def test_probabilities_are_at_the_stored_temperature_unless_told_otherwise(calibrated):
    folder, _ = calibrated
    raw = Classifier(str(folder / "model"), calibrated=False)
    classifier = Classifier(str(folder / "model"))
    assert (raw.doubt, classifier.doubt.temperature) == (None, 2)
    images = np.stack([read_image(str(folder / name), raw.preprocessing) for name in NAMES])
    probabilities = raw.probabilities(images)
    expected = with_temperature(probabilities, 2)
    np.testing.assert_allclose(classifier.probabilities(images), expected, atol=1e-6)
    assert not np.allclose(probabilities, expected, atol=1e-4)


def test_a_doubt_that_is_none_is_refused_but_can_be_replaced(toy_model, tmp_path):
    prefix = copy_model(toy_model, tmp_path)
    content = read_architecture(prefix)
    content["glyphs"]["doubt"] = {"temperature": "hot"}
    (tmp_path / "model_architecture.json").write_bytes(to_bytes(content))
    with pytest.raises(ArtifactError, match="calibration that makes no sense; run evaluate"):
        Classifier(prefix)
    Classifier(prefix, calibrated=False)
    store_doubt(prefix, {"temperature": 1, "thresholds": {}, "pictures": 0, "val": ""})
    assert Classifier(prefix).doubt.temperature == 1


def test_blank_errors_cross_processes_as_what_they_are():
    error = pickle.loads(pickle.dumps(BlankError("a.png", "blank")))
    assert type(error) is BlankError
    assert (error.path, error.reason) == ("a.png", "blank")

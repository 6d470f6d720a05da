import json
import os
import shutil

import numpy as np
import pytest
from conftest import SHAPES

from glyphs import files
from glyphs.artifacts.doubt import Doubt, store_doubt
from glyphs.artifacts.loading import load_model, read_architecture
from glyphs.artifacts.paths import Paths
from glyphs.artifacts.saving import write_model
from glyphs.errors import ArtifactError, StorageError, UsageError
from glyphs.evaluation.calibration import fit_temperature, measure_doubt, thresholds
from glyphs.inference.temperature import with_temperature
from glyphs.networks.kanji import kanji

DOUBT = {
    "temperature": 0.8,
    "thresholds": {"0.9": 0.25, "0.99": 0.75, "0.999": None},
    "pictures": 1200,
    "val": "the val split",
}


def softmax(scores):
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def draw_labels(probabilities, rng):
    return (probabilities.cumsum(axis=1) > rng.random((len(probabilities), 1))).argmax(axis=1)


# --- The temperature ---


@pytest.mark.parametrize("temperature", [0.3, 1, 2.5])
def test_the_temperature_that_spoiled_the_scores_is_found(temperature):
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 3, (20_000, 10))
    labels = draw_labels(softmax(scores), rng)
    spoiled = np.log(softmax(scores * temperature))
    assert fit_temperature(spoiled, labels) == pytest.approx(temperature, rel=0.03)
    assert fit_temperature(scores * temperature, labels) == pytest.approx(temperature, rel=0.03)


def test_the_temperature_is_the_best_of_a_slow_search():
    rng = np.random.default_rng(1)
    logs = np.log(softmax(rng.normal(0, 2, (300, 5))))
    labels = draw_labels(softmax(rng.normal(0, 1, (300, 5)) + logs), rng)

    def log_loss(temperature):
        return -np.log(softmax(logs / temperature)[np.arange(300), labels]).mean()

    slow = min(np.geomspace(0.05, 20, 5000), key=log_loss)
    assert fit_temperature(logs, labels) == pytest.approx(slow, rel=0.002)


def test_where_nothing_is_wrong_the_temperature_is_1():
    logs = np.log(np.float32([[0.9, 0.1], [0.2, 0.8]]))
    assert fit_temperature(logs, [0, 1]) == 1
    assert fit_temperature(logs[:0], []) == 1


def test_a_label_of_probability_0_does_not_spoil_the_fit():
    with np.errstate(divide="ignore"):
        logs = np.log(np.float32([[1, 0], [0.9, 0.1], [0.9, 0.1]]))
    assert np.isfinite(fit_temperature(logs, [1, 0, 0]))


@pytest.mark.parametrize("temperature", [1e-3, 0.4, 3, 1e3])
def test_rows_add_to_1_and_keep_their_order(temperature):
    rng = np.random.default_rng(2)
    probabilities = softmax(rng.normal(0, 3, (200, 7))).astype(np.float32)
    probabilities[:, 3] = 0
    probabilities[0] = [0, 0, 1, 0, 0, 0, 0]
    result = with_temperature(probabilities, temperature)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(result.argmax(axis=1), probabilities.argmax(axis=1))
    np.testing.assert_array_equal(result[:, 3], 0)
    np.testing.assert_array_equal(result[0], probabilities[0])


def test_other_temperatures_are_softmax_of_divided_scores():
    scores = np.random.default_rng(3).normal(0, 3, (50, 6))
    expected = softmax(scores / 1.7)
    np.testing.assert_allclose(with_temperature(softmax(scores), 1.7), expected, atol=1e-6)


def test_temperature_1_returns_what_it_got():
    probabilities = np.float32([[0.25, 0.75]])
    assert with_temperature(probabilities, 1.0) is probabilities


# --- The thresholds ---


def slow_thresholds(confidences, is_right, accuracy):
    """The lowest confidence whose answers are right so often with 95 % certainty, one by one."""
    from scipy import stats

    good = []
    for threshold in set(confidences.tolist()):
        answers = is_right[confidences >= threshold]
        right, n = int(answers.sum()), len(answers)
        test = stats.binomtest(right, n).proportion_ci(0.9, method="exact")
        if right and test.low >= accuracy:
            good.append(threshold)
    return min(good, default=None)


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_are_those_of_the_slow_search(seed):
    rng = np.random.default_rng(seed)
    confidences = rng.random(600).round(2)  # with many equal ones
    is_right = rng.random(600) < confidences**0.2
    found = thresholds(confidences, is_right, [0.5, 0.8, 0.9, 0.99])
    for accuracy, threshold in found.items():
        assert threshold == slow_thresholds(confidences, is_right, accuracy)
    assert found[0.8] is not None


def test_few_pictures_promise_little():
    confidences, is_right = np.linspace(0.5, 1, 298), np.full(298, True)
    assert thresholds(confidences, is_right, [0.99]) == {0.99: None}
    confidences, is_right = np.linspace(0.5, 1, 299), np.full(299, True)
    assert thresholds(confidences, is_right, [0.99]) == {0.99: 0.5}
    assert thresholds(confidences[:0], is_right[:0], [0.9]) == {0.9: None}


def test_a_stricter_accuracy_has_no_lower_threshold():
    rng = np.random.default_rng(4)
    confidences = rng.random(20_000) ** 0.2
    found = thresholds(confidences, rng.random(20_000) < confidences)
    values = [threshold for threshold in found.values() if threshold is not None]
    assert len(values) >= 3
    assert values == sorted(values)


def test_what_is_measured_can_be_stored_and_says_where_it_is_from():
    rng = np.random.default_rng(5)
    probabilities = softmax(rng.normal(0, 5, (2000, 4)))
    labels = draw_labels(with_temperature(probabilities, 2), rng)
    doubt = measure_doubt(probabilities.astype(np.float32), labels, val="the val split")
    assert doubt["temperature"] == pytest.approx(2, rel=0.1)
    assert set(doubt["thresholds"]) == {"0.9", "0.95", "0.98", "0.99", "0.995", "0.999"}
    assert doubt["thresholds"]["0.999"] is None
    assert 0.5 < doubt["thresholds"]["0.95"] < 1
    assert (doubt["pictures"], doubt["val"]) == (2000, "the val split")
    assert json.loads(json.dumps(doubt)) == doubt
    Doubt.from_json(doubt)


# --- What is stored ---


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("original") / "model"
    facts = {"class_names": list(SHAPES), "characters": [None] * 3}
    write_model(str(prefix), kanji((8, 8), 3, filters=(2, 2, 2), units=4), facts)
    return prefix


@pytest.fixture
def prefix(original, tmp_path):
    for path in original.parent.iterdir():
        shutil.copy(path, tmp_path)
    return str(tmp_path / "model")


def test_doubt_is_stored_and_nothing_else_changes(prefix, tmp_path):
    before = read_architecture(prefix)
    weights = files.sha256_of_file(Paths(prefix).weights)
    store_doubt(prefix, DOUBT)
    after = read_architecture(prefix)  # so it is signed
    assert after["glyphs"].pop("doubt") == DOUBT
    assert after["glyphs"].pop("glyphs_sha256") != before["glyphs"].pop("glyphs_sha256")
    assert json.dumps(after) == json.dumps(before)
    assert files.sha256_of_file(Paths(prefix).weights) == weights
    assert len(os.listdir(tmp_path)) == 2
    load_model(prefix)


def test_doubt_is_replaced_by_newer(prefix):
    store_doubt(prefix, DOUBT)
    store_doubt(prefix, {**DOUBT, "temperature": 2})
    assert read_architecture(prefix)["glyphs"]["doubt"]["temperature"] == 2


def test_a_better_doubt_is_lost_only_by_force(prefix):
    store_doubt(prefix, DOUBT)
    few = {**DOUBT, "pictures": 18, "thresholds": {"0.9": None}}
    message = r"18 pictures can promise no accuracy, .* on 1,200, which promises 99 %, is kept"
    with pytest.raises(UsageError, match=message):
        store_doubt(prefix, few)
    assert read_architecture(prefix)["glyphs"]["doubt"] == DOUBT
    store_doubt(prefix, few, force=True)
    assert read_architecture(prefix)["glyphs"]["doubt"] == few


@pytest.mark.parametrize(
    "change",
    [{"pictures": 18}, {"thresholds": {"0.9": 0.25}}, {"pictures": 18, "thresholds": {"0.995": 1}}],
)
def test_a_doubt_of_fewer_pictures_or_of_less_promise_is_stored(prefix, change):
    store_doubt(prefix, DOUBT)
    store_doubt(prefix, {**DOUBT, **change})
    assert read_architecture(prefix)["glyphs"]["doubt"] == {**DOUBT, **change}


def test_a_damaged_model_gets_no_doubt(prefix):
    with open(Paths(prefix).weights, "ab") as file:
        file.write(b"x")
    with pytest.raises(ArtifactError, match="not the weights of"):
        store_doubt(prefix, DOUBT)


def test_a_failed_write_leaves_the_old_file(prefix, monkeypatch):
    with open(Paths(prefix).architecture, "rb") as file:
        before = file.read()

    def fail(file):
        raise PermissionError(13, "denied")

    monkeypatch.setattr(files, "flush", fail)
    with pytest.raises(StorageError):
        store_doubt(prefix, DOUBT)
    with open(Paths(prefix).architecture, "rb") as file:
        assert file.read() == before


@pytest.mark.parametrize(
    "change",
    [{"temperature": 0}, {"temperature": float("nan")}, {"temperature": True},
     {"temperature": "1"}, {"thresholds": {"0.99": 1.5}}, {"thresholds": {"1.5": 0.5}},
     {"thresholds": {"much": 0.5}}, {"thresholds": []}, {"pictures": -1}, {"pictures": 1.5},
     {"val": None}],
    ids=range(11),
)  # fmt: skip
def test_what_is_no_doubt_is_refused(change):
    with pytest.raises(ValueError, match="not a doubt"):
        Doubt.from_json({**DOUBT, **change})


@pytest.mark.parametrize("value", [None, 1, [], {}, "doubt"])
def test_values_of_other_kinds_are_refused(value):
    with pytest.raises(ValueError, match="not a doubt"):
        Doubt.from_json(value)


def test_a_wanted_accuracy_gets_the_nearest_threshold_that_is_as_strict():
    doubt = Doubt.from_json(DOUBT)
    assert [doubt.threshold(accuracy) for accuracy in (0.5, 0.9, 0.91, 0.99)] == [
        0.25, 0.25, 0.75, 0.75,
    ]  # fmt: skip
    with pytest.raises(UsageError, match=r"0.995 cannot be promised: the 1,200 .* allow 0.9, 0.99"):
        doubt.threshold(0.995)
    with pytest.raises(UsageError, match="allow no accuracy"):
        Doubt.from_json({**DOUBT, "thresholds": {"0.9": None}}).threshold(0.9)


def test_no_threshold_is_below_what_right_answers_usually_reach():
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 3, 2000)
    probabilities = np.full((2000, 3), 0.02)
    probabilities[np.arange(2000), labels] = 0.96
    probabilities[:10] = 0.34, 0.33, 0.33  # hardly sure, and mostly wrong
    doubt = measure_doubt(probabilities, labels, val="")
    lowest = min(filter(None, doubt["thresholds"].values()))
    # All together they are right in 99 of 100 cases and more, but .34 is nothing to believe.
    assert lowest > 0.5

"""Wrong labels are found by models that have not learned from them."""

import csv
import dataclasses
import functools

import keras
import numpy as np
import pytest
from conftest import run_script

from glyphs import console
from glyphs.dataset.corrections import read_corrections
from glyphs.dataset.open import open_dataset
from glyphs.errors import ArtifactError, UsageError
from glyphs.evaluation import out_of_sample, suspects
from glyphs.inference import Classifier
from glyphs.networks import catalogue
from glyphs.training.recipe import for_network

FLIPPED = {
    "B0EC/0007.png": "B2BC", "B0EC/0040.png": "B8FD", "B2BC/0001.png": "BFCD",
    "B8FD/0020.png": "B0EC", "BFCD/0033.png": "B2BC", "BFCD/0034.png": "B8FD",
}  # fmt: skip


def random_answers(n, n_classes, seed, share=0.1):
    """Return probabilities of a model that is often right, and labels of which a share is wrong."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n)
    logits = rng.normal(0, 1, (n, n_classes)) + 7 * np.eye(n_classes)[truth]
    labels = np.where(rng.random(n) < share, rng.integers(0, n_classes, n), truth)
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True), labels, truth


def slow_suspects(probabilities, labels):
    """Confident learning of all probabilities, picture by picture."""
    n, n_classes = probabilities.shape
    thresholds = [
        np.mean([probabilities[i, j] for i in range(n) if labels[i] == j] or [np.inf])
        for j in range(n_classes)
    ]
    joint = np.zeros((n_classes, n_classes))
    for i in range(n):
        confident = [j for j in range(n_classes) if probabilities[i, j] >= thresholds[j]]
        if confident:
            joint[labels[i], max(confident, key=lambda j: probabilities[i, j])] += 1
    n_wrong = 0
    for label in range(n_classes):
        wrong = joint[label].sum() - joint[label, label]
        n_wrong += sum(labels == label) * wrong / max(1, joint[label].sum())
    found = [
        (probabilities[i, labels[i]], i, int(probabilities[i].argmax()))
        for i in range(n)
        if probabilities[i].argmax() != labels[i]
    ]
    return [(i, best) for _, i, best in sorted(found)[: round(n_wrong)]]


@pytest.mark.parametrize("n_classes", [2, 4, 30])
def test_suspects_are_those_of_the_plain_method(n_classes):
    probabilities, labels, _ = random_answers(400, n_classes, seed=n_classes)
    probabilities = probabilities.astype(np.float32)
    found = suspects.rank_suspects(suspects.guesses_of(probabilities, labels))
    pairs = list(zip(found.rows.tolist(), found.suggestions.tolist(), strict=True))
    assert pairs == slow_suspects(probabilities, labels)
    np.testing.assert_array_equal(found.of_label, probabilities[found.rows, labels[found.rows]])
    best = probabilities[found.rows, found.suggestions]
    np.testing.assert_array_equal(found.of_suggestion, best)


def test_wrong_labels_are_found_among_right_ones():
    probabilities, labels, truth = random_answers(3000, 10, seed=1, share=0.05)
    found = suspects.rank_suspects(suspects.guesses_of(probabilities, labels))
    is_wrong = labels != truth
    assert is_wrong[found.rows].mean() > 0.7
    assert is_wrong[found.rows].sum() > 0.9 * is_wrong.sum()
    assert is_wrong[found.rows[:50]].all()


def test_blocks_make_up_the_whole():
    probabilities, labels, _ = random_answers(90, 7, seed=2)
    whole = suspects.guesses_of(probabilities, labels)
    blocks = [
        suspects.guesses_of(probabilities[s], labels[s], np.arange(90)[s])
        for s in (slice(60, 90), slice(0, 60))
    ]
    joined = suspects.joined(blocks)
    for field in dataclasses.fields(whole):
        np.testing.assert_array_equal(getattr(joined, field.name), getattr(whole, field.name))


def test_nothing_is_suspected_of_nothing():
    nothing = suspects.guesses_of(np.empty((0, 3)), [])
    assert len(suspects.rank_suspects(nothing)) == 0


def test_the_only_picture_of_a_class_is_no_suspect():
    guesses = suspects.guesses_of([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1]], [0, 0, 1])
    assert len(suspects.rank_suspects(guesses)) == 0


def test_each_part_has_its_share_of_each_class():
    y = np.random.default_rng(1).permutation(np.repeat(np.arange(13), 7))
    part = out_of_sample.folds_of(y, 5)
    counts = np.array([np.bincount(y[part == fold], minlength=13) for fold in range(5)])
    assert counts.min() == 1
    assert counts.max() == 2
    assert np.ptp(counts.sum(axis=1)) <= 3
    np.testing.assert_array_equal(part, out_of_sample.folds_of(y, 5))


def test_a_group_stays_in_one_part():
    y = np.tile(np.arange(5), 24)
    groups = np.repeat(np.arange(12), 10)
    part = out_of_sample.folds_of(y, 4, groups=groups)
    assert sorted(np.unique(part)) == [0, 1, 2, 3]
    assert all(len(np.unique(part[groups == group])) == 1 for group in range(12))
    with pytest.raises(UsageError, match="fewer groups"):
        out_of_sample.folds_of(y, 13, groups=groups)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """40 pictures of each of four characters."""
    folder = tmp_path_factory.mktemp("drawn") / "drawn"
    run_script("draw_samples.py", folder, "--count", 40, "--characters", "一口人下")
    return folder


@pytest.fixture(scope="module")
def flipped(drawn):
    """A dataset of the drawn pictures in which six labels are wrong."""
    folder = drawn.parent
    rows = [f"{name},{name.partition('/')[0]},{wrong}\n" for name, wrong in FLIPPED.items()]
    (folder / "flips.csv").write_text("path,label,correction\n" + "".join(rows))
    run_script(
        "create_dataset.py", drawn, "--image-size", 16, "--keep-names", "--corrections",
        "flips.csv", cwd=folder,
    )  # fmt: skip
    return open_dataset(folder / "characters_dataset")


def small_network(name, image_size, n_classes):
    """Compiles in a tenth of the time that glyphnet takes."""
    layers = keras.layers
    inputs = keras.Input((*image_size, 1))
    x = layers.Conv2D(8, 5, strides=2, activation="relu")(layers.Rescaling(1 / 255)(inputs))
    outputs = layers.Dense(n_classes, activation="softmax")(layers.Flatten()(x))
    return keras.Model(inputs, outputs)


def ask(dataset, folds=3, epochs=12):
    fast = {"batch_size": 16, "learning_rate": 0.01, "augment": "none"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "build", small_network)
        patch.setattr(out_of_sample, "for_network", functools.partial(for_network, **fast))
        return out_of_sample.by_folds(dataset, log=console, folds=folds, epochs=epochs)


@pytest.fixture(scope="module")
def guesses(flipped):
    return ask(flipped)


def test_planted_wrong_labels_are_ranked_first(flipped, guesses, capsys):
    assert guesses.rows.tolist() == list(range(160))
    found = suspects.rank_suspects(guesses)
    first = found.rows[:5]
    assert {flipped.names[row] for row in first} < set(FLIPPED)
    for row, suggestion in zip(first, found.suggestions, strict=False):
        assert flipped.class_names[suggestion] == flipped.names[row].partition("/")[0]


def test_the_same_seed_gives_the_same_answers(flipped, capsys):
    one, other = (ask(flipped, folds=2, epochs=1) for _ in range(2))
    np.testing.assert_array_equal(one.of_top, other.of_top)
    assert "fold 2/2  80 pictures learned in 1 epochs, " in capsys.readouterr().out


def test_suspects_become_corrections_that_become_a_dataset(drawn, flipped, guesses, tmp_path):
    found = suspects.rank_suspects(guesses)
    first = suspects.Suspects(*(getattr(found, f.name)[:5] for f in dataclasses.fields(found)))
    assert suspects.write_suspects(tmp_path / "suspects.csv", flipped, guesses, first) == 5
    text = (tmp_path / "suspects.csv").read_text()
    assert text.startswith("path,label,suggestion,probability_of_label,probability_of_suggestion\n")
    # The pictures lie where they belong: it is the labels of the table that are wrong.
    table = tmp_path / "labels.csv"
    wrong = {name: FLIPPED[name] for name in (flipped.names[row] for row in first.rows)}
    rows = [
        f"{drawn}/{name},{wrong.get(name, name.partition('/')[0])}\n"
        for name in sorted(flipped.names)
    ]
    table.write_text("file,label\n" + "".join(rows))
    text = text.replace("suggestion,", "correction,", 1)
    (tmp_path / "corrections.csv").write_text(
        text.replace("\n", f"\n{drawn}/").removesuffix(f"{drawn}/")
    )
    arguments = ("create_dataset.py", table, "--keep-names", "--corrections", "corrections.csv")
    assert "5 labels changed, 0 pictures" in run_script(*arguments, cwd=tmp_path).stdout
    dataset = open_dataset(tmp_path / "characters_dataset")
    y = np.concatenate([dataset.y_train, dataset.y_val, dataset.y_test])
    for name, label in zip(dataset.names, y, strict=True):
        assert f"/{dataset.class_names[label]}/" in name


def test_any_name_survives_the_table(flipped, guesses, tmp_path):
    names = [f'a,"{i}"\nb;\udce4.png' for i in range(160)]
    kept = {"train": names[:128], "val": names[128:144], "test": names[144:]}
    dataset = dataclasses.replace(flipped, manifest=flipped.manifest | {"names": kept})
    found = suspects.rank_suspects(guesses)
    n = suspects.write_suspects(tmp_path / "suspects.csv", dataset, guesses, found)
    data = (tmp_path / "suspects.csv").read_bytes()
    (tmp_path / "corrections.csv").write_bytes(data.replace(b"suggestion", b"correction", 1))
    lines = read_corrections(tmp_path / "corrections.csv").lines
    assert list(lines) == [names[row] for row in found.rows]
    assert len(lines) == n == len(found)


def test_the_class_of_rare_characters_is_nobodys_suggestion(flipped, guesses, tmp_path):
    manifest = flipped.manifest | {"selection": {"rare": ["x"]}}
    names = ["一", "下", "rare", "人"]
    dataset = dataclasses.replace(flipped, manifest=manifest, class_names=names)
    found = suspects.rank_suspects(guesses)
    suspects.write_suspects(tmp_path / "suspects.csv", dataset, guesses, found)
    with open(tmp_path / "suspects.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert not any("rare" in (row["label"], row["suggestion"]) for row in rows)
    assert len(rows) < len(found)


def test_a_dataset_without_names_is_refused(toy_dataset, guesses, tmp_path):
    dataset = open_dataset(toy_dataset)
    found = suspects.rank_suspects(guesses)
    with pytest.raises(ArtifactError, match=r"again with create_dataset\.py --keep-names"):
        suspects.write_suspects(tmp_path / "suspects.csv", dataset, guesses, found)
    assert not list(tmp_path.iterdir())


def test_a_model_is_asked_about_what_it_has_not_learned(toy_dataset, toy_model, flipped):
    classifier = Classifier(str(toy_model))
    with pytest.raises(ArtifactError, match=r"was not trained on .*; name the dataset"):
        out_of_sample.by_model(flipped, classifier, str(toy_model))
    dataset = open_dataset(toy_dataset)
    with pytest.raises(ArtifactError, match="has learned val and test too, by its refit"):
        out_of_sample.by_model(dataset, classifier, str(toy_model))
    classifier.facts["training"]["refit"] = False
    guesses = out_of_sample.by_model(dataset, classifier, str(toy_model))
    assert guesses.rows.tolist() == list(range(144, 180))
    y = np.concatenate([dataset.y_val, dataset.y_test])
    np.testing.assert_array_equal(guesses.labels, y)
    images = np.concatenate([dataset.X_val, dataset.X_test])
    expected = classifier.probabilities(images).max(axis=1)
    np.testing.assert_allclose(guesses.of_top[:, 0], expected, rtol=1e-6)

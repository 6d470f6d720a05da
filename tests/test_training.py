import dataclasses
import math
import os
import pathlib
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from conftest import ROOT, heed_ctrl_c, run_script

from glyphs import console
from glyphs.artifacts import onnx_file
from glyphs.artifacts.loading import load_model, read_architecture
from glyphs.artifacts.saving import write_model
from glyphs.dataset.open import open_dataset
from glyphs.errors import ArtifactError, GlyphsError
from glyphs.images.preprocessing import Preprocessing, resize_images
from glyphs.networks import catalogue
from glyphs.training import checkpoint, cycles, optimizer
from glyphs.training import recipe as recipe_module
from glyphs.training.batches import (
    Batches,
    Distortion,
    LabelledImages,
    Splits,
    balanced_weights,
    epoch_batches,
    images_of,
)
from glyphs.training.learner import Learner
from glyphs.training.loop import Training
from glyphs.training.recipe import Recipe
from glyphs.training.warm_start import take_weights

RECIPE = Recipe("small", 2, 2, (0.002, 0.0002), 20, 1, refit=True)


def small_network(image_size, n_classes):
    """All that makes resuming hard, BatchNorm and Dropout, in a network that compiles fast."""
    layers = keras.layers
    inputs = keras.Input((*image_size, 1), name="images")
    x = layers.Flatten(name="flatten")(layers.Rescaling(1 / 255, name="rescaling")(inputs))
    x = layers.BatchNormalization(name="norm")(layers.Dense(16, name="dense")(x))
    x = layers.Dropout(0.5, name="dropout")(x)
    outputs = layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model(inputs, outputs, name="small")


@pytest.fixture(scope="module")
def dataset(toy_dataset):
    return open_dataset(toy_dataset)


class Interrupted(BaseException):
    """Stands for kill -9: nothing in the program handles it."""


def make(dataset, prefix, recipe=RECIPE):
    return Training(dataset, small_network, recipe, str(prefix), log=console)


def train(dataset, prefix, recipe=RECIPE, *, stop_after=None, resume=False):
    """Train without the conversion to ONNX; stop as if killed, after so many checkpoints."""
    run = make(dataset, prefix, recipe)
    write, written = run.write_checkpoint, []

    def write_and_count():
        write()
        written.append(1)
        if len(written) == stop_after:
            raise Interrupted

    run.write_checkpoint = write_and_count
    try:
        run.run(resume=resume)
    except Interrupted:
        return None
    return run


def is_finished(run):
    return checkpoint.is_finished(run.prefix, run.identity, run.recipe)


@pytest.fixture(autouse=True, scope="module")
def no_conversion():
    def convert(prefix, architecture):
        raise ArtifactError("not converted in this test")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_file, "convert", convert)
        yield


@pytest.fixture(scope="module")
def whole_run(dataset, tmp_path_factory):
    return train(dataset, tmp_path_factory.mktemp("whole") / "whole")


@pytest.mark.parametrize("stop_after", [1, 4, 7])  # in the first cycle, before and in the refit
def test_resumed_run_ends_with_the_same_weights(dataset, tmp_path, whole_run, stop_after):
    assert train(dataset, tmp_path / "cut", stop_after=stop_after) is None
    resumed = train(dataset, tmp_path / "cut", resume=True)
    assert resumed.state.history == whole_run.state.history
    for one, other in zip(resumed.learner.variables, whole_run.learner.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    for name in ("weights", "architecture"):
        one, other = (
            pathlib.Path(getattr(r.paths, name)).read_bytes() for r in (resumed, whole_run)
        )
        assert one == other


def test_saved_description_is_of_an_uncompiled_model(whole_run):
    text = pathlib.Path(whole_run.paths.architecture).read_text()
    assert not keras.models.model_from_json(text).compiled


def test_mixed_precision_changes_the_training_alone(dataset, tmp_path):
    usual = dataclasses.replace(RECIPE, label_smoothing=0.1)
    recipe = dataclasses.replace(usual, mixed_precision=True)
    run = train(dataset, tmp_path / "m", recipe)
    assert run.learner.model.get_layer("dense").compute_dtype == "bfloat16"
    assert {weight.dtype for weight in run.learner.model.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    assert "bfloat16" not in (tmp_path / "m_architecture.json").read_text()
    saved = load_model(str(tmp_path / "m"))[0]
    for a, b in zip(saved.get_weights(), run.learner.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert train(dataset, tmp_path / "cut", recipe, stop_after=3) is None
    resumed = train(dataset, tmp_path / "cut", recipe, resume=True)
    assert resumed.state.history == run.state.history
    # It begins as in float32, and learns something else.
    plain = train(dataset, tmp_path / "n", usual)
    ours, theirs = run.state.history[0]["loss"], plain.state.history[0]["loss"]
    assert ours == pytest.approx(theirs, rel=0.05)
    assert ours != theirs


def test_what_mixed_precision_measures_is_what_it_saves(dataset, tmp_path):
    recipe = dataclasses.replace(RECIPE, mixed_precision=True, refit=False)
    train(dataset, tmp_path / "m", recipe)
    saved, facts = load_model(str(tmp_path / "m"))
    saved.compile(loss="sparse_categorical_crossentropy")
    loss = saved.evaluate(dataset.X_test[..., None], dataset.y_test, verbose=0)
    assert loss == pytest.approx(facts["figures"]["test"]["loss"], rel=1e-5)


def test_refit_sees_all_pictures_for_the_epochs_of_the_search(whole_run):
    state = whole_run.state
    refit = [entry for entry in state.history if entry["phase"] == "refit"]
    assert len(refit) == sum(state.stopping)
    assert "val_loss" not in refit[0]


def test_refit_starts_from_the_initial_weights(dataset, tmp_path):
    run = make(dataset, str(tmp_path / "m"))
    run.learner.start(100)
    first = run.learner.model.get_weights()
    run.learner.start(100)
    for one, other in zip(first, run.learner.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_refit_the_saved_weights_are_those_of_the_best_epoch(dataset, tmp_path):
    run = train(dataset, tmp_path / "m", dataclasses.replace(RECIPE, refit=False))
    history = run.state.history
    best = min(range(len(history)), key=lambda i: history[i]["val_loss"])
    assert run.state.best["epoch"] == best + 1
    val = images_of(dataset, "val")
    assert run.learner.evaluate(val)[0] == pytest.approx(history[best]["val_loss"], rel=1e-5)


def test_cycle_stops_after_the_patience_and_counts_it(dataset, tmp_path):
    recipe = dataclasses.replace(RECIPE, epochs=9, patience=2, refit=False)
    run = make(dataset, tmp_path / "m", recipe)
    losses = iter([3, 2, 4, 2, 9, 9, 9])  # equal is no gain; then a cycle without any gain
    run.learner.evaluate = lambda images: (float(next(losses, 1)), 0.5)
    run.run(resume=False)
    assert run.state.stopping == [4, 3]
    assert run.state.best["epoch"] == 2


def test_learning_rate_falls_in_the_second_cycle(whole_run):
    rates = [(e["cycle"], e["learning_rate"]) for e in whole_run.state.history]
    assert {cycle: pytest.approx(rate) for cycle, rate in rates} == {1: 0.002, 2: 0.0002}


def test_images_are_taken_from_all_parts():
    rng = np.random.default_rng(0)
    parts = [(rng.integers(0, 255, (n, 2, 3), dtype=np.uint8), np.arange(n)) for n in (3, 0, 4)]
    images = LabelledImages((2, 3), *parts)
    samples = np.array([6, 0, 3, 2, 3])
    x, y = images.take(samples)
    everything = np.concatenate([part for part, _ in parts])
    np.testing.assert_array_equal(x, everything[samples])
    assert y.tolist() == [3, 0, 0, 2, 0]


def test_images_of_another_size_are_resized(dataset):
    images = LabelledImages((12, 10), (dataset.X_train, dataset.y_train))
    x, _ = images.take(np.array([3, 1]))
    np.testing.assert_array_equal(x, resize_images(dataset.X_train[[3, 1]], (12, 10)))


def test_every_sample_comes_once_an_epoch(dataset):
    images = LabelledImages((16, 16), (dataset.X_train, dataset.y_train))
    batches = Batches(images, np.random.default_rng(0).permutation(len(images)), 50)
    labels = np.concatenate([batches[i][1] for i in range(len(batches))])
    assert [len(batches[i][1]) for i in range(len(batches))] == [50, 50, 44]
    np.testing.assert_array_equal(np.bincount(labels), np.bincount(dataset.y_train))


def test_an_epoch_in_two_parts_is_the_same_epoch(dataset, tmp_path):
    recipe = dataclasses.replace(RECIPE, augment="classic")
    train_images = Splits(dataset, recipe).train
    whole, cut = (make(dataset, tmp_path / name, recipe) for name in ("whole", "cut"))
    whole.learner.start(144)
    figures = whole.learner.fit(whole.batches(train_images), cycle=0)
    cut.learner.start(144)
    first_part = cut.batches(train_images)
    first_part.order = first_part.order[: 3 * recipe.batch_size]
    assert cut.learner.fit(first_part, cycle=0) != figures
    cut.state.batches_done = 3
    rest = cut.batches(train_images)
    assert len(rest) == 8 - 3
    assert cut.learner.fit(rest, cycle=0, metrics=cut.learner.metrics) == figures
    for one, other in zip(cut.learner.variables, whole.learner.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_each_process_draws_distortions_of_its_own(dataset):
    images = dataset.X_train[:4]
    drawn = [Distortion("classic", (1, 2), process)(images, 3) for process in (0, 1, 2)]
    assert len({part.tobytes() for part in drawn}) == 3
    np.testing.assert_array_equal(drawn[0], Distortion("classic", (1, 2))(images, 3))


def test_a_val_loss_that_is_no_number_stops_the_training_too(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(Learner, "evaluate", lambda self, images: (math.inf, 0.1))
    with pytest.raises(GlyphsError, match="the val_loss is inf in epoch 1"):
        train(dataset, tmp_path / "m")
    assert not (tmp_path / "m_architecture.json").exists()


def test_a_conversion_that_answers_wrongly_is_not_left_behind(
    dataset, tmp_path, monkeypatch, capsys
):
    def convert(prefix, architecture):
        pathlib.Path(f"{prefix}.onnx").write_bytes(b"wrong")
        return b"wrong"

    def compare(onnx, model, images, path):
        raise ArtifactError("answers otherwise")

    monkeypatch.setattr(onnx_file, "convert", convert)
    monkeypatch.setattr(onnx_file, "compare", compare)
    train(dataset, tmp_path / "m", dataclasses.replace(COSINE, epochs=1))
    assert not (tmp_path / "m.onnx").exists()
    stored = read_architecture(str(tmp_path / "m"))["glyphs"]["sha256"]
    assert stored["onnx"] is None
    assert "answers otherwise" in capsys.readouterr().err


def test_checkpoint_of_another_run_is_refused(dataset, tmp_path):
    train(dataset, tmp_path / "m", stop_after=1)
    with pytest.raises(ArtifactError, match="another batch_size"):
        train(dataset, tmp_path / "m", dataclasses.replace(RECIPE, batch_size=7), resume=True)
    with pytest.raises(ArtifactError, match=r"another image_size .* now \[20, 20\]"):
        train(dataset.resized((20, 20)), tmp_path / "m", resume=True)


def test_a_recipe_of_an_older_file_is_understood():
    stored = recipe_module.to_json(dataclasses.replace(RECIPE, augment="classic"))
    older = {k: v for k, v in stored.items() if k != "mixed_precision"} | {"augment": "seed"}
    assert recipe_module.of_today(older) == stored


def test_a_finished_run_is_not_one_of_another_image_size(whole_run):
    run = make(whole_run.dataset.resized((20, 20)), whole_run.prefix)
    assert is_finished(whole_run)
    assert not is_finished(run)


def test_the_mean_of_models_is_no_finished_run(whole_run):
    mean = str(ROOT / "pretrained" / "japanese" / "model")
    assert not checkpoint.is_finished(mean, whole_run.identity, whole_run.recipe)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_damaged_checkpoint_is_refused(dataset, tmp_path, damage):
    train(dataset, tmp_path / "m", stop_after=1)
    path = tmp_path / "m_checkpoint.npz"
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
    path.write_bytes({"cut": data[:-100], "flip": data, "empty": b""}[damage])
    with pytest.raises(ArtifactError, match=r"checkpoint.npz: damaged"):
        train(dataset, tmp_path / "m", resume=True)


def test_finished_run_has_nothing_to_resume(dataset, whole_run, capsys):
    paths = whole_run.paths
    before = pathlib.Path(paths.weights).read_bytes()
    assert not os.path.exists(paths.checkpoint)
    train(dataset, whole_run.prefix, resume=True)
    assert "nothing to resume" in capsys.readouterr().out
    assert pathlib.Path(paths.weights).read_bytes() == before


def test_best_weights_so_far_are_saved_if_asked(dataset, tmp_path):
    recipe = dataclasses.replace(RECIPE, refit=False, save_each_gain=True)
    train(dataset, tmp_path / "m", recipe, stop_after=2)
    facts = read_architecture(str(tmp_path / "m"))["glyphs"]
    assert facts["saved_weights"] == "the best weights so far of a training that goes on"
    assert facts["figures"]["best"]["epoch"] == len(facts["figures"]["history"])
    resumed = train(dataset, tmp_path / "m", recipe, resume=True)
    assert resumed.state.phase == "done"
    facts = read_architecture(str(tmp_path / "m"))["glyphs"]
    assert facts["saved_weights"] == "the weights measured on the test split"


def test_distorted_images_are_trained_on_with_the_labels_of_their_originals(dataset, tmp_path):
    elastic = np.concatenate([dataset.X_train, dataset.X_train])
    elastic = dataclasses.replace(dataset, X_train_elastic=elastic)
    images = images_of(elastic, "train", "train_elastic")
    x, y = images.take(np.array([5, 144 + 5, 288 + 5, 288 + 143]))
    np.testing.assert_array_equal(x[0], x[1])
    np.testing.assert_array_equal(x[0], x[2])
    assert y.tolist() == [*dataset.y_train[[5, 5, 5]], dataset.y_train[-1]]
    assert len(Splits(elastic, RECIPE).all) == 3 * 144 + 18 + 18  # what a refit learns from


@pytest.mark.parametrize("stop_after", [1, 3, 6])
def test_batches_left_are_those_that_come(dataset, tmp_path, monkeypatch, stop_after):
    recipe = dataclasses.replace(RECIPE, patience=None)
    left = []
    batches_left = cycles.batches_left
    monkeypatch.setattr(
        cycles, "batches_left", lambda *a: left.append(batches_left(*a)) or left[-1]
    )
    train(dataset, tmp_path / "m", recipe, stop_after=stop_after)
    train(dataset, tmp_path / "m", recipe, resume=True)
    # 4 epochs of the 8 batches of 144 pictures, then 4 of the 9 of all 180.
    assert left == [60, 52, 44, 36, 27, 18, 9, 0]


def test_distorted_images_stay_away_where_val_is_a_part_of_train(dataset, tmp_path, capsys):
    recipe = dataclasses.replace(RECIPE, epochs=1, validation_split=0.25)
    elastic = dataclasses.replace(
        dataset, X_train_elastic=dataset.X_train, X_val=dataset.X_val[:0], y_val=dataset.y_val[:0]
    )
    train(elastic, tmp_path / "m", recipe)
    assert len(Splits(elastic, recipe).all) == 144 + 18
    printed = capsys.readouterr()
    assert "108 train, 36 val" in printed.out
    assert "its distorted pictures are not used" in printed.err


def test_an_older_checkpoint_lacks_what_is_new(dataset, tmp_path):
    run = train(dataset, tmp_path / "whole")
    identity = run.identity.copy()
    del run.identity["mixed_precision"]
    run.write_checkpoint()
    run.write_model("as before")
    run.identity = identity
    assert is_finished(run)
    assert run.restore(Splits(dataset, RECIPE))


def test_diverged_training_stops_with_advice(dataset, tmp_path):
    run = make(dataset, str(tmp_path / "m"))
    run.learner.start(100)
    run.learner.model.get_layer("probabilities").bias.assign([np.nan] * 3)
    with pytest.raises(GlyphsError, match="lower --learning-rate"):
        run.train(Splits(dataset, RECIPE))


# --- The script ---


def test_log_has_device_epochs_test_and_what_was_saved(toy_model):
    log = (toy_model.parent / "log.txt").read_text().splitlines()
    assert log[0].startswith("device ")
    assert log[1].endswith("144 train, 18 val, 18 test pictures of 3 classes, 16x16")
    assert sum("  epoch " in line for line in log) == sum("refit" in line[:6] for line in log) * 2
    assert any(line.startswith("test: accuracy ") for line in log)
    assert "the refit itself was not measured" in "".join(log)


def test_training_prints_nothing_on_stderr(toy_model):
    assert (toy_model.parent / "err.txt").read_text() == ""


def test_no_temporary_file_and_no_checkpoint_stays(toy_model):
    assert sorted(os.listdir(toy_model.parent)) == [
        "err.txt", "log.txt", "model.onnx", "model_architecture.json", "model_weights.h5",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--dataset", "missing"], 3, "missing: no such file; run create_dataset.py first"),
        (["--epochs", "0"], 2, "at least 1"),
        (["--learning-rate", "-1"], 2, "positive number"),
        (["--output", "missing/model"], 4, "does not exist"),
    ],
)
def test_mistakes_are_found_before_training(toy_dataset, tmp_path, arguments, code, message):
    run = run_script("model.py", "--dataset", toy_dataset, *arguments, cwd=tmp_path, expect=code)
    assert message in run.stderr
    assert run.stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_script_resumes_to_the_same_bytes(toy_dataset, toy_model, tmp_path, how):
    command = [
        sys.executable, ROOT / "model.py", "--dataset", toy_dataset, "--epochs", "3",
        "--batch-size", "20", "--learning-rate", ".002",
    ]  # fmt: skip
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen(command, cwd=tmp_path, preexec_fn=heed_ctrl_c, **pipes)
    while not (tmp_path / "model_checkpoint.npz").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(how)
    _, err = process.communicate()
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert b"go on with --resume" in err
    run_script(*map(str, ["model.py", *command[2:]]), "--resume", cwd=tmp_path)
    name = "model_weights.h5"
    assert (tmp_path / name).read_bytes() == (toy_model.parent / name).read_bytes()


# --- Recipes other than the original's ---

COSINE = Recipe(
    "small", 3, None, (0.004,), 20, 1, optimizer="adamw", schedule="cosine", weight_decay=0.01,
    warmup=0.2, label_smoothing=0.1, class_weights=True, augment="ciresan",
)  # fmt: skip


@pytest.mark.parametrize("refit", [False, True])
def test_a_resumed_run_of_every_part_equals_an_uninterrupted_one(dataset, tmp_path, refit):
    recipe = dataclasses.replace(COSINE, refit=refit, half_precision=refit)
    whole = train(dataset, tmp_path / "whole", recipe)
    for resume in [False, True, True] + [True, True] * refit:  # stopped after every epoch but one
        assert train(dataset, tmp_path / "cut", recipe, stop_after=1, resume=resume) is None
    resumed = train(dataset, tmp_path / "cut", recipe, resume=True)
    assert resumed.state.history == whole.state.history
    for a, b in zip(
        resumed.learner.model.get_weights(), whole.learner.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("refit", [False, True])
def test_what_is_measured_in_half_precision_is_what_is_saved(dataset, tmp_path, refit):
    recipe = dataclasses.replace(COSINE, epochs=1, half_precision=True, refit=refit)
    run = train(dataset, tmp_path / "m", recipe)
    stored, _ = load_model(str(tmp_path / "m"))
    for ours, theirs in zip(run.learner.model.get_weights(), stored.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_interrupted_before_the_first_checkpoint_nothing_is_said_to_be_safe(
    dataset, tmp_path, monkeypatch
):
    def interrupt(self, images):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "evaluate", interrupt)
        with pytest.raises(KeyboardInterrupt, match="in the first epoch; nothing saved"):
            train(dataset, tmp_path / "m", COSINE)
    assert train(dataset, tmp_path / "m", COSINE, stop_after=1) is None
    monkeypatch.setattr(Learner, "evaluate", interrupt)
    with pytest.raises(KeyboardInterrupt, match="1 epochs are safe"):
        train(dataset, tmp_path / "m", COSINE, resume=True)


def test_cosine_schedule_rises_then_falls_to_zero():
    schedule = optimizer.make_optimizer(dataclasses.replace(COSINE, warmup=0.1), 100)._learning_rate
    rates = [float(schedule(step)) for step in (0, 15, 30, 165, 300)]
    assert rates == pytest.approx([0, 0.002, 0.004, 0.002, 0], abs=1e-6)


def test_weight_decay_leaves_biases_and_normalization_alone(dataset, tmp_path):
    recipe = dataclasses.replace(COSINE, weight_decay=100.0, label_smoothing=0.0)
    run = make(dataset, tmp_path / "m", recipe)
    run.learner.start(144)
    decays = {
        variable.path: run.learner.model.optimizer._use_weight_decay(variable)
        for variable in run.learner.model.trainable_variables
    }
    assert {path for path, decayed in decays.items() if decayed} == {
        "dense/kernel", "probabilities/kernel",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_optimizers_clip_where_the_recipe_says(name):
    recipe = dataclasses.replace(COSINE, optimizer=name, clip_norm=0.5, momentum=0.9)
    made = optimizer.make_optimizer(recipe, 10)
    assert type(made).__name__.lower() == name
    assert made.global_clipnorm == 0.5


def test_smoothed_loss_equals_its_definition():
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], np.float32)
    y = np.array([0, 1])
    target = np.eye(3)[y] * 0.9 + 0.1 / 3
    expected = -(target * np.log(p)).sum(axis=1)
    loss = optimizer.make_loss(0.1, 3)(keras.ops.convert_to_tensor(y), p)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(loss), expected, rtol=1e-5)


def test_balanced_weights_let_every_class_count_the_same():
    labels = np.repeat([0, 1, 3], [10, 30, 60])
    weights = balanced_weights(labels, 4)
    np.testing.assert_allclose(np.bincount(labels, weights[labels]), [100 / 3, 100 / 3, 0, 100 / 3])


def test_pictures_are_distorted_anew_in_every_epoch_and_batch(dataset):
    images = LabelledImages((16, 16), (dataset.X_train, dataset.y_train))
    order = np.arange(40) % 20  # the same pictures in both batches

    def epoch(number):
        distort = Distortion("classic", (1, number))
        batches = Batches(images, order, 20, distort=distort)
        return [batches[i][0] for i in range(2)]

    first, again, other = epoch(0), epoch(0), epoch(1)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[0][..., 0], images.take(order[:20])[0])


def test_each_batch_has_one_of_the_sides_again_after_a_resume(dataset):
    images = LabelledImages((16, 16), (dataset.X_train, dataset.y_train))
    recipe = dataclasses.replace(RECIPE, sides=(20, 24, 32))
    shapes = [
        [epoch_batches(images, recipe, epoch, 3)[i][0].shape[1:] for i in range(7)]
        for epoch in (0, 0, 1)
    ]
    assert shapes[0] == shapes[1] != shapes[2]
    assert all(shape[:2] == [(20, 20, 1), (32, 32, 1)] for shape in shapes)
    assert {*shapes[0], *shapes[2]} == {(20, 20, 1), (24, 24, 1), (32, 32, 1)}


def test_validation_pictures_are_not_distorted(dataset, tmp_path, monkeypatch):
    distorted = []
    monkeypatch.setattr(Distortion, "__call__", lambda self, x, i: distorted.append(len(x)) or x)
    train(dataset, tmp_path / "m", dataclasses.replace(COSINE, epochs=1))
    assert set(distorted) == {20, 4}  # training batches; all of val are one batch of 18


def test_classes_that_two_models_share_begin_as_they_were(tmp_path):
    names = ["U+3042", "cat", "dog"]
    old = catalogue.build("kmnist", (28, 28), 3)
    facts = {
        "class_names": names,
        "characters": ["あ", None, None],
        "preprocessing": Preprocessing.usual((28, 28)).to_json(),
    }
    write_model(str(tmp_path / "old"), old, facts)
    new = catalogue.build("kmnist", (28, 28), 4)
    said = take_weights(
        new, str(tmp_path / "old"), ["dog", "owl", "あ", "い"], [None, None, "あ", "い"]
    )
    assert said.endswith("and of the last 2 of 4 classes")
    images = np.random.default_rng(1).integers(0, 256, (5, 28, 28, 1)).astype(np.float32)
    before, after = (np.asarray(model(images, training=False)) for model in (old, new))
    # What a network says of two classes, by each other, does not depend on the others.
    np.testing.assert_allclose(after[:, 0] / after[:, 2], before[:, 2] / before[:, 0], rtol=1e-3)


@pytest.mark.parametrize(
    ("names", "hint"), [(["B0A1", "B0A2"], "; see --label-encoding"), (["owl", "rat"], "")]
)
def test_that_no_class_is_shared_is_said(tmp_path, names, hint):
    facts = {"class_names": ["U+4E9C", "U+5516"], "characters": ["亜", "唖"]}
    write_model(str(tmp_path / "old"), catalogue.build("kmnist", (28, 28), 2), facts)
    said = take_weights(
        catalogue.build("kmnist", (28, 28), 2), str(tmp_path / "old"), names, [None, None]
    )
    expected = f", and of the last 0 of 2 classes: none is known by name or character{hint}"
    assert said.endswith(expected)


def test_a_model_of_another_network_cannot_be_started_from(tmp_path):
    facts = {"class_names": ["a", "b"], "characters": ["a", "b"]}
    write_model(str(tmp_path / "old"), catalogue.build("kanji", (32, 32), 2), facts)
    with pytest.raises(ArtifactError, match="wants the same network"):
        take_weights(
            catalogue.build("kmnist", (28, 28), 2), str(tmp_path / "old"), ["c", "d"], ["c", "d"]
        )

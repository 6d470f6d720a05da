import csv
import dataclasses
import importlib
import json
import shutil

import numpy as np
import pytest
from conftest import SHAPES, make_folder, run_script
from PIL import Image

from glyphs.artifacts.loading import read_architecture
from glyphs.dataset.open import open_dataset
from glyphs.errors import UsageError
from glyphs.inference import Classifier
from glyphs.networks import catalogue
from glyphs.training import history, recipe
from glyphs.training.history import TensorBoard
from glyphs.training.recipe import enough_epochs

BACKENDS = ("tensorflow", "jax")


@pytest.fixture(scope="module")
def trained(toy_folder, tmp_path_factory):
    """The folder that train.py filled from a folder of pictures, with the smallest network."""
    folder = tmp_path_factory.mktemp("train")
    run = run_script(
        "train.py", toy_folder, "--network", "kmnist", "--epochs", 3, "--batch-size", 12,
        "--validation-split", ".2", "--output", "out/", cwd=folder,
    )  # fmt: skip
    (folder / "log.txt").write_text(run.stdout)
    return folder / "out"


def test_list_names_every_network_and_its_size():
    lines = run_script("train.py", "--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(catalogue.NETWORKS)
    assert "1,277,060 parameters" in lines[0]


@pytest.mark.parametrize("name", catalogue.NETWORKS)
def test_every_network_has_a_recipe(name):
    made = recipe.for_network(name, 100_000, seed=1)
    entry = catalogue.find(name)
    assert {key: getattr(made, key) for key in entry.recipe if key != "least_steps"} == {
        key: value for key, value in entry.recipe.items() if key != "least_steps"
    }


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("model", "kanji"),
        ("model30x30", "kanji30"),
        ("model_for_augmented_dataset", "kanji-wide"),
    ],
)
def test_the_model_scripts_are_what_the_catalogue_says(script, name, monkeypatch, toy_dataset):
    page, entry = importlib.import_module(script), catalogue.find(name)
    started = []
    monkeypatch.setattr("glyphs.training.launch.train", lambda *a, **k: started.append(a))
    page.main(["--dataset", str(toy_dataset)])
    dataset, build_network, its_recipe, _ = started[0]
    assert its_recipe == recipe.for_network(
        name,
        len(dataset.X_train),
        seed=1,
        **({"save_each_gain": True} if name == "kanji-wide" else {}),
    )
    assert getattr(page, "IMAGE_SIZE", entry.image_size) == entry.image_size
    ours, theirs = build_network(entry.image_size, 7), catalogue.build(name, entry.image_size, 7)
    assert ours.to_json() == theirs.to_json()


def test_few_pictures_are_seen_in_more_epochs():
    assert enough_epochs(20, 2000, 19_081, 64) == 20
    assert enough_epochs(20, 2000, 2_000, 64) == 63  # of 32 steps
    assert enough_epochs(20, 2000, 10, 64) == 200
    assert enough_epochs(300, 2000, 10, 64) == 300
    assert enough_epochs(20, 0, 10, 64) == 20


def test_epochs_are_as_said_or_as_the_pictures_need():
    few, many = (recipe.for_network("glyphnet", n, seed=1) for n in (640, 64_000))
    assert (few.epochs, many.epochs) == (200, 20)
    assert recipe.for_network("glyphnet", 640, seed=1, epochs=3).epochs == 3


def test_few_pictures_go_on_from_a_model_by_a_recipe_of_their_own():
    few, many = (recipe.for_network("glyphnet-many", n, seed=1, init="a") for n in (500, 500_000))
    assert (few.batch_size, few.learning_rates, few.epochs) == (32, (0.002,), 40)
    assert (many.batch_size, many.learning_rates, many.epochs) == (128, (0.003,), 10)
    said = recipe.for_network(
        "glyphnet-many", 500, seed=1, init="a", learning_rate=0.01, batch_size=8
    )
    assert (said.batch_size, said.learning_rates) == (8, (0.01,))
    other = recipe.for_network("kmnist", 500, seed=1, init="a")
    assert other == dataclasses.replace(recipe.for_network("kmnist", 500, seed=1), init="a")


def test_pictures_are_counted_that_are_trained_on(toy_dataset):
    dataset = open_dataset(toy_dataset)
    assert dataset.n_trained_on(0) == 144
    elastic = dataclasses.replace(dataset, X_train_elastic=np.tile(dataset.X_train, (2, 1, 1)))
    assert elastic.n_trained_on(0) == 3 * 144
    without_val = dataclasses.replace(elastic, X_val=elastic.X_val[:0], y_val=elastic.y_val[:0])
    assert without_val.n_trained_on(0.25) == 108


def losses(dataset, folder, *options):
    name = "_".join(options).strip("-") or "plain"
    run_script(
        "train.py", dataset, "--network", "kmnist", "--epochs", 1, "--output", name,
        "--batch-size", 20, *options, cwd=folder,
    )  # fmt: skip
    history = read_architecture(str(folder / name))["glyphs"]["figures"]["history"]
    return history[0]["loss"]


@pytest.mark.slow
def test_every_option_changes_the_training(toy_dataset, tmp_path):
    options = [
        [], ["--optimizer", "adamw"], ["--optimizer", "sgd"], ["--schedule", "cosine"],
        ["--augment", "elastic"], ["--augment", "ciresan"], ["--augment", "affine"],
        ["--label-smoothing", ".1"], ["--batch-size", "40"], ["--learning-rate", ".01"],
        ["--seed", "2"], ["--mixed-precision"],
    ]  # fmt: skip
    found = [losses(toy_dataset, tmp_path, *words) for words in options]
    assert len(set(found)) == len(options)


def test_a_folder_is_built_on_the_way_as_the_network_wants_it(trained):
    dataset = open_dataset(trained / "model_dataset")
    assert dataset.preprocessing.image_size == (28, 28)
    assert [len(y) for y in (dataset.y_train, dataset.y_val, dataset.y_test)] == [144, 36, 0]


def test_the_model_classifies(trained, toy_folder):
    classifier = Classifier(str(trained / "model"))
    predictions = list(classifier.classify([str(toy_folder / "ring" / "1.png")]))
    assert predictions[0].label in ("bar", "cross", "ring")
    assert classifier.facts["training"]["network"] == "kmnist"


def test_the_log_says_what_is_saved(trained):
    log = (trained.parent / "log.txt").read_text()
    assert "the dataset has no test split, so nothing was measured on it" in log
    assert "model_weights.h5: the weights with the lowest val_loss" in log


def test_history_curves_and_results_lie_beside_the_model(trained):
    with open(trained / "model_history.csv", newline="") as file:
        history = list(csv.DictReader(file))
    stored = read_architecture(str(trained / "model"))["glyphs"]["figures"]["history"]
    assert [float(epoch["val_loss"]) for epoch in history] == [e["val_loss"] for e in stored]
    assert [epoch["epoch"] for epoch in history] == ["1", "2", "3"]
    picture = np.asarray(Image.open(trained / "model_curves.png").convert("L"))
    assert (picture < 128).mean() > 0.005  # something is drawn
    results = (trained / "model_results.txt").read_text()
    best = min(stored, key=lambda epoch: epoch["val_loss"])
    assert f"val: accuracy {best['val_accuracy']:.4f}" in results


def test_a_model_is_fine_tuned_to_other_classes_with_every_option(trained, tmp_path):
    folder = make_folder(tmp_path / "shapes", {"ring": 40, "bar": 10})
    run_script("create_dataset.py", folder, "--image-size", 28, cwd=tmp_path)
    run = run_script(
        "train.py", "--network", "kmnist", "--init", trained / "model", "--epochs", 1,
        "--optimizer", "adamw", "--schedule", "cosine", "--augment", "elastic",
        "--label-smoothing", ".1", "--class-weights", "--patience", 2, "--batch-size", 8,
        "--learning-rate", ".001", "--mixed-precision", "--refit", "--output", "tuned",
        cwd=tmp_path,
    )  # fmt: skip
    assert f"initial weights: 4 of 5 layers from {trained}/model" in run.stdout
    training = json.loads((tmp_path / "tuned_architecture.json").read_text())["glyphs"]["training"]
    assert training["optimizer"] == "adamw"
    assert training["augment"] == "classic"
    assert training["class_weights"] is True
    assert training["mixed_precision"] is True
    saved = "saved tuned_architecture.json and tuned_weights.h5: a refit on train, val and test "
    assert saved in run.stdout


def test_codes_of_folders_are_known_as_characters(tmp_path):
    folder = make_folder(tmp_path / "shapes", {"ring": 10, "bar": 10})
    (folder / "ring").rename(folder / "B0A1")
    (folder / "bar").rename(folder / "B0A2")
    command = ("train.py", "--network", "kmnist", "--epochs", 1, "--label-encoding", "euc-jp")
    run = run_script(*command, folder, cwd=tmp_path)
    assert "--label-encoding" not in run.stderr
    assert Classifier(str(tmp_path / "model")).characters == ["亜", "唖"]
    run = run_script(*command, "model_dataset", "--output", "again", cwd=tmp_path)
    assert "model_dataset is a dataset already; --label-encoding is for create" in run.stderr


@pytest.fixture(scope="module")
def tuned(trained, tmp_path_factory):
    """The folder where train.py went on from one model under two backends, a model each."""
    pytest.importorskip("jax")
    pytest.importorskip("tensorboard")
    folder = tmp_path_factory.mktemp("tuned")
    make_folder(folder / "shapes", dict.fromkeys(SHAPES, 300))
    run_script("create_dataset.py", "shapes", "--image-size", 28, cwd=folder)
    for backend in BACKENDS:
        run = run_script(
            "train.py", "--network", "kmnist", "--init", trained / "model", "--epochs", 3,
            "--batch-size", 40, "--optimizer", "adamw", "--schedule", "cosine",
            "--augment", "affine", "--label-smoothing", ".1",
            "--tensorboard", f"board {backend}", "--output", backend,
            cwd=folder, environment={"KERAS_BACKEND": backend},
        )  # fmt: skip
        assert not run.stderr
    return folder


def test_backends_give_the_same_curve(tuned):
    # The same first weights, pictures and distortions; other dropout, which is the noise.
    facts = [read_architecture(str(tuned / name))["glyphs"] for name in BACKENDS]
    assert [f["versions"]["backend"].split()[0] for f in facts] == list(BACKENDS)
    ours, theirs = (f["figures"]["history"] for f in facts)
    for a, b in zip(ours, theirs, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=0.1)
        assert a["learning_rate"] == pytest.approx(b["learning_rate"])
    assert ours[-1]["loss"] < 0.9 * ours[0]["loss"]


def test_models_of_both_backends_give_the_same_answers(tuned, toy_folder):
    paths = [str(toy_folder / shape / "7.png") for shape in SHAPES]
    for name in BACKENDS:
        predictions = Classifier(str(tuned / name)).classify(paths)
        assert [prediction.label for prediction in predictions] == list(SHAPES)


def test_tensorboard_gets_every_epoch(tuned):
    board = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    history = read_architecture(str(tuned / "jax"))["glyphs"]["figures"]["history"]
    names = ("loss", "accuracy", "learning_rate")
    for folder, prefix in (("train", ""), ("validation", "val_")):
        events = board.EventAccumulator(str(tuned / "board jax" / folder)).Reload()
        for name in names if folder == "train" else names[:2]:
            points = events.Tensors(f"epoch_{name}")
            assert [point.step for point in points] == [1, 2, 3]
            expected = [epoch[prefix + name] for epoch in history]
            assert [p.tensor_proto.float_val[0] for p in points] == pytest.approx(expected)


def test_tensorboard_is_told_at_first_of_the_epochs_before_a_resume(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = TensorBoard(str(tmp_path))
    history = [{"phase": "search", "loss": 0.5}, {"phase": "search", "loss": 0.25}]
    board.write(history)
    board.write([*history, {"phase": "search", "loss": 0.125}])
    events = accumulator.EventAccumulator(str(tmp_path / "train")).Reload().Tensors("epoch_loss")
    assert [(e.step, e.tensor_proto.float_val[0]) for e in events] == [
        (1, 0.5),
        (2, 0.25),
        (3, 0.125),
    ]


def test_without_tensorboard_a_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(history.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install tensorboard"):
        TensorBoard(str(tmp_path / "board"))
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize("backend", ["nonesuch", "openvino"])
def test_a_backend_that_cannot_be_used_is_one_line(toy_dataset, tmp_path, backend):
    run = run_script(
        "train.py", toy_dataset, cwd=tmp_path, expect=2, environment={"KERAS_BACKEND": backend}
    )
    assert f"KERAS_BACKEND={backend}: cannot be used" in run.stderr.splitlines()[-1]


def test_a_refit_is_said_to_be_what_was_saved(trained, tmp_path):
    run = run_script(
        "train.py", trained / "model_dataset", "--network", "kmnist", "--epochs", 2, "--refit",
        cwd=tmp_path,
    )  # fmt: skip
    assert "refit 1/1  epoch  2/2" in run.stdout
    assert "a refit on train and val together" in run.stdout
    results = (tmp_path / "model_results.txt").read_text()
    assert "saved: a refit on train and val together" in results
    assert "the val figures are those of the searched weights" in results


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing"], 3, "missing: no such file"),
        (["--network", "nonesuch"], 2, "invalid choice"),
        (["--network", "kmnist", "--weights", "none"], 2, "--weights is for networks that were"),
        (["--sides", "64", "80"], 2, "--sides is for networks that take images of any size"),
        (["--validation-split", "1"], 2, "below 1"),
        (["dataset", "--image-size", "8"], 2, "glyphnet"),
        (["dataset", "--init", "nothing"], 3, "nothing_architecture.json: no such file"),
    ],
)
def test_mistakes_are_one_line(toy_dataset, tmp_path, arguments, code, message):
    shutil.copy(toy_dataset, tmp_path / "dataset")
    run = run_script("train.py", *arguments, cwd=tmp_path, expect=code)
    assert message in run.stderr


def test_three_pictures_of_a_class_are_enough(tmp_path):
    make_folder(tmp_path / "few", {"ring": 3, "bar": 3})
    run_script("train.py", "few", "--network", "kmnist", "--epochs", 1, cwd=tmp_path)
    classes = Classifier(str(tmp_path / "model")).class_names
    assert classes == ["bar", "ring"]


def test_a_share_of_a_source_without_val_is_validated_on(tmp_path):
    for split in ("train", "test"):
        make_folder(tmp_path / "data" / split, {"ring": 8, "bar": 8})
    run = run_script(
        "train.py", "data", "--network", "kmnist", "--epochs", 1, "--validation-split", 0.5,
        cwd=tmp_path,
    )  # fmt: skip
    assert "8 train, 8 val, 16 test pictures" in run.stdout
    assert not run.stderr


def test_one_picture_of_a_class_is_too_few(tmp_path):
    make_folder(tmp_path / "one", {"ring": 1, "bar": 1})
    run = run_script(
        "train.py", "one", "--network", "kmnist", "--validation-split", 0.5, cwd=tmp_path, expect=3
    )
    assert "model_dataset: too few pictures to take some of them for val" in run.stderr


@pytest.mark.parametrize("name", ["model.onnx", "model_weights.h5", "model_curves.png"])
def test_a_folder_in_the_way_is_found_before_the_training(toy_dataset, tmp_path, name):
    (tmp_path / name).mkdir()
    run = run_script("train.py", toy_dataset, "--network", "kmnist", cwd=tmp_path, expect=4)
    assert run.stderr == f"error: {name}: is a folder; give a file name for the output\n"
    assert not run.stdout

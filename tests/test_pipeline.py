"""All scripts in order, on toy pictures, as a user types them."""

import numpy as np
from conftest import run_script

from glyphs.dataset.open import open_dataset
from glyphs.images.preprocessing import read_image, resize_images
from glyphs.inference import Classifier


def accuracy(unseen, *options, cwd):
    lines = run_script("classify.py", *options, unseen, cwd=cwd).stdout.splitlines()
    assert len(lines) == 30
    return sum(line.split("/")[-1].split()[0] == line.split()[-1] for line in lines) / 30


def test_distorted_copies_train_a_model_that_recognizes_new_pictures(toy_folder, unseen, tmp_path):
    run_script("create_dataset.py", toy_folder, "--image-size", 16, cwd=tmp_path)
    run_script("create_augmented_dataset.py", "--copies", 2, cwd=tmp_path)
    run = run_script(
        "model_for_augmented_dataset.py", "--epochs", 1, "--batch-size", 36,
        "--learning-rate", ".002", cwd=tmp_path,
    )  # fmt: skip
    assert "432 train, 18 val, 18 test pictures" in run.stdout
    assert run.stdout.count("  epoch ") == 3
    assert "refit" not in run.stdout
    assert run.stderr == ""
    assert accuracy(unseen, "--model", "augmented_model", cwd=tmp_path) >= 0.9


def test_30x30_model_repeats_its_resizing_in_classify(toy_folder, unseen, tmp_path):
    run_script("create_dataset.py", toy_folder, cwd=tmp_path)
    options = ("--epochs", 2, "--batch-size", 20, "--learning-rate", ".002", "--no-refit")
    run = run_script("model30x30.py", *options, cwd=tmp_path)
    assert "classes, 30x30" in run.stdout
    classifier = Classifier(str(tmp_path / "model30x30"))
    assert classifier.preprocessing.image_sizes == ((32, 32), (30, 30))
    dataset = open_dataset(tmp_path / "characters_dataset")
    learned = resize_images(dataset.X_train[:1], (30, 30))[0]
    path = str(toy_folder / "bar" / "1.png")
    np.testing.assert_array_equal(read_image(path, classifier.preprocessing), learned)
    assert accuracy(unseen, "--model", "model30x30", cwd=tmp_path) >= 0.9

"""The seeded pipeline gives the bytes that it always gave, on any machine."""

import pytest
from conftest import run_script
from PIL import Image

from glyphs import files
from glyphs.dataset.open import open_dataset

# Of the drawings themselves: a library that draws or compresses otherwise explains all else.
PICTURES = "22020a0d4f1ce3c752d368208f86a2b9104b20f064c0a7b5fcdfe8c24002b577"
DATASET = "5006d8198c281fdcc3292010d5c8ef3831121a59969c2f69646a63bdc3687f30"
ELASTIC = "8af8121d5c5638c3a2ae20afed3465efe49f9077ea46ff20e7f0f8fd06c6a1c4"
ELASTIC_IMAGES = "e1a8a7e22abcb12027a275412a4b9d211b6c9d05817d30e187ad89d24cd68e3e"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipeline")
    run_script("draw_samples.py", "drawn", "--count", 6, "--characters", "亜唖娃阿哀愛", cwd=folder)
    run_script(
        "create_dataset.py", "drawn", "--image-size", "24x20", "--fit", "pad", "--crop", "none",
        cwd=folder,
    )  # fmt: skip
    run_script("create_augmented_dataset.py", "--copies", 2, cwd=folder)
    return folder


def test_drawn_pictures_are_the_same_bytes_as_ever(folder):
    pictures = sorted((folder / "drawn").rglob("*.png"))
    pixels = b"".join(decoded(path) for path in pictures)
    assert len(pictures) == 36
    assert files.sha256(pixels) == PICTURES


def test_a_dataset_is_the_same_bytes_as_ever(folder):
    assert files.sha256_of_file(folder / "characters_dataset") == DATASET


def test_an_augmented_dataset_is_the_same_bytes_as_ever(folder):
    path = folder / "characters_dataset_elastic"
    assert open_dataset(path).manifest["sha256"]["X_train_elastic"] == ELASTIC_IMAGES
    assert files.sha256_of_file(path) == ELASTIC


def decoded(path):
    with Image.open(path) as picture:
        return picture.tobytes()

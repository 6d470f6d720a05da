"""The seeded pipeline gives the bytes that it always gave, on any machine."""

import pytest
from conftest import run_script
from PIL import Image

from glyphs import files
from glyphs.dataset.open import open_dataset

# Of the drawings themselves: a library that draws or compresses otherwise explains all else.
PICTURES = "04871771e6ea330c4044671d5550734543a9a792bdfa78703c75a574401fb399"
DATASET = "2c947d6d4345ba850820928c90d25ae54218fc9d5dafb94ab48a85abb23606a8"
ELASTIC = "3fdac07c5434674b105328b5c3928db76fff5b96b95bf3175cb341d727b4c9c3"
ELASTIC_IMAGES = "cc0c6bd3a6a6b9fe2698405badf29d7522489484c8b65e7a171f27f26e3ae6c1"


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

"""The seeded pipeline gives the bytes that it always gave, on any machine."""

import pytest
from conftest import run_script
from PIL import Image

from glyphs import files
from glyphs.dataset.open import open_dataset

# Of the drawings themselves: a library that draws or compresses otherwise explains all else.
PICTURES = "852234aca8455dd1984deab95055363ee3d6db07d490105be52d531890674e75"
DATASET = "b9d8f57d780280bd55083426f84c3a49434b1268a29ea8226403b73f3cfcf751"
ELASTIC = "9a06eeec73cfd58be6dd4d5309b81139b1a77cb026646c46cdd8869924745574"
ELASTIC_IMAGES = "d416ba290b5a390c6cad42503bf765f95dffca043f0305c186f8333b566f28c4"


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

"""Datasets as the scripts of 2016 wrote them."""

import numpy as np
import pytest
from conftest import run_script

from glyphs import files
from glyphs.dataset.open import open_dataset
from glyphs.errors import ArtifactError

NAMES = np.array([b"B0A1", b"B0A2", "亜".encode()])
COUNTS = {"train": 9, "val": 3, "test": 3}


def arrays_of_2016(*, elastic=0):
    """Return the arrays in their order: X float32 (n, 1, 6, 5) of 0..1, y of int64, names."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in COUNTS.items():
        arrays[f"X_{split}"] = (rng.integers(0, 256, (count, 1, 6, 5)) / 255).astype(np.float32)
        arrays[f"y_{split}"] = np.arange(count) % 3
    arrays["label_names"] = NAMES
    if elastic:
        arrays["X_train_elastic"] = rng.random((elastic * COUNTS["train"], 1, 6, 5))
    return arrays


def write(path, arrays):
    with open(path, "wb") as file:
        for array in arrays.values():
            np.save(file, array)
    return path


def test_pictures_become_uint8_with_dark_as_ink(tmp_path):
    arrays = arrays_of_2016()
    path = write(tmp_path / "characters_dataset", arrays)
    dataset = open_dataset(path)
    for split in COUNTS:
        images, y = getattr(dataset, f"X_{split}"), getattr(dataset, f"y_{split}")
        expected = 255 - np.rint(255 * arrays[f"X_{split}"][:, 0])
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(y, arrays[f"y_{split}"])
        assert (images.dtype, y.dtype) == (np.uint8, np.int32)
    assert dataset.class_names == ["B0A1", "B0A2", "亜"]
    assert dataset.characters == [None, None, "亜"]
    assert dataset.preprocessing.image_sizes == ((6, 5),)
    assert dataset.preprocessing.polarity == "dark-on-light"
    assert dataset.fingerprint == files.sha256_of_file(path)
    assert dataset.manifest["source"] == "2016 file, no checksums"
    assert dataset.X_train_elastic is None


def test_elastic_part_is_read(tmp_path):
    arrays = arrays_of_2016(elastic=2)
    dataset = open_dataset(write(tmp_path / "old", arrays))
    expected = 255 - np.rint(255 * arrays["X_train_elastic"][:, 0])
    np.testing.assert_array_equal(dataset.X_train_elastic, expected)


def one_hot(arrays):
    return arrays | {f"y_{s}": np.eye(3)[arrays[f"y_{s}"]] for s in COUNTS}


def without_channel(arrays):
    return arrays | {f"X_{s}": arrays[f"X_{s}"][:, 0] for s in COUNTS}


def in_fortran_order(arrays):
    return arrays | {f"X_{s}": np.asfortranarray(arrays[f"X_{s}"]) for s in COUNTS}


def float_labels(arrays):
    return arrays | {f"y_{s}": arrays[f"y_{s}"].astype(float) for s in COUNTS}


@pytest.mark.parametrize("change", [one_hot, without_channel, in_fortran_order, float_labels])
def test_variants_are_the_same_dataset(tmp_path, change):
    plain = open_dataset(write(tmp_path / "plain", arrays_of_2016()))
    other = open_dataset(write(tmp_path / "other", change(arrays_of_2016())))
    for name in ("X_train", "y_train", "X_val", "y_val", "X_test", "y_test"):
        np.testing.assert_array_equal(getattr(other, name), getattr(plain, name))


def test_header_of_python_2_is_read(tmp_path):
    path = write(tmp_path / "old", arrays_of_2016())
    whole = path.read_bytes()
    assert b"(9, 1, 6, 5), } " in whole
    path.write_bytes(whole.replace(b"(9, 1, 6, 5), }  ", b"(9L, 1, 6, 5), } ", 1))
    assert open_dataset(path).X_train.shape == (9, 6, 5)


@pytest.mark.parametrize("elastic", [0, 2])
def test_every_truncation_is_refused(tmp_path, elastic):
    path = write(tmp_path / "old", arrays_of_2016(elastic=elastic))
    whole = path.read_bytes()
    # Without its last array, an elastic file is a whole plain one.
    plain = len(write(tmp_path / "plain", arrays_of_2016()).read_bytes())
    for size in {*np.linspace(0, len(whole) - 1, 200).astype(int).tolist()} - {plain}:
        path.write_bytes(whole[:size])
        with pytest.raises(ArtifactError, match=r"old: [^\n]*run create_dataset.py again"):
            open_dataset(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ArtifactError):
        open_dataset(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("X_val", np.full((3, 1, 6, 5), np.nan, np.float32), "X_val has values outside 0 to 1"),
        ("X_val", np.full((3, 1, 6, 5), 255, np.float32), "X_val has values outside 0 to 1"),
        ("X_val", np.zeros((3, 1, 5, 6), np.float32), "pictures of several sizes"),
        ("X_val", np.zeros((3, 3, 6, 5), np.float32), "X_val must be floats"),
        ("X_val", np.zeros((3, 1, 6, 5), np.uint8), "X_val must be floats"),
        ("X_train", np.zeros((9, 1, 6, 5000), np.float32), "pictures of 6 x 5000 pixels"),
        ("X_train", np.zeros((0, 1, 6, 5), np.float32), "y_train must be 0 labels"),
        ("y_val", np.arange(4), "y_val must be 3 labels"),
        ("y_val", np.array([0, 1, 3]), "y_val has labels that are not 0 to 2"),
        ("y_val", np.array([0, 1, np.nan]), "y_val has labels that are not 0 to 2"),
        ("y_val", np.ones((3, 3)), "y_val has rows that are not one-hot"),
        ("label_names", np.arange(3), "label_names must be text"),
        ("label_names", np.array([b"\xff", b"a", b"b"]), "not UTF-8"),
        ("label_names", np.array([b"a", b"a", b"b"]), "different names"),
    ],
)
def test_odd_files_are_refused_in_one_line(tmp_path, name, value, message):
    path = write(tmp_path / "old", arrays_of_2016() | {name: value})
    with pytest.raises(ArtifactError) as error:
        open_dataset(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_impossible_shapes_are_refused_before_anything_is_allocated(tmp_path):
    whole = write(tmp_path / "old", arrays_of_2016()).read_bytes()
    shape = b"(9, 1, 6, 5), }" + 20 * b" "
    assert shape in whole
    for other in (b"(999999999, 1, 999999999, 999999999)", b"(0, 1, 0, 999999999999999)"):
        path = tmp_path / "odd"
        replaced = (other + b", }").ljust(len(shape))
        start = whole.index(shape)
        path.write_bytes(whole[:start] + replaced + whole[start + len(replaced) :])
        with pytest.raises(ArtifactError):
            open_dataset(path)


def test_old_dataset_can_be_augmented(tmp_path):
    write(tmp_path / "characters_dataset", arrays_of_2016())
    run_script("create_augmented_dataset.py", "--copies", 2, cwd=tmp_path)
    dataset = open_dataset(tmp_path / "characters_dataset_elastic")
    assert dataset.X_train_elastic.shape == (18, 6, 5)
    assert dataset.manifest["source"] == "2016 file, no checksums"

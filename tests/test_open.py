import io
import json

import numpy as np
import pytest

from glyphs import files
from glyphs.dataset import open as dataset_open
from glyphs.dataset.format import ARRAYS
from glyphs.dataset.open import open_dataset
from glyphs.dataset.write import write_dataset
from glyphs.errors import ArtifactError
from glyphs.images.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(((6, 5),))
CLASS_NAMES = ["U+4E00", "亜", "長い名前"]


@pytest.fixture
def written(tmp_path):
    """Write a small dataset; return its path and the arrays that went in."""
    rng = np.random.default_rng(0)
    pool = rng.integers(0, 256, (30, 6, 5), dtype=np.uint8)
    y = rng.integers(0, 3, 30).astype(np.int32)
    samples = {"train": rng.permutation(30)[:20], "val": np.arange(7), "test": np.arange(0)}
    path = tmp_path / "characters_dataset"
    write_dataset(
        path, {k: (pool, s, y[s]) for k, s in samples.items()}, CLASS_NAMES, PREPROCESSING, {"a": 1}
    )
    return path, [array for s in samples.values() for array in (pool[s], y[s])]


def test_seven_plain_loads_read_the_file_anywhere(written):
    path, expected = written
    with open(path, "rb") as file:
        loaded = [np.load(file) for _ in range(7)]
        manifest = json.loads(str(np.load(file)))
        assert file.read() == b""
    for array, original in zip(loaded, expected, strict=False):
        np.testing.assert_array_equal(array, original)
        assert array.dtype in (np.uint8, np.int32)
    assert loaded[6].tolist() == CLASS_NAMES
    assert manifest["counts"] == {"train": 20, "val": 7, "test": 0}


def test_opened_dataset_is_what_was_written(written):
    path, expected = written
    dataset = open_dataset(path)
    opened = [dataset.X_train, dataset.y_train, dataset.X_val, dataset.y_val, dataset.X_test]
    for array, original in zip(opened, expected, strict=False):
        np.testing.assert_array_equal(array, original)
    assert isinstance(dataset.X_train, np.memmap)
    assert dataset.class_names == CLASS_NAMES
    assert dataset.characters == ["一", "亜", None]
    assert dataset.preprocessing == PREPROCESSING


def test_manifest_holds_the_sha256_of_every_array_as_stored(written):
    path, _ = written
    stored = path.read_bytes()
    sums = open_dataset(path).manifest["sha256"]
    with open(path, "rb") as file:
        for name in ARRAYS:
            start = file.tell()
            np.load(file)
            assert files.sha256(stored[start : file.tell()]) == sums[name]


def test_every_flipped_bit_is_refused(written):
    path, _ = written
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for bit in rng.choice(8 * len(whole), 1500, replace=False):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match=r"characters_dataset: .*run create_dataset"):
            open_dataset(path)


def test_every_truncation_is_refused(written):
    path, _ = written
    whole = path.read_bytes()
    for size in np.linspace(0, len(whole) - 1, 200).astype(int):
        path.write_bytes(whole[:size])
        with pytest.raises(ArtifactError):
            open_dataset(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ArtifactError):
        open_dataset(path)


def test_missing_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"no such file; run create_dataset.py first"):
        open_dataset(tmp_path / "missing")
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"an": "object"}], dtype=object), allow_pickle=True)
    for content in (b"", b"text", buffer.getvalue()):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(ArtifactError, match="not a characters_dataset"):
            open_dataset(tmp_path / "file")


def test_file_of_a_later_version_says_so(written, monkeypatch):
    path, _ = written
    monkeypatch.setattr(dataset_open, "VERSION", 0)
    with pytest.raises(ArtifactError, match="version 1; this program reads version 0"):
        open_dataset(path)

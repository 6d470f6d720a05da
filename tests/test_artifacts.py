import json
import os
import shutil

import h5py
import numpy as np
import pytest

from glyphs.artifacts import to_onnx
from glyphs.artifacts.description import to_bytes
from glyphs.artifacts.loading import load_model, read_architecture
from glyphs.artifacts.onnx_file import convert, read_or_convert
from glyphs.artifacts.paths import Paths, find_model
from glyphs.artifacts.saving import files, write_model
from glyphs.errors import ArtifactError
from glyphs.networks.glyphnet import glyphnet
from glyphs.networks.kanji import kanji

FACTS = {"class_names": ["一", "U+4E8C", "x"], "characters": ["一", "二", "x"]}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A small model without ONNX form, and the keras.Model it was written from."""
    prefix = str(tmp_path_factory.mktemp("original") / "model")
    model = kanji((8, 8), 3, filters=(2, 2, 2), units=4)
    write_model(prefix, model, FACTS)
    return prefix, model


@pytest.fixture
def prefix(original, tmp_path):
    """A copy of the model's files to damage."""
    for path in (Paths(original[0]).architecture, Paths(original[0]).weights):
        shutil.copy(path, tmp_path)
    return str(tmp_path / "model")


def test_plain_keras_reads_the_pair(original):
    import keras

    prefix, model = original
    with open(f"{prefix}_architecture.json") as file:
        read = keras.models.model_from_json(file.read())
    read.load_weights(f"{prefix}_weights.h5")
    for one, other in zip(read.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not read.compiled


def test_weights_are_plain_hdf5(original):
    with h5py.File(f"{original[0]}_weights.h5") as file:
        assert "model_weights" in file


def test_same_model_same_bytes(original, tmp_path):
    prefix, model = original
    write_model(str(tmp_path / "again"), model, FACTS)
    for suffix in ("_architecture.json", "_weights.h5"):
        with open(prefix + suffix, "rb") as one, open(tmp_path / f"again{suffix}", "rb") as other:
            assert one.read() == other.read()
    assert len(os.listdir(tmp_path)) == 2


def test_facts_are_read_back(original):
    glyphs = read_architecture(original[0])["glyphs"]
    assert {key: glyphs[key] for key in FACTS} == FACTS
    assert glyphs["sha256"]["onnx"] is None


@pytest.mark.parametrize("suffix", ["_architecture.json", "_weights.h5"])
def test_every_flipped_bit_and_truncation_is_refused(prefix, suffix):
    path = prefix + suffix
    with open(path, "rb") as file:
        whole = file.read()
    rng = np.random.default_rng(0)
    for trial in range(500):
        damaged = bytearray(whole)
        bit = rng.integers(8 * len(whole))
        damaged[bit // 8] ^= 1 << (bit % 8)
        if trial % 5 == 0:
            damaged = whole[: rng.integers(len(whole))]
        with open(path, "wb") as file:
            file.write(damaged)
        with pytest.raises(ArtifactError, match=os.path.basename(path)):
            read_architecture(prefix)


def test_weights_of_another_model_are_refused(prefix, tmp_path):
    other = kanji((8, 8), 3, filters=(2, 2, 2), units=4)
    write_model(str(tmp_path / "other"), other, FACTS)
    shutil.copy(tmp_path / "other_weights.h5", f"{prefix}_weights.h5")
    with pytest.raises(ArtifactError, match="not the weights of"):
        read_architecture(prefix)


def write_json(prefix, content):
    with open(f"{prefix}_architecture.json", "wb") as file:
        file.write(content if isinstance(content, bytes) else json.dumps(content).encode())


def test_missing_files_are_named(prefix):
    os.remove(f"{prefix}_weights.h5")
    with pytest.raises(ArtifactError, match=r"model_weights.h5: no such file"):
        read_architecture(prefix)
    with pytest.raises(ArtifactError, match=r"other_architecture.json: no such file"):
        read_architecture(os.path.join(os.path.dirname(prefix), "other"))


@pytest.mark.parametrize(
    "content",
    [{}, [], 1, None, b"", b"{", b"\xff\xfe", b"[" * 100_000, {"glyphs": []},
     {"class_name": "Sequential", "config": []}],
    ids=range(10),
)  # fmt: skip
def test_json_from_elsewhere_is_refused(prefix, content):
    write_json(prefix, content)
    with pytest.raises(ArtifactError, match=r"model_architecture.json: (not|damaged)"):
        read_architecture(prefix)


def test_signed_json_with_a_foreign_layer_is_refused_before_it_is_built(prefix):
    content = read_architecture(prefix)
    content["config"]["layers"][1]["class_name"] = "Lambda"
    network = {key: value for key, value in content.items() if key != "glyphs"}
    sums = content["glyphs"]["sha256"]
    sums["network"] = files.sha256(files.canonical_json(network))
    write_json(prefix, to_bytes(content))
    with pytest.raises(ArtifactError, match=r"not a network of this toolkit \('Lambda'\)"):
        read_architecture(prefix)


def test_converted_model_is_kept_and_known_by_its_sum(prefix):
    architecture = read_architecture(prefix)
    model = convert(prefix, architecture)
    with open(f"{prefix}.onnx", "rb") as file:
        assert file.read() == model
    assert read_or_convert(prefix, read_architecture(prefix)) == model


def test_failed_conversion_is_an_error_that_names_the_file(prefix, monkeypatch):
    def fail(architecture, weights_path):
        raise ValueError("a reason")

    monkeypatch.setattr(to_onnx, "to_onnx", fail)
    architecture = read_architecture(prefix)
    with pytest.raises(ArtifactError, match=r"model.onnx: could not be made \(a reason\)"):
        convert(prefix, architecture)


def test_half_precision_takes_half_the_space_and_keeps_three_digits(tmp_path):
    model = glyphnet((16, 16), 3)
    facts = {"class_names": ["a", "b", "c"], "preprocessing": None}
    write_model(str(tmp_path / "whole"), model, facts)
    write_model(str(tmp_path / "half"), model, facts, half_precision=True)
    sizes = [(tmp_path / f"{name}_weights.h5").stat().st_size for name in ("whole", "half")]
    assert 0.45 < sizes[1] / sizes[0] < 0.6
    loaded, _ = load_model(str(tmp_path / "half"))
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(theirs, ours.astype(np.float16).astype(np.float32))
    architecture = read_architecture(str(tmp_path / "half"))
    assert len(convert(str(tmp_path / "half"), architecture)) > sizes[1]


def test_what_is_too_large_for_half_precision_stays_whole(tmp_path):
    model = glyphnet((16, 16), 3)
    norm = next(layer for layer in model.layers if "norm" in layer.name)
    norm.moving_variance.assign(norm.moving_variance * 1e6)
    write_model(str(tmp_path / "half"), model, FACTS, half_precision=True)
    loaded, _ = load_model(str(tmp_path / "half"))
    np.testing.assert_array_equal(loaded.get_layer(norm.name).moving_variance, 1e6)


def test_a_model_is_found_by_its_folder(prefix):
    folder = os.path.dirname(prefix)
    assert find_model(folder) == prefix
    assert find_model(prefix) == prefix
    os.mkdir(prefix)
    assert find_model(prefix) == prefix
    assert find_model("nothing") == "nothing"

import json

import keras
import numpy as np
import pytest

import model
import model30x30
import model_for_augmented_dataset
from glyphs.artifacts.saving import _no_logging, write_model
from glyphs.errors import UsageError
from glyphs.images.preprocessing import Preprocessing
from glyphs.inference import Classifier
from glyphs.networks import catalogue, transfer
from glyphs.networks.kanji import kanji
from glyphs.networks.melnyk import melnyk
from glyphs.networks.transfer import resnet152v2

TRANSFER = ("xception", "resnet152v2")
SMALL = [name for name in catalogue.NETWORKS if name not in TRANSFER]
LARGE = [pytest.param(name, marks=pytest.mark.slow) for name in TRANSFER]
SMALL_HEAD = {"weights": None, "units": (4, 3, 2)}


def build(name, image_size, n_classes, **options):
    """Build a network of the catalogue, those of photographs without their weights."""
    if name in TRANSFER:
        options = {"weights": None, **options}
    return catalogue.build(name, image_size, n_classes, **options)


def n_trainable(network):
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


@pytest.fixture
def any_weights(monkeypatch):
    """Let the photograph networks take any name for a file of weights."""
    monkeypatch.setattr(transfer, "_load", lambda base, network, path: None)


@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_catalogue_is_right(name, any_weights):
    entry = catalogue.find(name)
    options = {"weights": "file"} if name in TRANSFER else {}
    network = build(name, entry.image_size, entry.n_classes, **options)
    assert network.count_params() == entry.parameters
    assert n_trainable(network) == entry.trainable
    assert not network.compiled


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("kanji", model),
        ("kanji30", model30x30),
        ("kanji-wide", model_for_augmented_dataset),
    ],
)
def test_scripts_build_the_networks_of_the_catalogue(name, script):
    image_size = catalogue.find(name).image_size
    built = [script.build_network(image_size, 3), build(name, image_size, 3)]
    assert built[0].to_json() == built[1].to_json()


def test_scripts_have_the_parameters_of_the_seed():
    parameters = [catalogue.find(name).parameters for name in ("kanji", "kanji30", "kanji-wide")]
    assert parameters == [8_344_660, 8_339_080, 17_490_180]


def test_unknown_network_is_named():
    with pytest.raises(
        UsageError, match="lenet: no such network; choose one of glyphnet, glyphnet-many, kanji"
    ):
        catalogue.build("lenet", (32, 32), 10)


@pytest.mark.parametrize("name", SMALL)
def test_networks_take_any_size_and_return_probabilities(name):
    network = build(name, (20, 27), 4)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 20, 27, 1)).astype(np.float32)
    probabilities = np.asarray(network(pictures))
    assert probabilities.shape == (2, 4)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    again = keras.models.model_from_json(network.to_json())
    again.set_weights(network.get_weights())
    np.testing.assert_array_equal(np.asarray(again(pictures)), probabilities)


@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_networks_scale_inside_and_have_fixed_names(name):
    entry = catalogue.find(name)
    options = SMALL_HEAD if name in TRANSFER else {}
    first, second = (build(name, entry.image_size, 3, **options).to_json() for _ in range(2))
    assert first == second
    names = [layer["name"] for layer in json.loads(first)["config"]["layers"]]
    assert names[:2] == ["images", "rescaling"]
    assert names[-1] == "probabilities"


@pytest.mark.parametrize(
    ("name", "smallest"),
    [("kanji", 8), ("kmnist", 12), ("hebrew", 4), ("glyphnet", 16), ("xception", 71),
     ("resnet152v2", 32)],
)  # fmt: skip
def test_pictures_too_small_are_refused(name, smallest):
    options = SMALL_HEAD if name in TRANSFER else {}
    if name not in TRANSFER:  # they take seconds
        build(name, (smallest, smallest), 3)
    with pytest.raises(UsageError, match=rf"\A{name} needs pictures of at least {smallest}x"):
        build(name, (smallest, smallest - 1), 3, **options)


def test_30x30_network_flattens_to_as_many_values_as_the_32x32_one():
    for name, side in (("kanji", 32), ("kanji30", 30)):
        assert build(name, (side, side), 3).get_layer("flatten").output.shape == (None, 1920)


def test_constants_are_those_of_the_seed():
    model = kanji((32, 32), 100)
    norm = model.get_layer("conv1_norm")
    assert (norm.momentum, norm.epsilon) == (0.9, 1e-6)
    assert model.get_layer("conv2").kernel_constraint.axis == [0, 1, 2]
    assert model.get_layer("flatten").output.shape == (None, 1920)
    rates = [layer.rate for layer in model.layers if type(layer).__name__ == "Dropout"]
    assert rates == [0.1, 0.2, 0.3, 0.5, 0.5]


def test_pooling_of_melnyk_sums_every_map_with_weights():
    network = melnyk((48, 32), 3)
    pooling = network.get_layer("pooling")
    assert pooling.get_weights()[0].shape == (3, 2, 448, 1)
    weights = np.random.default_rng(0).normal(size=(3, 2, 448, 1)).astype(np.float32)
    pooling.set_weights([weights])
    maps = np.random.default_rng(1).normal(size=(5, 3, 2, 448)).astype(np.float32)
    pooled = np.asarray(network.get_layer("flatten")(pooling(maps)))
    np.testing.assert_allclose(pooled, (maps * weights[..., 0]).sum(axis=(1, 2)), atol=1e-5)


# --- Networks of photographs ---


@pytest.fixture(scope="module")
def xception():
    return transfer.xception((80, 80), 3, **SMALL_HEAD)


def test_photograph_networks_get_three_channels_as_they_are_used_to(xception):
    white = np.linspace(0, 255, 80 * 80, dtype=np.float32).reshape(1, 80, 80, 1)
    x = xception.get_layer("grey_to_rgb")([xception.get_layer("rescaling")(white)] * 3)
    expected = keras.applications.xception.preprocess_input(np.repeat(white, 3, axis=-1))
    np.testing.assert_allclose(np.asarray(x), expected, atol=1e-6)
    expected = keras.applications.resnet_v2.preprocess_input(np.repeat(white, 3, axis=-1))
    np.testing.assert_allclose(np.asarray(x), expected, atol=1e-6)


def test_of_random_weights_all_go_on_learning(xception):
    assert all(layer.trainable for layer in xception.layers)


def test_six_layers_of_the_base_go_on_learning_also_after_a_round_trip(any_weights):
    pretrained = transfer.xception((80, 80), 3, **{**SMALL_HEAD, "weights": "file"})
    for network in (pretrained, keras.models.model_from_json(pretrained.to_json())):
        learning = [layer.name for layer in network.layers if layer.trainable_weights]
        assert learning[:5] == [
            "block14_sepconv1", "block14_sepconv1_bn", "block14_sepconv2", "block14_sepconv2_bn",
            "dense1",
        ]  # fmt: skip


@pytest.mark.parametrize("name", ["xception", pytest.param("resnet152v2", marks=pytest.mark.slow)])
def test_weights_from_a_file_are_those_of_the_base(name, tmp_path):
    original = transfer.APPLICATIONS[name](include_top=False, weights=None)
    path = tmp_path / transfer.WEIGHTS_FILES[name]
    with _no_logging():
        original.save(path)
    network = build(name, (75, 80), 3, weights=str(path), units=(4,))
    named = [each for each in original.layers if not transfer.NUMBERED.fullmatch(each.name)]
    for layer in filter(lambda layer: layer.weights, named):
        loaded = network.get_layer(layer.name).get_weights()
        for one, other in zip(layer.get_weights(), loaded, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("content", [None, b"", b"no weights"])
def test_weights_that_are_none_are_refused_in_one_line(tmp_path, content):
    path = tmp_path / "weights.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as error:
        transfer.xception((80, 80), 3, weights=str(path))
    assert str(error.value).startswith(f"{path}: ")
    assert "xception_weights_tf_dim_ordering_tf_kernels_notop.h5" in str(error.value)
    assert "\n" not in str(error.value)


def test_download_that_fails_says_which_file_to_fetch(monkeypatch, capsys):
    def no_network(**options):
        print("Downloading data")
        raise Exception("URL fetch failure")

    monkeypatch.setitem(transfer.APPLICATIONS, "resnet152v2", no_network)
    with pytest.raises(UsageError, match=r"fetch the file resnet152v2_\S+_notop.h5 .* --weights"):
        resnet152v2((32, 32), 3)
    assert capsys.readouterr().out == ""


# --- All the way to classification ---


@pytest.mark.parametrize(
    ("name", "image_size", "n_classes"),
    [
        ("glyphnet", (16, 20), 4),
        ("kmnist", (28, 28), 10),
        *(
            pytest.param(name, entry.image_size, entry.n_classes, marks=pytest.mark.slow)
            for name, entry in catalogue.NETWORKS.items()
        ),
    ],
)
def test_classifier_answers_like_keras(name, image_size, n_classes, tmp_path):
    network = build(name, image_size, n_classes)
    spread(network)
    names = [f"class {i}" for i in range(n_classes)]
    preprocessing = Preprocessing((image_size,)).to_json()
    facts = {"class_names": names, "characters": names, "preprocessing": preprocessing}
    prefix = str(tmp_path / "model")
    write_model(prefix, network, facts)
    classifier = Classifier(prefix)
    for size in [image_size] if all(network.input_shape[1:3]) else [image_size, (17, 90)]:
        pictures = np.random.default_rng(0).integers(0, 256, (3, *size), np.uint8)
        expected = np.asarray(network(pictures[..., None].astype(np.float32)))
        assert expected.max() > 1.2 * expected.min()
        received = classifier.probabilities(pictures)
        np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_averages_of_batch_normalization_follow_within_a_small_dataset(name):
    # At Keras's .99, a third of the initial values would be left after 100 steps.
    network = build(name, catalogue.find(name).image_size, 3)
    norms = [layer for layer in network.layers if hasattr(layer, "moving_mean")]
    assert norms or name == "hebrew"
    assert all(layer.momentum <= 0.9 for layer in norms)


def test_averages_of_photograph_networks_do_too(xception):
    norms = [layer for layer in xception.layers if hasattr(layer, "moving_mean")]
    assert len(norms) == 43
    assert all(layer.momentum == 0.9 for layer in norms)


def spread(network):
    """Give BatchNorm averages as after training, so that answers differ from class to class."""
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if type(layer).__name__ == "BatchNormalization":
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights(
                [gamma, beta, rng.normal(0, 0.05, mean.shape), rng.uniform(0.5, 1, variance.shape)]
            )

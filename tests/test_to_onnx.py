"""Networks converted to ONNX answer as they do in Keras."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers

from glyphs.artifacts import onnx_layers, to_onnx, vetting
from glyphs.artifacts.loading import read_architecture
from glyphs.artifacts.paths import Paths
from glyphs.artifacts.saving import write_model


def write(tmp_path, network):
    prefix = str(tmp_path / "model")
    write_model(prefix, network, {"class_names": []})
    return read_architecture(prefix), Paths(prefix).weights


def convert(tmp_path, network):
    return to_onnx.to_onnx(*write(tmp_path, network))


def check_answers(tmp_path, network, *sizes):
    """Compare the answers of both forms to pictures, with weights drawn at random."""
    rng = np.random.default_rng(0)
    for variable in network.weights:
        lowest = 0.5 if "variance" in variable.path else -0.5
        variable.assign(rng.uniform(lowest, 1, variable.shape))
    model = convert(tmp_path, network)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["images"]
    for size in sizes:
        pictures = rng.uniform(0, 2, (2, *size, 1)).astype(np.float32)
        expected = np.asarray(network(pictures))
        received = session.run(None, {"images": pictures})[0]
        np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-4)


def test_every_layer_of_our_networks_is_known():
    assert onnx_layers.LAYERS.keys() == vetting.LAYERS


MAPS = [
    layers.Rescaling(1 / 3, offset=-1),
    layers.Conv2D(4, (3, 2), padding="same", strides=2, activation="relu"),
    layers.Conv2D(4, (2, 3), strides=(1, 2), use_bias=False),
    layers.Conv2D(6, 3, padding="same", groups=2),
    layers.DepthwiseConv2D((3, 2), depth_multiplier=2, activation="relu"),
    layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False),
    layers.SeparableConv2D(5, 3, depth_multiplier=3, padding="same", strides=2),
    layers.SeparableConv2D(5, (2, 3), use_bias=False, activation="relu"),
    layers.BatchNormalization(),
    layers.BatchNormalization(center=False, scale=False, epsilon=0.1),
    layers.PReLU(),
    layers.PReLU(shared_axes=[1, 2]),
    layers.ReLU(),
    layers.Activation("relu"),
    layers.Softmax(),
    layers.MaxPooling2D(2),
    layers.MaxPooling2D((2, 3), strides=2, padding="same"),
    layers.AveragePooling2D(3, strides=2, padding="same"),
    layers.AveragePooling2D((2, 3)),
    layers.ZeroPadding2D(((1, 2), (3, 0))),
    layers.Dropout(0.5),
]


@pytest.mark.parametrize("layer", MAPS, ids=lambda layer: layer.name)
def test_layers_of_maps(layer, tmp_path):
    layer = type(layer).from_config(layer.get_config())
    inputs = keras.Input((9, 12, 1))
    x = layer(layers.Conv2D(4, 3, name="before")(inputs))
    x = layers.Dense(3, name="after")(layers.Flatten()(x))
    check_answers(tmp_path, keras.Model(inputs, x), (9, 12))


HEADS = [
    layers.GlobalMaxPooling2D(),
    layers.GlobalAveragePooling2D(),
    layers.Flatten(),
]


@pytest.mark.parametrize("head", HEADS, ids=lambda layer: layer.name)
def test_layers_after_maps(head, tmp_path):
    inputs = keras.Input((5, 4, 1))
    x = type(head)()(layers.Conv2D(3, 2)(inputs))
    x = layers.PReLU()(layers.BatchNormalization()(layers.Dense(4, use_bias=False)(x)))
    x = layers.Dense(3, activation="softmax")(x)
    check_answers(tmp_path, keras.Model(inputs, x), (5, 4))


def test_layers_of_several_tensors(tmp_path):
    inputs = keras.Input((5, 4, 1))
    a, b, c = (layers.Conv2D(3, 1)(inputs) for _ in range(3))
    x = layers.Concatenate()([layers.Add()([a, b, c]), a])
    check_answers(tmp_path, keras.Model(inputs, layers.Flatten()(x)), (5, 4))


def test_network_that_takes_any_size_does_so_afterwards(tmp_path):
    inputs = keras.Input((None, None, 1))
    x = layers.MaxPooling2D(2, padding="same")(layers.Conv2D(3, 3, padding="same")(inputs))
    x = layers.GlobalMaxPooling2D()(layers.AveragePooling2D(3, padding="same", strides=2)(x))
    check_answers(tmp_path, keras.Model(inputs, x), (8, 8), (7, 30), (1, 2))


def test_same_network_same_bytes(tmp_path):
    inputs = keras.Input((5, 4, 1))
    files = write(tmp_path, keras.Model(inputs, layers.Dense(2)(layers.Flatten()(inputs))))
    assert to_onnx.to_onnx(*files) == to_onnx.to_onnx(*files)


@pytest.mark.parametrize(
    "layer",
    [
        layers.Activation("gelu"),
        layers.Conv2D(2, 3, dilation_rate=2),
        layers.ReLU(max_value=6),
        layers.Softmax(axis=1),
        layers.BatchNormalization(axis=1),
    ],
    ids=lambda layer: layer.name,
)
def test_what_is_not_known_is_refused(layer, tmp_path):
    inputs = keras.Input((5, 5, 1))
    layer = type(layer).from_config(layer.get_config())
    with pytest.raises(ValueError, match=r"activation|dilated|ReLU|softmax|BatchNorm"):
        convert(tmp_path, keras.Model(inputs, layers.Flatten()(layer(inputs))))

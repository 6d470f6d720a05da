import json

import numpy as np
import pytest

import model
import model30x30
import model_for_augmented_dataset
from glyphs import artifacts, networks


@pytest.mark.parametrize(
    ("script", "image_size", "parameters"),
    [
        (model, (32, 32), 8_344_660),
        (model30x30, (30, 30), 8_339_080),
        (model_for_augmented_dataset, (32, 32), 17_490_180),
    ],
)
def test_networks_have_the_parameters_of_the_seed(script, image_size, parameters):
    assert script.build_network(image_size, 100).count_params() == parameters


def test_30x30_network_flattens_to_as_many_values_as_the_32x32_one():
    for script, side in ((model, 32), (model30x30, 30)):
        network = script.build_network((side, side), 3)
        assert network.get_layer("flatten").output.shape == (None, 1920)


def test_kanji_scales_inside_and_returns_probabilities():
    model = networks.kanji((16, 24), 3, filters=(2, 3, 4), units=8)
    assert type(model.layers[1]).__name__ == "Rescaling"
    probabilities = np.asarray(model(np.full((2, 16, 24, 1), 255, np.float32)))
    assert probabilities.shape == (2, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_constants_are_those_of_the_seed():
    model = networks.kanji((32, 32), 100)
    norm = model.get_layer("conv1_norm")
    assert (norm.momentum, norm.epsilon) == (0.9, 1e-6)
    assert model.get_layer("conv2").kernel_constraint.axis == [0, 1, 2]
    assert model.get_layer("flatten").output.shape == (None, 1920)
    rates = [layer.rate for layer in model.layers if type(layer).__name__ == "Dropout"]
    assert rates == [0.1, 0.2, 0.3, 0.5, 0.5]


def test_description_does_not_depend_on_what_was_built_before():
    first, second = (networks.kanji((16, 16), 3, units=8).to_json() for _ in range(2))
    assert first == second


def test_only_known_layers_are_used():
    content = json.loads(networks.kanji((16, 16), 3, units=8).to_json())
    assert {layer["class_name"] for layer in content["config"]["layers"]} <= artifacts.LAYERS

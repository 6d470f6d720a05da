import json

import numpy as np

from glyphs import artifacts, networks


def test_kanji_has_the_parameters_of_the_seed():
    assert networks.kanji((32, 32), 100).count_params() == 8_344_660


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

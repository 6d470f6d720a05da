"""Convert a pair of model files to ONNX: `python -m glyphs.conversion PREFIX OUTPUT`.

Run as a child process by artifacts.convert.
"""

import json
import sys

import keras
import numpy as np

from glyphs import artifacts, files
from glyphs.errors import ArtifactError


def convert(prefix, output):
    """Write the verified model `prefix` as the ONNX file `output`, and compare the two.

    Raises:
        ArtifactError: the model is damaged, or its pictures grow too large on the way.
        ArithmeticError: the ONNX model answers otherwise than the Keras model.
    """
    import onnxruntime

    content = artifacts.read_architecture(prefix)
    model = load(prefix, content)
    batches = _random_pictures(model.input_shape)
    expected = [np.asarray(model(batch)) for batch in batches]  # the export needs a traced model
    model.export(output, format="onnx", verbose=False)

    session = onnxruntime.InferenceSession(output, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    for batch, probabilities in zip(batches, expected, strict=True):
        difference = float(np.abs(session.run(None, {name: batch})[0] - probabilities).max())
        if not difference < 1e-4:
            raise ArithmeticError(f"the ONNX model differs from the Keras model by {difference}")
    with open(output, "r+b") as file:
        files.flush(file)


def _random_pictures(input_shape):
    """Return batches of float32 `(4, height, width, 1)`, 0..255: of two sizes if any will do."""
    rng = np.random.default_rng(0)
    sizes = [input_shape[1:3]] if all(input_shape[1:3]) else [(64, 48), (33, 80)]
    return [rng.integers(0, 256, (4, *size, 1)).astype(np.float32) for size in sizes]


def load(prefix, content):
    """Return the keras.Model of a pair of files whose JSON was read by read_architecture.

    Raises:
        ArtifactError: a picture would grow too large on its way through the layers.
    """
    network = {key: value for key, value in content.items() if key != "glyphs"}
    model = keras.models.model_from_json(json.dumps(network))
    if any(
        artifacts.values_of(layer.output.shape) > artifacts.MAX_VALUES for layer in model.layers
    ):
        path = artifacts.Paths(prefix).architecture
        raise ArtifactError(f"{path}: describes a network that needs too much memory; train again")
    model.load_weights(artifacts.Paths(prefix).weights)
    return model


if __name__ == "__main__":
    convert(*sys.argv[1:])

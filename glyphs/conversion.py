"""Convert a pair of model files to ONNX: `python -m glyphs.conversion PREFIX OUTPUT`.

Run as a child process by artifacts.convert.
"""

import json
import sys

import keras
import numpy as np

from glyphs import artifacts, files


def convert(prefix, output):
    """Write the verified model `prefix` as the ONNX file `output`, and compare the two.

    Raises:
        ArithmeticError: the ONNX model answers otherwise than the Keras model.
    """
    import onnxruntime

    content = artifacts.read_architecture(prefix)
    model = load(prefix, content)
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (4, *model.input_shape[1:])).astype(np.float32)
    expected = np.asarray(model(pictures))  # called once: the export needs a traced model
    model.export(output, format="onnx", verbose=False)

    session = onnxruntime.InferenceSession(output, providers=["CPUExecutionProvider"])
    received = session.run(None, {session.get_inputs()[0].name: pictures})[0]
    difference = float(np.abs(received - expected).max())
    if not difference < 1e-4:
        raise ArithmeticError(f"the ONNX model differs from the Keras model by {difference}")
    with open(output, "r+b") as file:
        files.flush(file)


def load(prefix, content):
    """Return the keras.Model of a pair of files whose JSON was read by read_architecture."""
    network = {key: value for key, value in content.items() if key != "glyphs"}
    model = keras.models.model_from_json(json.dumps(network))
    model.load_weights(artifacts.Paths(prefix).weights)
    return model


if __name__ == "__main__":
    convert(*sys.argv[1:])

"""PREFIX.onnx, which is derived from the model files, as a .pyc is from a .py."""

import contextlib

from glyphs import files
from glyphs.artifacts import description
from glyphs.artifacts.paths import Paths
from glyphs.errors import ArtifactError, StorageError


def read_or_convert(prefix, architecture, *, notify=lambda message: None):
    """Return PREFIX.onnx as bytes; make it (again) where it is missing, damaged or stale.

    Args:
        prefix: path and beginning of the file names.
        architecture: what read_architecture(prefix) returned.
        notify: called with one line before a conversion, which may take some seconds.

    Raises:
        ArtifactError: the conversion failed.
    """
    path = Paths(prefix).onnx
    expected = architecture["glyphs"]["sha256"].get("onnx")
    problem = "has not been made yet"
    if expected:
        try:
            with open(path, "rb") as file:
                model = file.read()
            if files.sha256(model) == expected:
                return model
            problem = "is damaged or stale"
        except FileNotFoundError:
            problem = "is missing"
        except OSError as error:
            problem = f"cannot be read ({error.strerror})"
    notify(f"{path} {problem}; making it from the model files")
    return convert(prefix, architecture, is_shared=True)


def convert(prefix, architecture, *, is_shared=False):
    """Convert the model to ONNX, write that as PREFIX.onnx, and return it as bytes.

    Where the folder is read-only, it is returned but not kept. `is_shared` says that others may do
    the same at this moment, as the jobs of an array do with a new model.

    Raises:
        ArtifactError: the conversion failed.
    """
    from glyphs.artifacts import to_onnx

    paths = Paths(prefix)
    try:
        model = to_onnx.to_onnx(architecture, paths.weights)
    except Exception as error:  # of many kinds, where a file from elsewhere looks like ours
        raise ArtifactError(f"{paths.onnx}: could not be made ({error!s:.300})") from None
    glyphs = architecture["glyphs"]
    glyphs["sha256"]["onnx"] = files.sha256(model)
    with contextlib.suppress(StorageError):
        with files.replacing(paths.onnx, is_shared=is_shared) as file:
            file.write(model)
        with files.replacing(paths.architecture, is_shared=is_shared) as file:
            file.write(description.to_bytes(architecture))
    return model


def compare(onnx, model, images, path):
    """Raise ArtifactError unless the ONNX model answers as the Keras model does.

    Args:
        onnx: the ONNX model, bytes.
        model: keras.Model.
        images: uint8 `(n, height, width)` to ask both about.
        path: of the ONNX model, for the error.
    """
    import keras
    import numpy as np
    import onnxruntime

    batch = images[..., None].astype(np.float32)
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    answers = session.run(None, {session.get_inputs()[0].name: batch})[0]
    expected = keras.ops.convert_to_numpy(model(batch, training=False))
    if not np.abs(answers - expected).max() < 1e-3:
        raise ArtifactError(f"{path}: answers otherwise than the network")

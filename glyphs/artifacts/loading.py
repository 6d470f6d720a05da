"""Read model files, and verify every byte of them. Keras is needed for the network alone."""

import contextlib
import json
import os

from glyphs import files
from glyphs.artifacts import description, vetting
from glyphs.artifacts.paths import Paths
from glyphs.errors import ArtifactError


def read_architecture(prefix):
    """Read and verify PREFIX_architecture.json, and that PREFIX_weights.h5 belongs to it.

    Args:
        prefix: path and beginning of the file names.

    Returns:
        dict: the whole JSON; what is ours is under "glyphs".

    Raises:
        ArtifactError: a file is missing, damaged, from elsewhere, or they do not match.
    """
    paths = Paths(prefix)
    for path in (paths.architecture, paths.weights):
        if not os.path.isfile(path):
            raise ArtifactError(
                f"{path}: no such file; train a model first, or give the name of another"
            )
    with _read_errors(paths.architecture):
        with open(paths.architecture, "rb") as file:
            stored = file.read(description.MAX_JSON_BYTES + 1)
    content = description.parse(stored, paths.architecture)
    with _read_errors(paths.weights):
        weights_size = os.path.getsize(paths.weights)
        weights_sha256 = files.sha256_of_file(paths.weights)
    if weights_sha256 != content["glyphs"]["sha256"].get("weights"):
        raise ArtifactError(
            f"{paths.weights}: damaged, or not the weights of {paths.architecture} (their SHA-256 "
            "differs from the one stored there); restore both files together, or train again"
        )
    vetting.check_network(content, paths.architecture, weights_size)
    return content


@contextlib.contextmanager
def _read_errors(path):
    try:
        yield
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror})") from None


def load_model(prefix):
    """Return the keras.Model of a verified pair of files, and what is stored with it.

    Args:
        prefix: path and beginning of the file names.

    Returns:
        `(model, facts)`: the uncompiled model, and the value of the key "glyphs".

    Raises:
        ArtifactError: a file is missing, damaged, from elsewhere, or they do not match.
    """
    import keras

    content = read_architecture(prefix)
    network = {key: value for key, value in content.items() if key != "glyphs"}
    model = keras.models.model_from_json(json.dumps(network))
    model.load_weights(Paths(prefix).weights)
    return model, content["glyphs"]

"""Model files: PREFIX_architecture.json, PREFIX_weights.h5 and, derived from them, PREFIX.onnx.

The JSON is what Keras writes plus the key "glyphs", which says everything else that a model needs
to be used: class names, preprocessing, checksums, where it comes from, how good it was. Nothing
here imports Keras.
"""

import contextlib
import dataclasses
import json
import math
import os
import subprocess
import sys
import tempfile

from glyphs import files
from glyphs.errors import ArtifactError, StorageError

FORMAT = "glyphs model"
VERSION = 1
MAX_JSON_BYTES = 8_000_000  # 5,000 classes need half a million; parsed, it may take 100 times that

# What our networks consist of. A file that names any other class is refused before it is built.
LAYERS = frozenset(
    {
        "InputLayer", "Rescaling", "Conv2D", "DepthwiseConv2D", "SeparableConv2D",
        "BatchNormalization", "PReLU", "ReLU", "Activation", "MaxPooling2D", "AveragePooling2D",
        "GlobalAveragePooling2D", "GlobalMaxPooling2D", "ZeroPadding2D", "Add", "Concatenate",
        "Dropout", "Flatten", "Dense", "Softmax",
    }
)  # fmt: skip
PARTS = {
    "keras.initializers": {
        "Zeros", "Ones", "Constant", "HeNormal", "HeUniform", "GlorotNormal", "GlorotUniform",
        "RandomNormal",
    },
    "keras.constraints": {"MaxNorm"},
    "keras.regularizers": {"L1", "L2", "L1L2"},
    "keras": {"DTypePolicy"},
    None: {"__keras_tensor__"},
}  # fmt: skip
MAX_VALUES = 1 << 27  # numbers that a picture may become between two layers
OPEN_SIDE = 64  # what a side counts that a network leaves open, for pictures of any size


@dataclasses.dataclass(frozen=True)
class Paths:
    """The files of the model called `prefix`."""

    prefix: str

    @property
    def architecture(self):
        return f"{self.prefix}_architecture.json"

    @property
    def weights(self):
        return f"{self.prefix}_weights.h5"

    @property
    def onnx(self):
        return f"{self.prefix}.onnx"

    @property
    def checkpoint(self):
        return f"{self.prefix}_checkpoint.npz"


def write_model(prefix, model, facts):
    """Write the pair of model files. Both are complete on the disk before either is renamed.

    Args:
        prefix: path and beginning of the file names.
        model: keras.Model; how it was compiled is not written.
        facts: dict for the key "glyphs": class_names, characters, preprocessing and more.

    Raises:
        StorageError: no space or no permission.
    """
    paths = Paths(prefix)
    weights = _hdf5_bytes(model)
    content = json.loads(model.to_json())
    # Readers get an uncompiled model, and the file no optimizer names that count what was built.
    content.pop("compile_config", None)
    content["glyphs"] = {
        "format": FORMAT,
        "version": VERSION,
        **facts,
        "sha256": {
            "weights": files.sha256(weights),
            "network": files.sha256(files.canonical_json(content)),
            "onnx": None,
        },
    }
    architecture = _json_bytes(content)
    needed = len(weights) + len(architecture)
    with files.replacing(paths.architecture, needed) as file:
        file.write(architecture)
        files.flush(file)
        with files.replacing(paths.weights, needed) as weights_file:
            weights_file.write(weights)


def _hdf5_bytes(model):
    """Return the file that Keras saves a model as in HDF5.

    Made in memory: where the disk is full, the HDF5 library neither ends well nor quietly.
    """
    import h5py
    import keras

    class MemoryFile(h5py.File):
        def __str__(self):  # Keras tells the format from the end of the name
            return self.filename

    with MemoryFile("model.h5", "w", driver="core", backing_store=False) as file:
        with _no_logging():
            keras.saving.save_model(model, file, include_optimizer=False)
        file.flush()
        return file.id.get_file_image()


@contextlib.contextmanager
def _no_logging():
    """Keep Keras from calling HDF5 a legacy format on every save: it is our promised format."""
    import logging

    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(previous)


def _json_bytes(content):
    """Return the model JSON, its key "glyphs" freshly signed with the SHA-256 of itself."""
    glyphs = {key: value for key, value in content["glyphs"].items() if key != "glyphs_sha256"}
    glyphs["glyphs_sha256"] = files.sha256(files.canonical_json(glyphs))
    return json.dumps({**content, "glyphs": glyphs}, ensure_ascii=False, indent=1).encode() + b"\n"


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
                f"{path}: no such file; train a model first, or name another --model"
            )
    with _read_errors(paths.architecture):
        with open(paths.architecture, "rb") as file:
            stored = file.read(MAX_JSON_BYTES + 1)
    content = _parse(stored, paths.architecture)
    with _read_errors(paths.weights):
        weights_size = os.path.getsize(paths.weights)
        weights_sha256 = files.sha256_of_file(paths.weights)
    if weights_sha256 != content["glyphs"]["sha256"].get("weights"):
        raise ArtifactError(
            f"{paths.weights}: damaged, or not the weights of {paths.architecture} (their SHA-256 "
            "differs from the one stored there); restore both files together, or train again"
        )
    _check_network(content, paths.architecture, weights_size)
    return content


@contextlib.contextmanager
def _read_errors(path):
    try:
        yield
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror})") from None


def _parse(stored, path):
    if len(stored) > MAX_JSON_BYTES:
        raise ArtifactError(f"{path}: too large for a model's description")
    try:
        content = json.loads(stored)
    except (ValueError, RecursionError):
        raise ArtifactError(f"{path}: damaged, or not JSON; restore it, or train again") from None
    glyphs = content.get("glyphs") if isinstance(content, dict) else None
    if not isinstance(glyphs, dict) or glyphs.get("format") != FORMAT:
        raise ArtifactError(
            f"{path}: not a model of this toolkit (it has no class names); train with model.py"
        )
    if glyphs.get("version") != VERSION:
        raise ArtifactError(
            f"{path}: format version {glyphs.get('version')!r:.20}; this program reads {VERSION}"
        )
    # One comparison covers every byte: the checksum of the key, and all around it.
    network = {key: value for key, value in content.items() if key != "glyphs"}
    sums = glyphs.get("sha256")
    try:
        is_whole = (
            isinstance(sums, dict)
            and sums.get("network") == files.sha256(files.canonical_json(network))
            and _json_bytes(content) == stored
        )
    except (ValueError, RecursionError):  # what JSON can say and we never write
        is_whole = False
    if not is_whole:
        raise ArtifactError(
            f"{path}: changed or damaged since it was written; restore it, or train again"
        )
    return content


def _check_network(content, path, weights_size):
    """Refuse a network that is not made of our parts, or too large for its weights file.

    Checksums tell damage, not intent: a file from elsewhere may be signed. So nothing is built
    before it is known to be harmless.
    """
    try:
        layers = content["config"]["layers"]
        names = [layer["class_name"] for layer in layers]
        foreign = [name for name in names if name not in LAYERS]
        if content["class_name"] != "Functional":
            foreign.append(content["class_name"])
        foreign += _foreign_parts(layers)
        is_too_large = sum(map(_weights_of, layers)) * 4 > weights_size
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        foreign, is_too_large = ["missing or impossible layers"], False
    if foreign:
        raise ArtifactError(f"{path}: not a network of this toolkit ({foreign[0]!r:.60})")
    if is_too_large:
        raise ArtifactError(f"{path}: describes a network larger than its weights; train again")


def _foreign_parts(layers):
    """Return what is named inside the layers that is not ours: initializers and the like."""
    foreign = []
    waiting = [(layer, True) for layer in layers]
    while waiting:
        part, is_layer = waiting.pop()
        if isinstance(part, dict):
            module, name = part.get("module"), part.get("class_name")
            if is_layer:
                is_ours = module == "keras.layers"
            else:
                is_ours = name is None or name in PARTS.get(module, ())
            if not is_ours or part.get("registered_name") is not None:
                foreign.append(name or module)
            part = list(part.values())
        if isinstance(part, list):
            waiting += [(value, False) for value in part]
    return foreign


def _weights_of(layer):
    """Return how many weights a layer has at least, or raise ValueError for an absurd layer."""
    kind, config = layer["class_name"], layer["config"]
    shape = layer.get("build_config", {}).get("input_shape") or config.get("batch_shape") or [None]
    shapes = shape if isinstance(shape[0], list) else [shape]  # Add and Concatenate have several
    counts = ("units", "filters", "depth_multiplier")
    numbers = [*config.get("kernel_size", []), *(config[key] for key in counts if key in config)]
    if (
        max(map(values_of, shapes)) > MAX_VALUES
        or max(map(_count, numbers), default=0) > MAX_VALUES
    ):
        raise ValueError
    area = math.prod(config.get("kernel_size", []))
    match kind:
        case "Dense":
            return _count(shape[-1]) * config["units"]
        case "Conv2D":
            return area * _count(shape[-1]) * config["filters"]
        case "DepthwiseConv2D":
            return area * _count(shape[-1]) * config["depth_multiplier"]
        case "SeparableConv2D":
            return (area + config["filters"]) * _count(shape[-1]) * config["depth_multiplier"]
        case "BatchNormalization":
            return 2 * _count(shape[config["axis"]])
        case "PReLU":
            return values_of(shape)
    return 0


def values_of(shape):
    """Return how many numbers a picture has in a tensor `(None, ..., channels)`.

    Raises:
        ValueError: the shape is none.
    """
    return math.prod(_count(OPEN_SIDE if side is None else side) for side in shape[1:])


def _count(number):
    """Return a number of a file that must be a whole one, 0 or above."""
    if type(number) is not int or number < 0:
        raise ValueError
    return number


def onnx_model(prefix, architecture, *, notify=lambda message: None):
    """Return PREFIX.onnx as bytes; make it (again) where it is missing, damaged or stale.

    Args:
        prefix: path and beginning of the file names.
        architecture: what read_architecture(prefix) returned.
        notify: called with one line before a conversion, which takes several seconds.

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
    notify(f"{path} {problem}; making it from the model files, this takes some seconds")
    return convert(prefix, architecture)


def convert(prefix, architecture):
    """Convert the pair to PREFIX.onnx in a child process, and return the ONNX model as bytes.

    A child with the TensorFlow backend, since this process may run another one, or none. Where
    the folder is read-only, the result is returned but not kept.

    Raises:
        ArtifactError: the conversion failed.
    """
    paths = Paths(prefix)
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "model.onnx")
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        environment = {
            **os.environ,
            "KERAS_BACKEND": "tensorflow",
            "CUDA_VISIBLE_DEVICES": "-1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]),
        }
        child = subprocess.run(
            [sys.executable, "-m", "glyphs.conversion", prefix, output],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        if child.returncode:
            lines = child.stderr.strip().splitlines() or ["no message"]
            raise ArtifactError(f"{paths.onnx}: could not be made ({lines[-1]:.300})")
        with open(output, "rb") as file:
            model = file.read()
    glyphs = architecture["glyphs"]
    glyphs["sha256"]["onnx"] = files.sha256(model)
    with contextlib.suppress(StorageError):
        with files.replacing(paths.onnx) as file:
            file.write(model)
        with files.replacing(paths.architecture) as file:
            file.write(_json_bytes(architecture))
    return model

"""Model files: PREFIX_architecture.json, PREFIX_weights.h5 and, derived from them, PREFIX.onnx.

The JSON is what Keras writes plus the key "glyphs", which says everything else that a model needs
to be used: class names, preprocessing, checksums, where it comes from, how good it was. Nothing
here imports Keras.
"""

import contextlib
import dataclasses
import json
import os

from glyphs import files, vetting
from glyphs.errors import ArtifactError, StorageError

FORMAT = "glyphs model"
VERSION = 1
MAX_JSON_BYTES = 8_000_000  # 5,000 classes need half a million; parsed, it may take 100 times that


@dataclasses.dataclass(frozen=True)
class Paths:
    """The files of the model called `prefix`; train.py writes the last three."""

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

    @property
    def history(self):
        return f"{self.prefix}_history.csv"

    @property
    def curves(self):
        return f"{self.prefix}_curves.png"

    @property
    def results(self):
        return f"{self.prefix}_results.txt"


def find_model(prefix):
    """Return the prefix of the model that a user means, who may have named its folder."""
    inside = os.path.join(prefix, "model")
    is_folder = os.path.isfile(Paths(inside).architecture)
    return inside if is_folder and not os.path.isfile(Paths(prefix).architecture) else prefix


def write_model(prefix, model, facts, *, half_precision=False):
    """Write the pair of model files. Both are complete on the disk before either is renamed.

    Args:
        prefix: path and beginning of the file names.
        model: keras.Model; how it was compiled is not written.
        facts: dict for the key "glyphs": class_names, characters, preprocessing and more.
        half_precision: store the weights as float16: half the size, three digits.

    Raises:
        StorageError: no space or no permission.
    """
    paths = Paths(prefix)
    weights = _hdf5_bytes(model, half_precision)
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


def _hdf5_bytes(model, half_precision):
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
        if half_precision:
            with h5py.File("half.h5", "w", driver="core", backing_store=False) as half:
                _copy_in_half_precision(file, half)
                half.flush()
                return half.id.get_file_image()
        file.flush()
        return file.id.get_file_image()


def _copy_in_half_precision(source, target):
    """Copy all that is in an HDF5 file into another, float32 arrays in half precision."""
    target.attrs.update(source.attrs)

    def copy(name, item):
        if hasattr(item, "dtype"):
            array = item[()]
            is_float32 = item.dtype == "float32"
            copied = target.create_dataset(name, data=halved(array) if is_float32 else array)
        else:
            copied = target.require_group(name)
        copied.attrs.update(item.attrs)

    source.visititems(copy)


def halved(array):
    """Return a float32 array as float16, or as it is where its values are too large for that."""
    import numpy as np

    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    return half if np.isfinite(half).all() else array


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
                f"{path}: no such file; train a model first, or give the name of another"
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
    vetting.check_network(content, paths.architecture, weights_size)
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


def onnx_model(prefix, architecture, *, notify=lambda message: None):
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
    return convert(prefix, architecture)


def convert(prefix, architecture):
    """Say the pair in ONNX, write that as PREFIX.onnx, and return it as bytes.

    Where the folder is read-only, it is returned but not kept.

    Raises:
        ArtifactError: the conversion failed.
    """
    from glyphs import conversion

    paths = Paths(prefix)
    try:
        model = conversion.to_onnx(architecture, paths.weights)
    except Exception as error:  # of many kinds, where a file from elsewhere looks like ours
        raise ArtifactError(f"{paths.onnx}: could not be made ({error!s:.300})") from None
    glyphs = architecture["glyphs"]
    glyphs["sha256"]["onnx"] = files.sha256(model)
    with contextlib.suppress(StorageError):
        with files.replacing(paths.onnx) as file:
            file.write(model)
        with files.replacing(paths.architecture) as file:
            file.write(_json_bytes(architecture))
    return model

"""Write model files: PREFIX_architecture.json and PREFIX_weights.h5."""

import contextlib
import json

from glyphs import files
from glyphs.artifacts import description
from glyphs.artifacts.paths import Paths


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
        "format": description.FORMAT,
        "version": description.VERSION,
        **facts,
        "sha256": {
            "weights": files.sha256(weights),
            "network": files.sha256(files.canonical_json(content)),
            "onnx": None,
        },
    }
    architecture = description.to_bytes(content)
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

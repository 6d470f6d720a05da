"""Read `characters_dataset` and `characters_dataset_elastic` as the scripts of 2016 wrote them.

They are the same arrays one after another as np.save writes them, but: X is float32 (the elastic
part float64) `(n, 1, height, width)`, 0..1 with 0 = black, for dark ink on light paper; class names
are bytes; and no manifest follows. So there are no checksums either: a file that was cut short is
refused, but a changed pixel cannot be noticed.
"""

import hashlib
import math
import os
import warnings

import numpy as np

from glyphs.characters import character_of
from glyphs.images.preprocessing import Preprocessing

X_ARRAYS = ("X_train", "X_val", "X_test", "X_train_elastic")
BLOCK = 256  # images converted at a time


class OddError(Exception):
    """Why a file is not one of 2016 after all, without its name."""


def is_one(file):
    """Return whether `file` begins as a dataset of 2016 does: with an array of floats.

    Leaves the file where it was.
    """
    start = file.tell()
    try:
        return _read_header(file, "X_train")[2].kind == "f"
    except OddError:
        return False
    finally:
        file.seek(start)


def read(file, path):
    """Read a dataset of 2016 into memory.

    Args:
        file: open for reading, at its beginning.
        path: its name.

    Returns:
        `(arrays, preprocessing, manifest)` as today's files give them: images uint8
        `(n, height, width)`, 0 = paper, 255 = ink; labels int32; class names unicode. The manifest
        is made up; its "manifest_sha256" is the SHA-256 of the whole file.

    Raises:
        OddError: the file is cut short, or not what the scripts of 2016 wrote.
        OSError: it cannot be read.
    """
    arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"X_{split}"] = _read_images(file, path, f"X_{split}")
        arrays[f"y_{split}"] = _read_array(file, path, f"y_{split}")
    names = _read_array(file, path, "label_names")
    if file.read(1):
        file.seek(-1, os.SEEK_CUR)
        arrays["X_train_elastic"] = _read_images(file, path, "X_train_elastic")
        if file.read(1):
            raise OddError("goes on where a dataset of 2016 ends")
    names = _text(names)
    for split in ("train", "val", "test"):
        count = len(arrays[f"X_{split}"])
        arrays[f"y_{split}"] = _labels(arrays[f"y_{split}"], f"y_{split}", count, len(names))
    _check_shapes(arrays)
    size = list(arrays["X_train"].shape[1:])
    preprocessing = Preprocessing((tuple(size),), "stretch", "dark-on-light")
    file.seek(0)
    class_names = names.tolist()
    arrays["label_names"] = names
    is_elastic = "X_train_elastic" in arrays
    return arrays, preprocessing, {
        "format": "characters_dataset_elastic" if is_elastic else "characters_dataset",
        "source": "2016 file, no checksums",
        "image_size": size,
        "fit": preprocessing.fit,
        "polarity": preprocessing.polarity,
        "preprocessing": preprocessing.to_json(),
        "counts": {split: len(arrays[f"y_{split}"]) for split in ("train", "val", "test")},
        "characters": [character_of(name) for name in class_names],
        "split": "unknown",
        "groups": None,
        "manifest_sha256": hashlib.file_digest(file, "sha256").hexdigest(),
    }  # fmt: skip


def _read_header(file, name):
    """Return `(shape, fortran_order, dtype)` of the next array, and move past them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 2 wrote some numbers as 10L
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError
            header = np.lib.format.read_array_header_1_0(file)
    except Exception:  # NumPy hands damaged headers to Python's parser, which raises many kinds
        raise OddError(f"not a dataset of 2016, or cut short at {name}") from None
    return header


def _map_next(file, path, name):
    """Return the next array as a memory map, and move past it."""
    shape, fortran_order, dtype = _read_header(file, name)
    # No sides of 2**31 and no pixels at all: too much for NumPy, though not for the file.
    is_sane = len(shape) <= 4 and all(0 <= side < 1 << 31 for side in shape) and 0 not in shape[1:]
    if dtype.kind not in "fiubSU" or not dtype.itemsize or not is_sane:
        raise OddError(f"{name} is no array of numbers or text")
    start = file.tell()
    size = math.prod(shape) * dtype.itemsize
    if start + size > file.seek(0, os.SEEK_END):
        raise OddError(f"cut short in {name}")
    file.seek(start + size)
    if not size:
        return np.empty(shape, dtype)
    order = "F" if fortran_order else "C"
    return np.memmap(path, dtype, "r", offset=start, shape=shape, order=order)


def _read_array(file, path, name):
    return np.array(_map_next(file, path, name))


def _read_images(file, path, name):
    """Return the next array as uint8 `(n, height, width)`, 0 = paper, 255 = ink."""
    stored = _map_next(file, path, name)
    if stored.ndim == 4 and stored.shape[1] == 1:
        stored = stored[:, 0]
    if stored.ndim != 3 or stored.dtype.kind != "f":
        raise OddError(
            f"{name} must be floats (n, 1, height, width). Received: {stored.dtype} {stored.shape}"
        )
    if not all(1 <= side <= 1024 for side in stored.shape[1:]):
        raise OddError(f"{name} holds pictures of {stored.shape[1]} x {stored.shape[2]} pixels")
    converted = np.empty(stored.shape, np.uint8)
    for start in range(0, len(stored), BLOCK):
        block = stored[start : start + BLOCK].astype(np.float64)
        if not (block.min() >= -1e-3 and block.max() <= 1.001):  # not true of NaN either
            raise OddError(f"{name} has values outside 0 to 1")
        converted[start : start + BLOCK] = 255 - np.rint(255 * block.clip(0, 1))
    return converted


def _text(names):
    if names.ndim != 1 or names.dtype.kind not in "SU":
        raise OddError(f"label_names must be text. Received: {names.dtype} {names.shape}")
    try:
        names = np.array([n.decode() if isinstance(n, bytes) else n for n in names.tolist()], "U")
    except UnicodeDecodeError:
        raise OddError("label_names are not UTF-8") from None
    if len(set(names.tolist())) != len(names) or len(names) < 2:
        raise OddError("label_names must be at least two different names")
    return names


def _labels(y, name, count, n_classes):
    """Return labels, whether stored as numbers or as one-hot rows, as int32 `(n,)`."""
    if y.ndim == 2 and y.shape[1] == n_classes and y.dtype.kind in "fiub":
        if not (np.all((y == 0) | (y == 1)) and np.all(y.sum(axis=1) == 1)):
            raise OddError(f"{name} has rows that are not one-hot")
        y = y.argmax(axis=1)
    if y.shape != (count,) or y.dtype.kind not in "fiu":
        raise OddError(
            f"{name} must be {count} labels of {n_classes} classes. Received: {y.dtype} {y.shape}"
        )
    if not np.all((y >= 0) & (y < n_classes) & (y == np.rint(y))):
        raise OddError(f"{name} has labels that are not 0 to {n_classes - 1}")
    return y.astype(np.int32)


def _check_shapes(arrays):
    shapes = {arrays[name].shape[1:] for name in X_ARRAYS if name in arrays}
    if len(shapes) > 1:
        raise OddError(f"holds pictures of several sizes: {sorted(shapes)}")
    count = len(arrays["X_train"])
    if not count or len(arrays.get("X_train_elastic", ())) % count:
        raise OddError("X_train_elastic is not so many copies of X_train")

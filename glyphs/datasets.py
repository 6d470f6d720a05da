"""The file `characters_dataset`: write, open, verify."""

import dataclasses
import hashlib
import io
import json
import os
import warnings

import numpy as np

from glyphs import files, images, labels
from glyphs.errors import ArtifactError

ARRAYS = ("X_train", "y_train", "X_val", "y_val", "X_test", "y_test", "label_names")
VERSION = 1
BLOCK_BYTES = 1 << 24  # copied at a time into the file


def write(path, splits, class_names, preprocessing, manifest, *, label_encoding=None):
    """Write a `characters_dataset` atomically: seven arrays as np.save does, then the manifest.

    Args:
        path: the file.
        splits: for "train", "val" and "test" a tuple `(pool, samples, y)`: the images
            `pool[samples]` (uint8 `(n, h, w)`, may be a memory map) and their labels.
        class_names: text, sorted.
        preprocessing: what made the images; stored, so that classify.py repeats it.
        manifest: further facts to store; this function adds the rest.
        label_encoding: see labels.character.

    Raises:
        StorageError: no space or no permission.
    """
    height, width = preprocessing.image_size
    pixels = sum(len(samples) for _, samples, _ in splits.values()) * height * width
    with files.replacing(path, needed=pixels) as file:
        sums = {}
        for name, (pool, samples, y) in splits.items():
            writer = _HashingWriter(file)
            _write_header(writer, np.uint8, (len(samples), height, width))
            block = max(1, BLOCK_BYTES // (height * width))
            for start in range(0, len(samples), block):
                writer.write(pool[samples[start : start + block]])
            sums[f"X_{name}"] = writer.hexdigest()
            sums[f"y_{name}"] = _save(file, np.ascontiguousarray(y, np.int32))
        sums["label_names"] = _save(file, np.array(class_names))
        manifest = {
            "format": "characters_dataset",
            "version": VERSION,
            "image_size": [height, width],
            "fit": preprocessing.fit,
            "polarity": preprocessing.polarity,
            "preprocessing": preprocessing.to_json(),
            "counts": {name: len(samples) for name, (_, samples, _) in splits.items()},
            "characters": [labels.character(name, label_encoding) for name in class_names],
            **manifest,
            "sha256": sums,
        }
        file.write(_manifest_bytes(manifest))


class _HashingWriter:
    def __init__(self, file):
        self.file = file
        self.hash = hashlib.sha256()

    def write(self, data):
        self.hash.update(data)
        self.file.write(data)

    def hexdigest(self):
        return self.hash.hexdigest()


def _write_header(file, dtype, shape):
    header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _save(file, array):
    writer = _HashingWriter(file)
    _write_header(writer, array.dtype, array.shape)
    writer.write(array.tobytes())
    return writer.hexdigest()


def _manifest_bytes(manifest):
    """Return the manifest, with its own SHA-256 added, as np.save stores a 0-d unicode array."""
    manifest = {key: manifest[key] for key in manifest if key != "manifest_sha256"}
    manifest["manifest_sha256"] = files.sha256(files.canonical_json(manifest))
    buffer = io.BytesIO()
    np.save(buffer, np.array(files.canonical_json(manifest).decode()))
    return buffer.getvalue()


@dataclasses.dataclass(frozen=True)
class Dataset:
    """An opened `characters_dataset`. The X arrays are memory maps: nothing is read until used.

    Attributes:
        path: the file.
        X_train, X_val, X_test: uint8 `(n, height, width)`, 0 = paper, 255 = ink.
        y_train, y_val, y_test: int32 `(n,)`.
        class_names: list of text; the index is the label.
        preprocessing: images.Preprocessing that made the images.
        manifest: dict, as stored.
    """

    path: str
    X_train: np.ndarray
    y_train: np.ndarray
    X_val: np.ndarray
    y_val: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    class_names: list
    preprocessing: images.Preprocessing
    manifest: dict

    def resized(self, image_size):
        """Return the dataset for a network of another image size.

        The arrays stay as they are; whoever reads pictures from them resizes these to
        `preprocessing.image_size` (training.Pictures does), and classify.py repeats it.
        """
        if tuple(image_size) == self.preprocessing.image_size:
            return self
        sizes = (*self.preprocessing.image_sizes, tuple(image_size))
        preprocessing = dataclasses.replace(self.preprocessing, image_sizes=sizes)
        return dataclasses.replace(self, preprocessing=preprocessing)

    @property
    def fingerprint(self):
        """SHA-256 that stands for the whole content."""
        return self.manifest["manifest_sha256"]

    @property
    def characters(self):
        """For each class its character, or None where the name does not tell."""
        return self.manifest["characters"]


def open_dataset(path):
    """Open a `characters_dataset` and verify every byte of it.

    Args:
        path: a file that create_dataset.py wrote.

    Returns:
        A Dataset.

    Raises:
        ArtifactError: the file is missing, damaged, or no dataset.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise ArtifactError(f"{path}: no such file; run create_dataset.py first")
    try:
        with open(path, "rb") as file:
            arrays, sums = {}, {}
            for name in ARRAYS:
                start = file.tell()
                arrays[name] = _map_array(file, path)
                sums[name] = _sha256_of_range(file, start, file.tell())
            manifest = _read_manifest(file)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror})") from None
    except _DamageError as error:
        raise ArtifactError(f"{path}: {error}; run create_dataset.py again") from None
    damaged = [name for name in ARRAYS if sums[name] != manifest["sha256"][name]]
    if damaged:
        raise ArtifactError(
            f"{path}: damaged ({', '.join(damaged)}: the SHA-256 differs from the stored one); "
            "run create_dataset.py again"
        )
    return Dataset(
        path,
        **{name: arrays[name] for name in ARRAYS[:-1]},
        class_names=arrays["label_names"].tolist(),
        preprocessing=images.Preprocessing.from_json(manifest["preprocessing"]),
        manifest=manifest,
    )


class _DamageError(Exception):
    """What is wrong with a dataset file, without its name."""


def _map_array(file, path):
    """Return the next array of the file as a memory map, and move past it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError
            shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    except Exception:  # NumPy hands damaged headers to Python's parser, which raises many kinds
        raise _DamageError("not a characters_dataset, or damaged") from None
    size = dtype.itemsize
    for side in shape:
        size *= side
    start = file.tell()
    if dtype.hasobject or fortran_order or start + size > os.fstat(file.fileno()).st_size:
        raise _DamageError("not a characters_dataset, or cut short")
    file.seek(size, os.SEEK_CUR)
    if not size:
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", offset=start, shape=shape)


def _sha256_of_range(file, start, end):
    file.seek(start)
    digest = hashlib.sha256()
    while start < end:
        block = file.read(min(files.BLOCK, end - start))
        if not block:
            raise _DamageError("cut short")
        digest.update(block)
        start += len(block)
    return digest.hexdigest()


def _read_manifest(file):
    """Return the manifest at the end of the file, or raise _DamageError."""
    stored = file.read()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            text = str(np.load(io.BytesIO(stored), allow_pickle=False)[()])
        manifest = json.loads(text)
        # One comparison covers the text, its checksum, the array around it and the file's end.
        is_whole = isinstance(manifest, dict) and _manifest_bytes(manifest) == stored
    except Exception:  # as in _map_array
        is_whole = False
    if not is_whole:
        raise _DamageError("its manifest is damaged or missing")
    if manifest["version"] != VERSION:
        raise _DamageError(
            f"format version {manifest['version']}; this program reads version {VERSION}"
        )
    return manifest

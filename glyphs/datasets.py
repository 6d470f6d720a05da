"""The files `characters_dataset` and `characters_dataset_elastic`: write, open, verify."""

import dataclasses
import hashlib
import io
import json
import os
import warnings

import numpy as np

from glyphs import datasets_2016, files, images, labels
from glyphs.errors import ArtifactError

ARRAYS = ("X_train", "y_train", "X_val", "y_val", "X_test", "y_test", "label_names")
ELASTIC = "X_train_elastic"  # follows the seven in a `characters_dataset_elastic`
VERSION = 1
NPY = b"\x93NUMPY"  # how every dataset begins
BLOCK_BYTES = 1 << 24  # copied at a time into the file
MAX_MANIFEST_BYTES = 64_000_000  # 5,000 classes need half a million


def write(path, splits, class_names, preprocessing, manifest, *, label_encoding=None, elastic=None):
    """Write a dataset atomically: its arrays one after another as np.save does, then the manifest.

    Args:
        path: the file.
        splits: for "train", "val" and "test" a tuple `(pool, samples, y)`: the images
            `pool[samples]` (uint8 `(n, h, w)`, may be a memory map) and their labels.
        class_names: text, sorted.
        preprocessing: what made the images; stored, so that classify.py repeats it.
        manifest: further facts to store; this function adds the rest.
        label_encoding: see labels.character.
        elastic: None for a `characters_dataset`. For a `characters_dataset_elastic`
            `(count, blocks)`: how many distorted images, and an iterable of uint8 `(n, h, w)` that
            yields them in order.

    Raises:
        StorageError: no space or no permission.
    """
    height, width = preprocessing.image_size
    elastic_count, elastic_blocks = elastic or (0, ())
    count = elastic_count + sum(len(samples) for _, samples, _ in splits.values())
    pixels = count * height * width
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
        if elastic:
            writer = _HashingWriter(file)
            _write_header(writer, np.uint8, (elastic_count, height, width))
            for block in elastic_blocks:
                writer.write(block)
            sums[ELASTIC] = writer.hexdigest()
        manifest = {
            "format": _format(sums),
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


def _format(arrays):
    return "characters_dataset_elastic" if ELASTIC in arrays else "characters_dataset"


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
    """An opened dataset. The X arrays are memory maps: nothing is read until used.

    Attributes:
        path: the file.
        X_train, X_val, X_test: uint8 `(n, height, width)`, 0 = paper, 255 = ink.
        y_train, y_val, y_test: int32 `(n,)`.
        class_names: list of text; the index is the label.
        preprocessing: images.Preprocessing that made the images.
        manifest: dict, as stored.
        X_train_elastic: uint8 `(copies * len(X_train), height, width)`: a distorted copy of all of
            X_train, then another; image i shows the character of label `y_train[i % len(y_train)]`.
            None in a plain `characters_dataset`.
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
    X_train_elastic: np.ndarray | None = None

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


def is_dataset(path):
    """Return whether a path is a file that begins as a `characters_dataset` does: as .npy."""
    if not os.path.isfile(path):
        return False
    with files.storage_errors(path), open(path, "rb") as file:
        return file.read(len(NPY)) == NPY


def open_dataset(path, *, made_by="create_dataset.py"):
    """Open a `characters_dataset` or `characters_dataset_elastic` and verify every byte of it.

    Files of the scripts of 2016 are opened too. These have no checksums to verify, and are read
    into memory (see datasets_2016).

    Args:
        path: the file.
        made_by: the script to name where there is no such file.

    Returns:
        A Dataset.

    Raises:
        ArtifactError: the file is missing, damaged, or no dataset.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise ArtifactError(f"{path}: no such file; run {made_by} first")
    try:
        arrays, sums = {}, {}
        with open(path, "rb") as file:
            if datasets_2016.is_one(file):
                arrays, preprocessing, manifest = datasets_2016.read(file, path)
                return _dataset(path, arrays, preprocessing, manifest)
            for name in (*ARRAYS, ELASTIC):
                start = file.tell()
                shape, dtype = _read_header(file)
                if name == ELASTIC and not shape:  # the manifest already
                    file.seek(start)
                    break
                arrays[name] = _map_array(file, path, shape, dtype)
                sums[name] = _sha256_of_range(file, start, file.tell())
            manifest = _read_manifest(file)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror})") from None
    except (datasets_2016.OddError, _DamageError) as error:
        raise ArtifactError(f"{path}: {error}; {_again(arrays)}") from None
    damaged = [name for name in sums if sums[name] != manifest["sha256"].get(name)]
    if damaged or manifest.get("format") != _format(sums):
        raise ArtifactError(
            f"{path}: damaged ({', '.join(damaged)}: the SHA-256 differs from the stored one); "
            f"{_again(arrays)}"
        )
    try:
        preprocessing = images.Preprocessing.from_json(manifest["preprocessing"])
        is_consistent = _is_consistent(arrays, preprocessing, manifest)
    except (KeyError, TypeError, ValueError):
        is_consistent = False
    if not is_consistent:
        raise ArtifactError(f"{path}: its parts do not fit together; {_again(arrays)}")
    return _dataset(path, arrays, preprocessing, manifest)


def _dataset(path, arrays, preprocessing, manifest):
    class_names = arrays.pop("label_names").tolist()
    return Dataset(
        path, **arrays, class_names=class_names, preprocessing=preprocessing, manifest=manifest
    )


def _is_consistent(arrays, preprocessing, manifest):
    """Return whether the arrays, whole as they are, make up a dataset: one may be made by hand."""
    names = arrays["label_names"]
    if names.ndim != 1 or names.dtype.kind != "U" or len(manifest["characters"]) != len(names):
        return False
    for split in ("train", "val", "test"):
        y = arrays[f"y_{split}"]
        if y.ndim != 1 or y.dtype != np.int32 or not np.all((y >= 0) & (y < len(names))):
            return False
        if len(arrays[f"X_{split}"]) != len(y):
            return False
    x = [array for name, array in arrays.items() if name.startswith("X_")]
    if any(a.dtype != np.uint8 or a.shape[1:] != preprocessing.image_size for a in x):
        return False
    count = len(arrays["X_train"])
    return ELASTIC not in arrays or (count > 0 and len(arrays[ELASTIC]) % count == 0)


def _again(arrays):
    return f"run create_{'augmented_' if ELASTIC in arrays else ''}dataset.py again"


class _DamageError(Exception):
    """What is wrong with a dataset file, without its name."""


def _read_header(file):
    """Return `(shape, dtype)` of the next array of the file, and move past them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError
            shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    except Exception:  # NumPy hands damaged headers to Python's parser, which raises many kinds
        raise _DamageError("not a characters_dataset, or damaged") from None
    # Sides of 2**31 and no pixels at all would be too much for NumPy, though not for the file.
    is_sane = len(shape) <= 3 and all(0 <= side < 1 << 31 for side in shape) and 0 not in shape[1:]
    if dtype.hasobject or fortran_order or not is_sane:
        raise _DamageError("not a characters_dataset, or damaged")
    return shape, dtype


def _map_array(file, path, shape, dtype):
    """Return the array whose header has just been read as a memory map, and move past it."""
    size = dtype.itemsize
    for side in shape:
        size *= side
    start = file.tell()
    if start + size > os.fstat(file.fileno()).st_size:
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
    stored = file.read(MAX_MANIFEST_BYTES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            text = str(np.load(io.BytesIO(stored), allow_pickle=False)[()])
        manifest = json.loads(text)
        # One comparison covers the text, its checksum, the array around it and the file's end.
        is_whole = isinstance(manifest, dict) and _manifest_bytes(manifest) == stored
    except Exception:  # as in _read_header
        is_whole = False
    if not is_whole:
        raise _DamageError("its manifest is damaged or missing")
    if manifest.get("version") != VERSION:
        raise _DamageError(
            f"format version {manifest.get('version')!r:.20}; this program reads version {VERSION}"
        )
    if not isinstance(manifest.get("sha256"), dict):
        raise _DamageError("its manifest is damaged or missing")
    return manifest

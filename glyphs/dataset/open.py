"""Open a dataset, and verify every byte of it."""

import dataclasses
import hashlib
import io
import json
import os
import warnings

import numpy as np

from glyphs import files
from glyphs.dataset import format_2016, names
from glyphs.dataset.format import ARRAYS, ELASTIC, NPY, VERSION, format_of, manifest_bytes
from glyphs.errors import ArtifactError
from glyphs.images.preprocessing import Preprocessing

MAX_MANIFEST_BYTES = 512_000_000  # 5,000 classes need half a million, 100,000 names 16 millions


@dataclasses.dataclass(frozen=True)
class Dataset:
    """An opened dataset. The X arrays are memory maps: nothing is read until used.

    Attributes:
        path: the file.
        X_train, X_val, X_test: uint8 `(n, height, width)`, 0 = paper, 255 = ink.
        y_train, y_val, y_test: int32 `(n,)`.
        class_names: list of text; the index is the label.
        preprocessing: preprocessing.Preprocessing that made the images.
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
    preprocessing: Preprocessing
    manifest: dict
    X_train_elastic: np.ndarray | None = None

    def resized(self, image_size):
        """Return the dataset for a network of another image size.

        The arrays stay as they are; whoever reads images from them resizes these to
        `preprocessing.image_size` (batches.LabelledImages does), and classify.py repeats it.
        """
        if tuple(image_size) == self.preprocessing.image_size:
            return self
        sizes = (*self.preprocessing.image_sizes, tuple(image_size))
        preprocessing = dataclasses.replace(self.preprocessing, image_sizes=sizes)
        return dataclasses.replace(self, preprocessing=preprocessing)

    def n_trained_on(self, validation_split):
        """Return how many images a network learns from.

        Args:
            validation_split: share of train to validate on where there is no val split, 0..1; the
                distorted copies are then not used.
        """
        if not len(self.X_val):
            return round((1 - validation_split) * len(self.X_train))
        copies = 0 if self.X_train_elastic is None else len(self.X_train_elastic)
        return len(self.X_train) + copies

    @property
    def fingerprint(self):
        """SHA-256 that stands for the whole content."""
        return self.manifest["manifest_sha256"]

    @property
    def names(self):
        """For each picture of train, then val, then test, its name within the source.

        See index.Index.name. None where the dataset does not keep them.
        """
        return self._of_all_splits("names")

    @property
    def group_numbers(self):
        """For each picture of train, then val, then test, a number that its group shares, or None.

        They are kept with the names.
        """
        return self._of_all_splits("group_numbers")

    def _of_all_splits(self, key):
        kept = self.manifest.get(key)
        return kept and [value for split in ("train", "val", "test") for value in kept[split]]

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

    >>> import tempfile
    >>> from glyphs.dataset.write import write_dataset
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     splits = {name: (np.zeros((2, 8, 8), np.uint8), [0, 1], np.array([0, 1]))
    ...               for name in ("train", "val", "test")}
    ...     path = os.path.join(folder, "characters_dataset")
    ...     write_dataset(path, splits, ["一", "二"], Preprocessing(((8, 8),)), {})
    ...     dataset = open_dataset(path)
    ...     print(dataset.X_train.shape, dataset.y_train.tolist(), dataset.class_names)
    (2, 8, 8) [0, 1] ['一', '二']

    Files of the scripts of 2016 are opened too. These have no checksums to verify, and are read
    into memory (see format_2016).

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
            if format_2016.is_one(file):
                arrays, preprocessing, manifest = format_2016.read(file, path)
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
    except (format_2016.OddError, _DamageError) as error:
        raise ArtifactError(f"{path}: {error}; {_again(arrays)}") from None
    damaged = [name for name in sums if sums[name] != manifest["sha256"].get(name)]
    if damaged or manifest.get("format") != format_of(sums):
        raise ArtifactError(
            f"{path}: damaged ({', '.join(damaged)}: the SHA-256 differs from the stored one); "
            f"{_again(arrays)}"
        )
    try:
        preprocessing = Preprocessing.from_json(manifest["preprocessing"])
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
    classes = arrays["label_names"]
    if classes.ndim != 1 or classes.dtype.kind != "U":
        return False
    if len(manifest["characters"]) != len(classes):
        return False
    for split in ("train", "val", "test"):
        y = arrays[f"y_{split}"]
        if y.ndim != 1 or y.dtype != np.int32 or not np.all((y >= 0) & (y < len(classes))):
            return False
        if len(arrays[f"X_{split}"]) != len(y):
            return False
    x = [array for name, array in arrays.items() if name.startswith("X_")]
    if any(a.dtype != np.uint8 or a.shape[1:] != preprocessing.image_size for a in x):
        return False
    if not names.fit(manifest, {s: len(arrays[f"y_{s}"]) for s in ("train", "val", "test")}):
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
        is_whole = isinstance(manifest, dict) and manifest_bytes(manifest) == stored
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

"""`characters_dataset`: split, build in parallel, write, open and verify."""

import collections
import contextlib
import dataclasses
import hashlib
import io
import json
import os
import time

import numpy as np

from glyphs import files, images, labels, parallel
from glyphs.errors import ArtifactError, GlyphsError, PictureError, UsageError
from glyphs.readers import SPLITS

ARRAYS = ("X_train", "y_train", "X_val", "y_val", "X_test", "y_test", "label_names")
VERSION = 1
CHUNK = 128  # pictures a worker decodes at a time
BLOCK = 4096  # samples copied at a time into the final file


# --- Splitting ------------------------------------------------------------------------------


def split_sizes(count, fractions):
    """Return how many of `count` samples go to train, val and test.

    Shares are rounded by largest remainder. From 3 samples on, each split with a share above
    zero gets at least one.

    Args:
        count: number of samples of one class.
        fractions: three numbers that add up to 1.
    """
    shares = [count * fraction for fraction in fractions]
    sizes = [int(share + 1e-9) for share in shares]
    by_remainder = sorted(range(3), key=lambda i: (sizes[i] - shares[i], i))
    for i in by_remainder[: count - sum(sizes)]:
        sizes[i] += 1
    if count >= 3:
        for i in range(3):
            if fractions[i] > 0 and not sizes[i]:
                sizes[sizes.index(max(sizes))] -= 1
                sizes[i] += 1
    return sizes


def rank_in_class(y):
    """Return for each sample how many samples of its class come before it.

    Args:
        y: int `(n,)`.

    Returns:
        int64 `(n,)`.
    """
    order = np.argsort(y, kind="stable")
    _, counts = np.unique(y, return_counts=True)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    ranks = np.empty(len(y), np.int64)
    ranks[order] = np.arange(len(y)) - starts
    return ranks


def split_by_class(y, fractions, *, shuffle_seed=None):
    """Assign each sample to a split, class by class, in the order of the samples.

    Writers stay apart where the samples of a class are in order of their writers.

    Args:
        y: int `(n,)`.
        fractions: shares of train, val and test; they add up to 1.
        shuffle_seed: None, or a seed: the samples of each class are shuffled first.

    Returns:
        int8 `(n,)`: 0 = train, 1 = val, 2 = test.
    """
    ranks = rank_in_class(y)
    if shuffle_seed is not None:
        for label in np.unique(y):
            members = np.flatnonzero(y == label)
            rng = np.random.default_rng([shuffle_seed, int(label)])
            ranks[members] = rng.permutation(len(members))
    sizes = np.array([split_sizes(count, fractions) for count in np.bincount(y)])
    ends = np.cumsum(sizes, axis=1)[y]
    return ((ranks >= ends[:, 0]).astype(np.int8) + (ranks >= ends[:, 1])).astype(np.int8)


def last_tenth_to_val(y, splits):
    """Move the last tenth of each class of train to val, where a source has no val.

    A class with 2 or more samples in train gives at least one.
    """
    splits = splits.copy()
    members = np.flatnonzero(splits == 0)
    y = y[members]
    counts = np.bincount(y)
    moved = np.where(counts >= 2, np.maximum(1, counts // 10), 0)
    splits[members[rank_in_class(y) >= (counts - moved)[y]]] = 1
    return splits


def interleave(y):
    """Return an order in which the first samples of all classes come first, then the second ones.

    Any stretch of the data holds all classes, as in the seed's datasets.
    """
    return np.lexsort((y, rank_in_class(y)))


# --- Building -------------------------------------------------------------------------------


@dataclasses.dataclass
class Summary:
    """What building a dataset did, for the user."""

    class_names: list
    counts: dict  # split -> int64 (n_classes,)
    split_rule: str
    polarities: collections.Counter
    skipped: collections.Counter
    unreadable: list  # (path, reason)
    left_out: list  # classes without a readable picture
    seconds: float = 0.0
    pictures_per_second: float = 0.0


def build(
    index,
    path,
    preprocessing,
    *,
    fractions=(0.8, 0.1, 0.1),
    shuffle_seed=None,
    label_encoding=None,
    strict=False,
    workers=None,
    progress=None,
):
    """Decode the samples of an index, split them and write a `characters_dataset`.

    Args:
        index: a readers.Index.
        path: the file to write; an existing one is replaced at the end.
        preprocessing: how to turn pictures into images; its majority is decided here.
        fractions: shares of train, val and test, where the index has no splits.
        shuffle_seed: None (split by file order) or a seed.
        label_encoding: what four hex digits mean in class names (see labels.character).
        strict: stop at unreadable pictures instead of leaving them out.
        workers: number of processes; None: one per core. The result does not depend on it.
        progress: None, or a function called with the number of pictures decoded so far.

    Returns:
        A Summary.

    Raises:
        PictureError: with `strict`, a picture cannot be read.
        UsageError: fewer than two classes have readable pictures.
        StorageError: no space or no permission.
    """
    started = time.perf_counter()
    height, width = preprocessing.image_size
    count = len(index.paths)
    if workers is None:
        workers = 1 if count < parallel.FEW else parallel.default_workers()
    # The scratch file and the final file exist at the same time.
    needed = 2 * count * height * width
    files.check_can_write(path, needed)
    scratch = files.temporary(f"{path}.scratch")
    try:
        with files.storage_errors(path, needed):
            with open(scratch, "wb") as file:
                file.truncate(count * height * width)
            decoded = _decode_all(index.paths, preprocessing, scratch, workers, progress)
            polarities = collections.Counter(p for p in decoded.polarities if p)
            if polarities["light-on-dark"] > polarities["dark-on-light"]:
                preprocessing = dataclasses.replace(preprocessing, majority="light-on-dark")
                _decode_undecided(index.paths, decoded, preprocessing, scratch)
        if strict and decoded.unreadable:
            raise _strict_error(decoded.unreadable, path)
        y, splits, summary = _split(index, decoded, fractions, shuffle_seed)
        summary.polarities = collections.Counter(p or "undecided" for p in decoded.polarities)
        manifest = {
            "source": index.source,
            "split": summary.split_rule,
            "groups": None,
            "unreadable": len(decoded.unreadable),
        }
        pool = np.memmap(scratch, np.uint8, "r", shape=(count, height, width)) if count else None
        try:
            write(
                path,
                {name: (pool, samples, y[samples]) for name, samples in splits.items()},
                summary.class_names,
                preprocessing,
                manifest,
                label_encoding=label_encoding,
            )
        finally:
            del pool
    finally:
        files.remove(scratch)
    summary.seconds = time.perf_counter() - started
    summary.pictures_per_second = count / summary.seconds
    return summary


@dataclasses.dataclass
class _Decoded:
    polarities: list  # one per sample; None = undecided or unreadable
    undecided: list  # sample numbers
    unreadable: list  # (path, reason)
    readable: np.ndarray  # bool, one per sample


def _decode_all(paths, preprocessing, scratch, workers, progress):
    decoded = _Decoded([], [], [], np.ones(len(paths), bool))
    tasks = (
        (paths[start : start + CHUNK], preprocessing, scratch, start)
        for start in range(0, len(paths), CHUNK)
    )
    done = 0
    for polarities, failures in parallel.run_ordered(_decode_chunk, tasks, workers=workers):
        for i, error in failures:
            decoded.unreadable.append((error.path, error.reason))
            decoded.readable[done + i] = False
        decoded.undecided += [
            done + i for i, p in enumerate(polarities) if p is None and decoded.readable[done + i]
        ]
        decoded.polarities += [p for i, p in enumerate(polarities) if decoded.readable[done + i]]
        done += len(polarities)
        if progress:
            progress(done)
    return decoded


def _decode_chunk(paths, preprocessing, scratch, start):
    """Decode pictures into their slots of the scratch file, in a worker process.

    Returns:
        `(polarities, failures)`: one polarity or None per picture; `(position, PictureError)` of
        those that cannot be read.
    """
    height, width = preprocessing.image_size
    block = np.zeros((len(paths), height, width), np.uint8)
    polarities, failures = [None] * len(paths), []
    for i, path in enumerate(paths):
        try:
            picture = images.read_picture(path)
        except PictureError as error:
            failures.append((i, error))
        else:
            block[i], polarities[i] = images.to_character(picture, preprocessing)
    with open(scratch, "r+b") as file:
        file.seek(start * height * width)
        file.write(block)
    return polarities, failures


def _decode_undecided(paths, decoded, preprocessing, scratch):
    """Decode again the pictures without a polarity of their own, now that the majority is known."""
    for i in decoded.undecided:
        _decode_chunk([paths[i]], preprocessing, scratch, i)


def _strict_error(unreadable, path):
    first, reason = unreadable[0]
    more = f" (and {len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
    return PictureError(first, f"{reason}{more}; {path} was not written because of --strict")


def _split(index, decoded, fractions, shuffle_seed):
    """Return `(y, splits, summary)`: labels of all samples, and sample numbers in final order."""
    old_y = np.array(index.labels, np.int32)
    samples = np.flatnonzero(decoded.readable)
    kept = np.unique(old_y[samples])
    class_names = [index.class_names[i] for i in kept]
    left_out = [name for i, name in enumerate(index.class_names) if i not in set(kept.tolist())]
    if len(class_names) < 2:
        raise UsageError(
            f"{index.source}: {len(class_names)} classes with readable pictures; a classifier "
            "needs at least 2 class folders with pictures in them"
        )
    y = np.searchsorted(kept, old_y).astype(np.int32)
    if index.splits:
        rule = "as the folders say"
        assigned = np.array([SPLITS.index(split) for split in index.splits], np.int8)[samples]
        if "val" not in index.splits:
            rule += "; val is the last tenth of each class of train"
            assigned = last_tenth_to_val(y[samples], assigned)
    else:
        shares = "/".join(f"{100 * fraction:g}" for fraction in fractions)
        order = "in file order" if shuffle_seed is None else f"shuffled with seed {shuffle_seed}"
        rule = f"{shares} of each class, {order}"
        assigned = split_by_class(y[samples], fractions, shuffle_seed=shuffle_seed)
    splits, counts = {}, {}
    for number, name in enumerate(SPLITS):
        members = samples[assigned == number]
        splits[name] = members[interleave(y[members])]
        counts[name] = np.bincount(y[members], minlength=len(class_names))
    if not len(splits["train"]):
        raise UsageError(f"{index.source}: no pictures for the train split")
    summary = Summary(
        class_names, counts, rule, collections.Counter(), index.skipped, decoded.unreadable, left_out
    )
    return y, splits, summary


# --- Writing --------------------------------------------------------------------------------


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
            for start in range(0, len(samples), BLOCK):
                writer.write(pool[samples[start : start + BLOCK]])
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


# --- Opening --------------------------------------------------------------------------------


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
    except _Damage as error:
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


class _Damage(GlyphsError):
    """What is wrong with a dataset file, without its name."""


def _map_array(file, path):
    """Return the next array of the file as a memory map, and move past it."""
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    except (ValueError, EOFError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise _Damage("not a characters_dataset, or damaged") from None
    size = dtype.itemsize
    for side in shape:
        size *= side
    start = file.tell()
    if dtype.hasobject or fortran_order or start + size > os.fstat(file.fileno()).st_size:
        raise _Damage("not a characters_dataset, or cut short")
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
            raise _Damage("cut short")
        digest.update(block)
        start += len(block)
    return digest.hexdigest()


def _read_manifest(file):
    """Return the manifest at the end of the file, or raise _Damage."""
    stored = file.read()
    with contextlib.suppress(ValueError, EOFError, RecursionError, MemoryError, KeyError):
        manifest = json.loads(str(np.load(io.BytesIO(stored), allow_pickle=False)[()]))
        # One comparison covers the text, its checksum, the array around it and the file's end.
        if isinstance(manifest, dict) and _manifest_bytes(manifest) == stored:
            if manifest["version"] != VERSION:
                raise _Damage(
                    f"format version {manifest['version']}; this program reads version {VERSION}"
                )
            return manifest
    raise _Damage("its manifest is damaged or missing")

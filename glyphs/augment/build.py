"""Build a `characters_dataset_elastic`: distort the training images in parallel, write."""

import dataclasses
import itertools
import os
import time
import unicodedata

import numpy as np

from glyphs import files, parallel
from glyphs.augment import elastic, presets
from glyphs.dataset.write import write_dataset
from glyphs.errors import ArtifactError, UsageError


@dataclasses.dataclass
class Summary:
    """What building an elastic dataset did, for the user."""

    distorted: int
    small_angle: list  # class names
    seconds: float
    pictures_per_second: float


def augment_dataset(
    dataset,
    path,
    preset,
    *,
    copies=9,
    seed=1,
    small_angle=(),
    preset_name=None,
    workers=None,
    progress=parallel.unseen,
):
    """Distort the training images of a dataset and write a `characters_dataset_elastic`.

    Args:
        dataset: a plain Dataset.
        path: the file to write; an existing one is replaced at the end.
        preset: presets.Preset.
        copies: distorted images of each training image.
        seed: of the distortion, 0 to 2**32 - 1.
        small_angle: classes, by name or by character, that turn by half the preset's angle only.
        preset_name: what the manifest calls the preset.
        workers: number of threads; None: one per core. The result does not depend on it.
        progress: called with the number of images distorted so far, and that of all.

    Returns:
        A Summary.

    Raises:
        ArtifactError: the dataset is an elastic one already.
        UsageError: alpha or sigma is out of range; a class is not in the dataset; the dataset
            would be replaced.
        StorageError: no space or no permission.
    """
    started = time.perf_counter()
    if dataset.X_train_elastic is not None:
        raise ArtifactError(
            f"{dataset.path}: has distorted images already; give the characters_dataset that it "
            "was made from"
        )
    if os.path.exists(path) and os.path.samefile(path, dataset.path):
        raise UsageError(f"{path}: is the dataset itself; give another --output")
    for alpha, sigma in itertools.product(preset.alpha, preset.sigma):
        elastic.check(alpha, sigma)
    small = _find_classes(dataset, small_angle)
    count, height, width = dataset.X_train.shape
    images = {name: getattr(dataset, f"X_{name}") for name in ("train", "val", "test")}
    pixels = copies * count * height * width
    files.check_can_write(path, pixels + sum(x.nbytes for x in images.values()))
    angles = np.full(len(dataset.class_names), preset.angle)
    angles[small] /= 2
    workers = workers or parallel.default_workers()
    small_names = [dataset.class_names[i] for i in small]
    manifest = {
        key: value
        for key, value in dataset.manifest.items()
        if key not in ("format", "version", "sha256", "manifest_sha256")
    }
    manifest["elastic"] = {
        "preset": preset_name,
        **preset.to_json(),
        "copies": copies,
        "seed": seed,
        "small_angle": small_names,
        "dataset": dataset.fingerprint,
    }
    write_dataset(
        path,
        {name: (x, np.arange(len(x)), getattr(dataset, f"y_{name}")) for name, x in images.items()},
        dataset.class_names,
        dataset.preprocessing,
        manifest,
        elastic=(
            copies * count,
            _distorted(dataset, preset, angles, copies, seed, workers, progress),
        ),
    )
    seconds = time.perf_counter() - started
    return Summary(copies * count, small_names, seconds, copies * count / seconds)


def _find_classes(dataset, wanted):
    """Return the labels of classes given by name or by character, sorted."""
    labels = set()
    for name in wanted:
        name = unicodedata.normalize("NFC", name)
        found = [
            label
            for label, names in enumerate(zip(dataset.class_names, dataset.characters, strict=True))
            if name in names
        ]
        if not found:
            some = ", ".join(dataset.class_names[:5])
            raise UsageError(
                f"--small-angle {name}: {dataset.path} has no such class; its classes are named "
                f"{some}{', ...' if len(dataset.class_names) > 5 else ''}"
            )
        labels.update(found)
    return sorted(labels)


def _distorted(dataset, preset, angles, copies, seed, workers, progress):
    """Yield the distorted images: uint8 `(n, h, w)` blocks, copy after copy."""
    count, *size = dataset.X_train.shape
    length = presets.block_length(size)
    tasks = (
        (
            np.array(dataset.X_train[start : start + length]),
            preset,
            angles[dataset.y_train[start : start + length]],
            (seed, copy, start // length),
        )
        for copy in range(copies)
        for start in range(0, count, length)
    )
    done = 0
    for block in parallel.run_ordered_in_threads(presets.distort_block, tasks, workers=workers):
        yield block
        done += len(block)
        progress(done, copies * count)

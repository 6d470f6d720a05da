"""Write a dataset: in order, hashing on the way, under its name only when it is whole."""

import hashlib

import numpy as np

from glyphs import files
from glyphs.characters import character_of
from glyphs.dataset.format import ELASTIC, VERSION, format_of, manifest_bytes

BLOCK_BYTES = 1 << 24  # copied at a time into the file


def write_dataset(
    path, splits, class_names, preprocessing, manifest, *, label_encoding=None, elastic=None
):
    """Write a dataset atomically: its arrays one after another as np.save does, then the manifest.

    Args:
        path: the file.
        splits: for "train", "val" and "test" a tuple `(pool, samples, y)`: the images
            `pool[samples]` (uint8 `(n, h, w)`, may be a memory map) and their labels.
        class_names: text, sorted.
        preprocessing: what made the images; stored, so that classify.py repeats it.
        manifest: further facts to store; this function adds the rest.
        label_encoding: see characters.character_of.
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
            "format": format_of(sums),
            "version": VERSION,
            "image_size": [height, width],
            "fit": preprocessing.fit,
            "polarity": preprocessing.polarity,
            "preprocessing": preprocessing.to_json(),
            "counts": {name: len(samples) for name, (_, samples, _) in splits.items()},
            "characters": [character_of(name, label_encoding) for name in class_names],
            **manifest,
            "sha256": sums,
        }
        file.write(manifest_bytes(manifest))


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

"""Measure create_dataset.py against `keras.utils.image_dataset_from_directory`.

    python benchmarks/building.py
    python benchmarks/building.py FOLDER

FOLDER holds one folder per class; without it, 10,000 pictures of characters are drawn. Ours is all
that create_dataset.py does after its arguments are read: list, start workers, decode, split, write
the file. Keras lists, decodes and resizes (32x32, grey, bilinear, not shuffled) and gives batches
that nobody keeps; its import is not counted. First checks that ours holds, byte for byte, what
Pillow gives picture by picture, and that Keras found the same pictures in the same classes.
"""

import os
import sys
import tempfile
import time

import measuring

SIZE = (32, 32)
ROUNDS = 7


def build(folder, output):
    """Build the dataset; return the seconds."""
    from glyphs.dataset.build import Settings, from_index
    from glyphs.images.preprocessing import Preprocessing

    started = time.perf_counter()
    from_index(measuring.index_of(folder), output, Settings(Preprocessing((SIZE,))))
    return time.perf_counter() - started


def read_with_keras(folder, keep=None):
    """Let Keras read the folder; return the seconds. `keep` is given each batch."""
    from glyphs.training.backend import without_chatter

    with without_chatter():
        import keras

    started = time.perf_counter()
    batches = keras.utils.image_dataset_from_directory(
        folder,
        image_size=SIZE,
        color_mode="grayscale",
        interpolation="bilinear",
        shuffle=False,
        batch_size=128,
        verbose=False,
    )
    for batch in batches:
        if keep:
            keep(batch)
    return time.perf_counter() - started


def check(folder, output):
    """Stop unless all three ways of reading agree; return the number of pictures."""
    import numpy as np
    from PIL import Image

    from glyphs.dataset.open import open_dataset
    from glyphs.images.levels import polarity_of

    index = measuring.index_of(folder)
    if index.splits:
        sys.exit("give a folder of class folders, without train and test: Keras cannot read those")
    build(folder, output)
    dataset = open_dataset(output)
    splits = ("train", "val", "test")
    ours = np.concatenate([getattr(dataset, f"X_{name}") for name in splits])
    labels = np.concatenate([getattr(dataset, f"y_{name}") for name in splits])
    plain = []
    for path in index.samples.paths:
        with Image.open(path) as picture:
            grey = picture.convert("L").resize(SIZE[::-1], Image.Resampling.BILINEAR)
        is_light = polarity_of(grey) == "light-on-dark"
        plain.append(np.asarray(grey) if is_light else 255 - np.asarray(grey))

    def fingerprints(pictures, labels):
        return sorted((int(y), x.tobytes()) for x, y in zip(pictures, labels, strict=True))

    if fingerprints(ours, labels) != fingerprints(plain, index.labels):
        sys.exit("the dataset differs from what Pillow gives picture by picture")
    theirs = []
    read_with_keras(folder, keep=lambda batch: theirs.append(batch[1].numpy()))
    counts = np.bincount(np.concatenate(theirs)).tolist()
    if counts != np.bincount(index.labels).tolist():
        sys.exit("Keras found other pictures than create_dataset.py")
    print("the dataset equals Pillow's pictures; Keras found the same ones")
    return len(plain)


def main():
    args = measuring.parse_args(__doc__)
    with measuring.characters(args.folder) as folder, tempfile.TemporaryDirectory() as scratch:
        output = os.path.join(scratch, "characters_dataset")
        count = check(folder, output)
        times = measuring.in_rounds(
            {"glyphs": lambda: build(folder, output), "keras": lambda: read_with_keras(folder)},
            ROUNDS,
        )
    print(f"{count:,} pictures, median of {ROUNDS} rounds, ratio (lowest to highest)")
    measuring.show(times, lambda seconds: f"{count / seconds:,.0f} pictures/s")
    measuring.write(args.ratios, {"building": measuring.ratios(times)["keras"]})


if __name__ == "__main__":
    main()

"""Sheets of training pictures before and after their distortion, to look at."""

import os
import re

import numpy as np

from glyphs import files

ROWS = 8  # pictures of a sheet
COLUMNS = 9  # at most this many distorted copies of each
ENLARGED = 64  # a picture is enlarged by a whole factor to about this side
GAP = 4  # pixels between pictures
PAPER, GROUND = 255, 128


def write_sheets(dataset, folder, count):
    """Write one sheet for each of `count` classes, spread evenly over all.

    Every line shows a training picture, then what became of it.

    Args:
        dataset: a open.Dataset with X_train_elastic.
        folder: where to write; see files.make_folder.
        count: how many classes.

    Returns:
        The paths written.

    Raises:
        StorageError: no space or no permission.
    """
    present = np.unique(dataset.y_train)
    chosen = np.linspace(0, len(present) - 1, min(count, len(present))).round().astype(int)
    paths = []
    for label in present[chosen]:
        name = re.sub(r"[^\w+.-]", "_", dataset.class_names[label])
        path = os.path.join(folder, f"{label + 1:04}_{name}.png")
        samples = np.flatnonzero(dataset.y_train == label)[:ROWS]
        picture = _sheet(dataset, samples)
        with files.replacing(path) as file:
            picture.save(file, "PNG", optimize=True)
        paths.append(path)
    return paths


def _sheet(dataset, samples):
    """Return a PIL image with a line for each of the training pictures numbered in `samples`."""
    from PIL import Image

    train, distorted = dataset.X_train, dataset.X_train_elastic
    copies = min(len(distorted) // len(train), COLUMNS)
    numbers = samples[:, None] + len(train) * np.arange(copies)
    tiles = np.concatenate((train[samples][:, None], distorted[numbers]), axis=1)
    factor = max(1, round(ENLARGED / max(train.shape[1:])))
    tiles = PAPER - tiles.repeat(factor, axis=2).repeat(factor, axis=3)
    tiles = np.pad(tiles, ((0, 0), (0, 0), (0, GAP), (0, GAP)), constant_values=GROUND)
    lines = tiles.transpose(0, 2, 1, 3).reshape(len(samples) * tiles.shape[2], -1)
    first = tiles.shape[3]
    gap = np.full((len(lines), 3 * GAP), GROUND, np.uint8)  # sets the originals apart
    sheet = np.concatenate((lines[:, :first], gap, lines[:, first:]), axis=1)
    return Image.fromarray(np.pad(sheet, ((GAP, 0), (GAP, 0)), constant_values=GROUND))
